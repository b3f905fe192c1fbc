// SPDX-License-Identifier: MPL-2.0

//! The program in `tool-command`, which answers function calls.
//!
//! It gets the name of the function as its last argument and the arguments as JSON on standard input; the output of the
//! function is what it writes to standard output. It is started without a shell, and without the environment variables
//! whose names look like those of secrets.

use crate::error::{Error, ErrorKind};
use crate::net::sigpipe;
use gst::glib;
use process_wrap::std::{ChildWrapper, CommandWrap};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Maximum length of an output; a longer one would not fit into a model's context.
const MAX_OUTPUT_LEN: u64 = 256 << 10;
/// How much of standard error goes into the error.
const MAX_STDERR_LEN: u64 = 2_000;
/// How long output is read after the exit: a process that the program has left running may hold the pipe open for ever.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a killed program is waited for.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);
/// Stack size of the threads that copy between pipes.
const COPY_STACK_SIZE: usize = 256 << 10;

/// Path and arguments of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
}

impl Program {
    /// Parses the property, which is quoted as for a shell. `None` if it is empty.
    pub fn parse(text: &str) -> Result<Option<Self>, Error> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let wrong = |why: &str| Error::new(ErrorKind::Settings, format!("tool-command: {why}"));
        let words = glib::shell_parse_argv(text).map_err(|error| wrong(error.message()).with_source(error))?;
        let mut words = words.into_iter();
        let name = PathBuf::from(words.next().ok_or_else(|| wrong("no program in it"))?);
        let path = find(&name).ok_or_else(|| wrong(&format!("there is no program '{}'", name.display())))?;
        Ok(Some(Self { path, args: words.collect() }))
    }

    /// Starts the program for one call.
    pub fn start(&self, function: &str, arguments: String) -> Result<RunningProgram, String> {
        let mut command = CommandWrap::with_new(&self.path, |_| {});
        // So that everything that it starts can be killed with it.
        #[cfg(unix)]
        command.wrap(process_wrap::std::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::std::JobObject);
        let plain = command.command_mut();
        plain.args(&self.args).arg(function);
        plain.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_secret(&name.to_string_lossy())) {
            plain.env_remove(name);
        }
        let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
        let (stdin, stdout, stderr) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let stdout = PipeReader::start(stdout, MAX_OUTPUT_LEN + 1);
        let stderr = PipeReader::start(stderr, MAX_STDERR_LEN);
        let written = write_arguments(stdin, arguments);
        let child = Mutex::new(child);
        match (stdout, stderr, written) {
            (Ok(stdout), Ok(stderr), Ok(())) => Ok(RunningProgram { child, stdout, stderr }),
            _ => {
                kill_and_wait(&child);
                Err("no thread to be had for what it writes".to_owned())
            }
        }
    }
}

/// Path of a program: as named, or on the search path.
fn find(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Whether the name of an environment variable looks like that of a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"].iter().any(|word| name.contains(word))
}

/// A process group or job with its pipes.
#[derive(Debug)]
pub struct RunningProgram {
    child: Mutex<Box<dyn ChildWrapper>>,
    stdout: PipeReader,
    stderr: PipeReader,
}

impl RunningProgram {
    fn child(&self) -> MutexGuard<'_, Box<dyn ChildWrapper>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The exit status, or `None` while it runs.
    pub fn exit_status(&self) -> Result<Option<ExitStatus>, String> {
        self.child().try_wait().map_err(|error| format!("it cannot be waited for: {error}"))
    }

    /// Kills the program with everything that it has started.
    pub fn kill(&self) {
        // It may have exited by itself.
        let _ = self.child().kill();
    }

    /// Kills the program and waits until it has exited, up to [`KILL_TIMEOUT`].
    pub fn kill_and_wait(&self) {
        kill_and_wait(&self.child);
    }

