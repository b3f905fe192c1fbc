// SPDX-License-Identifier: MPL-2.0

//! The table of faults: what a network and a server can do, at each stage of a conversation, live and offline, and what
//! becomes of it. Every cell is a conversation with a server that does as its script says. `docs/reliability.md` has the
//! table, and this is what keeps it true.

use crate::support::pipeline::Pipeline;
use crate::support::server::Server;
use gst::prelude::*;
use std::collections::BTreeMap;

/// What a fault is in a script; behind it the connection is of no use.
const FAULTS: [(&str, &str); 12] = [
    ("reset", "reset"),
    ("drop", "drop"),
    ("half a frame", "half-frame response.output_audio.delta {\"delta\": \"<pcm:100>\"}\nreset"),
    ("invalid frame", "invalid-frame"),
    ("close 1001", "close 1001"),
    ("close 1011", "close 1011"),
    ("close 1012", "close 1012"),
    ("close 1013", "close 1013"),
    ("close 1000", "close 1000"),
    ("close 1008", "close 1008"),
    ("close 3000", "close 3000"),
    ("close 4000", "close 4000"),
];

/// What may come of an upgrade, as a statement of a script, and whether another try is worth it.
const REFUSALS: [(&str, bool); 12] = [
    ("refuse drop", true),
    ("refuse reset", true),
    ("refuse 400", false),
    ("refuse 401", false),
    ("refuse 403", false),
    ("refuse 404", false),
    ("refuse 408", true),
    ("refuse 429", true),
    ("refuse 500", true),
    ("refuse 502", true),
    ("refuse 503", true),
    ("refuse 504", true),
];

/// How far a conversation has come, as the script of the connection until then. The element is asked one question.
const STAGES: [(&str, &str); 4] = [
    ("before the session", "hello\nexpect session.update\n"),
    ("after it", "hello\nexpect session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\n"),
    (
        "asked",
        "hello\nexpect session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\n\
         await response.create\n",
    ),
    (
        "half an answer",
        "hello\nexpect session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\n\
         await response.create\n\
         send response.created {\"response\": {\"id\": \"half\", \"conversation_id\": \"c\"}}\n\
         send response.output_audio.delta {\"response_id\": \"half\", \"item_id\": \"half\", \"output_index\": 0, \
         \"content_index\": 0, \"delta\": \"<tone:440:100>\"}\n",
    ),
];

/// A connection on which all is well.
const WELL: &str = "hello\nexpect session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\n\
                    await response.create within 20s\nrespond \"Fine.\" <tone:440:200>\n";

/// What became of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The question was answered, once and whole.
    Answered,
    /// The half that was there was played, and told as incomplete.
    Cut,
    /// An ERROR says what is wrong.
    Error,
}

impl End {
    fn of(fault: &str, stage: &str, live: bool) -> Self {
        match fault {
            "close 1000" | "close 1008" | "close 3000" | "close 4000" => Self::Error,
            _ if live && stage == "half an answer" => Self::Cut,
            _ => Self::Answered,
        }
    }

    fn letter(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Cut => "cut",
            Self::Error => "error",
        }
    }
}

/// A conversation in which one question is typed, and what becomes of it.
fn converse(script: &str, live: bool) -> End {
    let server = Server::script(script);
    let mut pipeline = Pipeline::new(&format!(
        "appsrc name=in format=time is-live={live} caps=text/x-raw,format=utf8 ! ai.text_sink openairealtime name=ai \
         timing={} transcription-model=\"\" reconnect-delay=1000000 uri={} ! fakesink sync=false",
        if live { "live" } else { "offline" },
        server.base()
    ));
    let source = pipeline.element("in");
    pipeline.play();
    let mut question = gst::Buffer::from_slice(*b"How are you?");
    question.get_mut().expect("mine").set_pts(gst::ClockTime::ZERO);
    for (name, arguments) in [("push-buffer", &[&question as &dyn ToValue][..]), ("end-of-stream", &[])] {
        let flow = source.emit_by_name::<gst::FlowReturn>(name, arguments);
        assert_eq!(flow, gst::FlowReturn::Ok, "{name}");
    }
    let end = pipeline.until_end();
    let responses = pipeline.all("response");
    let count = |state: &str| responses.iter().filter(|response| response.get::<&str>("state") == Ok(state)).count();
    match end {
        Err(error) => {
            assert!(!error.message().is_empty());
            End::Error
        }
        Ok(()) if count("completed") == 1 => End::Answered,
        Ok(()) => {
            assert_eq!(count("incomplete"), 1, "it is told: {responses:?}");
            End::Cut
        }
    }
}

