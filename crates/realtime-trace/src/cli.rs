// SPDX-License-Identifier: MPL-2.0

//! The command line.

use crate::commands;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Write a page of HTML that shows a trace: both voices along time, the conversation, every event
    Show {
        /// A trace
        file: PathBuf,
        /// The page; by default beside the trace, with the ending `html`
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Numbers of traces: turns, latency by stages, barge-ins, calls, tokens, cost, sound
    Stats {
        /// Traces
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How they are written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Hold each event against the published schemas of the API
    Check {
        /// A trace
        file: PathBuf,
    },
    /// Write a trace without words, sound, pictures, instructions and keys
    Redact {
        /// A trace
        file: PathBuf,
        /// Where it is written; standard output by default
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// What went wrong in a way that the exit status tells: 1 for lines that could not be read, 2 for errors.
pub const STATUS_ERROR: u8 = 2;

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Tail { file, json } => commands::tail_conversation(file.as_deref(), json),
            Command::Show { file, output } => commands::show(&file, output),
            Command::Stats { files, format } => commands::stats(&files, matches!(format, Format::Json)),
            Command::Check { file } => commands::check(&file),
            Command::Redact { file, output } => commands::redact(&file, output.as_deref()),
        }
    }
}
