// SPDX-License-Identifier: MPL-2.0

//! How the properties become a conversation's configuration: who finds the turns, who answers them, and what is waited
//! for how long. What the session's JSON says counts here as well.

use crate::audio::vad::VadConfig;
use crate::error::Error;
use crate::media::property_values::time;
use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::config::{Dedupe, FrameConfig};
use crate::realtime::element::settings::Settings;
use crate::realtime::element::{FrameDedupe, TurnDetection};
use crate::types::Timing;
use openai_protocol::dialect::Dialect;
use openai_protocol::session::{self, AudioFormat};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The silence that ends a turn, for a server's detection.
pub const SERVER_SILENCE: Duration = Duration::from_millis(200);
/// The same for the element's own. A file does not wait for its answer, so there it can be longer: a sentence with a
/// pause in it stays one turn.
const LOCAL_SILENCE: Duration = Duration::from_millis(500);
const OFFLINE_SILENCE: Duration = Duration::from_secs(1);

/// What the API takes as `idle_timeout_ms`.
const IDLE: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(30);

/// How long semantic detection waits at most.
const SEMANTIC_SILENCE: Duration = Duration::from_secs(8);

/// A configuration, and what was left out of it.
pub type Configured = (Config, Vec<String>);

impl Settings {
    /// Who finds the turns.
    fn detection(&self, timing: Timing) -> TurnDetection {
        match (self.turn_detection, timing) {
            (TurnDetection::Auto, Timing::Live) => TurnDetection::ServerVad,
            (TurnDetection::Auto, Timing::Offline) => TurnDetection::Local,
            (chosen, _) => chosen,
        }
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

    /// Finds what no server takes, before there is one.
    fn check(&self) -> Result<(), Error> {
        self.program()?;
        for (name, text) in [("model", &self.model), ("voice", &self.voice)] {
            if text.trim().is_empty() {
                return Err(Error::settings(format!("{name}: it is empty")));
            }
        }
        let idle = Duration::from_nanos(self.vad_idle_timeout);
        if !idle.is_zero() && !IDLE.contains(&idle) {
            let message = format!("vad-idle-timeout: {idle:?} is not from 5 to 30 seconds (in nanoseconds), or 0");
            return Err(Error::settings(message));
        }
        Ok(())
    }

    /// What the conversation is.
    pub fn config(
        &self,
        timing: Timing,
        input: AudioFormat,
        output: AudioFormat,
        dialect: Dialect,
    ) -> Result<Configured, Error> {
        self.check()?;
        let wished = self.detection(timing);
        let merged = self.merged_session(timing, wished, &input, &output, dialect)?;
        let session = merged.session;
        let audio_input = session.audio.as_ref().and_then(|audio| audio.input.as_ref());
        let transcribes = audio_input.is_some_and(|input| input.transcription.value().is_some());
        let by_server = audio_input.and_then(|input| input.turn_detection.value());
        let detection = match (by_server, wished) {
            (Some(server), _) => Detection::Server { silence: self.silence_of(server) },
            (None, TurnDetection::Local) => Detection::Local(VadConfig {
                threshold: self.vad_threshold as f32,
                prefix: Duration::from_nanos(self.vad_prefix_padding),
                silence: self.silence_duration(match timing {
                    Timing::Live => LOCAL_SILENCE,
                    Timing::Offline => OFFLINE_SILENCE,
                }),
            }),
            (None, _) => Detection::Manual,
        };
        let only_writes = session.kind == Some(session::SessionKind::Transcription);
        let server_paces = timing == Timing::Offline && matches!(detection, Detection::Server { .. });
        let config = Config {
            model: session.model.clone().unwrap_or_else(|| self.model.clone()),
            create_response: by_server.and(merged.answers).unwrap_or(self.create_response) && !only_writes,
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
                // A server that finds the turns must be able to say so before more of the file is there.
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
            session,
        };
        Ok((config, merged.left_out))
    }

    /// How much silence a server's detection needs at most.
    fn silence_of(&self, server: &session::TurnDetection) -> Duration {
        match server.kind.as_deref() {
            Some("semantic_vad") => SEMANTIC_SILENCE,
            _ => server.silence_duration_ms.map_or(SERVER_SILENCE, Duration::from_millis),
        }
    }
}
