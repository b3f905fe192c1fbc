// SPDX-License-Identifier: MPL-2.0

//! Pictures that look the same: what is noise and what is news, and that files of any kind do no harm.

use crate::image::similarity::TileMeans;
use crate::realtime::conversation::Input;
use crate::realtime::conversation::config::{ConfigUpdate, Dedupe};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::tests::frames::{frame, interval};
use crate::types::Frame;
use crate::types::Timing;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;

/// The element's default.
const THRESHOLD: f64 = 0.05;

fn photo(name: &str) -> RgbImage {
    image::load_from_memory(&recorded(name)).unwrap_or_else(|error| panic!("{name}: {error}")).into_rgb8()
}

fn recorded(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/media/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality).encode_image(image).expect("a JPEG");
    file
}

fn png(image: &RgbImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Png).expect("a PNG");
    file.into_inner()
}

/// Numbers that look random and are the same each time (xorshift).
fn dice(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) % below
}

/// As a sensor in the evening sees it: every value is up to 12 of 255 off.
fn noisy(image: &RgbImage, mut seed: u64) -> RgbImage {
    let mut image = image.clone();
    for value in image.iter_mut() {
        *value = value.saturating_add_signed(dice(&mut seed, 25) as i8 - 12);
    }
    image
}

/// Something stands in the picture that was not there, about as large as a tile.
fn visited(image: &RgbImage) -> RgbImage {
    let mut image = image.clone();
    for (x, y) in (300..325).flat_map(|x| (200..225).map(move |y| (x, y))) {
        let Rgb(before) = *image.get_pixel(x, y);
        image.put_pixel(x, y, Rgb(before.map(|value| value.wrapping_add(128))));
    }
    image
}

fn distance(one: &[u8], other: &[u8], media_type: &str) -> f64 {
    let of = |file| TileMeans::of(file, media_type).expect("a picture");
    of(one).distance(&of(other))
}

#[test]
fn the_same_scene_is_near_whatever_coder_and_noise_do() {
    for name in ["china.jpg", "flower.jpg"] {
        let (file, scene) = (recorded(name), photo(name));
        for quality in [30, 60, 95] {
            let apart = distance(&file, &jpeg(&noisy(&scene, 7), quality), "image/jpeg");
            assert!(apart < THRESHOLD, "{name} at {quality}: {apart}");
        }
        assert_eq!(distance(&file, &file, "image/jpeg"), 0.0);
    }
}

#[test]
fn another_scene_is_far_and_so_is_a_small_change() {
    let (china, flower) = (photo("china.jpg"), photo("flower.jpg"));
    assert!(distance(&jpeg(&china, 80), &jpeg(&flower, 80), "image/jpeg") > 0.5);
    for scene in [&china, &flower] {
        let apart = distance(&jpeg(scene, 80), &jpeg(&visited(scene), 80), "image/jpeg");
        assert!(apart > 2.0 * THRESHOLD, "{apart}");
    }
    // From red to green is no change of brightness, and a change none the less.
    let lamp = |colour| jpeg(&RgbImage::from_pixel(320, 240, Rgb(colour)), 80);
    assert!(distance(&lamp([158, 0, 0]), &lamp([0, 80, 0]), "image/jpeg") > 0.3);
}

#[test]
fn pictures_of_any_size_can_be_looked_at_and_another_size_is_another_picture() {
    let of = |width, height| jpeg(&RgbImage::from_pixel(width, height, Rgb([9, 9, 9])), 80);
    for (width, height) in [(1, 1), (3, 500), (500, 3), (17, 9), (640, 480), (480, 640), (3_840, 2_160)] {
        assert_eq!(distance(&of(width, height), &of(width, height), "image/jpeg"), 0.0, "{width} by {height}");
    }
    assert!(distance(&of(640, 480), &of(480, 640), "image/jpeg") > 1.0);
}

#[test]
fn what_is_broken_or_too_much_work_is_like_nothing() {
    let giant = |file: Vec<u8>, at: usize, side: &[u8]| {
        let mut file = file;
        file[at..at + side.len()].copy_from_slice(side);
        file
    };
    let small = photo("china.jpg");
    let sof = |file: &[u8]| file.windows(2).position(|two| two == b"\xff\xc0").expect("a header");
    let file = jpeg(&small, 80);
    let at = sof(&file) + 5;
    assert!(TileMeans::of(&giant(file.clone(), at, &[0xff; 4]), "image/jpeg").is_none(), "65535 by 65535");
    assert!(TileMeans::of(&png(&small), "image/png").is_none(), "a PNG is not decoded");
    // Two colours, of which the decoder has not heard.
    let two =
        [&file[..sof(&file)], b"\xff\xc0\0\x0e\x08\0\x08\0\x08\x02\x01\x11\0\x02\x11\0", &file[sof(&file) + 19..]];
    assert!(TileMeans::of(&two.concat(), "image/jpeg").is_none());
    let scans = [&file[..file.len() - 2], &b"\xff\xda".repeat(100), b"\xff\xd9"].concat();
    assert!(TileMeans::of(&scans, "image/jpeg").is_none());
    for nothing in [&b""[..], b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n", &file[..file.len() / 9]] {
        assert!(TileMeans::of(nothing, "image/jpeg").is_none() || nothing.len() > 10);
        assert!(TileMeans::of(nothing, "image/png").is_none());
    }
}

