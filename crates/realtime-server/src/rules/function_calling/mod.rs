// SPDX-License-Identifier: MPL-2.0

//! Function calling without a language model: a function is called when the user's words match its name, its
//! description or the values of its parameters. Arguments are only values that were said; a missing required one is
//! asked for. Only requests call: not what is negated, conditional, past, or asked about an action.
//!
//! `requests` finds what is requested, `matcher` selects functions, `arguments` and `phrase` find values for their
//! `parameters`, and `results` puts what they return into words.

mod arguments;
mod matcher;
mod parameters;
mod phrase;
mod requests;
mod results;
#[cfg(test)]
mod tests;

use crate::engine::{Call, Choice, Part, Prompt, Turn};
use crate::rules::function_calling::arguments::{Filled, fill};
use crate::rules::function_calling::matcher::{Tool, chosen};
use crate::rules::function_calling::parameters::Said;
use crate::rules::words::{listed, of_name, read};
use crate::speech::modern;
use openai_protocol::items::Role;
use serde_json::Value;

/// Maximum number of words examined.
const MAX_WORDS: usize = 1_000;

/// The outcome of function calling.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// Say this: results, or a question for a missing argument.
    pub words: Option<String>,
    /// No function matches: answer as usual.
    pub answer: bool,
    /// Make these calls.
    pub calls: Vec<Call>,
}

/// Decides between calling, telling results and a usual answer.
pub fn plan(prompt: &Prompt) -> Plan {
    let told = results::outputs(&prompt.turns);
    let last = prompt.turns.iter().rposition(|turn| turn.role == Role::User && text_of(turn).is_some());
    let is_call = |part: &Part| matches!(part, Part::Call { .. } | Part::Output { .. });
    let called = prompt.turns.iter().rposition(|turn| turn.parts.iter().any(is_call));
    // Words followed by a call are answered already.
    let fresh = last >= called;
    if prompt.idle || !(fresh || is_forced(prompt, told.is_some())) {
        return Plan { answer: told.is_none(), words: told, calls: Vec::new() };
    }
    let (calls, question) = call(prompt, last);
    let answer = calls.is_empty() && question.is_none() && (told.is_none() || fresh);
    let words: Vec<String> = told.into_iter().chain(question).collect();
    Plan { words: (!words.is_empty()).then(|| words.join(" ")), answer, calls }
}

/// Whether a call is required although nothing new was said. A function that has just returned is not called again.
fn is_forced(prompt: &Prompt, told: bool) -> bool {
    let mut parts = prompt.turns.iter().flat_map(|turn| &turn.parts);
    match &prompt.choice {
        Choice::Function(wanted) => {
            !told || !parts.any(|part| matches!(part, Part::Call { name, .. } if name == wanted))
        }
        Choice::Required => !told,
        Choice::Auto | Choice::None => false,
    }
}

/// The calls for the last words, or a question for a missing argument.
fn call(prompt: &Prompt, last: Option<usize>) -> (Vec<Call>, Option<String>) {
    let tools: Vec<Tool<'_>> = prompt.tools.iter().filter_map(Tool::read).collect();
    let text = last.and_then(|last| text_of(&prompt.turns[last])).unwrap_or_default();
    let (calls, question) = calls_for(&text, None, &tools, prompt);
    match asked(prompt, last, &tools).filter(|_| calls.is_empty() && prompt.choice != Choice::None) {
        Some(earlier) => calls_for(&earlier, Some(&text), &tools, prompt),
        None => (calls, question),
    }
}

/// The user's previous words, if the model answered with a question for a missing argument.
fn asked(prompt: &Prompt, last: Option<usize>, tools: &[Tool<'_>]) -> Option<String> {
    let before = &prompt.turns[..last?];
    let user = before.iter().rposition(|turn| turn.role == Role::User)?;
    let earlier = text_of(&before[user])?;
    let question = calls_for(&earlier, None, tools, prompt).1?;
    let mut said = before[user + 1..].iter().filter(|turn| turn.role == Role::Assistant).filter_map(text_of);
    said.any(|said| said.contains(&question)).then_some(earlier)
}

/// The calls for a text and, where it was followed by a question for an argument, for the reply to that.
fn calls_for(text: &str, reply: Option<&str>, tools: &[Tool<'_>], prompt: &Prompt) -> (Vec<Call>, Option<String>) {
    let reply_at = reply.map_or(usize::MAX, |_| modern(text).len());
    let text = modern(&[text, reply.unwrap_or_default()].join(" "));
    let mut all = read(&text);
    all.truncate(MAX_WORDS);
    // A call that the client demands does not depend on what was said.
    if prompt.choice == Choice::Auto {
        let moods = requests::moods(&text, &all, reply_at);
        all.iter_mut().zip(moods).for_each(|(word, mood)| word.mood = mood);
    }
    let known: Vec<String> = tools.iter().flat_map(|tool| tool.names.iter().cloned()).collect();
    let (mut calls, mut question) = (Vec::new(), None);
    for (tool, mut own) in chosen(tools, &all, &prompt.choice, prompt.parallel) {
        let heard: Vec<_> = all.iter().filter(|word| tool.hears(word)).cloned().collect();
        own.retain(|word| tool.hears(word));
        let filled = fill(tool.parameters, &Said { text: &text, all: &heard, own: &own, known: &known, reply });
        if filled.missing.is_empty() {
            calls.extend(all_calls(tool.name, filled, prompt.parallel));
        } else {
            question.get_or_insert_with(|| ask(tool.name, &filled.missing));
        }
    }
    (calls, question)
}

/// The call, repeated for each further value that was said.
fn all_calls(name: &str, filled: Filled, parallel: bool) -> Vec<Call> {
    let mut all = vec![filled.arguments];
    for (param, values) in filled.others.into_iter().filter(|_| parallel) {
        for value in values {
            let mut arguments = all[0].clone();
            arguments.insert(param.clone(), value);
            all.push(arguments);
        }
    }
    all.into_iter().map(|all| Call { name: name.into(), arguments: Value::Object(all).to_string() }).collect()
}

fn ask(name: &str, missing: &[String]) -> String {
    let missing: Vec<String> = missing.iter().map(|name| format!("the {}", of_name(name).join(" "))).collect();
    format!("To {} I need to know {}.", of_name(name).join(" "), listed(&missing))
}

/// The text of a turn, as far as it is transcribed.
fn text_of(turn: &Turn) -> Option<String> {
    let texts: Vec<&str> = turn.parts.iter().filter_map(Part::text).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}
