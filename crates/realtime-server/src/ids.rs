// SPDX-License-Identifier: MPL-2.0

//! Names that nobody can guess: ids of sessions, items, responses and events, and the secrets that stand in for a key.

use rustls::crypto::CryptoProvider;
use std::sync::LazyLock;

/// Where the random numbers come from.
static SOURCE: LazyLock<CryptoProvider> = LazyLock::new(rustls::crypto::ring::default_provider);

/// Characters after the prefix of an id, as many as OpenAI's have.
const LENGTH: usize = 21;

/// A new id, such as `item_` and 21 characters.
pub fn new(prefix: &str) -> String {
    random(prefix, LENGTH)
}

/// A new bearer secret.
pub fn secret() -> String {
    random("ek_", 32)
}

/// Letters and digits from the operating system's generator.
fn random(prefix: &str, length: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bytes = [0u8; 32];
    if SOURCE.secure_random.fill(&mut bytes).is_err() {
        // Without the system's generator nothing secure works at all: better no server than guessable secrets.
        panic!("the operating system gives no random numbers");
    }
    let letters = bytes.iter().take(length).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    prefix.chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_prefix_and_differ() {
        let (a, b) = (new("item_"), new("item_"));
        assert!(a.starts_with("item_") && a.len() == 26);
        assert_ne!(a, b);
        assert_eq!(secret().len(), 35);
    }
}
