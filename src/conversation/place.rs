//! Where the input's sound belongs on the timeline, and how far the conversation has come in it.
//!
//! Each piece is measured against the end of the one before it. Up to 40 ms, the alignment threshold of GStreamer's
//! sinks, is jitter. A larger hole is filled with silence, and of what overlaps the part is left out that was heard.
//! `GstAudioStreamAlign` adds small differences up and sets the stream right in a jump, as a sound card needs it. That
//! would cut words where a device's clock drifts; here the clock of samples remembers every difference instead.

use super::events::Detection;
use super::listen::DETECTION;
use super::uplink::{samples_to_time, time_to_samples};
use super::{Conversation, Sound};
use crate::protocol::session::AudioFormat;
use std::time::Duration;

/// Timestamps that are further off than this are a hole or an overlap; less is jitter and drift.
const HOLE: Duration = Duration::from_millis(40);
/// A hole is filled so far at most: behind that nobody is in the middle of a sentence.
const FILL: Duration = Duration::from_secs(60);
/// When so much in a row would be left out, it is not the sound that comes twice but time that was set back.
const SET_BACK: Duration = Duration::from_secs(1);

/// The end of what was handed in.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// In running time.
    pub end: Option<Duration>,
    /// Left out in a row.
    late: Duration,
}

impl Place {
    /// Sound comes behind what was there. Gives what is new in it, and how much silence belongs before that, unless
    /// holes are of no matter.
    pub fn put(&mut self, mut sound: Sound, fills: bool, format: &AudioFormat) -> Option<(Duration, Sound)> {
        let length = |bytes: usize| samples_to_time((bytes / format.sample_size()) as u64, format.rate());
        let mut hole = Duration::ZERO;
        if let (Some(at), Some(end)) = (sound.at, self.end) {
            let overlap = end.saturating_sub(at);
            if overlap <= HOLE {
                hole = Some(at.saturating_sub(end)).filter(|hole| fills && *hole > HOLE).unwrap_or_default().min(FILL);
                self.late = Duration::ZERO;
            } else if self.late >= SET_BACK {
                // The sound follows what is there.
                sound.at = None;
            } else {
                let samples = usize::try_from(time_to_samples(overlap, format.rate())).unwrap_or(usize::MAX);
                let twice = samples.saturating_mul(format.sample_size()).min(sound.data.len());
                drop(sound.data.split_to(twice));
                if sound.data.is_empty() {
                    self.late += length(twice);
                    return None;
                }
                (sound.at, self.late) = (Some(end), Duration::ZERO);
            }
        }
        self.end = sound.at.or(self.end).map(|at| at + length(sound.data.len()));
        Some((hole, sound))
    }
}

impl Conversation {
    /// Up to where on the input all is known that was said in it: no turn can begin before.
    pub(super) fn settled(&self) -> Duration {
        let heard = self.listening.heard.end().unwrap_or_default();
        match self.config.detection {
            // What the server will say of the last moments is not known yet.
            Detection::Server { silence } => heard.saturating_sub(silence + DETECTION),
            Detection::Local(_) | Detection::Manual => heard,
        }
    }

    /// Up to where on the input all turns are written down and answered: there another run would go on.
    pub fn done_until(&self) -> Option<Duration> {
        self.listening.heard.end()?;
        let unanswered = self.owes_answer().then(|| self.turns.newest_from()).flatten();
        let uncommitted = matches!(self.config.detection, Detection::Manual) && self.listening.uncommitted() > 0;
        let uncommitted = uncommitted.then(|| self.listening.uncommitted_from()).flatten();
        let open = [self.turns.pending_from(), unanswered, uncommitted];
        Some(open.into_iter().flatten().fold(self.settled(), Duration::min))
    }
}
