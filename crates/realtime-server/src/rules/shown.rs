// SPDX-License-Identifier: MPL-2.0

//! Selects the pictures of a conversation that an answer is about, and their names.
//!
//! Pictures since the model's last answer are new. Of a camera's pictures, which share a name or show the same scene,
//! only the newest counts. Text beside a picture that asks nothing is its name, such as the prompt that an application
//! sends with each frame.

use crate::engine::{Part, Turn};
use crate::rules::answers::{is_known, pictures};
use crate::rules::words::capitalized;
use crate::speech::plain_words;
use crate::vision::describe::{self, Sight, Topic};
use crate::vision::{View, Vision};
use openai_protocol::items::Role;

/// Maximum number of pictures in an answer.
const MAX_TOLD: usize = 4;
/// Maximum number of words in a name.
const MAX_WORDS: usize = 8;

/// A picture with its name.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    name: Option<String>,
    view: &'a View,
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
        let new = || new.iter().filter(|turn| turn.role == Role::User);
        let mut pictures: Vec<Named<'_>> = Vec::new();
        for picture in new().flat_map(named) {
            pictures.retain(|earlier| !replaces(&picture, earlier));
            pictures.push(picture);
        }
        if pictures.is_empty() {
            let newest = old.iter().rev().find_map(|turn| named(turn).pop());
            return Self { pictures: newest.into_iter().collect(), ..Self::default() };
        }
        pictures.drain(..pictures.len().saturating_sub(MAX_TOLD));
        let are_alone = new().all(|turn| views(turn).next().is_some() && said(turn).is_empty());
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
    let pictures = shown.pictures.iter();
    let sights = pictures.map(|Named { name, view }| Sight { name: name.as_deref(), view, seen: vision.look(view) });
    let sights: Vec<Sight<'_>> = sights.collect();
    match topic {
        Some(topic) => Some(describe::answer(&sights, topic)),
        None => describe::aside(&sights),
    }
}

/// Whether the later of two pictures replaces the earlier one.
fn replaces(later: &Named<'_>, earlier: &Named<'_>) -> bool {
    later.name == earlier.name && (later.name.is_some() || later.view.resembles(earlier.view))
}

/// The texts of a turn without the names of pictures.
pub fn said(turn: &Turn) -> Vec<&str> {
    let has_picture = views(turn).next().is_some();
    turn.parts.iter().filter_map(Part::text).filter(|text| !has_picture || !is_caption(text)).collect()
}

fn views(turn: &Turn) -> impl Iterator<Item = &View> {
    turn.parts.iter().filter_map(|part| if let Part::Picture(picture) = part { Some(&picture.view) } else { None })
}

/// Whether text beside a picture is a caption, not a question.
fn is_caption(text: &str) -> bool {
    !text.trim_end().ends_with(['?', '!']) && pictures::topic(text).is_none() && !is_known(text)
}

/// The pictures of a turn, with names in order when there are equally many.
fn named(turn: &Turn) -> Vec<Named<'_>> {
    let mut names: Vec<Option<String>> =
        turn.parts.iter().filter_map(Part::text).filter(|text| is_caption(text)).map(name).collect();
    let count = views(turn).count();
    if names.len() != count {
        names = vec![None; count];
    }
    views(turn).zip(names).map(|(view, name)| Named { name, view }).collect()
}

/// A caption as a name, unless it is too long.
fn name(caption: &str) -> Option<String> {
    let text = caption.trim().trim_end_matches(['.', ':', ',', ';']);
    (1..=MAX_WORDS).contains(&plain_words(text).len()).then(|| capitalized(text))
}
