// SPDX-License-Identifier: MPL-2.0

//! A conversation as it goes: out of the lines of a trace, or of what `gst-launch-1.0 -m` prints. Every line is shown when
//! it is there, and what is neither is passed on.

mod answers;
mod events;
mod messages;
pub mod notice;
pub mod printer;

use crate::structure::Structure;
use crate::trace::{BadLine, Line};
use events::Events;
use messages::LaunchLine;
use notice::Notice;
use printer::{Printer, printable};
use std::io::{self, BufRead, Write};

/// What is written of the input.
pub enum Output<W> {
    /// The conversation, for people.
    Conversation(Printer<W>),
    /// The answers of `openaichat` about these files, as lines of JSON.
    Answers(W, Vec<String>),
}

/// Reads the input to its end. What is not understood goes to `others`. Gives back how many lines of a trace could not be
/// read.
pub fn tail<W: Write>(mut input: impl BufRead, output: Output<W>, others: impl Write) -> io::Result<usize> {
    let mut tail = Tail { output, others, events: Events::default(), seen: Seen::Nothing };
    let (mut bytes, mut number, mut bad_lines) = (Vec::new(), 0, 0);
    loop {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        number += 1;
        if let Some(bad) = tail.line(number, &String::from_utf8_lossy(&bytes))? {
            bad_lines += 1;
            tail.tell(&bad.to_string())?;
        }
    }
    if let Output::Conversation(printer) = &mut tail.output {
        printer.finish()?;
    }
    Ok(bad_lines)
}

/// What the input was so far.
#[derive(PartialEq)]
enum Seen {
    Nothing,
    Trace,
    Launch,
}

struct Tail<W, O> {
    output: Output<W>,
    others: O,
    events: Events,
    seen: Seen,
}

impl<W: Write, O: Write> Tail<W, O> {
    fn line(&mut self, number: usize, text: &str) -> io::Result<Option<BadLine>> {
        let could_be_trace = self.seen == Seen::Trace || text.trim_start_matches('\u{feff}').starts_with('{');
        if !could_be_trace {
            self.launch_line(text)?;
            return Ok(None);
        }
        match Line::parse(number, text) {
            Ok(line) => {
                self.seen = Seen::Trace;
                self.events(line)?;
            }
            // A program beside the pipeline may write JSON of its own.
            Err(_) if self.seen == Seen::Launch => self.launch_line(text)?,
            Err(error) => return Ok(Some(BadLine { number, error })),
        }
        Ok(None)
    }

    fn events(&mut self, line: Option<Line>) -> io::Result<()> {
        let (Some(line), Output::Conversation(printer)) = (line, &mut self.output) else { return Ok(()) };
        self.events.notices(&line).iter().try_for_each(|notice| printer.print(notice))
    }

    fn launch_line(&mut self, text: &str) -> io::Result<()> {
        if !text.trim().is_empty() {
            self.seen = Seen::Launch;
        }
        match LaunchLine::read(text) {
            LaunchLine::Message(message) => self.message(&message),
            LaunchLine::Chatter => Ok(()),
            LaunchLine::Other(text) => self.tell(text),
        }
    }

    fn message(&mut self, message: &Structure) -> io::Result<()> {
        match &mut self.output {
            Output::Conversation(printer) => {
                Notice::of_message(message).map_or(Ok(()), |notice| printer.print(&notice))
            }
            Output::Answers(out, files) => match answers::answer(message, files) {
                Some(line) => writeln!(out, "{line}").and_then(|()| out.flush()),
                None => Ok(()),
            },
        }
    }

    /// Writes something beside the conversation.
    fn tell(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.others, "{}", printable(text))?;
        self.others.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use printer::Options;

    fn run(input: &str) -> (String, String, usize) {
        let (mut out, mut others) = (Vec::new(), Vec::new());
        let printer = Printer::new(&mut out, Options::default());
        let bad = tail(input.as_bytes(), Output::Conversation(printer), &mut others).expect("memory");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(out), text(others), bad)
    }

    #[test]
    fn what_is_no_message_is_passed_on() {
        let (out, others, bad) = run(
            "Setting pipeline to PLAYING ...\n{ \"of\": \"another program\" }\nWARNING: from element /x: late\n\
             Got message #3 from element \"ai\" (element): openairealtime/session, state=(string)ready, model=(string)m;\nHalf a li",
        );
        assert_eq!(out, "         (session ready: m)\n");
        assert_eq!(others, "{ \"of\": \"another program\" }\nWARNING: from element /x: late\nHalf a li\n");
        assert_eq!(bad, 0);
    }

    #[test]
    fn a_bad_line_of_a_trace_is_told_with_its_number() {
        let (out, others, bad) = run(
            "{\"trace\":\"t\"}\n{\"dir\":\"s\",\"t\":1,\"ev\":{\"type\":\"error\",\"error\":{\"message\":\"oh\"}}}\n{\"dir\":\"s\",\"t\":2,\"ev\":{\"ty\nno\n",
        );
        assert_eq!(out, " 0:01.0  (error: oh)\n");
        assert!(others.starts_with("line 3: not a line of a trace") && others.contains("line 4:"), "{others}");
        assert_eq!(bad, 2);
    }
}
