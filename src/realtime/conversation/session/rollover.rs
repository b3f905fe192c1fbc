// SPDX-License-Identifier: MPL-2.0

//! The renewal of a session.
//!
//! A server ends each session after a time, and says when. Before that, another connection is made beside the one in
//! use, and the conversation moves over to it in a moment in which nobody speaks and nothing is owed; at the latest
//! shortly before the end. Only what has to be said again takes a moment then, and sound waits that long.

use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::{Conversation, Output};
use std::time::{Duration, Instant};

/// So long before the end, another connection is made; earlier by far than it takes, for a quiet moment to come.
const MAX_LEAD: Duration = Duration::from_secs(120);
/// Of a short session it is this part.
const PART: u32 = 4;
/// So long before the end nothing is waited for any more, but for an answer that is coming in.
const LATEST_SWITCH: Duration = Duration::from_secs(5);
/// So long before the end, not for that either.
const LAST: Duration = Duration::from_secs(1);
/// Nothing happens for so long in a quiet moment; between the end of a turn and what the server says of it is none.
const QUIET_PERIOD: Duration = Duration::from_secs(1);
/// A connection that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// No session lasts so long; whoever says so has another time of day.
const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// Another connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standby {
    #[default]
    None,
    Asked,
    There,
}

/// The times of a session's end.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// Another connection is made.
    dial: Instant,
    /// The conversation moves over at the latest, unless an answer is coming in.
    latest: Instant,
    /// It moves over.
    last: Instant,
}

/// When the session has to be renewed, and how far that is.
#[derive(Debug, Default)]
pub(crate) struct SessionRollover {
    due: Option<Due>,
    standby: Standby,
}

impl Conversation {
    /// A session is ready; the server says when it ends, in seconds since 1970.
    pub(crate) fn session_ends(&mut self, at: Option<u64>) {
        let (then, time_of_day) = self.time_of_day;
        let time_of_day = time_of_day + self.now.saturating_duration_since(then);
        let left = at.and_then(|at| Duration::from_secs(at).checked_sub(time_of_day));
        let left = left.filter(|left| !left.is_zero() && *left < MAX_WAIT);
        let wished = Some(self.config.max_session_duration).filter(|wished| !wished.is_zero());
        let left = left.into_iter().chain(wished).min().filter(|_| self.config.reconnects);
        self.rollover.due = left.map(|left| {
            let ahead = MAX_LEAD.min(left / PART);
            let latest = LATEST_SWITCH.min(ahead / 2);
            let at = |before: Duration| self.now + left - before;
            Due { dial: at(ahead), latest: at(latest), last: at(latest.min(LAST)) }
        });
    }

    /// Another connection is there, or is not to be had, or not any more.
    pub(crate) fn on_standby(&mut self, there: bool) {
        self.rollover.standby = if there { Standby::There } else { Standby::None };
        if let Some(due) = self.rollover.due.as_mut().filter(|_| !there) {
            due.dial = self.now + RETRY_DELAY;
        }
    }

    pub(crate) fn rollover_deadline(&self) -> Option<Instant> {
        let due = self.rollover.due.filter(|_| !self.drain.has_begun())?;
        match self.rollover.standby {
            Standby::None => Some(due.dial),
            Standby::Asked => None,
            Standby::There => {
                let latest = self.latest(due);
                Some(self.quiet_from().filter(|from| *from > self.now).map_or(latest, |from| from.min(latest)))
            }
        }
    }

    pub(crate) fn advance_rollover(&mut self) {
        let Some(due) = self.rollover.due.filter(|_| !self.drain.has_begun()) else { return };
        let latest = self.latest(due);
        match self.rollover.standby {
            Standby::None if self.now >= due.dial => {
                self.rollover.standby = Standby::Asked;
                self.outbox.push(Output::Preconnect);
            }
            Standby::There if self.now >= latest || self.quiet_from().is_some_and(|from| self.now >= from) => {
                self.lose("the session is about to end, and the conversation goes on in another one".into(), None);
            }
            _ => {}
        }
    }

    /// An answer that is coming in would be cut, and most are there in a moment.
    fn latest(&self, due: Due) -> Instant {
        if self.scheduler.active().is_some() || self.scheduler.expects() { due.last } else { due.latest }
    }

    /// When it will have been quiet for a while, if nothing more happens.
    fn quiet_from(&self) -> Option<Instant> {
        self.is_quiet().then(|| self.plays_until().unwrap_or(self.now).max(self.last_progress + QUIET_PERIOD))
    }

    /// Nobody speaks but the model, and nothing is owed.
    fn is_quiet(&self) -> bool {
        // Where the server finds the turns, what it was sent since the last one is most probably nothing.
        let is_said = matches!(self.config.detection, Detection::Server { .. }) || self.audio_input.uncommitted() == 0;
        is_said
            && !self.turns.speaking
            && self.turns.backlog() == 0
            && !self.owes_response()
            && !self.captions.are_pending(&self.responses)
            && self.approvals.is_empty()
    }
}
