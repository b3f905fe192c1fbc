// SPDX-License-Identifier: MPL-2.0

//! Selects the functions to call by comparing the user's words with each function's name, description and parameters.

use crate::engine::Choice;
use crate::function_calling::requests::is_verb;
use crate::function_calling::tokens::Mood;
use crate::function_calling::tokens::{Word, is_empty, of_name, stem};
use crate::speech::number_word;
use serde_json::Value;
use std::collections::HashSet;

/// Words of function names that say nothing about their purpose.
const GENERIC: &[&str] = &[
    "api",
    "call",
    "check",
    "current",
    "data",
    "do",
    "execute",
    "fetch",
    "find",
    "function",
    "get",
    "given",
    "info",
    "information",
    "lookup",
    "look",
    "make",
    "new",
    "perform",
    "query",
    "retrieve",
    "return",
    "run",
    "set",
    "specific",
    "specified",
    "string",
    "tool",
    "use",
    "user",
    "value",
    "name",
    "number",
    "example",
    "eg",
];
/// Generic words of function names, of which one alone is not enough.
const VERBS: &[&str] = &[
    "add", "cancel", "change", "close", "control", "create", "delete", "list", "open", "remove", "show", "start",
    "stop", "switch", "turn", "update", "on", "off", "up", "down",
];
/// First words of the names and descriptions of functions that only inform, so that a question is a request for them.
const INFORMING: &[&str] = &[
    "ask",
    "calculate",
    "check",
    "compute",
    "convert",
    "count",
    "current",
    "define",
    "describe",
    "display",
    "estimate",
    "fetch",
    "find",
    "finds",
    "get",
    "gets",
    "give",
    "gives",
    "has",
    "how",
    "identify",
    "is",
    "list",
    "lists",
    "look",
    "looks",
    "lookup",
    "provide",
    "provides",
    "query",
    "read",
    "reads",
    "recommend",
    "retrieve",
    "retrieves",
    "return",
    "returns",
    "search",
    "searches",
    "show",
    "shows",
    "suggest",
    "tell",
    "tells",
    "translate",
    "view",
    "what",
    "when",
    "where",
    "which",
    "who",
];
/// Stems in the names, descriptions and values of functions that stop something.
const ENDING: &[&str] = &["stop", "end", "cancel", "paus", "halt", "off", "disabl", "mute", "hang", "quit"];
/// Minimum score of a match.
const ENOUGH: f64 = 2.0;

/// A function that can be called.
pub struct Tool<'a> {
    /// Its name.
    pub name: &'a str,
    /// The JSON Schema of its arguments.
    pub parameters: &'a Value,
    /// The stems of its name.
    pub names: Vec<String>,
    /// Stems with their weights.
    vocabulary: Vec<(String, f64)>,
    /// Whether it only gives information. What is not known to do so acts.
    informs: bool,
    /// The function stops something.
    stops: bool,
}

