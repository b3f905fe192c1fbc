// SPDX-License-Identifier: MPL-2.0

//! The property `session` when the server has refused a part of it.

use crate::realtime::conversation::session::session_diff::copy_setting;
use serde_json::Value;

/// The JSON that was wished, with these fields (`audio.input.turn_detection`) as they are in the JSON that is in force;
/// a field that is not there is left out. `None` where one of the two is not the text of a JSON object.
pub(crate) fn without_refused(wished: &str, in_force: Option<&str>, fields: &[String]) -> Option<String> {
    let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    let (mut session, in_force) = (object(wished)?, object(in_force.unwrap_or("{}"))?);
    let before = session.clone();
    for field in fields {
        let path: Vec<String> = field.split('.').map(str::to_owned).collect();
        copy_setting(&mut session, &in_force, &path);
    }
    // As it was written where nothing of it is refused.
    Some(if session == before { wished.to_owned() } else { session.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn without(wished: Value, in_force: Option<Value>, fields: &[&str]) -> Value {
        let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
        let in_force = in_force.map(|in_force| in_force.to_string());
        let left = without_refused(&wished.to_string(), in_force.as_deref(), &fields).expect("JSON");
        serde_json::from_str(&left).expect("JSON")
    }

    #[test]
    fn only_what_is_refused_is_taken_back() {
        let wished =
            json!({"tracing": "auto", "audio": {"input": {"turn_detection": {"type": "x"}, "transcription": null}}});
        assert_eq!(
            without(wished.clone(), None, &["audio.input.turn_detection"]),
            json!({"tracing": "auto", "audio": {"input": {"transcription": null}}})
        );
        let in_force = json!({"audio": {"input": {"turn_detection": null}}, "tracing": "off"});
        assert_eq!(
            without(wished, Some(in_force), &["audio.input.turn_detection"]),
            json!({"tracing": "auto", "audio": {"input": {"turn_detection": null, "transcription": null}}})
        );
    }

    #[test]
    fn fields_of_other_properties_change_nothing() {
        let wished = r#"{ "tracing":"auto", "audio":null }"#;
        let left = without_refused(wished, None, &["instructions".into(), "audio.output.voice".into()]);
        assert_eq!(left.as_deref(), Some(wished));
    }

    #[test]
    fn a_file_is_no_json_that_could_be_changed() {
        assert_eq!(without_refused("@session.json", None, &["tracing".into()]), None);
        assert_eq!(without_refused("{}", Some("@session.json"), &["tracing".into()]), None);
    }
}
