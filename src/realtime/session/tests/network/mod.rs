// SPDX-License-Identifier: MPL-2.0

//! Simulated networks: a user and a model server talk over links that are slow, break, fall silent and are refused, in
//! thousands of histories that a seed decides. The conversation, the retry delays and the pings are the real ones; there
//! is no socket and no clock.
//!
//! Of every turn of the user one answer is heard, or it is told that it is lost; what a server is told again is in
//! order, and nothing of it is there twice.
//!
//! `NETWORKS=10000 cargo test --lib network` plays so many histories, `NETWORK=4711` one of them and prints it.

mod server;
mod world;

use world::World;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn every_turn_is_answered_once_or_told_as_lost_whatever_the_network_does() {
    if let Some(seed) = number("NETWORK") {
        let mut world = World::new(seed);
        let verdict = world.play();
        eprintln!("{}", world.log.join("\n"));
        return assert_eq!(verdict, Ok(()), "history {seed}");
    }
    let count = number("NETWORKS").unwrap_or(400);
    let (mut turns, mut losses, mut told, mut failed) = (0, 0, 0, 0);
    let mut wrong = Vec::new();
    for seed in 1..=count {
        let mut world = World::new(seed);
        if let Err(why) = world.play() {
            wrong.push(format!("history {seed}: {why}"));
        }
        turns += u64::from(world.turn);
        losses += world.losses;
        told += world.told_lost;
        failed += u64::from(world.failed);
    }
    eprintln!("{count} histories: {turns} turns, {losses} losses, {told} told as lost, {failed} ended by an error");
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(turns > count * 3 && losses > count, "that says little");
    assert!(told * 50 < turns, "what can be had back is not told as lost");
}