impl<'a> Tool<'a> {
    /// Reads a tool of a session; `None` when it is not a function.
    pub fn read(tool: &'a Value) -> Option<Self> {
        let name = tool["name"].as_str().filter(|_| tool["type"] == "function")?;
        let title = of_name(name);
        let telling: Vec<&String> = title.iter().filter(|word| !is_generic(word)).collect();
        let only_verbs = telling.iter().all(|word| VERBS.contains(&word.as_str()));
        let weight = |word: &str| if VERBS.contains(&word) && !only_verbs { 0.6 } else { 2.0 };
        let mut vocabulary: Vec<(String, f64)> = telling.iter().map(|word| (stem(word), weight(word))).collect();
        // A function named by nothing but a generic word, such as `lookup`.
        if telling.is_empty() {
            vocabulary.extend(title.iter().map(|word| (stem(word), 2.0)));
        }
        let mut add = |text: &str, weight: f64| {
            for word in of_name(text).iter().filter(|word| word.len() > 2 && !is_generic(word) && !is_empty(word)) {
                let stem = stem(word);
                if !vocabulary.iter().any(|(known, _)| *known == stem) {
                    vocabulary.push((stem, weight));
                }
            }
        };
        add(tool["description"].as_str().unwrap_or_default(), 1.0);
        for (param, schema) in tool["parameters"]["properties"].as_object().into_iter().flatten() {
            schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).for_each(|word| add(word, 1.5));
            add(param, 0.9);
            add(schema["description"].as_str().unwrap_or_default(), 0.5);
        }
        let names = title.iter().map(|word| stem(word)).collect();
        let about = of_name(tool["description"].as_str().unwrap_or_default());
        let begins = |words: &[String]| words.first().is_some_and(|word| INFORMING.contains(&word.as_str()));
        let acts = title.first().is_some_and(|word| is_verb(word)) && !begins(&title);
        let informs = !acts && (begins(&title) || begins(&about));
        let stops = vocabulary.iter().any(|(stem, _)| ENDING.contains(&stem.as_str()));
        Some(Self { name, parameters: &tool["parameters"], names, vocabulary, informs, stops })
    }

    /// Whether a word can be an argument of this function.
    pub fn hears(&self, word: &Word<'_>) -> bool {
        word.mood == Mood::Content || self.is_called_by(word)
    }

    /// Whether the word belongs to a request for a function of this kind.
    fn is_called_by(&self, word: &Word<'_>) -> bool {
        match word.mood {
            Mood::Order => true,
            Mood::Stop => self.stops,
            Mood::Question => self.informs,
            Mood::Content | Mood::Other => false,
        }
    }

    fn weight(&self, word: &Word<'_>) -> f64 {
        if !self.is_called_by(word) {
            return 0.0;
        }
        // "not" is not a note.
        self.vocabulary
            .iter()
            .find(|(stem, _)| *stem == word.stem && !word.is_empty())
            .map_or(0.0, |(_, weight)| *weight)
    }

    /// The score of this function for what was said, without words that are `used` already.
    fn score<'w>(&self, words: &'w [Word<'_>], used: &HashSet<&'w str>) -> f64 {
        let mut counted = used.clone();
        let called = words.iter().filter(|word| self.is_called_by(word));
        called.filter(|word| counted.insert(&word.stem)).map(|word| self.weight(word)).sum()
    }

    /// Whether it matches: by a specific word, several others, or all words.
    fn fits(&self, words: &[Word<'_>], score: f64) -> bool {
        let says = |(at, word): &(usize, &Word<'_>)| {
            let value = (*at > 0 && word.is_name()) || number_word(&word.lower).is_some();
            !value
                && self.is_called_by(word)
                && !word.is_empty()
                && !is_generic(&word.lower)
                && !word.is_any(&["today", "now", "right"])
        };
        score >= ENOUGH
            || (score >= 1.0 && words.iter().enumerate().filter(says).all(|(_, word)| self.weight(word) > 0.0))
    }

    /// The share of its name that was said.
    fn share(&self, words: &[Word<'_>]) -> f64 {
        let said = self.names.iter().filter(|name| words.iter().any(|word| word.stem == **name)).count();
        said as f64 / self.names.len().max(1) as f64
    }
}

fn is_generic(word: &str) -> bool {
    GENERIC.contains(&word)
}

/// The matching functions in the order in which they were mentioned, each with its words.
pub fn chosen<'t, 'a, 'w>(
    tools: &'t [Tool<'a>],
    words: &[Word<'w>],
    choice: &Choice,
    parallel: bool,
) -> Vec<(&'t Tool<'a>, Vec<Word<'w>>)> {
    let whole = |tool| vec![(tool, words.to_vec())];
    if let Choice::Function(name) = choice {
        return tools.iter().find(|tool| tool.name == name).map(whole).unwrap_or_default();
    }
    if *choice == Choice::None {
        return Vec::new();
    }
    let mut meant = fitting(tools, words, if parallel { usize::MAX } else { 1 });
    if meant.is_empty() && *choice == Choice::Required {
        meant.extend(
            tools
                .iter()
                .rev()
                .max_by(|a, b| a.score(words, &HashSet::new()).total_cmp(&b.score(words, &HashSet::new()))),
        );
    }
    match meant.as_slice() {
        [] => Vec::new(),
        [only] => whole(only),
        several => split(several, words),
    }
}

/// The matching functions, best first; further ones must match words that the others do not use.
fn fitting<'t, 'a>(tools: &'t [Tool<'a>], words: &[Word<'_>], most: usize) -> Vec<&'t Tool<'a>> {
    let mut ranked: Vec<(&Tool<'a>, f64)> =
        tools.iter().map(|tool| (tool, tool.score(words, &HashSet::new()))).collect();
    ranked.retain(|(tool, score)| tool.fits(words, *score));
    ranked.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(b.share(words).total_cmp(&a.share(words))));
    let (mut meant, mut used) = (Vec::<&Tool<'a>>::new(), HashSet::new());
    for (tool, _) in ranked {
        if meant.is_empty() || (meant.len() < most && tool.score(words, &used) >= ENOUGH) {
            used.extend(words.iter().filter(|word| tool.weight(word) > 0.0).map(|word| word.stem.as_str()));
            meant.push(tool);
        }
    }
    meant
}

/// Assigns each clause to the function that it mentions.
fn split<'t, 'a, 'w>(tools: &[&'t Tool<'a>], words: &[Word<'w>]) -> Vec<(&'t Tool<'a>, Vec<Word<'w>>)> {
    let mut parts: Vec<(&'t Tool<'a>, Vec<Word<'w>>)> = Vec::new();
    let mut waiting: Vec<Word<'w>> = Vec::new();
    let mut current = None;
    for clause in clauses(words) {
        let best =
            tools.iter().max_by(|a, b| a.score(clause, &HashSet::new()).total_cmp(&b.score(clause, &HashSet::new())));
        let owner = best.filter(|tool| tool.score(clause, &HashSet::new()) > 0.5).or(current);
        let Some(owner) = owner else {
            waiting.extend_from_slice(clause);
            continue;
        };
        current = Some(owner);
        let own = std::mem::take(&mut waiting).into_iter().chain(clause.iter().cloned());
        match parts.iter_mut().find(|(tool, _)| std::ptr::eq(*tool, *owner)) {
            Some((_, words)) => words.extend(own),
            None => parts.push((owner, own.collect())),
        }
    }
    // Mentioned in the same clause as another one.
    for tool in tools {
        if !parts.iter().any(|(other, _)| std::ptr::eq(*other, *tool)) {
            parts.push((tool, words.to_vec()));
        }
    }
    parts
}

/// The words between punctuation or conjunctions.
fn clauses<'a, 'w>(words: &'a [Word<'w>]) -> impl Iterator<Item = &'a [Word<'w>]> {
    words.chunk_by(|before, word| before.sign.is_none() && !word.is_any(&["and", "then", "also"]))
}
