// SPDX-License-Identifier: MPL-2.0

//! The model's sound on the time line. It comes faster than it plays: each piece follows the one before, and begins no
//! earlier than it came. Where the client says how much was heard, the rest is taken away.

use super::Track;
use std::collections::HashMap;

/// How far the sound may be ahead here of what was heard: a listener begins later, by the latency of the sink.
const MAX_LAG: f64 = 5.0;

/// The sound of the model's messages.
#[derive(Debug, Default)]
pub struct Playout {
    /// What was heard.
    pub heard: Track,
    /// What was cut off.
    pub unheard: Track,
    messages: HashMap<String, Message>,
    /// Where the last sound ends.
    end: f64,
}

/// A message that has sound.
#[derive(Clone, Debug)]
pub struct Message {
    /// The response that it belongs to, by its place in the list.
    pub response: usize,
    /// Where its first sample is.
    pub begin: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// Whether the rest was cut off.
    is_cut: bool,
}

impl Playout {
    /// A piece of a message came. Gives back where it ends.
    pub fn add(&mut self, item: &str, response: usize, position: f64, seconds: f64, peaks: &[u8]) -> f64 {
        let begin = self.end.max(position);
        let message =
            self.messages.entry(item.to_owned()).or_insert(Message { response, begin, seconds: 0.0, is_cut: false });
        message.seconds += seconds;
        self.heard.seconds += seconds;
        if message.is_cut {
            self.unheard.add(message.begin + message.seconds - seconds, peaks);
            return self.end;
        }
        self.heard.add(begin, peaks);
        self.end = begin + seconds;
        self.end
    }

    /// A message with sound.
    pub fn message(&self, item: &str) -> Option<&Message> {
        self.messages.get(item)
    }

    /// So much of a message was heard, and nothing that follows it. Gives back where it ends; `None` for a message that ended
    /// long before now.
    pub fn cut(&mut self, item: &str, heard: f64, now: f64) -> Option<f64> {
        let message = self.messages.get_mut(item)?;
        let end = message.begin + heard.min(message.seconds);
        if end + MAX_LAG < now {
            return None;
        }
        message.is_cut = true;
        if end < self.end {
            let rest = self.heard.cut_off(end);
            self.unheard.add(end, &rest);
            self.end = end;
        }
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other_and_what_was_not_heard_is_apart() {
        let mut playout = Playout::default();
        let second = vec![200; 50];
        for _ in 0..3 {
            playout.add("i", 0, 2.0, 1.0, &second);
        }
        assert_eq!(playout.cut("i", 0.5, 2.6), Some(2.5));
        assert_eq!(playout.heard.peaks.len(), 125);
        assert_eq!(
            (playout.unheard.peaks.len(), playout.unheard.peaks[124], playout.unheard.peaks[125]),
            (250, 0, 200)
        );
        // A late piece of it is not heard, and the next message begins where it comes.
        playout.add("i", 0, 2.6, 1.0, &second);
        assert_eq!(playout.unheard.peaks.len(), 300);
        assert_eq!(playout.add("j", 1, 2.7, 1.0, &second), 3.7);
        assert_eq!(playout.cut("i", 0.5, 60.0), None);
        assert_eq!(playout.cut("k", 1.0, 3.0), None);
    }
}
