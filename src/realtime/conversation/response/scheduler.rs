// SPDX-License-Identifier: MPL-2.0

//! The gate through which every answer is asked for.
//!
//! A conversation has one answer at a time. The gate knows whether one is asked for, under way or wished; it never
//! asks twice, and it never forgets a wish.

use openai_protocol::ResponseParams;
use std::time::Instant;

/// A `response.create` of ours.
#[derive(Debug)]
struct Request {
    event_id: String,
    params: Option<ResponseParams>,
}

/// An answer that is under way.
#[derive(Debug)]
struct Active {
    response_id: String,
    /// What it seems to answer. If the server refuses that as coming too late, the answer is somebody else's.
    request: Option<Request>,
}

/// The one gate for answers.
#[derive(Debug, Default)]
pub struct ResponseScheduler {
    /// Asked for by us, and not begun.
    asked: Option<Request>,
    /// Begun and not done.
    active: Option<Active>,
    /// The server will begin one by itself.
    announced: bool,
    /// To be asked for when the gate is free; wishes are merged, the last one's parameters count.
    wished: Option<Option<ResponseParams>>,
    /// When the turn that is to be answered ended.
    pub turn_ended: Option<Instant>,
    /// What is asked for is not wanted any more; it is cancelled when it begins.
    cancelled_pending: bool,
}

impl ResponseScheduler {
    /// Wishes for an answer.
    pub fn request(&mut self, params: Option<ResponseParams>) {
        let before = self.wished.take().flatten();
        self.wished = Some(params.or(before));
    }

    /// The server said that it will answer the turn by itself.
    pub fn expect_server_response(&mut self) {
        self.announced = true;
        self.cancelled_pending = false;
    }

    /// What is wished is not wanted any more, nor what is asked for and has not begun.
    pub fn cancel_pending(&mut self) {
        (self.wished, self.turn_ended) = (None, None);
        self.cancelled_pending = self.asked.is_some() || self.announced;
    }

    /// What is asked for and has not begun does not know all: it is called off, and asked for once more.
    pub fn retry_request(&mut self) {
        if self.wished.is_none() {
            self.cancelled_pending = self.asked.is_some() || self.announced;
            self.wished = Some(self.asked.as_ref().and_then(|asked| asked.params.clone()));
        }
    }

    /// True once where the answer that begins was called off.
    pub fn take_cancelled(&mut self) -> bool {
        std::mem::take(&mut self.cancelled_pending)
    }

    /// The parameters of the answer that is asked for or under way.
    pub fn params(&self) -> Option<ResponseParams> {
        let active = || self.active.as_ref().and_then(|active| active.request.as_ref());
        self.asked.as_ref().or_else(active).and_then(|request| request.params.clone())
    }

    /// The parameters of the request that may be sent now, if any; whoever takes them sends it and calls
    /// [`Self::asked`].
    pub fn take_request(&mut self) -> Option<Option<ResponseParams>> {
        self.has_request().then(|| self.wished.take()).flatten()
    }

    /// An answer was asked for by this event.
    pub fn request_sent(&mut self, event_id: String, params: Option<ResponseParams>) {
        self.cancelled_pending = false;
        self.asked = Some(Request { event_id, params });
    }

    /// An answer of the default conversation has begun.
    pub fn created(&mut self, response_id: &str) {
        if self.active() == Some(response_id) {
            return;
        }
        self.announced = false;
        self.active = Some(Active { response_id: response_id.to_owned(), request: self.asked.take() });
    }

    /// An answer is done. One that began unseen is what was asked for or announced: some servers do not tell of the
    /// begin.
    pub fn done(&mut self, response_id: &str, unseen: bool) {
        match self.active() {
            Some(active) if active == response_id => self.active = None,
            Some(_) => {}
            None => {
                self.announced = false;
                if unseen {
                    self.asked = None;
                }
            }
        }
    }

    /// A request was refused; without an event of ours it may have been the server's own. With `busy` another answer
    /// was faster, and the wish is kept for when that is done. Gives back whether the refusal was the gate's matter.
    pub fn refused(&mut self, event_id: Option<&str>, busy: bool) -> bool {
        let nameless = event_id.is_none() && busy;
        if self.asked.as_ref().is_some_and(|asked| nameless || event_id == Some(&asked.event_id)) {
            let request = self.asked.take();
            if busy {
                self.request_again(request);
                // What the server is busy with ends by a `response.done`, which may name an answer that began unseen.
                self.announced = true;
            }
            return true;
        }
        if let Some(active) = &mut self.active
            && active.request.as_ref().is_some_and(|request| event_id == Some(&request.event_id))
        {
            let request = active.request.take();
            if busy {
                self.request_again(request);
            }
            return true;
        }
        if nameless && self.announced {
            self.announced = false;
            self.request_again(None);
            return true;
        }
        false
    }

    fn request_again(&mut self, request: Option<Request>) {
        let newer = self.wished.take().flatten();
        self.wished = Some(newer.or(request.and_then(|request| request.params)));
    }

    /// What was asked for or announced will not come, and what is under way will not end. Wishes are kept.
    pub fn give_up(&mut self) {
        (self.asked, self.active, self.announced, self.cancelled_pending) = (None, None, false, false);
    }

    /// No answer is wished any more.
    pub fn drop_request(&mut self) {
        self.wished = None;
    }

    /// Whether an answer is wished that could be asked for now.
    pub fn has_request(&self) -> bool {
        self.wished.is_some() && self.asked.is_none() && self.active.is_none() && !self.announced
    }

    /// An answer was asked for or announced, and has not begun.
    pub fn expects(&self) -> bool {
        self.asked.is_some() || self.announced
    }

    /// The answer that is under way was asked for by us.
    pub fn is_ours(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.request.is_some())
    }

    /// The answer that is under way.
    pub fn active(&self) -> Option<&str> {
        self.active.as_ref().map(|active| active.response_id.as_str())
    }

    /// True while an answer is wished, asked for, announced or under way.
    pub fn is_pending(&self) -> bool {
        self.asked.is_some() || self.active.is_some() || self.announced || self.wished.is_some()
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
