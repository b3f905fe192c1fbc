// SPDX-License-Identifier: MPL-2.0

//! The command line.

use crate::tail::printer::{Options, Printer};
use crate::tail::{Output, tail};
use anyhow::Context;
use clap::{Parser, Subcommand};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Reads traces of Realtime sessions (`event_src` of the element `openairealtime`, `realtime-server --record`).
#[derive(Debug, Parser)]
#[command(name = "realtime-trace", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a conversation as it goes, from a trace or from what `gst-launch-1.0 -m` prints
    Tail {
        /// A trace, or the saved output of `gst-launch-1.0 -m`; standard input by default
        file: Option<PathBuf>,
        /// Write the answers of `openaichat` as JSON, a line each: the answer to each second of the input belongs to one of
        /// these files
        #[arg(long, value_name = "FILE", num_args = 0..)]
        json: Option<Vec<String>>,
    },
}

/// What went wrong in a way that the exit status tells: 1 for lines that could not be read, 2 for errors.
pub const STATUS_ERROR: u8 = 2;

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Tail { file, json } => run_tail(file.as_deref(), json),
        }
    }
}

fn run_tail(file: Option<&Path>, json: Option<Vec<String>>) -> anyhow::Result<ExitCode> {
    let stdin = io::stdin();
    let input: Box<dyn BufRead> = match file {
        Some(file) => Box::new(BufReader::new(File::open(file).with_context(|| file.display().to_string())?)),
        None => {
            if !stdin.is_terminal() {
                // Ctrl-C is for the pipeline, which may have something to say yet.
                ignore_interrupts()?;
            }
            Box::new(stdin.lock())
        }
    };
    let stdout = io::stdout();
    let columns = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    // The local server costs nothing, whatever the model's name.
    let options = Options { columns, colors: columns.is_some() && !is_set("NO_COLOR"), cost: is_set("OPENAI_API_KEY") };
    let output = match json {
        Some(files) => Output::Answers(stdout.lock(), files),
        None => Output::Conversation(Printer::new(stdout.lock(), options)),
    };
    match tail(input, output, io::stderr()) {
        Ok(0) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        // Nobody reads any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}

fn ignore_interrupts() -> io::Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false))).map(drop)
}
