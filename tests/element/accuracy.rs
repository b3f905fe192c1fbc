// SPDX-License-Identifier: MPL-2.0

//! "Is it right, what it wrote down?": the words, and when they were said.

#![allow(clippy::print_stdout, reason = "what was measured is of interest")]

#[path = "../vad_accuracy/sounds.rs"]
#[allow(dead_code, reason = "made for the ear")]
mod sounds;
use crate::support::pipeline::{Out, Pipeline, Tap, recording};
use crate::support::server::Server;
use crate::support::wer::{plain, word_errors};
use gst::prelude::*;

const SAID: [(&str, &str); 4] = [
    (
        "jfk",
        "And so, my fellow Americans: ask not what your country can do for you, ask what you can do for your country.",
    ),
    (
        "lv0870",
        "and Mister John Dashwood had then leisure to consider how much there might be prudently in his power to do for them",
    ),
    ("lv0880", "he was not an ill disposed young man"),
    ("goforward", "go forward ten meters"),
];
/// What is said before a turn, and the silence behind it, that belong to it offline.
const PADDING: i64 = 300;
const SILENCE: i64 = 1_000;
const TOLERANCE: i64 = 200;

/// What a file says, as subtitles.
fn written(server: &Server, source: &str) -> Vec<Out> {
    let mut pipeline = Pipeline::new(&format!(
        "{source} ! openairealtime name=ai session-type=transcription turn-detection=local timing=offline uri={} \
         ! fakesink ai.transcript_src ! fakesink async=false",
        server.base()
    ));
    let tap = Tap::of_text(&pipeline.element("ai").static_pad("transcript_src").expect("the pad was asked for"));
    pipeline.run_to_end().stop();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    tap.outs()
}

#[test]
fn of_all_words_nine_in_ten_are_right() {
    let server = Server::start(&[]);
    let (mut errors, mut words) = (0, 0);
    for (name, said) in SAID {
        let heard: Vec<String> = written(&server, &recording(&format!("{name}.wav")))
            .into_iter()
            .map(|out| String::from_utf8(out.data).expect("UTF-8"))
            .collect();
        // A number and how it is spoken, a title and its short form, are the same.
        let heard = heard.concat().replace("10", "ten").replace("Mr.", "Mister");
        let wrong = word_errors(said, &heard);
        println!("{name}: {wrong} of {} words are wrong: {heard}", plain(said).len());
        errors += wrong;
        words += plain(said).len();
    }
    assert!(errors * 10 <= words, "{errors} of {words}");
}

/// Where somebody begins to speak and ends, in milliseconds, by the power of pieces of 50 ms: those that are less than
/// 20 dB below the loud ones are speech. A last syllable may be softer, so the end lies between that and 30 dB.
fn speech(voice: &[f32]) -> (i64, std::ops::RangeInclusive<i64>) {
    let powers: Vec<f32> = voice.chunks(sounds::RATE / 20).map(|piece| piece.iter().map(|s| s * s).sum()).collect();
    let mut sorted = powers.clone();
    sorted.sort_by(f32::total_cmp);
    let loud = sorted[sorted.len() * 95 / 100];
    let end = |least: f32| powers.iter().rposition(|power| *power > least).expect("speech") as i64 * 50 + 50;
    let begin = powers.iter().position(|power| *power > loud / 100.0).expect("speech");
    (begin as i64 * 50, end(loud / 100.0)..=end(loud / 1_000.0))
}

#[test]
fn the_words_stand_where_they_were_said() {
    let server = Server::start(&["--engine", "echo"]);
    let file = std::env::temp_dir().join(format!("openairealtime-accuracy-{}", std::process::id()));
    let source = format!(
        "filesrc location={} ! rawaudioparse pcm-format=s16le sample-rate=24000 num-channels=1",
        file.display()
    );
    let mut wrong = Vec::new();
    for (name, _) in SAID {
        let voice = sounds::recording(name);
        // A second before it, so that the padding has room, and two behind it, so that the silence has.
        let sound = [&sounds::silence(1_000), &voice[..], &sounds::silence(2_000)].concat();
        let bytes = sound.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes());
        std::fs::write(&file, bytes.collect::<Vec<u8>>()).expect("written");
        let outs = written(&server, &source);
        let (first, last) = (outs.first().expect("words"), outs.last().expect("words"));
        let (begins, ends) = speech(&voice);
        let begin = first.pts.mseconds() as i64 + PADDING - 1_000 - begins;
        let end = (last.pts + last.duration).mseconds() as i64 - SILENCE - 1_000;
        let end = end - end.clamp(*ends.start(), *ends.end());
        let found = format!("{name}: begins {begin:+} ms, ends {end:+} ms");
        println!("{found}");
        if begin.abs() > TOLERANCE || end.abs() > TOLERANCE {
            wrong.push(found);
        }
    }
    std::fs::remove_file(&file).expect("removed");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
