//! Settings that change while the conversation goes on.
//!
//! Changes that come together go out as one `session.update`, of what differs alone. One update is under way at a time,
//! and what it changes counts for the conversation's own decisions once the server has accepted it. What it refuses is
//! told, so that whoever wished for it knows what is in force.

use super::events::{Detection, Wish};
use super::{Conversation, Notice, Phase};
use crate::protocol::client::InputAudioBufferClear;
use crate::protocol::{Session, session};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Changes that come within this time are one update.
const BATCH: Duration = Duration::from_millis(10);

/// What is in force and what is wished.
#[derive(Debug)]
pub(super) struct Updating {
    /// The session's settings that the server has accepted, as JSON.
    in_force: Value,
    wish: Option<Box<Wish>>,
    /// When the wish goes out; `None` while it has to wait for an answer to end.
    due: Option<Instant>,
    waits_for_answer: bool,
    /// Under way: the event, the wish, its session without what cannot be had, and the names of that.
    sent: Option<Sent>,
}

#[derive(Debug)]
struct Sent {
    event_id: String,
    wish: Box<Wish>,
    session: Value,
    without: Vec<&'static str>,
}

impl Updating {
    pub fn new(session: &Session) -> Self {
        Self { in_force: as_json(session), wish: None, due: None, waits_for_answer: false, sent: None }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.due.filter(|_| self.sent.is_none())
    }
}

fn as_json(session: &Session) -> Value {
    serde_json::to_value(session).unwrap_or_else(|error| unreachable!("string keys only: {error}"))
}

impl Conversation {
    /// Other settings are wished.
    pub(super) fn configure(&mut self, wish: Box<Wish>) {
        self.updating.wish = Some(wish);
        self.updating.due.get_or_insert(self.now + BATCH);
    }

    /// The settings go out if it is time.
    pub(super) fn go_on_updating(&mut self) {
        let is_due = self.updating.due.is_some_and(|due| self.now >= due);
        if !is_due || self.updating.sent.is_some() || !matches!(self.phase, Phase::Ready) {
            return;
        }
        let Some(mut wish) = self.updating.wish.take() else { return };
        self.updating.due = None;
        // The pads say what is sent and taken, and another one than they said cannot be wished.
        wish.config.input = self.config.input.clone();
        wish.config.output = self.config.output.clone();
        if let Some(input) = wish.config.session.audio.as_mut().and_then(|audio| audio.input.as_mut()) {
            input.format = Some(self.config.input.clone());
        }
        let mut session = as_json(&wish.config.session);
        let mut without = Vec::new();
        if self.has_spoken && keep(&mut session, &self.updating.in_force, "voice") {
            without.push("voice");
            self.warn("voice-is-fixed", "the voice cannot be changed any more: the model has spoken with it");
        }
        let waits = self.gate.active().is_some() && keep(&mut session, &self.updating.in_force, "speed");
        let changes = difference(&self.updating.in_force, &session);
        if waits {
            // The rest of the wish goes out now, the speed when the answer is done.
            self.updating.wish = Some(wish.clone());
            self.updating.waits_for_answer = true;
        }
        if changes.is_empty() {
            return self.settings_accepted(wish, session, without);
        }
        let kind = self.config.session.kind.clone();
        let update = serde_json::from_value::<Session>(Value::Object(changes));
        let update = update.unwrap_or_else(|error| unreachable!("parts of a session are one: {error}"));
        let event_id = self.update(Session { kind, ..update });
        self.updating.sent = Some(Sent { event_id, wish, session, without });
    }

    /// An answer is done: what had to wait for that need not any more.
    pub(super) fn resume_updating(&mut self) {
        self.updating.waits_for_answer = false;
        self.send_next_update();
    }

    fn send_next_update(&mut self) {
        if self.updating.wish.is_some() && !self.updating.waits_for_answer {
            self.updating.due.get_or_insert(self.now);
        }
    }

    /// The server has accepted an update.
    pub(super) fn update_accepted(&mut self, event_id: &str) {
        if let Some(Sent { wish, session, without, .. }) = self.updating.sent.take_if(|sent| sent.event_id == event_id)
        {
            self.settings_accepted(wish, session, without);
        }
    }

    fn settings_accepted(&mut self, wish: Box<Wish>, session: Value, without: Vec<&'static str>) {
        self.updating.in_force = session;
        self.adopt(*wish, without);
        self.send_next_update();
    }

    fn adopt(&mut self, wish: Wish, without: Vec<&'static str>) {
        let Wish { revision, config } = wish;
        let before = std::mem::replace(&mut self.config, config);
        // A format may have changed meanwhile.
        (self.config.input, self.config.output) = (before.input, before.output);
        (self.config.timing, self.config.time_of_day) = (before.timing, before.time_of_day);
        if before.detection != self.config.detection {
            self.detection_changed(&before.detection);
        }
        self.remove_old_frames();
        self.notify(Notice::Settings { revision, refused: None, without });
    }

