//! The user's side: sound on its way to the server, and the turns that are found in it.

use super::events::Detection;
use super::uplink::SampleClock;
use super::vad::{Ear, Heard};
use super::{Config, Conversation, Notice, Output, Phase, Sound, Timing};
use crate::protocol::ServerEvent;
use crate::protocol::client::{InputAudioBufferAppend, InputAudioBufferClear, InputAudioBufferCommit};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// A hole in the input's timestamps that is longer than this, and not longer than the next, is filled with silence.
const HOLE: Duration = Duration::from_millis(40);
/// Longer holes are breaks: nothing was missed there that a server would need to hear.
const BREAK: Duration = Duration::from_secs(60);
/// The API refuses to commit less.
pub(super) const LEAST_COMMIT: Duration = Duration::from_millis(100);

/// What was heard and sent so far.
#[derive(Debug)]
pub(super) struct Listening {
    /// All that was taken from the input.
    pub heard: SampleClock,
    /// All that was appended: the server's clock.
    pub sent: SampleClock,
    /// Appended and not committed, in samples.
    pub uncommitted: u64,
    /// When the last turn ended, in the world.
    pub last_turn: Instant,
    ear: Option<Ear>,
    /// What came in one piece with the end of a turn, and has to wait.
    rest: Option<Sound>,
    ready_at: Instant,
}

impl Listening {
    pub fn new(config: &Config, now: Instant) -> Self {
        let rate = config.input.rate();
        let ear = match &config.detection {
            Detection::Local(settings) => Some(Ear::new(settings, config.input.clone())),
            Detection::Server { .. } | Detection::Manual => None,
        };
        Self {
            heard: SampleClock::new(rate),
            sent: SampleClock::new(rate),
            uncommitted: 0,
            last_turn: now,
            ear,
            rest: None,
            ready_at: now,
        }
    }

    /// Sound may flow from now on.
    pub fn start(&mut self, now: Instant) {
        self.ready_at = now;
    }

    /// Nothing waits that was handed in already.
    pub fn is_idle(&self) -> bool {
        self.rest.is_none()
    }

    /// When more sound may be taken, where a speed is set.
    pub fn due(&self, config: &Config, now: Instant) -> Option<Instant> {
        if config.timing == Timing::Live || config.max_speed <= 0.0 {
            return None;
        }
        let heard = self.heard.duration(self.heard.samples());
        let due = self.ready_at + heard.div_f64(config.max_speed);
        (due > now).then_some(due)
    }
}

impl Conversation {
    /// The user said something (or was silent).
    pub(super) fn listen(&mut self, sound: Sound) {
        if !matches!(self.phase, Phase::Ready) {
            return;
        }
        let hole = match (sound.at, self.listening.heard.end()) {
            (Some(at), Some(end)) => at.saturating_sub(end),
            _ => Duration::ZERO,
        };
        if hole > HOLE && hole <= BREAK {
            let format = &self.config.input;
            let samples = super::uplink::time_to_samples(hole, format.rate()) as usize;
            let silence = Bytes::from(vec![format.silence()[0]; samples * format.sample_size()]);
            let mut joined = bytes::BytesMut::from(&silence[..]);
            joined.extend_from_slice(&sound.data);
            let at = self.listening.heard.end();
            self.take(Sound { data: joined.freeze(), at });
        } else {
            self.take(sound);
        }
    }

    /// Goes on with what had to wait for an answer.
    pub(super) fn listen_to_rest(&mut self) {
        while !self.holds_input() {
            let Some(rest) = self.listening.rest.take() else { return };
            self.take(rest);
            self.ask_for_answer();
        }
    }

    fn take(&mut self, sound: Sound) {
        let size = self.config.input.sample_size();
        if self.listening.ear.is_none() {
            self.listening.heard.advance((sound.data.len() / size) as u64, sound.at);
            self.append(sound);
        } else {
            self.take_with_ear(sound);
        }
        if self.config.timing == Timing::Offline && !self.holds_input() && !self.drain.has_begun() {
            let end = self.input_end();
            self.output.push_back(Output::Quiet(end));
        }
    }

    fn take_with_ear(&mut self, sound: Sound) {
        let size = self.config.input.sample_size();
        let mut data = sound.data;
        let mut at = sound.at;
        while !data.is_empty() {
            let Some(ear) = &mut self.listening.ear else { return };
            let mut heard = Vec::new();
            let taken = data.split_to(ear.push(&data, &mut heard));
            self.listening.heard.advance((taken.len() / size) as u64, at.take());
            self.act_on(heard);
            if self.holds_input() && !data.is_empty() {
                self.listening.rest = Some(Sound { data, at: None });
                return;
            }
        }
    }

