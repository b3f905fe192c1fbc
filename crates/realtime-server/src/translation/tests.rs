// SPDX-License-Identifier: MPL-2.0

//! Translation sessions as dialogues: what a client says, what the session says, and the work that it asks for. Nothing
//! here waits.

use crate::audio::Sound;
use crate::client_session::ClientSession;
use crate::engine::{
    Answer, Engine, Hints, Part, Prompt, ResponsePart, Segments, SpeechChunk, Spoken, Translates, TurnDetector, Words,
};
use crate::engines::echo::Echo;
use crate::processors::Processors;
use crate::session::{Job, Output, Work};
use crate::translation::{Opening, Translation};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, from_str, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An engine with the ear of the echo, whose words and translations a test makes up. Its voice speaks German.
struct Interpreting;

impl Engine for Interpreting {
    fn turn_detector(&self, rate: u32) -> Box<dyn TurnDetector> {
        Echo.turn_detector(rate)
    }

    fn understands(&self) -> bool {
        true
    }

    fn translates(&self) -> Translates {
        Translates::Words
    }

    fn spoken_language(&self) -> Option<&str> {
        Some("de")
    }

    fn transcribe(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Words {
        Echo.transcribe(sound, hints, processors)
    }

    fn segments(&self, sound: Sound, hints: Arc<Hints>, processors: &Processors) -> Segments {
        Echo.segments(sound, hints, processors)
    }

    fn speak(&self, sentence: String, voice: Option<String>, speed: f32, processors: &Processors) -> Spoken {
        Echo.speak(sentence, voice, speed, processors)
    }

    fn answer(&self, prompt: Prompt, processors: &Processors) -> Answer {
        Echo.answer(prompt, processors)
    }
}

/// A session, and what it asked for.
struct Dialogue {
    session: Translation,
    said: Vec<Value>,
    /// The names of segments whose words are wanted, with their length.
    heard: Vec<(String, u64)>,
    /// Translations that are wanted.
    wanted: Vec<(String, Prompt)>,
    /// Names of translations that are not wanted any more.
    stopped: Vec<String>,
    closed: Option<u16>,
}

impl Dialogue {
    fn new(engine: Arc<dyn Engine>, audio: Value) -> Self {
        let opening = Opening { model: "gpt-realtime-translate".into(), expires_at: 7, preset: None };
        let session = Translation::new(engine, &opening).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        let (said, heard, wanted, stopped) = Default::default();
        let mut dialogue = Self { session, said, heard, wanted, stopped, closed: None };
        dialogue.drain();
        assert_eq!(dialogue.events()[0]["session"]["type"], "translation");
        dialogue.say(json!({"type": "session.update", "session": {"audio": audio}}));
        assert_eq!(dialogue.events()[0]["type"], "session.updated");
        dialogue
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Send(event) => self.said.push(from_str(&event).expect("JSON")),
                Output::Start(Job::Transcribe { item_id, utterance }) => {
                    self.heard.push((item_id, utterance.sound.ms()));
                }
                Output::Start(Job::Answer { response_id, prompt }) => self.wanted.push((response_id, prompt)),
                Output::Stop(id) => self.stopped.push(id),
                Output::Close(code, _) => self.closed = Some(code),
                other => panic!("a translation does not want {other:?}"),
            }
        }
    }

    fn say(&mut self, event: Value) {
        self.session.handle(&event.to_string(), Instant::now());
        while self.session.listen(Instant::now()) {}
        self.drain();
    }

    fn append(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.say(json!({"type": "session.input_audio_buffer.append", "audio": STANDARD.encode(bytes)}));
    }

    /// Speech and silence, in milliseconds.
    fn speak(&mut self, speech: usize, silence: usize) {
        self.append(&[vec![8_000; speech * 24], vec![0; silence * 24]].concat());
    }

    fn close(&mut self) {
        self.say(json!({"type": "session.close"}));
    }

    fn work(&mut self, work: Work) {
        self.session.work(work, Instant::now());
        self.drain();
    }

    /// The words of the oldest segment are found.
    fn hear(&mut self, words: &str) {
        let (id, _) = self.heard.remove(0);
        self.work(Work::Heard(id, Ok(words.into())));
    }

    /// The translation that is wanted is made, with a voice so long.
    fn translate(&mut self, text: &str, ms: usize) {
        let (id, _) = self.wanted.remove(0);
        let sound = Some(Sound::new(vec![5; ms * 24], 24_000));
        self.work(Work::ResponsePart(id.clone(), ResponsePart::Speech(SpeechChunk { text: text.into(), sound })));
        self.work(Work::Answered(id, Ok(())));
    }

    /// What was said since the last call.
    fn events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.said)
    }

    /// The same in short: types, places, and words or the number of samples.
    fn told(&mut self) -> Vec<(String, u64, String)> {
        let told = |event: Value| {
            let (kind, delta) =
                (event["type"].as_str().unwrap_or_default(), event["delta"].as_str().unwrap_or_default());
            let what = match kind {
                "session.output_audio.delta" => (STANDARD.decode(delta).expect("base64").len() / 2).to_string(),
                _ => delta.to_owned(),
            };
            let name = kind.trim_start_matches("session.").trim_end_matches(".delta").to_owned();
            (name, event["elapsed_ms"].as_u64().unwrap_or_default(), what)
        };
        self.events().into_iter().map(told).collect()
    }
}

