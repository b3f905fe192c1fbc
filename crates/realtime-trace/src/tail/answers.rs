// SPDX-License-Identifier: MPL-2.0

//! Answers of `openaichat` about files, as an object of JSON each: the answer to each second of the input belongs to one of
//! the files.

use crate::structure::Structure;
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
struct Answer<'a> {
    file: Option<&'a String>,
    answer: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The line for a message; `None` if it is no answer.
pub fn answer(message: &Structure, files: &[String]) -> Option<String> {
    let state = message.text("state").filter(|_| message.name == "openaichat/response")?;
    let index = message.number::<u64>("running-time")? / 1_000_000_000;
    let file = usize::try_from(index).ok().and_then(|index| files.get(index));
    let text = message.text("text").unwrap_or_default();
    let answer = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let error = (state != "completed").then(|| message.text("error-message").unwrap_or(state));
    serde_json::to_string(&Answer { file, answer, error }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &str) -> Option<String> {
        let message = Structure::parse(&format!("openaichat/response, {fields};")).expect("a structure");
        answer(&message, &["a.png".into(), "b.png".into()])
    }

    #[test]
    fn an_answer_belongs_to_the_file_of_its_second() {
        let read =
            line(r#"state=(string)completed, text=(string)"\{\"color\":\"red\"\}", running-time=(guint64)1000000000"#);
        assert_eq!(read.as_deref(), Some(r#"{"file":"b.png","answer":{"color":"red"}}"#));
        let read = line(r#"state=(string)completed, text=(string)"no JSON", running-time=(guint64)7000000000"#);
        assert_eq!(read.as_deref(), Some(r#"{"file":null,"answer":"no JSON"}"#));
    }

    #[test]
    fn a_failed_answer_says_why() {
        let read = line(r#"state=(string)failed, error-message=(string)"too\ large", running-time=(guint64)0"#);
        assert_eq!(read.as_deref(), Some(r#"{"file":"a.png","answer":"","error":"too large"}"#));
    }
}
