// SPDX-License-Identifier: MPL-2.0

//! Length of the audio in one append, and the thread that sends it.

use crate::net::runtime::SharedRuntime;
use crate::realtime::session::tests::peer::*;
use crate::types::AudioChunk;
use std::sync::mpsc::channel;
use std::time::Duration;
use tokio_tungstenite::tungstenite;

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

/// The one thread of the runtime, which does nothing else until this is dropped.
struct Held {
    _release: std::sync::mpsc::Sender<()>,
}

impl Held {
    fn new(runtime: &SharedRuntime) -> Self {
        let ((holds_tx, holds), (_release, released)) = (channel(), channel::<()>());
        runtime.handle().spawn(async move {
            let _ = holds_tx.send(());
            let _ = released.recv();
        });
        holds.recv().expect("the runtime runs it");
        Self { _release }
    }
}

#[test]
fn sound_is_sent_by_the_thread_that_brings_it() {
    let server = Server::new();
    let mut bench = Bench::new(&connection(server.uri()), 0);
    bench.expect_try(1);
    let mut peer = server.ready();
    bench.expect_ready(false);
    let runtime = SharedRuntime::get().expect("a runtime");
    // What the runtime is about to run already, it sends itself; that cannot be so for long.
    let is_sent_here = (0..100).any(|n| {
        let held = Held::new(&runtime);
        push(&bench, n * 20, 1);
        peer.0.get_ref().set_nonblocking(true).expect("a socket");
        let sent = peer.0.read();
        drop(held);
        peer.0.get_ref().set_nonblocking(false).expect("a socket");
        match sent {
            Ok(message) => return message.to_text().expect("text").contains("input_audio_buffer.append"),
            Err(tungstenite::Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(append(&mut peer), (20, 1));
        false
    });
    assert!(is_sent_here);
}
