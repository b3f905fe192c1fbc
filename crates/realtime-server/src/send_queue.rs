// SPDX-License-Identifier: MPL-2.0

//! What a session says on its way to the client: a short queue, and a task that empties it into the socket.
//!
//! A client that does not take a message for [`STALLED`] is taken for dead. In the end the client is told everything that
//! was said before the close, or nothing more.

use crate::socket::{self, Socket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// Messages that wait for the socket.
const QUEUE: usize = 64;
/// How long the socket may take for one message.
const STALLED: Duration = Duration::from_secs(60);
/// How long a client may take to answer a close.
pub const GOODBYE: Duration = Duration::from_secs(5);

type Sink = SplitSink<Socket, Message>;

/// The task behind the queue. Nothing more is sent once it is dropped.
pub struct Outbox(JoinHandle<Sink>);

impl Outbox {
    /// The queue into a socket, and the task that empties it.
    pub fn new(sink: Sink) -> (mpsc::Sender<Message>, Self) {
        let (queue, messages) = mpsc::channel(QUEUE);
        (queue, Self(tokio::spawn(write(sink, messages))))
    }

    /// Sends what still waits, the close last, and lets the client finish as well. Nobody holds the queue any more.
    pub async fn finish(mut self, mut stream: SplitStream<Socket>) {
        let rest = async {
            let answer = async { while let Some(Ok(_)) = stream.next().await {} };
            let (sink, ()) = tokio::join!(&mut self.0, answer);
            if let Ok(socket) = sink.map_err(drop).and_then(|sink| sink.reunite(stream).map_err(drop)) {
                socket::hear_out(socket).await;
            }
        };
        if timeout(GOODBYE, rest).await.is_err() {
            tracing::debug!("a client did not finish the closing");
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Empties the queue into the socket, until there is no more or the socket takes no more.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut messages: mpsc::Receiver<Message>,
) -> SplitSink<Socket, Message> {
    while let Some(message) = messages.recv().await {
        let more = !messages.is_empty();
        let sent = async { if more { sink.feed(message).await } else { sink.send(message).await } };
        match timeout(STALLED, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!("cannot send: {error}");
                break;
            }
            Err(_) => {
                tracing::info!("a client does not read: giving it up");
                break;
            }
        }
    }
    sink
}
