// SPDX-License-Identifier: MPL-2.0

//! The settings of a visitor's session: what a client secret, an offer and `session.update` say, laid over each other.

use openai_protocol::overlay::overlay;
use serde_json::{Map, Value};

/// The settings that a visitor has asked for so far, as the element's property `session` takes them.
#[derive(Debug, Default)]
pub struct SessionSettings(Map<String, Value>);

impl SessionSettings {
    /// Lays settings over those so far.
    pub fn merge(&mut self, settings: Map<String, Value>) {
        overlay(&mut self.0, settings);
    }

    /// The settings as JSON; `None` where there are none.
    pub fn to_json(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| Value::Object(self.0.clone()).to_string())
    }
}

/// The model is fixed when a session begins, and the formats are those of the element's pads.
pub fn without_fixed_fields(mut session: Map<String, Value>) -> Map<String, Value> {
    session.remove("model");
    if let Some(Value::Object(audio)) = session.get_mut("audio") {
        for side in ["input", "output"] {
            if let Some(Value::Object(side)) = audio.get_mut(side) {
                side.remove("format");
            }
        }
    }
    session
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn later_settings_are_laid_over_earlier_ones() {
        let mut settings = SessionSettings::default();
        assert_eq!(settings.to_json(), None);
        settings.merge(object(json!({"instructions": "a", "audio": {"output": {"voice": "x", "speed": 1.5}}})));
        settings.merge(object(json!({"tools": [1], "audio": {"output": {"voice": "y"}, "input": null}})));
        settings.merge(object(json!({"tools": [2]})));
        let merged: Value = serde_json::from_str(&settings.to_json().expect("settings")).expect("JSON");
        let audio = json!({"output": {"voice": "y", "speed": 1.5}, "input": null});
        assert_eq!(merged, json!({"instructions": "a", "tools": [2], "audio": audio}));
    }
}
