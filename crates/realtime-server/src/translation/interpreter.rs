// SPDX-License-Identifier: MPL-2.0

//! The translation of an engine that understands: speech is cut at its pauses, each segment is written down, translated
//! and spoken, in order.
//!
//! A translation is placed at the end of what it translates, or behind the one before it.

use crate::api_error::ApiError;
use crate::engine::{Part, Prompt, ResponsePart, SpeechChunk, Turn, TurnDetector, Utterance};
use crate::ids;
use crate::session::detector::{Edge, Rules, TICKS};
use crate::session::input::Input;
use crate::session::{Job, Output, Work};
use crate::translation::config::instructions;
use crate::translation::{FRAME, RATE, output_audio, output_text, step};
use openai_protocol::items::Role;
use openai_protocol::translation::{InputTranscriptDelta, ServerEvent};
use std::collections::VecDeque;

/// How speech is found. It begins a little before its first loud syllable.
const RULES: Rules = Rules { prefix: 300 * TICKS, ..Rules::PAUSES };
/// Speech that is this long ends at its next pause, however short.
const LONG: u64 = 8_000 * TICKS;
/// Such a pause.
const SHORT_PAUSE: u64 = 100 * TICKS;
/// Speech without any pause is cut here.
const LONGEST: u64 = 20_000 * TICKS;
/// Earlier segments that the model is told, so that names and pronouns stay the same.
const CONTEXT: usize = 4;
/// The most characters of a translation for each character of its original. From Chinese into a language with letters they
/// become five. A model that says more repeats itself, or answers.
const MAX_EXPANSION: usize = 8;
/// Characters that any translation may have beyond that, however short its original is.
const MAX_EXTRA: usize = 200;
/// Segments that may wait for their translation; beyond that no more sound is taken.
const MAX_WAITING: usize = 64;

/// Speech between two pauses.
#[derive(Debug)]
struct Segment {
    id: String,
    start_ms: u64,
    end_ms: u64,
    /// `None` until they are found.
    words: Option<String>,
    /// The words were told.
    is_told: bool,
    /// Its translation so far, since it was asked for.
    translation: Option<String>,
    /// The model was cut short, or stopped because it did not end.
    is_incomplete: bool,
    is_done: bool,
}

impl Segment {
    /// Whether its translation may grow by this text.
    fn has_room_for(&self, text: &str) -> bool {
        let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.chars().count());
        let most = MAX_EXTRA + MAX_EXPANSION * length(&self.words);
        length(&self.translation) + text.chars().count() <= most
    }
}

/// The interpreter.
pub struct Interpreter {
    input: Input,
    /// Where the speech begins that has not ended.
    speech: Option<u64>,
    /// There was speech since then, and not only the rest of a pause.
    is_voiced: bool,
    segments: VecDeque<Segment>,
    context: VecDeque<(String, String)>,
    /// Where the voice ends that was made so far.
    spoken_ms: u64,
    has_original: bool,
    has_translation: bool,
    ready: Vec<ServerEvent>,
}

impl Interpreter {
    /// One that hears with this ear.
    pub fn new(ear: Box<dyn TurnDetector>) -> Self {
        let mut input = Input::new(RATE);
        input.set_ear(Some(ear));
        let (speech, is_voiced, segments, context, ready) = Default::default();
        let (spoken_ms, has_original, has_translation) = Default::default();
        Self { input, speech, is_voiced, segments, context, spoken_ms, has_original, has_translation, ready }
    }

    /// Takes sound, without hearing it yet.
    pub fn append(&mut self, samples: &[i16]) -> Result<(), ApiError> {
        if self.segments.len() >= MAX_WAITING || !self.input.append(samples) {
            let message = "The translation does not keep up with the speech; this audio was not taken.";
            return Err(ApiError::new("input_audio_buffer_full", message));
        }
        Ok(())
    }

    /// Hears the next tenth of a second. False: everything was heard.
    pub fn listen(&mut self, out: &mut VecDeque<Output>) -> bool {
        let Some(edges) = self.input.listen(Some(&RULES), false) else { return false };
        for edge in edges {
            match edge {
                Edge::Started(onset) => {
                    self.speech = Some(self.input.turn_start(onset, &RULES));
                    self.is_voiced = true;
                }
                Edge::Stopped(end) => self.cut(end, out),
            }
        }
        let (Some(start), Some(pause)) = (self.speech, self.input.silence()) else { return true };
        self.is_voiced |= pause < SHORT_PAUSE;
        let clock = self.input.clock();
        if clock >= start + LONGEST || (clock >= start + LONG && pause >= SHORT_PAUSE && self.is_voiced) {
            let end = (clock - pause / 2).min(start + LONGEST);
            self.cut(end, out);
            self.speech = Some(end);
        }
        true
    }

    /// No more sound follows.
    pub fn finish(&mut self, out: &mut VecDeque<Output>) {
        self.cut(self.input.clock(), out);
    }

