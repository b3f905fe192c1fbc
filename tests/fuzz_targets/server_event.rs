// SPDX-License-Identifier: MPL-2.0

//! The reader of what servers send.

#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::server_event(data));
