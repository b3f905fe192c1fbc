// SPDX-License-Identifier: MPL-2.0

//! Commands that wait for the session to be ready.

use crate::realtime::conversation::io::Command;
use crate::realtime::conversation::outbox::Outbox;

/// Most commands that wait; further ones are dropped with a warning.
const MAX_EARLY_COMMANDS: usize = 256;

/// Such commands, oldest first.
#[derive(Debug, Default)]
pub(crate) struct EarlyCommands(Vec<Command>);

impl EarlyCommands {
    pub fn add(&mut self, command: Command, outbox: &mut Outbox) {
        if self.0.len() == MAX_EARLY_COMMANDS {
            outbox.warn("not-ready", "the session is not ready, and too much waits for it: a command is dropped");
        } else {
            self.0.push(command);
        }
    }

    /// The session is ready.
    pub fn take(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_wait_than_may_and_each_further_one_is_reported() {
        let (mut early, mut outbox) = (EarlyCommands::default(), Outbox::default());
        (0..MAX_EARLY_COMMANDS + 2).for_each(|_| early.add(Command::Commit, &mut outbox));
        assert_eq!(std::iter::from_fn(|| outbox.pop()).count(), 2);
        assert_eq!((early.take().len(), early.take().len()), (MAX_EARLY_COMMANDS, 0));
    }
}
