// SPDX-License-Identifier: MPL-2.0

//! Offline: holds the events of a response until it is complete.
//!
//! Nobody listens to a file as it is made. So a response whose session is lost in the middle can be dropped and requested
//! again, where a listener would have heard one half already.

use crate::realtime::conversation::config::Config;
use crate::types::Timing;
use openai_protocol::ServerEvent;
use std::collections::VecDeque;

/// Most bytes of audio that are held: more than five minutes at 24 kHz. A longer response is let through.
const MAX_HELD_BYTES: usize = 16 << 20;

/// Events of the response under way.
#[derive(Debug, Default)]
pub(crate) struct HeldResponse {
    events: VecDeque<ServerEvent>,
    bytes: usize,
    /// The response is too long, and the rest of it is let through.
    is_through: bool,
}

/// What becomes of an event.
#[derive(Debug)]
pub(crate) enum Hold {
    /// It need not wait.
    Pass(ServerEvent),
    /// The response is complete: what is held goes before this event.
    Complete(ServerEvent),
    /// It is held.
    Held { is_audio: bool },
    /// It is held, and that is too much now: everything held is let through.
    Full { is_audio: bool },
}

impl HeldResponse {
    /// Holds an event of the response that is under way (`is_active`), or returns it if it need not wait.
    pub fn hold(&mut self, response_id: &str, is_active: bool, event: ServerEvent, config: &Config) -> Hold {
        // Some servers send no response id there.
        if matches!(event, ServerEvent::ResponseDone(_)) && (is_active || response_id.is_empty()) {
            return Hold::Complete(event);
        }
        let may_be_requested_again = config.timing == Timing::Offline && config.reconnects;
        if !may_be_requested_again || !is_active || self.is_through {
            return Hold::Pass(event);
        }
        let audio = match &event {
            ServerEvent::ResponseOutputAudioDelta(delta) => Some(delta.delta.0.len()),
            _ => None,
        };
        self.bytes += audio.unwrap_or_default();
        self.events.push_back(event);
        let is_audio = audio.is_some();
        if self.bytes > MAX_HELD_BYTES { Hold::Full { is_audio } } else { Hold::Held { is_audio } }
    }

    /// The rest of a response that is too long is let through.
    pub fn let_through(&mut self) {
        self.is_through = true;
    }

    /// Takes the held events: the response is complete, or nothing more will come of it.
    pub fn release(&mut self) -> VecDeque<ServerEvent> {
        std::mem::take(self).events
    }

    /// Drops held events. True if all of the response was held, so that it can be requested again.
    pub fn drop_all(&mut self, timing: Timing) -> bool {
        let held = std::mem::take(self);
        timing == Timing::Offline && !held.is_through
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use openai_protocol::Base64;
    use openai_protocol::server::{ResponseDone, ResponseOutputAudioDelta};

    fn audio(bytes: usize) -> ServerEvent {
        ResponseOutputAudioDelta { delta: Base64(vec![0; bytes].into()), ..Default::default() }.into()
    }

    fn offline() -> Config {
        Config { reconnects: true, ..Fixture::new(Timing::Offline).config }
    }

    #[test]
    fn offline_a_response_is_held_until_it_is_done() {
        let (mut held, config) = (HeldResponse::default(), offline());
        assert!(matches!(held.hold("r1", true, audio(10), &config), Hold::Held { is_audio: true }));
        assert!(matches!(held.hold("r2", false, audio(10), &config), Hold::Pass(_)), "it is another one");
        let done = ServerEvent::from(ResponseDone::default());
        assert!(matches!(held.hold("r1", true, done, &config), Hold::Complete(_)));
        assert_eq!((held.release().len(), held.release().len()), (1, 0));
    }

    #[test]
    fn live_nothing_is_held() {
        let (mut held, config) = (HeldResponse::default(), Fixture::new(Timing::Live).config);
        assert!(matches!(held.hold("r1", true, audio(10), &config), Hold::Pass(_)));
        assert!(!held.drop_all(config.timing));
    }

    #[test]
    fn a_response_that_is_too_long_is_let_through_and_cannot_be_requested_again() {
        let (mut held, config) = (HeldResponse::default(), offline());
        assert!(matches!(held.hold("r1", true, audio(MAX_HELD_BYTES + 1), &config), Hold::Full { .. }));
        assert_eq!(held.release().len(), 1);
        held.let_through();
        assert!(matches!(held.hold("r1", true, audio(10), &config), Hold::Pass(_)));
        assert!(!held.drop_all(config.timing));
    }
}
