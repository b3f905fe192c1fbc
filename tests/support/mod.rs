//! What several tests need. Each test takes it in with `mod support;`.

pub mod folder;
pub mod pipeline;
pub mod server;
pub mod wer;
