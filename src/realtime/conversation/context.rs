// SPDX-License-Identifier: MPL-2.0

//! What a part of the conversation may use while it handles an event: the configuration, the time and the outbox. It
//! reaches no other part; what another part has to do is returned as an effect.

use crate::error::Warning;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::event::Event;
use crate::realtime::conversation::outbox::Outbox;
use openai_protocol::ClientEvent;
use std::time::Instant;

/// Context of a call into a part.
#[derive(Debug)]
pub(crate) struct Ctx<'a> {
    pub config: &'a Config,
    pub now: Instant,
    pub outbox: &'a mut Outbox,
}

impl Ctx<'_> {
    /// See [`Outbox::send`].
    pub fn send(&mut self, event: impl Into<ClientEvent>) -> String {
        self.outbox.send(event)
    }

    pub fn notify(&mut self, event: Event) {
        self.outbox.notify(event);
    }

    pub fn warn(&mut self, code: &str, message: impl Into<String>) {
        self.outbox.warn(code, message);
    }

    /// A warning about one thing of many, as a function call: none of them hides another.
    pub fn warn_about(&mut self, subject: &str, code: &str, message: String) {
        self.notify(Event::Warning(Warning::new(code, message).about(subject)));
    }
}

/// The context of a conversation. A macro, because a method would borrow the parts as well.
macro_rules! ctx {
    ($conversation:ident) => {
        crate::realtime::conversation::context::Ctx {
            config: &$conversation.config,
            now: $conversation.now,
            outbox: &mut $conversation.outbox,
        }
    };
}
pub(crate) use ctx;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::realtime::conversation::io::Output;
    use crate::realtime::conversation::tests::dialogue;
    use crate::types::Timing;
    use std::time::Duration;

    /// What a part needs in a test of its own: a configuration, an invented clock, and an outbox to look into.
    pub(crate) struct Fixture {
        pub config: Config,
        pub now: Instant,
        outbox: Outbox,
    }

    impl Fixture {
        pub fn new(timing: Timing) -> Self {
            let config = dialogue::config(timing, dialogue::server_vad());
            Self { config, now: Instant::now(), outbox: Outbox::default() }
        }

        pub fn ctx(&mut self) -> Ctx<'_> {
            Ctx { config: &self.config, now: self.now, outbox: &mut self.outbox }
        }

        pub fn after(&mut self, time: Duration) -> Ctx<'_> {
            self.now += time;
            self.ctx()
        }

        pub fn outputs(&mut self) -> Vec<Output> {
            std::iter::from_fn(|| self.outbox.pop()).collect()
        }

        /// Codes of the warnings since the last call; everything else is dropped.
        pub fn warnings(&mut self) -> Vec<String> {
            let code = |output| match output {
                Output::Event(Event::Warning(warning)) => warning.code,
                _ => None,
            };
            self.outputs().into_iter().filter_map(code).collect()
        }

        /// Names of the client events since the last call; everything else is dropped.
        pub fn sent(&mut self) -> Vec<String> {
            let name = |output| match output {
                Output::Send(event) => Some(event.name().to_owned()),
                _ => None,
            };
            self.outputs().into_iter().filter_map(name).collect()
        }
    }
}
