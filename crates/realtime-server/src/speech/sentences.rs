// SPDX-License-Identifier: MPL-2.0

//! Sentence segmentation.
//!
//! An answer is synthesised sentence by sentence, so that playback starts while the rest is computed. A period may
//! belong to an abbreviation or number ("Mr. Smith", "3.14", "at 5 p.m. today"), which the surrounding text decides.

/// Abbreviations that do not end a sentence, in lower case.
const NEVER_LAST: [&str; 12] = ["mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "e.g", "i.e", "approx"];

/// The sentences of a text in order, without the space between them. No word is lost.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (sentence, behind) = rest.split_at(end(rest));
        rest = behind.trim_start();
        Some(sentence.trim_end())
    })
}

/// The length of the first sentence of `text`.
fn end(text: &str) -> usize {
    for (at, sign) in text.char_indices() {
        let after = at + sign.len_utf8();
        if sign == '\n' {
            return after;
        }
        if !matches!(sign, '.' | '!' | '?' | '…') {
            continue;
        }
        let closed = text[after..].trim_start_matches(['"', '”', '’', '\'', ')', ']']);
        let next = closed.trim_start();
        let spaced = next.len() < closed.len();
        if spaced && !next.starts_with(char::is_lowercase) && !goes_on(&text[..at], sign, next) {
            return text.len() - closed.len();
        }
    }
    text.len()
}

/// Whether the sentence continues after a period.
fn goes_on(before: &str, sign: char, next: &str) -> bool {
    if sign != '.' {
        return false;
    }
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(' || c == '"' || c == '“').next().unwrap_or(before);
    let initial = word.rsplit('.').next().unwrap_or(word);
    let is_initial = initial.len() == 1 && initial.starts_with(|c: char| c.is_ascii_uppercase() && c != 'I');
    let lower = word.to_lowercase();
    let before_figure =
        next.starts_with(|c: char| c.is_ascii_digit()) && matches!(lower.as_str(), "no" | "a.m" | "p.m");
    is_initial || before_figure || NEVER_LAST.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::sentences;

    #[track_caller]
    fn splits(text: &str, expected: &[&str]) {
        assert_eq!(sentences(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn ends_of_sentences() {
        splits("It is 3 p.m. You said: go on! Really? Yes.", &["It is 3 p.m.", "You said: go on!", "Really?", "Yes."]);
        splits("He said \"stop.\" Then he left.", &["He said \"stop.\"", "Then he left."]);
        splits("One line\nand another", &["One line", "and another"]);
        splits("Wait… What?! No.", &["Wait…", "What?!", "No."]);
        splits("So did I. 20 did.", &["So did I.", "20 did."]);
        splits("  no dot at the end  ", &["no dot at the end"]);
    }

    #[test]
    fn dots_inside_of_sentences() {
        splits(
            "Mr. Smith paid 3.14 dollars at 5 p.m. on Monday.",
            &["Mr. Smith paid 3.14 dollars at 5 p.m. on Monday."],
        );
        splits("J. K. Rowling, e.g. Harry, vs. Dr. No.", &["J. K. Rowling, e.g. Harry, vs. Dr. No."]);
        splits("See No. 9 at example.com today.", &["See No. 9 at example.com today."]);
    }

    #[test]
    fn nothing_is_lost() {
        splits("", &[]);
        splits(" \n ", &[]);
        splits("...", &["..."]);
        for text in ["A. B! C? (d.) \"E.\" F…", "x\n\n\ny.z. W", "Äh. Öl! 漢字。漢"] {
            let letters = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(sentences(text).map(letters).collect::<String>(), letters(text));
            assert!(sentences(text).all(|sentence| !sentence.is_empty()));
        }
    }
}
