// SPDX-License-Identifier: MPL-2.0

//! The session's configuration: OpenAI's defaults, what a client may change of them and when.
//!
//! An update was held against the tables of `shapes.rs` before it comes here. What it leaves out stays, `null`
//! switches off, and an update that cannot be taken in full is not taken at all. Turn detection, transcription and
//! noise reduction keep what is left out only while their kind stays the same.

use crate::api_error::ApiError;
use crate::engine::Hints;
use crate::session::detector::Rules;
use openai_protocol::Session;
use openai_protocol::session::{
    AudioConfig, AudioFormat, AudioInput, AudioOutput, MaxTokens, Modality, SessionKind, Transcription,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The configuration in force.
#[derive(Clone, Debug)]
pub struct Config {
    session: Session,
    input: AudioInput,
    output: AudioOutput,
}

impl Config {
    /// The defaults of a new session.
    pub fn new(kind: &SessionKind, model: &str, id: &str, expires_at: u64) -> Self {
        let format = json!({"type": "audio/pcm", "rate": 24000});
        let vad = default_turns("server_vad");
        let input = json!({"format": format, "transcription": null, "noise_reduction": null, "turn_detection": vad});
        let value = if *kind == SessionKind::Transcription {
            json!({"type": "transcription", "object": "realtime.transcription_session", "id": id,
                "expires_at": expires_at, "audio": {"input": input}, "include": null})
        } else {
            json!({"type": "realtime", "object": "realtime.session", "id": id, "model": model,
                "output_modalities": ["audio"], "instructions": "You are a helpful assistant.", "tools": [],
                "tool_choice": "auto", "max_output_tokens": "inf", "tracing": null, "truncation": "auto",
                "prompt": null, "expires_at": expires_at,
                "audio": {"input": input, "output": {"format": format, "voice": "alloy", "speed": 1.0}},
                "include": null})
        };
        Self::of(value).unwrap_or_else(|refusal| unreachable!("the defaults are well-formed: {refusal:?}"))
    }

    fn of(value: Value) -> Result<Self, ApiError> {
        let session: Session = serde_json::from_value(value)
            .map_err(|error| ApiError::new("invalid_value", error.to_string()).at("session"))?;
        let AudioConfig { input, output, .. } = session.audio.clone().unwrap_or_default();
        Ok(Self { session, input: input.unwrap_or_default(), output: output.unwrap_or_default() })
    }

    /// Takes an update, in full or not at all. `spoken` says that the model was heard already.
    pub fn update(&mut self, update: &Session, spoken: bool) -> Result<(), ApiError> {
        let text = |value: &Session| serde_json::to_value(value).unwrap_or_default();
        let (Value::Object(mut current), Value::Object(update)) = (text(&self.session), text(update)) else {
            unreachable!("a session is an object");
        };
        self.check_fixed(&current, &update, spoken)?;
        merge(&mut current, update);
        *self = Self::of(Value::Object(current))?;
        Ok(())
    }

    /// What cannot change any more.
    fn check_fixed(
        &self,
        current: &Map<String, Value>,
        update: &Map<String, Value>,
        spoken: bool,
    ) -> Result<(), ApiError> {
        let differs = |name: &str| update.get(name).is_some_and(|value| current.get(name) != Some(value));
        if differs("type") {
            let message = "The type of a session cannot be changed.";
            return Err(ApiError::new("invalid_value", message).at("session.type"));
        }
        if differs("model") {
            let message = "The model of a session cannot be changed.";
            return Err(ApiError::new("invalid_value", message).at("session.model"));
        }
        if differs("tracing") && current.get("tracing").is_some_and(|tracing| !tracing.is_null()) {
            let message = "The tracing of a session cannot be changed once it is on.";
            return Err(ApiError::new("invalid_value", message).at("session.tracing"));
        }
        let voice = update.get("audio").and_then(|audio| audio.pointer("/output/voice"));
        if spoken && voice.is_some_and(|voice| Some(voice) != self.output.voice.as_ref()) {
            let message = "Cannot update a conversation's voice if assistant audio is present.";
            return Err(ApiError::new("cannot_update_voice", message));
        }
        Ok(())
    }

    /// Whether an update asks for another speed.
    pub fn changes_speed(&self, update: &Session) -> bool {
        let speed = update.audio.as_ref().and_then(|audio| audio.output.as_ref()?.speed);
        speed.is_some() && speed != self.output.speed
    }

    /// All of it, as `session.created` and `session.updated` tell it.
    pub fn session(&self) -> Session {
        self.session.clone()
    }

    /// Whether this session only writes down.
    pub fn only_transcribes(&self) -> bool {
        self.session.kind == Some(SessionKind::Transcription)
    }

    /// How turns are found; `None` where the client says it.
    pub fn turns(&self) -> Option<Rules> {
        self.input.turn_detection.value().map(|turns| Rules::new(turns, self.only_transcribes()))
    }

    /// The model that writes down what the user says.
    pub fn transcription(&self) -> Option<&Transcription> {
        self.input.transcription.value()
    }

    /// What is known beforehand of the user's words.
    pub fn hints(&self) -> Arc<Hints> {
        let hints = self.transcription().map(|wanted| {
            let (language, prompt) = (wanted.language.clone(), wanted.prompt.clone());
            Hints { language, prompt }
        });
        Arc::new(hints.unwrap_or_default())
    }

    /// The format of what is appended.
    pub fn input_format(&self) -> AudioFormat {
        self.input.format.clone().unwrap_or_default()
    }

    /// How the model sounds.
    pub fn output(&self) -> &AudioOutput {
        &self.output
    }

    /// What answers consist of.
    pub fn modalities(&self) -> Vec<Modality> {
        self.session.output_modalities.clone().unwrap_or_else(|| vec![Modality::Audio])
    }

    /// What the model is told to be.
    pub fn instructions(&self) -> &str {
        self.session.instructions.as_deref().unwrap_or_default()
    }

    /// The limit of each answer.
    pub fn max_tokens(&self) -> MaxTokens {
        self.session.max_output_tokens.clone().unwrap_or(MaxTokens::Word("inf".into()))
    }

    /// The function and MCP tools.
    pub fn tools(&self) -> &[Value] {
        self.session.tools.as_deref().unwrap_or_default()
    }

    /// Which of them may be used.
    pub fn tool_choice(&self) -> Option<&Value> {
        self.session.tool_choice.as_ref()
    }

    /// Whether several functions may be called in one answer.
    pub fn calls_in_parallel(&self) -> bool {
        self.session.parallel_tool_calls.unwrap_or(true)
    }
}

/// The defaults of a kind of turn detection.
fn default_turns(kind: &str) -> Value {
    if kind == "semantic_vad" {
        return json!({"type": kind, "eagerness": "auto", "create_response": true, "interrupt_response": true});
    }
    json!({"type": kind, "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200,
        "idle_timeout_ms": null, "create_response": true, "interrupt_response": true})
}

/// Puts an update over what is there. Only what has parts that are set apart from each other is merged; all else is
/// replaced as a whole.
fn merge(current: &mut Map<String, Value>, update: Map<String, Value>) {
    for (name, value) in update {
        let old = current.get_mut(&name);
        match (name.as_str(), old, value) {
            (
                "audio" | "input" | "output" | "noise_reduction" | "transcription",
                Some(Value::Object(old)),
                Value::Object(new),
            ) => {
                merge(old, new);
            }
            ("turn_detection", old, Value::Object(new)) => {
                let kind = new.get("type").and_then(Value::as_str).unwrap_or("server_vad");
                let same = old.as_deref().filter(|old| old["type"] == kind);
                let mut turns = same.cloned().unwrap_or_else(|| default_turns(kind));
                if let Value::Object(turns) = &mut turns {
                    turns.extend(new);
                }
                current.insert(name, turns);
            }
            (_, _, value) => {
                current.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(&SessionKind::Realtime, "gpt-realtime", "sess_1", 7)
    }

    /// The session after an update, as JSON.
    fn after(config: &mut Config, update: Value, spoken: bool) -> Result<Value, ApiError> {
        let update: Session = serde_json::from_value(update).expect("a session");
        config.update(&update, spoken)?;
        Ok(serde_json::to_value(config.session()).expect("JSON"))
    }

    #[test]
    fn the_defaults_are_told_with_their_nulls() {
        let told = serde_json::to_value(config().session()).expect("JSON");
        assert_eq!(told["audio"]["input"]["turn_detection"], default_turns("server_vad"));
        for place in ["/audio/input/transcription", "/tracing", "/prompt", "/include"] {
            assert_eq!(told.pointer(place), Some(&Value::Null), "{place}");
        }
    }

    #[test]
    fn what_is_left_out_stays_and_null_switches_off() {
        let mut config = config();
        let told = after(
            &mut config,
            json!({"type": "realtime", "audio": {"input": {
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500}, "transcription": {"model": "a"}}}}),
            false,
        );
        let input = &told.expect("taken")["audio"]["input"];
        assert_eq!(input["turn_detection"]["silence_duration_ms"], 500);
        assert_eq!(input["turn_detection"]["prefix_padding_ms"], 300);
        let told = after(&mut config, json!({"type": "realtime", "audio": {"input": {"turn_detection": null}}}), false);
        let input = &told.expect("taken")["audio"]["input"];
        assert_eq!((&input["turn_detection"], &input["transcription"]["model"]), (&Value::Null, &json!("a")));
        assert!(config.turns().is_none());
    }

    #[test]
    fn another_kind_of_turn_detection_starts_from_its_own_defaults() {
        let mut config = config();
        let update = json!({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}});
        let told = after(&mut config, update, false).expect("taken");
        assert_eq!(told["audio"]["input"]["turn_detection"], default_turns("semantic_vad"));
    }

    #[test]
    fn the_voice_is_fixed_once_it_was_heard_and_nothing_else_is_taken_either() {
        let mut config = config();
        let voice = |name: &str| json!({"type": "realtime", "instructions": "x", "audio": {"output": {"voice": name}}});
        assert!(after(&mut config, voice("cedar"), false).is_ok());
        assert!(after(&mut config, voice("cedar"), true).is_ok());
        let update = json!({"type": "realtime", "instructions": "y", "audio": {"output": {"voice": "ash"}}});
        assert!(after(&mut config, update, true).is_err());
        assert_eq!(config.instructions(), "x");
    }

    #[test]
    fn tracing_stays_once_it_is_on() {
        let mut config = config();
        let tracing = |tracing: Value| json!({"type": "realtime", "tracing": tracing});
        assert!(after(&mut config, tracing(json!("auto")), false).is_ok());
        assert!(after(&mut config, tracing(json!("auto")), false).is_ok());
        assert!(after(&mut config, tracing(Value::Null), false).is_err());
    }

    #[test]
    fn model_and_type_stay() {
        let mut config = config();
        assert!(after(&mut config, json!({"type": "realtime", "model": "other"}), false).is_err());
        assert!(after(&mut config, json!({"type": "transcription"}), false).is_err());
        assert!(after(&mut config, json!({"type": "realtime", "model": "gpt-realtime"}), false).is_ok());
    }
}
