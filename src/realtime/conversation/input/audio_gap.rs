// SPDX-License-Identifier: MPL-2.0

//! Offline: up to where no response begins on the output any more, which becomes GAP events.

use crate::realtime::conversation::config::{Detection, MAX_DETECTION_DELAY};
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::io::Output;
use crate::realtime::conversation::outbox::Outbox;
use std::time::Duration;

/// End of the newest GAP.
#[derive(Debug, Default)]
pub(crate) struct AudioGap {
    until: Duration,
    /// A warning about a standstill of the input was posted.
    standstill_reported: bool,
}

impl AudioGap {
    pub fn until(&self) -> Duration {
        self.until
    }

    /// The time line begins at 0 again.
    pub fn reset(&mut self) {
        self.until = Duration::ZERO;
    }

    /// No response begins before this running time any more.
    pub fn advance(&mut self, until: Duration, outbox: &mut Outbox) {
        if until > self.until {
            self.until = until;
            outbox.push(Output::GapUntil(until));
        }
    }

    /// The input stands still, and the output goes on: posts a warning, once.
    pub fn report_standstill(&mut self, ctx: &mut Ctx) {
        let Detection::Server { silence } = ctx.config.detection else { return };
        if !std::mem::replace(&mut self.standstill_reported, true) {
            let message = format!(
                "the input has stopped, so the output goes on before the server has told of all turns, and answers may \
                 begin later than they could: where both go to one muxer, queues of {} s beside this element prevent that",
                (silence + MAX_DETECTION_DELAY).as_secs() + 2
            );
            ctx.warn("standstill", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;

    #[test]
    fn a_gap_never_goes_back_but_after_a_flush() {
        let (mut gap, mut outbox) = (AudioGap::default(), Outbox::default());
        for seconds in [0, 2, 1, 2] {
            gap.advance(Duration::from_secs(seconds), &mut outbox);
        }
        gap.reset();
        gap.advance(Duration::from_secs(1), &mut outbox);
        let gaps: Vec<_> = std::iter::from_fn(|| outbox.pop()).map(|output| format!("{output:?}")).collect();
        assert_eq!(gaps, ["GapUntil(2s)", "GapUntil(1s)"]);
    }

    #[test]
    fn a_standstill_is_reported_once() {
        let (mut gap, mut fixture) = (AudioGap::default(), Fixture::new(Timing::Offline));
        gap.report_standstill(&mut fixture.ctx());
        gap.report_standstill(&mut fixture.ctx());
        assert_eq!(fixture.warnings(), ["standstill"]);
    }
}
