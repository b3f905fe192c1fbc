// SPDX-License-Identifier: MPL-2.0

//! The planned change to another session, with `max-session-duration`: in a pause of speech the session in use is told to
//! close and gives the rest of its translation; the next one goes on behind it. So nothing is heard twice, and no sentence is
//! cut where the speaker pauses.

use crate::realtime::translation::{Phase, Translation};
use std::time::{Duration, Instant};

/// Longest wait for a pause of speech.
const MAX_PAUSE_WAIT: Duration = Duration::from_secs(10);
/// Longest silence of a server that has not given the rest. What is missing then is translated by the next session.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Why a session is followed by another one.
const REASON: &str = "max-session-duration is reached";

impl Translation {
    /// When the session is to be closed, or has to be.
    pub(crate) fn renewal_deadline(&self) -> Option<Instant> {
        self.renewal.map(|due| if self.now < due { due } else { due + MAX_PAUSE_WAIT })
    }

    /// When the rest of the translation is no longer waited for.
    pub(crate) fn renewal_drain_deadline(&self) -> Instant {
        self.last_progress + DRAIN_TIMEOUT
    }

    /// Closes the session if it has become old and the speaker pauses.
    pub(crate) fn begin_renewal(&mut self) {
        let Some(due) = self.renewal.filter(|due| self.now >= *due) else { return };
        if !self.input.ends_in_pause() && self.now < due + MAX_PAUSE_WAIT {
            return;
        }
        self.close(Phase::Renewing);
    }

    /// The session in use is over. `is_whole`: it has given all of its translation.
    pub(crate) fn end_renewal(&mut self, is_whole: bool) {
        if is_whole {
            self.input.all_is_translated();
        }
        self.lose(REASON.into(), None);
    }
}
