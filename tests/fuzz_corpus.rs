// SPDX-License-Identifier: MPL-2.0

//! The targets of cargo-fuzz over their corpus, and over copies of it that a seed changes: bytes flipped, left out, put
//! in, lines of two files mixed. `FUZZ_RUNS=1000000 cargo test --release --test fuzz_corpus` looks longer.

#[path = "fuzz_targets/targets.rs"]
mod targets;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// A target by its name.
fn run(name: &str, target: fn(&[u8])) {
    let folder = format!("{}/tests/fuzz_targets/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let corpus: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("a file")).collect();
    assert!(corpus.len() > 3, "{name} has a corpus");
    corpus.iter().for_each(|data| target(data));
    let runs = std::env::var("FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(3_000);
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    for number in 0..runs {
        let data = mutated(&corpus, &mut random);
        if let Err(panic) = std::panic::catch_unwind(|| target(&data)) {
            eprintln!("{name}, run {number}: {}", String::from_utf8_lossy(&data).escape_debug());
            std::panic::resume_unwind(panic);
        }
    }
}

fn below(random: &mut TestRng, limit: usize) -> usize {
    random.next_u32() as usize % limit.max(1)
}

/// One of the corpus, changed in a few places.
fn mutated(corpus: &[Vec<u8>], random: &mut TestRng) -> Vec<u8> {
    let mut data = corpus[below(random, corpus.len())].clone();
    for _ in 0..=below(random, 4) {
        let at = below(random, data.len());
        let length = below(random, 16).min(data.len() - at);
        match below(random, 6) {
            0 if !data.is_empty() => data[at] ^= 1 << below(random, 8),
            1 => drop(data.drain(at..at + length)),
            2 => {
                let words = ["null", "\"\"", "{}", "[]", "-1", "1e999", "\\ud800", "\n", "\u{0}", "é", "999999999999"];
                data.splice(at..at + length, words[below(random, words.len())].bytes());
            }
            3 => data.truncate(at),
            4 => {
                let again = data[at..at + length].to_vec();
                data.splice(at..at, again);
            }
            _ => {
                let other = &corpus[below(random, corpus.len())];
                let mut lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
                let others: Vec<&[u8]> = other.split(|byte| *byte == b'\n').collect();
                lines.insert(below(random, lines.len() + 1), others[below(random, others.len())]);
                data = lines.join(&b'\n');
            }
        }
    }
    data
}

#[test]
fn what_servers_send_is_read_or_refused_and_written_as_it_was_read() {
    run("server_event", targets::server_event);
}

#[test]
fn what_clients_send_is_read_or_refused_and_written_as_it_was_read() {
    run("client_event", targets::client_event);
}

#[test]
fn a_conversation_with_a_server_that_sends_anything_is_well_formed_and_ends() {
    run("conversation", targets::conversation);
}
