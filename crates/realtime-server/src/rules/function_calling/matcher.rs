// SPDX-License-Identifier: MPL-2.0

//! Selects the functions to call by comparing the user's words with each function's name, description and parameters.

use crate::engine::Choice;
use crate::rules::function_calling::requests::{VERBS, clauses};
use crate::rules::words::{Mood, STOP_WORDS, Word, is_in, of_name, stem};
use crate::speech::number_word;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Words of function names that say nothing about their purpose.
const GENERIC: &str = "api call check current data do execute fetch find function get given info information lookup look \
    make new perform query retrieve return run set specific specified string tool use user value name number example eg";
/// Generic words of function names, of which one alone is not enough.
const CHANGES: &str = "add cancel change close control create delete list open remove show start stop switch turn update \
    on off up down";
/// First words of the names and descriptions of functions that only inform, so that a question is a request for them.
const INFORMING: &str = "ask calculate check compute convert count current define describe display estimate fetch find \
    finds get gets give gives has how identify is list lists look looks lookup provide provides query read reads \
    recommend retrieve retrieves return returns search searches show shows suggest tell tells translate view what when \
    where which who";
/// Stems in the names, descriptions and values of functions that stop something.
const ENDING: &str = "stop end cancel paus halt off disabl mute hang quit";
/// Minimum score of a match.
const ENOUGH: f64 = 2.0;

/// A function that can be called.
pub struct Tool<'a> {
    pub name: &'a str,
    /// The JSON Schema of its arguments.
    pub parameters: &'a Value,
    /// The stems of its name.
    pub names: Vec<String>,
    /// Stems with their weights.
    vocabulary: HashMap<String, f64>,
    /// Whether it only gives information. What is not known to do so acts.
    informs: bool,
    /// Whether it stops something.
    stops: bool,
}

impl<'a> Tool<'a> {
    /// Reads a tool of a session; `None` when it is not a function.
    pub fn read(tool: &'a Value) -> Option<Self> {
        let name = tool["name"].as_str().filter(|_| tool["type"] == "function")?;
        let (title, about) = (of_name(name), tool["description"].as_str().unwrap_or_default());
        let begins = |words: &[String]| words.first().is_some_and(|word| is_in(word, INFORMING));
        let acts = title.first().is_some_and(|word| is_in(word, VERBS)) && !begins(&title);
        let vocabulary = vocabulary(&title, about, &tool["parameters"]);
        Some(Self {
            name,
            parameters: &tool["parameters"],
            names: title.iter().map(|word| stem(word)).collect(),
            informs: !acts && (begins(&title) || begins(&of_name(about))),
            stops: vocabulary.keys().any(|stem| is_in(stem, ENDING)),
            vocabulary,
        })
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
        // "not" is not a note.
        let counts = self.is_called_by(word) && !word.is_stop_word();
        self.vocabulary.get(&word.stem).copied().filter(|_| counts).unwrap_or(0.0)
    }

    /// The score of this function for these words.
    fn score<'w>(&self, words: impl IntoIterator<Item = &'w Word<'w>>) -> f64 {
        let mut counted = HashSet::new();
        let called = words.into_iter().filter(|word| self.is_called_by(word) && counted.insert(&word.stem));
        called.map(|word| self.weight(word)).sum()
    }

    /// Whether it matches: by a specific word, several others, or all words.
    fn fits(&self, words: &[Word<'_>]) -> bool {
        let tells = |(at, word): &(usize, &Word<'_>)| {
            let is_value = (*at > 0 && word.is_name()) || number_word(&word.lower).is_some();
            let says_nothing = word.is_stop_word() || word.is_any(GENERIC) || word.is_any("today now right");
            self.is_called_by(word) && !is_value && !says_nothing
        };
        let score = self.score(words);
        score >= ENOUGH
            || (score >= 1.0 && words.iter().enumerate().filter(tells).all(|(_, word)| self.weight(word) > 0.0))
    }
}