fn told(name: &str, place: u64, what: &str) -> (String, u64, String) {
    (name.into(), place, what.into())
}

fn text(prompt: &Prompt) -> Vec<String> {
    let text = |part: &Part| if let Part::Text(text) = part { text.clone() } else { panic!("{part:?} is no text") };
    prompt.turns.iter().flat_map(|turn| turn.parts.iter().map(text)).collect()
}

#[test]
fn the_echo_gives_the_sound_back_at_its_place() {
    let mut dialogue = Dialogue::new(Arc::new(Echo), json!({"input": {"transcription": {"model": "x"}}}));
    dialogue.append(&vec![1; 4_000]);
    assert_eq!(dialogue.told(), []);
    dialogue.append(&vec![2; 6_000]);
    let frame = |place| {
        let texts = ["input_transcript", "output_transcript"].map(|name| told(name, place, "9600 bytes. "));
        [texts.to_vec(), vec![told("output_audio", place, "4800")]].concat()
    };
    assert_eq!(dialogue.told(), [frame(0), frame(200)].concat());
    dialogue.say(json!({"type": "session.update", "session": {"audio": {"input": {"transcription": null}}}}));
    dialogue.events();
    dialogue.close();
    let rest = [told("output_transcript", 400, "800 bytes. "), told("output_audio", 400, "400"), told("closed", 0, "")];
    assert_eq!((dialogue.told(), dialogue.closed), (rest.to_vec(), Some(1000)));
}

#[test]
fn speech_is_translated_segment_by_segment_in_order() {
    let audio = json!({"input": {"transcription": {"model": "x"}}, "output": {"language": "de"}});
    let mut dialogue = Dialogue::new(Arc::new(Interpreting), audio);
    dialogue.speak(2_000, 1_000);
    dialogue.speak(1_000, 1_000);
    assert_eq!(dialogue.heard.iter().map(|(_, ms)| *ms).collect::<Vec<_>>(), [2_500, 1_800]);
    // The words of the second one are found first, and wait.
    let second = dialogue.heard.remove(1);
    dialogue.work(Work::Heard(second.0, Ok("How are you?".into())));
    assert_eq!((dialogue.told(), dialogue.wanted.len()), (vec![], 0));
    dialogue.hear("Good morning.");
    let words = [told("input_transcript", 0, "Good morning."), told("input_transcript", 2_600, " How are you?")];
    assert_eq!(dialogue.told(), words);
    assert_eq!(dialogue.wanted.len(), 1, "one after the other");
    assert!(dialogue.wanted[0].1.instructions.contains("into German"));
    // A voice that is longer than what it translates moves the next one.
    dialogue.translate("Guten Morgen.", 2_100);
    let mut expected = vec![told("output_transcript", 2_400, "Guten Morgen.")];
    expected.extend((0..10).map(|index| told("output_audio", 2_400 + 200 * index, "4800")));
    expected.push(told("output_audio", 4_400, "2400"));
    assert_eq!(dialogue.told(), expected);
    assert_eq!(text(&dialogue.wanted[0].1), ["Good morning.", "Guten Morgen.", "How are you?"]);
    dialogue.close();
    assert_eq!(dialogue.closed, None, "the rest is still to come");
    dialogue.translate("Wie geht es dir?", 200);
    let rest = [
        told("output_transcript", 4_600, " Wie geht es dir?"),
        told("output_audio", 4_600, "4800"),
        told("closed", 0, ""),
    ];
    assert_eq!((dialogue.told(), dialogue.closed), (rest.to_vec(), Some(1000)));
}

#[test]
fn speech_that_never_pauses_is_cut() {
    let mut dialogue = Dialogue::new(Arc::new(Interpreting), json!({"output": {"language": "de"}}));
    dialogue.speak(9_000, 200);
    dialogue.speak(45_000, 0);
    let lengths: Vec<u64> = dialogue.heard.iter().map(|(_, ms)| *ms).collect();
    assert!((9_000..9_200).contains(&lengths[0]), "at the first pause behind eight seconds: {lengths:?}");
    assert_eq!(lengths[1..], [20_000, 20_000]);
    dialogue.close();
    assert_eq!(dialogue.heard.iter().map(|(_, ms)| ms).sum::<u64>(), 54_200, "nothing is lost");
}

