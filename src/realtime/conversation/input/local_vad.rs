// SPDX-License-Identifier: MPL-2.0

//! Turn detection by the element's own VAD, with the running times of what it finds.

use crate::audio::sample_clock::SampleClock;
use crate::audio::vad::{TurnDetector, VadEvent};
use crate::realtime::conversation::config::{Config, Detection};
use crate::types::AudioChunk;
use std::time::Duration;

/// The VAD, where that detects the turns.
#[derive(Debug, Default)]
pub(crate) struct LocalVad {
    turn_detector: Option<TurnDetector>,
    /// Sample of the input's clock at which the VAD began to count.
    start: u64,
    /// Sample of the input's clock of the next audio of the current turn.
    next_of_turn: u64,
}

/// What the VAD has found, with running times.
#[derive(Debug)]
pub(crate) enum Detected {
    SpeechStarted(Option<Duration>),
    /// Audio of the current turn.
    Audio(AudioChunk),
    SpeechStopped(Option<Duration>),
}

impl LocalVad {
    /// Begins anew at this sample of the input's clock.
    pub fn reset(&mut self, sample: u64, config: &Config) {
        self.start = sample;
        self.turn_detector = match &config.detection {
            Detection::Local(settings) => Some(TurnDetector::new(settings, config.input.clone())),
            Detection::Server { .. } | Detection::Manual => None,
        };
    }

    /// Whether it detects the turns.
    pub fn is_on(&self) -> bool {
        self.turn_detector.is_some()
    }

    /// Runs the VAD over audio, up to the end of a turn. Returns what it has found and the rest of the audio.
    pub fn detect(
        &mut self,
        chunk: AudioChunk,
        clock: &mut SampleClock,
        config: &Config,
    ) -> (Vec<Detected>, Option<AudioChunk>) {
        let AudioChunk { mut data, at } = chunk;
        let Some(turn_detector) = self.turn_detector.as_mut().filter(|_| !data.is_empty()) else {
            return (Vec::new(), None);
        };
        let mut events = Vec::new();
        let taken = data.split_to(turn_detector.push(&data, &mut events));
        clock.advance((taken.len() / config.input.sample_size()) as u64, at);
        let rest = (!data.is_empty()).then_some(AudioChunk { data, at: None });
        (self.located(events, clock, config), rest)
    }

    /// End of the input: the current turn ends here.
    pub fn finish(&mut self, clock: &SampleClock, config: &Config) -> Vec<Detected> {
        let mut events = Vec::new();
        if let Some(turn_detector) = &mut self.turn_detector {
            turn_detector.finish(&mut events);
        }
        self.located(events, clock, config)
    }

    fn located(&mut self, events: Vec<VadEvent>, clock: &SampleClock, config: &Config) -> Vec<Detected> {
        let mut locate = |event| match event {
            VadEvent::SpeechStarted(sample) => {
                self.next_of_turn = self.start + sample;
                Detected::SpeechStarted(clock.time_of(self.next_of_turn))
            }
            VadEvent::Audio(data) => {
                let at = clock.time_of(self.next_of_turn);
                self.next_of_turn += (data.len() / config.input.sample_size()) as u64;
                Detected::Audio(AudioChunk { data: data.into(), at })
            }
            VadEvent::SpeechStopped(sample) => Detected::SpeechStopped(clock.time_of(self.start + sample)),
        };
        events.into_iter().map(&mut locate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::tests::dialogue;
    use crate::types::Timing;

    #[test]
    fn a_sentence_is_found_at_its_running_time_and_stops_the_vad() {
        let config = dialogue::config(Timing::Offline, dialogue::own_ear());
        let (mut vad, mut clock) = (LocalVad::default(), SampleClock::new(24_000));
        vad.reset(0, &config);
        let at = Some(Duration::from_secs(100));
        let (mut next, mut found) = (Some(AudioChunk { data: dialogue::sentence().into(), at }), Vec::new());
        while let Some(chunk) = next.take().filter(|_| found.is_empty()) {
            let (detected, rest) = vad.detect(chunk, &mut clock, &config);
            assert!(rest.is_some(), "silence follows the sentence");
            found = detected;
            next = rest;
        }
        let Some(Detected::SpeechStarted(Some(start))) = found.first() else { panic!("{:?}", found.first()) };
        let Some(Detected::SpeechStopped(Some(end))) = found.last() else { panic!("{:?}", found.last()) };
        assert!(start.as_secs() >= 100 && end > start, "{start:?} to {end:?}");
        assert!(found.iter().any(|event| matches!(event, Detected::Audio(_))));
    }

    #[test]
    fn it_is_on_for_local_detection_alone() {
        let mut vad = LocalVad::default();
        for (detection, is_on) in
            [(dialogue::own_ear(), true), (Detection::Manual, false), (dialogue::server_vad(), false)]
        {
            vad.reset(0, &dialogue::config(Timing::Live, detection));
            assert_eq!(vad.is_on(), is_on);
        }
    }
}
