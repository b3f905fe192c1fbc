// SPDX-License-Identifier: MPL-2.0

//! Sessions as dialogues: what a client says, what a server answers, in which order. Nothing here waits.

mod answers;
mod beta;
mod calling;
mod dialogue;
mod rules;
mod turns;
