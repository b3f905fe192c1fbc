// SPDX-License-Identifier: MPL-2.0

//! The engine that does what a file says, also wrong things: every fault that a network and a server can have, at a
//! given point.
//!
//! A script has a scene for each connection. `parse` reads it word by word with `cursor`, `pattern` holds what the client says against it, and
//! `run` plays a scene; the format is described in `docs/server.md`. A client that does not do what the script
//! expects makes the scene, and in the end the process, fail.

mod cursor;
mod http_scene;
mod parse;
mod pattern;
mod run;

use crate::engines::scripted_socket::{APPENDS, ScriptedSocket};
use crate::http_error::refusal;
use crate::socket::{Socket, Wire};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use openai_protocol::session::SessionKind;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A script as it was read.
#[derive(Debug, Default, PartialEq)]
pub struct Script {
    connections: Vec<ConnectionScript>,
}

/// What happens on one connection.
#[derive(Clone, Debug, PartialEq)]
struct ConnectionScript {
    /// Which connection; `None`: every one that has no scene of its own.
    number: Option<usize>,
    handshake: Handshake,
    steps: Vec<Step>,
}

/// How the request for the upgrade is answered.
#[derive(Clone, Debug, Default, PartialEq)]
enum Handshake {
    #[default]
    Accept,
    Refuse {
        status: u16,
        headers: Vec<(String, String)>,
        body: Option<String>,
    },
    Hang,
    Drop,
    Reset,
}

/// A line of a scene.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    line: usize,
    act: Statement,
}

/// What is done.
#[derive(Clone, Debug, PartialEq)]
enum Statement {
    /// The client's next event must be this one; or, with `skip`, one of its next events.
    Expect {
        name: String,
        pattern: Option<Value>,
        within: Duration,
        skip: bool,
    },
    ExpectClose {
        code: Option<u16>,
        within: Duration,
    },
    ExpectPong {
        within: Duration,
    },
    /// These events need no `expect` from now on.
    Ignore(Vec<String>),
    Send(Value),
    Hello,
    Respond {
        text: String,
        sounds: Vec<String>,
    },
    Text(String),
    Binary(usize),
    InvalidFrame,
    InvalidUtf8,
    HalfFrame(Value),
    Ping,
    Wait(Duration),
    WaitAudio {
        ms: usize,
        within: Duration,
    },
    StopReading,
    Close {
        code: u16,
        reason: String,
    },
    Drop,
    Reset,
}

/// A script on its way: how many connections there were, and whether all went well.
pub struct ScriptRunner {
    name: String,
    script: Script,
    came: AtomicUsize,
    failures: Mutex<Vec<String>>,
    /// How many of the numbered scenes have ended.
    ended: watch::Sender<usize>,
}

impl ScriptRunner {
    /// Reads a script. An error names file, line and column.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let script = crate::engines::script::parse::script(&text).map_err(|fault| anyhow::anyhow!("{name}:{fault}"))?;
        Ok(Self { name, script, came: AtomicUsize::new(0), failures: Mutex::default(), ended: watch::Sender::new(0) })
    }

    /// What clients did not do as expected, a line each.
    pub fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until every numbered scene has ended.
    pub async fn finished(&self) {
        let numbered = self.script.connections.iter().filter(|scene| scene.number.is_some()).count();
        // The sender lives as long as `self`.
        let _ = self.ended.subscribe().wait_for(|ended| *ended >= numbered).await;
    }

    /// Says what went wrong; the process will fail in the end.
    fn fail(&self, line: usize, problem: &str) {
        let failure = format!("{}:{line}: {problem}", self.name);
        eprintln!("{failure}");
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    /// The scene of the connection that comes in now.
    pub async fn enter(self: &Arc<Self>) -> Result<RunGuard, Refused> {
        let number = self.came.fetch_add(1, Ordering::Relaxed) + 1;
        let connections = &self.script.connections;
        let own = connections.iter().position(|scene| scene.number == Some(number));
        let Some(scene) = own.or_else(|| connections.iter().position(|scene| scene.number.is_none())) else {
            self.fail(0, &format!("connection {number} came, for which there is no scene"));
            return Err(Refused { handshake: Handshake::default(), _ticket: None });
        };
        let guard = RunGuard { runner: self.clone(), scene };
        match &connections[scene].handshake {
            Handshake::Accept => Ok(guard),
            handshake => Err(Refused { handshake: handshake.clone(), _ticket: Some(guard) }),
        }
    }

    fn scene_of(&self, guard: &RunGuard) -> &ConnectionScript {
        &self.script.connections[guard.scene]
    }

    /// Plays a scene to its end.
    pub async fn play(&self, socket: Socket, guard: RunGuard, wire: Option<Arc<Wire>>, kind: SessionKind) {
        let scene = &self.script.connections[guard.scene];
        let wants_audio = scene.steps.iter().any(|step| match &step.act {
            Statement::Expect { name, .. } => APPENDS.contains(&name.as_str()),
            _ => false,
        });
        crate::engines::script::run::scene(self, scene, ScriptedSocket::new(socket, wants_audio), wire, kind).await;
        drop(guard);
    }
}

/// A connection's place in the play. The scene has ended when it is dropped.
pub struct RunGuard {
    runner: Arc<ScriptRunner>,
    scene: usize,
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if self.runner.script.connections[self.scene].number.is_some() {
            self.runner.ended.send_modify(|ended| *ended += 1);
        }
    }
}

/// A connection that does not become a WebSocket.
pub struct Refused {
    handshake: Handshake,
    _ticket: Option<RunGuard>,
}

impl Refused {
    /// Treats the request as the script says.
    pub async fn respond(self, wire: Option<&Wire>) -> Response {
        match &self.handshake {
            Handshake::Refuse { status, headers, body } => answer(*status, headers, body.as_deref()),
            Handshake::Accept => refusal(StatusCode::INTERNAL_SERVER_ERROR, "The script has no scene for this.", None),
            handshake => {
                let broken = match (handshake, wire) {
                    (Handshake::Drop, Some(wire)) => wire.finish(),
                    (Handshake::Reset, Some(wire)) => wire.reset_on_drop().and_then(|()| wire.stop_reading()),
                    _ => Ok(()),
                };
                if let Err(error) = broken {
                    tracing::debug!("cannot break the connection: {error}");
                }
                // Never answers; the connection ends when the client, or the wire, does.
                std::future::pending().await
            }
        }
    }
}

fn answer(status: u16, headers: &[(String, String)], body: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        Some(body) => (status, body.to_string()).into_response(),
        None => refusal(status, "The script refuses this connection.", None),
    };
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