#[test]
fn every_turn_is_answered_once_or_told_as_lost() {
    let mut table: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (fault, statement) in FAULTS {
        for (stage, before) in STAGES {
            let mut cell = Vec::new();
            for live in [false, true] {
                let is = converse(&format!("{before}{statement}\nconnection *\n{WELL}"), live);
                let expected = End::of(fault, stage, live);
                if is != expected {
                    wrong.push(format!("{fault}, {stage}, live {live}: {is:?}, not {expected:?}"));
                }
                cell.push(is.letter());
            }
            table.entry(fault).or_default().push(cell.join(" / "));
        }
    }
    assert_documented(&table, &wrong);
}

#[test]
fn the_first_upgrade_and_a_later_one_are_tried_again_by_one_rule() {
    let mut table: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (refusal, again) in REFUSALS {
        let first = format!("{refusal}\nconnection *\n{WELL}");
        let (_, ready) = STAGES[1];
        let later = format!("{ready}reset\nconnection 2\n{refusal}\nconnection *\n{WELL}");
        for script in [first, later] {
            let ends = [false, true].map(|live| converse(&script, live));
            let expected = if again { End::Answered } else { End::Error };
            if ends != [expected; 2] {
                wrong.push(format!("{script}: {ends:?}"));
            }
            table.entry(refusal).or_default().push(ends.map(End::letter).join(" / "));
        }
    }
    assert_documented(&table, &wrong);
}

/// The table is as it should be, and as the docs have it.
#[track_caller]
fn assert_documented(table: &BTreeMap<&str, Vec<String>>, wrong: &[String]) {
    let rows: Vec<_> = table.iter().map(|(fault, cells)| format!("| {fault} | {} |", cells.join(" | "))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", rows.join("\n"));
    let path = format!("{}/docs/reliability.md", env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_to_string(path).expect("the docs");
    let missing: Vec<_> = rows.iter().filter(|row| !docs.contains(*row)).collect();
    assert!(missing.is_empty(), "docs/reliability.md does not have: {missing:#?}");
}

/// Many conversations at once, each of which loses its connection again and again. `SOAK=60 cargo test --features server
/// --test faults soak -- --ignored`.
#[test]
#[ignore = "it takes minutes; a command for whoever changes how sessions are had back"]
fn soak() {
    let conversations = std::env::var("SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(60);
    let faults = ["reset", "drop", "close 1011", "close 1013", "invalid-frame"];
    let threads: Vec<_> = (0..conversations)
        .map(|number: usize| {
            std::thread::spawn(move || {
                let stage = STAGES[number % STAGES.len()].1;
                let mut script = String::new();
                for connection in 1..=4 {
                    let fault = faults[(number + connection) % faults.len()];
                    script.push_str(&format!("connection {connection}\n{stage}{fault}\n"));
                }
                script.push_str(&format!("connection *\n{WELL}"));
                let live = number.is_multiple_of(2);
                let end = converse(&script, live);
                let is_right = match end {
                    End::Answered => true,
                    End::Cut => live && number % STAGES.len() == 3,
                    End::Error => false,
                };
                assert!(is_right, "conversation {number}, live {live}: {end:?}");
            })
        })
        .collect();
    let failed = threads.into_iter().map(|thread| thread.join()).filter(Result::is_err).count();
    assert_eq!(failed, 0, "of {conversations}");
}
