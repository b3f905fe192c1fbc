//! The engine that plays a trace: it waits for what the client said then, and says what the server said then.
//!
//! Events of the client are awaited in their order and compared by their type; sound is awaited by its amount.
//! Everything else that the client says is taken no notice of. Names that the client gives anew in every run, of its
//! events and items, are put in the place of the old ones.

use super::play::{Got, Stage, in_short};
use crate::socket::Socket;
use crate::trace::{self, Close, Line, Side};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long the client may take for what it said then.
const PATIENCE: Duration = Duration::from_secs(30);

/// A trace that is to be played.
pub struct Replay {
    lines: Vec<Line>,
    speed: Option<f64>,
}

impl Replay {
    /// Reads a trace; `speed` keeps its pace, so many times faster.
    pub fn load(path: &Path, speed: Option<f64>) -> anyhow::Result<Self> {
        Ok(Self { lines: trace::read(path)?, speed })
    }

    /// Plays it for one client.
    pub async fn play(&self, socket: Socket) {
        let mut part = Part { stage: Stage::new(socket, false), audio: 0, names: HashMap::new() };
        let mut last = self.lines.first().map_or(0.0, |line| line.t);
        for line in &self.lines {
            let due =
                self.speed.map(|speed| Instant::now() + Duration::from_secs_f64((line.t - last).max(0.0) / speed));
            last = line.t;
            let done = match (line.dir, &line.ev, &line.close) {
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
}

/// A trace while it is played.
struct Part {
    stage: Stage,
    /// Bytes of sound that were awaited so far.
    audio: usize,
    /// Names of the trace, and those of this run.
    names: HashMap<String, String>,
}

impl Part {
    /// Waits for the client to say what it said then.
    async fn expect(&mut self, event: &Value) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        if event["type"] == "input_audio_buffer.append" {
            self.audio += super::standin::audio_bytes(event);
            while self.stage.audio_bytes() < self.audio {
                if !self.stage.read(deadline).await {
                    return Err(format!("only {} ms of audio came", self.stage.audio_ms()));
                }
            }
            return Ok(());
        }
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
