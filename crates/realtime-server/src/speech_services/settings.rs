// SPDX-License-Identifier: MPL-2.0

//! The options of the command line that name other ears and another voice.

use crate::endpoint::{Service, settings};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// What the endpoint of the ears is for.
pub const SPEECH_TO_TEXT: Service = Service { name: "the speech recognition", option: "--stt" };
/// What the endpoint of the voice is for.
pub const TEXT_TO_SPEECH: Service = Service { name: "the voice", option: "--tts" };

/// Who recognises speech.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Speech recognition")]
pub struct SttArgs {
    /// Engine local: words are found by the endpoint /audio/transcriptions at this base URL, e.g.
    /// http://127.0.0.1:8000/v1, in the languages that it knows; without it, by the bundled model, which knows English.
    #[arg(long, value_name = "URL", env = "REALTIME_SERVER_STT_URL", value_parser = transcriptions)]
    pub stt_url: Option<Url>,

    /// The model to ask for; whisper-1 by default.
    #[arg(long, value_name = "NAME", env = "REALTIME_SERVER_STT_MODEL", requires = "stt_url")]
    pub stt_model: Option<String>,

    /// A file with the endpoint's key.
    #[arg(long, value_name = "FILE", env = "REALTIME_SERVER_STT_API_KEY_FILE", requires = "stt_url")]
    pub stt_api_key_file: Option<PathBuf>,

    /// How long the endpoint may take to begin its answer, and between two pieces of it.
    #[arg(long, value_name = "DURATION", env = "REALTIME_SERVER_STT_TIMEOUT", default_value = "60s",
        value_parser = crate::duration::duration)]
    pub stt_timeout: Duration,
}

/// Who speaks.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Voice")]
pub struct TtsArgs {
    /// Engine local: sentences are spoken by the endpoint /audio/speech at this base URL, e.g. http://127.0.0.1:8880/v1;
    /// without it, by the bundled model, which has one voice and speaks English.
    #[arg(long, value_name = "URL", env = "REALTIME_SERVER_TTS_URL", value_parser = speech)]
    pub tts_url: Option<Url>,

    /// The model to ask for; tts-1 by default.
    #[arg(long, value_name = "NAME", env = "REALTIME_SERVER_TTS_MODEL", requires = "tts_url")]
    pub tts_model: Option<String>,

    /// The voice to ask for; without it the one that the session asks for.
    #[arg(long, value_name = "NAME", env = "REALTIME_SERVER_TTS_VOICE", requires = "tts_url")]
    pub tts_voice: Option<String>,

    /// A file with the endpoint's key.
    #[arg(long, value_name = "FILE", env = "REALTIME_SERVER_TTS_API_KEY_FILE", requires = "tts_url")]
    pub tts_api_key_file: Option<PathBuf>,

    /// How long the endpoint may take to begin a sentence, and between two pieces of it.
    #[arg(long, value_name = "DURATION", env = "REALTIME_SERVER_TTS_TIMEOUT", default_value = "60s",
        value_parser = crate::duration::duration)]
    pub tts_timeout: Duration,
}

fn transcriptions(text: &str) -> Result<Url, String> {
    settings::url(text, "/audio/transcriptions", SPEECH_TO_TEXT)
}

fn speech(text: &str) -> Result<Url, String> {
    settings::url(text, "/audio/speech", TEXT_TO_SPEECH)
}