    /// Makes a segment of the speech up to here.
    fn cut(&mut self, end: u64, out: &mut VecDeque<Output>) {
        let Some(start) = self.speech.take().filter(|_| std::mem::take(&mut self.is_voiced)) else { return };
        let utterance = Utterance::new(self.input.take(start, end));
        let id = ids::new("segment_");
        out.push_back(Output::Start(Job::Transcribe { item_id: id.clone(), utterance }));
        self.segments.push_back(Segment {
            id,
            start_ms: start / TICKS,
            end_ms: end / TICKS,
            words: None,
            is_told: false,
            translation: None,
            is_incomplete: false,
            is_done: false,
        });
    }

    /// Takes what became of a job.
    pub fn work(&mut self, work: Work, out: &mut VecDeque<Output>) -> Result<(), ApiError> {
        let (Work::Heard(id, _) | Work::PartHeard(id, ..) | Work::ResponsePart(id, _) | Work::Answered(id, _)) = &work;
        let Some(segment) = self.segments.iter_mut().find(|segment| segment.id == *id) else { return Ok(()) };
        match work {
            Work::Heard(_, Ok(words)) => segment.words = Some(words.trim().to_owned()),
            Work::Heard(_, Err(message)) => {
                segment.words = Some(String::new());
                return Err(ApiError::server_error(message));
            }
            Work::ResponsePart(..) if segment.is_done => {}
            Work::ResponsePart(id, ResponsePart::Speech(chunk)) => {
                if !segment.has_room_for(&chunk.text) {
                    out.push_back(Output::Stop(id));
                    (segment.is_incomplete, segment.is_done) = (true, true);
                    let place = segment.start_ms;
                    let message = format!("The translation of the speech at {place} ms was stopped: it does not end.");
                    return Err(ApiError::server_error(message));
                }
                self.say(chunk);
            }
            Work::ResponsePart(_, ResponsePart::Incomplete(reason)) => {
                segment.is_incomplete = true;
                let place = segment.start_ms;
                let message = format!("The translation of the speech at {place} ms is incomplete: {reason}.");
                return Err(ApiError::server_error(message));
            }
            Work::ResponsePart(..) | Work::PartHeard(..) => {}
            Work::Answered(_, result) => {
                segment.is_done = true;
                return result.map_err(ApiError::server_error);
            }
        }
        Ok(())
    }

    /// A piece of the first segment's translation.
    fn say(&mut self, SpeechChunk { text, sound }: SpeechChunk) {
        let Some(segment) = self.segments.front_mut() else { return };
        let said = segment.translation.get_or_insert_default();
        let blank = if said.is_empty() { "" } else { " " };
        *said += &format!("{blank}{}", text.trim());
        let mut place_ms = self.spoken_ms.max(segment.end_ms);
        let delta = if self.has_translation { format!(" {}", text.trim()) } else { text.trim().to_owned() };
        self.has_translation = true;
        self.ready.push(output_text(delta, place_ms));
        let samples = sound.map(|sound| sound.at(RATE).samples).unwrap_or_default();
        for frame in samples.chunks(FRAME) {
            self.ready.push(output_audio(frame, place_ms));
            place_ms += frame.len() as u64 * 1000 / u64::from(RATE);
        }
        self.spoken_ms = place_ms;
    }

    /// What can be told now. Asks for the translation of the next segment where none is being made.
    pub fn take(&mut self, out: &mut VecDeque<Output>, language: &str, wants_original: bool) -> Vec<ServerEvent> {
        let mut events = std::mem::take(&mut self.ready);
        for segment in &mut self.segments {
            let Some(words) = &segment.words else { break };
            if !segment.is_told && wants_original && !words.is_empty() {
                let delta = if self.has_original { format!(" {words}") } else { words.clone() };
                self.has_original = true;
                let elapsed_ms = step(segment.start_ms);
                events.push(InputTranscriptDelta { delta, elapsed_ms, ..Default::default() }.into());
            }
            segment.is_told = true;
        }
        while let Some(segment) = self.segments.front_mut() {
            let Some(words) = &segment.words else { break };
            if segment.is_done || words.is_empty() {
                let pair = (words.clone(), segment.translation.take().unwrap_or_default());
                // What went wrong once is no example.
                if !pair.1.is_empty() && !segment.is_incomplete {
                    self.context.push_back(pair);
                }
                if self.context.len() > CONTEXT {
                    self.context.pop_front();
                }
                self.segments.pop_front();
                continue;
            }
            if segment.translation.is_none() {
                segment.translation = Some(String::new());
                let prompt = prompt(&self.context, words, language);
                out.push_back(Output::Start(Job::Answer { response_id: segment.id.clone(), prompt }));
            }
            break;
        }
        events
    }

    /// Whether nothing follows without more sound.
    pub fn is_done(&self) -> bool {
        self.segments.is_empty()
    }
}

/// What the language model is asked.
fn prompt(context: &VecDeque<(String, String)>, words: &str, language: &str) -> Prompt {
    let turn = |role, text: &str| Turn { role, parts: vec![Part::Text(text.to_owned())] };
    let before = context.iter().flat_map(|(words, said)| [turn(Role::User, words), turn(Role::Assistant, said)]);
    let turns = before.chain([turn(Role::User, words)]).collect();
    Prompt { instructions: instructions(language), turns, speak: true, ..Prompt::default() }
}
