// SPDX-License-Identifier: MPL-2.0

//! Recognises questions about pictures, and combines the answer with the rest of what is said.
//!
//! The descriptions come from `vision`, as sentences on the topic that is asked for.

use crate::speech::responder::{Context, Question, count, pleasantry, unknown};

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

/// Nouns for a picture.
const PICTURES: [&str; 14] = [
    "picture",
    "pictures",
    "image",
    "images",
    "photo",
    "photos",
    "photograph",
    "frame",
    "frames",
    "video",
    "camera",
    "cameras",
    "webcam",
    "screenshot",
];
/// Pronouns that may refer to a picture just shown.
const THIS: [&str; 6] = ["it", "this", "that", "these", "there", "they"];
/// First words of a question, since transcripts may lack the question mark.
const ASKING: [&str; 25] = [
    "what", "what's", "who", "who's", "where", "which", "how", "is", "are", "does", "do", "can", "could", "any",
    "describe", "tell", "show", "look", "see", "explain", "name", "count", "please", "so", "and",
];
/// Phrases that always refer to pictures.
const SEEING: [&str; 11] = [
    "do you see",
    "can you see",
    "are you seeing",
    "you can see",
    "you see now",
    "look at this",
    "look at that",
    "look at it",
    "looking at",
    "in front of you",
    "in front of me",
];

/// The topic of a text that asks about a picture.
pub fn topic(text: &str) -> Option<Topic> {
    let question = Question::new(text);
    asked_by_name(&question).or_else(|| asked_by_pointing(&question))
}

/// The answer when a picture, or seeing, is mentioned.
pub(super) fn answer(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    match told(context) {
        Some(sentences) if asked_by_name(question).or_else(|| asked_by_pointing(question)).is_some() => Some(sentences),
        None if asked_by_name(question).is_some() => Some("I have not been shown a picture yet.".to_owned()),
        _ => None,
    }
}

/// The answer to other speech that came with a picture.
pub(super) fn aside(question: &Question<'_>, context: &Context<'_>) -> Option<String> {
    let sentences = told(context).filter(|_| pleasantry(question).is_none())?;
    Some(format!("{} {sentences}", unknown(question, context)))
}

/// The description of the pictures.
pub(super) fn told(context: &Context<'_>) -> Option<String> {
    context.picture.map(str::trim).filter(|text| count(text) > 0).map(str::to_owned)
}

fn has_word(question: &Question<'_>, words: &[&str]) -> bool {
    question.words.iter().any(|word| words.contains(&word.as_str()))
}

fn is_asking(question: &Question<'_>) -> bool {
    question.text.ends_with('?') || question.words.first().is_some_and(|word| ASKING.contains(&word.as_str()))
}

fn asked_by_name(question: &Question<'_>) -> Option<Topic> {
    let named = has_word(question, &PICTURES) && is_asking(question);
    (named || question.has_any(&SEEING)).then(|| detail(question).unwrap_or(Topic::Everything))
}

/// "What is this?", "how dark is it?": refers to a picture only when there is one.
fn asked_by_pointing(question: &Question<'_>) -> Option<Topic> {
    let points = has_word(question, &THIS) && is_asking(question);
    let bare =
        ["what is this", "what's this", "what is that", "what's that", "what is it", "who is this", "describe it"];
    if question.is_any(&bare) || question.has_any(&["describe this", "describe that", "describe what"]) {
        return Some(Topic::Everything);
    }
    detail(question).filter(|topic| points || (is_asking(question) && matches!(topic, Topic::Colours | Topic::People)))
}

fn detail(question: &Question<'_>) -> Option<Topic> {
    let has = |words: &[&str]| has_word(question, words);
    Some(if has(&["face", "faces", "people", "persons", "person", "anybody", "anyone", "somebody", "someone"]) {
        Topic::People
    } else if has(&["color", "colors", "colour", "colours"]) {
        Topic::Colours
    } else if has(&["sharp", "sharpness", "blurred", "blurry", "focus", "focused"]) {
        Topic::Sharpness
    } else if has(&["dark", "bright", "brightness", "dim", "contrast"]) {
        Topic::Light
    } else if has(&["big", "large", "size", "resolution", "pixels", "wide", "high"]) {
        Topic::Size
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_about_pictures_are_told_from_all_others() {
        for (text, topic_of_it) in [
            ("What do you see?", Some(Topic::Everything)),
            ("what do you see", Some(Topic::Everything)),
            ("Describe the picture.", Some(Topic::Everything)),
            ("Please describe the image", Some(Topic::Everything)),
            ("Tell me about this photo", Some(Topic::Everything)),
            ("What is on the camera?", Some(Topic::Everything)),
            ("What's in the picture?", Some(Topic::Everything)),
            ("Look at this.", Some(Topic::Everything)),
            ("What is this?", Some(Topic::Everything)),
            ("How many people are there?", Some(Topic::People)),
            ("How many faces do you see?", Some(Topic::People)),
            ("What colour is it?", Some(Topic::Colours)),
            ("Which colors does the picture have?", Some(Topic::Colours)),
            ("Is it dark?", Some(Topic::Light)),
            ("Is the image sharp?", Some(Topic::Sharpness)),
            ("Is it in focus?", Some(Topic::Sharpness)),
            ("How big is it?", Some(Topic::Size)),
            ("How big is the picture?", Some(Topic::Size)),
            ("front door camera", None),
            ("Frame from the camera at the gate.", None),
            ("How big is the Earth?", None),
            ("It is dark in here.", None),
            ("Go forward ten meters.", None),
            ("Where is the station?", None),
            ("I took a picture yesterday.", None),
        ] {
            assert_eq!(topic(text), topic_of_it, "{text:?}");
        }
    }
}
