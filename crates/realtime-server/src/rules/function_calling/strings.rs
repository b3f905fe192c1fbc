// SPDX-License-Identifier: MPL-2.0

//! Finds the value of a string parameter: quoted text, text after the parameter's name or a preposition such as "in" or
//! "for", or the whole sentence.

use crate::rules::function_calling::parameter::{PERSONS, PLACES, Param, Said, TEXTS};
use crate::rules::function_calling::phrase;
use crate::rules::words::{WEEKDAYS, Word, is_empty, position, read};

/// The values of a parameter; several when they are listed. A parameter that is the `only_free` one can be all of what
/// was said.
pub fn texts(param: &Param<'_>, said: &Said<'_>, only_free: bool) -> Vec<String> {
    let text = own_text(said);
    if let Some(shaped) = shaped(param, &text) {
        return shaped.into_iter().collect();
    }
    let quoted = phrase::quoted(&text).filter(|_| param.is_free() && !param.is_any(LANGUAGES));
    let announced = || phrase::announced(said.text, said.own).filter(|_| only_free || param.is_any(TEXTS));
    if let Some(text) = quoted.or_else(announced) {
        return vec![text.to_owned()];
    }
    let before = announcing(param, only_free);
    let mut found = labelled(param, said);
    if found.is_empty() {
        found = phrase::behind(said.text, said.own, before, said.known);
    }
    if found.is_empty() && !param.is_free() {
        found = phrase::behind(said.text, said.all, before, said.known);
        if found.is_empty() && before.len() > 2 {
            found = phrase::name(said.text, said.own, said.known);
        }
    }
    if found.is_empty() && only_free && said.reply.is_none() && !text.is_empty() {
        found.push(text);
    }
    found
}

const LANGUAGES: &str = "language lang";

/// The words that a value of this parameter follows.
fn announcing(param: &Param<'_>, only_free: bool) -> &'static [&'static str] {
    match param {
        _ if param.is_any("origin from departure source start") => &["from"],
        _ if param.is_any("destination arrival target to") && !param.is_any("language") => &["to", "for"],
        _ if param.is_any(LANGUAGES) => &["into", "to", "in"],
        _ if param.is_any("attendees participants guests people") => &["with"],
        _ if param.is_any(PLACES) => &["in", "at", "for", "near", "around", "to", "of", "from"],
        _ if param.is_any(PERSONS) => &["to", "for", "named", "called", "with", "of", "by"],
        _ if param.is_any(TEXTS) => &[],
        _ if only_free => &["for", "of", "to", "about"],
        _ if param.required => &["called", "named", "for", "of", "by", "about", "in", "to"],
        _ => &["called", "named", "for", "about", "by"],
    }
}

/// The text of the words that belong to this function, without sentences between them that request nothing.
fn own_text(said: &Said<'_>) -> String {
    let first = said.own.iter().position(|word| !word.is_any("and then also")).unwrap_or(said.own.len());
    // The text from one place to the next word.
    let gap = |end: usize| said.text[end..].find(char::is_alphanumeric).map_or(said.text.len(), |at| end + at);
    let runs = said.own[first..].chunk_by(|before, word| gap(before.end) >= word.start);
    let texts = runs.map(|run| said.text[run[0].start..gap(run[run.len() - 1].end)].trim());
    texts.map(|text| text.trim_end_matches([' ', ',', ';', ':'])).collect::<Vec<_>>().join(" ")
}

/// Text of a required format: `Some(None)` when there is none of this format.
fn shaped(param: &Param<'_>, text: &str) -> Option<Option<String>> {
    let format = param.schema["format"].as_str().unwrap_or_default();
    let is_it: &dyn Fn(&str) -> bool = match format {
        _ if param.is_any("email") || format == "email" => &|word| word.contains('@'),
        _ if param.is_any("id code ticket zip phone number") => {
            &|word| word.contains(|char: char| char.is_ascii_digit())
        }
        _ if param.is_any("url") || matches!(format, "uri" | "url") => &|word| word.contains("://"),
        // Dates and times in words are not accepted by these formats.
        "date" | "date-time" | "time" => &|word| begins_with_digit(word) && word.contains(['-', ':']),
        _ if param.is_any("date day when") => &|word| read(word).first().is_some_and(is_day),
        _ => return None,
    };
    let word = text.split_whitespace().find(|word| is_it(word));
    Some(word.map(|word| word.trim_matches([',', '.', '?', '!', ';', ':', '"']).to_owned()))
}

fn begins_with_digit(word: &str) -> bool {
    word.starts_with(|char: char| char.is_ascii_digit())
}

fn is_day(word: &Word<'_>) -> bool {
    let relative = word.is_any("today tomorrow tonight yesterday now");
    relative || word.is_any(WEEKDAYS) || (begins_with_digit(word.text) && word.text.len() > 4)
}

/// Text after the parameter's own name: "the city Paris", "title is Anna".
fn labelled(param: &Param<'_>, said: &Said<'_>) -> Vec<String> {
    let title: Vec<String> = param.title.iter().filter(|stem| !is_empty(stem)).cloned().collect();
    let Some(label) = position(said.own, &title).map(|place| place + title.len() - 1) else { return Vec::new() };
    let names = |word: &Word<'_>| word.is_name() && said.own[label].sign.is_none();
    match said.own.get(label + 1) {
        Some(next) if next.is_any("is of called named to") => {
            phrase::behind(said.text, &said.own[label + 1..], &[&next.lower], said.known)
        }
        Some(next) if names(next) => {
            phrase::behind(said.text, &said.own[label..], &[&said.own[label].lower], said.known)
        }
        _ => Vec::new(),
    }
}
