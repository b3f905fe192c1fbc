//! What the user set, and what follows from it: a connection and a conversation's configuration.
//!
//! Everything that can be known to be wrong is found here, before anything is started, with the name of the property.

use super::{Modality, NoiseReduction, Provider, Silence, Timing, TurnDetection, VadEagerness};
use crate::conversation::vad::EarSettings;
use crate::conversation::{self, Config, Detection, Failure};
use crate::link::{self, Connection, Patience, Secret};
use crate::protocol::session::{
    AudioConfig, AudioFormat, AudioInput, AudioOutput, MaxTokens, SessionKind, Transcription,
};
use crate::protocol::{Session, Setting, session};
use std::time::Duration;

/// The silence that ends a turn, for a server's detection.
pub const SERVER_SILENCE: Duration = Duration::from_millis(200);
/// The same for the element's own. A file does not wait for its answer, so there it can be longer: a sentence with a
/// pause in it stays one turn.
const LOCAL_SILENCE: Duration = Duration::from_millis(500);
const OFFLINE_SILENCE: Duration = Duration::from_secs(1);

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

/// For ever, as far as a property is concerned: not every system's clock can be asked for times further away.
const EVER: Duration = Duration::from_secs(365 * 86_400);

/// A property's nanoseconds as a time that can be waited for.
fn time(nanoseconds: u64) -> Duration {
    Duration::from_nanos(nanoseconds).min(EVER)
}

/// The properties' values.
#[derive(Clone, Debug)]
pub struct Settings {
    pub uri: Option<String>,
    pub provider: Provider,
    pub model: String,
    pub api_version: Option<String>,
    pub api_key: Option<Secret>,
    pub api_key_file: Option<String>,
    pub organization: Option<String>,
    pub project: Option<String>,
    pub headers: Option<gst::Structure>,
    pub ca_file: Option<String>,
    pub allow_insecure: bool,
    pub connect_timeout: u64,
    pub max_reconnects: u32,
    pub reconnect_delay: u64,
    pub instructions: Option<String>,
    pub voice: String,
    pub speed: f64,
    pub output_modalities: Modality,
    pub turn_detection: TurnDetection,
    pub vad_threshold: f64,
    pub vad_prefix_padding: u64,
    pub vad_silence_duration: Option<u64>,
    pub vad_idle_timeout: u64,
    pub vad_eagerness: VadEagerness,
    pub create_response: bool,
    pub interrupt_response: bool,
    pub noise_reduction: NoiseReduction,
    pub transcription_model: String,
    pub transcription_language: Option<String>,
    pub transcription_prompt: Option<String>,
    pub max_output_tokens: u32,
    pub session: Option<String>,
    pub timing: Timing,
    pub buffer_time: u64,
    pub silence: Silence,
    pub flush_on_interrupt: bool,
    pub max_speed: f64,
    pub respond_on_eos: bool,
    pub drain_timeout: u64,
    pub raw_events: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            uri: None,
            provider: Provider::Auto,
            model: link::connect::DEFAULT_MODEL.into(),
            api_version: None,
            api_key: None,
            api_key_file: None,
            organization: None,
            project: None,
            headers: None,
            ca_file: None,
            allow_insecure: false,
            connect_timeout: 10 * SECOND,
            max_reconnects: 5,
            reconnect_delay: SECOND,
            instructions: None,
            voice: "alloy".into(),
            speed: 1.0,
            output_modalities: Modality::Audio,
            turn_detection: TurnDetection::Auto,
            vad_threshold: 0.5,
            vad_prefix_padding: 300 * MILLISECOND,
            vad_silence_duration: None,
            vad_idle_timeout: 0,
            vad_eagerness: VadEagerness::Auto,
            create_response: true,
            interrupt_response: true,
            noise_reduction: NoiseReduction::None,
            transcription_model: "gpt-transcribe".into(),
            transcription_language: None,
            transcription_prompt: None,
            max_output_tokens: 0,
            session: None,
            timing: Timing::Auto,
            buffer_time: 40 * MILLISECOND,
            silence: Silence::Buffers,
            flush_on_interrupt: true,
            max_speed: 0.0,
            respond_on_eos: true,
            drain_timeout: 30 * SECOND,
            raw_events: false,
        }
    }
}

