// SPDX-License-Identifier: MPL-2.0

//! What the commands do with files and standard streams.

use crate::check::Checker;
use crate::redact::Redactor;
use crate::show;
use crate::stats::Stats;
use crate::tail::printer::{Options, Printer, printable};
use crate::tail::{Output, tail};
use crate::timeline::{self, Timeline};
use crate::trace::{BadLine, Line, Reader};
use anyhow::Context;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub fn tail_conversation(file: Option<&Path>, json: Option<Vec<String>>) -> anyhow::Result<ExitCode> {
    let stdin = io::stdin();
    let input: Box<dyn BufRead> = match file {
        Some(file) => Box::new(open(file)?),
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
    let bad_lines = unless_nobody_reads(tail(input, output, io::stderr()))?;
    Ok(status(bad_lines == 0))
}

fn ignore_interrupts() -> io::Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false))).map(drop)
}

pub fn stats(files: &[PathBuf], as_json: bool) -> anyhow::Result<ExitCode> {
    let mut stats = Stats::default();
    let mut all_read = true;
    for file in files {
        let (timeline, read) = read_timeline(file, |_, _| {})?;
        stats.add(&timeline);
        all_read &= read;
    }
    stats.finish();
    print(&if as_json { serde_json::to_string_pretty(&stats)? + "\n" } else { stats.to_string() })?;
    Ok(status(all_read))
}

/// The time line of a file, and whether all its lines could be read; those that could not are told.
fn read_timeline(file: &Path, each: impl FnMut(&Line, f64)) -> anyhow::Result<(Timeline, bool)> {
    let (timeline, bad) = timeline::read(file, each).with_context(|| file.display().to_string())?;
    tell_bad_lines(file, &bad);
    Ok((timeline, bad.is_empty()))
}

fn tell_bad_lines(file: &Path, bad: &[BadLine]) {
    bad.iter().for_each(|line| eprintln!("{}: {line}", file.display()));
}

/// Writes to standard output; a reader that goes away is no error.
fn print(text: &str) -> io::Result<()> {
    unless_nobody_reads(io::stdout().write_all(text.as_bytes()))
}

/// A reader that goes away is no error.
fn unless_nobody_reads<T: Default>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(T::default()),
        result => result,
    }
}

fn status(all_well: bool) -> ExitCode {
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn open(file: &Path) -> anyhow::Result<BufReader<File>> {
    Ok(BufReader::new(File::open(file).with_context(|| file.display().to_string())?))
}

/// Writes a page that shows a trace.
pub fn show(file: &Path, output: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let (page, bad) = show::page(file).with_context(|| file.display().to_string())?;
    tell_bad_lines(file, &bad);
    let output = output.unwrap_or_else(|| file.with_extension("html"));
    anyhow::ensure!(
        output != file,
        "{}: the page would take the place of the trace; name another file",
        output.display()
    );
    std::fs::write(&output, page).with_context(|| output.display().to_string())?;
    eprintln!("{}", output.display());
    Ok(status(bad.is_empty()))
}

/// Writes what is wrong with each line.
pub fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let (mut checker, mut out, mut events, mut wrong) = (Checker::default(), String::new(), 0, 0);
    for line in Reader::new(open(file)?) {
        let (number, errors) = match line? {
            Ok(line) => (line.number, checker.errors(&line)),
            Err(line) => (line.number, vec![line.error.to_string()]),
        };
        events += 1;
        wrong += usize::from(!errors.is_empty());
        for error in errors {
            out += &printable(&format!("{}:{number}: {error}", file.display()));
            out.push('\n');
        }
    }
    let summary = match wrong {
        0 => format!("{events} lines, all as the API's schemas say\n"),
        wrong => format!("{wrong} of {events} lines are not as the API's schemas say\n"),
    };
    print(&(out + &summary))?;
    Ok(status(wrong == 0))
}

/// Writes a trace without what is private in it.
pub fn redact(file: &Path, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let input = open(file)?;
    let same = |output: &Path| Some(output.canonicalize().ok()? == file.canonicalize().ok()?);
    let out: Box<dyn Write> = match output {
        Some(output) if same(output) == Some(true) => {
            anyhow::bail!("{}: a trace is never redacted in place; name another file", output.display())
        }
        Some(output) => Box::new(File::create(output).with_context(|| output.display().to_string())?),
        None => Box::new(io::stdout()),
    };
    let left_out = unless_nobody_reads(redact_lines(input, BufWriter::new(out), file))?;
    Ok(status(left_out == 0))
}

/// Gives back how many lines were left out, because they could not be read.
fn redact_lines(input: impl BufRead, mut out: impl Write, file: &Path) -> io::Result<usize> {
    let (mut redactor, mut left_out) = (Redactor::default(), 0);
    for (index, line) in input.split(b'\n').enumerate() {
        let line = String::from_utf8_lossy(&line?).trim_start_matches('\u{feff}').trim().to_owned();
        match redactor.line(&line) {
            Some(line) => writeln!(out, "{line}")?,
            None if line.is_empty() => {}
            None => {
                left_out += 1;
                eprintln!("{}: line {}: no object of JSON; left out", file.display(), index + 1);
            }
        }
    }
    out.flush()?;
    Ok(left_out)
}
