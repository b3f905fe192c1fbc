// SPDX-License-Identifier: MPL-2.0

//! Descriptions of real photos, with the models, and of synthetic pictures in conversations, without.

use super::*;
use crate::engine::{Part, Turn};
use crate::picture::Picture;
use crate::rules::shown::{Shown, said, tell};
use image::{Rgb, RgbImage};
use openai_protocol::items::Role;
use std::sync::Arc;

const FLOWER: &[u8] = include_bytes!("../../../../tests/media/flower.jpg");
const CHINA: &[u8] = include_bytes!("../../../../tests/media/china.jpg");

/// Vision without models.
const SHORT_SIGHTED: Vision = Vision { classifier: None, faces: None };

fn photo(file: &[u8]) -> Part {
    let view = View::read(Kind::Jpeg, file).expect("a photo");
    Part::Picture(Arc::new(Picture { view, ..Default::default() }))
}

/// A picture of one colour.
fn plain(rgb: [u8; 3]) -> Part {
    let view = View::new(RgbImage::from_pixel(64, 48, Rgb(rgb)));
    Part::Picture(Arc::new(Picture { view, ..Default::default() }))
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn user(parts: Vec<Part>) -> Turn {
    Turn { role: Role::User, parts }
}

fn assistant() -> Turn {
    Turn { role: Role::Assistant, parts: vec![text("I see.")] }
}

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];

#[track_caller]
fn told(turns: &[Turn], heard: &str) -> String {
    tell(&SHORT_SIGHTED, &Shown::of(turns), heard).expect("something to say")
}

#[test]
fn real_photos_are_recognised() {
    let vision = Vision::load(&ModelDir::find(None).expect("the models"), 1).expect("eyes");
    let told = |file| tell(&vision, &Shown::of(&[user(vec![photo(file)])]), "").expect("something to say");
    let china = told(CHINA);
    assert!(china.contains("a palace"), "{china}");
    let flower = told(FLOWER);
    assert!(flower.contains("daisy") && !flower.contains("face"), "{flower}");
    for told in [china, flower] {
        assert!(!told.contains("pixels") && !told.contains("percent of it"), "{told}");
    }
}

#[test]
fn without_models_only_what_was_measured_is_said() {
    let turns = [user(vec![plain(RED)])];
    assert_eq!(told(&turns, ""), "The picture is dim, with no contrast. It is all red.");
    let asked = |question: &str| told(&[user(vec![plain(RED), text(question)])], question);
    assert_eq!(asked("What colour is it?"), "It is all red.");
    assert_eq!(asked("Is it dark?"), "It is dim, with no contrast.");
    assert_eq!(asked("How big is it?"), "It is 64 pixels wide and 48 pixels high.");
    assert_eq!(asked("Is it sharp?"), "There are no edges in it by which to tell.");
    assert_eq!(asked("How many people are there?"), "I cannot count faces; the model for it is not installed.");
    assert_eq!(tell(&SHORT_SIGHTED, &Shown::of(&[user(vec![plain(RED), text("Hello.")])]), "Hello."), None);
}

#[test]
fn two_cameras_are_told_of_in_order_and_by_name() {
    let frame = |name: &str, rgb| user(vec![text(name), plain(rgb)]);
    let turns = [
        frame("front door camera", BLUE),
        frame("garden camera", RED),
        frame("front door camera", RED),
        user(vec![text("What colours do you see?")]),
    ];
    let answer = told(&turns, "What colours do you see?");
    assert_eq!(answer, "Garden camera: It is all red. Front door camera: It is all red.");
    let both = [user(vec![text("Which colours are there?"), plain(RED), plain(BLUE)])];
    let answer = told(&both, "Which colours are there?");
    assert_eq!(answer, "The first picture: It is all red. The second picture: It is all blue.");
}

#[test]
fn a_name_beside_a_picture_is_nothing_that_was_said() {
    assert!(said(&user(vec![text("front door camera"), plain(RED)])).is_empty());
    assert_eq!(said(&user(vec![text("front door camera")])), ["front door camera"]);
    for words in ["What is this?", "Hello.", "What time is it?", "Where is the station?"] {
        assert_eq!(said(&user(vec![text(words), plain(RED)])), [words]);
    }
}

#[test]
fn new_pictures_count_and_old_ones_only_when_asked_for() {
    let turns = [user(vec![plain(BLUE)]), assistant(), user(vec![text("Go on.")])];
    let shown = Shown::of(&turns);
    assert!(!shown.are_new && tell(&SHORT_SIGHTED, &shown, "Go on.").is_none());
    assert_eq!(told(&turns, "What colour was the picture?"), "It is all blue.");
    let turns = [user(vec![plain(BLUE)]), assistant(), user(vec![plain(RED)]), user(vec![text("")])];
    let shown = Shown::of(&turns);
    assert!(shown.are_new && !shown.are_alone && shown.pictures.len() == 1, "something was said, and not caught");
    assert!(Shown::of(&[user(vec![text("What do you see?")])]).pictures.is_empty());
}

#[test]
fn of_many_pictures_of_one_camera_the_newest_is_told() {
    let turns: Vec<_> = (0..10).map(|step| user(vec![plain([200 + step, 0, 0])])).collect();
    assert_eq!(Shown::of(&turns).pictures.len(), 1);
    let turns: Vec<_> = (0..10).map(|step| user(vec![plain([step * 25, 0, 0])])).collect();
    assert_eq!(Shown::of(&turns).pictures.len(), 4);
}