impl Settings {
    /// Where to connect and how.
    pub fn connection(&self) -> Connection {
        let headers = self.headers.iter().flat_map(|headers| headers.iter()).map(|(name, value)| {
            let text = value
                .get::<String>()
                .or_else(|_| value.transform::<String>().map(|text| text.get::<String>().unwrap_or_default()));
            (name.to_string(), text.unwrap_or_default())
        });
        Connection {
            uri: self.uri.clone(),
            provider: match self.provider {
                Provider::Auto => link::Provider::Auto,
                Provider::OpenAi => link::Provider::OpenAi,
                Provider::Azure => link::Provider::Azure,
            },
            model: self.model.clone(),
            api_version: self.api_version.clone(),
            api_key: self.api_key.clone(),
            api_key_file: self.api_key_file.clone().map(Into::into),
            organization: self.organization.clone(),
            project: self.project.clone(),
            headers: headers.collect(),
            ca_file: self.ca_file.clone().map(Into::into),
            allow_insecure: self.allow_insecure,
            transcription: false,
        }
    }

    /// How patiently a connection is tried.
    pub fn patience(&self) -> Patience {
        Patience { timeout: time(self.connect_timeout), tries: self.max_reconnects, delay: time(self.reconnect_delay) }
    }

    /// Who finds the turns.
    fn detection(&self, timing: conversation::Timing) -> TurnDetection {
        match (self.turn_detection, timing) {
            (TurnDetection::Auto, conversation::Timing::Live) => TurnDetection::ServerVad,
            (TurnDetection::Auto, conversation::Timing::Offline) => TurnDetection::Local,
            (chosen, _) => chosen,
        }
    }

    fn silence_duration(&self, otherwise: Duration) -> Duration {
        self.vad_silence_duration.map_or(otherwise, Duration::from_nanos)
    }

    /// What the conversation is.
    pub fn config(
        &self,
        timing: conversation::Timing,
        input: AudioFormat,
        output: AudioFormat,
    ) -> Result<Config, Failure> {
        let detection = self.detection(timing);
        let silence = match detection {
            TurnDetection::SemanticVad => Duration::from_secs(8),
            _ => self.silence_duration(SERVER_SILENCE),
        };
        let session = self.merged_session(timing, detection, &input, &output)?;
        let audio_input = session.audio.as_ref().and_then(|audio| audio.input.as_ref());
        let transcribes = audio_input.is_some_and(|input| input.transcription.value().is_some());
        let server_paces = timing == conversation::Timing::Offline && detection != TurnDetection::Local;
        Ok(Config {
            model: self.model.clone(),
            detection: match detection {
                TurnDetection::Local => Detection::Local(EarSettings {
                    threshold: self.vad_threshold as f32,
                    prefix: Duration::from_nanos(self.vad_prefix_padding),
                    silence: self.silence_duration(match timing {
                        conversation::Timing::Live => LOCAL_SILENCE,
                        conversation::Timing::Offline => OFFLINE_SILENCE,
                    }),
                }),
                TurnDetection::None => Detection::Manual,
                _ => Detection::Server { silence },
            },
            timing,
            input,
            output,
            create_response: self.create_response,
            interrupt_response: self.interrupt_response,
            respond_on_eos: self.respond_on_eos,
            drain_timeout: time(self.drain_timeout),
            ready_timeout: time(self.connect_timeout),
            max_speed: match self.max_speed {
                // A server that finds the turns must be able to say so before more of the file is there.
                0.0 if server_paces && detection != TurnDetection::None => 1.0,
                speed => speed,
            },
            transcribes,
            raw_events: self.raw_events,
            session,
        })
    }

