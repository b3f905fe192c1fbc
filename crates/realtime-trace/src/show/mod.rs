// SPDX-License-Identifier: MPL-2.0

//! A trace as a page of HTML that needs nothing else: both voices along time, the conversation, every event.
//!
//! The data stands in the page as JSON in which no `<` is left, and the page's own code puts text into the page as text only.
//! A policy allows no code but the page's own, which it knows by its hash, and no connection at all.

mod data;
mod events;
mod thumbnail;

use crate::timeline;
use crate::trace::BadLine;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use data::Data;
use events::Events;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

const PAGE: &str = include_str!("../../page/page.html");
const STYLE: &str = include_str!("../../page/page.css");
const SCRIPT: &str = concat!(
    include_str!("../../page/data.js"),
    include_str!("../../page/timeline.js"),
    include_str!("../../page/moves.js"),
    include_str!("../../page/conversation.js"),
    include_str!("../../page/events.js"),
    include_str!("../../page/main.js"),
);

/// The page for a trace, and the lines that could not be read.
pub fn page(path: &Path) -> io::Result<(String, Vec<BadLine>)> {
    let mut events = Events::default();
    let (timeline, bad) = timeline::read(path, |line, position| events.line(line, position))?;
    let data = serde_json::to_string(&Data::of(&timeline, events.rows()))?;
    let title = path.file_name().unwrap_or_default().to_string_lossy();
    Ok((fill(&title, &data), bad))
}

fn fill(title: &str, data: &str) -> String {
    let policy = format!(
        "default-src 'none'; img-src data:; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let value = |name: &str| match name {
        "policy" => policy.clone(),
        "title" => escape(title),
        "style" => STYLE.to_owned(),
        "script" => SCRIPT.to_owned(),
        // Inside of strings only, where it means the same. So nothing can end the element.
        "data" => data.replace('<', "\\u003c"),
        name => unreachable!("the page names {name}"),
    };
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + data.len());
    let mut rest = PAGE;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        page.push_str(before);
        page.push_str(&value(name));
        rest = after;
    }
    page + rest
}

/// The source of inline code or style in a policy.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_trace_holds_cannot_end_the_element_that_it_stands_in() {
        let page = fill("<b>.jsonl", r#"{"words":"</script><script>alert(1)</script> {{script}}"}"#);
        assert!(!page.contains("<script>alert") && !page.contains("<b>"));
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.contains("{{script}}"), "data is no template");
    }

    #[test]
    fn the_page_has_no_address_in_it() {
        let page = fill("t", "{}");
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src=\"/"));
    }
}
