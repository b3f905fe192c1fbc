// SPDX-License-Identifier: MPL-2.0

//! The request for an answer: the conversation as the messages of Chat Completions, as much of it as the model's
//! context holds.

use crate::engine::Choice;
use crate::engine::{Part, Prompt, Turn};
use crate::picture::Picture;
use crate::session::usage;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openai_protocol::chat::{self, Function, ImageUrl, Request, RequestMessage, StreamOptions, ToolCall};
use openai_protocol::items::Role;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What the model is told where the user has been silent.
const IDLE: &str = "The user has said nothing for a while. Ask in one short sentence whether they are still there.";
/// What stands in place of a result that the client has not given yet.
const NO_RESULT: &str = "There is no result yet.";

/// The body of the request, with no more messages than fit into so many tokens.
pub fn body(prompt: &Prompt, model: Option<&str>, context: u64) -> Value {
    let tools = tools(&prompt.tools);
    let described = tools.as_ref().map_or(0, |tools| usage::text(&tools.to_string()));
    let answer = prompt.max_tokens.unwrap_or(u64::MAX).min(context / 4);
    let room = context.saturating_sub(answer + described + usage::text(&prompt.instructions) + usage::MESSAGE);
    let mut messages = Vec::new();
    if !prompt.instructions.is_empty() {
        messages.push(RequestMessage::System { content: prompt.instructions.clone() });
    }
    messages.extend(newest(exchanges(&prompt.turns), room).into_iter().flat_map(Exchange::messages));
    if prompt.idle {
        messages.push(RequestMessage::System { content: IDLE.into() });
    }
    let request = Request {
        model: model.unwrap_or_default().to_owned(),
        messages,
        stream: true,
        stream_options: Some(StreamOptions { include_usage: true }),
        tool_choice: tools.as_ref().map(|_| choice(&prompt.choice)),
        tools,
        max_completion_tokens: prompt.max_tokens.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
        temperature: prompt.temperature,
        ..Request::default()
    };
    let mut body = json!(request);
    if let Some(fields) = body.as_object_mut() {
        if model.is_none() {
            fields.remove("model");
        }
        if fields.contains_key("tools") && !prompt.parallel {
            fields.insert("parallel_tool_calls".into(), false.into());
        }
    }
    body
}

/// The functions, in the object that the Realtime API does not have around them. Tools of other kinds are none.
fn tools(tools: &[Value]) -> Option<Value> {
    let function = |tool: &Value| {
        let mut function = tool.as_object()?.clone();
        (function.remove("type")? == "function").then(|| json!({"type": "function", "function": function}))
    };
    let tools: Vec<Value> = tools.iter().filter_map(function).collect();
    (!tools.is_empty()).then(|| tools.into())
}

fn choice(choice: &Choice) -> Value {
    match choice {
        Choice::Auto => json!("auto"),
        Choice::None => json!("none"),
        Choice::Required => json!("required"),
        Choice::Function(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

/// A message, and the results of the calls in it, which must follow it at once.
#[derive(Debug)]
struct Exchange {
    message: RequestMessage,
    results: Vec<RequestMessage>,
    tokens: u64,
}

impl Exchange {
    fn messages(self) -> impl Iterator<Item = RequestMessage> {
        std::iter::once(self.message).chain(self.results)
    }
}

/// The conversation. What the assistant said and called in a row is one message.
fn exchanges(turns: &[Turn]) -> Vec<Exchange> {
    let parts = turns.iter().flat_map(|turn| &turn.parts);
    let results: HashMap<&str, &str> = parts
        .filter_map(|part| match part {
            Part::Output { call_id, text } => Some((call_id.as_str(), text.as_str())),
            _ => None,
        })
        .collect();
    let mut exchanges: Vec<Exchange> = Vec::new();
    for turn in turns {
        match turn.role {
            Role::User => exchanges.extend(user(turn)),
            Role::System => exchanges.extend(words(turn).map(|content| {
                let tokens = usage::MESSAGE + usage::text(&content);
                Exchange { message: RequestMessage::System { content }, results: Vec::new(), tokens }
            })),
            _ => assistant(turn, &results, &mut exchanges),
        }
    }
    exchanges
}

/// The text of a turn; `None` where it has none.
fn words(turn: &Turn) -> Option<String> {
    let words: Vec<&str> = turn.parts.iter().filter_map(Part::text).filter(|text| !text.is_empty()).collect();
    (!words.is_empty()).then(|| words.join("\n"))
}

fn user(turn: &Turn) -> Option<Exchange> {
    let mut tokens = usage::MESSAGE;
    let mut content: Vec<chat::Part> = Vec::new();
    if let Some(text) = words(turn) {
        tokens += usage::text(&text);
        content.push(chat::Part::Text { text });
    }
    for part in &turn.parts {
        let Part::Picture(picture) = part else { continue };
        tokens += usage::picture_tokens(picture);
        content.push(chat::Part::ImageUrl { image_url: image_url(picture) });
    }
    let message = RequestMessage::User { content: content.clone() };
    (!content.is_empty()).then_some(Exchange { message, results: Vec::new(), tokens })
}

fn image_url(picture: &Picture) -> ImageUrl {
    let url = format!("data:{};base64,{}", picture.mime, STANDARD.encode(&picture.bytes));
    ImageUrl { url, detail: if picture.low_detail { "low" } else { "auto" } }
}

fn assistant(turn: &Turn, outputs: &HashMap<&str, &str>, exchanges: &mut Vec<Exchange>) {
    let (said, mut calls, mut given) = (words(turn), Vec::new(), Vec::new());
    let mut tokens = said.as_deref().map_or(0, usage::text);
    for part in &turn.parts {
        let Part::Call { call_id, name, arguments } = part else { continue };
        let content = outputs.get(call_id.as_str()).copied().unwrap_or(NO_RESULT).to_owned();
        tokens += usage::MESSAGE + usage::text(name) + usage::text(arguments) + usage::text(&content);
        let function = Function { name: name.clone(), arguments: arguments.clone() };
        calls.push(ToolCall { id: call_id.clone(), function });
        given.push(RequestMessage::Tool { tool_call_id: call_id.clone(), content });
    }
    if said.is_none() && calls.is_empty() {
        return;
    }
    if let Some(Exchange { message, results, tokens: so_far }) = exchanges.last_mut()
        && let RequestMessage::Assistant { content, tool_calls, .. } = message
        // Words behind calls answer their results.
        && (said.is_none() || tool_calls.is_empty())
    {
        *content = [content.take(), said].into_iter().flatten().reduce(|a, b| format!("{a}\n{b}"));
        tool_calls.extend(calls);
        results.extend(given);
        *so_far += tokens;
        return;
    }
    let message = RequestMessage::Assistant { content: said, audio: None, tool_calls: calls };
    exchanges.push(Exchange { message, results: given, tokens: tokens + usage::MESSAGE });
}

/// The newest exchanges that fit; the last one in any case. Where some are left out, the rest begins with the user, as
/// many models demand.
fn newest(mut exchanges: Vec<Exchange>, room: u64) -> Vec<Exchange> {
    let mut total = 0;
    let fits = exchanges.iter().rev().take_while(|exchange| {
        total += exchange.tokens;
        total <= room
    });
    let mut first = exchanges.len() - fits.count().max(1).min(exchanges.len());
    if first > 0 {
        let is_user = |exchange: &Exchange| matches!(exchange.message, RequestMessage::User { .. });
        first += exchanges[first..].iter().position(is_user).unwrap_or(0);
    }
    exchanges.split_off(first)
}

#[cfg(test)]
mod tests;
