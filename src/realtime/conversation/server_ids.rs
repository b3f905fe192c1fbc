// SPDX-License-Identifier: MPL-2.0

//! Ids of responses and items, made unique for the whole conversation.
//!
//! A server's id is unique in one session at most: after a reconnect the next session may begin at `resp_1` again, some
//! servers use an id twice, and some give none. All state of a response is found by its id, so each event passes here
//! before any part sees it. An id that was used before, or is missing, gets a number appended; [`plain`] removes that from
//! whatever leaves the conversation.

use crate::realtime::conversation::{Event, Output};
use openai_protocol::{ClientEvent, ServerEvent};
use std::collections::VecDeque;

/// Separates the server's id from the number.
const MARK: char = '\u{1f}';
/// Ids remembered, of each kind.
const NAMES: usize = 256;

/// The id as the server gave it; empty if it gave none.
pub(crate) fn plain(name: &str) -> &str {
    name.split_once(MARK).map_or(name, |(name, _)| name)
}

/// The id as the server gave it, if it gave one.
pub(crate) fn given(name: &str) -> Option<String> {
    Some(plain(name)).filter(|name| !name.is_empty()).map(str::to_owned)
}

#[derive(Debug)]
struct Response {
    name: String,
    unique: String,
    session: u32,
    /// Its `response.created` came.
    created: bool,
    /// Its `response.done` came.
    done: bool,
}

/// Whose an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// The model's, in this response.
    Response(String),
    /// The user's, in this session.
    User(u32),
}

#[derive(Debug)]
struct Item {
    name: String,
    unique: String,
    session: u32,
    owner: Owner,
    /// A user item that was committed.
    committed: bool,
}

/// Ids so far, newest last.
#[derive(Debug, Default)]
pub(crate) struct Names {
    responses: VecDeque<Response>,
    items: VecDeque<Item>,
    /// The current session.
    session: u32,
    /// The last number that was appended.
    number: u32,
}

impl Names {
    /// The same event with unique ids.
    pub fn make_unique(&mut self, mut event: ServerEvent, session: u32) -> ServerEvent {
        use ServerEvent as E;
        self.session = session;
        match &mut event {
            E::InputAudioBufferSpeechStarted(event) => self.user(&mut event.item_id, true),
            E::InputAudioBufferTimeoutTriggered(event) => self.user(&mut event.item_id, true),
            E::InputAudioBufferSpeechStopped(event) => self.user(&mut event.item_id, false),
            E::InputAudioBufferCommitted(event) => self.committed(&mut event.item_id),
            E::TranscriptionDelta(event) => self.user(&mut event.item_id, false),
            E::TranscriptionCompleted(event) => self.user(&mut event.item_id, false),
            E::TranscriptionFailed(event) => self.user(&mut event.item_id, false),
            E::ResponseCreated(event) => event.response.id = Some(self.created(event.response.id())),
            E::ResponseDone(event) => event.response.id = Some(self.done(event.response.id())),
            E::ResponseOutputItemAdded(event) => event.response_id = self.response(&event.response_id, ""),
            E::ResponseOutputItemDone(event) => event.response_id = self.response(&event.response_id, ""),
            E::FunctionCallArgumentsDone(event) => event.response_id = self.response(&event.response_id, ""),
            E::ResponseOutputAudioDelta(event) => self.part(&mut event.response_id, &mut event.item_id),
            E::ResponseOutputAudioDone(event) => self.part(&mut event.response_id, &mut event.item_id),
            E::ResponseOutputAudioTranscriptDelta(event) => self.part(&mut event.response_id, &mut event.item_id),
            E::ResponseOutputAudioTranscriptDone(event) => self.part(&mut event.response_id, &mut event.item_id),
            E::ResponseOutputTextDelta(event) => self.part(&mut event.response_id, &mut event.item_id),
            E::ResponseOutputTextDone(event) => self.part(&mut event.response_id, &mut event.item_id),
            _ => {}
        }
        event
    }

    /// A response begins. If its id was begun before, it is another response.
    fn created(&mut self, name: &str) -> String {
        let begins = |known: &&mut Response| !known.done && !name.is_empty();
        let found = self.responses.iter_mut().rev().find(|r| r.session == self.session && r.name == name);
        if let Some(known) = found.filter(begins) {
            known.created = true;
            return known.unique.clone();
        }
        let unique = self.add_response(name);
        self.responses.back_mut().into_iter().for_each(|response| response.created = true);
        unique
    }

    fn done(&mut self, name: &str) -> String {
        let unique = self.response(name, "");
        let done = self.responses.iter_mut().rev().find(|response| response.unique == unique);
        done.into_iter().for_each(|response| response.done = true);
        unique
    }

    /// An event of a response. Without an id it is the response of the event's item, or the newest one that is not done.
    fn response(&mut self, name: &str, item: &str) -> String {
        let session = self.session;
        let mut here = self.responses.iter().rev().filter(|response| response.session == session);
        if !name.is_empty() {
            let known = here.find(|response| response.name == name).map(|response| response.unique.clone());
            return known.unwrap_or_else(|| self.add_response(name));
        }
        let of_item = || {
            let named = |known: &&Item| known.session == session && !item.is_empty() && known.name == item;
            match &self.items.iter().rev().find(named)?.owner {
                Owner::Response(unique) => Some(unique.clone()),
                Owner::User(_) => None,
            }
        };
        let open = || here.find(|response| !response.done).map(|response| response.unique.clone());
        of_item().or_else(open).unwrap_or_else(|| self.add_response(name))
    }

