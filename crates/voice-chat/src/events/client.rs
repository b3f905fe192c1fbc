// SPDX-License-Identifier: MPL-2.0

//! Client events from the data channel: what of them goes to the model's session, and how.
//!
//! With WebRTC the audio is on the track and the formats are negotiated by SDP, so events that would send audio are
//! refused, and formats and the model are left out of `session.update`.

use super::error_event;
use crate::events::session::without_fixed_fields;
use serde_json::{Map, Value};

/// The longest client event that is read, in bytes; the answer to an offer announces as much.
pub const MAX_CLIENT_EVENT_LEN: usize = 256 * 1024;

/// What is done about a client event.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// It goes to the session as it is.
    Send(String),
    /// These settings are laid over those in force.
    UpdateSession {
        /// The settings, as in `session.update`.
        session: Map<String, Value>,
        /// The client's name of its event.
        event_id: Option<String>,
    },
    /// The answer under way is stopped and silenced.
    CancelResponse,
    /// What is played is silenced; `output_audio_buffer.cleared` answers.
    ClearOutput,
    /// The camera was turned off: pictures of before are not shown to the model any more.
    ForgetFrames,
    /// The newest picture of the camera goes to the model now.
    SendFrame,
    /// The client is told of its mistake.
    Refuse(Value),
}

/// Reads a message of the data channel.
pub fn read(text: &str) -> Action {
    if text.len() > MAX_CLIENT_EVENT_LEN {
        let message = format!("An event of {} bytes is too long; {MAX_CLIENT_EVENT_LEN} are taken.", text.len());
        return Action::Refuse(error_event("message_too_long", &message, None));
    }
    let mut event = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(event)) => event,
        Ok(_) => return Action::Refuse(error_event("invalid_json", "An event is a JSON object.", None)),
        Err(error) => {
            return Action::Refuse(error_event("invalid_json", &format!("The event is no JSON: {error}."), None));
        }
    };
    let event_id = event.get("event_id").and_then(Value::as_str).map(str::to_owned);
    let refuse = |code: &str, message: &str| Action::Refuse(error_event(code, message, event_id.as_deref()));
    match event.get("type").and_then(Value::as_str) {
        None => refuse("missing_required_parameter", "Missing required parameter: 'type'."),
        Some("session.update") => match event.remove("session") {
            Some(Value::Object(session)) => Action::UpdateSession { session: without_fixed_fields(session), event_id },
            _ => refuse("missing_required_parameter", "Missing required parameter: 'session'."),
        },
        // The element stops one answer at a time, and the one under way at that.
        Some("response.cancel") => Action::CancelResponse,
        Some("output_audio_buffer.clear") => Action::ClearOutput,
        Some("voice_chat.forget_frames") => Action::ForgetFrames,
        Some("voice_chat.send_frame") => Action::SendFrame,
        Some("input_audio_buffer.append") => {
            refuse("invalid_event", "With WebRTC the audio is on the track: 'input_audio_buffer.append' is not taken.")
        }
        Some(_) => Action::Send(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(text: &str) -> (String, Option<String>) {
        match read(text) {
            Action::Refuse(event) => {
                let of = |field: &str| event["error"][field].as_str().map(str::to_owned);
                (of("code").expect("a code"), of("event_id"))
            }
            other => panic!("taken: {other:?}"),
        }
    }

    #[test]
    fn events_of_the_conversation_go_through_as_they_are() {
        for text in [
            r#"{"type":"response.create","event_id":"e1"}"#,
            r#"{"type":"conversation.item.create","item":{"type":"message"}}"#,
            r#"{"type":"input_audio_buffer.commit"}"#,
            r#"{"type":"a.new.event"}"#,
        ] {
            assert_eq!(read(text), Action::Send(text.into()));
        }
    }

    #[test]
    fn the_model_and_the_formats_are_left_out_of_an_update() {
        let update = r#"{"type":"session.update","event_id":"u","session":{"type":"realtime","model":"m","voice":"x",
            "audio":{"input":{"format":{"type":"audio/pcmu"},"turn_detection":null},"output":{"format":"pcm16"}}}}"#;
        let Action::UpdateSession { session, event_id } = read(update) else { panic!("not an update") };
        let expected = json!({"type": "realtime", "voice": "x",
            "audio": {"input": {"turn_detection": null}, "output": {}}});
        assert_eq!((Value::Object(session), event_id.as_deref()), (expected, Some("u")));
    }

    #[test]
    fn stopping_an_answer_is_an_action_of_the_element() {
        assert_eq!(read(r#"{"type":"response.cancel","response_id":"r"}"#), Action::CancelResponse);
        assert_eq!(read(r#"{"type":"output_audio_buffer.clear"}"#), Action::ClearOutput);
    }

    #[test]
    fn pictures_are_the_gateways_business() {
        assert_eq!(read(r#"{"type":"voice_chat.forget_frames"}"#), Action::ForgetFrames);
        assert_eq!(read(r#"{"type":"voice_chat.send_frame"}"#), Action::SendFrame);
    }

    #[test]
    fn what_is_no_event_is_refused_by_name() {
        assert_eq!(refused("hello").0, "invalid_json");
        assert_eq!(refused("[1]").0, "invalid_json");
        assert_eq!(refused(r#"{"event_id":"e"}"#), ("missing_required_parameter".into(), Some("e".into())));
        assert_eq!(refused(r#"{"type":"session.update"}"#).0, "missing_required_parameter");
        assert_eq!(refused(&" ".repeat(MAX_CLIENT_EVENT_LEN + 1)).0, "message_too_long");
        let append = r#"{"type":"input_audio_buffer.append","audio":"","event_id":"a"}"#;
        assert_eq!(refused(append), ("invalid_event".into(), Some("a".into())));
    }
}
