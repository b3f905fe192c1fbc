// SPDX-License-Identifier: MPL-2.0

//! Function calls of a turn: told to the application, and answered with all their outputs at once.

use crate::chat::conversation::Conversation;
use crate::chat::conversation::answer::Answer;
use crate::chat::conversation::io::{Event, FunctionCall};
use crate::chat::conversation::turn::{Call, Stage};
use openai_protocol::chat::{RequestMessage, ToolCall};

/// What a call gets that nobody has answered in time.
const EXPIRED: &str = r#"{"error":"the function took too long"}"#;

impl Conversation {
    /// The model calls functions; when all have their outputs, it is asked again.
    pub(super) fn call_functions(&mut self, index: usize, answer: Answer, calls: Vec<ToolCall>) {
        let turn = &mut self.turns[index];
        let request_id = turn.request_id();
        turn.messages.push(RequestMessage::Assistant {
            content: Some(answer.words().to_owned()).filter(|text| !text.is_empty()),
            audio: None,
            tool_calls: calls.clone(),
        });
        let told: Vec<_> = calls
            .iter()
            .map(|call| FunctionCall {
                call_id: call.id.clone(),
                name: call.function.name.clone(),
                arguments: call.function.arguments.clone(),
                request_id: request_id.clone(),
            })
            .collect();
        let calls = calls.into_iter().map(|call| Call { call, output: None }).collect();
        let expires = self.config.tool_timeout.map(|timeout| self.now + timeout);
        turn.stage = Stage::Calling { calls, expires };
        told.into_iter().for_each(|call| self.event(Event::FunctionCall(call)));
    }

    pub(super) fn function_output(&mut self, call_id: &str, output: String) {
        let open = self.turns.iter_mut().find_map(|turn| {
            let Stage::Calling { calls, .. } = &mut turn.stage else { return None };
            let call = calls.iter_mut().find(|call| call.call.id == call_id && call.output.is_none())?;
            call.output = Some(output.clone());
            Some(())
        });
        if open.is_none() {
            return self.warn("no-such-call", format!("there is no open call '{call_id}': its output is not sent"));
        }
        self.answer_calls();
    }

    /// Asks again where all functions have their outputs.
    fn answer_calls(&mut self) {
        let now = self.now;
        for turn in &mut self.turns {
            let Stage::Calling { calls, .. } = &mut turn.stage else { continue };
            if calls.iter().any(|call| call.output.is_none()) {
                continue;
            }
            let outputs = std::mem::take(calls).into_iter().map(|call| RequestMessage::Tool {
                tool_call_id: call.call.id,
                content: call.output.unwrap_or_default(),
            });
            turn.messages.extend(outputs);
            turn.rounds += 1;
            (turn.body, turn.attempt) = (None, 0);
            turn.backoff.reset();
            turn.stage = Stage::Retry(now);
        }
    }

    pub(super) fn expire_calls(&mut self) {
        let now = self.now;
        let mut expired = Vec::new();
        for turn in &mut self.turns {
            let Stage::Calling { calls, expires } = &mut turn.stage else { continue };
            if expires.is_none_or(|expires| expires > now) {
                continue;
            }
            for call in calls.iter_mut().filter(|call| call.output.is_none()) {
                call.output = Some(EXPIRED.to_owned());
                expired.push((call.call.id.clone(), call.call.function.name.clone()));
            }
        }
        for (call_id, name) in expired {
            self.warn("tool-timeout", format!("the function '{name}' has no output in time: the model gets an error"));
            self.event(Event::CallExpired(call_id));
        }
        self.answer_calls();
    }
}
