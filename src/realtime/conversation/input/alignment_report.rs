// SPDX-License-Identifier: MPL-2.0

//! Reports what alignment did to the input: silence inserted, timestamps that went back, input that stalled. One
//! warning of a kind in ten seconds, the next one with the sum; all of it counts in `stats`.

use crate::realtime::conversation::input::audio_align::Placed;
use crate::realtime::conversation::{Conversation, Event};
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

/// Totals not reported yet, by kind.
#[derive(Debug, Default)]
pub(crate) struct Alignment([Account; 3]);

impl Conversation {
    fn account(&mut self, kind: Kind, missing: Duration, inserted: Duration) {
        let account = &mut self.alignment.0[kind as usize];
        account.count = account.count.saturating_add(1);
        account.missing = account.missing.saturating_add(missing);
        account.inserted = account.inserted.saturating_add(inserted);
        if !inserted.is_zero() {
            self.notify(Event::Aligned { dropped: Duration::ZERO, inserted });
        }
    }

    /// Audio was aligned. `expected`: a gap is normal here and is not reported.
    pub(crate) fn report_aligned(&mut self, placed: &Placed, inserted: Duration, expected: bool) {
        if !placed.hole.is_zero() && (!expected || placed.hole > FAR) {
            self.account(Kind::Hole, placed.hole, inserted);
        }
        if !placed.back.is_zero() {
            self.account(Kind::Back, placed.back, Duration::ZERO);
        }
    }

    /// Input stalled in the middle of a turn, and silence was sent instead.
    pub(crate) fn report_stall(&mut self, inserted: Duration) {
        self.account(Kind::Stall, Duration::ZERO, inserted);
    }

    /// When the next of these warnings is due.
    pub(crate) fn alignment_deadline(&self) -> Option<Instant> {
        self.alignment.0.iter().filter_map(Account::due).flatten().min()
    }

    pub(crate) fn post_alignment(&mut self) {
        for kind in KINDS {
            let now = self.now;
            let account = &mut self.alignment.0[kind as usize];
            if account.due().is_none_or(|due| due.is_some_and(|due| now < due)) {
                continue;
            }
            let Account { count, missing, inserted, .. } = *account;
            *account = Account { told: Some(now), ..Account::default() };
            let (code, message) = match kind {
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
            };
            self.warn(code, message);
        }
    }
}
