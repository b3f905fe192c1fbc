// SPDX-License-Identifier: MPL-2.0

//! Makes the time line out of a trace, a line at a time, so that a trace of hours need not be in memory.

use super::playout::Playout;
use super::turns::Turns;
use super::{Axis, Problem, Timeline};
use crate::audio::{self, Formats};
use crate::trace::{BadLine, Body, Event, Line, Reader};
use openai_protocol::{ClientEvent, ServerEvent};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// The state while a trace is read.
#[derive(Debug, Default)]
pub struct Builder {
    pub(super) timeline: Timeline,
    pub(super) axis: Axis,
    pub(super) turns: Turns,
    pub(super) playout: Playout,
    pub(super) formats: Formats,
    pub(super) model: String,
    /// Responses by the server's name, and the one that an item belongs to.
    pub(super) responses: HashMap<String, usize>,
}

impl Builder {
    /// Begins with an axis that knows whether the trace is live.
    pub fn new(axis: Axis) -> Self {
        Self { axis, ..Self::default() }
    }

    /// Takes the next line. Gives back its position.
    pub fn line(&mut self, line: &Line) -> f64 {
        match line.event() {
            Some(Ok(Event::Client(event))) => self.client(event, line.time),
            Some(Ok(Event::Server(event))) => self.server(event, line.time),
            Some(Err(error)) => self.problem(line.time, format!("line {}: {}", line.number, error.plain())),
            None => match &line.body {
                Body::Close { code, reason } => {
                    self.problem(line.time, format!("connection closed: code {code} {reason}").trim_end().to_owned());
                }
                Body::Raw(_) => self.problem(line.time, format!("line {}: a message that is no JSON", line.number)),
                Body::Event(_) => {}
            },
        }
        let position = self.axis.position(line.time);
        self.timeline.duration = self.timeline.duration.max(position);
        position
    }

    /// The time line of what was read.
    pub fn finish(self) -> Timeline {
        let mut timeline = self.timeline;
        timeline.is_live = self.axis.is_live();
        timeline.turns = self.turns.all;
        timeline.model = self.playout.heard;
        timeline.unheard = self.playout.unheard;
        for track in [&timeline.user, &timeline.model] {
            timeline.duration = timeline.duration.max(track.peaks.len() as f64 * super::PIECE);
        }
        timeline
    }

    pub(super) fn problem(&mut self, now: f64, text: String) {
        let position = self.axis.position(now);
        self.timeline.problems.push(Problem { position, text });
    }
}

/// Measures whether the user's sound was sent as fast as it plays.
#[derive(Default)]
struct Speed {
    formats: Formats,
    seconds: f64,
    began: Option<f64>,
    ended: f64,
}

impl Speed {
    fn line(&mut self, line: &Line) {
        let Body::Event(json) = &line.body else { return };
        // The pictures and the model's sound need not be decoded for this.
        if !["session.", "input_audio_buffer.append"].iter().any(|name| is_named(json.get(), name)) {
            return;
        }
        match line.event() {
            Some(Ok(Event::Client(ClientEvent::InputAudioBufferAppend(event)))) => {
                self.seconds += audio::seconds(&self.formats.input, event.audio.0.len());
                self.began.get_or_insert(line.time);
                self.ended = line.time;
            }
            Some(Ok(Event::Client(ClientEvent::SessionUpdate(event)))) => self.formats.set(&event.session),
            Some(Ok(Event::Server(ServerEvent::SessionUpdated(event)))) => self.formats.set(&event.session),
            _ => {}
        }
    }

    fn axis(&self) -> Axis {
        Axis::new(self.seconds, self.ended - self.began.unwrap_or(0.0))
    }
}

/// Whether a type may be the event's: it stands at the begin or the end of its JSON.
fn is_named(json: &str, name: &str) -> bool {
    const ENDS: usize = 200;
    let json = json.as_bytes();
    let has = |part: &[u8]| part.windows(name.len()).any(|window| window == name.as_bytes());
    has(&json[..json.len().min(ENDS)]) || has(&json[json.len().saturating_sub(ENDS)..])
}

/// Reads a file twice: for its speed, and for `each` line with its position. Gives back the lines that could not be read.
pub fn read(path: &Path, mut each: impl FnMut(&Line, f64)) -> io::Result<(Timeline, Vec<BadLine>)> {
    let open = || File::open(path).map(|file| Reader::new(BufReader::with_capacity(1 << 16, file)));
    let mut speed = Speed::default();
    for line in open()? {
        if let Ok(line) = line? {
            speed.line(&line);
        }
    }
    let (mut builder, mut bad) = (Builder::new(speed.axis()), Vec::new());
    for line in open()? {
        match line? {
            Ok(line) => {
                let position = builder.line(&line);
                each(&line, position);
            }
            Err(line) => bad.push(line),
        }
    }
    Ok((builder.finish(), bad))
}
