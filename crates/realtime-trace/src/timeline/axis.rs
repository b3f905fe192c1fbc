// SPDX-License-Identifier: MPL-2.0

//! From times of the wire to positions on the time line, and the places of the user's sound on it.

/// Seconds of a piece of sound that has one peak.
pub const PIECE: f64 = 0.02;

/// Sound that is sent faster than this many times real time is a recording.
const MAX_LIVE_SPEED: f64 = 1.5;
/// How far sound may be ahead of the clock in a live session: bursts of a device, for example.
const MAX_AHEAD: f64 = 1.0;

/// Positions of a trace, as the user's sound is sent.
#[derive(Debug, Default)]
pub struct Axis {
    is_live: bool,
    /// Seconds of the user's sound that were sent.
    sent: f64,
    /// The same when the session began, from which the server counts.
    session_began: f64,
    /// When the last of it was sent.
    last_append: f64,
    /// Where the last of it ends.
    end: f64,
    /// After each append: seconds of sound so far, and when.
    appends: Vec<(f64, f64)>,
}

impl Axis {
    /// For sound of so many seconds that was sent in so much time.
    pub fn new(seconds: f64, time: f64) -> Self {
        Self { is_live: seconds <= time.max(1.0) * MAX_LIVE_SPEED, ..Self::default() }
    }

    /// Whether time runs as on the wire.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// The server begins to count samples.
    pub fn session_begins(&mut self) {
        self.session_began = self.sent;
    }

    /// Sound of the user was sent. Gives back where it begins.
    pub fn append(&mut self, now: f64, seconds: f64) -> f64 {
        let begin = if !self.is_live || self.end <= now + MAX_AHEAD {
            self.end.max(if self.is_live { now - seconds } else { 0.0 })
        } else {
            now - seconds
        };
        self.sent += seconds;
        self.end = begin + seconds;
        self.last_append = now;
        self.appends.push((self.sent, now));
        begin
    }

    /// The position of now.
    pub fn position(&self, now: f64) -> f64 {
        if self.is_live { now } else { self.end + (now - self.last_append).max(0.0) }
    }

    /// When the server's millisecond of the user's sound was sent; `None` where it was not sent as fast as it plays.
    pub fn sent_at(&self, milliseconds: u64) -> Option<f64> {
        let wanted = self.session_began + milliseconds as f64 / 1000.0;
        let index = self.appends.partition_point(|(sent, _)| *sent < wanted - 1e-6);
        let (sent, when) = self.appends.get(index).or(self.appends.last())?;
        self.is_live.then_some(when - (sent - wanted).max(0.0))
    }

    /// The position of the server's millisecond of the user's sound.
    pub fn position_of(&self, milliseconds: u64) -> f64 {
        self.sent_at(milliseconds).unwrap_or(self.session_began + milliseconds as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_sound_is_where_it_was_sent() {
        let mut axis = Axis::new(1.0, 1.0);
        let begins: Vec<_> = (1..=10).map(|tenth| axis.append(f64::from(tenth) / 10.0 + 2.0, 0.1)).collect();
        assert!((begins[0] - 2.0).abs() < 1e-9 && (begins[9] - 2.9).abs() < 1e-9, "{begins:?}");
        assert!((axis.sent_at(450).unwrap_or_default() - 2.45).abs() < 1e-9);
        assert_eq!(axis.position(7.0), 7.0);
    }

    #[test]
    fn a_burst_is_laid_out_one_after_the_other() {
        let mut axis = Axis::new(1.0, 1.0);
        let begins: Vec<_> = (0..3).map(|_| axis.append(1.0, 0.1)).collect();
        assert!((begins[2] - 1.1).abs() < 1e-9, "{begins:?}");
    }

    #[test]
    fn the_time_of_a_recording_runs_with_its_samples() {
        let mut axis = Axis::new(60.0, 2.0);
        assert_eq!((axis.append(0.1, 30.0), axis.append(0.2, 30.0)), (0.0, 30.0));
        assert!((axis.position(1.2) - 61.0).abs() < 1e-9);
        assert_eq!((axis.sent_at(1000), axis.position_of(1000)), (None, 1.0));
        axis.session_begins();
        assert_eq!(axis.position_of(1000), 61.0);
    }
}
