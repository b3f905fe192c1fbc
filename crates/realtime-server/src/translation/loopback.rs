// SPDX-License-Identifier: MPL-2.0

//! The translation of an engine that says back what it hears, for tests of sound and time: the sound comes back sample for
//! sample at its own place, in pieces of 200 ms, and both texts say how many bytes a piece has.

use crate::translation::{FRAME, RATE, output_audio, output_text, step};
use openai_protocol::translation::{InputTranscriptDelta, ServerEvent};

/// The sound that has not come back.
#[derive(Debug, Default)]
pub struct Loopback {
    pending: Vec<i16>,
    /// Samples that came back.
    returned: usize,
    is_finished: bool,
}

impl Loopback {
    /// Takes more sound.
    pub fn append(&mut self, samples: &[i16]) {
        self.pending.extend_from_slice(samples);
    }

    /// No more sound follows, so the rest is a piece as well.
    pub fn finish(&mut self) {
        self.is_finished = true;
    }

    /// What can come back now.
    pub fn take(&mut self, wants_original: bool) -> Vec<ServerEvent> {
        let ready = if self.is_finished { self.pending.len() } else { self.pending.len() / FRAME * FRAME };
        let samples: Vec<i16> = self.pending.drain(..ready).collect();
        let mut events = Vec::new();
        for frame in samples.chunks(FRAME) {
            let place_ms = self.returned as u64 * 1000 / u64::from(RATE);
            let text = format!("{} bytes. ", frame.len() * 2);
            if wants_original {
                let original =
                    InputTranscriptDelta { delta: text.clone(), elapsed_ms: step(place_ms), ..Default::default() };
                events.push(original.into());
            }
            events.push(output_text(text, place_ms));
            events.push(output_audio(frame, place_ms));
            self.returned += frame.len();
        }
        events
    }
}
