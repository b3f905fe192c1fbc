// SPDX-License-Identifier: MPL-2.0

//! Describes pictures in sentences to be spoken.
//!
//! Recognised objects come first; measurements are told when they are asked for, or nothing was recognised. The wording tells how certain a recognition is.

use crate::vision::{Seen, View};

/// From this probability on an object is stated as present, below as possible.
const SURE: f32 = 0.7;

/// The topic of a question about a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A full description.
    Everything,
    /// The number of people or faces.
    People,
    /// Colours.
    Colours,
    /// Brightness and contrast.
    Light,
    /// Sharpness.
    Sharpness,
    /// Size in pixels.
    Size,
}

/// A picture with its name and what was recognised.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The name that the conversation gives it.
    pub name: Option<&'a str>,
    /// The picture.
    pub view: &'a View,
    /// What was recognised.
    pub seen: &'a Seen,
}

/// Answers a question about these pictures.
pub fn answer(sights: &[Sight<'_>], topic: Topic) -> String {
    let tell = |sight: &Sight<'_>| match topic {
        Topic::Everything => everything(sight),
        Topic::People => people(sight.seen),
        Topic::Colours => colours(sight.view),
        Topic::Light => format!("It is {}, with {}.", sight.view.facts.light(), sight.view.facts.contrast_in_words()),
        Topic::Sharpness => match sight.view.facts.sharpness() {
            Some(sharpness) => format!("It is {sharpness}."),
            None => "There are no edges in it by which to tell.".into(),
        },
        Topic::Size => format!("It is {} pixels wide and {} pixels high.", sight.view.width, sight.view.height),
    };
    let label = |index| if sights.len() > 1 { Some(ordinal(index)) } else { None };
    let told = sights
        .iter()
        .enumerate()
        .map(|(index, sight)| labelled(sight.name.map(String::from).or(label(index)), tell(sight)));
    told.collect::<Vec<_>>().join(" ")
}

/// A remark when there was no question: only what is recognised.
pub fn aside(sights: &[Sight<'_>]) -> Option<String> {
    let tell = |sight: &Sight<'_>| {
        let label = sight.name.unwrap_or("In the picture").to_owned();
        Some(labelled(Some(label), recognised(sight.seen).or_else(|| faces(sight.seen))?))
    };
    let told: Vec<String> = sights.iter().filter_map(tell).collect();
    (!told.is_empty()).then(|| told.join(" "))
}

fn labelled(label: Option<String>, text: String) -> String {
    match label {
        Some(label) => format!("{label}: {text}"),
        None => text,
    }
}

fn ordinal(index: usize) -> String {
    let word = ["first", "second", "third", "fourth", "fifth", "sixth"].get(index).copied().unwrap_or("next");
    format!("The {word} picture")
}

/// What is recognised. Only where that is nothing, how it looks.
fn everything(sight: &Sight<'_>) -> String {
    let found: Vec<String> = [recognised(sight.seen), faces(sight.seen)].into_iter().flatten().collect();
    if !found.is_empty() {
        return found.join(" ");
    }
    let facts = &sight.view.facts;
    let sharpness = facts.sharpness().map(|sharpness| format!(", {sharpness}")).unwrap_or_default();
    let light = format!("The picture is {}{sharpness}, with {}.", facts.light(), facts.contrast_in_words());
    format!("{light} {}", colours(sight.view))
}

/// The recognised objects, if any.
fn recognised(seen: &Seen) -> Option<String> {
    let percent = |likelihood: f32| (likelihood * 100.0).round().min(99.0);
    match seen.things.as_deref()? {
        [] => None,
        &[(name, likelihood)] if likelihood >= SURE => {
            Some(format!("I recognise {name}; I am {} percent sure.", percent(likelihood)))
        }
        &[(name, likelihood)] => Some(format!("It may be {name}; I am only {} percent sure.", percent(likelihood))),
        [(first, likelihood), (second, other), ..] => Some(format!(
            "It may be {first}, or {second}; I am {} and {} percent sure.",
            percent(*likelihood),
            percent(*other)
        )),
    }
}

/// The number of faces, if there are any.
fn faces(seen: &Seen) -> Option<String> {
    let count = seen.faces.filter(|count| *count > 0)?;
    Some(format!("I count {}.", counted(count)))
}

fn counted(faces: usize) -> String {
    match faces {
        1 => "one face".into(),
        2 => "two faces".into(),
        3 => "three faces".into(),
        more => format!("{more} faces"),
    }
}

fn people(seen: &Seen) -> String {
    match seen.faces {
        None => "I cannot count faces; the model for it is not installed.".into(),
        Some(0) => "I find no face that looks this way.".into(),
        Some(count) => format!("I count {}.", counted(count)),
    }
}

fn colours(view: &View) -> String {
    match view.facts.colours.as_slice() {
        [] => "It has many colours, and no main one.".into(),
        [(name, 0.995..)] => format!("It is all {name}."),
        [(name, 0.93..), ..] => format!("It is almost all {name}."),
        [(name, share)] => format!("{} of it is {name}.", about(*share)),
        [(name, share), (second, other)] => {
            format!("{} of it is {name}, and {} percent {second}.", about(*share), rounded(*other))
        }
        [(name, share), (second, other), (third, last), ..] => format!(
            "{} of it is {name}, {} percent {second} and {} percent {third}.",
            about(*share),
            rounded(*other),
            rounded(*last)
        ),
    }
}

fn about(share: f32) -> String {
    format!("About {} percent", rounded(share))
}

/// In steps of five percent, which is precise enough to be spoken.
fn rounded(share: f32) -> u32 {
    (share * 20.0).round() as u32 * 5
}
