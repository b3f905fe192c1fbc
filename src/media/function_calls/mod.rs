// SPDX-License-Identifier: MPL-2.0

//! Function calls of the model: answered by a handler of the signal `function-call`, by the program in `tool-command`, or
//! later by the action `send-function-output`.
//!
//! Each call has a thread of its own, because handlers and programs take their time. The conversation decides how long
//! they may take: when it says that a call has expired, its program is killed, and an output that comes later is refused.

mod program;

pub use program::Program;

use crate::error::Warning;
use crate::media::function_calls::program::RunningProgram;
use std::collections::{HashSet, VecDeque};
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Maximum number of calls that are being answered at once.
const MAX_PARALLEL_CALLS: usize = 32;
/// Number of expired calls that are remembered, to tell a late output from one that nobody asked for.
const MAX_EXPIRED_CALLS: usize = 128;
/// How long the end of a run waits for the threads of programs that were killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// The exit of a program is polled, at intervals that double up to this one.
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A function call of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub call_id: String,
    /// Name of the function.
    pub name: String,
    /// JSON.
    pub arguments: String,
}

/// What a call needs of its element.
pub trait CallHost: Send + Sync + 'static {
    /// Emits the signal `function-call`, whose handlers may take their time.
    fn emit_signal(&self, call: &Call) -> Option<String>;
    /// The program for calls that no handler answers.
    fn program(&self) -> Option<Program>;
    /// Posts the message about the call; `handled` says whether a handler or a program answers it.
    fn post(&self, handled: bool);
    /// Posts a warning.
    fn warn(&self, warning: Warning);
    /// Sends the output to the model.
    fn send_output(&self, call_id: &str, output: String);
}

#[derive(Debug, Default)]
struct State {
    /// Calls without an output.
    open: HashSet<String>,
    /// Calls whose output is an error because they took too long, newest last.
    expired: VecDeque<String>,
    /// Killed when the run ends.
    running: Vec<(u64, Arc<RunningProgram>)>,
    started: u64,
    /// Number of threads that answer a call.
    busy: usize,
    stopped: bool,
}

/// The function calls of a run.
#[derive(Debug, Default)]
pub struct Calls {
    state: Mutex<State>,
    changed: Condvar,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a call for which there is an output; an error if it is not open.
    pub fn take_open(&self, call_id: &str) -> Result<(), String> {
        let mut state = self.state();
        if state.open.remove(call_id) {
            Ok(())
        } else if state.expired.iter().any(|expired| expired == call_id) {
            Err(format!("the output of the call '{call_id}' comes too late: the model has got an error instead"))
        } else {
            Err(format!("there is no open call '{call_id}'"))
        }
    }

    /// A call has expired: its program is killed, and its output refused.
    pub fn expire(&self, call_id: &str) {
        let mut state = self.state();
        if state.expired.len() == MAX_EXPIRED_CALLS {
            state.expired.pop_front();
        }
        state.expired.push_back(call_id.to_owned());
        state.open.remove(call_id);
        drop(state);
        self.changed.notify_all();
    }

    /// Whether an output of the call would not be used any more.
    fn is_over(&self, call_id: &str) -> bool {
        let state = self.state();
        state.stopped || !state.open.contains(call_id)
    }

    /// Kills the running programs and waits for their threads, but not for handlers of the application.
    pub fn stop(&self) {
        let running = {
            let mut state = self.state();
            state.stopped = true;
            state.open.clear();
            std::mem::take(&mut state.running)
        };
        running.iter().for_each(|(_, program)| program.kill());
        if !running.is_empty() {
            let state = self.state();
            drop(self.changed.wait_timeout_while(state, STOP_TIMEOUT, |state| state.busy > 0));
        }
    }

    /// Starts the thread that answers a call.
    pub fn start(self: &Arc<Self>, host: impl CallHost, call: Call) {
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
        let answer = host.emit_signal(call);
        let program = host.program();
        host.post(answer.is_some() || program.is_some());
        if let Some(answer) = answer {
            return self.send_output(host, call, answer);
        }
        if let Some(program) = program
            && !self.is_over(&call.call_id)
        {
            match self.run_program(&program, call) {
                Ok(output) => self.send_output(host, call, output),
                // That was posted when it expired.
                Err(_) if self.is_over(&call.call_id) => {}
                Err(why) => {
                    let message = format!("tool-command for '{}': {why}", call.name);
                    self.fail_call(host, &call.call_id, &why, message);
                }
            }
        }
    }

    /// Sends the output of a handler or a program, unless the call has another one.
    fn send_output(&self, host: &impl CallHost, call: &Call, output: String) {
        match self.take_open(&call.call_id) {
            Ok(()) => host.send_output(&call.call_id, output),
            Err(_) if self.state().stopped => {}
            Err(why) => {
                let message = format!("what the function '{}' gave back is not sent: {why}", call.name);
                host.warn(Warning::new("call-answered", message).about(&call.call_id));
            }
        }
    }

    /// Sends an error as the output of a call, and posts a warning with the reason.
    fn fail_call(&self, host: &impl CallHost, call_id: &str, why: &str, warning: String) {
        if self.state().stopped {
            return;
        }
        host.warn(Warning::new("tool-command", warning).about(call_id));
        // Somebody else may have answered meanwhile.
        if self.take_open(call_id).is_ok() {
            host.send_output(call_id, error_output(why));
        }
    }

    /// Runs a program until it exits, the call expires or the run ends.
    fn run_program(&self, program: &Program, call: &Call) -> Result<String, String> {
        let program = Arc::new(program.start(&call.name, call.arguments.clone())?);
        let number = {
            let mut state = self.state();
            state.started += 1;
            let number = state.started;
            state.running.push((number, program.clone()));
            number
        };
        let exited = self.wait_for(&program, &call.call_id);
        self.state().running.retain(|(running, _)| *running != number);
        program.output(exited?)
    }

    fn wait_for(&self, program: &RunningProgram, call_id: &str) -> Result<ExitStatus, String> {
        let mut interval = Duration::from_millis(1);
        loop {
            if let Some(status) = program.exit_status()? {
                return Ok(status);
            }
            let waits = |state: &mut State| !state.stopped && state.open.contains(call_id);
            drop(self.changed.wait_timeout_while(self.state(), interval, waits));
            if self.is_over(call_id) {
                program.kill_and_wait();
                return Err("the call was over before it ended".to_owned());
            }
            interval = (interval * 2).min(MAX_POLL_INTERVAL);
        }
    }
}

/// The output that tells the model that a function has failed.
fn error_output(why: &str) -> String {
    serde_json::json!({ "error": why }).to_string()
}
