// SPDX-License-Identifier: MPL-2.0

//! What several tests need. Each test takes it in with `mod support;`.

#[allow(dead_code, reason = "only tests of documents need it")]
pub mod documents;
pub mod folder;
#[allow(dead_code, reason = "only tests that count need it")]
pub mod leftovers;
pub mod pipeline;
pub mod server;
#[allow(dead_code, reason = "only tests that count need it")]
pub mod server_process;
pub mod wer;
