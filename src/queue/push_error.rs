// SPDX-License-Identifier: MPL-2.0

//! Why an input queue does not take an item.

/// Error of a push into an input queue. The item is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// The pad is flushing.
    Flushing,
    /// The session is over.
    Closed,
    /// Too many commands are queued.
    Full,
}