    fn merged_session(
        &self,
        timing: conversation::Timing,
        detection: TurnDetection,
        input: &AudioFormat,
        output: &AudioFormat,
    ) -> Result<Session, Failure> {
        let session = self.plain_session(timing, detection, input, output);
        let Some(text) = self.session.as_deref().filter(|text| !text.trim().is_empty()) else { return Ok(session) };
        let wrong = |why: String| Failure::Settings(format!("session: {why}"));
        let over: serde_json::Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if !over.is_object() {
            return Err(wrong("it must be a JSON object, such as {\"max_output_tokens\": 500}".into()));
        }
        let mut merged = serde_json::to_value(session).map_err(|error| wrong(error.to_string()))?;
        merge(&mut merged, over);
        serde_json::from_value(merged).map_err(|error| wrong(error.to_string()))
    }

    fn plain_session(
        &self,
        timing: conversation::Timing,
        detection: TurnDetection,
        input: &AudioFormat,
        output: &AudioFormat,
    ) -> Session {
        let modality = match self.output_modalities {
            Modality::Audio => session::Modality::Audio,
            Modality::Text => session::Modality::Text,
        };
        let noise = match self.noise_reduction {
            NoiseReduction::None => None,
            NoiseReduction::NearField => Some("near_field"),
            NoiseReduction::FarField => Some("far_field"),
        };
        Session {
            kind: Some(SessionKind::Realtime),
            instructions: self.instructions.clone(),
            output_modalities: Some(vec![modality]),
            max_output_tokens: Some(match self.max_output_tokens {
                0 => MaxTokens::Word("inf".into()),
                count => MaxTokens::Count(count.into()),
            }),
            audio: Some(AudioConfig {
                input: Some(AudioInput {
                    format: Some(input.clone()),
                    transcription: self.transcription().map_or(Setting::Keep, Setting::Set),
                    // Off is the server's default, and the published type of a request has no other word for it.
                    noise_reduction: noise.map_or(Setting::Keep, |kind| {
                        Setting::Set(session::NoiseReduction { kind: Some(kind.into()), ..Default::default() })
                    }),
                    turn_detection: self.server_detection(timing, detection).into(),
                    ..Default::default()
                }),
                output: Some(AudioOutput {
                    format: Some(output.clone()),
                    voice: Some(self.voice.clone().into()),
                    speed: Some(self.speed).filter(|speed| *speed != 1.0),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
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

    /// What the server is told about turns; nothing where it has no part in them.
    fn server_detection(
        &self,
        timing: conversation::Timing,
        detection: TurnDetection,
    ) -> Option<session::TurnDetection> {
        let milliseconds = |nanoseconds: u64| nanoseconds / MILLISECOND;
        let both = session::TurnDetection {
            create_response: Some(self.create_response),
            // Nobody listens to a file while it is made, so nobody interrupts.
            interrupt_response: Some(self.interrupt_response && timing == conversation::Timing::Live),
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

/// Lays one JSON value over another: objects are merged, everything else is replaced.
fn merge(under: &mut serde_json::Value, over: serde_json::Value) {
    match (under, over) {
        (serde_json::Value::Object(under), serde_json::Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(settings: &Settings, timing: conversation::Timing) -> Config {
        settings.config(timing, AudioFormat::Pcm, AudioFormat::Pcm).expect("a configuration")
    }

    fn sent(settings: &Settings) -> serde_json::Value {
        serde_json::to_value(config(settings, conversation::Timing::Live).session).expect("JSON")
    }

    #[test]
    fn auto_is_server_vad_live_and_local_offline() {
        let settings = Settings::default();
        let live = config(&settings, conversation::Timing::Live);
        assert_eq!(live.detection, Detection::Server { silence: SERVER_SILENCE });
        let offline = config(&settings, conversation::Timing::Offline);
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
            let failure =
                settings.config(conversation::Timing::Live, AudioFormat::Pcm, AudioFormat::Pcm).expect_err("refused");
            assert!(
                matches!(&failure, Failure::Settings(message) if message.starts_with("session: ") && message.contains(expected)),
                "{text}: {failure}"
            );
        }
    }

    #[test]
    fn empty_transcription_model_switches_it_off() {
        let settings = Settings { transcription_model: String::new(), ..Default::default() };
        assert_eq!(sent(&settings)["audio"]["input"].get("transcription"), None);
        assert!(!config(&settings, conversation::Timing::Live).transcribes);
    }
}
