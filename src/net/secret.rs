// SPDX-License-Identifier: MPL-2.0

//! A secret: it prints as `[redacted]`, is zeroed when dropped, and can be redacted in any text.

use std::fmt;
use zeroize::Zeroizing;

/// Replacement of a secret in texts.
pub const REDACTED: &str = "[redacted]";

/// Length in bytes up to which the standard library searches with vectors.
const SHORT: usize = 32;

/// A key, token or password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Trims white space. `None` if nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret itself, for the header that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it can be redacted in a server's events: an ordinary word or number would be replaced where it is none.
    pub fn is_unmistakable(&self) -> bool {
        let has = |is: fn(&char) -> bool| self.0.chars().any(|letter| is(&letter));
        self.0.len() >= 8 && has(|c| c.is_alphabetic()) && has(|c| c.is_ascii_digit() || c.is_uppercase())
    }

    /// The JSON text with the secret redacted, or `None` if it is not there. JSON has two ways to write a slash.
    pub fn scrubbed_json(&self, text: &str) -> Option<String> {
        let scrubbed = contains(text, &self.0).then(|| text.replace(self.0.as_str(), REDACTED));
        if !self.0.contains('/') {
            return scrubbed;
        }
        let escaped = Zeroizing::new(self.0.replace('/', "\\/"));
        let so_far = scrubbed.as_deref().unwrap_or(text);
        if contains(so_far, &escaped) { Some(so_far.replace(escaped.as_str(), REDACTED)) } else { scrubbed }
    }

    /// Redacts the secret in a text.
    pub fn redact(&self, text: &mut String) {
        if self.0.len() >= 4 && text.contains(self.0.as_str()) {
            *text = text.replace(self.0.as_str(), REDACTED);
        }
    }
}

/// Whether a text, which is in most cases a piece of audio, holds a secret. Its begin is looked for first, because the search
/// for so few bytes compares many places at once.
fn contains(text: &str, secret: &str) -> bool {
    let begin = secret.char_indices().map(|(at, _)| at).take_while(|at| *at <= SHORT).last().unwrap_or_default();
    (secret.len() <= SHORT || text.contains(&secret[..begin])) && text.contains(secret)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints() {
        let secret = Secret::new(" sk-very-secret\n").expect("a key");
        assert_eq!(format!("{secret:?}"), REDACTED);
        let mut text = "Incorrect API key provided: sk-very-secret.".to_owned();
        secret.redact(&mut text);
        assert_eq!(text, "Incorrect API key provided: [redacted].");
        assert_eq!(secret.expose(), "sk-very-secret");
    }

    #[test]
    fn what_a_server_sends_is_not_damaged_by_a_key_that_is_a_word() {
        for (key, is) in [
            ("sk-proj-abc123", true),
            ("eyJhbGciOi", true),
            ("realtime", false),
            ("null", false),
            ("12345678", false),
            ("conversation.item", false),
        ] {
            assert_eq!(Secret::new(key).expect("a key").is_unmistakable(), is, "{key}");
        }
        let secret = Secret::new("abc/DEF/1").expect("a key");
        assert_eq!(
            secret.scrubbed_json(r#"{"a":"abc/DEF/1 abc\/DEF\/1"}"#).expect("it is there").matches(REDACTED).count(),
            2
        );
        assert_eq!(secret.scrubbed_json("{}"), None);
    }

    #[test]
    fn a_key_of_any_length_is_found_and_its_begin_alone_is_not() {
        for key in ["sk-1234A".to_owned(), "A1".repeat(16), "A1".repeat(80), format!("a{}", "ß1".repeat(40))] {
            let secret = Secret::new(&key).expect("a key");
            let scrubbed = secret.scrubbed_json(&format!("{key}AA==\"{key}")).expect("it is there twice");
            assert_eq!(scrubbed, format!("{REDACTED}AA==\"{REDACTED}"));
            let mut begin = key;
            begin.pop();
            assert_eq!(secret.scrubbed_json(&format!("{begin} {begin}")), None);
        }
    }

    #[test]
    fn blank_is_no_key() {
        assert_eq!(Secret::new(" \n"), None);
    }
}
