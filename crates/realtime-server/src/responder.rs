// SPDX-License-Identifier: MPL-2.0

//! The interface to those that find the words of an answer: rules, which need nothing else (`rules`), or a language model (`llm`).

use crate::engine::{Answer, Prompt};
use crate::processors::Processors;

/// Finds the words of answers, for all sessions.
pub trait Responder: Send + Sync {
    /// An answer without sound: one part for each sentence, as soon as its words are known.
    fn respond(&self, prompt: Prompt, processors: &Processors) -> Answer;

    /// True for a responder that translates where its instructions say so.
    fn translates(&self) -> bool {
        false
    }

    /// True for a responder whose answers depend on the whole conversation.
    fn reads_history(&self) -> bool {
        false
    }
}
