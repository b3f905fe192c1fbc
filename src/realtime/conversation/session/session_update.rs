// SPDX-License-Identifier: MPL-2.0

//! Settings that change while the conversation goes on.
//!
//! Changes that come together go out as one `session.update`, of what differs alone. One update is under way at a time,
//! and what it changes counts for the conversation's own decisions once the server has accepted it. Each setting of an
//! update is settled apart: a server refuses an update as a whole, so the rest of it is sent again without the setting
//! that the refusal names, or one by one where it names none. What is refused is told, so that whoever wished for it
//! knows what is in force.

use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::config::{ConfigUpdate, Detection};
use crate::realtime::conversation::{Conversation, Event, Phase};
use openai_protocol::client::InputAudioBufferClear;
use openai_protocol::{Session, session};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Changes that come within this time are one update.
const BATCH: Duration = Duration::from_millis(10);

/// What is in force and what is wished.
#[derive(Debug)]
pub(crate) struct SessionUpdater {
    /// The session's settings that the server has accepted, as JSON.
    in_force: Value,
    request: Option<Box<ConfigUpdate>>,
    /// When the wish goes out; `None` while it has to wait for an answer to end.
    due: Option<Instant>,
    waits_for_answer: bool,
    /// Under way.
    sent: Option<Sent>,
}

/// An update that has no answer so far.
#[derive(Debug)]
struct Sent {
    event_id: String,
    /// The settings in it.
    paths: Vec<Path>,
    plan: Plan,
}

/// A wish, as far as it can be had.
#[derive(Debug)]
struct Plan {
    request: Box<ConfigUpdate>,
    /// Its session without what cannot be had.
    session: Value,
    /// The names of that.
    without: Vec<String>,
    /// Its settings are sent one by one.
    one_by_one: bool,
}

/// Where a setting is in the session.
type Path = Vec<String>;

