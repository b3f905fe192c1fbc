//! Function calls, as the application sees them: the signal, and the program that answers for people in a shell.
//!
//! Each call has a thread of its own, because handlers and programs take their time. A program gets the function's
//! name as its last argument and the call's arguments on standard input; what it writes to standard output is the
//! function's output. There is no shell, and it sees no variable of the environment that looks like a secret.

use super::imp::{CAT, OpenAIRealtime};
use super::messages;
use super::run::Run;
use crate::conversation::events::FunctionCall;
use crate::conversation::{Command, Failure, Warning};
use crate::media::errors;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use process_wrap::std::{ChildWrapper, CommandWrap};
use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a program may write; the rest would not be read by any model.
const LARGEST_OUTPUT: u64 = 256 << 10;
/// How much of a program's complaint is shown.
const LONGEST_COMPLAINT: u64 = 2_000;
/// Calls that are being answered at a time.
const AT_A_TIME: usize = 32;

/// The program that answers calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    timeout: Duration,
}

impl Program {
    /// Reads the property: a program and arguments, quoted as in a shell but never run by one.
    pub fn parse(text: &str, timeout: Duration) -> Result<Option<Self>, Failure> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let wrong = |why: String| Failure::Settings(format!("tool-command: {why}"));
        let words = glib::shell_parse_argv(text).map_err(|error| wrong(error.to_string()))?;
        let mut words = words.into_iter();
        let name = PathBuf::from(words.next().ok_or_else(|| wrong("no program in it".into()))?);
        let path = find(&name).ok_or_else(|| wrong(format!("there is no program '{}'", name.display())))?;
        Ok(Some(Self { path, args: words.collect(), timeout }))
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

    /// Somebody answers a call. False where it is not open (any more).
    pub fn answer(&self, call_id: &str) -> bool {
        self.state().open.remove(call_id)
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

impl Run {
    /// The model calls a function. Who answers it does so on a thread of its own.
    pub fn call(self: &Arc<Self>, element: &super::OpenAIRealtime, call: FunctionCall) {
        {
            let mut state = self.calls.state();
            if state.stopped {
                return;
            }
            state.open.insert(call.call_id.clone());
            if state.busy >= AT_A_TIME {
                drop(state);
                let message = format!("{AT_A_TIME} functions are running already; '{}' waits for nobody", call.name);
                self.give_back(element, &call.call_id, error_output("too many functions are running"), Some(message));
                return;
            }
            state.busy += 1;
        }
        let (run, element, name) = (self.clone(), element.clone(), call.call_id.clone());
        let spawned = std::thread::Builder::new().name("openairt-tool".into()).spawn({
            let element = element.clone();
            move || {
                run.answer_call(&element, &call);
                run.calls.state().busy -= 1;
                run.calls.changed.notify_all();
            }
        });
        if let Err(error) = spawned {
            self.calls.state().busy -= 1;
            let message = format!("no thread to be had for a function: {error}");
            self.give_back(&element, &name, error_output("the function could not be run"), Some(message));
        }
    }

    fn answer_call(&self, element: &super::OpenAIRealtime, call: &FunctionCall) {
        let answer =
            element.emit_by_name::<Option<String>>("function-call", &[&call.name, &call.call_id, &call.arguments]);
        let program = self.program();
        element.imp().tell_call(call, answer.is_some() || program.is_some());
        if let Some(answer) = answer {
            return self.give_back(element, &call.call_id, answer, None);
        }
        if let Some(program) = program
            && self.calls.state().open.contains(&call.call_id)
        {
            match self.run_program(&program, call) {
                Ok(output) => self.give_back(element, &call.call_id, output, None),
                Err(why) => {
                    let message = format!("tool-command for '{}': {why}", call.name);
                    self.give_back(element, &call.call_id, error_output(&why), Some(message));
                }
            }
        }
    }

    /// The output of a call, unless somebody was faster.
    fn give_back(&self, element: &super::OpenAIRealtime, call_id: &str, output: String, warning: Option<String>) {
        let is_stopped = self.calls.state().stopped;
        if let Some(warning) = warning.filter(|_| !is_stopped) {
            errors::post_warning(element.upcast_ref(), &Warning::new("tool-command", warning));
        }
        if self.calls.answer(call_id) {
            let command = Command::FunctionOutput { call_id: call_id.to_owned(), output };
            if self.mailbox.push_command(command, false).is_err() {
                gst::debug!(CAT, obj = element, "the session was over before the output of {call_id} was there");
            }
        }
    }

    /// Runs the program to its end, its time limit or the session's end.
    fn run_program(&self, program: &Program, call: &FunctionCall) -> Result<String, String> {
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
            let mut state = self.calls.state();
            state.started += 1;
            let number = state.started;
            state.running.push((number, child.clone()));
            number
        };
        let arguments = call.arguments.clone().into_bytes();
        let ended = std::thread::scope(|scope| {
            scope.spawn(move || {
                if let Some(mut stdin) = stdin {
                    // A program need not read what it does not want to know.
                    let _ = stdin.write_all(&arguments);
                }
            });
            let output = scope.spawn(move || read(stdout, LARGEST_OUTPUT + 1));
            let complaint = scope.spawn(move || read(stderr, LONGEST_COMPLAINT));
            let ended = self.wait_for(&child, program.timeout);
            (ended, output.join().unwrap_or_default(), complaint.join().unwrap_or_default())
        });
        self.calls.state().running.retain(|(running, _)| *running != number);
        let (status, output, complaint) = ended;
        let status = status?;
        let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
        if !status.success() {
            let said = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
            return Err(format!("it failed with {status}{said}"));
        }
        if output.len() as u64 > LARGEST_OUTPUT {
            return Err(format!("its output is larger than {LARGEST_OUTPUT} bytes"));
        }
        String::from_utf8(output).map(|text| text.trim_end().to_owned()).map_err(|_| "its output is no UTF-8".into())
    }

    fn wait_for(&self, child: &Mutex<Box<dyn ChildWrapper>>, limit: Duration) -> Result<ExitStatus, String> {
        let child = || child.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, mut pause) = (Instant::now() + limit, Duration::from_millis(1));
        loop {
            match child().try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) => return Err(format!("it cannot be waited for: {error}")),
            }
            let left = until.saturating_duration_since(Instant::now());
            let stopped = {
                let state = self.calls.state();
                let wait = self.calls.changed.wait_timeout_while(state, pause.min(left), |state| !state.stopped);
                wait.unwrap_or_else(PoisonError::into_inner).0.stopped
            };
            if stopped || left.is_zero() {
                // It may have ended by itself.
                let _ = child().kill();
                let _ = child().wait();
                let why = if stopped { "the session ended before it did".to_owned() } else { too_long(limit) };
                return Err(why);
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

fn too_long(limit: Duration) -> String {
    format!("it took longer than {} s", limit.as_secs_f64())
}

fn read(from: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut data = Vec::new();
    if let Some(mut from) = from {
        // What was read before an error counts; the program's exit status tells the rest.
        let _ = from.by_ref().take(most).read_to_end(&mut data);
        // A program that writes on is not held up.
        let _ = std::io::copy(&mut from, &mut std::io::sink());
    }
    data
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

impl OpenAIRealtime {
    fn tell_call(&self, call: &FunctionCall, handled: bool) {
        messages::post(&self.obj(), messages::function_call(call, handled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_and_quoted_as_in_a_shell() {
        let parse = |text: &str| Program::parse(text, Duration::from_secs(1));
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
