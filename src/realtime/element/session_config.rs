// SPDX-License-Identifier: MPL-2.0

//! Session of the API (`session.update`), made from the properties.
//!
//! The JSON of the property `session` is merged over the others, and the merged session decides what the element does itself.
//! Fields that the model or the server is known to refuse are left out with a warning.

use crate::error::Error;
use crate::media::property_values::JsonText;
use crate::realtime::element::conversation_config::SERVER_SILENCE;
use crate::realtime::element::settings::{MILLISECOND, Settings};
use crate::realtime::element::{
    FramePolicy, Modality, NoiseReduction, ReasoningEffort, SessionType, TurnDetection, VadEagerness,
};
use crate::types::Timing;
use openai_protocol::dialect::Dialect;
use openai_protocol::overlay::overlay;
use openai_protocol::session::{
    AudioConfig, AudioFormat, AudioInput, AudioOutput, MaxTokens, Reasoning, SessionKind, Transcription,
};
use openai_protocol::{Session, Setting, plain, session};
use serde_json::{Value, json};

/// The session with the JSON of `session` merged in.
pub(crate) struct Merged {
    pub session: Session,
    /// Descriptions of what was left out, and why.
    pub left_out: Vec<String>,
    /// `create_response` of the JSON.
    pub answers: Option<bool>,
}

impl Settings {
    /// Makes the session. An error names the property at fault.
    pub(crate) fn merged_session(
        &self,
        timing: Timing,
        detection: TurnDetection,
        input: &AudioFormat,
        output: &AudioFormat,
        dialect: Dialect,
    ) -> Result<Merged, Error> {
        let session = self.plain_session(timing, detection, input, output)?;
        let wrong = |why: String| Error::settings(format!("session: {why}"));
        let mut merged = serde_json::to_value(session).map_err(|error| wrong(error.to_string()))?;
        let mut answers = None;
        if let Some(text) = self.session.as_ref().map_or(Ok(None), JsonText::text).map_err(wrong)? {
            let over: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
            check_formats(&over, input, output).map_err(wrong)?;
            answers = over["audio"]["input"]["turn_detection"]["create_response"].as_bool();
            let (Some(session), Value::Object(over)) = (merged.as_object_mut(), over) else {
                return Err(wrong("it must be a JSON object, such as {\"max_output_tokens\": 500}".into()));
            };
            overlay(session, over);
        }
        let left_out = self.guard(&mut merged, dialect);
        let session = serde_json::from_value(merged).map_err(|error| wrong(plain(&error)))?;
        Ok(Merged { session, left_out, answers })
    }

    /// Removes what the model or the server is known to refuse, because it would refuse the whole update.
    fn guard(&self, session: &mut Value, dialect: Dialect) -> Vec<String> {
        let mut left_out = Vec::new();
        let Some(session) = session.as_object_mut() else { return left_out };
        let model = session.get("model").and_then(Value::as_str).unwrap_or(&self.model).to_owned();
        if !reasons(&model) {
            for name in ["reasoning", "parallel_tool_calls"] {
                if session.remove(name).is_some() {
                    left_out.push(format!("{name} is left out: the model {model} does not reason"));
                }
            }
        }
        if dialect == Dialect::Ga && session.remove("temperature").is_some() {
            left_out.push("temperature is left out: only the beta protocol knows it".into());
        }
        left_out
    }

