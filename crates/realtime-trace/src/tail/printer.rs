// SPDX-License-Identifier: MPL-2.0

//! The conversation as lines of text. On a terminal the line of what is being said grows at the bottom; elsewhere only whole
//! messages are written. Text that a server sent cannot control the terminal.

use super::notice::{Notice, Speaker, What};
use crate::latency::Latency;
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// Longest text of arguments and outputs that is shown, in characters.
const MAX_ARGUMENTS: usize = 300;
/// To the beginning of the line, and nothing on it.
const ERASE_LINE: &str = "\r\x1b[2K";
/// A line that is too long is cut at the edge rather than continued.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// How things are shown.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The columns of a terminal; `None`: it is none, and unfinished messages are left out.
    pub columns: Option<usize>,
    /// In colours.
    pub colors: bool,
    /// With costs.
    pub cost: bool,
}

/// Writes notices.
pub struct Printer<W> {
    out: W,
    options: Options,
    /// The message that grows at the bottom.
    unfinished: Option<Unfinished>,
}

struct Unfinished {
    speaker: Speaker,
    item: String,
    time: Option<f64>,
    text: String,
}

impl<W: Write> Printer<W> {
    /// Writes to `out`.
    pub fn new(out: W, options: Options) -> Self {
        Self { out, options, unfinished: None }
    }

    /// Writes what a notice tells, at once.
    pub fn print(&mut self, notice: &Notice) -> io::Result<()> {
        match &notice.what {
            What::Piece { speaker, item, text } => return self.piece(*speaker, item, text, notice.time),
            What::Cost(_) if !self.options.cost => return Ok(()),
            What::Message { item, .. } => {
                self.erase_unfinished()?;
                self.unfinished = self.unfinished.take().filter(|unfinished| unfinished.item != *item);
            }
            _ => self.erase_unfinished()?,
        }
        let (text, style) = describe(&notice.what);
        self.line(notice.time, &text, style)?;
        writeln!(self.out)?;
        self.show_unfinished()?;
        self.out.flush()
    }

    /// Leaves the cursor on an empty line.
    pub fn finish(&mut self) -> io::Result<()> {
        self.erase_unfinished()?;
        self.unfinished = None;
        self.out.flush()
    }

    fn piece(&mut self, speaker: Speaker, item: &str, text: &str, time: Option<f64>) -> io::Result<()> {
        if self.options.columns.is_none() {
            return Ok(());
        }
        self.erase_unfinished()?;
        let same = self.unfinished.take().filter(|unfinished| unfinished.item == item);
        let mut unfinished =
            same.unwrap_or_else(|| Unfinished { speaker, item: item.to_owned(), time, text: String::new() });
        unfinished.text.push_str(text);
        self.unfinished = Some(unfinished);
        self.show_unfinished()?;
        self.out.flush()
    }

    fn erase_unfinished(&mut self) -> io::Result<()> {
        if self.unfinished.is_some() { self.out.write_all(ERASE_LINE.as_bytes()) } else { Ok(()) }
    }

    /// The end of the unfinished message, as much as the line holds.
    fn show_unfinished(&mut self) -> io::Result<()> {
        let (Some(unfinished), Some(columns)) = (&self.unfinished, self.options.columns) else { return Ok(()) };
        let room = columns.saturating_sub(clock(None).len() + 12).max(10);
        let skipped = unfinished.text.chars().count().saturating_sub(room);
        let tail: String = unfinished.text.chars().skip(skipped).collect();
        let text = format!("{} {}{tail}", name(unfinished.speaker), if skipped > 0 { "…" } else { "" });
        let (time, style) = (unfinished.time, Style::new().dimmed());
        self.out.write_all(NO_WRAP.as_bytes())?;
        self.line(time, &text, style)?;
        self.out.write_all(WRAP.as_bytes())
    }

    fn line(&mut self, time: Option<f64>, text: &str, style: Style) -> io::Result<()> {
        let style = if self.options.colors { style } else { Style::new() };
        write!(self.out, "{}  {style}{}{style:#}", clock(time), printable(text))
    }
}

