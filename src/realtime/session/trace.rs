// SPDX-License-Identifier: MPL-2.0

//! Wire format of client events in the server's dialect, and events for traces without secrets.

use openai_protocol::dialect::{Dialect, to_beta};
use openai_protocol::{ClientEvent, client};
use serde_json::{Value, json};

use crate::net::secret::REDACTED;

/// Serializes an event in a dialect. Also returns the names of the fields that the dialect lacks.
pub fn write(event: &ClientEvent, dialect: Dialect) -> (String, Vec<String>) {
    if let ClientEvent::InputAudioBufferAppend(event) = event {
        // Sent many times a second, and the same in both dialects.
        return (client::append_json(event.event_id.as_deref(), &event.audio.0), Vec::new());
    }
    match dialect {
        Dialect::Ga => (event.to_json(), Vec::new()),
        Dialect::Beta => {
            let mut value = json!(event);
            let lost = to_beta(&mut value);
            (value.to_string(), lost)
        }
    }
}

/// The JSON of an event without the keys of other services that tools of a session may hold.
pub fn redact_event(name: &str, text: &str) -> String {
    if !name.starts_with("session.") && !matches!(name, "response.create" | "response.created" | "response.done") {
        return text.to_owned();
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let mut hidden = false;
    for owner in ["session", "response"] {
        let tools = value.get_mut(owner).and_then(|owner| owner.get_mut("tools"));
        for tool in tools.and_then(Value::as_array_mut).into_iter().flatten() {
            hidden |= hide(tool);
        }
    }
    if let Some(secret) = value.pointer_mut("/session/client_secret") {
        *secret = json!(REDACTED);
        hidden = true;
    }
    if hidden { value.to_string() } else { text.to_owned() }
}

/// Redacts the credentials of a tool.
fn hide(tool: &mut Value) -> bool {
    let mut hidden = false;
    if let Some(authorization) = tool.get_mut("authorization").filter(|value| !value.is_null()) {
        *authorization = json!(REDACTED);
        hidden = true;
    }
    for (_, value) in tool.get_mut("headers").and_then(Value::as_object_mut).into_iter().flatten() {
        *value = json!(REDACTED);
        hidden = true;
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_services_are_in_no_trace() {
        let text = json!({"type": "session.update", "session": {"tools": [
            {"type": "mcp", "server_label": "a", "authorization": "hush", "headers": {"X-Key": "hush"}},
            {"type": "function", "name": "f"}]}})
        .to_string();
        let shown = redact_event("session.update", &text);
        assert!(!shown.contains("hush") && shown.matches(REDACTED).count() == 2 && shown.contains("\"f\""), "{shown}");
    }

    #[test]
    fn what_holds_no_secret_is_as_it_was() {
        let text = r#"{ "type":"session.updated", "session":{} }"#;
        assert_eq!(redact_event("session.updated", text), text);
    }
}