    fn act_on(&mut self, heard: Vec<Heard>) {
        for what in heard {
            match what {
                Heard::Began(sample) => {
                    let start = self.listening.heard.time_of(sample);
                    self.begin_turn(None, start);
                }
                Heard::Sound(data) => {
                    let size = self.config.input.sample_size();
                    let sent_of_turn = (self.listening.uncommitted, self.turns.last().and_then(|turn| turn.start));
                    let at = match sent_of_turn {
                        (samples, Some(start)) => Some(start + self.listening.sent.duration(samples)),
                        _ => None,
                    };
                    debug_assert!(data.len().is_multiple_of(size));
                    self.append(Sound { data: data.into(), at });
                }
                Heard::Ended(sample) => {
                    let end = self.listening.heard.time_of(sample);
                    self.end_turn(None, end);
                    self.commit();
                    if self.config.create_response {
                        self.gate.wish(None);
                    }
                }
            }
        }
    }

    fn append(&mut self, sound: Sound) {
        let samples = (sound.data.len() / self.config.input.sample_size()) as u64;
        if samples == 0 {
            return;
        }
        self.listening.sent.advance(samples, sound.at);
        self.listening.uncommitted += samples;
        self.send(InputAudioBufferAppend { audio: crate::protocol::Base64(sound.data), ..Default::default() });
    }

    /// Adds so much silence behind what was said.
    pub(super) fn append_silence(&mut self, length: Duration) {
        let format = &self.config.input;
        let samples = super::uplink::time_to_samples(length, format.rate()) as usize;
        let data = vec![format.silence()[0]; samples * format.sample_size()];
        self.append(Sound { data: data.into(), at: None });
    }

    /// Makes the sound so far the user's message.
    pub(super) fn commit(&mut self) {
        let so_far = self.listening.sent.duration(self.listening.uncommitted);
        if so_far < LEAST_COMMIT {
            self.append_silence(LEAST_COMMIT - so_far);
        }
        self.listening.uncommitted = 0;
        self.send(InputAudioBufferCommit::default());
    }

    /// No more sound will come: the turn in hand ends here.
    pub(super) fn finish_listening(&mut self) {
        let mut heard = Vec::new();
        if let Some(ear) = &mut self.listening.ear {
            ear.finish(&mut heard);
        }
        self.act_on(heard);
    }

    /// Upstream was flushed: what was not committed is forgotten on both sides.
    pub(super) fn forget_turn(&mut self) {
        self.listening.rest = None;
        self.turns.drop_open();
        let fresh = Listening::new(&self.config, self.now);
        self.listening.ear = fresh.ear;
        if matches!(self.phase, Phase::Ready) && self.listening.uncommitted > 0 {
            self.listening.uncommitted = 0;
            self.send(InputAudioBufferClear::default());
        }
    }

    fn begin_turn(&mut self, item_id: Option<String>, start: Option<Duration>) {
        self.turns.begin(item_id.clone(), start);
        self.notify(Notice::Speech { active: true, item_id, running_time: start });
        if self.config.interrupt_response && self.config.timing == Timing::Live {
            self.interrupt();
        }
    }

    fn end_turn(&mut self, item_id: Option<String>, end: Option<Duration>) {
        self.turns.end(end);
        self.listening.last_turn = self.now;
        self.gate.turn_ended = Some(self.now);
        self.answers.answer_from(end.unwrap_or_default());
        self.notify(Notice::Speech { active: false, item_id, running_time: end });
    }

    /// What the server says of the user's turns. Gives back what is about something else.
    pub(super) fn hear_turn(&mut self, event: ServerEvent) -> Option<ServerEvent> {
        match event {
            ServerEvent::InputAudioBufferSpeechStarted(event) => {
                let start = self.listening.sent.time_of_ms(event.audio_start_ms);
                self.begin_turn(Some(event.item_id), start);
            }
            ServerEvent::InputAudioBufferSpeechStopped(event) => {
                let end = self.listening.sent.time_of_ms(event.audio_end_ms);
                self.end_turn(Some(event.item_id), end);
            }
            ServerEvent::InputAudioBufferCommitted(event) => self.committed(&event.item_id),
            ServerEvent::InputAudioBufferTimeoutTriggered(event) => {
                let time = |ms| self.listening.sent.time_of_ms(ms);
                let (start, end) = (time(event.audio_start_ms), time(event.audio_end_ms));
                self.turns.begin(Some(event.item_id), start);
                self.turns.end(end);
            }
            other => return Some(other),
        }
        None
    }

    fn committed(&mut self, item_id: &str) {
        if self.turns.speaking && matches!(self.config.detection, Detection::Server { .. }) {
            self.turns.end(self.listening.sent.end());
        }
        self.turns.name(item_id);
        if self.config.transcribes {
            self.turns.await_transcript(item_id);
        }
        if matches!(self.config.detection, Detection::Server { .. }) && !self.drain.commits_by_hand() {
            self.listening.uncommitted = 0;
            if self.config.create_response {
                self.gate.announce();
            }
        }
    }
}