/// A time as minutes, seconds and tenths.
fn clock(time: Option<f64>) -> String {
    let Some(time) = time else { return " ".repeat(7) };
    let tenths = (time * 10.0 + 1e-6) as u64;
    format!("{:2}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

fn name(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::User => "You:  ",
        Speaker::Model => "Model:",
    }
}

fn describe(what: &What) -> (String, Style) {
    let aside = Style::new().dimmed();
    let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
    match what {
        What::Ready { model } => (format!("(session ready: {model})"), aside),
        What::Reconnecting(reason) => (format!("(session lost, trying again: {reason})"), color(AnsiColor::Yellow)),
        What::Closed(reason) => (format!("(session closed: {reason})"), color(AnsiColor::Yellow)),
        What::Piece { speaker, text, .. } => (format!("{} {text}", name(*speaker)), aside),
        What::Message { speaker, text, .. } => {
            let text = if text.trim().is_empty() { "(nothing)" } else { text.trim() };
            let style = match speaker {
                Speaker::User => color(AnsiColor::Cyan),
                Speaker::Model => color(AnsiColor::Green),
            };
            (format!("{} {text}", name(*speaker)), style)
        }
        What::Interrupted { heard, words } => {
            let words = words.as_ref().map(|words| format!(": \"{words} —\"")).unwrap_or_default();
            (format!("(interrupted after {heard:.1} s{words})"), color(AnsiColor::Yellow))
        }
        What::Picture(bytes) => (format!("(a picture of {} kB)", bytes / 1000), aside),
        What::Call { name, arguments } => {
            (format!("(calls {name} {})", shortened(arguments)), color(AnsiColor::Magenta))
        }
        What::Output { name, output } => {
            let name = if name.is_empty() { "the function" } else { name };
            (format!("({name} returned {})", shortened(output)), color(AnsiColor::Magenta))
        }
        What::NotCompleted(state, why) => (format!("(the answer is {state}: {why})"), color(AnsiColor::Red)),
        What::Latency(latency) => (describe_latency(latency), aside),
        What::Cost(dollars) => (format!("(cost so far: {dollars:.4} US dollars)"), aside),
        What::Error(text) => (format!("(error: {text})"), color(AnsiColor::Red)),
    }
}

fn describe_latency(latency: &Latency) -> String {
    let milliseconds = |seconds: f64| (seconds * 1000.0).round();
    let steps: Vec<_> = latency.steps().map(|(name, seconds)| format!("{name} {}", milliseconds(seconds))).collect();
    format!("(latency {} ms: {})", milliseconds(latency.total().unwrap_or(0.0)), steps.join(" + "))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_ARGUMENTS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text without what controls a terminal or turns the direction of writing.
pub fn printable(text: &str) -> String {
    let harmless = |c: char| match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(options: Options, notices: &[(Option<f64>, What)]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, options);
        for (time, what) in notices {
            printer.print(&Notice { time: *time, what: what.clone() }).expect("memory takes everything");
        }
        printer.finish().expect("memory takes everything");
        String::from_utf8(out).expect("text")
    }

    fn message(text: &str) -> What {
        What::Message { speaker: Speaker::Model, item: "i".into(), text: text.into() }
    }

    fn piece(text: &str) -> What {
        What::Piece { speaker: Speaker::Model, item: "i".into(), text: text.into() }
    }

    #[test]
    fn messages_have_a_time_and_a_name() {
        let text = printed(Options::default(), &[(Some(61.26), message(" Hello. ")), (None, message(""))]);
        assert_eq!(text, " 1:01.2  Model: Hello.\n         Model: (nothing)\n");
    }

    #[test]
    fn where_there_is_no_terminal_pieces_are_left_out() {
        assert_eq!(printed(Options::default(), &[(None, piece("Hel"))]), "");
    }

    #[test]
    fn on_a_terminal_the_growing_message_is_replaced_by_the_whole() {
        let options = Options { columns: Some(80), ..Options::default() };
        let text = printed(options, &[(None, piece("Hel")), (None, piece("lo")), (None, message("Hello"))]);
        let last = text.rsplit(ERASE_LINE).next().unwrap_or_default();
        assert_eq!(last, "         Model: Hello\n");
        assert!(text.contains("Model: Hello\x1b[?7h"), "{text:?}");
    }

    #[test]
    fn text_of_a_server_does_not_control_the_terminal() {
        let text = printed(Options::default(), &[(None, message("a\x1b]0;title\x07b\nModel: c\u{202e}"))]);
        assert_eq!(text, "         Model: a\u{fffd}]0;title\u{fffd}b Model: c\u{fffd}\n");
    }

    #[test]
    fn cost_is_shown_where_it_is_wanted() {
        assert_eq!(printed(Options::default(), &[(None, What::Cost(0.01))]), "");
        let with_cost = Options { cost: true, ..Options::default() };
        assert!(printed(with_cost, &[(None, What::Cost(0.01))]).contains("0.0100 US dollars"));
    }

    #[test]
    fn the_stages_of_a_turn_add_up_to_its_latency() {
        let mut latency = Latency::default();
        latency.reached("end of speech", Some(1.0));
        latency.reached("committed", Some(1.2));
        latency.reached("heard", Some(1.5));
        let text = printed(Options::default(), &[(None, What::Latency(latency))]);
        assert_eq!(text.trim(), "(latency 500 ms: committed 200 + heard 300)");
    }
}
