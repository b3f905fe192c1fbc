// SPDX-License-Identifier: MPL-2.0

//! The code in the documents, for tests that try it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A line of code.
pub struct Line {
    /// File and number.
    pub place: String,
    /// As it stands there, indentation included, with the lines that it goes on in.
    pub text: String,
}

/// The files of `docs/` and the README of the repository with this root.
fn documents(root: &Path) -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root.join("docs")).expect("documents").map(|entry| entry.expect("a file").path());
    let mut documents: Vec<_> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    documents.push(root.join("README.md"));
    documents.sort();
    documents
}

/// All lines of code in them.
pub fn lines_of_code(root: &Path) -> Vec<Line> {
    documents(root).iter().flat_map(|document| lines_in(document)).collect()
}

fn lines_in(document: &Path) -> Vec<Line> {
    let (text, name) = (std::fs::read_to_string(document).expect("text"), document.file_name().expect("a name"));
    let (mut lines, mut is_fenced) = (Vec::new(), false);
    let mut rest = text.lines().enumerate();
    while let Some((number, first)) = rest.next() {
        is_fenced ^= first.starts_with("```");
        if !is_fenced && !first.starts_with("    ") {
            continue;
        }
        let mut text = first.to_owned();
        while let Some(begin) = text.strip_suffix('\\') {
            let (_, next) = rest.next().expect("the line goes on");
            text = format!("{begin}{}", next.trim_start());
        }
        lines.push(Line { place: format!("{}:{}", name.display(), number + 1), text });
    }
    lines
}

/// The words of a command as a shell takes them, without expanding the names of files.
pub fn shell_words(command: &str) -> Vec<String> {
    let printed = Command::new("sh").args(["-c", &format!("set -f; printf '%s\\n' {command}")]).output().expect("sh");
    assert!(printed.status.success(), "{command}");
    String::from_utf8(printed.stdout).expect("text").lines().map(str::to_owned).collect()
}
