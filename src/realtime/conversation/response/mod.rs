// SPDX-License-Identifier: MPL-2.0

//! Responses of the model: scheduling, audio, barge-in, function calls, usage limits.

pub(crate) mod approvals;
pub(crate) mod audio_part;
pub(crate) mod call_arguments;
pub(crate) mod floor_control;
pub(crate) mod function_calls;
pub(crate) mod held_response;
pub(crate) mod limits;
pub(crate) mod records;
pub(crate) mod responses;
pub(crate) mod scheduler;
pub(crate) mod turn_latency;

/// Who cancels a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initiator {
    /// The user, who speaks.
    User,
    /// The application.
    Application,
}
