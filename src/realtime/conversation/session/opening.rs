// SPDX-License-Identifier: MPL-2.0

//! Opening of a session: `session.update` is sent, and audio waits until the server has accepted it. A server that has
//! greeted and then says nothing of the settings is talked to after a while, because some never acknowledge them.

use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::io::SessionEvent;
use openai_protocol::Session;
use std::time::{Duration, Instant};

/// How long a server that has greeted may say nothing of the settings.
pub(crate) const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How far the opening is.
#[derive(Debug)]
pub(crate) struct Opening {
    /// The session as `session.created` told it.
    created: Session,
    /// When the server has to have accepted the session.
    deadline: Instant,
    /// The same without a greeting.
    limit: Instant,
    timeout: Duration,
    /// `session.created` came while opening, and no error after it.
    greeted: bool,
    /// The server answers `session.update`.
    acknowledges: bool,
}

impl Opening {
    pub fn new(now: Instant) -> Self {
        Self {
            created: Session::default(),
            deadline: now,
            limit: now,
            timeout: Duration::ZERO,
            greeted: false,
            acknowledges: true,
        }
    }

    /// The first `session.update` is sent.
    pub fn begin(&mut self, timeout: Duration, now: Instant) {
        (self.deadline, self.limit, self.timeout) = (now + timeout, now + timeout, timeout);
        self.greeted = false;
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// `session.created`: the session before the server knows the settings.
    pub fn session_created(&mut self, session: Session, is_opening: bool, now: Instant) {
        self.created = session;
        if is_opening {
            let until = now + ACKNOWLEDGE_TIMEOUT;
            self.greeted = until < self.deadline;
            self.deadline = until.min(self.deadline);
        }
    }

    /// An error came while opening: the server is still to say what is wrong with the settings.
    pub fn refused(&mut self) {
        if std::mem::take(&mut self.greeted) {
            self.deadline = self.limit;
        }
    }

    /// The deadline is over. Returns whether the conversation goes on without an acknowledgement.
    pub fn goes_on_unacknowledged(&mut self) -> bool {
        let goes_on = std::mem::take(&mut self.greeted);
        if goes_on {
            self.acknowledges = false;
        }
        goes_on
    }

    /// `session.updated`
    pub fn acknowledged(&mut self) {
        self.acknowledges = true;
    }

    /// Whether the server answers `session.update`.
    pub fn acknowledges(&self) -> bool {
        self.acknowledges
    }

    /// The session did not come about.
    pub fn forget(&mut self) {
        self.created = Session::default();
    }

    /// The session is ready, with what the server tells of it: some tell only what has changed since their greeting.
    /// Returns its end in seconds since 1970 as well.
    pub fn ready(&mut self, session: Session, resumed: bool, config: &Config) -> (SessionEvent, Option<u64>) {
        let created = std::mem::take(&mut self.created);
        // Some tell 0 where they do not know.
        let expires_at = session.expires_at.or(created.expires_at).filter(|at| *at > 0);
        let model = session.model.or(created.model).filter(|model| !model.is_empty());
        let event = SessionEvent::Ready {
            session_id: session.id.or(created.id).filter(|id| !id.is_empty()),
            model: model.or_else(|| Some(config.model.clone())),
            expires_at,
            resumed,
        };
        (event, expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;

    const TIMEOUT: Duration = Duration::from_secs(20);

    #[test]
    fn a_server_that_has_greeted_is_waited_for_less_unless_it_refuses_something() {
        let now = Instant::now();
        let mut opening = Opening::new(now);
        opening.begin(TIMEOUT, now);
        assert_eq!(opening.deadline(), now + TIMEOUT);
        opening.session_created(Session::default(), true, now);
        assert_eq!(opening.deadline(), now + ACKNOWLEDGE_TIMEOUT);
        opening.refused();
        assert_eq!(opening.deadline(), now + TIMEOUT);
        assert!(!opening.goes_on_unacknowledged());
    }

    #[test]
    fn without_an_acknowledgement_it_goes_on_only_after_a_greeting() {
        let now = Instant::now();
        let mut opening = Opening::new(now);
        opening.begin(TIMEOUT, now);
        opening.session_created(Session::default(), true, now);
        assert!(opening.goes_on_unacknowledged() && !opening.acknowledges());
        opening.acknowledged();
        assert!(opening.acknowledges());
    }

    #[test]
    fn what_the_acknowledgement_leaves_out_is_taken_from_the_greeting() {
        let fixture = Fixture::new(Timing::Live);
        let mut opening = Opening::new(fixture.now);
        let greeting = Session { id: Some("sess_1".into()), expires_at: Some(99), ..Default::default() };
        opening.session_created(greeting, true, fixture.now);
        let updated = Session { model: Some(String::new()), ..Default::default() };
        let (event, expires_at) = opening.ready(updated, false, &fixture.config);
        let SessionEvent::Ready { session_id, model, .. } = event else { panic!("{event:?}") };
        assert_eq!((session_id.as_deref(), expires_at), (Some("sess_1"), Some(99)));
        assert_eq!(model, Some(fixture.config.model));
    }
}
