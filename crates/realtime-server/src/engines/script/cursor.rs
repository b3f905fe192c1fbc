// SPDX-License-Identifier: MPL-2.0

//! A place in a statement of a script: words and JSON are taken from it, and a fault knows where it is.

use crate::duration::duration;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// How long the client may take where the script does not say it.
pub const WITHIN: Duration = Duration::from_secs(10);

/// What is wrong with a script, and where. Its text is `line:column: problem`.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// In words.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.problem)
    }
}

/// A place in a statement.
pub struct Cursor<'a> {
    /// The number of the statement's first line.
    pub line: usize,
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The begin of a statement.
    pub fn new(line: usize, text: &'a str) -> Self {
        Self { line, text, at: 0 }
    }

    /// Goes on by so many bytes from the next word.
    pub fn skip(&mut self, bytes: usize) {
        self.at = self.text.len() - self.rest().len() + bytes;
    }

    /// What is left, from the next word on.
    pub fn rest(&self) -> &'a str {
        let rest = &self.text[self.at..];
        &rest[rest.len() - rest.trim_start().len()..]
    }

    /// The next word, left where it is.
    pub fn peek(&self) -> &'a str {
        self.rest().split_whitespace().next().unwrap_or_default()
    }

    /// The next word, empty at the end.
    pub fn word(&mut self) -> &'a str {
        let word = self.peek();
        self.skip(word.len());
        word
    }

    /// The next word if it is this one.
    pub fn accept(&mut self, word: &str) -> bool {
        let is = self.peek() == word;
        if is {
            self.word();
        }
        is
    }

    /// All that is left.
    pub fn all(&mut self) -> &'a str {
        let rest = self.rest().trim_end();
        self.at = self.text.len();
        rest
    }

    /// A fault at the next word.
    pub fn fault(&self, problem: impl Into<String>) -> Fault {
        self.fault_at(self.text.len() - self.rest().len(), problem)
    }

    /// A fault at this place of the statement.
    pub fn fault_at(&self, at: usize, problem: impl Into<String>) -> Fault {
        let before = &self.text[..at];
        let line = self.line + before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Fault { line, column, problem: problem.into() }
    }

    /// The next word, if it can be read as what is wanted.
    pub fn parse<T>(&mut self, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Fault> {
        let value = read(self.peek()).ok_or_else(|| match self.peek() {
            "" => self.fault(format!("expected {what}")),
            word => self.fault(format!("expected {what}, found '{word}'")),
        })?;
        self.word();
        Ok(value)
    }

    /// A length of time.
    pub fn duration(&mut self) -> Result<Duration, Fault> {
        self.parse("a duration such as 500ms or 2s", |word| duration(word).ok())
    }

    /// `within` and a length of time, or the default.
    pub fn within(&mut self) -> Result<Duration, Fault> {
        if self.accept("within") { self.duration() } else { Ok(WITHIN) }
    }

    /// The JSON object that is the rest of the statement.
    pub fn object(&mut self) -> Result<Value, Fault> {
        let start = self.text.len() - self.rest().len();
        let text = self.all();
        let value: Value = serde_json::from_str(text).map_err(|error| {
            // The place of the JSON error, counted from the statement's start.
            let lines: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            let at = (start + lines + error.column().saturating_sub(1)).min(self.text.len());
            let at = (0..=at).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or_default();
            let problem = error.to_string();
            self.fault_at(at, problem.split(" at line ").next().unwrap_or_default())
        })?;
        if value.is_object() { Ok(value) } else { Err(self.fault_at(start, "expected a JSON object")) }
    }

    /// There must be nothing more.
    pub fn end(&self) -> Result<(), Fault> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.fault(format!("'{}' is too much here", self.peek()))) }
    }
}
