// SPDX-License-Identifier: MPL-2.0

//! The hot path in pieces, for counts of instructions that repeat.
//!
//!     python3 benches/instructions/check.py      # runs each case in valgrind and compares with counts.json
//!
//! This program alone runs one case, `instructions CASE`, or names them all, `instructions --list`. The calls of
//! [`counted_instructions`] are what counts; what comes before warms up allocator and lazy statics.

#![allow(clippy::print_stdout, reason = "names of the cases")]

mod cases;
mod conversation;

use cases::{CASES, RUNS, WARM_UP};

/// Runs a case as often as counted. The name is what valgrind looks for.
#[inline(never)]
fn counted_instructions(run: &mut dyn FnMut()) {
    for _ in 0..RUNS {
        run();
    }
}

fn main() {
    let argument = std::env::args().nth(1);
    let Some(name) = argument.filter(|name| name != "--list") else {
        CASES.iter().for_each(|(name, _)| println!("{name} {RUNS}"));
        return;
    };
    let Some((_, prepare)) = CASES.iter().find(|(case, _)| *case == name) else { panic!("there is no case '{name}'") };
    let mut run = prepare();
    for _ in 0..WARM_UP {
        run();
    }
    counted_instructions(&mut *run);
}
