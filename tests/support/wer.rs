// SPDX-License-Identifier: MPL-2.0

//! How well words were understood.

#![allow(dead_code, reason = "not every test counts words")]

/// The words of a text, without what cannot be heard.
pub fn plain(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['-', '—'], " ");
    text.split_whitespace()
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Words that differ, by the least number of changes.
pub fn word_errors(expected: &str, heard: &str) -> usize {
    let (expected, heard) = (plain(expected), plain(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in expected.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in heard.iter().enumerate() {
            let change = before + usize::from(word != other);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row[heard.len()]
}
