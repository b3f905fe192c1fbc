// SPDX-License-Identifier: MPL-2.0

//! `session.update`: the first one, and settings that change while the conversation goes on.
//!
//! Changes that come together are one `session.update`, of what differs alone. One update is under way at a time, and
//! what it changes counts for the conversation's own decisions once the server has accepted it. A server refuses an
//! update as a whole, so the rest of it is sent again without the setting that the refusal names, or one by one where it
//! names none. What is refused is posted, so that the application knows what is applied.

use crate::realtime::conversation::config::{Config, ConfigUpdate};
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::session::session_diff::{
    Path, as_json, copy_setting, difference, keep, leaves, names, only,
};
use openai_protocol::client::SessionUpdate;
use openai_protocol::{Session, session};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Changes that come within this time are one update.
const BATCH: Duration = Duration::from_millis(10);

/// What is applied, and what is requested.
#[derive(Debug)]
pub(crate) struct SessionUpdater {
    /// The session's settings that the server has accepted, as JSON.
    applied: Value,
    request: Option<Box<ConfigUpdate>>,
    /// When the request is sent; `None` while it has to wait for a response to end.
    due: Option<Instant>,
    waits_for_response: bool,
    /// Under way.
    sent: Option<Sent>,
    /// Ids of `session.update` events without an answer, oldest first.
    unanswered: VecDeque<String>,
}

/// An update that has no answer so far.
#[derive(Debug)]
struct Sent {
    event_id: String,
    /// The settings in it.
    paths: Vec<Path>,
    plan: Plan,
}

/// A request, as far as it can be applied.
#[derive(Debug)]
struct Plan {
    request: Box<ConfigUpdate>,
    /// Its session without what is refused.
    session: Value,
    /// The names of that.
    without: Vec<String>,
    /// Its settings are sent one by one.
    one_by_one: bool,
}

/// A request has been applied, as far as it could be: the configuration from now on.
#[derive(Debug)]
pub(crate) struct Applied {
    pub revision: u64,
    pub config: Config,
    /// Settings that are not applied.
    pub without: Vec<String>,
}

/// What became of an event that the server refused.
#[derive(Debug)]
pub(crate) struct RefusedUpdate {
    /// The refusal need not be posted: the setting that it is about is refused once more on its own.
    pub is_repeated: bool,
    pub applied: Option<Applied>,
}

