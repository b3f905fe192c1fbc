// SPDX-License-Identifier: MPL-2.0

//! Record of the speech that left the timeline: which samples of which item stand where in the stream. With a playback
//! position it tells how much of each item was played, which a truncation after a barge-in has to know.

use crate::types::PlayedPart;
use std::collections::VecDeque;

/// Maximum number of spans; older ones are forgotten.
const MAX_SPANS: usize = 256;

/// Samples of one content part that are contiguous in the stream.
#[derive(Debug)]
struct Span {
    item_id: String,
    content_index: u32,
    /// Offset of the first sample in the content part.
    offset: u64,
    /// Position of the first sample in the stream.
    position: u64,
    samples: u64,
}

/// The record.
#[derive(Debug, Default)]
pub struct PlayoutLog(VecDeque<Span>);

impl PlayoutLog {
    /// Speech has left the timeline.
    pub fn add(&mut self, item_id: &str, content_index: u32, offset: u64, position: u64, samples: u64) {
        let continues = |last: &&mut Span| {
            last.item_id == item_id && last.content_index == content_index && last.position + last.samples == position
        };
        if let Some(last) = self.0.back_mut().filter(continues) {
            last.samples += samples;
            return;
        }
        if self.0.len() == MAX_SPANS {
            self.0.pop_front();
        }
        self.0.push_back(Span { item_id: item_id.to_owned(), content_index, offset, position, samples });
    }

    /// Position behind the last sample of speech.
    pub fn end(&self) -> Option<u64> {
        self.0.back().map(|last| last.position + last.samples)
    }

    /// What was played of each item when the playback position is this one.
    pub fn played_at(&self, position: u64) -> Vec<PlayedPart> {
        let mut parts: Vec<PlayedPart> = Vec::new();
        for span in &self.0 {
            let heard = span.offset + position.saturating_sub(span.position).min(span.samples);
            match parts.iter_mut().find(|p| p.item_id == span.item_id && p.content_index == span.content_index) {
                Some(part) if position > span.position => part.heard = part.heard.max(heard),
                Some(_) => {}
                None => parts.push(PlayedPart {
                    item_id: span.item_id.clone(),
                    content_index: span.content_index,
                    heard: if position > span.position { heard } else { span.offset },
                }),
            }
        }
        parts
    }
}
