// SPDX-License-Identifier: MPL-2.0

//! Reports what alignment did to the input: silence inserted, timestamps that went back, input that stalled. One
//! warning of a kind in ten seconds, the next one with the sum; all of it counts in `stats`.

use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::event::Event;
use crate::realtime::conversation::input::audio_align::Placed;
use std::time::{Duration, Instant};

/// Least time between two warnings of one kind.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);
/// A jump of timestamps that is an error of the source.
const FAR: Duration = Duration::from_secs(60);

/// Kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hole,
    Back,
    Stall,
}

const KINDS: [Kind; 3] = [Kind::Hole, Kind::Back, Kind::Stall];

#[derive(Debug, Default)]
struct Account {
    count: u32,
    missing: Duration,
    inserted: Duration,
    told: Option<Instant>,
}

impl Account {
    fn due(&self) -> Option<Option<Instant>> {
        (self.count > 0).then(|| self.told.map(|told| told + WARNING_INTERVAL))
    }
}

/// What a report says: the code of the warning and its text.
fn describe(kind: Kind, account: &Account) -> (&'static str, String) {
    let Account { count, missing, inserted, .. } = *account;
    match kind {
        Kind::Hole => {
            let silence = match inserted {
                Duration::ZERO => "no silence was".to_owned(),
                inserted => format!("{inserted:.1?} of silence was"),
            };
            let message = format!(
                "the input has no sound for {missing:.1?} of its timestamps ({count} holes): {silence} put in for \
                 that; a jump of the timestamps that is not meant is put right at the source"
            );
            ("audio-inserted", message)
        }
        Kind::Back => (
            "timestamps-back",
            format!(
                "the input's timestamps went back by {missing:.1?} ({count} times): nothing is left out, the \
                 sound follows what was there"
            ),
        ),
        Kind::Stall => (
            "audio-stalled",
            format!(
                "no sound came in the middle of the user's speech ({count} times): {inserted:.1?} of silence \
                 was put in its place, so that the turn ends"
            ),
        ),
    }
}

/// Totals not reported yet, by kind.
#[derive(Debug, Default)]
pub(crate) struct Alignment([Account; 3]);

impl Alignment {
    fn account(&mut self, kind: Kind, missing: Duration, inserted: Duration, ctx: &mut Ctx) {
        let account = &mut self.0[kind as usize];
        account.count = account.count.saturating_add(1);
        account.missing = account.missing.saturating_add(missing);
        account.inserted = account.inserted.saturating_add(inserted);
        if !inserted.is_zero() {
            ctx.notify(Event::Aligned { dropped: Duration::ZERO, inserted });
        }
    }

    /// Audio was aligned. `expected`: a gap is normal here and is not reported.
    pub fn aligned(&mut self, placed: &Placed, inserted: Duration, expected: bool, ctx: &mut Ctx) {
        if !placed.hole.is_zero() && (!expected || placed.hole > FAR) {
            self.account(Kind::Hole, placed.hole, inserted, ctx);
        }
        if !placed.back.is_zero() {
            self.account(Kind::Back, placed.back, Duration::ZERO, ctx);
        }
    }

    /// Input stalled in the middle of a turn, and silence was sent instead.
    pub fn stalled(&mut self, inserted: Duration, ctx: &mut Ctx) {
        self.account(Kind::Stall, Duration::ZERO, inserted, ctx);
    }

    /// When the next of these warnings is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(Account::due).flatten().min()
    }

    /// Posts the warnings that are due.
    pub fn post(&mut self, ctx: &mut Ctx) {
        for kind in KINDS {
            let account = &mut self.0[kind as usize];
            if account.due().is_some_and(|due| due.is_none_or(|due| ctx.now >= due)) {
                let (code, message) = describe(kind, account);
                *account = Account { told: Some(ctx.now), ..Account::default() };
                ctx.warn(code, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;

    #[test]
    fn one_warning_of_a_kind_in_ten_seconds() {
        let (mut alignment, mut fixture) = (Alignment::default(), Fixture::new(Timing::Live));
        let second = Duration::from_secs(1);
        let hole = Placed { hole: second, ..Placed::default() };
        alignment.aligned(&hole, second, false, &mut fixture.ctx());
        alignment.post(&mut fixture.ctx());
        assert_eq!(fixture.warnings(), ["audio-inserted"]);
        alignment.aligned(&hole, second, false, &mut fixture.ctx());
        alignment.stalled(second, &mut fixture.ctx());
        alignment.post(&mut fixture.ctx());
        assert_eq!(fixture.warnings(), ["audio-stalled"], "another kind does not wait");
        assert_eq!(alignment.deadline(), Some(fixture.now + WARNING_INTERVAL));
        alignment.post(&mut fixture.after(WARNING_INTERVAL));
        assert_eq!(fixture.warnings(), ["audio-inserted"]);
        assert_eq!(alignment.deadline(), None);
    }

    #[test]
    fn a_gap_that_is_normal_is_not_reported_unless_it_is_far() {
        let (mut alignment, mut fixture) = (Alignment::default(), Fixture::new(Timing::Live));
        for (hole, warnings) in [(FAR, 0), (FAR + Duration::from_secs(1), 1)] {
            alignment.aligned(&Placed { hole, ..Placed::default() }, Duration::ZERO, true, &mut fixture.ctx());
            alignment.post(&mut fixture.ctx());
            assert_eq!(fixture.warnings().len(), warnings);
        }
    }
}