impl SessionUpdater {
    pub fn new(session: &Session) -> Self {
        Self {
            applied: as_json(session),
            request: None,
            due: None,
            waits_for_response: false,
            sent: None,
            unanswered: VecDeque::new(),
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.due.filter(|_| self.sent.is_none())
    }

    /// Sends a `session.update`. Returns its event id.
    pub fn send(&mut self, session: Session, ctx: &mut Ctx) -> String {
        let id = ctx.send(SessionUpdate { session, ..Default::default() });
        self.unanswered.push_back(id.clone());
        id
    }

    /// Sends an update that changes nothing: its answer tells that everything before it was processed.
    pub fn send_fence(&mut self, ctx: &mut Ctx) -> String {
        self.send(Session { kind: ctx.config.session.kind.clone(), ..Default::default() }, ctx)
    }

    /// Whether the server has not answered this update.
    pub fn is_unanswered(&self, event_id: &str) -> bool {
        self.unanswered.iter().any(|update| update == event_id)
    }

    /// Whether any update has no answer.
    pub fn awaits_answer(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// No answer comes to what was sent.
    pub fn forget_unanswered(&mut self) {
        self.unanswered.clear();
    }

    /// Properties have changed.
    pub fn configure(&mut self, request: Box<ConfigUpdate>, now: Instant) {
        self.request = Some(request);
        self.due.get_or_insert(now + BATCH);
    }

    /// Sends the request if it is due. `has_spoken`: the voice cannot change any more. `is_responding`: the speed cannot
    /// change now.
    pub fn advance(&mut self, has_spoken: bool, is_responding: bool, ctx: &mut Ctx) -> Option<Applied> {
        if self.due.is_none_or(|due| ctx.now < due) || self.sent.is_some() {
            return None;
        }
        let mut request = self.request.take()?;
        self.due = None;
        // The caps of the pads decide on the formats.
        request.config.input = ctx.config.input.clone();
        request.config.output = ctx.config.output.clone();
        if let Some(input) = request.config.session.audio.as_mut().and_then(|audio| audio.input.as_mut()) {
            input.format = Some(ctx.config.input.clone());
        }
        let mut session = as_json(&request.config.session);
        let mut without = Vec::new();
        if has_spoken && keep(&mut session, &self.applied, "voice") {
            without.push("audio.output.voice".to_owned());
            ctx.warn("voice-is-fixed", "the voice cannot be changed any more: the model has spoken with it");
        }
        if is_responding && keep(&mut session, &self.applied, "speed") {
            // The rest of the request is sent now, the speed when the response is done.
            self.request = Some(request.clone());
            self.waits_for_response = true;
        }
        self.send_plan(Plan { request, session, without, one_by_one: false }, ctx)
    }

    /// Sends what of a plan is not applied; it is settled where there is nothing.
    fn send_plan(&mut self, plan: Plan, ctx: &mut Ctx) -> Option<Applied> {
        let mut changes = difference(&self.applied, &plan.session);
        let mut paths = leaves(&changes, &mut Vec::new());
        if paths.is_empty() {
            return Some(self.settle(plan, ctx));
        }
        if plan.one_by_one {
            paths.truncate(1);
            changes = only(&changes, &paths[0]);
        }
        let kind = ctx.config.session.kind.clone();
        let update = serde_json::from_value::<Session>(Value::Object(changes));
        let update = update.unwrap_or_else(|error| unreachable!("parts of a session are one: {error}"));
        let event_id = self.send(Session { kind, ..update }, ctx);
        self.sent = Some(Sent { event_id, paths, plan });
        None
    }

    fn settle(&mut self, plan: Plan, ctx: &Ctx) -> Applied {
        let Plan { request, session, without, .. } = plan;
        self.applied = session;
        self.send_next(ctx.now);
        let ConfigUpdate { revision, mut config } = *request;
        if !without.is_empty() {
            keep_refused(&mut config, ctx.config, &self.applied, &without);
        }
        // A format may have changed meanwhile.
        (config.input, config.output) = (ctx.config.input.clone(), ctx.config.output.clone());
        (config.timing, config.time_of_day) = (ctx.config.timing, ctx.config.time_of_day);
        Applied { revision, config, without }
    }

    /// A response is done: what had to wait for that need not any more.
    pub fn response_done(&mut self, now: Instant) {
        self.waits_for_response = false;
        self.send_next(now);
    }

    fn send_next(&mut self, now: Instant) {
        if self.request.is_some() && !self.waits_for_response {
            self.due.get_or_insert(now);
        }
    }

    /// `session.updated`: the server has accepted the oldest update.
    pub fn accepted(&mut self, ctx: &mut Ctx) -> Option<Applied> {
        let event_id = self.unanswered.pop_front()?;
        let Sent { paths, plan, .. } = self.sent.take_if(|sent| sent.event_id == event_id)?;
        for path in &paths {
            copy_setting(&mut self.applied, &plan.session, path);
        }
        self.send_plan(plan, ctx)
    }

    /// The server has refused an event. If it was an update, the error may have named the field.
    pub fn refused(&mut self, event_id: &str, param: Option<&str>, ctx: &mut Ctx) -> RefusedUpdate {
        self.unanswered.retain(|update| update != event_id);
        let Some(Sent { paths, mut plan, .. }) = self.sent.take_if(|sent| sent.event_id == event_id) else {
            return RefusedUpdate { is_repeated: false, applied: None };
        };
        let named = param.and_then(|param| paths.iter().find(|path| names(param, path)));
        let guilty = named.or(paths.first().filter(|_| paths.len() == 1));
        match guilty {
            Some(guilty) => {
                copy_setting(&mut plan.session, &self.applied, guilty);
                plan.without.push(guilty.join("."));
            }
            None => plan.one_by_one = true,
        }
        let is_repeated = guilty.is_none();
        RefusedUpdate { is_repeated, applied: self.send_plan(plan, ctx) }
    }

    /// The session is over before the server has answered. The next one begins with what is applied, and the request
    /// stands.
    pub fn session_lost(&mut self, now: Instant) {
        self.unanswered.clear();
        if let Some(Sent { plan, .. }) = self.sent.take() {
            self.request.get_or_insert(plan.request);
        }
        self.response_done(now);
    }

    /// The input's format has changed, which an update of its own tells.
    pub fn input_format_applied(&mut self, format: &session::AudioFormat) {
        self.applied["audio"]["input"]["format"] = json!(format);
    }
}

/// What the server has refused stays as it was for the conversation's own decisions as well.
fn keep_refused(config: &mut Config, before: &Config, applied: &Value, without: &[String]) {
    if let Ok(session) = serde_json::from_value(applied.clone()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;

    /// An updater with a request to change instructions and speed, which is due.
    fn requested() -> (SessionUpdater, Fixture) {
        let mut fixture = Fixture::new(Timing::Live);
        let mut updater = SessionUpdater::new(&fixture.config.session);
        let mut config = fixture.config.clone();
        config.session = serde_json::from_value(json!({
            "type": "realtime", "instructions": "Be brief.", "audio": {"output": {"speed": 1.2}}
        }))
        .unwrap_or_else(|error| panic!("{error}"));
        updater.configure(Box::new(ConfigUpdate { revision: 7, config }), fixture.now);
        assert!(updater.advance(false, false, &mut fixture.ctx()).is_none());
        assert!(fixture.sent().is_empty(), "changes that come together are one update");
        fixture.now += BATCH;
        (updater, fixture)
    }

    #[test]
    fn a_change_counts_once_it_is_accepted() {
        let (mut updater, mut fixture) = requested();
        assert!(updater.advance(false, false, &mut fixture.ctx()).is_none());
        assert_eq!(fixture.sent(), ["session.update"]);
        let applied = updater.accepted(&mut fixture.ctx());
        assert!(applied.is_some_and(|applied| applied.revision == 7 && applied.without.is_empty()));
        assert!(!updater.awaits_answer());
    }

    #[test]
    fn an_update_refused_without_a_name_is_sent_setting_by_setting() {
        let (mut updater, mut fixture) = requested();
        updater.advance(false, false, &mut fixture.ctx());
        let refused = updater.refused("evt_1", None, &mut fixture.ctx());
        assert!(refused.is_repeated && refused.applied.is_none());
        let refused = updater.refused("evt_2", None, &mut fixture.ctx());
        assert!(!refused.is_repeated, "it was the only one in its update");
        assert_eq!(fixture.sent(), ["session.update"; 3]);
        let applied = updater.accepted(&mut fixture.ctx());
        assert!(applied.is_some_and(|applied| applied.without.len() == 1));
    }

    #[test]
    fn the_speed_waits_for_the_end_of_a_response() {
        let (mut updater, mut fixture) = requested();
        updater.advance(false, true, &mut fixture.ctx());
        assert!(updater.accepted(&mut fixture.ctx()).is_some());
        assert_eq!((fixture.sent().len(), updater.deadline()), (1, None));
        updater.response_done(fixture.now);
        assert!(updater.advance(false, false, &mut fixture.ctx()).is_none());
        assert_eq!(fixture.sent(), ["session.update"]);
    }

    #[test]
    fn a_request_outlives_its_session() {
        let (mut updater, mut fixture) = requested();
        updater.advance(false, false, &mut fixture.ctx());
        updater.session_lost(fixture.now);
        assert!(!updater.awaits_answer());
        updater.advance(false, false, &mut fixture.ctx());
        assert_eq!(fixture.sent(), ["session.update"; 2]);
    }
}