#[test]
fn a_segment_that_fails_is_told_of_and_the_next_one_is_translated() {
    let mut dialogue = Dialogue::new(Arc::new(Interpreting), json!({"output": {"language": "de"}}));
    for _ in 0..3 {
        dialogue.speak(1_000, 1_000);
    }
    let (id, _) = dialogue.heard.remove(0);
    dialogue.work(Work::Heard(id, Err("no ears".into())));
    assert_eq!(dialogue.events()[0]["error"]["message"], "no ears");
    dialogue.hear("One.");
    dialogue.hear("");
    let (id, _) = dialogue.wanted.remove(0);
    dialogue.work(Work::Answered(id, Err("no model".into())));
    assert_eq!(dialogue.events()[0]["error"]["message"], "no model");
    dialogue.close();
    assert_eq!((dialogue.told(), dialogue.closed), (vec![told("closed", 0, "")], Some(1000)));
}

#[test]
fn a_translation_that_is_cut_short_is_told_of() {
    let mut dialogue = Dialogue::new(Arc::new(Interpreting), json!({"output": {"language": "de"}}));
    dialogue.speak(1_000, 1_000);
    dialogue.hear("One and two.");
    let (id, _) = dialogue.wanted.remove(0);
    let speech = SpeechChunk { text: "Eins".into(), sound: None };
    for part in [ResponsePart::Speech(speech), ResponsePart::Incomplete("content_filter")] {
        dialogue.work(Work::ResponsePart(id.clone(), part));
    }
    dialogue.work(Work::Answered(id, Ok(())));
    let events = dialogue.events();
    assert_eq!(events[0]["delta"], "Eins");
    let message = "The translation of the speech at 0 ms is incomplete: content_filter.";
    assert_eq!((events.len(), &events[1]["error"]["message"]), (2, &json!(message)));
}

#[test]
fn a_model_that_does_not_end_is_stopped_and_its_words_are_no_example() {
    let mut dialogue = Dialogue::new(Arc::new(Interpreting), json!({"output": {"language": "de"}}));
    dialogue.speak(1_000, 1_000);
    dialogue.hear("One and two.");
    let (id, _) = dialogue.wanted.remove(0);
    for _ in 0..20 {
        let speech = SpeechChunk { text: "Eins und zwei und drei.".into(), sound: None };
        dialogue.work(Work::ResponsePart(id.clone(), ResponsePart::Speech(speech)));
    }
    let events = dialogue.events();
    let pieces = events.iter().filter(|event| event["delta"].is_string()).count();
    let message = "The translation of the speech at 0 ms was stopped: it does not end.";
    assert_eq!((pieces, events.last().expect("an event")["error"]["message"].as_str()), (12, Some(message)));
    assert_eq!(dialogue.stopped, [id]);
    dialogue.speak(1_000, 1_000);
    dialogue.hear("Three.");
    assert_eq!(dialogue.wanted[0].1.turns.len(), 1, "without what was before");
}

#[test]
fn what_a_session_does_not_know_is_refused_by_name() {
    let mut dialogue = Dialogue::new(Arc::new(Interpreting), json!({"output": {"language": "de"}}));
    let update = |audio: Value| json!({"type": "session.update", "event_id": "e", "session": {"audio": audio}});
    for (event, code, param) in [
        (json!({"type": "response.create"}), "invalid_value", "type"),
        (update(json!({"output": {"voice": "alloy"}})), "unknown_parameter", "session.audio.output.voice"),
        (update(json!({"output": {"language": "fr"}})), "invalid_value", "session.audio.output.language"),
        (update(json!({"output": {"language": "in French"}})), "invalid_value", "session.audio.output.language"),
        (json!({"type": "session.update", "session": {"model": "x"}}), "unknown_parameter", "session.model"),
        (json!({"type": "session.input_audio_buffer.append", "audio": "AAAA"}), "invalid_value", "audio"),
        (json!({"type": "session.input_audio_buffer.append", "audio": "%"}), "invalid_value", "audio"),
    ] {
        dialogue.say(event.clone());
        let error = dialogue.events().remove(0)["error"].take();
        assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some(code), Some(param)), "{event}: {error}");
        assert_eq!(error["event_id"], event["event_id"]);
    }
    dialogue.close();
    dialogue.events();
    dialogue.append(&[0; 100]);
    assert_eq!(dialogue.events()[0]["type"], "error", "nothing more can be sent");
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let mut dialogue = Dialogue::new(Arc::new(Echo), json!({}));
    dialogue.session.expire(Duration::from_secs(3600));
    dialogue.drain();
    assert_eq!((&dialogue.events()[0]["error"]["code"], dialogue.closed), (&json!("session_expired"), Some(1001)));
}
