// SPDX-License-Identifier: MPL-2.0

//! Structures of GStreamer in the text that `gst_structure_to_string()` makes, which `gst-launch-1.0 -m` prints:
//! `name, field=(type)value, …;`. Strings are quoted where need be, with single bytes escaped, in octal where they cannot
//! be printed. Only the text of values is read here; what it means is for who asks for a field.

use std::collections::BTreeMap;

/// A structure: its name, and the text of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// The name, `openairealtime/transcript` for example.
    pub name: String,
    fields: BTreeMap<String, String>,
}

impl Structure {
    /// Reads a structure. What stands behind its `;` is not looked at; `None` if the text is no structure.
    pub fn parse(text: &str) -> Option<Self> {
        let mut input = Input { rest: text.trim_start() };
        let name = input.take_while(is_name_char);
        if name.is_empty() {
            return None;
        }
        let mut fields = BTreeMap::new();
        loop {
            input.skip_spaces();
            match input.next() {
                None | Some(';') => return Some(Self { name: name.to_owned(), fields }),
                Some(',') => {
                    let (field, value) = input.field()?;
                    fields.insert(field, value);
                }
                Some(_) => return None,
            }
        }
    }

    /// The text of a field.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// A field that holds a number.
    pub fn number<T: std::str::FromStr>(&self, field: &str) -> Option<T> {
        self.text(field)?.parse().ok()
    }

    /// A field that holds a boolean.
    pub fn is_true(&self, field: &str) -> bool {
        self.text(field) == Some("true")
    }

    /// A field that holds nanoseconds, in seconds.
    pub fn seconds(&self, field: &str) -> Option<f64> {
        self.number::<u64>(field).map(|nanoseconds| nanoseconds as f64 / 1e9)
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || "/-_.:+".contains(c)
}

struct Input<'a> {
    rest: &'a str,
}

impl<'a> Input<'a> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// `name=(type)value`; the type may be missing.
    fn field(&mut self) -> Option<(String, String)> {
        self.skip_spaces();
        let name = self.take_while(is_name_char);
        self.skip_spaces();
        if name.is_empty() || self.next() != Some('=') {
            return None;
        }
        self.skip_spaces();
        if self.rest.starts_with('(') {
            let end = self.rest.find(')')?;
            self.rest = &self.rest[end + 1..];
            self.skip_spaces();
        }
        Some((name.to_owned(), self.value()?))
    }

    /// A quoted string, a list or range in brackets as it stands, or a plain word.
    fn value(&mut self) -> Option<String> {
        if self.rest.starts_with('"') {
            let quoted = self.quoted()?;
            return Some(unescape(quoted));
        }
        if self.rest.starts_with(['{', '[', '<']) {
            return self.bracketed().map(str::to_owned);
        }
        let mut escaped = false;
        let end = self.rest.find(|c| {
            let ends = !escaped && (c == ',' || c == ';');
            escaped = c == '\\' && !escaped;
            ends
        });
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        Some(unescape(word.trim_end()))
    }

    /// What stands between quotation marks, still escaped.
    fn quoted(&mut self) -> Option<&'a str> {
        let inner = &self.rest[1..];
        let mut escaped = false;
        let end = inner.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        self.rest = &inner[end + 1..];
        Some(&inner[..end])
    }

    fn bracketed(&mut self) -> Option<&'a str> {
        let whole = self.rest;
        let mut depth = 0usize;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '"' => {
                    self.quoted()?;
                    continue;
                }
                '{' | '[' | '<' => depth += 1,
                '}' | ']' | '>' => depth -= 1,
                _ => {}
            }
            self.next();
            if depth == 0 {
                return Some(&whole[..whole.len() - self.rest.len()]);
            }
        }
        None
    }
}

/// Takes escapes away: `\303\244` are two bytes, any other escaped character stands for itself.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let octal = || match bytes.get(at + 1..at + 4)? {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] => Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0')),
            _ => None,
        };
        if byte != b'\\' {
            plain.push(byte);
            at += 1;
        } else if let Some(byte) = octal() {
            plain.push(byte);
            at += 4;
        } else {
            plain.extend(bytes.get(at + 1));
            at += 2;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Structure {
        Structure::parse(text).unwrap_or_else(|| panic!("no structure: {text}"))
    }

    #[test]
    fn a_message_has_its_name_and_fields() {
        let read = parse(
            r#"openairealtime/transcript, role=(string)user, text=(string)"Go\ forward\,\ ten\;", final=(boolean)true, running-time=(guint64)240000000;"#,
        );
        assert_eq!(read.name, "openairealtime/transcript");
        assert_eq!((read.text("role"), read.text("text")), (Some("user"), Some("Go forward, ten;")));
        assert!(read.is_true("final"));
        assert_eq!(read.seconds("running-time"), Some(0.24));
        assert_eq!(read.text("duration"), None);
    }

    #[test]
    fn bytes_in_octal_are_utf_8() {
        assert_eq!(parse(r#"a, text=(string)"Gr\303\274\303\237e\012\\\"";"#).text("text"), Some("Grüße\n\\\""));
        assert_eq!(parse(r#"a, text=(string)"\377\303";"#).text("text"), Some("\u{fffd}\u{fffd}"));
    }

    #[test]
    fn a_structure_in_a_structure_is_read_from_its_text() {
        let outer = parse(
            r#"a, metadata=(structure)"metadata\,\ topic\=\(string\)\"two\\\ words\"\;", list=(int){ 1, [ 2, 3 ], "}" }, last=(string)x;"#,
        );
        assert_eq!(parse(outer.text("metadata").unwrap_or_default()).text("topic"), Some("two words"));
        assert_eq!(outer.text("list"), Some(r#"{ 1, [ 2, 3 ], "}" }"#));
        assert_eq!(outer.text("last"), Some("x"));
    }

    #[test]
    fn what_is_no_structure_is_none() {
        for text in
            ["", ";", "a b", "a, b", "a, b=", "a, =(int)1", "a, b=(string)\"open", "a, b={ 1", "a, b=(int", "ä\\"]
        {
            let read = Structure::parse(text);
            assert!(read.is_none() || text == "a, b=", "{text}: {read:?}");
        }
        assert_eq!(parse("openairealtime/idle-timeout;").name, "openairealtime/idle-timeout");
    }
}
