// SPDX-License-Identifier: MPL-2.0

//! A trace as a time line: who spoke when, turns and the responses to them, barge-ins, function calls, pictures. Statistics
//! and the page are made of it.
//!
//! Two times are kept. `Line::time` is when an event went over the wire, which latencies are made of. A *position* is where
//! something is on the time line: the same for a live session, but where a recording was sent faster than it plays, time runs
//! with the samples that were sent.

mod axis;
mod builder;
mod events;
mod playout;
mod turns;

pub use axis::{Axis, PIECE};
pub use builder::{Builder, read};

use crate::latency::Latency;
use openai_protocol::Usage;

/// A trace as a time line.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Its length in seconds.
    pub duration: f64,
    /// Whether the user's sound was sent as fast as it plays.
    pub is_live: bool,
    /// Each session that the server opened.
    pub sessions: Vec<Session>,
    /// The user's turns.
    pub turns: Vec<Turn>,
    /// The responses.
    pub responses: Vec<Response>,
    /// The barge-ins.
    pub interruptions: Vec<Interruption>,
    /// Function calls.
    pub calls: Vec<Call>,
    /// Pictures that were sent.
    pub pictures: Vec<Picture>,
    /// Errors, and ends of connections.
    pub problems: Vec<Problem>,
    /// The user's sound.
    pub user: Track,
    /// The model's sound, as far as it was heard.
    pub model: Track,
    /// The rest of it, which a barge-in cut off.
    pub unheard: Track,
}

/// A session of the server.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Begin on the time line, in seconds.
    pub position: f64,
    /// The server's name for it.
    pub id: String,
    /// The model.
    pub model: String,
}

/// A turn of the user.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The item.
    pub item: String,
    /// Where the speech begins and ends, or where the text was sent.
    pub begin: f64,
    /// See `begin`.
    pub end: f64,
    /// The words.
    pub words: String,
    /// Whether it was typed.
    pub is_text: bool,
    /// Times on the wire.
    pub times: TurnTimes,
    /// The first response to it, by its place in the list.
    pub response: Option<usize>,
}

/// When a turn reached its stages, on the clock of the wire.
#[derive(Clone, Debug, Default)]
pub struct TurnTimes {
    /// When the last sample of the speech was sent, as the server's VAD tells the end.
    pub speech_end: Option<f64>,
    /// When the server told of the end.
    pub stopped: Option<f64>,
    /// When the client ended the turn: a commit, or a text.
    pub sent: Option<f64>,
    /// When the server acknowledged it as an item.
    pub committed: Option<f64>,
    /// When the first response began.
    pub response: Option<f64>,
    /// When the first sound or text of a response came.
    pub first_output: Option<f64>,
}

/// Names of the stages of a turn.
pub const STAGES: [&str; 4] = ["speech stopped", "committed", "response created", "first output"];

impl TurnTimes {
    /// The stages one after the other, if the turn was answered.
    pub fn latency(&self) -> Option<Latency> {
        self.first_output?;
        let mut latency = Latency::default();
        latency.reached("turn ended", self.speech_end.or(self.sent));
        latency.reached(STAGES[0], self.stopped);
        latency.reached(STAGES[1], self.committed);
        latency.reached(STAGES[2], self.response);
        latency.reached(STAGES[3], self.first_output);
        latency.total().is_some().then_some(latency)
    }
}

/// A response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The server's name for it.
    pub id: String,
    /// Where it was created.
    pub position: f64,
    /// Where its sound begins and ends, as far as it was heard; of a written one, where its text came.
    pub begin: Option<f64>,
    /// See `begin`.
    pub end: Option<f64>,
    /// The words.
    pub words: String,
    /// Seconds of sound that came.
    pub seconds: f64,
    /// What became of it, in the API's word; empty while it is not known.
    pub status: String,
    /// Why.
    pub reason: String,
    /// What it used.
    pub usage: Option<Usage>,
    /// What it cost by the list of prices, in US dollars, if the model's are known.
    pub cost: Option<f64>,
}

/// A response that was cut off.
#[derive(Clone, Debug, Default)]
pub struct Interruption {
    /// Where the sound ends.
    pub position: f64,
    /// Seconds of the message that were heard.
    pub heard: f64,
    /// The message.
    pub item: String,
    /// The response, by its place in the list.
    pub response: Option<usize>,
    /// Seconds from the news that the user speaks until the client cut the response off.
    pub latency: Option<f64>,
}

/// A function call.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Where it came.
    pub position: f64,
    /// The server's name for it.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments as JSON.
    pub arguments: String,
    /// What it returned.
    pub output: Option<String>,
    /// When the output was sent, in seconds after the call.
    pub seconds: Option<f64>,
}

/// A picture that was sent.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Where it was sent.
    pub position: f64,
    /// The data URI.
    pub url: String,
}

/// Something that went wrong.
#[derive(Clone, Debug, Default)]
pub struct Problem {
    /// Where.
    pub position: f64,
    /// What.
    pub text: String,
}

/// Sound along the time line.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// The loudest sample of each piece of [`PIECE`] seconds, from 0 to 255.
    pub peaks: Vec<u8>,
    /// Seconds of sound.
    pub seconds: f64,
}

impl Track {
    /// Adds sound.
    fn add(&mut self, position: f64, peaks: &[u8]) {
        let first = (position.max(0.0) / PIECE).round() as usize;
        let end = first + peaks.len();
        if self.peaks.len() < end {
            self.peaks.resize(end, 0);
        }
        for (peak, new) in self.peaks[first..end].iter_mut().zip(peaks) {
            *peak = (*peak).max(*new);
        }
    }

    /// Takes away what stands behind a position, and gives it back.
    fn cut_off(&mut self, position: f64) -> Vec<u8> {
        let first = ((position.max(0.0) / PIECE).round() as usize).min(self.peaks.len());
        self.peaks.split_off(first)
    }
}
