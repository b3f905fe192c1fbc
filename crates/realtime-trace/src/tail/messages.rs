// SPDX-License-Identifier: MPL-2.0

//! Messages of the elements, as `gst-launch-1.0 -m` prints them, and what they tell.

use super::notice::{Notice, Speaker, What};
use crate::latency::Latency;
use crate::structure::Structure;
use openai_protocol::ClientEvent;
use openai_protocol::items::ItemKind;

/// A line of what `gst-launch-1.0 -m` prints.
#[derive(Debug, PartialEq)]
pub enum LaunchLine<'a> {
    /// A message of one of the elements.
    Message(Structure),
    /// What gst-launch says about its own work.
    Chatter,
    /// Anything else: an error, for example.
    Other(&'a str),
}

/// Beginnings of lines about gst-launch's own work.
const CHATTER: [&str; 16] = [
    "Got message",
    "Setting pipeline",
    "Pipeline is",
    "Redistribute",
    "Got EOS",
    "EOS received",
    "Execution ended",
    "Freeing",
    "New clock",
    "Prerolled",
    "Progress:",
    "handling interrupt",
    "Interrupt:",
    "EOS on",
    "Waiting",
    "Use Windows",
];

impl<'a> LaunchLine<'a> {
    /// Reads a line without its end.
    pub fn read(line: &'a str) -> Self {
        // The position that is shown while it plays is overwritten by a carriage return.
        let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
        if let Some(structure) = message(line) {
            return Self::Message(structure);
        }
        let is_position = line.split_once(" / ").is_some_and(|(position, _)| {
            !position.is_empty() && position.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.')
        });
        if line.is_empty() || is_position || CHATTER.iter().any(|start| line.starts_with(start)) {
            return Self::Chatter;
        }
        Self::Other(line)
    }
}

fn message(line: &str) -> Option<Structure> {
    const KIND: &str = "(element): ";
    let (_, text) = line.strip_prefix("Got message #")?.split_once(KIND)?;
    let structure = Structure::parse(text)?;
    matches!(structure.name.split_once('/')?.0, "openairealtime" | "openaichat").then_some(structure)
}

impl Notice {
    /// What a message tells.
    pub fn of_message(message: &Structure) -> Option<Self> {
        let (element, name) = message.name.split_once('/')?;
        let text = |field| message.text(field).unwrap_or_default().to_owned();
        let what = match (element, name) {
            (_, "session") => session(message)?,
            (_, "transcript") => transcript(message)?,
            (_, "frame") if message.text("state") == Some("sent") => What::Picture(message.number("size").unwrap_or(0)),
            (_, "interrupted") => What::Interrupted { heard: message.seconds("heard").unwrap_or(0.0), words: None },
            (_, "function-call") => What::Call { name: text("name"), arguments: text("arguments") },
            ("openaichat", "response") if message.text("state") == Some("completed") => {
                let (speaker, item) = (Speaker::Model, text("request-id"));
                What::Message { speaker, item, text: text("text") }
            }
            (_, "response") if matches!(message.text("state"), Some("failed" | "incomplete")) => {
                let why = message.text("error-message").or(message.text("reason")).unwrap_or_default();
                What::NotCompleted(text("state"), why.to_owned())
            }
            (_, "turn") => What::Latency(latency(message)?),
            (_, "event") => output(message)?,
            (_, "usage") => What::Cost(message.number("total-cost")?),
            _ => return None,
        };
        Some(Self { time: message.seconds("running-time"), what })
    }
}

fn transcript(message: &Structure) -> Option<What> {
    let speaker = match message.text("role")? {
        "user" => Speaker::User,
        "assistant" => Speaker::Model,
        _ => return None,
    };
    let item = message.text("item-id").unwrap_or_default().to_owned();
    let text = message.text("text").unwrap_or_default().to_owned();
    Some(if message.is_true("final") {
        What::Message { speaker, item, text }
    } else {
        What::Piece { speaker, item, text }
    })
}

/// What a function returned, which only the event of the wire tells.
fn output(message: &Structure) -> Option<What> {
    message.text("direction").filter(|direction| *direction == "client")?;
    let Ok(ClientEvent::ConversationItemCreate(event)) = ClientEvent::from_json(message.text("json")?) else {
        return None;
    };
    let output = event.item.output.filter(|_| event.item.kind == ItemKind::FunctionCallOutput)?;
    Some(What::Output { name: String::new(), output: output.as_str().map_or(output.to_string(), str::to_owned) })
}

