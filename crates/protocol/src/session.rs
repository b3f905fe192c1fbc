// SPDX-License-Identifier: MPL-2.0

//! The session: its configuration, as a client asks for it and as a server tells it.

use super::{Extra, Setting};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a session is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum SessionKind {
    Realtime,
    Transcription,
    Translation,
    /// A kind that this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// What the model gives out. GA takes one of them, never both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum Modality {
    Audio,
    Text,
    /// A modality that this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// A session's configuration. In an update, what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// What the session is for; required in a GA update.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<SessionKind>,
    /// `realtime.session`; only told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The session's name; only told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The model; fixed by the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `["audio"]` (default) or `["text"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<Modality>>,
    /// What the model is told to be; an empty string clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Function and MCP tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Value>>,
    /// `auto`, `none`, `required`, or an object that names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    /// Several calls at once; reasoning models only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// Reasoning models only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// The limit of each response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<MaxTokens>,
    /// What happens when the conversation outgrows the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncation: Option<Value>,
    /// Traces on the provider's dashboard.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub tracing: Setting<Value>,
    /// A stored prompt.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub prompt: Setting<Value>,
    /// Unix time in seconds at which the session ends; only told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Both directions' sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioConfig>,
    /// Additional output fields.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub include: Setting<Vec<String>>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Session {
    /// The format of the user's sound, in either spelling.
    pub fn input_format(&self) -> Option<AudioFormat> {
        let format = self.audio.as_ref().and_then(|audio| audio.input.as_ref()?.format.clone());
        format.or_else(|| self.beta_format("input_audio_format"))
    }

    /// The format of the model's sound, in either spelling.
    pub fn output_format(&self) -> Option<AudioFormat> {
        let format = self.audio.as_ref().and_then(|audio| audio.output.as_ref()?.format.clone());
        format.or_else(|| self.beta_format("output_audio_format"))
    }

    fn beta_format(&self, name: &str) -> Option<AudioFormat> {
        let format = self.extra.get(name).filter(|format| !format.is_null())?;
        serde_json::from_value(format.clone()).ok()
    }
}

/// Both directions' sound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudioConfig {
    /// What the user says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<AudioInput>,
    /// What the model says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<AudioOutput>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How the user's sound is taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudioInput {
    /// What is appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<AudioFormat>,
    /// Writes down what the user says, by a model of its own.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub transcription: Setting<Transcription>,
    /// Acts before everything else.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub noise_reduction: Setting<NoiseReduction>,
    /// Who finds the turns; off is push to talk.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub turn_detection: Setting<TurnDetection>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How the model sounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudioOutput {
    /// What the deltas hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<AudioFormat>,
    /// A name, or `{"id": …}`; fixed once sound was produced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<Value>,
    /// 0.25 to 1.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The three formats of sound on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AudioFormat {
    /// Signed 16 bit little-endian, mono, 24 kHz.
    #[default]
    Pcm,
    /// G.711 µ-law, mono, 8 kHz.
    Pcmu,
    /// G.711 A-law, mono, 8 kHz.
    Pcma,
    /// Anything else, as it came.
    Other(Value),
}

impl AudioFormat {
    /// Samples in a second of plain samples at another rate than the protocol's own.
    pub fn pcm_rate(&self) -> Option<u32> {
        let Self::Other(value) = self else { return None };
        let name = value.as_str().or_else(|| value["type"].as_str()).unwrap_or_default();
        let rate = value["rate"].as_u64().and_then(|rate| u32::try_from(rate).ok());
        rate.filter(|rate| super::dialect::ga_format_name(name) == "audio/pcm" && (4_000..=192_000).contains(rate))
    }

    /// For people.
    pub fn describe(&self) -> String {
        match self {
            Self::Pcm => "audio/pcm at 24000 Hz".into(),
            Self::Pcmu => "audio/pcmu at 8000 Hz".into(),
            Self::Pcma => "audio/pcma at 8000 Hz".into(),
            Self::Other(value) => match (value["type"].as_str(), value["rate"].as_u64()) {
                (Some(name), Some(rate)) => format!("{name} at {rate} Hz"),
                (Some(name), None) => name.into(),
                _ => value.to_string(),
            },
        }
    }

    /// Samples in a second.
    pub const fn rate(&self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Pcm | Self::Other(_) => 24_000,
        }
    }

    /// Bytes in a sample.
    pub const fn sample_size(&self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => 1,
            Self::Pcm | Self::Other(_) => 2,
        }
    }

    /// A sample's worth of silence.
    pub const fn silence(&self) -> &'static [u8] {
        match self {
            Self::Pcmu => &[0xff],
            Self::Pcma => &[0xd5],
            Self::Pcm | Self::Other(_) => &[0, 0],
        }
    }
}

impl Serialize for AudioFormat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pcm => serde_json::json!({"type": "audio/pcm", "rate": 24000}).serialize(serializer),
            Self::Pcmu => serde_json::json!({"type": "audio/pcmu"}).serialize(serializer),
            Self::Pcma => serde_json::json!({"type": "audio/pcma"}).serialize(serializer),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AudioFormat {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let name = value.as_str().or_else(|| value["type"].as_str()).unwrap_or_default();
        let rate = value["rate"].as_u64();
        Ok(match (super::dialect::ga_format_name(name), rate) {
            ("audio/pcm", None | Some(24_000)) => Self::Pcm,
            ("audio/pcmu", None | Some(8_000)) => Self::Pcmu,
            ("audio/pcma", None | Some(8_000)) => Self::Pcma,
            _ => Self::Other(value),
        })
    }
}

/// A model that writes down what the user says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transcription {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// ISO 639-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Words to expect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What is done against noise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoiseReduction {
    /// `near_field` or `far_field`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How the server finds the turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnDetection {
    /// `server_vad` or `semantic_vad`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// 0 to 1; higher needs louder speech.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// How much sound before the speech belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_padding_ms: Option<u64>,
    /// How much silence ends a turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_duration_ms: Option<u64>,
    /// After how much silence of both sides the model speaks up: 5,000 to 30,000.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub idle_timeout_ms: Setting<u64>,
    /// Semantic detection: `low`, `medium`, `high` or `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eagerness: Option<String>,
    /// Whether the end of a turn asks for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_response: Option<bool>,
    /// Whether the begin of a turn cancels the answer that is being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupt_response: Option<bool>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How long a reasoning model thinks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reasoning {
    /// `minimal`, `low`, `medium`, `high`, `xhigh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A limit of output tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MaxTokens {
    /// So many.
    Count(u64),
    /// `"inf"`: no limit.
    Word(String),
}
