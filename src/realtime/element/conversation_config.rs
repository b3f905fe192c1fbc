// SPDX-License-Identifier: MPL-2.0

//! Configuration of the conversation, made from the properties and from the merged session: turn detection, responses,
//! timeouts, frames, limits.

use crate::audio::vad::VadConfig;
use crate::error::Error;
use crate::media::property_values::time;
use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::config::{Dedupe, FrameConfig};
use crate::realtime::element::settings::Settings;
use crate::realtime::element::{FrameDedupe, SessionType, TurnDetection};
use crate::types::Timing;
use openai_protocol::dialect::Dialect;
use openai_protocol::session::{self, AudioFormat};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Default silence that ends a turn, for server VAD.
pub const SERVER_SILENCE: Duration = Duration::from_millis(200);
/// The same for the element's VAD when live.
const LOCAL_SILENCE: Duration = Duration::from_millis(500);
/// The same offline, where nobody waits for the answer: a sentence with a pause in it stays one turn.
const OFFLINE_SILENCE: Duration = Duration::from_secs(1);

/// Range of `idle_timeout_ms` in the API.
const IDLE_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(30);

/// Transcription models that write while somebody speaks, and refuse a session with turn detection of the server: the client
/// commits what is said. Source: OpenAI's guide to realtime transcription.
const STREAMING_TRANSCRIPTION: [&str; 2] = ["gpt-realtime-whisper", "gpt-live-transcribe"];

/// Longest silence before semantic VAD ends a turn.
const SEMANTIC_SILENCE: Duration = Duration::from_secs(8);

/// A configuration, and descriptions of the settings that were left out of it.
pub type Configured = (Config, Vec<String>);

impl Settings {
    /// Turn detection with `auto` resolved.
    fn detection(&self, timing: Timing) -> TurnDetection {
        match (self.turn_detection, timing) {
            (TurnDetection::Auto, Timing::Live) if !self.streams_transcription() => TurnDetection::ServerVad,
            (TurnDetection::Auto, _) => TurnDetection::Local,
            (chosen, _) => chosen,
        }
    }

    /// Whether the server transcribes with a model that leaves turn detection to the element.
    fn streams_transcription(&self) -> bool {
        let is = |name: &str| self.transcription_model.strip_prefix(name);
        let found = STREAMING_TRANSCRIPTION.into_iter().find_map(is);
        found.is_some_and(|rest| rest.is_empty() || rest.starts_with("-20"))
    }

    fn frames(&self) -> FrameConfig {
        FrameConfig {
            policy: self.frame_policy.into(),
            interval: time(self.frame_interval),
            detail: self.frame_detail.into(),
            prompt: self.frame_prompt.clone(),
            respond: self.frame_respond,
            most: self.max_frames as usize,
            dedupe: match self.frame_dedupe {
                FrameDedupe::None => Dedupe::None,
                FrameDedupe::Exact => Dedupe::Exact,
                FrameDedupe::Similar => Dedupe::Similar(self.frame_dedupe_threshold),
            },
        }
    }

    pub(crate) fn silence_duration(&self, otherwise: Duration) -> Duration {
        self.vad_silence_duration.map_or(otherwise, Duration::from_nanos)
    }

    /// Refuses values that no server accepts.
    fn check(&self) -> Result<(), Error> {
        self.program()?;
        for (name, text) in [("model", &self.model), ("voice", &self.voice)] {
            if text.trim().is_empty() {
                return Err(Error::settings(format!("{name}: it is empty")));
            }
        }
        if self.streams_transcription()
            && matches!(self.turn_detection, TurnDetection::ServerVad | TurnDetection::SemanticVad)
        {
            return Err(Error::settings(format!(
                "turn-detection: the transcription model {} takes no turn detection of the server; auto and local are the \
                 element's own, and none is for commit",
                self.transcription_model
            )));
        }
        let idle = Duration::from_nanos(self.vad_idle_timeout);
        if !idle.is_zero() && !IDLE_TIMEOUT.contains(&idle) {
            let message = format!("vad-idle-timeout: {idle:?} is not from 5 to 30 seconds (in nanoseconds), or 0");
            return Err(Error::settings(message));
        }
        Ok(())
    }

