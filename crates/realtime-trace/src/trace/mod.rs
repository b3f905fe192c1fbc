// SPDX-License-Identifier: MPL-2.0

//! Traces: lines of JSON, one for each event of the wire. `{"dir": "c" or "s", "t": seconds, "ev": {…}}` is an event of the
//! client or the server, `close` in place of `ev` the end of a connection, `raw` text that was no JSON, and a line with a
//! `trace` is a title. A trace that a crash or a full disk has cut is still worth reading, so a line that cannot be read
//! is told with its number, and the others count.

mod reader;

pub use reader::{BadLine, Reader, read_file};

use openai_protocol::{ClientEvent, ReadError, ServerEvent};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Side {
    /// The client.
    #[serde(rename = "c")]
    Client,
    /// The server.
    #[serde(rename = "s")]
    Server,
}

/// A line of a trace.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    /// Who sent it.
    pub side: Side,
    /// When, in seconds since the trace began.
    pub time: f64,
    /// What.
    pub body: Body,
}

/// What a line tells.
#[derive(Clone, Debug)]
pub enum Body {
    /// An event, as JSON text.
    Event(Box<RawValue>),
    /// The connection was closed.
    Close {
        /// The WebSocket close code.
        code: u16,
        /// Why.
        reason: String,
    },
    /// A message that was no JSON.
    Raw(String),
}

/// An event of either side.
#[derive(Clone, Debug)]
pub enum Event {
    /// Sent by the client.
    Client(ClientEvent),
    /// Sent by the server.
    Server(ServerEvent),
}

impl Line {
    /// Reads the text of a line; `None` for a title or an empty line.
    pub fn parse(number: usize, text: &str) -> Result<Option<Self>, LineError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Ok(None);
        }
        let fields: Fields = parse_fields(text)?;
        let Some(side) = fields.dir else {
            return if fields.trace.is_some() { Ok(None) } else { Err(LineError::NoDirection) };
        };
        let body = match (fields.ev, fields.close, fields.raw) {
            (Some(event), ..) => Body::Event(event),
            (None, Some(close), _) => Body::Close { code: close.code, reason: close.reason },
            (None, None, Some(raw)) => Body::Raw(raw),
            (None, None, None) => return Err(LineError::Nothing),
        };
        let time = if fields.t.is_finite() { fields.t.max(0.0) } else { 0.0 };
        Ok(Some(Self { number, side, time, body }))
    }

    /// The event of the line, where it has one: `Err` for what is no event of the API at all. Odd fields of an event are left
    /// out, as the element does.
    pub fn event(&self) -> Option<Result<Event, ReadError>> {
        let Body::Event(json) = &self.body else { return None };
        Some(match self.side {
            Side::Client => ClientEvent::read(json.get()).map(|(event, _)| Event::Client(event)),
            Side::Server => ServerEvent::read(json.get()).map(|(event, _)| Event::Server(event)),
        })
    }
}

fn parse_fields(text: &str) -> Result<Fields, LineError> {
    if !text.starts_with('{') {
        return Err(LineError::NotJson("expected an object".into()));
    }
    serde_json::from_str(text).map_err(|error| LineError::NotJson(openai_protocol::plain(&error)))
}

/// Why a line is none of a trace.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is no JSON, or of another shape.
    #[error("not a line of a trace: {0}")]
    NotJson(String),
    /// It does not say whose event it is.
    #[error("`dir` is missing: it says whether the client (\"c\") or the server (\"s\") sent the event")]
    NoDirection,
    /// It has no event.
    #[error("neither `ev`, `close` nor `raw`")]
    Nothing,
}

#[derive(Deserialize)]
struct Fields {
    dir: Option<Side>,
    #[serde(default)]
    t: f64,
    ev: Option<Box<RawValue>>,
    close: Option<Close>,
    raw: Option<String>,
    trace: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Close {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Line>, LineError> {
        Line::parse(7, text)
    }

    #[test]
    fn an_event_has_its_side_time_and_type() {
        let line =
            parse(r#"{"dir":"s","t":1.5,"ev":{"type":"input_audio_buffer.cleared"}}"#).expect("read").expect("a line");
        assert_eq!((line.number, line.side, line.time), (7, Side::Server, 1.5));
        let event = line.event().expect("an event").expect("read");
        assert!(matches!(event, Event::Server(ServerEvent::InputAudioBufferCleared(_))), "{event:?}");
    }

    #[test]
    fn titles_and_empty_lines_are_no_events() {
        for text in ["", "  \r", "\u{feff}", r#"{"trace":"title"}"#] {
            assert!(parse(text).expect("read").is_none(), "{text}");
        }
    }

    #[test]
    fn the_end_of_a_connection_and_text_that_is_no_json_are_kept() {
        let line = parse(r#"{"dir":"s","t":9,"close":{"code":1001,"reason":"gone"}}"#).expect("read").expect("a line");
        assert!(matches!(line.body, Body::Close { code: 1001, ref reason } if reason == "gone"));
        assert!(line.event().is_none());
        let line = parse(r#"{"dir":"s","raw":"hello"}"#).expect("read").expect("a line");
        assert!(matches!(line.body, Body::Raw(ref text) if text == "hello"));
    }

    #[test]
    fn what_is_no_line_says_why() {
        assert!(matches!(parse("[1]"), Err(LineError::NotJson(_))));
        assert!(matches!(parse(r#"{"dir":"x","ev":{}}"#), Err(LineError::NotJson(_))));
        assert_eq!(parse(r#"{"t":1,"ev":{}}"#).expect_err("unreadable"), LineError::NoDirection);
        assert_eq!(parse(r#"{"dir":"c","t":1}"#).expect_err("unreadable"), LineError::Nothing);
    }
}
