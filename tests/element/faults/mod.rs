// SPDX-License-Identifier: MPL-2.0

//! The table of faults: what a network and a server can do, at each stage of a conversation, live and offline, and what
//! becomes of it. Every cell is a conversation with a server that does as its script says, over a real socket.
//! `docs/reliability.md` has the tables, and this is what keeps them true.

mod converse;
mod soak;
mod stages;

use converse::{End, converse};
use gst::ResourceError;
use stages::{ANSWER, ASKED, HALF, NOTHING, OPEN, READY, Stage, stages};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What may be expected of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Another connection is made.
    Recovers,
    /// The connection goes on.
    Lives,
    /// An ERROR of this kind, whenever it is.
    Refused(ResourceError),
    /// An ERROR: before the first session, that there is none to be had; later that it is lost.
    Final,
}

use Outcome::{Final, Lives, Recovers, Refused};

/// What a fault is in a script. `stop-reading` leaves the connection open and is silent, as a machine that has lost its
/// network does.
const FAULTS: [(&str, &str, Outcome); 19] = [
    ("silence", "stop-reading", Recovers),
    ("reset", "reset", Recovers),
    ("drop", "drop", Recovers),
    ("half a frame", "half-frame response.output_audio.delta {\"delta\": \"<pcm:100>\"}\nreset", Recovers),
    ("invalid frame", "invalid-frame", Recovers),
    ("invalid UTF-8", "invalid-utf8", Recovers),
    ("invalid JSON", "text {", Lives),
    ("close 1001", "close 1001", Recovers),
    ("close 1006", "close 1006", Recovers),
    ("close 1011", "close 1011", Recovers),
    ("close 1012", "close 1012", Recovers),
    ("close 1013", "close 1013", Recovers),
    ("session expired", EXPIRED, Recovers),
    (
        "reset, then no server for three tries",
        "reset\nconnection 2\nrefuse reset\nconnection 3\nrefuse drop\nconnection 4\nrefuse 503",
        Recovers,
    ),
    ("close 1000", "close 1000", Final),
    ("close 1008", "close 1008", Final),
    ("close 1009", "close 1009", Final),
    ("close 3000", "close 3000", Refused(ResourceError::NotAuthorized)),
    ("close 4000", "close 4000", Refused(ResourceError::Settings)),
];

const EXPIRED: &str = "send error {\"error\": {\"type\": \"invalid_request_error\", \"code\": \"session_expired\", \
    \"message\": \"Your session hit the maximum duration of 60 minutes.\"}}\nclose 1000";

/// What may come of an upgrade, as a statement of a script, and whether another try is worth it.
const REFUSALS: [(&str, Outcome); 12] = [
    ("refuse drop", Recovers),
    ("refuse reset", Recovers),
    ("refuse 400", Final),
    ("refuse 401", Refused(ResourceError::NotAuthorized)),
    ("refuse 403", Refused(ResourceError::NotAuthorized)),
    ("refuse 404", Refused(ResourceError::NotFound)),
    ("refuse 408", Recovers),
    ("refuse 429", Recovers),
    ("refuse 500", Recovers),
    ("refuse 502", Recovers),
    ("refuse 503", Recovers),
    ("refuse 504", Recovers),
];

/// Conversations at a time. Those with a silent server do nothing but wait.
const THREADS: usize = 8;

/// A conversation of the table: its row and column, and how it is to end.
struct Cell {
    row: &'static str,
    column: String,
    live: bool,
    stage: Stage,
    script: String,
    properties: &'static str,
    expected: End,
}

fn expected(outcome: Outcome, stage: &str, live: bool) -> End {
    match outcome {
        Refused(kind) => End::Error(kind),
        Final if stage == "connecting" => End::Error(ResourceError::OpenReadWrite),
        Final => End::Error(ResourceError::Read),
        // Whoever listens has heard it.
        Recovers if live && stage == "model speaks" => End::Cut,
        Recovers | Lives => End::Answered,
    }
}

#[test]
fn every_turn_is_answered_once_or_told_as_lost() {
    let mut cells = Vec::new();
    for (fault, statement, outcome) in FAULTS {
        for live in [false, true] {
            for stage in stages(live) {
                let struck = format!("{}{statement}\n", stage.before);
                let script = match expected(outcome, stage.name, live) {
                    _ if outcome == Lives => format!("{struck}{}", stage.rest),
                    End::Cut => format!("{struck}connection *\n{READY}{NOTHING}"),
                    _ => format!("{struck}connection *\n{READY}{}{ANSWER}", stage.asked_again),
                };
                // The first session has to be ready in time, whatever it is that is waited for.
                let is_late = (fault, stage.name) == ("silence", "connecting");
                let (properties, expected) = match is_late {
                    true => ("connect-timeout=500000000", End::Error(ResourceError::OpenReadWrite)),
                    false => ("", expected(outcome, stage.name, live)),
                };
                let column = stage.name.to_owned();
                cells.push(Cell { row: fault, column, live, stage, script, properties, expected });
            }
        }
    }
    assert_as_documented(cells);
}

