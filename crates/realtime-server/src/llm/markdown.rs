// SPDX-License-Identifier: MPL-2.0

//! Text without the markup that language models like to put in it: asterisks and addresses are not spoken.

use pulldown_cmark::{Event, Parser, Tag};

/// The words of a sentence, or of a line of Markdown.
pub fn speakable(text: &str) -> String {
    let text = keep_products(text.trim());
    let mut words = String::new();
    for event in Parser::new(&text) {
        match event {
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            // The number of an item is said; it may as well be the year that the whole answer consists of.
            Event::Start(Tag::List(Some(number))) => words.push_str(&format!("{number}. ")),
            Event::SoftBreak | Event::HardBreak => words.push(' '),
            _ => {}
        }
    }
    // The other half of emphasis may be in another sentence.
    words.replace("**", "").trim().trim_matches(['*', '`']).trim().to_owned()
}

/// In "2*3*4" the asterisks are no emphasis.
fn keep_products(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_digit = |index: Option<usize>| index.and_then(|index| letters.get(index)).is_some_and(char::is_ascii_digit);
    let escaped = letters.iter().enumerate().flat_map(|(index, letter)| {
        let is_product = *letter == '*' && is_digit(index.checked_sub(1)) && is_digit(Some(index + 1));
        is_product.then_some('\\').into_iter().chain([*letter])
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::speakable;

    #[test]
    fn markup_is_not_spoken() {
        for (text, words) in [
            ("# The **answer** is *here*.", "The answer is here."),
            ("- See [the docs](https://example.com/x) or `main.rs`.", "See the docs or main.rs."),
            ("**It begins here.", "It begins here."),
            ("and ends there.**", "and ends there."),
            ("2. Stir <br> it.", "2. Stir  it."),
            ("1984.", "1984."),
            ("2*3*4 is 24, and a * b is c.", "2*3*4 is 24, and a * b is c."),
            ("Tom &amp; Jerry cost $5 < $6.", "Tom & Jerry cost $5 < $6."),
            ("---", ""),
        ] {
            assert_eq!(speakable(text), words, "{text}");
        }
    }
}
