// SPDX-License-Identifier: MPL-2.0

//! Function calling without a language model: a function is called when the user's words match its name, its
//! description or the values of its parameters. Arguments are only values that were said; a missing required one is
//! asked for. Only requests call: not what is negated, conditional, past, or asked about an action.
//!
//! `tokens` splits a text into words, `requests` finds what is requested in them, with the lists of `request_words`,
//! `matcher` selects functions, `arguments`, `string_argument` and `phrase` find values for each `parameter`, and
//! `describe_result` puts results into words, with `json`.

mod arguments;
mod describe_result;
mod json;
mod matcher;
mod parameter;
mod phrase;
mod request_words;
mod requests;
mod string_argument;
#[cfg(test)]
mod tests;
mod tokens;

use crate::engine::{Call, Choice, Part, Prompt, Turn};
use crate::function_calling::arguments::{Filled, fill};
use crate::function_calling::matcher::{Tool, chosen};
use crate::function_calling::parameter::Said;
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
    let told = crate::function_calling::describe_result::outputs(&prompt.turns);
    let last = prompt.turns.iter().rposition(|turn| turn.role == Role::User && text_of(turn).is_some());
    let called = prompt
        .turns
        .iter()
        .rposition(|turn| turn.parts.iter().any(|part| matches!(part, Part::Call { .. } | Part::Output { .. })));
    // Words followed by a call are answered already.
    let fresh = last > called || (last.is_none() && called.is_none());
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
    match &prompt.choice {
        Choice::Function(wanted) => {
            !told
                || !prompt
                    .turns
                    .iter()
                    .rev()
                    .flat_map(|turn| &turn.parts)
                    .any(|part| matches!(part, Part::Call { name, .. } if name == wanted))
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
    if calls.is_empty()
        && prompt.choice != Choice::None
        && let Some(earlier) = asked(prompt, last, &tools)
    {
        return calls_for(&earlier, Some(&text), &tools, prompt);
    }
    (calls, question)
}

/// The user's previous words, if the model answered with a question for a missing argument.
fn asked(prompt: &Prompt, last: Option<usize>, tools: &[Tool<'_>]) -> Option<String> {
    let before = &prompt.turns[..last?];
    let user = before.iter().rposition(|turn| turn.role == Role::User)?;
    let earlier = text_of(&before[user])?;
    let question = calls_for(&earlier, None, tools, prompt).1?;
    let said = before[user + 1..].iter().filter(|turn| turn.role == Role::Assistant).filter_map(text_of);
    said.into_iter().any(|said| said.contains(&question)).then_some(earlier)
}

fn calls_for(text: &str, reply: Option<&str>, tools: &[Tool<'_>], prompt: &Prompt) -> (Vec<Call>, Option<String>) {
    let whole = match reply {
        Some(reply) => format!("{text} {reply}"),
        None => text.to_owned(),
    };
    let whole = crate::speech::modern(&whole);
    let mut all = crate::function_calling::tokens::read(&whole);
    all.truncate(MAX_WORDS);
    // A call that the client demands does not depend on what was said.
    if prompt.choice == Choice::Auto {
        let reply = reply.map_or(usize::MAX, |reply| whole.len() - crate::speech::modern(reply).len());
        let moods = requests::moods(&whole, &all, reply);
        all.iter_mut().zip(moods).for_each(|(word, mood)| word.mood = mood);
    }
    let known: Vec<String> = tools.iter().flat_map(|tool| tool.names.iter().cloned()).collect();
    let (mut calls, mut question) = (Vec::new(), None);
    for (tool, own) in chosen(tools, &all, &prompt.choice, prompt.parallel) {
        let heard: Vec<_> = all.iter().filter(|word| tool.hears(word)).cloned().collect();
        let partly = heard.len() < all.len();
        let own: Vec<_> = own.into_iter().filter(|word| tool.hears(word)).collect();
        let filled =
            fill(tool.parameters, &Said { text: &whole, all: &heard, partly, own: &own, known: &known, reply });
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
    let call = |arguments| Call { name: name.into(), arguments: Value::Object(arguments).to_string() };
    let mut calls = vec![call(filled.arguments.clone())];
    for (param, values) in filled.others.into_iter().filter(|_| parallel) {
        for value in values {
            let mut arguments = filled.arguments.clone();
            arguments.insert(param.clone(), value.into());
            calls.push(call(arguments));
        }
    }
    calls
}

fn ask(name: &str, missing: &[String]) -> String {
    let missing: Vec<String> = missing
        .iter()
        .map(|name| format!("the {}", crate::function_calling::tokens::of_name(name).join(" ")))
        .collect();
    let list = match missing.split_last() {
        Some((last, most)) if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => missing.concat(),
    };
    format!("To {} I need to know {list}.", crate::function_calling::tokens::of_name(name).join(" "))
}

/// The text of a turn, as far as it is transcribed.
fn text_of(turn: &Turn) -> Option<String> {
    let words = |part: &Part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Sound(utterance) => utterance.words.get().cloned(),
        _ => None,
    };
    let texts: Vec<String> = turn.parts.iter().filter_map(words).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}
