// SPDX-License-Identifier: MPL-2.0

//! One recording in, its transcript and one JSON row out: the worker of an archive of recordings, made to be killed.
//!
//! `cli` and `settings` are what is asked for, `storage` where it comes from and goes to, `media` all that needs GStreamer,
//! `row`, `checkpoint` and `subtitles` what is written. `job` puts them together; `interrupt` and `parent` end it early.

mod checkpoint;
mod cli;
mod failure;
mod interrupt;
mod job;
mod media;
mod parent;
mod row;
mod settings;
mod storage;
mod subtitles;

pub use cli::Cli;
pub use job::{Ended, run};
