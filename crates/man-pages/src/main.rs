// SPDX-License-Identifier: MPL-2.0

//! Writes a manual page for each program and each of their commands, out of what `--help` says.
//!
//!     man-pages FOLDER

#[cfg(test)]
mod command_lines;

use anyhow::Context;
use clap::{Command, CommandFactory};
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).context("usage: man-pages FOLDER")?;
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for program in programs() {
        clap_mangen::generate_to(program, &folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

/// All programs. Without the command `help`, which says what the pages say.
fn programs() -> [Command; 4] {
    [
        realtime_server::Cli::command(),
        realtime_trace::cli::Cli::command(),
        recording_worker::Cli::command(),
        voice_chat::Cli::command(),
    ]
    .map(|program| program.disable_help_subcommand(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_named_as_they_are_installed() {
        let names = programs().map(|program| program.get_name().to_owned());
        assert_eq!(names, ["realtime-server", "realtime-trace", "recording-worker", "voice-chat"]);
    }
}
