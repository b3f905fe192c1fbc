// SPDX-License-Identifier: MPL-2.0

//! Voice activity detection, recognition and synthesis with the real models and recordings.

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use jiff::civil::date;
use jiff::tz::TimeZone;

use super::*;
use crate::rules::answers::{Context, answer};
use crate::speech::word_errors::errors;

/// Loaded once for all tests; without the models they fail with the server's own message.
static SPEECH: LazyLock<Speech> = LazyLock::new(Speech::load);

/// Both models.
struct Speech {
    ears: Arc<Recognition>,
    voice: Arc<Synthesis>,
}

impl Speech {
    fn load() -> Self {
        let dir = ModelDir::find(None).unwrap_or_else(|missing| panic!("{missing}"));
        let ears = Recognition::load(&dir, 1).expect("the model loads");
        Self { ears, voice: Synthesis::load(&dir, 1).expect("the model loads") }
    }

    fn transcribe(&self, pcm16k: &[f32]) -> Result<String> {
        self.ears.transcribe(pcm16k)
    }

    fn speak(&self, sentence: &str) -> Result<Vec<i16>> {
        self.voice.speak_at(sentence, 1.0)
    }
}

const RECORDINGS: [(&str, &str); 4] = [
    (
        "jfk.wav",
        "And so, my fellow Americans: ask not what your country can do for you, ask what you can do for your country.",
    ),
    (
        "lv0870.wav",
        "and Mister John Dashwood had then leisure to consider how much there might be prudently in his power to do for them",
    ),
    ("lv0880.wav", "he was not an ill disposed young man"),
    ("goforward.wav", "go forward ten meters"),
];

fn recording(name: &str) -> Vec<f32> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media").join(name);
    let file = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let data = file.windows(4).position(|id| id == b"data").expect("a WAV file") + 8;
    file[data..].as_chunks().0.iter().map(|sample| f32::from(i16::from_le_bytes(*sample)) / 32_768.0).collect()
}

fn heard_back(sound: &[i16]) -> String {
    let sound: Vec<f32> = sound.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
    let hearable = audio_dsp::resample::resample(&sound, 24_000, SAMPLE_RATE).expect("usual rates");
    SPEECH.transcribe(&hearable).expect("a transcript")
}

#[test]
fn recordings_are_understood() {
    let (mut wrong, mut all) = (0, 0);
    for (name, said) in RECORDINGS {
        let heard = SPEECH.transcribe(&recording(name)).expect("a transcript");
        let (errors, words) = errors(said, &heard);
        assert!(errors * 4 <= words, "{name}: {heard}");
        (wrong, all) = (wrong + errors, all + words);
    }
    assert!(wrong * 10 <= all, "{wrong} of {all} words are wrong");
}

#[test]
fn answers_are_heard_as_they_are_written() {
    let now = date(2026, 11, 21).at(15, 45, 0, 0).to_zoned(TimeZone::UTC).expect("a time");
    let earlier = ["Go forward ten meters.".to_owned()];
    let (mut wrong, mut all) = (0, 0);
    let mut problems = Vec::new();
    let questions = [
        "Who are you?",
        "What time is it?",
        "What is the date?",
        "What day is tomorrow?",
        "What is twelve plus thirty?",
        "How much is ten divided by four?",
        "What is 365 times 24?",
        "What did I say?",
        "How many words did I say?",
        "Hello.",
        "Where is the station?",
        "Ask what you can do for your country.",
        "",
        "What year is it?",
    ];
    for (index, question) in questions.into_iter().enumerate() {
        let turn = index + 1;
        let text = answer(question, &Context { now: &now, turn, instructions: None, earlier: &earlier, picture: None });
        let heard: Vec<String> =
            sentences(&text).map(|sentence| heard_back(&SPEECH.speak(sentence).expect("a sentence"))).collect();
        let heard = heard.join(" ");
        let (errors, words) = errors(&text, &heard);
        if errors > 0 {
            problems.push(format!("{text} -> {heard}"));
        }
        (wrong, all) = (wrong + errors, all + words);
    }
    assert!(wrong * 20 <= all, "{wrong} of {all} words are wrong:\n{}", problems.join("\n"));
}

#[test]
fn nothing_is_heard_where_nobody_speaks() {
    let mut seed = 5_u64;
    let mut noise = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    let second = 16_000;
    let white: Vec<f32> = (0..5 * second).map(|_| 0.3 * noise()).collect();
    // Pink noise: white noise through a chain of low-pass filters.
    let mut rows = [0.0_f32; 3];
    let pink: Vec<f32> = (0..5 * second)
        .map(|_| {
            let white = noise();
            rows[0] = 0.997 * rows[0] + 0.03 * white;
            rows[1] = 0.963 * rows[1] + 0.08 * white;
            rows[2] = 0.57 * rows[2] + 0.3 * white;
            0.3 * (rows.iter().sum::<f32>() + 0.1 * white)
        })
        .collect();
    let tone = (0..5 * second).map(|n| 0.8 * (n as f32 / second as f32 * 440.0 * TAU).sin()).collect();
    let sounds = [("silence", vec![0.0; 5 * second]), ("a tone", tone), ("white noise", white), ("pink noise", pink)];
    for (name, sound) in sounds {
        assert_eq!(SPEECH.transcribe(&sound).expect("a transcript"), "", "{name}");
    }
    for odd in [&[][..], &[0.0], &[f32::NAN; 20_000], &[f32::INFINITY; 20_000], &[1e30; 20_000]] {
        assert_eq!(SPEECH.transcribe(odd).expect("a transcript"), "");
    }
}

