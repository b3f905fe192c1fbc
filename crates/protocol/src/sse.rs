// SPDX-License-Identifier: MPL-2.0

//! Server-sent events: the data of each event in a stream of bytes, wherever the stream is cut into pieces.
//!
//! Written after the HTML standard's "event stream interpretation". Names, identifiers and retry times of events are
//! not needed here and left out. Other than there, an event at the end of the stream counts without its blank line:
//! some servers leave that out behind the last one.

/// An event is longer than the reader takes: this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {0} bytes")]
pub struct TooLong(pub usize);

/// Reads one stream.
#[derive(Debug)]
pub struct SseReader {
    max_event_len: usize,
    line: Vec<u8>,
    /// Data of the event in hand.
    data: Option<Vec<u8>>,
    /// The last byte was CR: an LF behind it belongs to the same end of line.
    after_cr: bool,
    has_begun: bool,
}

impl SseReader {
    /// A reader of events of at most this many bytes.
    pub fn new(max_event_len: usize) -> Self {
        Self { max_event_len, line: Vec::new(), data: None, after_cr: false, has_begun: false }
    }

    /// Takes more of the stream; what events it completes is added to `events`.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut impl Extend<String>) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                self.line.extend_from_slice(bytes);
                return self.check();
            };
            self.line.extend_from_slice(&bytes[..end]);
            self.check()?;
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(events);
        }
        Ok(())
    }

    /// The stream has ended; what is there of an event counts.
    pub fn finish(&mut self, events: &mut impl Extend<String>) {
        if !self.line.is_empty() {
            self.end_line(events);
        }
        self.dispatch(events);
    }

    fn check(&self) -> Result<(), TooLong> {
        let length = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
        if length > self.max_event_len { Err(TooLong(self.max_event_len)) } else { Ok(()) }
    }

    fn end_line(&mut self, events: &mut impl Extend<String>) {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.has_begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(events);
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        if field == b"data" {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            }
        }
    }

    fn dispatch(&mut self, events: &mut impl Extend<String>) {
        if let Some(data) = self.data.take() {
            // The standard reads what is no UTF-8 with replacement characters.
            let text = String::from_utf8(data).unwrap_or_else(|no| String::from_utf8_lossy(no.as_bytes()).into_owned());
            events.extend([text]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "\u{feff}: a comment\ndata: one\n\ndata:two\r\nid: 7\r\ndata: lines\r\n\r\ndata\r\rretry: 9\n\n\
                          event: x\ndata: {\"a\": \"ü😀\"}\n\ndata: [DONE]\n";
    const EVENTS: [&str; 5] = ["one", "two\nlines", "", "{\"a\": \"ü😀\"}", "[DONE]"];

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let (mut reader, mut events) = (SseReader::new(1 << 20), Vec::new());
        pieces.iter().for_each(|piece| reader.push(piece, &mut events).expect("short events"));
        reader.finish(&mut events);
        events
    }

    #[test]
    fn events_do_not_depend_on_where_the_stream_is_cut() {
        let bytes = STREAM.as_bytes();
        assert_eq!(read(&[bytes]), EVENTS);
        for cut in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), EVENTS, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), EVENTS);
    }

    #[test]
    fn the_last_event_may_lack_its_end() {
        let stream = ": a comment\ndata: one\n\ndata:two\r\nid: 7\r\ndata: lines\r\n\r\ndata: ü😀\r\r\n\ndata: [DONE]";
        let events = ["one", "two\nlines", "ü😀", "[DONE]"];
        for cut in 0..=stream.len() {
            assert_eq!(read(&[&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]]), events, "cut at {cut}");
        }
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        for mib in [4, 64] {
            let (mut reader, mut events) = (SseReader::new(mib << 20), Vec::new());
            let piece = vec![b'x'; 1 << 20];
            let ended = (0..=mib).position(|_| reader.push(&piece, &mut events) == Err(TooLong(mib << 20)));
            assert_eq!((ended, events.len()), (Some(mib), 0));
        }
    }
}
