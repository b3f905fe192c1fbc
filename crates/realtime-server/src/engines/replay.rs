// SPDX-License-Identifier: MPL-2.0

//! The engine that plays a trace: it waits for what the client said then, and says what the server said then.
//!
//! Events of the client are awaited in their order and compared by their type. Sound is awaited by its length, however
//! it is cut into appends: what the server said after so many milliseconds, it says again after so many. A client that
//! goes on to its next event with less sound is not kept waiting. Everything else that the client says is taken no
//! notice of. Names that the client gives anew in every run, of its events and items, are put in the place of the old
//! ones.

use crate::engines::scripted_socket::{Appended, Got, ScriptedSocket, in_short, is_sound};
use crate::socket::Socket;
use crate::trace::{self, Close, Line, Side};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long the client may take for what it said then, or to go on with its sound.
const PATIENCE: Duration = Duration::from_secs(30);

/// A trace that is to be played.
pub struct Replay {
    lines: Vec<Line>,
    speed: Option<f64>,
}

impl Replay {
    /// Reads a trace; `speed` keeps its pace, so many times faster.
    pub fn load(path: &Path, speed: Option<f64>) -> anyhow::Result<Self> {
        let lines = trace::read(path)?;
        anyhow::ensure!(!lines.is_empty(), "{}: there is no line of a trace in it", path.display());
        Ok(Self { lines, speed })
    }

    /// Plays it for one client.
    pub async fn play(&self, socket: Socket) {
        let mut part =
            Part { stage: ScriptedSocket::new(socket, false), then: Appended::default(), names: HashMap::new() };
        let mut last = self.lines.first().map_or(0.0, |line| line.t);
        for (index, line) in self.lines.iter().enumerate() {
            let due = self.speed.map(|speed| Instant::now() + pause(last, line.t, speed));
            last = line.t;
            let done = match (line.dir, &line.ev, &line.close) {
                (Side::Client, Some(event), _) if is_sound(event) => part.hear(event, self.next_word(index)).await,
                (Side::Client, Some(event), _) => part.expect(event).await,
                (Side::Client, _, Some(_)) => part.expect_close().await,
                (Side::Server, Some(event), _) => {
                    if let Some(due) = due {
                        sleep_until(due).await;
                    }
                    part.say(event).await
                }
                (Side::Server, _, Some(Close { code, reason })) => return part.stage.close(*code, reason).await,
                _ => Ok(()),
            };
            if let Err(problem) = done {
                tracing::error!("the replay ends early: {problem}");
                return part.stage.close(1008, &problem).await;
            }
        }
        part.stage.ignore().await;
    }

    /// The type of what the client says after this sound, unless the server says something before.
    fn next_word(&self, index: usize) -> Option<&Value> {
        let event = |line: &Line| line.ev.as_ref().filter(|event| !is_sound(event)).is_some();
        let next = self.lines[index..].iter().find(|line| line.dir == Side::Server || event(line))?;
        next.ev.as_ref().filter(|_| next.dir == Side::Client).map(|event| &event["type"])
    }
}

/// The time between two lines of a trace, so many times faster. A trace of any other origin may name any time.
fn pause(from: f64, to: f64, speed: f64) -> Duration {
    const LONGEST: f64 = 24.0 * 3600.0;
    Duration::try_from_secs_f64(((to - from) / speed).clamp(0.0, LONGEST)).unwrap_or_default()
}

/// A trace while it is played.
struct Part {
    stage: ScriptedSocket,
    /// The sound up to this line of the trace.
    then: Appended,
    /// Names of the trace, and those of this run.
    names: HashMap<String, String>,
}

impl Part {
    /// Waits for as much sound as there was then, or for the client to go on without it.
    async fn hear(&mut self, event: &Value, next: Option<&Value>) -> Result<(), String> {
        self.then.take(event);
        let mut heard = self.stage.appended().ms();
        let mut deadline = Instant::now() + PATIENCE;
        // Half a millisecond is what the rounding of any format may take.
        while self.stage.appended().ms() + 0.5 < self.then.ms() && !next.is_some_and(|name| self.stage.has(name)) {
            if !self.stage.read(deadline).await {
                return Err(format!("only {heard:.0} of {:.0} ms of audio came", self.then.ms()));
            }
            if self.stage.appended().ms() > heard {
                heard = self.stage.appended().ms();
                deadline = Instant::now() + PATIENCE;
            }
        }
        Ok(())
    }

    /// Waits for the client to say what it said then.
    async fn expect(&mut self, event: &Value) -> Result<(), String> {
        self.then.take(event);
        let mut heard = self.stage.appended().ms();
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            match self.stage.next(deadline).await {
                Some(Got::Event(got)) if got["type"] == event["type"] => {
                    self.learn(event, &got);
                    return Ok(());
                }
                Some(Got::Event(got)) => tracing::info!("not in the trace: {}", in_short(&got)),
                Some(Got::Pong) => {}
                Some(Got::Closed(close)) => {
                    return Err(format!("the client left ({}) before {}", close.code, event["type"]));
                }
                // Who still sends sound is about to say it.
                None if self.stage.appended().ms() > heard => {
                    heard = self.stage.appended().ms();
                    deadline = Instant::now() + PATIENCE;
                }
                None => return Err(format!("the client did not say {}", event["type"])),
            }
        }
    }

    async fn expect_close(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.stage.next(deadline).await {
                Some(Got::Closed(_)) => return Ok(()),
                Some(_) => {}
                None => return Err("the client did not close".into()),
            }
        }
    }

    /// Remembers the names that the client gives in this run.
    fn learn(&mut self, then: &Value, now: &Value) {
        for place in ["/event_id", "/item/id", "/item_id"] {
            if let (Some(Value::String(then)), Some(Value::String(now))) = (then.pointer(place), now.pointer(place)) {
                self.names.entry(then.clone()).or_insert_with(|| now.clone());
            }
        }
    }

    /// Says what the server said then.
    async fn say(&mut self, event: &Value) -> Result<(), String> {
        let mut event = event.clone();
        self.rename(&mut event);
        self.stage.send(event).await.map_err(|error| error.to_string())
    }

    fn rename(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(name) = self.names.get(text.as_str()) {
                    text.clone_from(name);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.rename(value)),
            Value::Object(map) => map.values_mut().for_each(|value| self.rename(value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_it_was_and_never_absurd() {
        assert_eq!(pause(1.0, 3.0, 4.0), Duration::from_millis(500));
        assert_eq!(pause(3.0, 1.0, 1.0), Duration::ZERO);
        for (from, to, speed) in [(0.0, 1e300, 1.0), (-1e308, 1e308, 1.0), (0.0, 1.0, 1e-300), (1e308, 1e308, 1e-300)] {
            assert!(pause(from, to, speed) <= Duration::from_secs(24 * 3600), "{from} to {to}");
        }
    }
}
