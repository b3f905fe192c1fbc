// SPDX-License-Identifier: MPL-2.0

//! The local server's reader, and the protocol's.

#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::client_event(data));
