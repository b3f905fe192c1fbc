// SPDX-License-Identifier: MPL-2.0

//! The parameters of a function, and values of those that take a string: quoted text, text after the parameter's name or
//! a preposition such as "in" or "for", or the whole sentence.

use crate::rules::function_calling::phrase;
use crate::rules::words::{WEEKDAYS, Word, position, read, stem, stems};
use serde_json::Value;

/// Names of parameters for places.
const PLACES: &str = "city location place country town address region area destination origin state room station \
    airport where";
/// Names of parameters for names.
const PERSONS: &str = "name person recipient contact who user to receiver friend";
/// Names of parameters for free text.
const TEXTS: &str = "message text content body note query question prompt input sentence phrase description search \
    command expression comment task";
/// Names of parameters for languages.
const LANGUAGES: &str = "language lang";

/// The text that arguments are taken from.
pub struct Said<'a> {
    /// The whole text.
    pub text: &'a str,
    /// Its words, without those that request nothing of this function.
    pub all: &'a [Word<'a>],
    /// The words that belong to this function; all of them when there is no other.
    pub own: &'a [Word<'a>],
    /// Stems of function names, which are not values.
    pub known: &'a [String],
    /// The answer to a question for a missing argument, where this is one.
    pub reply: Option<&'a str>,
}

/// A parameter.
pub struct Param<'a> {
    pub name: &'a str,
    /// Its JSON Schema.
    pub schema: &'a Value,
    pub required: bool,
    /// The stems of its name.
    pub title: Vec<String>,
    /// The stems of its description.
    pub about: Vec<String>,
}

impl Param<'_> {
    /// The type of its values, or "enum".
    pub fn kind(&self) -> &str {
        match &self.schema["type"] {
            _ if self.schema["enum"].is_array() || self.schema.get("const").is_some() => "enum",
            Value::String(kind) => kind,
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("string")
            }
            _ if self.schema["properties"].is_object() => "object",
            _ => "string",
        }
    }

    /// Whether its name contains one of these words.
    pub fn is_any(&self, list: &str) -> bool {
        list.split_whitespace().any(|name| self.title.contains(&stem(name)))
    }

    /// Whether it takes free text rather than a place or a name.
    pub fn is_free(&self) -> bool {
        self.kind() == "string" && !self.is_any(PLACES) && (!self.is_any(PERSONS) || self.is_any(TEXTS))
    }
}

/// The parameters, required ones first, in their order.
pub fn params(schema: &Value) -> Vec<Param<'_>> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut params: Vec<Param<'_>> = properties
        .map(|(name, schema)| Param {
            name,
            schema,
            required: required.contains(&name.as_str()),
            title: stems(name),
            about: stems(schema["description"].as_str().unwrap_or_default()),
        })
        .collect();
    params.sort_by_key(|param| required.iter().position(|name| *name == param.name).unwrap_or(usize::MAX));
    params
}

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
        _ if param.is_any("id code ticket zip phone number") => &|word| word.contains(char::is_numeric),
        _ if param.is_any("url") || matches!(format, "uri" | "url") => &|word| word.contains("://"),
        // Dates and times in words are not accepted by these formats.
        "date" | "date-time" | "time" => &|word| word.starts_with(char::is_numeric) && word.contains(['-', ':']),
        _ if param.is_any("date day when") => &|word| read(word).first().is_some_and(is_day),
        _ => return None,
    };
    let word = text.split_whitespace().find(|word| is_it(word));
    Some(word.map(|word| word.trim_matches([',', '.', '?', '!', ';', ':', '"']).to_owned()))
}

fn is_day(word: &Word<'_>) -> bool {
    let relative = word.is_any("today tomorrow tonight yesterday now");
    relative || word.is_any(WEEKDAYS) || (word.text.starts_with(char::is_numeric) && word.text.len() > 4)
}

/// Text after the parameter's own name: "the city Paris", "title is Anna".
fn labelled(param: &Param<'_>, said: &Said<'_>) -> Vec<String> {
    let Some(place) = position(said.own, &param.title) else { return Vec::new() };
    let words = &said.own[place + param.title.len() - 1..];
    let verb = words.get(1).is_some_and(|next| next.is_any("is of called named to"));
    let words = &words[usize::from(verb)..];
    let named = verb || words.get(1).is_some_and(Word::is_name);
    if named { phrase::behind(said.text, words, &[&words[0].lower], said.known) } else { Vec::new() }
}
