// SPDX-License-Identifier: MPL-2.0

//! The language of these tests: a session, and a server that does as it is told.

use crate::error::Error;
use crate::net::clock::Clock;
use crate::net::runtime::SharedRuntime;
use crate::realtime::conversation::Event;
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::io::{Command, SessionEvent};
use crate::realtime::conversation::tests::dialogue::{config, server_vad};
use crate::realtime::session::{BusEvent, EndpointConfig, InputQueue, Playout, RetryPolicy, Session, Setup};
use crate::types::Timing;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use openai_protocol::session::AudioFormat;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

/// Only a bound for what would hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server's place.
pub struct Server(TcpListener);

impl Server {
    pub fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    pub fn uri(&self) -> String {
        format!("ws://127.0.0.1:{}/v1", self.port())
    }

    /// The next connection, as it is.
    pub fn stream(&self) -> TcpStream {
        let (stream, _) = self.0.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream
    }

    /// The next connection, upgraded.
    pub fn accept(&self) -> Peer {
        Peer(accept(self.stream()).expect("a handshake"))
    }

    /// The next connection, with a session that is ready.
    pub fn ready(&self) -> Peer {
        let mut peer = self.accept();
        peer.expect("session.update");
        peer.send(json!({"type": "session.updated", "session": {"id": "sess"}}));
        peer
    }

    /// Answers the next request with this, and gives the request.
    pub fn answer(&self, answer: &str) -> String {
        let mut stream = self.stream();
        let request = head(&mut stream);
        stream.write_all(answer.as_bytes()).expect("it is taken");
        request
    }

    pub fn refuse(&self, status: &str, headers: &str) -> String {
        self.answer(&format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}\r\n"))
    }
}

/// The head of a request.
pub fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

/// A connection, from the server's side.
pub struct Peer(pub WebSocket<TcpStream>);

impl Peer {
    pub fn send(&mut self, event: Value) {
        self.0.send(Message::text(event.to_string())).expect("it is taken");
    }

    /// The next event of this type; pings are answered meanwhile.
    pub fn expect(&mut self, name: &str) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().expect("a message") {
                let event: Value = serde_json::from_str(text.as_str()).expect("JSON");
                if event["type"] == name {
                    return event;
                }
            }
        }
    }

    /// The audio of the next append.
    pub fn expect_append(&mut self) -> Vec<u8> {
        let append = self.expect("input_audio_buffer.append");
        BASE64_STANDARD.decode(append["audio"].as_str().expect("sound")).expect("base64")
    }

    /// Waits for a ping and answers it.
    pub fn pong(&mut self) {
        while !matches!(self.0.read().expect("a message"), Message::Ping(_)) {}
        self.0.flush().expect("it is taken");
    }

    /// Answers what was asked.
    pub fn respond(&mut self, id: &str) {
        self.send(json!({"type": "response.created", "response": {"id": id, "conversation_id": "c"}}));
        self.send(json!({"type": "response.done", "response": {"id": id, "status": "completed"}}));
    }

    /// A close frame, with any code.
    pub fn close(mut self, code: u16) {
        let stream = self.0.get_mut();
        stream.write_all(&[0x88, 2, (code >> 8) as u8, code as u8]).expect("it is taken");
        // What the client still says must not reset the connection before it has read that.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// A session under test.
pub struct Bench {
    pub clock: Clock,
    pub bus_tx: Receiver<BusEvent>,
    pub input_queue: Arc<InputQueue>,
    pub said: Vec<String>,
    _session: Session,
}

pub fn connection(uri: String) -> EndpointConfig {
    EndpointConfig { uri: Some(uri), model: "m".into(), ..Default::default() }
}

impl Bench {
    pub fn new(connection: &EndpointConfig, tries: u32) -> Self {
        Self::with(connection, tries, Config { reconnects: tries > 0, ..config(Timing::Live, server_vad()) })
    }

    pub fn with(connection: &EndpointConfig, tries: u32, config: Config) -> Self {
        Self::with_env(connection, tries, config, |_| None)
    }

    pub fn with_env(
        connection: &EndpointConfig,
        tries: u32,
        config: Config,
        env: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let (sender, bus_tx) = tokio::sync::mpsc::channel(1_024);
        let (clock, input_queue) = (Clock::stopped(), Arc::new(InputQueue::default()));
        let setup = Setup {
            targets: connection.targets(env).expect("targets"),
            config,
            retry_policy: RetryPolicy { timeout: Duration::from_secs(10), tries, delay: Duration::from_secs(1) },
            input_queue: input_queue.clone(),
            playout: Arc::new(Playout::new(AudioFormat::Pcm, false, || None)),
            bus_tx: sender,
            traces: Arc::new(AtomicBool::new(true)),
            clock: clock.clone(),
        };
        let session = Session::start(setup, SharedRuntime::get().expect("a runtime"));
        Self { clock, bus_tx, input_queue, said: Vec::new(), _session: session }
    }

    /// The next post, if it comes within this time of the world.
    pub fn next_within(&mut self, limit: Duration) -> Option<BusEvent> {
        let until = Instant::now() + limit;
        loop {
            if let Ok(post) = self.bus_tx.try_recv() {
                self.said.push(format!("{post:?}"));
                return Some(post);
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn next(&mut self) -> BusEvent {
        self.next_within(PATIENCE).unwrap_or_else(|| panic!("nothing more is told; before: {:#?}", self.said))
    }

    /// The next thing that is told of the session.
    pub fn session(&mut self) -> SessionEvent {
        loop {
            match self.next() {
                BusEvent::Event(Event::Session(session)) => return session,
                BusEvent::Fail(failure, _) => panic!("failed: {failure}; before: {:#?}", self.said),
                _ => {}
            }
        }
    }

    /// Another try, which is waited for.
    pub fn expect_try(&mut self, number: u32) -> Duration {
        let (attempt, delay, _) = self.try_again();
        assert_eq!(attempt, number);
        delay
    }

    pub fn try_again(&mut self) -> (u32, Duration, String) {
        match self.session() {
            SessionEvent::Connecting { attempt, delay, uri, .. } => {
                self.clock.advance(delay);
                (attempt, delay, uri.expect("a place"))
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn expect_ready(&mut self, resumed: bool) {
        match self.session() {
            SessionEvent::Ready { resumed: is, .. } => assert_eq!(is, resumed),
            other => panic!("{other:?}"),
        }
    }

    pub fn expect_loss(&mut self) -> String {
        match self.session() {
            SessionEvent::Reconnecting { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    pub fn failure(&mut self) -> Error {
        loop {
            if let BusEvent::Fail(failure, _) = self.next() {
                return failure;
            }
        }
    }

    /// The user types something that is to be answered.
    pub fn ask(&self, text: &str) {
        let command = Command::Text { text: text.into(), respond: true, at: None };
        self.input_queue.push_command(command, true).expect("it is taken");
    }
}
