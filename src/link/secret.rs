//! A key: it prints as `[redacted]`, is zeroed when dropped, and is taken out of every text that could carry it away.

use std::fmt;
use zeroize::Zeroizing;

/// What stands in place of a key.
pub const REDACTED: &str = "[redacted]";

/// A key or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a key; white space around it is none of it. `None` when nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The key itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the key.
    pub fn scrub(&self, text: &mut String) {
        if self.0.len() >= 4 && text.contains(self.0.as_str()) {
            *text = text.replace(self.0.as_str(), REDACTED);
        }
    }
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
        secret.scrub(&mut text);
        assert_eq!(text, "Incorrect API key provided: [redacted].");
        assert_eq!(secret.expose(), "sk-very-secret");
    }

    #[test]
    fn blank_is_no_key() {
        assert_eq!(Secret::new(" \n"), None);
    }
}
