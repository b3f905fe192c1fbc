// SPDX-License-Identifier: MPL-2.0

//! The stages of a turn as running times of the pipeline, so that the difference of any two is a latency.

use crate::media::playing_periods::RunningTime;
use crate::realtime::conversation::event::TurnEvent;
use std::time::{Duration, Instant};

/// The stages of the latency of a turn in their order, from the end of speech to the first audio that is heard.
pub const STAGES: [&str; 7] =
    ["speech-end", "speech-stopped", "committed", "response-created", "first-delta", "first-audio", "first-heard"];

/// When each stage of a turn was reached.
#[derive(Clone, Copy, Debug)]
pub struct TurnTimes {
    /// As [`STAGES`] names them; `None` if a stage was not reached.
    pub stages: [Option<Duration>; STAGES.len()],
    /// The user began to speak over the answer.
    pub barge_in: Option<Duration>,
    /// What was interrupted stopped.
    pub silenced: Option<Duration>,
}

impl TurnTimes {
    /// `latency` is the pipeline's.
    pub fn new(turn: &TurnEvent, running_time: &RunningTime, latency: Duration) -> Self {
        let at = |time: Option<Instant>| time.and_then(|time| running_time.at(time));
        Self {
            stages: [
                turn.speech_end,
                at(turn.speech_stopped),
                at(turn.committed),
                at(turn.response_created),
                at(turn.first_delta),
                at(turn.first_audio),
                turn.first_heard.map(|time| time + latency),
            ],
            barge_in: turn.barge_in,
            silenced: at(turn.silenced),
        }
    }

    /// Time from each stage to the next one that was reached, by the index of that. They add up to [`Self::total`].
    pub fn durations(&self) -> impl Iterator<Item = (usize, Duration)> {
        let mut reached = self.stages.iter().enumerate().filter_map(|(stage, time)| time.map(|time| (stage, time)));
        let mut before = reached.next().map(|(_, time)| time).unwrap_or_default();
        reached.map(move |(stage, time)| {
            let duration = time.saturating_sub(before);
            before = before.max(time);
            (stage, duration)
        })
    }

    /// From the end of speech to the first audio that is heard.
    pub fn total(&self) -> Option<Duration> {
        let [speech_end, .., first_heard] = self.stages;
        first_heard?.checked_sub(speech_end?)
    }

    /// From the begin of the user's speech over the answer until that was silent.
    pub fn barge_in_to_silence(&self) -> Option<Duration> {
        self.silenced?.checked_sub(self.barge_in?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::playing_periods::tests::known_at;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn stages_have_one_clock_and_add_up() {
        let now = Instant::now();
        let turn = TurnEvent {
            speech_end: Some(1_000 * MS),
            speech_stopped: Some(now - 800 * MS),
            response_created: Some(now - 750 * MS),
            first_delta: Some(now - 600 * MS),
            first_audio: Some(now),
            first_heard: Some(2_010 * MS),
            barge_in: Some(2_500 * MS),
            silenced: Some(now + 620 * MS),
            ..TurnEvent::default()
        };
        let times = TurnTimes::new(&turn, &known_at(2_000 * MS, now), 20 * MS);
        let durations: Vec<_> = times.durations().map(|(stage, duration)| (STAGES[stage], duration)).collect();
        let expected = [
            ("speech-stopped", 200 * MS),
            ("response-created", 50 * MS),
            ("first-delta", 150 * MS),
            ("first-audio", 600 * MS),
            ("first-heard", 30 * MS),
        ];
        assert_eq!(durations, expected);
        assert_eq!(times.total(), Some(durations.iter().map(|(_, duration)| *duration).sum()));
        assert_eq!(times.barge_in_to_silence(), Some(120 * MS));
    }

    #[test]
    fn without_a_clock_only_places_on_the_input_are_known() {
        let turn = TurnEvent { speech_end: Some(MS), speech_stopped: Some(Instant::now()), ..TurnEvent::default() };
        let times = TurnTimes::new(&turn, &RunningTime::default(), MS);
        assert_eq!((times.stages[0], times.stages[1], times.total()), (Some(MS), None, None));
        assert_eq!(times.durations().count(), 0);
    }
}
