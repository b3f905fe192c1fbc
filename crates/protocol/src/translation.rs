// SPDX-License-Identifier: MPL-2.0

//! Translation sessions: `/v1/realtime/translations`. They are continuous: sound goes in, and its translation comes out
//! as sound and text, without turns, items or responses.
//!
//! `elapsed_ms` is a place on the time line of the appended sound. It advances in steps of 200 ms, several pieces may share
//! it, and a server may leave it out.

use super::client::named_append_json;
use super::response::ServerError;
use super::session::{NoiseReduction, SessionKind, Transcription};
use super::{Base64, Extra, Setting, events};
use serde::{Deserialize, Serialize};

events! {
    /// An event from the client to the server.
    pub enum ClientEvent {
        /// Changes the session's configuration; answered by `session.updated`, or by an `error`.
        SessionUpdate("session.update") {
            /// What is to change; without `type` and `model`.
            session: Session,
        }
        /// More of the speaker's sound, best 200 ms at a time. Silence counts: time that is not appended does not pass.
        InputAudioBufferAppend("session.input_audio_buffer.append") {
            /// Signed 16 bit little-endian, mono, 24 kHz.
            audio: Base64,
        }
        /// Ends the input. The rest of the translation follows, then `session.closed`.
        Close("session.close") {}
    }
}

events! {
    /// An event from the server to the client.
    pub enum ServerEvent {
        /// The first event: the session with its defaults.
        SessionCreated("session.created") {
            session: Session,
        }
        /// A `session.update` was applied.
        SessionUpdated("session.updated") {
            session: Session,
        }
        /// The last event.
        SessionClosed("session.closed") {}
        /// A piece of what was said; only with `audio.input.transcription`. Pieces are joined as they are.
        InputTranscriptDelta("session.input_transcript.delta") {
            delta: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            elapsed_ms: Option<u64>,
        }
        /// A piece of the translation. Pieces are joined as they are.
        OutputTranscriptDelta("session.output_transcript.delta") {
            delta: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            elapsed_ms: Option<u64>,
        }
        /// A piece of the translated voice, of any length.
        OutputAudioDelta("session.output_audio.delta") {
            delta: Base64,
            #[serde(skip_serializing_if = "Option::is_none")]
            elapsed_ms: Option<u64>,
            /// Samples in a second; 24,000 where it is absent.
            #[serde(skip_serializing_if = "Option::is_none")]
            sample_rate: Option<u32>,
            /// One where it is absent.
            #[serde(skip_serializing_if = "Option::is_none")]
            channels: Option<u32>,
            /// `pcm16`.
            #[serde(skip_serializing_if = "Option::is_none")]
            format: Option<String>,
        }
        /// Something was refused or failed; the session lives on unless the connection closes as well.
        Error("error") {
            error: ServerError,
        }
    }
}

/// Writes a `session.input_audio_buffer.append` straight from samples: the one event that is sent all the time.
pub fn append_json(event_id: Option<&str>, audio: &[u8]) -> String {
    named_append_json("session.input_audio_buffer.append", event_id, audio)
}

/// A session's configuration. In an update, what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// The session's name; only told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `translation`; only told.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<SessionKind>,
    /// The model; told, and asked for with a client secret. Of a WebSocket it is in the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Both directions' sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio>,
    /// Unix time in seconds at which the session ends; only told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Both directions' sound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Audio {
    /// What is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<AudioInput>,
    /// What is translated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<AudioOutput>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How the speaker's sound is taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudioInput {
    /// Writes down what is said, by a model of its own; off, there is no `session.input_transcript.delta`.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub transcription: Setting<Transcription>,
    /// Acts before everything else.
    #[serde(skip_serializing_if = "Setting::is_keep")]
    pub noise_reduction: Setting<NoiseReduction>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What comes out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudioOutput {
    /// The language of the translation, both as sound and as text: ISO 639-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Body of `POST /v1/realtime/translations/client_secrets`: asks for a key of short life.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientSecretRequest {
    /// The session that the key opens; its `model` is required.
    pub session: Session,
    /// 10 minutes from now where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<ExpiresAfter>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How long a key opens new sessions; those that are open live on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExpiresAfter {
    /// `created_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// 10 to 7,200; 600 where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Answer to a [`ClientSecretRequest`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientSecret {
    /// The key.
    pub value: String,
    /// Unix time in seconds after which the key opens no more sessions.
    pub expires_at: u64,
    /// The session as it will be.
    pub session: Session,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}