#[test]
fn no_file_makes_it_panic() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(400);
    let thumb = image::imageops::thumbnail(&photo("china.jpg"), 96, 64);
    let sources = [(jpeg(&thumb, 60), "image/jpeg"), (jpeg(&thumb, 5), "image/jpeg")];
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for round in 0..rounds {
        let (source, media_type) = &sources[round % sources.len()];
        let mut file = source.clone();
        for _ in 0..=dice(&mut seed, 6) {
            // Most of what can go wrong stands at the front.
            let front = if dice(&mut seed, 2) == 0 { 700.min(file.len()) } else { file.len() };
            let at = dice(&mut seed, front as u64) as usize;
            match dice(&mut seed, 4) {
                0 => file[at] = dice(&mut seed, 256) as u8,
                1 => file[at] = [0, 1, 2, 0xff, 0xd9, 0xda, 0xc0, 0xc2, 0xc4, 0xdd][dice(&mut seed, 10) as usize],
                2 => file[at] ^= 1 << dice(&mut seed, 8),
                _ => drop(file.drain(at..(at + dice(&mut seed, 40) as usize).min(file.len() - 1))),
            }
        }
        let _ = TileMeans::of(&file, media_type);
    }
}

fn shot(file: &[u8], at: u64) -> Input {
    Input::Frame(Box::new(Frame { file: file.to_vec().into(), ..frame("cam", "", at) }))
}

#[test]
fn a_picture_that_looks_like_the_last_one_is_not_sent_while_that_is_there() {
    let mut dialogue = interval(|frames| (frames.dedupe, frames.most) = (Dedupe::Similar(THRESHOLD), 2));
    let scene = photo("china.jpg");
    let still = |n: u64| jpeg(&noisy(&scene, n + 1), 60);
    dialogue.handle(shot(&still(0), 0));
    dialogue.expect_any_picture();
    for n in 1..4 {
        dialogue.handle(shot(&still(n), n * 2_000));
        dialogue.expect_skipped(n * 2_000, "similar");
    }
    dialogue.handle(shot(&still(0), 8_000));
    dialogue.expect_skipped(8_000, "same");
    let change = jpeg(&visited(&scene), 60);
    dialogue.handle(shot(&change, 10_000));
    dialogue.expect_any_picture();
    // What another camera sees is no matter, but it pushes the picture out; then it is news again.
    for (n, at) in [(1, 0), (2, 2_000)] {
        let file = jpeg(&noisy(&photo("flower.jpg"), n), 60);
        let file = if n == 1 { file } else { still(9) };
        dialogue.handle(Input::Frame(Box::new(Frame { file: file.into(), ..frame("other", "", at) })));
        dialogue.expect_any_picture();
        dialogue.expect_sent("conversation.item.delete");
        dialogue.expect_notice();
    }
    dialogue.handle(shot(&change, 12_000));
    dialogue.expect_any_picture();
}

#[test]
fn what_cannot_be_decoded_is_sent_and_the_wish_counts_at_once() {
    let mut dialogue = interval(|frames| frames.dedupe = Dedupe::Similar(1.0));
    for (n, name) in ["a", "b"].into_iter().enumerate() {
        dialogue.on_frame(name, n as u64 * 2_000);
        dialogue.expect_picture(name);
    }
    let scene = photo("flower.jpg");
    for (n, dedupe) in [Dedupe::Exact, Dedupe::Similar(0.0), Dedupe::Similar(THRESHOLD)].into_iter().enumerate() {
        let mut config = config(Timing::Live, server_vad());
        config.frames.dedupe = dedupe;
        dialogue.handle(Input::Configure(Box::new(ConfigUpdate { revision: n as u64, config })));
        dialogue.after(10);
        dialogue.skip();
        let at = 4_000 + n as u64 * 2_000;
        dialogue.handle(shot(&jpeg(&noisy(&scene, n as u64 + 1), 60), at));
        // The first one was sent when nobody wanted it to be compared, the next one differs by a little.
        if n < 2 { drop(dialogue.expect_any_picture()) } else { dialogue.expect_skipped(at, "similar") }
    }
}