/// The stems in a function's name, description and parameters, with their weights.
fn vocabulary(title: &[String], about: &str, parameters: &Value) -> HashMap<String, f64> {
    let telling: Vec<&String> = title.iter().filter(|word| !is_in(word, GENERIC)).collect();
    let changes = telling.iter().all(|word| is_in(word, CHANGES));
    let weight = |word: &str| if is_in(word, CHANGES) && !changes { 0.6 } else { 2.0 };
    let mut vocabulary: HashMap<String, f64> = telling.iter().map(|word| (stem(word), weight(word))).collect();
    // A function named by nothing but a generic word, such as `lookup`.
    if telling.is_empty() {
        vocabulary.extend(title.iter().map(|word| (stem(word), 2.0)));
    }
    let mut add = |text: &str, weight: f64| {
        for word in
            of_name(text).iter().filter(|word| word.len() > 2 && !is_in(word, GENERIC) && !is_in(word, STOP_WORDS))
        {
            vocabulary.entry(stem(word)).or_insert(weight);
        }
    };
    add(about, 1.0);
    for (param, schema) in parameters["properties"].as_object().into_iter().flatten() {
        schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).for_each(|value| add(value, 1.5));
        add(param, 0.9);
        add(schema["description"].as_str().unwrap_or_default(), 0.5);
    }
    vocabulary
}

/// The matching functions in the order in which they were mentioned, each with its words.
pub fn chosen<'t, 'a, 'w>(
    tools: &'t [Tool<'a>],
    words: &[Word<'w>],
    choice: &Choice,
    parallel: bool,
) -> Vec<(&'t Tool<'a>, Vec<Word<'w>>)> {
    let best = || tools.iter().rev().max_by(|a, b| a.score(words).total_cmp(&b.score(words)));
    let meant = match choice {
        Choice::None => Vec::new(),
        Choice::Function(name) => tools.iter().find(|tool| tool.name == name).into_iter().collect(),
        Choice::Auto | Choice::Required => fitting(tools, words, if parallel { usize::MAX } else { 1 }),
    };
    let forced = if meant.is_empty() && *choice == Choice::Required { best() } else { None };
    split(&meant.into_iter().chain(forced).collect::<Vec<_>>(), words)
}

/// The matching functions, best first, of equal ones those with short names. Further ones must match words that the others do
/// not use.
fn fitting<'t, 'a>(tools: &'t [Tool<'a>], words: &[Word<'_>], most: usize) -> Vec<&'t Tool<'a>> {
    let mut ranked: Vec<&Tool<'a>> = tools.iter().filter(|tool| tool.fits(words)).collect();
    let length = |tool: &Tool<'a>| tool.names.len();
    ranked.sort_by(|a, b| b.score(words).total_cmp(&a.score(words)).then(length(a).cmp(&length(b))));
    let (mut meant, mut used) = (Vec::<&Tool<'a>>::new(), HashSet::new());
    for tool in ranked {
        let left = words.iter().filter(|word| !used.contains(&word.stem));
        if meant.is_empty() || (meant.len() < most && tool.score(left) >= ENOUGH) {
            used.extend(words.iter().filter(|word| tool.weight(word) > 0.0).map(|word| &word.stem));
            meant.push(tool);
        }
    }
    meant
}

/// Assigns each clause to the function that it mentions, or that the clauses around it do. A function that shares its
/// clause with another one gets all words.
fn split<'t, 'a, 'w>(tools: &[&'t Tool<'a>], words: &[Word<'w>]) -> Vec<(&'t Tool<'a>, Vec<Word<'w>>)> {
    let clauses: Vec<&[Word<'w>]> = clauses(words).collect();
    let score = |tool: usize, clause: &[Word<'w>]| tools[tool].score(clause);
    let mut owner = None;
    let mut owners: Vec<Option<usize>> = Vec::new();
    for clause in &clauses {
        let best = (0..tools.len()).max_by(|a, b| score(*a, clause).total_cmp(&score(*b, clause)));
        owner = best.filter(|tool| score(*tool, clause) > 0.5).or(owner);
        owners.push(owner);
    }
    let first = owners.iter().position(Option::is_some).unwrap_or(0);
    let place = |tool: usize| owners.iter().position(|owner| *owner == Some(tool)).unwrap_or(usize::MAX);
    let mut order: Vec<usize> = (0..tools.len()).collect();
    order.sort_by_key(|tool| place(*tool));
    let own = |tool| {
        let is_own = |at: &usize| owners[(*at).max(first)] == Some(tool);
        let own: Vec<_> = (0..clauses.len()).filter(is_own).flat_map(|at| clauses[at].to_vec()).collect();
        if own.is_empty() { words.to_vec() } else { own }
    };
    order.into_iter().map(|tool| (tools[tool], own(tool))).collect()
}
