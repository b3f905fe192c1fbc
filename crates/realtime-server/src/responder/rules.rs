// SPDX-License-Identifier: MPL-2.0

//! The responder without a language model: functions called by keywords, pictures described, and a few questions
//! answered by rules.

use crate::engine::{Answer, Prompt, ResponsePart, SpeechChunk};
use crate::processors::Processors;
use crate::responder::Responder;
use crate::responder::shown::{Shown, said, tell};
use crate::speech::responder::{self, Context};
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
    let plan = crate::function_calling::plan(prompt);
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
    let mut users: Vec<String> = Vec::new();
    for turn in prompt.turns.iter().filter(|turn| turn.role == Role::User) {
        let words = said(turn);
        if !words.is_empty() {
            users.push(words.join(" "));
        }
    }
    let shown = Shown::of(&prompt.turns);
    let heard = if shown.are_alone { String::new() } else { users.pop().unwrap_or_default() };
    let picture = tell(vision, &shown, &heard);
    let now = Zoned::now();
    let context = Context {
        now: &now,
        turn: users.len() + 1,
        instructions: Some(prompt.instructions.as_str()).filter(|text| !text.is_empty()),
        earlier: &users,
        picture: picture.as_deref(),
    };
    responder::answer(&heard, &context)
}
