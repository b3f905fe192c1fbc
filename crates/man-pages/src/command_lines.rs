// SPDX-License-Identifier: MPL-2.0

//! "I copy it from the page": the command lines of the documents are understood by the programs.

#[path = "../../../tests/support/documents.rs"]
mod documents;

use crate::programs;
use clap::error::ErrorKind;
use documents::{Line, lines_of_code, shell_words};
use std::path::Path;

/// Commands in a line: the line itself, what a pipe leads to, a service's start, a container's entry.
fn commands_in(line: &str) -> Vec<String> {
    if let Some(entry) = line.trim().strip_prefix("ENTRYPOINT") {
        return vec![entry.replace(['[', ']', ',', '"'], " ")];
    }
    line.split(" | ").map(|part| part.trim().trim_start_matches("ExecStart=").to_owned()).collect()
}

#[test]
fn every_command_line_of_the_documents_is_understood() {
    let mut count = 0;
    for Line { place, text } in lines_of_code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")) {
        for command in commands_in(&text) {
            let program = command.split_whitespace().next().and_then(|path| path.rsplit('/').next());
            let Some(known) = programs().into_iter().find(|known| Some(known.get_name()) == program) else { continue };
            // What follows behind `&&` and the like is another command.
            let command = command.split([';', '&', '>']).next().unwrap_or_default();
            if let Err(error) = known.try_get_matches_from(shell_words(command)) {
                let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
                assert!(is_answer, "{place}: {command}: {error}");
            }
            count += 1;
        }
    }
    assert!(count >= 20, "only {count} command lines are found");
}
