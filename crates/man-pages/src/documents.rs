// SPDX-License-Identifier: MPL-2.0

//! "I copy it from the page": the command lines of the documents are understood by the programs.

use crate::programs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = std::fs::read_dir(root.join("docs")).expect("documents").map(|entry| entry.expect("a file").path());
    let mut documents: Vec<_> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    documents.push(root.join("README.md"));
    documents.sort();
    documents
}

/// What runs a program in a line: the line itself, what a pipe leads to, a service's start, a container's entry.
fn commands_in(line: &str) -> Vec<String> {
    if let Some(entry) = line.trim().strip_prefix("ENTRYPOINT") {
        return vec![entry.replace(['[', ']', ',', '"'], " ")];
    }
    line.split(" | ").map(|part| part.trim().trim_start_matches("ExecStart=").to_owned()).collect()
}

/// Lines of code, with those put together that go on in the next one, and their places.
fn lines_of_code(document: &Path) -> Vec<(String, String)> {
    let (text, name) = (std::fs::read_to_string(document).expect("text"), document.file_name().expect("a name"));
    let (mut lines, mut is_fenced) = (Vec::new(), false);
    let mut rest = text.lines().enumerate();
    while let Some((number, first)) = rest.next() {
        is_fenced ^= first.starts_with("```");
        if !is_fenced && !first.starts_with("    ") {
            continue;
        }
        let mut line = first.to_owned();
        while let Some(begin) = line.strip_suffix('\\') {
            line = format!("{begin}{}", rest.next().map(|(_, next)| next.trim()).unwrap_or_default());
        }
        lines.push((format!("{}:{}", name.display(), number + 1), line));
    }
    lines
}

/// The words of a command as a shell takes them, without those behind `&&` and the like.
fn words(command: &str) -> Vec<String> {
    let command = command.split([';', '&', '>']).next().unwrap_or_default();
    let printed = Command::new("sh").args(["-c", &format!("set -f; printf '%s\\n' {command}")]).output().expect("sh");
    assert!(printed.status.success(), "{command}");
    String::from_utf8(printed.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn every_command_line_of_the_documents_is_understood() {
    let mut count = 0;
    for (place, line) in documents().iter().flat_map(|document| lines_of_code(document)) {
        for command in commands_in(&line) {
            let program = command.split_whitespace().next().and_then(|path| path.rsplit('/').next());
            let Some(known) = programs().into_iter().find(|known| Some(known.get_name()) == program) else { continue };
            if let Err(error) = known.try_get_matches_from(words(&command)) {
                let is_answer = matches!(
                    error.kind(),
                    clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
                );
                assert!(is_answer, "{place}: {command}: {error}");
            }
            count += 1;
        }
    }
    assert!(count >= 20, "only {count} command lines are found");
}
