// SPDX-License-Identifier: MPL-2.0

//! Clock waits of the sink pads' streaming threads, for input that is not live in a session that is.

use crate::media::clock_wait::ClockWaiter;
use std::sync::{Arc, Mutex, PoisonError};

/// The waits of all sink pads.
#[derive(Debug, Default)]
pub struct InputWaits {
    /// Of `audio_sink`; its running time is that of the input.
    pub audio: ClockWaiter,
    others: Mutex<Vec<(String, Arc<ClockWaiter>)>>,
}

impl InputWaits {
    /// That of another sink pad.
    pub fn of(&self, pad: &str) -> Arc<ClockWaiter> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, wait)) = others.iter().find(|(name, _)| name == pad) {
            return wait.clone();
        }
        let wait = Arc::new(self.audio.sibling());
        others.push((pad.to_owned(), wait.clone()));
        wait
    }

    /// Forgets a pad that was released; one of the same name that is requested later starts anew.
    pub fn forget(&self, pad: &str) {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, _)| name != pad);
    }

    /// Changes the state of all.
    pub fn each(&self, act: impl Fn(&ClockWaiter)) {
        act(&self.audio);
        let others: Vec<_> = self.others.lock().unwrap_or_else(PoisonError::into_inner).clone();
        others.iter().for_each(|(_, wait)| act(wait));
    }
}