    fn add_response(&mut self, name: &str) -> String {
        let is_taken = name.is_empty() || self.responses.iter().any(|response| response.name == name);
        let unique = self.unique(name, is_taken);
        if self.responses.len() == NAMES {
            self.responses.pop_front();
        }
        let (name, session) = (name.to_owned(), self.session);
        self.responses.push_back(Response { name, unique: unique.clone(), session, created: false, done: false });
        unique
    }

    /// An event of a content part.
    fn part(&mut self, response_id: &mut String, item_id: &mut String) {
        *response_id = self.response(response_id, item_id);
        *item_id = self.item(item_id, &Owner::Response(response_id.clone()));
    }

    /// An event of a user item; without an id it is a new item, or the newest.
    fn user(&mut self, item_id: &mut String, begins: bool) {
        let owner = Owner::User(self.session);
        let newest = self.items.iter().rev().find(|item| item.owner == owner);
        *item_id = match newest {
            Some(newest) if item_id.is_empty() && !begins => newest.unique.clone(),
            _ if item_id.is_empty() => self.add_item(item_id, owner),
            _ => self.item(item_id, &owner),
        };
    }

    fn committed(&mut self, item_id: &mut String) {
        let owner = Owner::User(self.session);
        let is_new = self.items.iter().rev().find(|item| item.owner == owner).is_none_or(|newest| newest.committed);
        self.user(item_id, is_new);
        let item = self.items.iter_mut().rev().find(|item| item.unique == *item_id);
        item.into_iter().for_each(|item| item.committed = true);
    }

    fn item(&mut self, name: &str, owner: &Owner) -> String {
        let known = self.items.iter().rev().find(|item| item.name == name && item.owner == *owner);
        known.map(|known| known.unique.clone()).unwrap_or_else(|| self.add_item(name, owner.clone()))
    }

    fn add_item(&mut self, name: &str, owner: Owner) -> String {
        let is_taken = name.is_empty() || self.items.iter().any(|item| item.name == name);
        let unique = self.unique(name, is_taken);
        if self.items.len() == NAMES {
            self.items.pop_front();
        }
        let (name, session) = (name.to_owned(), self.session);
        self.items.push_back(Item { name, unique: unique.clone(), session, owner, committed: false });
        unique
    }

    fn unique(&mut self, name: &str, is_taken: bool) -> String {
        if !is_taken {
            return name.to_owned();
        }
        self.number += 1;
        format!("{name}{MARK}{}", self.number)
    }
}

/// Restores the server's own ids in an output.
pub(crate) fn with_plain_names(mut output: Output) -> Output {
    match &mut output {
        Output::Send(ClientEvent::ConversationItemTruncate(event)) => strip(&mut event.item_id),
        Output::Send(ClientEvent::ConversationItemDelete(event)) => strip(&mut event.item_id),
        Output::Send(ClientEvent::ResponseCancel(event)) => strip_option(&mut event.response_id),
        Output::Text(text) => strip(&mut text.item_id),
        Output::Event(event) => strip_notice(event),
        _ => {}
    }
    output
}

fn strip_notice(event: &mut Event) {
    match event {
        Event::Speech { item_id, .. } | Event::IdleTimeout { item_id, .. } => strip_option(item_id),
        Event::Transcript(transcript) => {
            strip(&mut transcript.item_id);
            strip_option(&mut transcript.response_id);
        }
        Event::Response(response) => strip(&mut response.response_id),
        Event::Interrupted { response_id, item_id, .. } => {
            strip(item_id);
            strip_option(response_id);
        }
        Event::FunctionCall(call) => strip(&mut call.response_id),
        _ => {}
    }
}

fn strip(name: &mut String) {
    if let Some(at) = name.find(MARK) {
        name.truncate(at);
    }
}

fn strip_option(name: &mut Option<String>) {
    name.iter_mut().for_each(strip);
    name.take_if(|name| name.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_another_session_or_of_an_answer_that_is_done_is_another_one() {
        let mut names = Names::default();
        assert_eq!(names.created("resp_1"), "resp_1");
        assert_eq!(names.response("resp_1", ""), "resp_1");
        assert_eq!(names.done("resp_1"), "resp_1");
        // Late news of it.
        assert_eq!(names.response("resp_1", ""), "resp_1");
        let second = names.created("resp_1");
        assert_ne!(second, "resp_1");
        assert_eq!(names.response("resp_1", ""), second);
        names.session = 1;
        let third = names.created("resp_1");
        assert!(third != second && third != "resp_1");
        assert_eq!(plain(&third), "resp_1");
    }

    #[test]
    fn without_names_each_answer_and_each_turn_is_one_of_its_own() {
        let mut names = Names::default();
        let first = names.created("");
        assert_eq!(names.response("", ""), first);
        assert_eq!(names.done(""), first);
        let second = names.created("");
        assert_ne!(first, second);
        assert_eq!(plain(&second), "");
        let (mut begun, mut committed, mut next) = Default::default();
        names.user(&mut begun, true);
        names.committed(&mut committed);
        names.user(&mut next, true);
        assert_eq!(begun, committed);
        assert_ne!(begun, next);
    }

    #[test]
    fn a_message_without_its_answer_belongs_to_the_one_that_it_is_known_of() {
        let mut names = Names::default();
        names.created("r1");
        let (mut response, mut item) = ("r1".to_owned(), "a1".to_owned());
        names.part(&mut response, &mut item);
        names.done("r1");
        names.created("r2");
        let (mut response, mut item) = (String::new(), "a1".to_owned());
        names.part(&mut response, &mut item);
        assert_eq!((response.as_str(), item.as_str()), ("r1", "a1"));
    }
}