fn session(message: &Structure) -> Option<What> {
    let reason = message.text("reason").unwrap_or_default().to_owned();
    Some(match message.text("state")? {
        "ready" => What::Ready { model: message.text("model").unwrap_or_default().to_owned() },
        "reconnecting" => What::Reconnecting(reason),
        "connecting" if !reason.is_empty() => What::Reconnecting(reason),
        // An error of the pipeline says it as well; the end of a stream is no news.
        "closed" if !matches!(&*reason, "" | "end of stream" | "stopped") => What::Closed(reason),
        _ => return None,
    })
}

/// How far stages may be out of order. A file that is played in real time gives its samples a buffer's length before they
/// are due, so the server can be quicker than the clock.
const MAX_LEAD: f64 = 0.5;

/// The latency of a turn that was answered by voice. With `timing=offline` it begins when the end of speech is told, and ends
/// with the first buffer. Older elements mixed positions on the media time line into it, which are out of order.
fn latency(message: &Structure) -> Option<Latency> {
    message.text("first-audio")?;
    let mut latency = Latency::default();
    for (field, name) in [
        ("speech-end", "end of speech"),
        ("speech-stopped", "noticed"),
        ("committed", "committed"),
        ("response-created", "response"),
        ("first-delta", "first audio"),
        ("first-audio", "pushed"),
        ("first-heard", "heard"),
    ] {
        latency.reached(name, message.seconds(field));
    }
    latency.is_in_order(MAX_LEAD).then_some(latency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Vec<What> {
        let read = |line: &&str| match LaunchLine::read(line) {
            LaunchLine::Message(message) => Some(message),
            other => panic!("{line}: {other:?}"),
        };
        lines
            .iter()
            .filter_map(read)
            .filter_map(|message| Notice::of_message(&message))
            .map(|notice| notice.what)
            .collect()
    }

    #[test]
    fn lines_are_messages_chatter_or_something_else() {
        assert!(matches!(
            LaunchLine::read("0:00:01.2 / 0:00:10.0\rGot message #3 from element \"a\" (element): openaichat/usage;\n"),
            LaunchLine::Message(_)
        ));
        for line in
            ["", "Got message #1 from pipeline (eos): ", "0:00:01.2 / 0:00:10.0", "Setting pipeline to NULL ..."]
        {
            assert_eq!(LaunchLine::read(line), LaunchLine::Chatter, "{line}");
        }
        let error = "ERROR: from element /GstPipeline:pipeline0: no / such file";
        assert_eq!(LaunchLine::read(error), LaunchLine::Other(error));
    }

    #[test]
    fn what_was_heard_of_an_interrupted_message_is_told() {
        let what = told(&[
            r#"Got message #1 from element "ai" (element): openairealtime/transcript, role=(string)assistant, text=(string)"I\ am", final=(boolean)true, item-id=(string)i;"#,
            r#"Got message #2 from element "ai" (element): openairealtime/interrupted, item-id=(string)i, heard=(guint64)2366625000;"#,
        ]);
        let words = What::Message { speaker: Speaker::Model, item: "i".into(), text: "I am".into() };
        assert_eq!(what, [words, What::Interrupted { heard: 2.366625, words: None }]);
    }

    #[test]
    fn what_a_function_returned_is_in_an_event_of_the_wire() {
        let what = told(&[
            r#"Got message #1 from element "ai" (element): openairealtime/event, direction=(string)client, type=(string)conversation.item.create, json=(string)"\{\"type\":\"conversation.item.create\"\,\"item\":\{\"type\":\"function_call_output\"\,\"call_id\":\"c\"\,\"output\":\"2\"\}\}";"#,
        ]);
        assert_eq!(what, [What::Output { name: String::new(), output: "2".into() }]);
    }

    #[test]
    fn stages_of_different_clocks_are_not_compared() {
        let turn = |committed: u32| {
            told(&[&format!(
                "Got message #1 from element \"ai\" (element): openairealtime/turn, speech-end=(guint64)10000000000, \
                 committed=(guint64){committed}000000000, first-audio=(guint64)12000000000;"
            )])
        };
        assert_eq!(turn(1), []);
        assert!(matches!(&turn(11)[..], [What::Latency(latency)] if latency.total() == Some(2.0)));
    }

    #[test]
    fn the_end_of_a_stream_is_no_news_and_a_lost_session_is() {
        let state = |rest: &str| {
            told(&[&format!("Got message #1 from element \"ai\" (element): openairealtime/session, {rest};")])
        };
        assert_eq!(state(r#"state=(string)closed, reason=(string)"end\ of\ stream""#), []);
        assert_eq!(state("state=(string)connecting, attempt=(uint)1"), []);
        assert_eq!(state("state=(string)reconnecting, reason=(string)lost"), [What::Reconnecting("lost".into())]);
    }
}
