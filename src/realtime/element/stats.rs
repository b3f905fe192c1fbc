// SPDX-License-Identifier: MPL-2.0

//! Read-only properties: connection state, session id and `stats`.

use crate::error::Warning;
use crate::media::errors;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::io::{FrameState, SessionEvent};
use crate::realtime::element::ConnectionState;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::time::Instant;

/// What the session has told so far.
#[derive(Clone, Debug, Default)]
pub struct ElementStatus {
    pub state: ConnectionState,
    pub session_id: Option<String>,
    pub turns: u64,
    pub responses: u64,
    pub interruptions: u64,
    pub warnings: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub total_cost: f64,
    pub frames_sent: u64,
    pub frames_skipped: u64,
    pub frames_removed: u64,
    pub image_tokens: u64,
    pub first_audio: u64,
    pub reconnects: u64,
    pub silence_latency: u64,
    pub longest_silence_latency: u64,
    pub audio_dropped: u64,
    pub audio_inserted: u64,
}

impl ElementStatus {
    /// There is a session, or one is on its way.
    pub fn is_open(&self) -> bool {
        self.state != ConnectionState::Closed
    }

    /// The property `stats`.
    pub fn stats(&self) -> gst::Structure {
        gst::Structure::builder("application/x-openairealtime-stats")
            .field("turns", self.turns)
            .field("responses", self.responses)
            .field("interruptions", self.interruptions)
            .field("warnings", self.warnings)
            .field("input-tokens", self.input_tokens)
            .field("output-tokens", self.output_tokens)
            .field("total-cost", self.total_cost)
            .field("frames-sent", self.frames_sent)
            .field("frames-skipped", self.frames_skipped)
            .field("frames-removed", self.frames_removed)
            .field("image-tokens", self.image_tokens)
            .field("first-audio", self.first_audio)
            .field("reconnects", self.reconnects)
            .field("silence-latency", self.silence_latency)
            .field("longest-silence-latency", self.longest_silence_latency)
            .field("audio-dropped", self.audio_dropped)
            .field("audio-inserted", self.audio_inserted)
            .build()
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Session(SessionEvent::Connecting { .. }) if self.state == ConnectionState::Reconnecting => {}
            Event::Session(SessionEvent::Connecting { .. }) => self.state = ConnectionState::Connecting,
            Event::Session(SessionEvent::Ready { session_id, .. }) => {
                self.state = ConnectionState::Ready;
                self.session_id = session_id.clone();
            }
            Event::Session(SessionEvent::Reconnecting { .. }) => {
                self.state = ConnectionState::Reconnecting;
                self.reconnects += 1;
            }
            Event::Session(SessionEvent::Closed { .. }) => self.state = ConnectionState::Closed,
            Event::Speech { active: false, .. } => self.turns += 1,
            Event::Response(response) if response.state != "created" => {
                self.responses += 1;
                if let Some(time) = response.first_audio {
                    self.first_audio = time.as_nanos() as u64;
                }
            }
            Event::Interrupted { .. } => self.interruptions += 1,
            Event::Usage { usage, total_cost, .. } => {
                self.input_tokens += usage.input_tokens;
                self.output_tokens += usage.output_tokens;
                self.image_tokens += usage.input_token_details.image_tokens;
                self.total_cost = total_cost.unwrap_or(self.total_cost);
            }
            Event::Frame(frame) => match frame.state {
                FrameState::Sent => self.frames_sent += 1,
                FrameState::Skipped { .. } => self.frames_skipped += 1,
                FrameState::Removed => self.frames_removed += 1,
            },
            Event::Aligned { dropped, inserted } => {
                self.audio_dropped += dropped.as_nanos() as u64;
                self.audio_inserted += inserted.as_nanos() as u64;
            }
            _ => {}
        }
    }
}

impl OpenAIRealtime {
    /// Posts a WARNING of the element's own: one of a kind in ten seconds. What is left out is posted with its number as soon
    /// as something is told after that, and at the latest when the run ends.
    pub(crate) fn warn(&self, warning: Warning) {
        let posted = self.warnings().add(warning, Instant::now());
        posted.iter().for_each(|warning| self.post_warning(warning));
    }

    /// Posts the element's own warnings that were left out: those whose time has come, or all.
    pub(crate) fn post_left_out_warnings(&self, all: bool) {
        let now = Instant::now();
        let due = if all { self.warnings().rest(now) } else { self.warnings().due(now) };
        due.iter().for_each(|warning| self.post_warning(warning));
    }

    /// Posts a WARNING, and counts it. Every warning of the element goes through here.
    pub(crate) fn post_warning(&self, warning: &Warning) {
        gst::warning!(CAT, imp = self, "{}", warning.message);
        self.status().warnings += 1;
        errors::post_warning(self.obj().upcast_ref(), warning);
    }

    /// Keeps what the properties tell that can only be read, and says which of them have changed.
    pub(crate) fn note(&self, event: &Event) {
        let (before, after) = {
            let mut status = self.status();
            let before = (status.state, status.session_id.clone());
            status.note(event);
            (before, (status.state, status.session_id.clone()))
        };
        if before.0 != after.0 {
            self.obj().notify("connection-state");
        }
        if before.1 != after.1 {
            self.obj().notify("session-id");
        }
    }
}
