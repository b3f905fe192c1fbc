// SPDX-License-Identifier: MPL-2.0

//! Decides when `response.create` may be sent.
//!
//! A conversation has one response at a time. The scheduler knows whether one is requested, expected or under way; it
//! never requests two at once, and never forgets a request.

use openai_protocol::ResponseParams;
use std::time::Instant;

/// A `response.create` of the element.
#[derive(Debug)]
struct Request {
    event_id: String,
    params: Option<ResponseParams>,
}

/// How far the response of the default conversation is.
#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    /// Requested by the element, and not begun.
    Requested(Request),
    /// Begun and not done. `request` is what it seems to answer: if the server refuses that later, because another response
    /// was faster, this one is the server's own.
    Active { response_id: String, request: Option<Request> },
}

/// Schedules the requests for responses.
#[derive(Debug, Default)]
pub struct ResponseScheduler {
    state: State,
    /// The server is going to begin a response by itself. It says so while another is still requested or active as well.
    announced: bool,
    /// The next request, for when the server is free. Requests are merged, and the newest parameters count.
    queued: Option<Option<ResponseParams>>,
    /// When the turn ended that the next response answers.
    turn_ended: Option<Instant>,
    /// What is requested or announced is not wanted any more, and is cancelled when it begins.
    cancel_pending: bool,
}

impl ResponseScheduler {
    /// Queues a request.
    pub fn request(&mut self, params: Option<ResponseParams>) {
        let before = self.queued.take().flatten();
        self.queued = Some(params.or(before));
    }

    /// The next response answers a turn that ended then.
    pub fn turn_ended(&mut self, at: Instant) {
        self.turn_ended = Some(at);
    }

    /// The next response answers such a turn, unless one that ended is waiting for its response.
    pub fn turn_ended_unless_known(&mut self, at: Option<Instant>) {
        self.turn_ended = self.turn_ended.or(at);
    }

    /// When the turn ended that the next response answers. Once for each turn.
    pub fn take_turn_ended(&mut self) -> Option<Instant> {
        self.turn_ended.take()
    }

    /// The server is going to respond to the turn by itself.
    pub fn expect_server_response(&mut self) {
        self.announced = true;
        self.cancel_pending = false;
    }

    /// Drops the queued request, and cancels what has not begun.
    pub fn cancel_pending(&mut self) {
        (self.queued, self.turn_ended) = (None, None);
        self.cancel_pending = self.expects();
    }

    /// What was requested and has not begun does not know everything: cancels it, and queues it again.
    pub fn retry_request(&mut self) {
        if self.queued.is_none() {
            self.cancel_pending = self.expects();
            let requested = match &self.state {
                State::Requested(request) => request.params.clone(),
                State::Idle | State::Active { .. } => None,
            };
            self.queued = Some(requested);
        }
    }

    /// Whether the response that begins now is to be cancelled. True once.
    pub fn take_cancelled(&mut self) -> bool {
        std::mem::take(&mut self.cancel_pending)
    }

    /// The parameters of the response that is requested or under way.
    pub fn params(&self) -> Option<ResponseParams> {
        match &self.state {
            State::Requested(request) | State::Active { request: Some(request), .. } => request.params.clone(),
            State::Idle | State::Active { request: None, .. } => None,
        }
    }

    /// The parameters of the request that may be sent now. The caller sends it and calls [`Self::request_sent`].
    pub fn take_request(&mut self) -> Option<Option<ResponseParams>> {
        self.has_request().then(|| self.queued.take()).flatten()
    }

    /// `response.create` was sent under this id.
    pub fn request_sent(&mut self, event_id: String, params: Option<ResponseParams>) {
        self.cancel_pending = false;
        self.state = State::Requested(Request { event_id, params });
    }

    /// A response of the default conversation has begun.
    pub fn created(&mut self, response_id: &str) {
        if self.active() == Some(response_id) {
            return;
        }
        self.announced = false;
        let request = match std::mem::take(&mut self.state) {
            State::Requested(request) => Some(request),
            State::Idle | State::Active { .. } => None,
        };
        self.state = State::Active { response_id: response_id.to_owned(), request };
    }

    /// A response is done. `unseen`: its beginning was not told, as some servers do; then it is what was requested or
    /// announced.
    pub fn done(&mut self, response_id: &str, unseen: bool) {
        match &self.state {
            State::Active { response_id: active, .. } if active == response_id => self.state = State::Idle,
            State::Active { .. } => {}
            State::Idle | State::Requested(_) => {
                self.announced = false;
                if unseen {
                    self.state = State::Idle;
                }
            }
        }
    }