#[test]
fn the_first_upgrade_and_a_later_one_are_tried_again_by_one_rule() {
    let mut cells = Vec::new();
    for (refusal, outcome) in REFUSALS {
        for live in [false, true] {
            let first = format!("{refusal}\nconnection *\n{READY}{ASKED}{ANSWER}");
            let later = format!("{READY}reset\nconnection 2\n{refusal}\nconnection *\n{READY}{ASKED}{ANSWER}");
            for (column, script, stage) in [("first connection", first, "connecting"), ("after a loss", later, "ready")]
            {
                let expected = expected(outcome, stage, live);
                let [_, stage, ..] = stages(live);
                let column = column.to_owned();
                cells.push(Cell { row: refusal, column, live, stage, script, properties: "", expected });
            }
        }
    }
    assert_as_documented(cells);
}

#[test]
fn a_second_fault_while_the_first_one_is_mended_loses_nothing_more() {
    const ROWS: [&str; 4] = ["before the session", "after it", "asked again", "half an answer again"];
    let mut cells = Vec::new();
    for (index, row) in ROWS.into_iter().enumerate() {
        for live in [false, true] {
            let struck = |stage: &Stage| stage.name != "connecting" && (!live || stage.name != "model speaks");
            for stage in stages(live).into_iter().filter(struck) {
                let again = &stage.asked_again;
                let second = match index {
                    0 => OPEN.to_owned(),
                    1 => READY.to_owned(),
                    2 => format!("{READY}{again}"),
                    _ => format!("{READY}{again}{HALF}"),
                };
                // What was asked again is known to the element by then, whoever had found it.
                let third = if index < 2 { again } else { ASKED };
                let (last, expected) = match live && index == 3 {
                    true => (NOTHING.to_owned(), End::Cut),
                    false => (format!("{third}{ANSWER}"), End::Answered),
                };
                let script = format!("{}reset\nconnection 2\n{second}reset\nconnection *\n{READY}{last}", stage.before);
                let column = stage.name.to_owned();
                cells.push(Cell { row, column, live, stage, script, properties: "", expected });
            }
        }
    }
    assert_as_documented(cells);
}

/// Plays all cells, and compares them with what is expected and with the docs.
#[track_caller]
fn assert_as_documented(cells: Vec<Cell>) {
    let (next, ends) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cell) = cells.get(index) else { break };
                    let play = || converse(&cell.stage, &cell.script, cell.live, cell.properties);
                    let end = catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|_| Err("a panic or no end".into()));
                    ends.lock().expect("no panic").insert(index, end);
                }
            });
        }
    });
    let ends = ends.into_inner().expect("no panic");
    assert_eq!(ends.len(), cells.len(), "all were played");
    let (mut wrong, mut table) = (Vec::new(), BTreeMap::<&str, Vec<(&str, String)>>::new());
    for (cell, end) in cells.iter().zip(ends.into_values()) {
        let name = end.as_ref().map_or("wrong", |end| end.name());
        let row = table.entry(cell.row).or_default();
        match row.iter_mut().find(|(column, _)| *column == cell.column) {
            Some((_, text)) => *text = format!("{text} / {name}"),
            None => row.push((&cell.column, name.to_owned())),
        }
        if end != Ok(cell.expected) {
            wrong.push(format!("{}, {}, live {}: {end:?}, not {:?}", cell.row, cell.column, cell.live, cell.expected));
        }
    }
    let rows = table.iter().map(|(row, cells)| {
        let texts: Vec<_> = cells.iter().map(|(_, text)| text.as_str()).collect();
        format!("| {row} | {} |", texts.join(" | "))
    });
    let rows: Vec<_> = rows.collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", rows.join("\n"));
    let path = format!("{}/docs/reliability.md", env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_to_string(path).expect("the docs");
    let missing: Vec<_> = rows.iter().filter(|row| !docs.contains(*row)).collect();
    assert!(missing.is_empty(), "docs/reliability.md does not have:\n{missing:#?}");
}
