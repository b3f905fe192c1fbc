// SPDX-License-Identifier: MPL-2.0

//! `realtime-trace show`: the page of a recorded conversation, and in a browser.

use std::path::PathBuf;
use std::process::Command;

const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces/conversation.jsonl");

/// The page of a trace, in a file of its own for a test.
fn page(trace: &str, name: &str) -> PathBuf {
    let page = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new(env!("CARGO_BIN_EXE_realtime-trace")).args(["show", trace, "-o"]).arg(&page).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    page
}

/// A browser that opens a page in a window of this size, with a profile of its own.
fn browser(page: &std::path::Path, size: &str) -> Command {
    let mut command = Command::new("chromium");
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .arg(format!("--window-size={size}"))
        .arg(format!("--user-data-dir={}", page.with_extension("profile").display()))
        .arg(format!("file://{}", page.display()));
    command
}

/// What a browser makes of a page: its elements, and what it writes to the console.
fn opened(page: &std::path::Path, size: &str) -> (String, Vec<String>) {
    let output = browser(page, size).args(["--enable-logging=stderr", "--dump-dom"]).output();
    let output = output.expect("chromium is installed");
    let console = String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .map(str::to_owned)
        .collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console)
}

#[test]
fn the_page_of_a_conversation_is_small_and_loads_nothing() {
    let text = std::fs::read_to_string(page(TRACE, "conversation.html")).expect("text");
    assert!(text.len() < 150_000, "{}", text.len());
    assert!(text.contains("default-src 'none'") && text.contains("The result is 2."));
    for address in ["http:", "https:", "ws:", "src=\"", "href="] {
        assert!(!text.contains(address), "{address}");
    }
}

#[test]
fn a_page_never_takes_the_place_of_the_trace() {
    let trace = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trace.html");
    std::fs::copy(TRACE, &trace).expect("copied");
    let output = Command::new(env!("CARGO_BIN_EXE_realtime-trace")).arg("show").arg(&trace).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(std::fs::read(&trace).expect("read"), std::fs::read(TRACE).expect("read"));
}

#[test]
fn a_browser_shows_the_conversation_without_errors() {
    let page = page(TRACE, "browser.html");
    for size in ["1280,1000", "390,844"] {
        let (elements, console) = opened(&page, size);
        assert_eq!(console, Vec::<String>::new());
        for text in ["<p>The result is 2.</p>", "<del> say: Go forward ten meters.</del>", "count_processors({})\n→ 2"]
        {
            assert!(elements.contains(text), "{text}");
        }
        assert_eq!(elements.matches("<article class=\"entry picture").count(), 2);
    }
}

#[test]
fn text_of_a_trace_is_text_in_the_browser() {
    let evil = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    let trace =
        std::fs::read_to_string(TRACE).expect("text").replace("Go forward ten meters.", &evil.replace('"', "\\\""));
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("evil.jsonl");
    std::fs::write(&file, trace).expect("written");
    let (elements, console) = opened(&page(&file.display().to_string(), "evil.html"), "1280,1000");
    assert_eq!(console, Vec::<String>::new());
    assert!(elements.contains("<title>evil.jsonl</title>") && elements.contains("&lt;img src=x onerror="));
    assert!(!elements.contains("<img src=\"x\"") && !elements.contains("<img src=x"));
}

/// The conversation again and again, as an hour of it, with names of its own each time.
fn hour() -> String {
    const LENGTH: f64 = 10.7;
    let lines = std::fs::read_to_string(TRACE).expect("text");
    let mut hour = String::new();
    for round in 0..(3_600.0 / LENGTH) as usize {
        for line in lines.lines().skip(usize::from(round > 0)) {
            let named = ["item", "resp", "call", "event", "evt"].iter().fold(line.to_owned(), |line, kind| {
                line.replace(&format!("\"{kind}_"), &format!("\"{kind}_{round}x"))
                    .replace(&format!("\"{kind}_{round}xid\""), &format!("\"{kind}_id\""))
            });
            let mut line: serde_json::Value = serde_json::from_str(&named).expect("JSON");
            if let Some(t) = line["t"].as_f64() {
                line["t"] = (t + round as f64 * LENGTH).into();
            }
            hour += &format!("{line}\n");
        }
    }
    hour
}

/// Until a browser has loaded and painted a page. Writing its elements out, as `opened` does, takes several times as long.
fn time_to_paint(page: &std::path::Path) -> std::time::Duration {
    let picture = page.with_extension("png");
    let begin = std::time::Instant::now();
    let output = browser(page, "1280,1000").arg(format!("--screenshot={}", picture.display())).output();
    let output = output.expect("chromium is installed");
    let took = begin.elapsed();
    assert!(output.status.success() && std::fs::metadata(picture).is_ok_and(|file| file.len() > 20_000), "{output:?}");
    took
}

/// Beside nothing else: `cargo test -p realtime-trace --test show -- --ignored --nocapture`
#[test]
#[ignore = "measures time"]
#[allow(clippy::print_stderr, reason = "the measured time is the result")]
fn the_page_of_an_hour_opens_within_three_seconds() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hour.jsonl");
    std::fs::write(&file, hour()).expect("written");
    let (long, short) = (page(&file.display().to_string(), "hour.html"), page(TRACE, "moment.html"));
    // The first start of a browser makes its profile.
    let [_, start, _, whole] = [&short, &short, &long, &long].map(|page| time_to_paint(page));
    let size = std::fs::metadata(&long).expect("a page").len() / 1_000_000;
    eprintln!("a page of {size} MB: {whole:.1?}; the start of the browser with a small one takes {start:.1?} of it");
    assert!(whole.saturating_sub(start) < std::time::Duration::from_secs(3));
}
