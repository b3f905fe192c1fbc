// SPDX-License-Identifier: MPL-2.0

//! Which pictures of a segment go along. What is kept until that is known is bounded.

use crate::chat::conversation::config::FrameSelection;
use crate::types::Frame;
use std::time::Duration;

/// How much is kept at most. Of more, `Newest` drops the oldest, `Spread` every second one.
const MAX_KEPT: usize = 64 << 20;

/// The pictures that were not sent yet, in order of running time.
#[derive(Debug, Default)]
pub struct Frames {
    kept: Vec<Frame>,
    size: usize,
    /// With `Spread`, one of so many is kept.
    stride: u64,
    count: u64,
}

impl Frames {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Where the first one stands.
    pub fn first_at(&self) -> Option<Duration> {
        self.kept.first().map(|frame| frame.at)
    }

    /// Where the last one stands.
    pub fn last_at(&self) -> Option<Duration> {
        self.kept.last().map(|frame| frame.at)
    }

    /// Forgets those of a pad.
    pub fn remove_pad(&mut self, pad: &str) {
        self.kept.retain(|frame| frame.pad.as_deref() != Some(pad));
        self.size = self.kept.iter().map(|frame| frame.file.len()).sum();
    }

    /// One more; gives back those that are not kept.
    pub fn push(&mut self, frame: Frame, selection: FrameSelection) -> Vec<Frame> {
        self.stride = self.stride.max(1);
        self.count += 1;
        if selection == FrameSelection::Spread && !(self.count - 1).is_multiple_of(self.stride) {
            return vec![frame];
        }
        self.size += frame.file.len();
        let place = self.kept.partition_point(|other| other.at <= frame.at);
        self.kept.insert(place, frame);
        let mut dropped = Vec::new();
        while self.size > MAX_KEPT && self.kept.len() > 1 {
            match selection {
                FrameSelection::Newest => dropped.push(self.kept.remove(0)),
                FrameSelection::Spread => {
                    self.stride *= 2;
                    let mut index = 0;
                    dropped.extend(self.kept.extract_if(.., |_| {
                        index += 1;
                        index % 2 == 0
                    }));
                }
            }
            self.size = self.kept.iter().map(|frame| frame.file.len()).sum();
        }
        dropped
    }

    /// Takes those before `end` (all without one): at most `most` of them (0 is all) are sent, the others skipped.
    pub fn take(&mut self, end: Option<Duration>, most: usize, selection: FrameSelection) -> (Vec<Frame>, Vec<Frame>) {
        let count = end.map_or(self.kept.len(), |end| self.kept.partition_point(|frame| frame.at < end));
        let rest = self.kept.split_off(count);
        let all = std::mem::replace(&mut self.kept, rest);
        self.size = self.kept.iter().map(|frame| frame.file.len()).sum();
        (self.stride, self.count) = (1, 0);
        if most == 0 || all.len() <= most {
            return (all, Vec::new());
        }
        let chosen: Vec<usize> = match selection {
            FrameSelection::Newest => (all.len() - most..all.len()).collect(),
            FrameSelection::Spread if most == 1 => vec![all.len() / 2],
            FrameSelection::Spread => (0..most).map(|n| n * (all.len() - 1) / (most - 1)).collect(),
        };
        let (mut sent, mut skipped) = (Vec::new(), Vec::new());
        for (index, frame) in all.into_iter().enumerate() {
            if chosen.contains(&index) { sent.push(frame) } else { skipped.push(frame) }
        }
        (sent, skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(second: u64, size: usize) -> Frame {
        Frame {
            pad: None,
            file: vec![0; size].into(),
            media_type: "image/jpeg",
            at: Duration::from_secs(second),
            interval: None,
            detail: None,
            prompt: None,
        }
    }

    fn seconds(frames: &[Frame]) -> Vec<u64> {
        frames.iter().map(|frame| frame.at.as_secs()).collect()
    }

    #[test]
    fn the_newest_or_evenly_spread_ones_are_sent() {
        for (selection, most, expected) in [
            (FrameSelection::Newest, 3, vec![7, 8, 9]),
            (FrameSelection::Spread, 3, vec![0, 4, 9]),
            (FrameSelection::Spread, 1, vec![5]),
            (FrameSelection::Newest, 0, (0..10).collect()),
            (FrameSelection::Spread, 20, (0..10).collect()),
        ] {
            let mut frames = Frames::default();
            // Two cameras need not come in order.
            for second in [3, 0, 1, 2, 5, 4, 6, 8, 7, 9, 10, 11] {
                assert!(frames.push(frame(second, 1), selection).is_empty());
            }
            let (sent, skipped) = frames.take(Some(Duration::from_secs(10)), most, selection);
            assert_eq!(seconds(&sent), expected);
            assert_eq!(sent.len() + skipped.len(), 10);
            assert_eq!(seconds(&frames.take(None, 0, selection).0), [10, 11]);
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let size = MAX_KEPT / 8;
        for (selection, expected) in [
            (FrameSelection::Newest, (92..100).collect::<Vec<_>>()),
            (FrameSelection::Spread, vec![0, 16, 32, 48, 64, 80, 96]),
        ] {
            let mut frames = Frames::default();
            let dropped: usize = (0..100).map(|second| frames.push(frame(second, size), selection).len()).sum();
            let (sent, skipped) = frames.take(None, 0, selection);
            assert_eq!(seconds(&sent), expected, "{selection:?}");
            assert_eq!((dropped + sent.len(), skipped.len()), (100, 0));
        }
    }
}
