// SPDX-License-Identifier: MPL-2.0

//! Length of the audio in one append.

use crate::realtime::session::tests::peer::*;
use crate::types::AudioChunk;
use std::time::Duration;

/// Sound of 20 ms at a place in milliseconds, each byte of which is `value`.
fn push(bench: &Bench, at: u64, value: u8) {
    let sound = AudioChunk { data: vec![value; 960].into(), at: Some(Duration::from_millis(at)) };
    bench.input_queue.push_audio(sound).expect("it is taken");
}

/// The sound of the next append, in milliseconds, and its first byte.
fn append(peer: &mut Peer) -> (usize, u8) {
    let sound = peer.expect_append();
    (sound.len() / 48, sound[0])
}

#[test]
fn sound_is_gathered_and_goes_before_a_command() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 0);
    bench.input_queue.set_append_interval(Duration::from_millis(100));
    bench.expect_try(1);
    let mut peer = server.ready();
    bench.expect_ready(false);
    push(&bench, 0, 1);
    assert_eq!(append(&mut peer), (20, 1), "the first does not wait");
    (1..6).for_each(|n| push(&bench, n * 20, 2));
    assert_eq!(append(&mut peer), (100, 2), "five buffers, one append");
    push(&bench, 120, 3);
    bench.ask("Hello.");
    assert_eq!(append(&mut peer), (20, 3));
    peer.expect("conversation.item.create");
}