    /// Configuration of the element's own VAD.
    fn vad_config(&self, timing: Timing) -> VadConfig {
        VadConfig {
            threshold: self.vad_threshold as f32,
            prefix: Duration::from_nanos(self.vad_prefix_padding),
            silence: self.silence_duration(match timing {
                Timing::Live => LOCAL_SILENCE,
                Timing::Offline => OFFLINE_SILENCE,
            }),
        }
    }

    /// Configuration of the conversation. An error names the property at fault.
    pub fn config(
        &self,
        timing: Timing,
        input: AudioFormat,
        output: AudioFormat,
        dialect: Dialect,
    ) -> Result<Configured, Error> {
        self.check()?;
        if self.session_type == SessionType::Translation {
            return Ok((self.translation_config(timing, input, output)?, Vec::new()));
        }
        let requested = self.detection(timing);
        let merged = self.merged_session(timing, requested, &input, &output, dialect)?;
        let session = merged.session;
        let audio_input = session.audio.as_ref().and_then(|audio| audio.input.as_ref());
        let transcribes = audio_input.is_some_and(|input| input.transcription.value().is_some());
        let by_server = audio_input.and_then(|input| input.turn_detection.value());
        let detection = match (by_server, requested) {
            (Some(server), _) => Detection::Server { silence: self.silence_of(server) },
            (None, TurnDetection::Local) => Detection::Local(self.vad_config(timing)),
            (None, _) => Detection::Manual,
        };
        let is_transcription = session.kind == Some(session::SessionKind::Transcription);
        let server_paces = timing == Timing::Offline && matches!(detection, Detection::Server { .. });
        let config = Config {
            model: session.model.clone().unwrap_or_else(|| self.model.clone()),
            create_response: by_server.and(merged.answers).unwrap_or(self.create_response) && !is_transcription,
            interrupt_response: by_server
                .filter(|_| timing == Timing::Live)
                .and_then(|server| server.interrupt_response)
                .unwrap_or(self.interrupt_response),
            detection,
            timing,
            input,
            output,
            respond_on_eos: self.respond_on_eos,
            drain_timeout: time(self.drain_timeout),
            time_of_day: Duration::ZERO,
            alignment_threshold: time(self.alignment_threshold),
            discont_wait: time(self.discont_wait),
            max_speed: match self.max_speed {
                // Server VAD needs real time: its turns would end long after the audio behind them was sent.
                0.0 if server_paces => 1.0,
                speed => speed,
            },
            transcribes,
            requests_per_minute: self.requests_per_minute,
            max_cost: self.max_cost,
            reconnects: self.max_reconnects > 0,
            max_session_duration: time(self.max_session_duration),
            replays_frames: self.replay_frames,
            server_responds: by_server.is_some_and(|server| server.create_response.unwrap_or(true)),
            tool_timeout: Some(time(self.tool_timeout)).filter(|time| !time.is_zero()),
            frames: self.frames(),
            translation: None,
            session,
        };
        Ok((config, merged.left_out))
    }

    /// Longest silence that ends a turn of the server's VAD.
    fn silence_of(&self, server: &session::TurnDetection) -> Duration {
        match server.kind.as_deref() {
            Some("semantic_vad") => SEMANTIC_SILENCE,
            _ => server.silence_duration_ms.map_or(SERVER_SILENCE, Duration::from_millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn models_that_write_while_somebody_speaks_leave_the_turns_to_the_element() {
        for (model, is_local) in [
            ("gpt-realtime-whisper", true),
            ("gpt-live-transcribe-2026-10-01", true),
            ("gpt-transcribe", false),
            ("gpt-realtime-whisper-mini", false),
        ] {
            let configured = |turn_detection| {
                let settings = Settings { transcription_model: model.into(), turn_detection, ..Settings::default() };
                settings.config(Timing::Live, AudioFormat::Pcm, AudioFormat::Pcm, Dialect::Ga).map(|(config, _)| config)
            };
            let detection = configured(TurnDetection::Auto).expect("a configuration").detection;
            assert_eq!(matches!(detection, Detection::Local(_)), is_local, "{model}");
            let refused = configured(TurnDetection::SemanticVad);
            assert_eq!(refused.is_err_and(|error| error.says(ErrorKind::Settings, model)), is_local, "{model}");
        }
    }
}
