// SPDX-License-Identifier: MPL-2.0

//! Recognises questions about pictures. The descriptions come from `vision`, as sentences on the topic that is asked for.

use crate::rules::answers::Question;
use crate::rules::words::{has, is_in};
use crate::vision::describe::Topic;

/// Nouns for a picture.
const PICTURES: &str = "picture|pictures|image|images|photo|photos|photograph|frame|frames|video|camera|cameras|webcam|\
    screenshot";
/// Pronouns that may refer to a picture just shown.
const POINTING: &str = "it|this|that|these|there|they";
/// First words of a question, since transcripts may lack the question mark.
const ASKING: &str = "what what's who who's where which how is are does do can could any describe tell show look see \
    explain name count please so and";
/// Phrases that always refer to pictures.
const SEEING: &str = "do you see|can you see|are you seeing|you can see|you see now|look at this|look at that|look at it|\
    looking at|in front of you|in front of me";
/// Whole questions, and phrases in a question, that refer to a picture only when there is one.
const BARE: [&str; 7] =
    ["what is this", "what's this", "what is that", "what's that", "what is it", "who is this", "describe it"];
const DESCRIBING: &str = "describe this|describe that|describe what";
/// Topics with their words.
const TOPICS: [(Topic, &str); 5] = [
    (Topic::People, "face faces people persons person anybody anyone somebody someone"),
    (Topic::Colours, "color colors colour colours"),
    (Topic::Sharpness, "sharp sharpness blurred blurry focus focused"),
    (Topic::Light, "dark bright brightness dim contrast"),
    (Topic::Size, "big large size resolution pixels wide high"),
];

/// The topic of a text that asks about a picture.
pub fn topic(text: &str) -> Option<Topic> {
    let question = Question::new(text);
    asked_by_name(&question).or_else(|| asked_by_pointing(&question))
}

/// The answer when pictures, or seeing, are mentioned: their description, if there is one.
pub(super) fn answer(question: &Question<'_>, description: Option<&str>) -> Option<String> {
    match description {
        Some(description) => topic(question.text).map(|_| description.to_owned()),
        None => asked_by_name(question).map(|_| "I have not been shown a picture yet.".to_owned()),
    }
}

fn asked_by_name(question: &Question<'_>) -> Option<Topic> {
    let named = has(&question.words, PICTURES) && question.asks(ASKING);
    (named || has(&question.words, SEEING)).then(|| detail(question).unwrap_or(Topic::Everything))
}

/// "What is this?", "how dark is it?"
fn asked_by_pointing(question: &Question<'_>) -> Option<Topic> {
    if BARE.contains(&question.words.join(" ").as_str()) || has(&question.words, DESCRIBING) {
        return Some(Topic::Everything);
    }
    let points = |topic: &Topic| matches!(topic, Topic::Colours | Topic::People) || has(&question.words, POINTING);
    detail(question).filter(|topic| question.asks(ASKING) && points(topic))
}

fn detail(question: &Question<'_>) -> Option<Topic> {
    let is_meant = |(_, list): &&(Topic, &str)| question.words.iter().any(|word| is_in(word, list));
    TOPICS.iter().find(is_meant).map(|(topic, _)| *topic)
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