    /// The output, after the exit.
    pub fn output(&self, status: ExitStatus) -> Result<String, String> {
        let until = Instant::now() + OUTPUT_TIMEOUT;
        let (output, stderr) = (self.stdout.take(until), self.stderr.take(until));
        if !status.success() {
            let stderr = String::from_utf8_lossy(&stderr).trim().to_owned();
            let reason = if stderr.is_empty() { String::new() } else { format!(": {stderr}") };
            return Err(format!("it failed with {status}{reason}"));
        }
        if output.len() as u64 > MAX_OUTPUT_LEN {
            return Err(format!("its output is larger than {MAX_OUTPUT_LEN} bytes"));
        }
        String::from_utf8(output).map(|text| text.trim_end().to_owned()).map_err(|_| "its output is no UTF-8".into())
    }
}

fn kill_and_wait(child: &Mutex<Box<dyn ChildWrapper>>) {
    let child = || child.lock().unwrap_or_else(PoisonError::into_inner);
    // It may have exited by itself.
    let _ = child().kill();
    let until = Instant::now() + KILL_TIMEOUT;
    while matches!(child().try_wait(), Ok(None)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Writes the arguments to standard input, on a thread that nobody waits for: a program need not read them.
fn write_arguments(stdin: Option<impl Write + Send + 'static>, arguments: String) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("openairt-stdin".into()).stack_size(COPY_STACK_SIZE);
    let write = move || {
        sigpipe::block_on_this_thread();
        stdin.map(|mut stdin| stdin.write_all(arguments.as_bytes()))
    };
    thread.spawn(write).map(drop)
}

/// Reads a pipe on a thread of its own. The thread ends with the pipe, which may be long after the program: a process that
/// it has left running must not fail because nobody reads its output.
#[derive(Debug)]
struct PipeReader {
    data: Arc<Mutex<Vec<u8>>>,
    /// Disconnected at the end of the pipe.
    end: Mutex<mpsc::Receiver<()>>,
}

impl PipeReader {
    /// Keeps up to `max_len` bytes, and reads and drops the rest.
    fn start(pipe: Option<impl Read + Send + 'static>, max_len: u64) -> std::io::Result<Self> {
        let data = Arc::<Mutex<Vec<u8>>>::default();
        let (at_end, end) = mpsc::channel();
        let thread = std::thread::Builder::new().name("openairt-stdout".into()).stack_size(COPY_STACK_SIZE);
        let copied = data.clone();
        thread.spawn(move || {
            let Some(mut pipe) = pipe else { return };
            copy(&mut pipe, max_len, &copied);
            drop(at_end);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        })?;
        Ok(Self { data, end: Mutex::new(end) })
    }

    /// What was written until the end of the pipe, or until this time.
    fn take(&self, until: Instant) -> Vec<u8> {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent; it returns when the sender is dropped.
        let _ = end.recv_timeout(until.saturating_duration_since(Instant::now()));
        std::mem::take(&mut *self.data.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Copies up to `max_len` bytes as they come, so that a reader that stops early has what came before.
fn copy(from: &mut impl Read, max_len: u64, into: &Mutex<Vec<u8>>) {
    let (mut from, mut piece) = (from.take(max_len), [0; 8 << 10]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // What was read before the error counts; the exit status tells the rest.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_and_quoted_as_in_a_shell() {
        let parse = Program::parse;
        assert_eq!(parse("  ").expect("nothing"), None);
        let program = parse("sh -c 'echo \"a b\"'").expect("a program").expect("one");
        assert!(program.path.ends_with("sh") && program.args == ["-c", "echo \"a b\""]);
        for (text, expected) in [("no-such-program", "no program"), ("'open", "tool-command")] {
            let error = parse(text).expect_err(text);
            assert!(error.kind() == ErrorKind::Settings && error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn secrets_stay_at_home() {
        for name in ["OPENAI_API_KEY", "azure_openai_api_key", "GITHUB_TOKEN", "DB_PASSWORD"] {
            assert!(is_secret(name));
        }
        assert!(!is_secret("PATH") && !is_secret("HOME"));
    }
}
