// SPDX-License-Identifier: MPL-2.0

//! Server-sent events: the data of each event in a stream of bytes, wherever the stream is cut into pieces.
//!
//! As in the HTML standard's "event stream interpretation", without the names, identifiers and retry times of events,
//! which Chat Completions do not use.

use std::collections::VecDeque;

/// The longest event: some hundred times what a model says at once.
const MAX_EVENT_LEN: usize = 4 << 20;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct SseReader {
    line: Vec<u8>,
    data: Option<String>,
    after_cr: bool,
    events: VecDeque<String>,
}

impl SseReader {
    /// Takes more of the stream. False: an event is longer than anything that is meant.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            match byte {
                b'\n' if self.after_cr => {}
                b'\r' | b'\n' => self.end_line(),
                byte => self.line.push(byte),
            }
            self.after_cr = byte == b'\r';
        }
        self.line.len() + self.data.as_ref().map_or(0, String::len) <= MAX_EVENT_LEN
    }

    /// The stream has ended; an event counts without its blank line, which some servers leave out behind the last one.
    pub fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.events.extend(self.data.take());
    }

    /// The data of the next event.
    pub fn pop(&mut self) -> Option<String> {
        self.events.pop_front()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.events.extend(self.data.take());
            return;
        }
        let line = String::from_utf8_lossy(&line);
        let Some(value) = line.strip_prefix("data:") else { return };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match &mut self.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut reader = SseReader::default();
        assert!(pieces.iter().all(|piece| reader.push(piece)));
        reader.finish();
        std::iter::from_fn(|| reader.pop()).collect()
    }

    #[test]
    fn events_do_not_depend_on_where_the_stream_is_cut() {
        let stream = ": a comment\ndata: one\n\ndata:two\r\nid: 7\r\ndata: lines\r\n\r\ndata: ü😀\r\r\n\ndata: [DONE]";
        let events = ["one", "two\nlines", "ü😀", "[DONE]"];
        for cut in 0..=stream.len() {
            assert_eq!(read(&[&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]]), events, "cut at {cut}");
        }
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let (mut reader, piece) = (SseReader::default(), vec![b'x'; 1 << 20]);
        assert_eq!((0..6).position(|_| !reader.push(&piece)), Some(4));
    }
}
