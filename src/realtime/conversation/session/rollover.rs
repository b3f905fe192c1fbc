// SPDX-License-Identifier: MPL-2.0

//! Rollover to a new session before the server ends the current one.
//!
//! A server ends each session after a time, and says when. Before that, a standby connection is opened, and the
//! conversation moves over to it while nobody speaks and nothing is owed; at the latest shortly before the end. Input
//! waits only until the history is sent.

use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::io::Output;
use std::time::{Duration, Instant};

/// How long before the end the standby connection is opened: early, so that a quiet moment comes in time.
const MAX_LEAD: Duration = Duration::from_secs(120);
/// For a short session: this part of it.
const PART: u32 = 4;
/// How long before the end nothing is waited for any more, except a response that is coming in.
const LATEST_SWITCH: Duration = Duration::from_secs(5);
/// How long before the end that is not waited for either.
const LAST: Duration = Duration::from_secs(1);
/// Delay before a standby connection that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// Longest session. Where the server tells of a later end, its clock is wrong.
const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// The standby connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standby {
    #[default]
    None,
    Requested,
    Open,
}

/// Times before a session's end.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// The standby connection is opened.
    dial: Instant,
    /// The conversation moves over at the latest, unless a response is coming in.
    latest: Instant,
    /// It moves over in any case.
    last: Instant,
}

/// What the rest of the conversation is doing, as far as the rollover depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RolloverSituation {
    /// The stream is ending anyway.
    pub is_draining: bool,
    /// A response is requested or coming in: most are complete in a moment.
    pub is_responding: bool,
    /// When it will have been quiet for a while, if nothing more happens; `None` while somebody speaks or something is
    /// owed.
    pub quiet_from: Option<Instant>,
}

/// When the session has to be replaced, and how far that is.
#[derive(Debug)]
pub(crate) struct SessionRollover {
    /// An instant and its Unix time.
    time_of_day: (Instant, Duration),
    due: Option<Due>,
    standby: Standby,
}

impl SessionRollover {
    pub fn new(now: Instant, time_of_day: Duration) -> Self {
        Self { time_of_day: (now, time_of_day), due: None, standby: Standby::None }
    }

    /// A session is ready; the server tells its end in seconds since 1970.
    pub fn session_ready(&mut self, ends: Option<u64>, ctx: &Ctx) {
        let (then, time_of_day) = self.time_of_day;
        let time_of_day = time_of_day + ctx.now.saturating_duration_since(then);
        let left = ends.and_then(|ends| Duration::from_secs(ends).checked_sub(time_of_day));
        let left = left.filter(|left| !left.is_zero() && *left < MAX_WAIT);
        let configured = Some(ctx.config.max_session_duration).filter(|duration| !duration.is_zero());
        let left = left.into_iter().chain(configured).min().filter(|_| ctx.config.reconnects);
        self.due = left.map(|left| {
            let ahead = MAX_LEAD.min(left / PART);
            let latest = LATEST_SWITCH.min(ahead / 2);
            let at = |before: Duration| ctx.now + left - before;
            Due { dial: at(ahead), latest: at(latest), last: at(latest.min(LAST)) }
        });
    }

    /// The session is over.
    pub fn session_lost(&mut self) {
        (self.due, self.standby) = (None, Standby::None);
    }

    /// The standby connection is open, or could not be opened, or is closed again.
    pub fn on_standby(&mut self, is_open: bool, now: Instant) {
        self.standby = if is_open { Standby::Open } else { Standby::None };
        if let Some(due) = self.due.as_mut().filter(|_| !is_open) {
            due.dial = now + RETRY_DELAY;
        }
    }

    pub fn deadline(&self, situation: &RolloverSituation, now: Instant) -> Option<Instant> {
        let due = self.due.filter(|_| !situation.is_draining)?;
        match self.standby {
            Standby::None => Some(due.dial),
            Standby::Requested => None,
            Standby::Open => {
                let latest = latest(due, situation);
                Some(situation.quiet_from.filter(|from| *from > now).map_or(latest, |from| from.min(latest)))
            }
        }
    }

    /// Requests the standby connection when it is due. Returns whether the conversation moves over to it now.
    pub fn poll(&mut self, situation: &RolloverSituation, ctx: &mut Ctx) -> bool {
        let Some(due) = self.due.filter(|_| !situation.is_draining) else { return false };
        match self.standby {
            Standby::None if ctx.now >= due.dial => {
                self.standby = Standby::Requested;
                ctx.outbox.push(Output::Preconnect);
                false
            }
            Standby::Open => {
                ctx.now >= latest(due, situation) || situation.quiet_from.is_some_and(|from| ctx.now >= from)
            }
            Standby::None | Standby::Requested => false,
        }
    }
}

/// The end of the wait for a quiet moment. A response that is coming in would be cut.
fn latest(due: Due, situation: &RolloverSituation) -> Instant {
    if situation.is_responding { due.last } else { due.latest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;

    const BUSY: RolloverSituation = RolloverSituation { is_draining: false, is_responding: true, quiet_from: None };

    /// A session that ends in an hour.
    fn an_hour() -> (SessionRollover, Fixture) {
        let mut fixture = Fixture::new(Timing::Live);
        fixture.config.reconnects = true;
        let mut rollover = SessionRollover::new(fixture.now, Duration::from_secs(1_000));
        rollover.session_ready(Some(4_600), &fixture.ctx());
        (rollover, fixture)
    }

    #[test]
    fn the_standby_connection_is_opened_ahead_and_tried_again_if_it_fails() {
        let (mut rollover, mut fixture) = an_hour();
        let dial = fixture.now + Duration::from_secs(3_480);
        assert_eq!(rollover.deadline(&BUSY, fixture.now), Some(dial));
        fixture.now = dial;
        assert!(!rollover.poll(&BUSY, &mut fixture.ctx()));
        assert!(matches!(fixture.outputs()[..], [Output::Preconnect]));
        assert_eq!(rollover.deadline(&BUSY, fixture.now), None);
        rollover.on_standby(false, fixture.now);
        assert_eq!(rollover.deadline(&BUSY, fixture.now), Some(dial + RETRY_DELAY));
    }

    #[test]
    fn it_moves_over_in_a_quiet_moment_or_shortly_before_the_end() {
        let (mut rollover, mut fixture) = an_hour();
        let end = fixture.now + Duration::from_secs(3_600);
        rollover.on_standby(true, fixture.now);
        assert!(!rollover.poll(&BUSY, &mut fixture.ctx()));
        let quiet = RolloverSituation { quiet_from: Some(fixture.now), is_responding: false, ..BUSY };
        assert!(rollover.poll(&quiet, &mut fixture.ctx()));
        let speaking = RolloverSituation { is_responding: false, ..BUSY };
        assert_eq!(rollover.deadline(&speaking, fixture.now), Some(end - LATEST_SWITCH));
        assert_eq!(rollover.deadline(&BUSY, fixture.now), Some(end - LAST));
        fixture.now = end - LAST;
        assert!(rollover.poll(&BUSY, &mut fixture.ctx()));
        assert!(!rollover.poll(&RolloverSituation { is_draining: true, ..BUSY }, &mut fixture.ctx()));
    }

    #[test]
    fn an_end_that_is_past_or_too_far_away_is_none() {
        let (mut rollover, mut fixture) = an_hour();
        for ends in [999, 1_000, 200_000] {
            rollover.session_ready(Some(ends), &fixture.ctx());
            assert_eq!(rollover.deadline(&BUSY, fixture.now), None, "{ends}");
        }
    }
}