    /// The server refused a request. Without `event_id` it may be one that the server made itself. `busy`: another response
    /// was faster, and the request is queued again until that is done. Returns whether the refusal was about a request.
    pub fn refused(&mut self, event_id: Option<&str>, busy: bool) -> bool {
        let nameless = event_id.is_none() && busy;
        match &mut self.state {
            State::Requested(request) if nameless || event_id == Some(&request.event_id) => {
                let params = request.params.take();
                self.state = State::Idle;
                if busy {
                    self.queue_again(params);
                    // What the server is busy with ends by a `response.done`, also if its beginning was not seen.
                    self.announced = true;
                }
                true
            }
            State::Active { request, .. } if request.as_ref().is_some_and(|r| event_id == Some(&r.event_id)) => {
                let params = request.take().and_then(|request| request.params);
                if busy {
                    self.queue_again(params);
                }
                true
            }
            _ if nameless && self.announced => {
                self.announced = false;
                self.queue_again(None);
                true
            }
            _ => false,
        }
    }

    fn queue_again(&mut self, params: Option<ResponseParams>) {
        let newer = self.queued.take().flatten();
        self.queued = Some(newer.or(params));
    }

    /// What was requested or announced will not come, and what is under way will not end. The queued request is kept.
    pub fn give_up(&mut self) {
        (self.state, self.announced, self.cancel_pending) = (State::Idle, false, false);
    }

    /// Drops the queued request.
    pub fn drop_request(&mut self) {
        self.queued = None;
    }

    /// Whether a request is queued that could be sent now.
    pub fn has_request(&self) -> bool {
        self.queued.is_some() && matches!(self.state, State::Idle) && !self.announced
    }

    /// A response was requested or announced, and has not begun.
    pub fn expects(&self) -> bool {
        matches!(self.state, State::Requested(_)) || self.announced
    }

    /// The response under way was requested by the element.
    pub fn is_ours(&self) -> bool {
        matches!(self.state, State::Active { request: Some(_), .. })
    }

    /// The id of the response under way.
    pub fn active(&self) -> Option<&str> {
        match &self.state {
            State::Active { response_id, .. } => Some(response_id),
            State::Idle | State::Requested(_) => None,
        }
    }

    /// Whether a response is queued, requested, announced or under way.
    pub fn is_pending(&self) -> bool {
        self.queued.is_some() || self.announced || !matches!(self.state, State::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(scheduler: &mut ResponseScheduler, event_id: &str) -> Option<Option<ResponseParams>> {
        let params = scheduler.take_request()?;
        scheduler.request_sent(event_id.to_owned(), params.clone());
        Some(params)
    }

    fn loud() -> Option<ResponseParams> {
        Some(ResponseParams { instructions: Some("shout".into()), ..Default::default() })
    }

    #[test]
    fn never_two_at_once_and_none_is_lost() {
        let mut scheduler = ResponseScheduler::default();
        scheduler.request(None);
        assert_eq!(ask(&mut scheduler, "e1"), Some(None));
        scheduler.request(None);
        scheduler.request(None);
        assert_eq!(ask(&mut scheduler, "e2"), None);
        scheduler.created("r1");
        assert_eq!(ask(&mut scheduler, "e2"), None);
        scheduler.done("r1", false);
        assert_eq!(ask(&mut scheduler, "e2"), Some(None));
        scheduler.created("r2");
        scheduler.done("r2", false);
        assert_eq!(ask(&mut scheduler, "e3"), None);
        assert!(!scheduler.is_pending());
    }

    #[test]
    fn a_request_that_lost_the_race_is_asked_again() {
        let mut scheduler = ResponseScheduler::default();
        scheduler.request(loud());
        ask(&mut scheduler, "e1");
        assert!(!scheduler.refused(Some("other"), true));
        assert!(scheduler.refused(Some("e1"), true));
        scheduler.created("r1");
        assert_eq!(ask(&mut scheduler, "e2"), None);
        scheduler.done("r1", false);
        assert_eq!(ask(&mut scheduler, "e2"), Some(loud()));
    }

    #[test]
    fn the_winner_of_the_race_may_be_told_before_its_loser() {
        let mut scheduler = ResponseScheduler::default();
        scheduler.request(loud());
        ask(&mut scheduler, "e1");
        scheduler.created("r1");
        assert!(scheduler.refused(Some("e1"), true));
        assert_eq!(ask(&mut scheduler, "e2"), None);
        scheduler.done("r1", false);
        assert_eq!(ask(&mut scheduler, "e2"), Some(loud()));
    }

    #[test]
    fn an_answer_that_the_server_failed_to_begin_is_asked_for_by_us() {
        let mut scheduler = ResponseScheduler::default();
        scheduler.created("r1");
        scheduler.expect_server_response();
        assert!(scheduler.refused(None, true));
        scheduler.done("r1", false);
        assert_eq!(ask(&mut scheduler, "e1"), Some(None));
    }

    #[test]
    fn a_request_that_is_wrong_is_not_asked_again() {
        let mut scheduler = ResponseScheduler::default();
        scheduler.request(None);
        ask(&mut scheduler, "e1");
        assert!(scheduler.refused(Some("e1"), false));
        assert!(!scheduler.is_pending());
    }

    #[test]
    fn merged_wishes_keep_their_parameters() {
        let mut scheduler = ResponseScheduler::default();
        scheduler.request(loud());
        scheduler.request(None);
        assert_eq!(ask(&mut scheduler, "e1"), Some(loud()));
    }
}
