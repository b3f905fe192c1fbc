// SPDX-License-Identifier: MPL-2.0

//! Dialogues with the core alone: a clock that is a number, and no socket.
