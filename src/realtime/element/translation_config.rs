// SPDX-License-Identifier: MPL-2.0

//! Configuration of a translation session, made from the properties. Those that mean nothing in it are refused by name.

use crate::error::Error;
use crate::media::property_values::{JsonText, time};
use crate::net::endpoint;
use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::element::SessionType;
use crate::realtime::element::settings::{DEFAULTS, Settings};
use crate::realtime::translation::wrong_format;
use crate::types::Timing;
use openai_protocol::overlay::overlay;
use openai_protocol::session::{self, AudioFormat};
use openai_protocol::translation::{Audio, AudioInput, AudioOutput, Session};
use openai_protocol::{Setting, plain};
use serde_json::Value;
use std::time::Duration;

impl Settings {
    /// The model, whose default depends on the kind of session.
    pub(crate) fn session_model(&self) -> &str {
        match self.session_type {
            SessionType::Translation if self.model == endpoint::DEFAULT_MODEL => endpoint::DEFAULT_TRANSLATION_MODEL,
            _ => &self.model,
        }
    }

    /// How far the source pads stay behind the clock when live.
    pub(crate) fn source_delay(&self) -> Duration {
        match self.session_type {
            SessionType::Translation => time(self.translation_delay),
            _ => Duration::ZERO,
        }
    }

    /// Configuration of a translation. An error names the property at fault.
    pub(crate) fn translation_config(
        &self,
        timing: Timing,
        input: AudioFormat,
        output: AudioFormat,
    ) -> Result<Config, Error> {
        if let Some(name) = self.without_meaning_in_translation() {
            return Err(Error::settings(format!(
                "{name}: it means nothing with session-type=translation, which has no turns, messages or responses; leave it out"
            )));
        }
        for (pad, format) in [("audio_sink", &input), ("src", &output)] {
            if *format != AudioFormat::Pcm {
                return Err(wrong_format(pad, format));
            }
        }
        Ok(Config {
            session: openai_protocol::Session::default(),
            translation: Some(self.translation_session()?),
            model: self.session_model().to_owned(),
            detection: Detection::Manual,
            timing,
            input,
            output,
            create_response: false,
            interrupt_response: false,
            respond_on_eos: false,
            drain_timeout: time(self.drain_timeout),
            time_of_day: Duration::ZERO,
            max_speed: self.max_speed,
            transcribes: !self.transcription_model.is_empty(),
            requests_per_minute: 0,
            max_cost: self.max_cost,
            reconnects: self.max_reconnects > 0,
            max_session_duration: time(self.max_session_duration),
            replays_frames: false,
            server_responds: false,
            tool_timeout: None,
            alignment_threshold: time(self.alignment_threshold),
            discont_wait: time(self.discont_wait),
            frames: Default::default(),
        })
    }

    /// The first of the properties that were set, and are for turns, messages or responses.
    fn without_meaning_in_translation(&self) -> Option<&'static str> {
        let set = [
            ("instructions", self.instructions.is_some()),
            ("voice", self.voice != DEFAULTS.voice),
            ("speed", self.speed != DEFAULTS.speed),
            ("output-modalities", self.output_modalities != DEFAULTS.output_modalities),
            ("turn-detection", self.turn_detection != DEFAULTS.turn_detection),
            ("vad-threshold", self.vad_threshold != DEFAULTS.vad_threshold),
            ("vad-prefix-padding", self.vad_prefix_padding != DEFAULTS.vad_prefix_padding),
            ("vad-silence-duration", self.vad_silence_duration.is_some()),
            ("vad-idle-timeout", self.vad_idle_timeout != DEFAULTS.vad_idle_timeout),
            ("vad-eagerness", self.vad_eagerness != DEFAULTS.vad_eagerness),
            ("transcription-language", self.transcription_language.is_some()),
            ("transcription-prompt", self.transcription_prompt.is_some()),
            ("tools", self.tools.is_some()),
            ("tool-command", self.tool_command.is_some()),
            ("tool-choice", self.tool_choice != DEFAULTS.tool_choice),
            ("max-output-tokens", self.max_output_tokens != DEFAULTS.max_output_tokens),
            ("reasoning-effort", self.reasoning_effort != DEFAULTS.reasoning_effort),
            ("requests-per-minute", self.requests_per_minute != DEFAULTS.requests_per_minute),
            ("frame-respond", self.frame_respond != DEFAULTS.frame_respond),
        ];
        set.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
    }

    /// The first `session.update`, with the JSON of `session` merged in.
    fn translation_session(&self) -> Result<Session, Error> {
        let transcription =
            session::Transcription { model: Some(self.transcription_model.clone()), ..Default::default() };
        let input = AudioInput {
            transcription: if self.transcription_model.is_empty() {
                Setting::Keep
            } else {
                Setting::Set(transcription)
            },
            noise_reduction: self.noise().map_or(Setting::Keep, |kind| {
                Setting::Set(session::NoiseReduction { kind: Some(kind.into()), ..Default::default() })
            }),
            ..Default::default()
        };
        let language = self.translation_language.clone().filter(|language| !language.trim().is_empty());
        let output = AudioOutput { language, ..Default::default() };
        let audio = Audio { input: Some(input), output: Some(output), ..Default::default() };
        let session = self.merged_translation(Session { audio: Some(audio), ..Default::default() })?;
        let output = session.audio.as_ref().and_then(|audio| audio.output.as_ref());
        if output.and_then(|output| output.language.as_ref()).is_none() {
            return Err(Error::settings(
                "translation-language: session-type=translation needs the language to translate into, such as 'es'",
            ));
        }
        Ok(session)
    }

    fn merged_translation(&self, session: Session) -> Result<Session, Error> {
        let wrong = |why: String| Error::settings(format!("session: {why}"));
        let Some(text) = self.session.as_ref().map_or(Ok(None), JsonText::text).map_err(wrong)? else {
            return Ok(session);
        };
        let over: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let mut merged = serde_json::to_value(session).map_err(|error| wrong(error.to_string()))?;
        let (Some(session), Value::Object(over)) = (merged.as_object_mut(), over) else {
            return Err(wrong("it must be a JSON object".into()));
        };
        overlay(session, over);
        serde_json::from_value(merged).map_err(|error| wrong(plain(&error)))
    }
}