impl SessionUpdater {
    pub fn new(session: &Session) -> Self {
        Self { in_force: as_json(session), request: None, due: None, waits_for_answer: false, sent: None }
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
    pub(crate) fn configure(&mut self, request: Box<ConfigUpdate>) {
        self.updater.request = Some(request);
        self.updater.due.get_or_insert(self.now + BATCH);
    }

    /// The settings go out if it is time.
    pub(crate) fn advance_updates(&mut self) {
        let is_due = self.updater.due.is_some_and(|due| self.now >= due);
        if !is_due || self.updater.sent.is_some() || !matches!(self.phase, Phase::Ready) {
            return;
        }
        let Some(mut request) = self.updater.request.take() else { return };
        self.updater.due = None;
        // The pads say what is sent and taken, and another one than they said cannot be wished.
        request.config.input = self.config.input.clone();
        request.config.output = self.config.output.clone();
        if let Some(input) = request.config.session.audio.as_mut().and_then(|audio| audio.input.as_mut()) {
            input.format = Some(self.config.input.clone());
        }
        let mut session = as_json(&request.config.session);
        let mut without = Vec::new();
        if self.has_spoken && keep(&mut session, &self.updater.in_force, "voice") {
            without.push("audio.output.voice".to_owned());
            self.warn("voice-is-fixed", "the voice cannot be changed any more: the model has spoken with it");
        }
        if self.scheduler.active().is_some() && keep(&mut session, &self.updater.in_force, "speed") {
            // The rest of the wish goes out now, the speed when the answer is done.
            self.updater.request = Some(request.clone());
            self.updater.waits_for_answer = true;
        }
        self.send_update(Plan { request, session, without, one_by_one: false });
    }

    /// Sends what of a plan is not in force; all is settled where there is nothing.
    fn send_update(&mut self, plan: Plan) {
        let mut changes = difference(&self.updater.in_force, &plan.session);
        let mut paths = leaves(&changes, &mut Vec::new());
        if paths.is_empty() {
            return self.settings_settled(plan);
        }
        if plan.one_by_one {
            paths.truncate(1);
            changes = only(&changes, &paths[0]);
        }
        let kind = self.config.session.kind.clone();
        let update = serde_json::from_value::<Session>(Value::Object(changes));
        let update = update.unwrap_or_else(|error| unreachable!("parts of a session are one: {error}"));
        let event_id = self.update(Session { kind, ..update });
        self.updater.sent = Some(Sent { event_id, paths, plan });
    }

    /// An answer is done: what had to wait for that need not any more.
    pub(crate) fn resume_updates(&mut self) {
        self.updater.waits_for_answer = false;
        self.send_next_update();
    }

    fn send_next_update(&mut self) {
        if self.updater.request.is_some() && !self.updater.waits_for_answer {
            self.updater.due.get_or_insert(self.now);
        }
    }

    /// The server has accepted an update.
    pub(crate) fn update_accepted(&mut self, event_id: &str) {
        if let Some(Sent { paths, plan, .. }) = self.updater.sent.take_if(|sent| sent.event_id == event_id) {
            for path in &paths {
                copy_setting(&mut self.updater.in_force, &plan.session, path);
            }
            self.send_update(plan);
        }
    }

    fn settings_settled(&mut self, plan: Plan) {
        self.updater.in_force = plan.session;
        self.adopt(*plan.request, plan.without);
        self.send_next_update();
    }

    fn adopt(&mut self, request: ConfigUpdate, without: Vec<String>) {
        let ConfigUpdate { revision, config } = request;
        let before = std::mem::replace(&mut self.config, config);
        if !without.is_empty() {
            keep_refused(&mut self.config, &before, &self.updater.in_force, &without);
        }
        // A format may have changed meanwhile.
        (self.config.input, self.config.output) = (before.input, before.output);
        (self.config.timing, self.config.time_of_day) = (before.timing, before.time_of_day);
        if before.detection != self.config.detection {
            self.detection_changed(&before.detection);
        }
        self.remove_old_frames();
        self.notify(Event::Settings { revision, without });
    }

    /// Somebody else finds the turns from now on. What was said between two turns belongs to none.
    fn detection_changed(&mut self, before: &Detection) {
        let by_server = matches!(before, Detection::Server { .. });
        let is_in_turn = self.turns.speaking;
        if is_in_turn && !matches!(self.config.detection, Detection::Manual) {
            self.end_turn(None, self.audio_input.heard.end());
            self.commit();
            self.request_response_for_turn();
        } else if by_server && !is_in_turn && self.audio_input.uncommitted() > 0 {
            self.all_is_committed();
            self.send(InputAudioBufferClear::default());
        }
        self.audio_input.change_detection(&self.config);
    }

    /// The server has refused an update, and may have named the field. Gives back whether the refusal need not be told,
    /// because it will be told once more with the guilty setting alone.
    pub(crate) fn update_refused(&mut self, event_id: &str, param: Option<&str>) -> bool {
        let Some(Sent { paths, mut plan, .. }) = self.updater.sent.take_if(|sent| sent.event_id == event_id) else {
            return false;
        };
        let named = param.and_then(|param| paths.iter().find(|path| names(param, path)));
        let Some(guilty) = named.or(paths.first().filter(|_| paths.len() == 1)) else {
            plan.one_by_one = true;
            self.send_update(plan);
            return true;
        };
        copy_setting(&mut plan.session, &self.updater.in_force, guilty);
        plan.without.push(guilty.join("."));
        self.send_update(plan);
        false
    }

    /// The session is over before the server has answered an update. The next one begins with what is in force, and
    /// the wish stands.
    pub(crate) fn lose_update(&mut self) {
        if let Some(Sent { plan, .. }) = self.updater.sent.take() {
            self.updater.request.get_or_insert(plan.request);
        }
        self.resume_updates();
    }

    /// The input's format is another one, which is told by an update of its own.
    pub(crate) fn format_in_force(&mut self, format: &session::AudioFormat) {
        self.updater.in_force["audio"]["input"]["format"] = json!(format);
    }
}

/// Leaves a setting of the output's sound as it is in force. True where another one was wished.
fn keep(session: &mut Value, in_force: &Value, name: &str) -> bool {
    if session["audio"]["output"][name] == in_force["audio"]["output"][name] {
        return false;
    }
    copy_setting(session, in_force, &["audio".into(), "output".into(), name.to_owned()]);
    true
}

/// Makes a setting of one session what it is in another; where it is not set there, it is not set here.
fn copy_setting(into: &mut Value, from: &Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        let Some(into) = into.as_object_mut() else { return };
        match from.get(name) {
            Some(value) => into.insert(name.clone(), value.clone()),
            None => into.remove(name),
        };
    } else if from.get(name).is_some() || into.get(name).is_some() {
        if !into[name.as_str()].is_object() {
            into[name.as_str()] = json!({});
        }
        copy_setting(&mut into[name.as_str()], from.get(name).unwrap_or(&Value::Null), rest);
    }
}

/// Whether the `param` of an error (`session.tools[0].name`) is in this setting.
fn names(param: &str, path: &[String]) -> bool {
    let param = param.strip_prefix("session.").unwrap_or(param);
    let rest = param.strip_prefix(path.join(".").as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What the server has refused stays as it was for the conversation's own decisions as well.
fn keep_refused(config: &mut Config, before: &Config, in_force: &Value, without: &[String]) {
    if let Ok(session) = serde_json::from_value(in_force.clone()) {
        config.session = session;
    }
    let is_refused = |name: &str| without.iter().any(|refused| refused == name);
    if is_refused("audio.input.turn_detection") {
        config.detection = before.detection.clone();
        config.create_response = before.create_response;
        config.interrupt_response = before.interrupt_response;
        config.server_responds = before.server_responds;
        config.max_speed = before.max_speed;
    }
    if is_refused("audio.input.transcription") {
        config.transcribes = before.transcribes;
    }
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

/// Where the settings are that an update has.
fn leaves(changes: &Map<String, Value>, path: &mut Path) -> Vec<Path> {
    let mut paths = Vec::new();
    for (name, value) in changes {
        path.push(name.clone());
        match value {
            Value::Object(inner) if OBJECTS.iter().any(|object| path == object) => paths.extend(leaves(inner, path)),
            _ => paths.push(path.clone()),
        }
        path.pop();
    }
    paths
}

/// One setting of an update.
fn only(changes: &Map<String, Value>, path: &[String]) -> Map<String, Value> {
    let Some((name, rest)) = path.split_first() else { return Map::new() };
    let value = changes.get(name).cloned().unwrap_or_default();
    let value = match &value {
        Value::Object(inner) if !rest.is_empty() => Value::Object(only(inner, rest)),
        _ => value,
    };
    Map::from_iter([(name.clone(), value)])
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
