// SPDX-License-Identifier: MPL-2.0

//! The conversation, with a server that sends anything at any time.

#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::conversation(data));
