// SPDX-License-Identifier: MPL-2.0

//! The responder without a language model: functions called by keywords, pictures described, and a few questions
//! answered by rules.
//!
//! `words` and `numbers` are read in what was said. `function_calling` decides about calls, `shown` selects the pictures
//! of a conversation, and `answers` replies to the rest.

pub mod answers;
mod function_calling;
mod numbers;
pub mod shown;
mod words;

use crate::engine::{Answer, Prompt, ResponsePart, SpeechChunk};
use crate::processors::Processors;
use crate::responder::Responder;
use crate::rules::answers::Context;
use crate::rules::shown::{Shown, said, tell};
use crate::speech::sentences;
use crate::vision::Vision;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Zoned;
use openai_protocol::items::Role;
use std::sync::Arc;

/// The rules, and what they see pictures with.
pub struct Rules {
    vision: Arc<Vision>,
}

impl Rules {
    /// Rules that look with these models.
    pub fn new(vision: Vision) -> Self {
        Self { vision: Arc::new(vision) }
    }
}

impl Responder for Rules {
    fn respond(&self, prompt: Prompt, processors: &Processors) -> Answer {
        let (vision, processors) = (self.vision.clone(), processors.clone());
        let parts = async move { processors.compute(move || parts(&prompt, &vision)).await };
        stream::once(parts).map_ok(|parts| stream::iter(parts).map(Ok)).try_flatten().boxed()
    }
}

/// The sentences of the answer, and behind them the calls.
fn parts(prompt: &Prompt, vision: &Vision) -> Vec<ResponsePart> {
    let plan = function_calling::plan(prompt);
    let text: Vec<String> = plan.words.into_iter().chain(plan.answer.then(|| reply(prompt, vision))).collect();
    let text = text.join(" ");
    let speech = |sentence: &str| ResponsePart::Speech(SpeechChunk { text: sentence.trim().to_owned(), sound: None });
    sentences(&text).map(speech).chain(plan.calls.into_iter().map(ResponsePart::Call)).collect()
}

/// The words of the answer.
fn reply(prompt: &Prompt, vision: &Vision) -> String {
    if prompt.idle {
        return "Are you still there?".into();
    }
    let users = prompt.turns.iter().filter(|turn| turn.role == Role::User);
    let mut users: Vec<String> = users.map(|turn| said(turn).join(" ")).filter(|words| !words.is_empty()).collect();
    let shown = Shown::of(&prompt.turns);
    let heard = if shown.are_alone { String::new() } else { users.pop().unwrap_or_default() };
    let picture = tell(vision, &shown, &heard);
    let context = Context {
        now: &Zoned::now(),
        turn: users.len() + 1,
        instructions: Some(prompt.instructions.as_str()).filter(|text| !text.is_empty()),
        earlier: &users,
        picture: picture.as_deref(),
    };
    answers::answer(&heard, &context)
}
