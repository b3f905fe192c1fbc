// SPDX-License-Identifier: MPL-2.0

//! The data of the page.

use super::events::Row;
use super::thumbnail::thumbnail;
use crate::stats::Stats;
use crate::timeline::{self, PIECE, STAGES, Timeline, Track};
use crate::words::heard_words;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// All that the page shows. Times are positions in seconds, latencies milliseconds.
#[derive(Serialize)]
pub struct Data<'a> {
    duration: f64,
    live: bool,
    /// Seconds of each peak.
    piece: f64,
    tracks: Tracks,
    stats: Stats,
    sessions: Vec<Session<'a>>,
    turns: Vec<Turn<'a>>,
    responses: Vec<Response<'a>>,
    interruptions: Vec<Interruption>,
    calls: Vec<Call<'a>>,
    pictures: Vec<Picture>,
    problems: Vec<Problem<'a>>,
    events: &'a [Row],
}

/// Peaks as base64.
#[derive(Serialize)]
struct Tracks {
    user: String,
    model: String,
    unheard: String,
}

#[derive(Serialize)]
struct Session<'a> {
    position: f64,
    id: &'a str,
    model: &'a str,
}

#[derive(Serialize)]
struct Turn<'a> {
    begin: f64,
    end: f64,
    words: &'a str,
    is_text: bool,
    response: Option<usize>,
    /// Name, milliseconds, and place in the list of stages.
    stages: Vec<(&'static str, f64, usize)>,
    total: f64,
}

#[derive(Serialize)]
struct Response<'a> {
    position: f64,
    begin: Option<f64>,
    end: Option<f64>,
    words: &'a str,
    /// The begin of the words, if not all were heard.
    heard: Option<&'a str>,
    status: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Interruption {
    position: f64,
    heard: f64,
    latency: Option<f64>,
}

#[derive(Serialize)]
struct Call<'a> {
    position: f64,
    name: &'a str,
    arguments: &'a str,
    output: Option<&'a str>,
    seconds: Option<f64>,
}

#[derive(Serialize)]
struct Picture {
    position: f64,
    thumbnail: Option<String>,
}

#[derive(Serialize)]
struct Problem<'a> {
    position: f64,
    text: &'a str,
}

impl<'a> Data<'a> {
    /// Of a time line and its events.
    pub fn of(timeline: &'a Timeline, events: &'a [Row]) -> Self {
        let mut stats = Stats::default();
        stats.add(timeline);
        stats.finish();
        let cuts = timeline.interruptions.iter();
        let calls = timeline.calls.iter();
        let peaks = |track: &Track| STANDARD.encode(&track.peaks);
        Self {
            duration: timeline.duration,
            live: timeline.is_live,
            piece: PIECE,
            tracks: Tracks {
                user: peaks(&timeline.user),
                model: peaks(&timeline.model),
                unheard: peaks(&timeline.unheard),
            },
            stats,
            sessions: timeline
                .sessions
                .iter()
                .map(|it| Session { position: it.position, id: &it.id, model: &it.model })
                .collect(),
            turns: timeline.turns.iter().map(Turn::of).collect(),
            responses: (0..timeline.responses.len()).map(|index| Response::of(timeline, index)).collect(),
            interruptions: cuts
                .map(|cut| Interruption { position: cut.position, heard: cut.heard, latency: cut.latency })
                .collect(),
            calls: calls.map(Call::of).collect(),
            pictures: timeline
                .pictures
                .iter()
                .map(|it| Picture { position: it.position, thumbnail: thumbnail(&it.url) })
                .collect(),
            problems: timeline.problems.iter().map(|it| Problem { position: it.position, text: &it.text }).collect(),
            events,
        }
    }
}

impl<'a> Turn<'a> {
    fn of(turn: &'a timeline::Turn) -> Self {
        let latency = turn.times.latency().unwrap_or_default();
        let place = |name| STAGES.iter().position(|stage| *stage == name).unwrap_or(0);
        Self {
            begin: turn.begin,
            end: turn.end,
            words: &turn.words,
            is_text: turn.is_text,
            response: turn.response,
            stages: latency.steps().map(|(name, seconds)| (name, seconds * 1000.0, place(name))).collect(),
            total: latency.total().unwrap_or(0.0) * 1000.0,
        }
    }
}

impl<'a> Response<'a> {
    fn of(timeline: &'a Timeline, index: usize) -> Self {
        let response = &timeline.responses[index];
        let cut = timeline.interruptions.iter().find(|cut| cut.response == Some(index));
        Self {
            position: response.position,
            begin: response.begin,
            end: response.end,
            words: &response.words,
            heard: cut.map(|cut| heard_words(&response.words, cut.heard, response.seconds)),
            status: &response.status,
            reason: &response.reason,
        }
    }
}

impl<'a> Call<'a> {
    fn of(call: &'a timeline::Call) -> Self {
        let (name, arguments) = (&call.name, &call.arguments);
        Self { position: call.position, name, arguments, output: call.output.as_deref(), seconds: call.seconds }
    }
}
