// SPDX-License-Identifier: MPL-2.0

//! Selects the pictures of a conversation that an answer is about, and their names.
//!
//! Pictures since the model's last answer are new. Of a camera's pictures, which share a name or show the same scene,
//! only the newest counts. Text beside a picture that asks nothing is its name, such as the prompt that an application
//! sends with each frame.

use crate::engine::{Part, Turn};
use crate::speech::responder::pictures::{self, Topic};
use crate::speech::responder::{is_known, plain_words};
use crate::vision::describe::Sight;
use crate::vision::{Seen, View, Vision, describe};
use openai_protocol::items::Role;

/// Maximum number of pictures in an answer.
const MAX_TOLD: usize = 4;
/// Maximum number of words in a name.
const MAX_WORDS: usize = 8;

/// A picture with its name.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    name: Option<String>,
    /// The picture.
    pub view: &'a View,
}

impl<'a> Named<'a> {
    /// Adds what was recognised.
    pub fn with(&'a self, seen: &'a Seen) -> Sight<'a> {
        Sight { name: self.name.as_deref(), view: self.view, seen }
    }
}

/// The pictures an answer may be about.
#[derive(Clone, Debug, Default)]
pub struct Shown<'a> {
    /// The pictures, oldest first.
    pub pictures: Vec<Named<'a>>,
    /// They are new since the model's last answer.
    pub are_new: bool,
    /// Nothing else is new, so the answer is about them.
    pub are_alone: bool,
}

impl<'a> Shown<'a> {
    /// Selects the pictures of a conversation.
    pub fn of(turns: &'a [Turn]) -> Self {
        let last = turns.iter().rposition(|turn| turn.role == Role::Assistant).map_or(0, |index| index + 1);
        let (old, new) = turns.split_at(last);
        let new: Vec<&Turn> = new.iter().filter(|turn| turn.role == Role::User).collect();
        let mut pictures: Vec<Named<'_>> = Vec::new();
        for picture in new.iter().flat_map(|turn| named(turn)) {
            pictures.retain(|earlier| !stands_for(&picture, earlier));
            pictures.push(picture);
        }
        if pictures.is_empty() {
            let newest = old.iter().rev().find_map(|turn| named(turn).pop());
            return Self { pictures: newest.into_iter().collect(), are_new: false, are_alone: false };
        }
        pictures.drain(..pictures.len().saturating_sub(MAX_TOLD));
        let are_alone = new.iter().all(|turn| has_picture(turn) && said(turn).is_empty());
        Self { pictures, are_new: true, are_alone }
    }
}

/// The answer about pictures of a conversation to what was `heard`. `None` when there are none, or only old ones that the
/// question is not about.
pub fn tell(vision: &Vision, shown: &Shown<'_>, heard: &str) -> Option<String> {
    let topic = if shown.are_alone { Some(Topic::Everything) } else { pictures::topic(heard) };
    if shown.pictures.is_empty() || (topic.is_none() && !shown.are_new) {
        return None;
    }
    let sights: Vec<_> = shown.pictures.iter().map(|picture| picture.with(vision.look(picture.view))).collect();
    match topic {
        Some(topic) => Some(describe::answer(&sights, topic)),
        None => describe::aside(&sights),
    }
}

/// Whether the later of two pictures replaces the earlier one.
fn stands_for(later: &Named<'_>, earlier: &Named<'_>) -> bool {
    match (&later.name, &earlier.name) {
        (None, None) => later.view.resembles(earlier.view),
        (later, earlier) => later == earlier,
    }
}

/// The texts of a turn without the names of pictures.
pub fn said(turn: &Turn) -> Vec<&str> {
    let has_picture = has_picture(turn);
    turn.parts.iter().filter_map(words).filter(|text| !has_picture || !is_caption(text)).collect()
}

fn words(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        Part::Sound(utterance) => utterance.words.get().map(String::as_str),
        Part::Picture(_) | Part::Call { .. } | Part::Output { .. } => None,
    }
}

fn has_picture(turn: &Turn) -> bool {
    turn.parts.iter().any(|part| matches!(part, Part::Picture(_)))
}

/// Whether text beside a picture is a caption, not a question.
fn is_caption(text: &str) -> bool {
    let asks = text.trim_end().ends_with(['?', '!']) || pictures::topic(text).is_some();
    !asks && !is_known(text)
}

/// The pictures of a turn, with names in order when there are equally many.
fn named(turn: &Turn) -> Vec<Named<'_>> {
    let views: Vec<&View> = turn.parts.iter().filter_map(view).collect();
    let captions: Vec<&str> = turn.parts.iter().filter_map(words).filter(|text| is_caption(text)).collect();
    let is_one_each = captions.len() == views.len();
    let name = |index: usize| if is_one_each { captions.get(index).and_then(|text| name(text)) } else { None };
    views.into_iter().enumerate().map(|(index, view)| Named { name: name(index), view }).collect()
}

fn view(part: &Part) -> Option<&View> {
    if let Part::Picture(picture) = part { Some(&picture.view) } else { None }
}

/// A caption as a name, unless it is too long.
fn name(caption: &str) -> Option<String> {
    let text = caption.trim().trim_end_matches(['.', ':', ',', ';']);
    let is_name = (1..=MAX_WORDS).contains(&plain_words(text).len());
    let mut letters = text.chars();
    is_name.then(|| letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect())
}
