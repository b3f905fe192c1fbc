// SPDX-License-Identifier: MPL-2.0

//! Delay of the interpretation: from the moment at which audio is sent to the one at which its translation comes. It is
//! measured at the begin of each stretch of translated audio, and posted where it has changed.

use std::time::{Duration, Instant};

/// A stretch begins when nothing has come for this long.
const PAUSE: Duration = Duration::from_secs(1);

/// When translated audio came last.
#[derive(Debug, Default)]
pub(crate) struct Delay {
    came: Option<Instant>,
}

impl Delay {
    /// Translated audio has come. Returns its delay if a stretch begins with it.
    pub fn came(&mut self, delay: Option<Duration>, now: Instant) -> Option<Duration> {
        let last = self.came.replace(now);
        let begins = last.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
        delay.filter(|_| begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_for_each_stretch() {
        let (mut delay, now) = (Delay::default(), Instant::now());
        let two = Some(Duration::from_secs(2));
        assert_eq!(delay.came(two, now), two);
        assert_eq!(delay.came(two, now + PAUSE / 2), None);
        assert_eq!(delay.came(two, now + PAUSE * 2), two);
    }
}