    fn plain_session(
        &self,
        timing: Timing,
        detection: TurnDetection,
        input: &AudioFormat,
        output: &AudioFormat,
    ) -> Result<Session, Error> {
        let audio_input = AudioInput {
            format: Some(input.clone()),
            transcription: self.transcription().map_or(Setting::Keep, Setting::Set),
            // Off is the default of the server, and the API's type of a request has no value for it.
            noise_reduction: self.noise().map_or(Setting::Keep, |kind| {
                Setting::Set(session::NoiseReduction { kind: Some(kind.into()), ..Default::default() })
            }),
            turn_detection: self.server_detection(timing, detection).into(),
            ..Default::default()
        };
        if self.session_type == SessionType::Transcription {
            let audio = AudioConfig { input: Some(audio_input), ..Default::default() };
            let kind = Some(SessionKind::Transcription);
            return Ok(Session { kind, audio: Some(audio), ..Default::default() });
        }
        let modality = match self.output_modalities {
            Modality::Audio => session::Modality::Audio,
            Modality::Text => session::Modality::Text,
        };
        Ok(Session {
            kind: Some(SessionKind::Realtime),
            instructions: self.instructions.clone(),
            output_modalities: Some(vec![modality]),
            tools: self.tools()?,
            tool_choice: self.tool_choice()?,
            reasoning: self.reasoning(),
            max_output_tokens: Some(match self.max_output_tokens {
                0 => MaxTokens::Word("inf".into()),
                count => MaxTokens::Count(count.into()),
            }),
            audio: Some(AudioConfig {
                input: Some(audio_input),
                output: Some(AudioOutput {
                    format: Some(output.clone()),
                    voice: Some(self.voice.clone().into()),
                    speed: Some(self.speed).filter(|speed| *speed != 1.0),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    pub(crate) fn noise(&self) -> Option<&'static str> {
        match self.noise_reduction {
            NoiseReduction::None => None,
            NoiseReduction::NearField => Some("near_field"),
            NoiseReduction::FarField => Some("far_field"),
        }
    }

    fn reasoning(&self) -> Option<Reasoning> {
        let effort = match self.reasoning_effort {
            ReasoningEffort::Default => return None,
            ReasoningEffort::Minimal => "minimal",
            ReasoningEffort::Low => "low",
            ReasoningEffort::Medium => "medium",
            ReasoningEffort::High => "high",
            ReasoningEffort::XHigh => "xhigh",
        };
        Some(Reasoning { effort: Some(effort.into()), ..Default::default() })
    }

    fn tools(&self) -> Result<Option<Vec<Value>>, Error> {
        let wrong = |why: String| Error::settings(format!("tools: {why}"));
        let text = self.tools.as_ref().map_or(Ok(None), JsonText::text).map_err(wrong)?;
        let Some(text) = text else { return Ok(None) };
        let tools: Vec<Value> = serde_json::from_str(text).map_err(|error| wrong(format!("a JSON array: {error}")))?;
        for (index, tool) in tools.iter().enumerate() {
            check_tool(tool).map_err(|why| wrong(format!("[{index}]: {why}")))?;
        }
        Ok(Some(tools))
    }

    /// The property is `auto`, `none`, `required`, the name of a function, or JSON.
    fn tool_choice(&self) -> Result<Option<Value>, Error> {
        let text = self.tool_choice.trim();
        Ok(match text {
            "" | "auto" => None,
            "none" | "required" => Some(json!(text)),
            text if text.starts_with('{') => Some(
                serde_json::from_str(text)
                    .map_err(|error| Error::settings(format!("tool-choice: no JSON object: {error}")))?,
            ),
            name => Some(json!({"type": "function", "name": name})),
        })
    }

    /// Refuses the name of a function that is not in `tools`, which is most probably a misspelt mode.
    pub(crate) fn check_tool_choice(&self, session: &Session) -> Result<(), Error> {
        let name = session.tool_choice.as_ref().and_then(|choice| choice["name"].as_str());
        let is_it = |name: &str| session.tools.iter().flatten().any(|tool| tool["name"].as_str() == Some(name));
        match name.filter(|name| *name == self.tool_choice.trim() && !is_it(name)) {
            Some(name) => Err(Error::settings(format!(
                "tool-choice: '{name}' is none of auto, none and required, and no function of tools has this name"
            ))),
            None => Ok(()),
        }
    }

    fn transcription(&self) -> Option<Transcription> {
        (!self.transcription_model.is_empty()).then(|| Transcription {
            model: Some(self.transcription_model.clone()),
            language: self.transcription_language.clone(),
            prompt: self.transcription_prompt.clone(),
            ..Default::default()
        })
    }

    /// Whether the server creates the responses itself. With frame-policy=turn the element requests them, because the frame of
    /// the turn has to be sent before.
    fn server_responds(&self) -> bool {
        let waits_for_picture = self.frame_policy == FramePolicy::Turn && self.vad_idle_timeout == 0;
        self.create_response && !waits_for_picture
    }

    /// `turn_detection`, or `None` for local or no turn detection.
    fn server_detection(&self, timing: Timing, detection: TurnDetection) -> Option<session::TurnDetection> {
        let milliseconds = |nanoseconds: u64| nanoseconds / MILLISECOND;
        let both = session::TurnDetection {
            create_response: Some(self.server_responds()),
            // Offline, nobody hears the response while it is made, so nobody interrupts it.
            interrupt_response: Some(self.interrupt_response && timing == Timing::Live),
            ..Default::default()
        };
        match detection {
            TurnDetection::ServerVad | TurnDetection::Auto => Some(session::TurnDetection {
                kind: Some("server_vad".into()),
                threshold: Some(self.vad_threshold),
                prefix_padding_ms: Some(milliseconds(self.vad_prefix_padding)),
                silence_duration_ms: Some(self.silence_duration(SERVER_SILENCE).as_millis() as u64),
                idle_timeout_ms: match self.vad_idle_timeout {
                    0 => Setting::Keep,
                    time => Setting::Set(milliseconds(time)),
                },
                ..both
            }),
            TurnDetection::SemanticVad => {
                let eagerness = match self.vad_eagerness {
                    VadEagerness::Auto => "auto",
                    VadEagerness::Low => "low",
                    VadEagerness::Medium => "medium",
                    VadEagerness::High => "high",
                };
                Some(session::TurnDetection {
                    kind: Some("semantic_vad".into()),
                    eagerness: Some(eagerness.into()),
                    ..both
                })
            }
            TurnDetection::Local | TurnDetection::None => None,
        }
    }
}

/// Whether a model accepts `reasoning`. For unknown names, the server decides.
fn reasons(model: &str) -> bool {
    const PLAIN: [&str; 5] = ["gpt-realtime-mini", "gpt-realtime-1.5", "gpt-4o-", "gpt-realtime-20", "gpt-audio"];
    model != "gpt-realtime" && !PLAIN.iter().any(|name| model.starts_with(name))
}

/// Refuses audio formats in `session`, which the caps of the pads decide on.
fn check_formats(over: &Value, input: &AudioFormat, output: &AudioFormat) -> Result<(), String> {
    for (direction, is) in [("input", input), ("output", output)] {
        let Some(wished) = over["audio"][direction].get("format") else { continue };
        let wished: AudioFormat =
            serde_json::from_value(wished.clone()).map_err(|error| format!("audio.{direction}.format: {error}"))?;
        if wished != *is {
            let is = json!(is)["type"].as_str().unwrap_or_default().to_owned();
            return Err(format!("audio.{direction}.format: the caps of the pad say {is}; put a capsfilter there"));
        }
    }
    Ok(())
}

/// Checks a tool.
fn check_tool(tool: &Value) -> Result<(), String> {
    let text = |name: &str| tool.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if !tool.is_object() {
        return Err("it is no JSON object".into());
    }
    match text("type") {
        Some("function") if tool.get("function").is_some() => {
            Err("name, description and parameters stand in the tool itself, not in 'function'".into())
        }
        Some("function") => match text("name") {
            None => Err("a function has a 'name'".into()),
            Some(_) if tool.get("parameters").is_some_and(|parameters| !parameters.is_object()) => {
                Err("'parameters' is a JSON Schema, so an object".into())
            }
            Some(_) => Ok(()),
        },
        Some("mcp") => text("server_label").map(|_| ()).ok_or_else(|| "an MCP tool has a 'server_label'".into()),
        Some(_) => Ok(()),
        None => Err("it has no 'type' (function or mcp)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::realtime::conversation::config::{Config, Detection};
    use serde_json::json;
    use std::time::Duration;

    fn config(settings: &Settings, timing: crate::types::Timing) -> Config {
        settings.config(timing, AudioFormat::Pcm, AudioFormat::Pcm, Dialect::Ga).expect("a configuration").0
    }

    fn refusal(settings: &Settings) -> Error {
        let live = crate::types::Timing::Live;
        settings.config(live, AudioFormat::Pcm, AudioFormat::Pcm, Dialect::Ga).expect_err("refused")
    }

    fn sent(settings: &Settings) -> Value {
        serde_json::to_value(config(settings, crate::types::Timing::Live).session).expect("JSON")
    }

    #[test]
    fn auto_is_server_vad_live_and_local_offline() {
        let settings = Settings::default();
        let live = config(&settings, crate::types::Timing::Live);
        assert_eq!(live.detection, Detection::Server { silence: SERVER_SILENCE });
        let offline = config(&settings, crate::types::Timing::Offline);
        assert!(matches!(offline.detection, Detection::Local(_)));
        let json = serde_json::to_value(offline.session).expect("JSON");
        assert_eq!(json["audio"]["input"]["turn_detection"], json!(null));
        assert!(json["audio"]["input"].get("turn_detection").is_some(), "null switches the server's own off");
    }

    #[test]
    fn session_json_comes_last() {
        let settings = Settings {
            session: Some(r#"{"audio": {"output": {"voice": {"id": "voice_1"}}}, "truncation": "disabled"}"#.into()),
            ..Default::default()
        };
        let json = sent(&settings);
        assert_eq!(json["audio"]["output"]["voice"], json!({"id": "voice_1"}));
        assert_eq!(json["audio"]["output"]["format"], json!({"type": "audio/pcm", "rate": 24000}));
        assert_eq!(json["truncation"], "disabled");
    }

    #[test]
    fn wrong_session_json_says_where() {
        for (text, expected) in
            [("{\"a\": }", "line 1 column 7"), ("[1]", "JSON object"), ("{\"tools\": 3}", "sequence")]
        {
            let settings = Settings { session: Some(text.into()), ..Default::default() };
            let failure = refusal(&settings);
            assert!(
                failure.message().starts_with("session: ") && failure.says(ErrorKind::Settings, expected),
                "{text}: {failure}"
            );
        }
    }

    #[test]
    fn empty_transcription_model_switches_it_off() {
        let settings = Settings { transcription_model: String::new(), ..Default::default() };
        assert_eq!(sent(&settings)["audio"]["input"].get("transcription"), None);
        assert!(!config(&settings, crate::types::Timing::Live).transcribes);
    }

    #[test]
    fn session_json_counts_for_the_elements_own_decisions() {
        let settings = Settings {
            session: Some(r#"{"audio": {"input": {"turn_detection": null}}}"#.into()),
            ..Default::default()
        };
        assert_eq!(config(&settings, crate::types::Timing::Live).detection, Detection::Manual);
        let settings = Settings {
            session: Some(
                r#"{"audio": {"input": {"turn_detection": {"silence_duration_ms": 900, "create_response": false}}}}"#
                    .into(),
            ),
            ..Default::default()
        };
        let config = config(&settings, crate::types::Timing::Live);
        assert_eq!(config.detection, Detection::Server { silence: Duration::from_millis(900) });
        assert!(!config.create_response);
        let settings = Settings {
            session: Some(r#"{"audio": {"output": {"format": {"type": "audio/pcmu"}}}}"#.into()),
            ..Default::default()
        };
        assert!(refusal(&settings).says(ErrorKind::Settings, "audio.output.format"));
    }

    #[test]
    fn session_json_in_a_file_counts_as_if_it_stood_in_the_property() {
        let path = std::env::temp_dir().join(format!("openairealtime-session-{}.json", std::process::id()));
        std::fs::write(&path, r#"{"audio": {"input": {"turn_detection": {"create_response": false}}}}"#)
            .expect("written");
        let mut settings = Settings { session: Some(format!("@{}", path.display()).into()), ..Default::default() };
        assert!(!config(&settings, crate::types::Timing::Live).create_response);
        // It is read once, until the next run starts.
        std::fs::remove_file(&path).expect("removed");
        assert!(!config(&settings, crate::types::Timing::Live).create_response);
        settings.reload_files();
        assert!(refusal(&settings).says(ErrorKind::Settings, "session: the file"));
    }

    #[test]
    fn what_would_be_refused_is_left_out_and_told() {
        let left_out = |model: &str, session: &str| {
            let settings = Settings {
                model: model.into(),
                session: Some(session.into()),
                reasoning_effort: ReasoningEffort::Low,
                ..Default::default()
            };
            let live = crate::types::Timing::Live;
            let (config, left_out) =
                settings.config(live, AudioFormat::Pcm, AudioFormat::Pcm, Dialect::Ga).expect("a configuration");
            (json!(config.session), left_out)
        };
        let (session, status) = left_out("gpt-realtime-1.5", r#"{"temperature": 0.8}"#);
        assert!(session.get("reasoning").is_none() && session.get("temperature").is_none());
        assert_eq!(status.len(), 2, "{status:?}");
        let (session, status) = left_out("gpt-realtime-2.1", "{}");
        assert_eq!((session["reasoning"]["effort"].as_str(), status.len()), (Some("low"), 0));
    }

    #[test]
    fn wrong_tools_say_which_and_why() {
        for (text, expected) in [
            ("{}", "array"),
            ("@/no/such/file", "/no/such/file"),
            (r#"[{"type": "function"}]"#, "[0]: a function has a 'name'"),
            (r#"[{"type": "function", "name": "a"}, {"type": "function", "function": {}}]"#, "[1]: name, description"),
            (r#"[{"name": "a"}]"#, "[0]: it has no 'type'"),
            (r#"[{"type": "mcp"}]"#, "server_label"),
        ] {
            let settings = Settings { tools: Some(text.into()), ..Default::default() };
            let failure = refusal(&settings);
            let fits = failure.message().starts_with("tools: ") && failure.says(ErrorKind::Settings, expected);
            assert!(fits, "{text}: {failure}");
        }
    }

    #[test]
    fn what_no_server_takes_is_found_before_there_is_one() {
        let second = 1_000 * MILLISECOND;
        for (settings, expected) in [
            (Settings { model: String::new(), ..Default::default() }, "model"),
            (Settings { voice: " ".into(), ..Default::default() }, "voice"),
            (Settings { vad_idle_timeout: second, ..Default::default() }, "vad-idle-timeout: 1s"),
            (Settings { vad_idle_timeout: 31 * second, ..Default::default() }, "vad-idle-timeout: 31s"),
        ] {
            let failure = refusal(&settings);
            assert!(failure.kind() == ErrorKind::Settings && failure.message().starts_with(expected), "{failure}");
        }
        config(&Settings { vad_idle_timeout: 5 * second, ..Default::default() }, crate::types::Timing::Live);
    }

    #[test]
    fn a_tool_choice_that_no_function_has_is_misspelt() {
        let with = |tool_choice: &str| {
            let tools = r#"[{"type": "function", "name": "look_up"}]"#;
            let settings =
                Settings { tools: Some(tools.into()), tool_choice: tool_choice.into(), ..Default::default() };
            settings.check_tool_choice(&config(&settings, crate::types::Timing::Live).session)
        };
        for right in ["auto", "required", "look_up", r#"{"type": "mcp", "server_label": "s"}"#] {
            with(right).expect(right);
        }
        assert!(with("requierd").is_err_and(|error| error.says(ErrorKind::Settings, "requierd")));
    }

    #[test]
    fn a_session_that_only_writes_down_has_no_voice() {
        let settings = Settings { session_type: SessionType::Transcription, ..Default::default() };
        let json = sent(&settings);
        assert_eq!((json["type"].as_str(), json.get("instructions")), (Some("transcription"), None));
        assert_eq!(json["audio"].get("output"), None);
        assert!(!config(&settings, crate::types::Timing::Live).create_response);
    }
}
