// SPDX-License-Identifier: MPL-2.0

//! Function calls, as the application sees them: the signal, and the program that answers for people in a shell.
//!
//! Each call has a thread of its own, because handlers and programs take their time. How long they may take is the
//! conversation's decision: it says when a call has expired, and then a program is ended and a late output refused. A
//! program gets the function's name as its last argument and the call's arguments on standard input; what it writes to
//! standard output is the function's output. There is no shell, and it sees no variable of the environment that looks
//! like a secret.

use crate::error::{Failure, Warning};
use crate::net::sigpipe;
use gst::glib;
use process_wrap::std::{ChildWrapper, CommandWrap};
use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// What a program may write; the rest would not be read by any model.
const MAX_OUTPUT_LEN: u64 = 256 << 10;
/// How much of a program's complaint is shown.
const MAX_STDERR_LEN: u64 = 2_000;
/// Calls that are being answered at a time.
const MAX_PARALLEL_CALLS: usize = 32;
/// Expired calls that are remembered, for late outputs.
const EXPIRED: usize = 128;
/// How long after its end a program's output is read. Whatever it has started and left running holds the pipe open.
const LAST_OUTPUT: Duration = Duration::from_millis(100);
/// How long a program that was killed is waited for.
const KILLED: Duration = Duration::from_secs(1);
/// The stack of a thread that only copies.
const COPY_STACK: usize = 256 << 10;

/// A call of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The model's name for it.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

/// The element whose functions are called, as far as one call is concerned.
pub trait CallHost: Send + Sync + 'static {
    /// Asks the handlers of the application. It may take its time.
    fn ask(&self, call: &Call) -> Option<String>;
    /// The program that answers what they do not.
    fn program(&self) -> Option<Program>;
    /// Tells of the call, and whether somebody answers it.
    fn post(&self, handled: bool);
    /// Tells what is wrong.
    fn warn(&self, warning: Warning);
    /// Hands the output over.
    fn give(&self, call_id: &str, output: String);
}

/// The program that answers calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
}

impl Program {
    /// Reads the property: a program and arguments, quoted as in a shell but never run by one.
    pub fn parse(text: &str) -> Result<Option<Self>, Failure> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let wrong = |why: String| Failure::Settings(format!("tool-command: {why}"));
        let words = glib::shell_parse_argv(text).map_err(|error| wrong(error.to_string()))?;
        let mut words = words.into_iter();
        let name = PathBuf::from(words.next().ok_or_else(|| wrong("no program in it".into()))?);
        let path = find(&name).ok_or_else(|| wrong(format!("there is no program '{}'", name.display())))?;
        Ok(Some(Self { path, args: words.collect() }))
    }
}

