// SPDX-License-Identifier: MPL-2.0

//! GAP events on the text pads: up to where no text of a speaker begins any more.

use crate::realtime::conversation::io::Output;
use crate::realtime::conversation::outbox::Outbox;
use crate::types::Speaker;
use std::time::Duration;

/// Least distance of two GAPs.
const TEXT_GAP_STEP: Duration = Duration::from_secs(1);

/// Ends of the newest GAPs of user and model.
#[derive(Debug, Default)]
pub(crate) struct TextGap([Duration; 2]);

impl TextGap {
    /// The time line begins at 0 again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// No text of this speaker begins before this running time any more.
    pub fn advance(&mut self, speaker: Speaker, until: Duration, outbox: &mut Outbox) {
        let so_far = &mut self.0[usize::from(speaker == Speaker::Assistant)];
        if until >= *so_far + TEXT_GAP_STEP {
            *so_far = until;
            outbox.push(Output::TextGapUntil(speaker, until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_speaker_has_gaps_in_steps_of_a_second() {
        let (mut gap, mut outbox) = (TextGap::default(), Outbox::default());
        for milliseconds in (0..=2_500).step_by(100) {
            gap.advance(Speaker::User, Duration::from_millis(milliseconds), &mut outbox);
        }
        gap.advance(Speaker::Assistant, Duration::from_millis(1_500), &mut outbox);
        let gaps: Vec<_> = std::iter::from_fn(|| outbox.pop()).map(|output| format!("{output:?}")).collect();
        assert_eq!(gaps, ["TextGapUntil(User, 1s)", "TextGapUntil(User, 2s)", "TextGapUntil(Assistant, 1.5s)"]);
    }
}
