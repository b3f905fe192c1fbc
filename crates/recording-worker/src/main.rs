// SPDX-License-Identifier: MPL-2.0

//! Program `recording-worker`: reads the command line, does the job, and ends with a status that says what came of it.

use clap::Parser;
use recording_worker::{Cli, Ended, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let ended = run(&Cli::parse());
    if let Ended::Mistake(error) = &ended {
        eprintln!("recording-worker: {error:#}");
    }
    ExitCode::from(ended.code())
}