/// Where a program is: as named, or on the search path.
fn find(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A program that runs, and everything that it has started.
type Running = Arc<Mutex<Box<dyn ChildWrapper>>>;

#[derive(Debug, Default)]
struct State {
    /// Calls that have no output.
    open: HashSet<String>,
    /// Calls that have got an error instead, newest last.
    expired: VecDeque<String>,
    /// Programs that run, to be ended with the session.
    running: Vec<(u64, Running)>,
    started: u64,
    busy: usize,
    stopped: bool,
}

/// The calls of a run.
#[derive(Debug, Default)]
pub struct Calls {
    state: Mutex<State>,
    changed: Condvar,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody answers a call. Tells why not where it is not open (any more).
    pub fn answer(&self, call_id: &str) -> Result<(), String> {
        let mut state = self.state();
        if state.open.remove(call_id) {
            Ok(())
        } else if state.expired.iter().any(|expired| expired == call_id) {
            Err(format!("the output of the call '{call_id}' comes too late: the model has got an error instead"))
        } else {
            Err(format!("there is no open call '{call_id}'"))
        }
    }

    /// A call has got an error as its output. A program that answers it is ended.
    pub fn expire(&self, call_id: &str) {
        let mut state = self.state();
        if state.expired.len() == EXPIRED {
            state.expired.pop_front();
        }
        state.expired.push_back(call_id.to_owned());
        state.open.remove(call_id);
        drop(state);
        self.changed.notify_all();
    }

    /// Nobody waits for the output of a call.
    fn is_over(&self, call_id: &str) -> bool {
        let state = self.state();
        state.stopped || !state.open.contains(call_id)
    }

    /// Ends the programs that run, and waits for their threads; a handler of the application is not waited for.
    pub fn stop(&self) {
        let running = {
            let mut state = self.state();
            state.stopped = true;
            state.open.clear();
            std::mem::take(&mut state.running)
        };
        for (_, child) in &running {
            // It may have ended by itself.
            let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        }
        if !running.is_empty() {
            let state = self.state();
            drop(self.changed.wait_timeout_while(state, Duration::from_secs(1), |state| state.busy > 0));
        }
    }
}

impl Calls {
    /// The model calls a function. Who answers it does so on a thread of its own.
    pub fn call(self: &Arc<Self>, host: impl CallHost, call: Call) {
        let host = Arc::new(host);
        {
            let mut state = self.state();
            if state.stopped {
                return;
            }
            state.open.insert(call.call_id.clone());
            if state.busy >= MAX_PARALLEL_CALLS {
                drop(state);
                let message =
                    format!("{MAX_PARALLEL_CALLS} functions are running already; '{}' waits for nobody", call.name);
                return self.fail_call(&*host, &call.call_id, "too many functions are running", message);
            }
            state.busy += 1;
        }
        let (call_id, name) = (call.call_id.clone(), call.name.clone());
        let spawned = std::thread::Builder::new().name("openairt-tool".into()).spawn({
            let (calls, host) = (self.clone(), host.clone());
            move || {
                calls.answer_call(&*host, &call);
                calls.state().busy -= 1;
                calls.changed.notify_all();
            }
        });
        if let Err(error) = spawned {
            self.state().busy -= 1;
            let message = format!("no thread to be had for the function '{name}': {error}");
            self.fail_call(&*host, &call_id, "the function could not be run", message);
        }
    }

    fn answer_call(&self, host: &impl CallHost, call: &Call) {
        let answer = host.ask(call);
        let program = host.program();
        host.post(answer.is_some() || program.is_some());
        if let Some(answer) = answer {
            return self.give_back(host, call, answer);
        }
        if let Some(program) = program
            && !self.is_over(&call.call_id)
        {
            match self.run_program(&program, call) {
                Ok(output) => self.give_back(host, call, output),
                // What has expired was told.
                Err(_) if self.is_over(&call.call_id) => {}
                Err(why) => {
                    let message = format!("tool-command for '{}': {why}", call.name);
                    self.fail_call(host, &call.call_id, &why, message);
                }
            }
        }
    }

    /// A handler or a program gave the output of a call.
    fn give_back(&self, host: &impl CallHost, call: &Call, output: String) {
        match self.answer(&call.call_id) {
            Ok(()) => host.give(&call.call_id, output),
            Err(_) if self.state().stopped => {}
            Err(why) => {
                let message = format!("what the function '{}' gave back is not sent: {why}", call.name);
                host.warn(Warning::new("call-answered", message).about(&call.call_id));
            }
        }
    }

    /// A call has no output and will have none: the model is told so, and the application why.
    fn fail_call(&self, host: &impl CallHost, call_id: &str, why: &str, warning: String) {
        if self.state().stopped {
            return;
        }
        host.warn(Warning::new("tool-command", warning).about(call_id));
        // Somebody else may have answered meanwhile.
        if self.answer(call_id).is_ok() {
            host.give(call_id, error_output(why));
        }
    }

    /// Runs the program to its end, that of the call or the session's. What it leaves running goes on.
    fn run_program(&self, program: &Program, call: &Call) -> Result<String, String> {
        let mut command = CommandWrap::with_new(&program.path, |_| {});
        // With everything that it starts.
        #[cfg(unix)]
        command.wrap(process_wrap::std::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::std::JobObject);
        let plain = command.command_mut();
        plain.args(&program.args).arg(&call.name);
        plain.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_secret(&name.to_string_lossy())) {
            plain.env_remove(name);
        }
        let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
        let (stdin, stdout, stderr) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let child = Arc::new(Mutex::new(child));
        let number = {
            let mut state = self.state();
            state.started += 1;
            let number = state.started;
            state.running.push((number, child.clone()));
            number
        };
        let output = Copied::start(stdout, MAX_OUTPUT_LEN + 1);
        let complaint = Copied::start(stderr, MAX_STDERR_LEN);
        let fed = feed(stdin, call.arguments.clone());
        let status = match (&output, &complaint, fed) {
            (Ok(_), Ok(_), Ok(())) => self.wait_for(&child, &call.call_id),
            _ => {
                end(&child);
                Err("no thread to be had for what it writes".to_owned())
            }
        };
        self.state().running.retain(|(running, _)| *running != number);
        let status = status?;
        let until = Instant::now() + LAST_OUTPUT;
        let [output, complaint] = [output, complaint].map(|copied| copied.map(|copied| copied.take(until)));
        let (output, complaint) = (output.unwrap_or_default(), complaint.unwrap_or_default());
        let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
        if !status.success() {
            let said = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
            return Err(format!("it failed with {status}{said}"));
        }
        if output.len() as u64 > MAX_OUTPUT_LEN {
            return Err(format!("its output is larger than {MAX_OUTPUT_LEN} bytes"));
        }
        String::from_utf8(output).map(|text| text.trim_end().to_owned()).map_err(|_| "its output is no UTF-8".into())
    }

    fn wait_for(&self, child: &Mutex<Box<dyn ChildWrapper>>, call_id: &str) -> Result<ExitStatus, String> {
        let mut pause = Duration::from_millis(1);
        loop {
            match child.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) => return Err(format!("it cannot be waited for: {error}")),
            }
            let waits = |state: &mut State| !state.stopped && state.open.contains(call_id);
            drop(self.changed.wait_timeout_while(self.state(), pause, waits));
            if self.is_over(call_id) {
                end(child);
                return Err("the call was over before it ended".to_owned());
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// Ends a program with everything that it has started, and waits a moment for it.
fn end(child: &Mutex<Box<dyn ChildWrapper>>) {
    let child = || child.lock().unwrap_or_else(PoisonError::into_inner);
    // It may have ended by itself.
    let _ = child().kill();
    let until = Instant::now() + KILLED;
    while matches!(child().try_wait(), Ok(None)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Writes a call's arguments. The thread is not waited for: a program need not read what it does not want to know.
fn feed(stdin: Option<impl Write + Send + 'static>, arguments: String) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("openairt-stdin".into()).stack_size(COPY_STACK);
    let write = move || {
        sigpipe::block_on_this_thread();
        stdin.map(|mut stdin| stdin.write_all(arguments.as_bytes()))
    };
    thread.spawn(write).map(drop)
}

/// What a program writes, read by a thread of its own. The thread ends with the pipe, which may be long after the
/// program: what it has left running is not ended by a pipe that nobody reads.
struct Copied {
    data: Arc<Mutex<Vec<u8>>>,
    end: mpsc::Receiver<()>,
}

impl Copied {
    fn start(from: Option<impl Read + Send + 'static>, most: u64) -> std::io::Result<Self> {
        let data = Arc::<Mutex<Vec<u8>>>::default();
        let (at_end, end) = mpsc::channel();
        let thread = std::thread::Builder::new().name("openairt-stdout".into()).stack_size(COPY_STACK);
        let copied = data.clone();
        thread.spawn(move || {
            let Some(mut from) = from else { return };
            copy(&mut from, most, &copied);
            drop(at_end);
            // A program that writes on is not held up.
            let _ = std::io::copy(&mut from, &mut std::io::sink());
        })?;
        Ok(Self { data, end })
    }

    /// What was written, once that is all, or at this time.
    fn take(self, until: Instant) -> Vec<u8> {
        // The other side says nothing, and is gone at the end.
        let _ = self.end.recv_timeout(until.saturating_duration_since(Instant::now()));
        std::mem::take(&mut *self.data.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Copies up to so many bytes, as they come.
fn copy(from: &mut impl Read, most: u64, into: &Mutex<Vec<u8>>) {
    let (mut from, mut piece) = (from.take(most), [0; 8 << 10]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // What was read before an error counts; the program's exit status tells the rest.
            Err(_) => return,
        }
    }
}

/// A function that could not answer, in the model's words.
fn error_output(why: &str) -> String {
    serde_json::json!({ "error": why }).to_string()
}

/// Whether a variable of the environment is none of a program's business.
fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"].iter().any(|word| name.contains(word))
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
            assert!(matches!(parse(text), Err(Failure::Settings(why)) if why.contains(expected)), "{text}");
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
