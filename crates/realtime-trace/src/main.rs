// SPDX-License-Identifier: MPL-2.0

//! The program `realtime-trace`: a command line around the library.

use clap::Parser;
use realtime_trace::cli::{Cli, STATUS_ERROR};
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("realtime-trace: {error:#}");
        ExitCode::from(STATUS_ERROR)
    })
}
