// SPDX-License-Identifier: MPL-2.0

//! Audio of the user that was sent and is not committed.
//!
//! A session may be lost in the middle of a sentence. The audio so far is then sent to the next one again, so the last
//! of it is remembered: up to a minute of the current turn, and of the silence before a turn as much as a server's VAD
//! needs to detect its begin.

use crate::audio::sample_clock::samples_to_time;
use crate::types::AudioChunk;
use std::collections::VecDeque;
use std::time::Duration;

/// Most that is remembered of a current turn.
pub(crate) const TURN: Duration = Duration::from_secs(60);
/// Remembered outside of a turn, where somebody may just have begun to speak.
pub(crate) const QUIET: Duration = Duration::from_secs(2);
/// Most that is remembered in addition since the last data from a server that may be gone.
pub(crate) const UNHEARD: Duration = Duration::from_secs(15);

/// A piece of audio, with the position of its first sample on the server's clock.
#[derive(Debug)]
struct Piece {
    start: u64,
    samples: u64,
    sound: AudioChunk,
}

/// Remembered audio, oldest first. The bytes are shared with what was sent.
#[derive(Debug, Default)]
pub(crate) struct UncommittedAudio(VecDeque<Piece>);

impl UncommittedAudio {
    /// Appends audio that begins at this sample, and drops what is further back than `most` samples.
    pub fn add(&mut self, start: u64, samples: u64, sound: AudioChunk, most: u64) {
        self.0.push_back(Piece { start, samples, sound });
        self.keep(most);
    }

    /// Takes the audio before this sample.
    pub fn take_before(&mut self, sample: u64, rate: u32) -> Vec<AudioChunk> {
        let mut taken = Vec::new();
        while let Some(mut piece) = self.0.pop_front_if(|piece| piece.start < sample) {
            let inside = sample - piece.start;
            if inside < piece.samples {
                let bytes = piece.sound.data.len() / piece.samples as usize * inside as usize;
                let rest = piece.sound.data.split_off(bytes);
                let sound = AudioChunk { data: rest, at: piece.sound.at.map(|at| at + samples_to_time(inside, rate)) };
                self.0.push_front(Piece { start: sample, samples: piece.samples - inside, sound });
            }
            taken.push(piece.sound);
        }
        taken
    }

    /// Drops all but about the last `most` samples.
    pub fn keep(&mut self, most: u64) {
        let end = self.0.back().map_or(0, |piece| piece.start + piece.samples);
        while self.0.front().is_some_and(|piece| piece.start + piece.samples + most < end) {
            self.0.pop_front();
        }
    }

    /// Number of samples.
    pub fn samples(&self) -> u64 {
        self.0.iter().map(|piece| piece.samples).sum()
    }

    /// Takes everything.
    pub fn take(&mut self) -> Vec<AudioChunk> {
        std::mem::take(&mut self.0).into_iter().map(|piece| piece.sound).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn piece(byte: u8, samples: usize) -> AudioChunk {
        AudioChunk { data: Bytes::from(vec![byte; samples * 2]), at: Some(Duration::from_secs(byte.into())) }
    }

    fn bytes(sounds: &[AudioChunk]) -> Vec<(usize, Option<u64>)> {
        sounds.iter().map(|sound| (sound.data.len(), sound.at.map(|at| at.as_secs()))).collect()
    }

    #[test]
    fn a_turn_is_cut_out_of_it_at_the_sample() {
        let mut uncommitted_audio = UncommittedAudio::default();
        (0..4).for_each(|n| uncommitted_audio.add(n * 10, 10, piece(n as u8, 10), 1_000));
        assert_eq!(bytes(&uncommitted_audio.take_before(15, 5)), [(20, Some(0)), (10, Some(1))]);
        assert_eq!(bytes(&uncommitted_audio.take_before(15, 5)), []);
        assert_eq!(bytes(&uncommitted_audio.take()), [(10, Some(2)), (20, Some(2)), (20, Some(3))]);
    }

    #[test]
    fn it_is_no_longer_than_it_may_be() {
        let mut uncommitted_audio = UncommittedAudio::default();
        (0..100).for_each(|n| uncommitted_audio.add(n * 10, 10, piece(0, 10), 25));
        assert_eq!(uncommitted_audio.take().len(), 3);
    }
}
