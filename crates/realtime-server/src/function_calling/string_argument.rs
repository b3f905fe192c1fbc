// SPDX-License-Identifier: MPL-2.0

//! Finds the value of a string parameter: quoted text, text after the parameter's name or a preposition such as "in" or
//! "for", or the whole sentence.

use crate::function_calling::parameter::{PERSONS, PLACES, Param, Said, TEXTS, is_free, is_string};
use crate::function_calling::phrase;
use crate::function_calling::tokens;
use crate::function_calling::tokens::{WEEKDAYS, Word, is_empty};
use serde_json::Value;
use std::borrow::Cow;

/// The values of a parameter; several when they are listed.
pub fn texts(param: &Param<'_>, said: &Said<'_>, only_free: bool) -> Vec<String> {
    let text = own_text(said);
    let text = text.as_ref();
    if let Some(shaped) = shaped(param, text) {
        return shaped.into_iter().collect();
    }
    let is_language = param.is_one_of(&["language", "lang"]);
    if is_free(param)
        && !is_language
        && let Some(quoted) = phrase::quoted(text)
    {
        return vec![quoted.to_owned()];
    }
    if (only_free || param.is_one_of(TEXTS))
        && let Some(announced) = phrase::announced(said.text, said.own)
    {
        return vec![announced.to_owned()];
    }
    let labelled = labelled(param, said);
    if !labelled.is_empty() {
        return labelled;
    }
    let before = announcing(param, only_free);
    let mut found = phrase::behind(said.text, said.own, before, said.known);
    if found.is_empty() && !is_free(param) {
        found = phrase::behind(said.text, said.all, before, said.known);
        if found.is_empty() && before.len() > 2 {
            found = phrase::name(said.text, said.own, said.known);
        }
    }
    if found.is_empty() && only_free && said.reply.is_none() && !text.is_empty() {
        found.push(text.to_owned());
    }
    found
}

/// The words that a value of this parameter follows.
fn announcing(param: &Param<'_>, only_free: bool) -> &'static [&'static str] {
    match param {
        param if param.is_one_of(&["origin", "from", "departure", "source", "start"]) => &["from"],
        param if param.is_one_of(&["destination", "arrival", "target", "to"]) && !param.is_one_of(&["language"]) => {
            &["to", "for"]
        }
        param if param.is_one_of(&["language", "lang"]) => &["into", "to", "in"],
        param if param.is_one_of(&["attendees", "participants", "guests", "people"]) => &["with"],
        param if param.is_one_of(PLACES) => &["in", "at", "for", "near", "around", "to", "of", "from"],
        param if param.is_one_of(PERSONS) => &["to", "for", "named", "called", "with", "of", "by"],
        param if param.is_one_of(TEXTS) => &[],
        _ if only_free => &["for", "of", "to", "about"],
        param if param.required => &["called", "named", "for", "of", "by", "about", "in", "to"],
        _ => &["called", "named", "for", "about", "by"],
    }
}

/// The text of the words that belong to this function.
fn own_text<'a>(said: &Said<'a>) -> Cow<'a, str> {
    if said.own.len() == said.all.len() && !said.partly {
        return said.text.trim().into();
    }
    let first = said.own.iter().position(|word| !word.is_any(&["and", "then", "also"])).unwrap_or(said.own.len());
    // Sentences that request nothing are left out between those that do.
    let adjoin = |before: &Word<'_>, word: &Word<'_>| {
        before.end <= word.start && !said.text[before.end..word.start].contains(char::is_alphanumeric)
    };
    let runs = said.own[first..].chunk_by(adjoin);
    let texts: Vec<&str> = runs.map(|run| &said.text[run[0].start..run[run.len() - 1].end]).collect();
    match texts.as_slice() {
        [only] => (*only).into(),
        several => several.join(". ").into(),
    }
}

/// Text of a required format: `Some(None)` when there is none of this format.
fn shaped(param: &Param<'_>, text: &str) -> Option<Option<String>> {
    let trimmed = |word: &str| word.trim_matches([',', '.', '?', '!', ';', ':', '"']).to_owned();
    let find = |is: &dyn Fn(&str) -> bool| text.split_whitespace().find(|word| is(word)).map(trimmed);
    match param.schema["format"].as_str() {
        _ if param.is_one_of(&["email"]) => Some(find(&|word| word.contains('@'))),
        Some("email") => Some(find(&|word| word.contains('@'))),
        _ if param.is_one_of(&["id", "code", "ticket", "zip", "phone"]) || param.is_one_of(&["number"]) => {
            Some(find(&|word| word.contains(|char: char| char.is_ascii_digit())))
        }
        Some("uri" | "url") => Some(find(&|word| word.contains("://"))),
        _ if param.is_one_of(&["url"]) => Some(find(&|word| word.contains("://"))),
        // Dates and times in words are not accepted by these formats.
        Some("date" | "date-time" | "time") => {
            let figures =
                |word: &str| word.starts_with(|char: char| char.is_ascii_digit()) && word.contains(['-', ':']);
            Some(find(&figures))
        }
        _ if param.is_one_of(&["date", "day", "when"]) => {
            Some(find(&|word| tokens::read(word).first().is_some_and(is_day)))
        }
        _ => None,
    }
}

fn is_day(word: &Word<'_>) -> bool {
    word.is_any(&["today", "tomorrow", "tonight", "yesterday", "now"])
        || word.is_any(WEEKDAYS)
        || (word.text.starts_with(|char: char| char.is_ascii_digit()) && word.text.len() > 4)
}

/// Text after the parameter's own name: "the city Paris", "title is Anna".
fn labelled(param: &Param<'_>, said: &Said<'_>) -> Vec<String> {
    let title: Vec<&String> = param.title.iter().filter(|stem| !is_empty(stem)).collect();
    if title.is_empty() {
        return Vec::new();
    }
    let place =
        said.own.windows(title.len()).position(|window| window.iter().map(|word| &word.stem).eq(title.iter().copied()));
    let Some(place) = place.map(|place| place + title.len()) else { return Vec::new() };
    let label = &said.own[place - 1];
    match said.own.get(place) {
        Some(next) if next.is_any(&["is", "of", "called", "named", "to"]) => {
            phrase::behind(said.text, &said.own[place..], &[next.lower.as_str()], said.known)
        }
        Some(next) if next.is_name() && label.sign.is_none() => {
            phrase::behind(said.text, &said.own[place - 1..], &[label.lower.as_str()], said.known)
        }
        _ => Vec::new(),
    }
}

/// The user's answer to a question for this parameter, if it is the first missing one.
pub fn replied(param: &Param<'_>, said: &Said<'_>, first: bool) -> Option<Value> {
    let reply = said.reply.filter(|_| first && is_string(param))?;
    let words = tokens::read(reply);
    phrase::bare(reply, &words).map(|text| text.into())
}