    /// Somebody else finds the turns from now on. What was said between two turns belongs to none.
    fn detection_changed(&mut self, before: &Detection) {
        let by_server = matches!(before, Detection::Server { .. });
        let is_in_turn = self.turns.speaking;
        if is_in_turn && !matches!(self.config.detection, Detection::Manual) {
            self.end_turn(None, self.listening.heard.end());
            self.commit();
            self.wish_for_answer();
        } else if by_server && !is_in_turn && self.listening.uncommitted() > 0 {
            self.all_is_committed();
            self.send(InputAudioBufferClear::default());
        }
        self.listening.change_detection(&self.config);
    }

    /// The server has refused an update. What it would have changed stays as it is.
    pub(super) fn update_refused(&mut self, event_id: &str, why: &str) {
        let Some(Sent { wish, .. }) = self.updating.sent.take_if(|sent| sent.event_id == event_id) else { return };
        self.notify(Notice::Settings { revision: wish.revision, refused: Some(why.to_owned()), without: Vec::new() });
        self.send_next_update();
    }

    /// The session is over before the server has answered an update. The next one begins with what is in force, and
    /// the wish stands.
    pub(super) fn lose_update(&mut self) {
        if let Some(Sent { wish, .. }) = self.updating.sent.take() {
            self.updating.wish.get_or_insert(wish);
        }
        self.resume_updating();
    }

    /// The input's format is another one, which is told by an update of its own.
    pub(super) fn format_in_force(&mut self, format: &session::AudioFormat) {
        self.updating.in_force["audio"]["input"]["format"] = json!(format);
    }
}

/// Leaves a setting of the output's sound as it is in force. True where another one was wished.
fn keep(session: &mut Value, in_force: &Value, name: &str) -> bool {
    let (wished, is) = (&session["audio"]["output"][name], &in_force["audio"]["output"][name]);
    let (wished, is) = (wished.clone(), is.clone());
    if wished == is {
        return false;
    }
    if let Some(output) = session["audio"]["output"].as_object_mut() {
        match is {
            Value::Null => output.remove(name),
            is => output.insert(name.to_owned(), is),
        };
    }
    true
}

/// Objects whose fields are changed one by one; every other value is replaced as a whole.
const OBJECTS: [&[&str]; 3] = [&["audio"], &["audio", "input"], &["audio", "output"]];

/// What brings a session from one state to another.
fn difference(from: &Value, to: &Value) -> Map<String, Value> {
    changes(from, to, &mut Vec::new())
}

fn changes<'a>(from: &'a Value, to: &'a Value, path: &mut Vec<&'a str>) -> Map<String, Value> {
    let mut changes_here = Map::new();
    let Some(to) = to.as_object() else { return changes_here };
    for (name, wished) in to {
        path.push(name);
        if OBJECTS.contains(&path.as_slice()) {
            let inner = changes(from.get(name).unwrap_or(&Value::Null), wished, path);
            if !inner.is_empty() {
                changes_here.insert(name.clone(), Value::Object(inner));
            }
        } else if from.get(name) != Some(wished) && name != "type" {
            changes_here.insert(name.clone(), wished.clone());
        }
        path.pop();
    }
    for name in from.as_object().into_iter().flat_map(Map::keys).filter(|name| !to.contains_key(*name)) {
        changes_here.insert(name.clone(), cleared(name));
    }
    changes_here
}

/// How a setting is taken back.
fn cleared(name: &str) -> Value {
    match name {
        "instructions" => json!(""),
        "tools" => json!([]),
        "tool_choice" => json!("auto"),
        "speed" => json!(1.0),
        "max_output_tokens" => json!("inf"),
        "truncation" => json!("auto"),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_goes_out() {
        let from = json!({"type": "realtime", "instructions": "a", "tools": [1], "audio": {
            "input": {"format": {"type": "audio/pcm"}, "transcription": {"model": "m"}},
            "output": {"voice": "alloy", "speed": 1.2}}});
        assert!(difference(&from, &from).is_empty());
        let to = json!({"type": "realtime", "instructions": "b", "audio": {
            "input": {"format": {"type": "audio/pcm"}, "turn_detection": null},
            "output": {"voice": "alloy"}}});
        assert_eq!(
            Value::Object(difference(&from, &to)),
            json!({"instructions": "b", "tools": [], "audio": {
                "input": {"transcription": null, "turn_detection": null}, "output": {"speed": 1.0}}})
        );
    }

    #[test]
    fn what_cannot_be_had_is_left_as_it_is() {
        let in_force = json!({"audio": {"output": {"voice": "alloy"}}});
        let mut session = json!({"audio": {"output": {"voice": "cedar", "speed": 1.1}}});
        assert!(keep(&mut session, &in_force, "voice") && keep(&mut session, &in_force, "speed"));
        assert_eq!(session, in_force);
        assert!(!keep(&mut session, &in_force, "voice"));
    }
}
