// SPDX-License-Identifier: MPL-2.0

//! State behind the read-only properties `connection-state`, `session-id` and `stats`.

use crate::media::percentiles::Percentiles;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::io::{FrameState, SessionEvent};
use crate::realtime::element::ConnectionState;
use crate::realtime::element::turn_times::{STAGES, TurnTimes};
use std::time::Duration;

/// State of the session, and counts since the element was started.
#[derive(Clone, Debug, Default)]
pub struct ElementStatus {
    pub state: ConnectionState,
    pub session_id: Option<String>,
    pub turns: u64,
    pub responses: u64,
    pub interruptions: u64,
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
    /// For each stage of a turn, the time from the one before.
    turn_stages: [Percentiles; STAGES.len()],
    turn_latency: Percentiles,
    silence_latencies: Percentiles,
    barge_ins: Percentiles,
    round_trip: u64,
    round_trips: Percentiles,
    translation_delay: u64,
    translation_delays: Percentiles,
    pub audio_dropped: u64,
    pub audio_inserted: u64,
}

impl ElementStatus {
    /// Whether there is a session or an attempt to get one.
    pub fn is_open(&self) -> bool {
        self.state != ConnectionState::Closed
    }

    /// The property `stats`.
    pub fn stats(&self, warnings: u64) -> gst::Structure {
        let mut stats = gst::Structure::builder("application/x-openairealtime-stats")
            .field("turns", self.turns)
            .field("responses", self.responses)
            .field("interruptions", self.interruptions)
            .field("warnings", warnings)
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
            .field("round-trip", self.round_trip)
            .field("translation-delay", self.translation_delay)
            .field("audio-dropped", self.audio_dropped)
            .field("audio-inserted", self.audio_inserted)
            .build();
        let stages = STAGES.iter().copied().zip(&self.turn_stages).skip(1);
        let others = [
            ("turn-latency", &self.turn_latency),
            ("silence-latency", &self.silence_latencies),
            ("barge-in", &self.barge_ins),
            ("round-trip", &self.round_trips),
            ("translation-delay", &self.translation_delays),
        ];
        stages.chain(others).for_each(|(name, times)| times.write(name, &mut stats));
        stats
    }

    /// A turn is over.
    pub fn on_turn(&mut self, times: &TurnTimes) {
        for (stage, duration) in times.durations() {
            self.turn_stages[stage].add(duration);
        }
        self.turn_latency.add(times.total());
        self.barge_ins.add(times.barge_in_to_silence());
    }

    /// The model was silent this long after the reason for it (barge-in) had arrived.
    pub fn on_silenced(&mut self, latency: Duration) {
        self.silence_latency = latency.as_nanos() as u64;
        self.longest_silence_latency = self.longest_silence_latency.max(self.silence_latency);
        self.silence_latencies.add(latency);
    }

    /// Takes what an event says of it.
    pub fn update(&mut self, event: &Event) {
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
            Event::RoundTrip(time) => {
                self.round_trip = time.as_nanos() as u64;
                self.round_trips.add(*time);
            }
            Event::TranslationDelay { delay, .. } => {
                self.translation_delay = delay.as_nanos() as u64;
                self.translation_delays.add(*delay);
            }
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
