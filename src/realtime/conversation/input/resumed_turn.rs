// SPDX-License-Identifier: MPL-2.0

//! A turn that was under way when its session was lost. The next server gets its audio again and is to find it again;
//! its beginning was posted already.

use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::event::Event;
use crate::realtime::conversation::input::turns::Turn;
use std::time::{Duration, Instant};

/// How long the next server has to find the turn; longer than it takes to notice that it is lost too.
const FIND_TIMEOUT: Duration = Duration::from_secs(15);

/// Such a turn, if there is one.
#[derive(Debug, Default)]
pub(crate) struct ResumedTurn {
    turn: Option<Turn>,
    /// When it is given up.
    until: Option<Instant>,
}

impl ResumedTurn {
    /// The session was lost, with this turn open if there was one.
    pub fn session_lost(&mut self, open: Option<Turn>) {
        if let Some(open) = open {
            self.turn.get_or_insert(open);
        }
        self.until = None;
    }

    /// The next session is ready.
    pub fn session_ready(&mut self, now: Instant) {
        self.until = self.turn.is_some().then(|| now + FIND_TIMEOUT);
    }

    /// The server has not found it so far.
    pub fn is_open(&self) -> bool {
        self.turn.is_some()
    }

    /// The user speaks, as this server tells: takes the turn, which this is.
    pub fn take(&mut self) -> Option<Turn> {
        self.until = None;
        self.turn.take()
    }

    /// When the turn is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// Gives the turn up when the server has not found it in time. `input_end`: running time of the end of the input.
    pub fn advance(&mut self, input_end: Option<Duration>, ctx: &mut Ctx) {
        if self.until.is_some_and(|until| ctx.now >= until) {
            let seconds = FIND_TIMEOUT.as_secs();
            let message = format!(
                "the user was speaking when a session was lost, and the next server, which has heard that again, has not \
                 found a turn in it for {seconds} s: it is not answered"
            );
            ctx.warn("turn-lost", message);
            self.end(input_end, ctx);
        }
    }

    /// Posts the end of a turn that no server has found.
    pub fn end(&mut self, input_end: Option<Duration>, ctx: &mut Ctx) {
        if let Some(turn) = self.take() {
            ctx.notify(Event::Speech { active: false, item_id: turn.item_id, running_time: input_end });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::realtime::conversation::input::turns::Turns;
    use crate::types::Timing;

    #[test]
    fn the_next_server_has_fifteen_seconds_to_find_the_turn() {
        let (mut resumed, mut fixture) = (ResumedTurn::default(), Fixture::new(Timing::Live));
        resumed.session_lost(Some(Turn::default()));
        assert_eq!(resumed.deadline(), None, "there is no other session yet");
        resumed.session_ready(fixture.now);
        resumed.advance(None, &mut fixture.ctx());
        assert!(resumed.is_open() && fixture.outputs().is_empty());
        resumed.advance(None, &mut fixture.after(FIND_TIMEOUT));
        assert!(!resumed.is_open());
        assert_eq!(fixture.warnings(), ["turn-lost"]);
        assert_eq!(resumed.deadline(), None);
    }

    #[test]
    fn the_oldest_turn_is_kept_over_several_losses() {
        let mut resumed = ResumedTurn::default();
        for start in [1, 2] {
            let mut turns = Turns::default();
            turns.begin(None, Some(Duration::from_secs(start)));
            resumed.session_lost(turns.drop_open());
        }
        resumed.session_lost(None);
        assert_eq!(resumed.take().and_then(|turn| turn.start), Some(Duration::from_secs(1)));
        assert!(resumed.take().is_none());
    }
}