#[test]
fn pieces_put_together_are_the_transcript() {
    let sound = recording("goforward.wav");
    let probabilities = probabilities(&sound).expect("the network's own rate");
    let mut pieces = Vec::new();
    let text = SPEECH.ears.transcribe_judged(&sound, &probabilities, &mut |piece| pieces.push(piece.to_owned()));
    assert_eq!(pieces.concat(), text.expect("a transcript"));
    assert!(pieces.len() >= 4, "{pieces:?}");
}

#[test]
fn spoken_questions_are_answered() {
    let now = date(2026, 11, 21).at(15, 45, 0, 0).to_zoned(TimeZone::UTC).expect("a time");
    for (question, expected) in [
        ("What time is it?", "It is 3:45 p.m."),
        ("What is the date today?", "Today is Saturday, November 21, 2026."),
        ("How much is seven times eight?", "7 times 8 is 56."),
        ("What is one hundred and five minus sixty?", "105 minus 60 is 45."),
        ("Who are you?", "I am the offline voice"),
        ("Where is the nearest station?", "I cannot answer that"),
    ] {
        let heard = heard_back(&SPEECH.speak(question).expect("a sentence"));
        let context = Context { now: &now, turn: 2, instructions: None, earlier: &[], picture: None };
        let answer = answer(&heard, &context);
        assert!(answer.starts_with(expected), "{question} was heard as {heard}, and answered with: {answer}");
    }
}

#[test]
fn sessions_can_listen_and_speak_at_the_same_time() {
    let sound = recording("goforward.wav");
    let alone = SPEECH.transcribe(&sound).expect("a transcript");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(SPEECH.transcribe(&sound).expect("a transcript"), alone));
            scope.spawn(|| assert!(!SPEECH.speak("Meanwhile, somebody speaks.").expect("a sentence").is_empty()));
        }
    });
}

#[test]
fn a_long_turn_is_understood_in_parts() {
    let mut turn = Vec::new();
    let mut said = String::new();
    for _ in 0..2 {
        for (name, words) in RECORDINGS {
            turn.extend(recording(name));
            turn.extend([0.0; 8_000]);
            said = said + " " + words;
        }
    }
    let heard = SPEECH.transcribe(&turn).expect("a transcript");
    let (errors, words) = errors(&said, &heard);
    assert!(errors * 6 <= words, "{errors} of {words} are wrong: {heard}");
}

#[test]
fn the_same_sentence_has_the_same_sound() {
    let first = SPEECH.speak("Hello there.").expect("a sentence");
    assert_eq!(first, SPEECH.speak("Hello there.").expect("a sentence"));
    let seconds = first.len() as f32 / 24_000.0;
    assert!((0.3..3.0).contains(&seconds), "{seconds}");
    let loudest = first.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default();
    assert!((3_000..32_767).contains(&loudest), "{loudest}");
}

#[test]
fn odd_texts_are_spoken_or_silent() {
    for nothing in ["", " ", "…", "🙂", "漢字"] {
        let sound = SPEECH.speak(nothing).expect("no sentence");
        assert!(sound.len() < 24_000, "{nothing:?} is {} samples", sound.len());
    }
    let long = "and on it goes ".repeat(60);
    for text in ["Zxqv brrgl Frobnicator.", "[odd](/stuff/) {here} \\ ` ~ | ^", "don't stop—now", long.as_str()] {
        assert!(SPEECH.speak(text).expect("a sentence").len() > 12_000, "{text:?}");
    }
}

/// Not a test: prints real-time factors. `cargo test --release speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn speed() {
    let start = Instant::now();
    let speech = Speech::load();
    eprintln!("loaded in {:.0?}", start.elapsed());
    for (name, words) in RECORDINGS.into_iter().cycle().take(8) {
        let sound = recording(name);
        let seconds = sound.len() as f64 / 16_000.0;
        let start = Instant::now();
        let probabilities = probabilities(&sound).expect("the network's own rate");
        let ear = start.elapsed();
        let heard = speech.ears.transcribe_judged(&sound, &probabilities, &mut |_| {}).expect("a transcript");
        let heard_after = start.elapsed() - ear;
        let said = speech.speak(words).expect("a sentence");
        let spoken_after = start.elapsed() - ear - heard_after;
        eprintln!(
            "{name}: {seconds:.1} s, ear {ear:.1?}, recognised in {heard_after:.0?} ({:.4} of real time), \
             spoken in {spoken_after:.0?} ({:.4} of real time): {heard}",
            heard_after.as_secs_f64() / seconds,
            spoken_after.as_secs_f64() / (said.len() as f64 / 24_000.0),
        );
    }
}
