// SPDX-License-Identifier: MPL-2.0

//! The simulated world: its time, the link, the user.

use crate::net::backoff::Backoff;
use crate::net::liveness::{Check, Liveness};
use crate::realtime::conversation::config::{Config, Detection};
use crate::realtime::conversation::io::{Command, SessionEvent};
use crate::realtime::conversation::tests::dialogue::{config, ms, server_vad};
use crate::realtime::conversation::tests::random_walk::Dice;
use crate::realtime::conversation::{Conversation, Event, Input, Output};
use crate::realtime::session::driver::is_good;
use crate::realtime::session::tests::network::server::{Archive, ModelServer};
use crate::types::{AudioChunk, Timing};
use bytes::Bytes;
use openai_protocol::{ClientEvent, ServerEvent};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// What the user says comes in pieces of so many milliseconds.
const PIECE: u64 = 100;
/// A turn has an answer, or is told as lost, within this time; the longest row of tries and pings is shorter.
const RESOLVED: Duration = Duration::from_secs(180);
/// Input that waits for a session, as `reconnect-buffer`.
const RECONNECT_BUFFER: Duration = Duration::from_secs(30);

/// Codes of warnings that tell that a turn, or a part of one, is lost.
const LOST: [&str; 5] = ["turn-lost", "no-answer", "audio-dropped", "turns-forgotten", "drain-timeout"];

/// Something that happens at its time.
enum Happening {
    /// A link's client said something, and the server has it.
    ToServer(u32, Box<ClientEvent>),
    /// A link's server has something to say.
    Says(u32, Value),
    /// And the client has it.
    ToClient(u32, Value),
    /// A ping of the client is answered.
    Pong(u32),
    /// The link breaks; what is on its way is lost.
    Breaks(u32),
    /// The server closes the link with this code, behind what it has said.
    Closes(u32, u16),
    /// And the client reads that.
    Closed(u32, u16),
    /// The link carries nothing any more, and nobody is told.
    FallsSilent(u32),
    /// A try to connect is made; for the one that stands by, where one is in use.
    Dial(bool),
    /// The user goes on.
    User,
}

/// A connection with the server at its end.
struct Link {
    id: u32,
    server: ModelServer,
    liveness: Liveness,
    is_silent: bool,
    server_is_gone: bool,
    /// What is said arrives in order.
    arrivals: [Instant; 2],
}

pub struct World {
    dice: Dice,
    now: Instant,
    start: Instant,
    conversation: Conversation,
    detection: Detection,
    timing: Timing,
    transcribes: bool,
    responds: bool,
    happenings: BTreeMap<(Instant, u64), Happening>,
    sequence: u64,
    links: u32,
    link: Option<Link>,
    standby: Option<Link>,
    ready: Option<Instant>,
    backoff: Backoff,
    latency: u64,
    /// Time between two faults, at most, in milliseconds.
    peace: u64,
    refuses: u64,
    archive: Archive,
    /// What waits for a session.
    queue: VecDeque<Input>,
    input: Duration,
    /// Pieces of the turn in hand that are not said yet.
    to_say: u64,
    since: Instant,
    /// Items of answers that were played, and answers by what became of them.
    items: BTreeMap<String, String>,
    played: BTreeSet<String>,
    ended: BTreeMap<String, String>,
    lost: BTreeSet<u32>,
    turns: u32,
    pub turn: u32,
    pub losses: u64,
    pub told_lost: u64,
    pub failed: bool,
    over: bool,
    pub log: Vec<String>,
    keeps_log: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let timing = if dice.one_in(3) { Timing::Offline } else { Timing::Live };
        let detection = match timing {
            Timing::Live if !dice.one_in(3) => server_vad(),
            _ => Detection::Manual,
        };
        let transcribes = dice.one_in(2);
        let responds = !dice.one_in(3);
        let config =
            Config { reconnects: true, transcribes, server_responds: responds, ..config(timing, detection.clone()) };
        let now = Instant::now();
        Self {
            conversation: Conversation::new(config, now),
            now,
            start: now,
            detection,
            timing,
            transcribes,
            responds,
            happenings: BTreeMap::new(),
            sequence: 0,
            links: 0,
            link: None,
            standby: None,
            ready: None,
            backoff: Backoff::new(Duration::from_secs(1), 5),
            latency: 5 + dice.below(250),
            peace: [3_000, 10_000, 40_000][dice.below(3) as usize],
            refuses: dice.below(3),
            archive: Archive::default(),
            queue: VecDeque::new(),
            input: Duration::ZERO,
            to_say: 0,
            since: now,
            items: BTreeMap::new(),
            played: BTreeSet::new(),
            ended: BTreeMap::new(),
            lost: BTreeSet::new(),
            turns: 3 + dice.below(5) as u32,
            turn: 0,
            losses: 0,
            told_lost: 0,
            failed: false,
            over: false,
            log: Vec::new(),
            keeps_log: std::env::var_os("NETWORK").is_some(),
            dice,
        }
    }

    /// Plays the history to its end, and says what is wrong with it.
    pub fn play(&mut self) -> Result<(), String> {
        self.at(0, Happening::Dial(false));
        self.at(0, Happening::User);
        let mut is_ending = false;
        while !self.over {
            self.step()?;
            if self.now.saturating_duration_since(self.since) > RESOLVED {
                return Err(format!("turn {} is neither answered nor told as lost", self.turn));
            }
            if !is_ending && self.turn == self.turns && self.is_resolved() {
                is_ending = true;
                self.queue.push_back(Input::EndOfStream);
                self.take_input();
            }
        }
        self.judge()
    }

    fn judge(&self) -> Result<(), String> {
        // Of a turn that is told as lost, pieces may be there.
        if let Some((_, fault)) = self.archive.faults.iter().find(|(turn, _)| !self.lost.contains(turn)) {
            return Err(fault.clone());
        }
        // A user who is told that a turn is lost goes on, and what was lost may have been answered with the next turn.
        let mut lost_before = 0;
        for turn in 1..=self.turn {
            let answers = self.heard(turn);
            let is_last = turn == self.turn && self.failed;
            let most = 1 + lost_before;
            lost_before = if self.lost.contains(&turn) { most } else { 0 };
            if answers.len() > most || answers.is_empty() && !self.lost.contains(&turn) && !is_last {
                return Err(format!("turn {turn} of {} has the answers {answers:?}", self.turn));
            }
        }
        Ok(())
    }

    /// The answers to a turn that were heard: as a whole, or live as far as they had come.
    fn heard(&self, turn: u32) -> Vec<(&str, &str)> {
        let of = self.ended.iter().filter(|(id, _)| self.archive.answers.get(*id) == Some(&turn));
        let heard = of.filter(|(id, state)| *state == "completed" || self.played.contains(*id));
        heard.map(|(id, state)| (id.as_str(), state.as_str())).collect()
    }

    fn is_resolved(&self) -> bool {
        self.turn == 0 || self.lost.contains(&self.turn) || !self.heard(self.turn).is_empty()
    }

    fn at(&mut self, after: u64, what: Happening) {
        self.at_time(self.now + ms(after), what);
    }

    fn at_time(&mut self, at: Instant, what: Happening) {
        self.sequence += 1;
        self.happenings.insert((at, self.sequence), what);
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.keeps_log {
            let text = text();
            let at = self.now.duration_since(self.start).as_secs_f64();
            self.log.push(format!("{at:8.3} {}", text.chars().take(220).collect::<String>()));
        }
    }

    /// The next thing happens.
    fn step(&mut self) -> Result<(), String> {
        if let Some(link) = &self.link {
            self.conversation.server_heard(link.liveness.last_heard());
        }
        let deadline = self.conversation.deadline();
        let owed = self.conversation.awaits_server();
        let check = self.link.as_ref().map(|link| link.liveness.deadline(owed));
        let next = self.happenings.first_key_value().map(|(key, _)| key.0);
        let Some(at) = [deadline, check, next].into_iter().flatten().min() else {
            return Err("nothing will ever happen any more".into());
        };
        self.now = self.now.max(at);
        if next == Some(at) {
            let (_, what) = self.happenings.pop_first().expect("it is there");
            self.happen(what);
        } else if deadline == Some(at) {
            self.conversation.wake(self.now);
        } else {
            self.check_link();
        }
        self.flush();
        self.take_input();
        Ok(())
    }

    fn happen(&mut self, what: Happening) {
        let (now, current) = (self.now, self.link.as_ref().map(|link| link.id));
        let carries = |link: &&mut Link| !link.is_silent;
        let serves = |link: &&mut Link| !link.is_silent && !link.server_is_gone;
        match what {
            Happening::ToServer(id, event) => {
                let Some(link) = self.link.as_mut().filter(|link| link.id == id).filter(serves) else { return };
                let says = link.server.hear(&event, &mut self.archive, &mut self.dice);
                says.into_iter().for_each(|(after, event)| self.at(after, Happening::Says(id, event)));
            }
            Happening::Says(id, event) => {
                let Some(link) = self.link.as_mut().filter(|link| link.id == id).filter(serves) else { return };
                if link.server.still_says(&event) {
                    let at = self.arrival(1);
                    self.at_time(at, Happening::ToClient(id, event));
                }
            }
            Happening::ToClient(id, event) => {
                let Some(link) = self.link.as_mut().filter(|link| link.id == id).filter(carries) else { return };
                link.liveness.heard(now);
                self.note(|| format!("< {event}"));
                if let (Some(item), Some(response)) = (event["item_id"].as_str(), event["response_id"].as_str()) {
                    self.items.insert(item.to_owned(), response.to_owned());
                }
                let event = ServerEvent::from_json(&event.to_string()).expect("an event");
                self.handle(Input::Server(Box::new(event)));
            }
            Happening::Pong(id) => {
                if let Some(link) = self.link.as_mut().filter(|link| link.id == id).filter(carries) {
                    link.liveness.heard(now);
                }
            }
            Happening::Breaks(id) | Happening::Closes(id, _) | Happening::FallsSilent(id) if current != Some(id) => {
                if self.standby.as_ref().is_some_and(|link| link.id == id) {
                    self.standby = None;
                    self.handle(Input::StandbyReady(false));
                }
            }
            Happening::Breaks(_) => self.lose(None),
            Happening::Closes(id, code) => {
                self.link.iter_mut().for_each(|link| link.server_is_gone = true);
                let at = self.arrival(1);
                self.at_time(at, Happening::Closed(id, code));
            }
            Happening::Closed(id, code) if current == Some(id) => self.lose(Some(code)),
            Happening::Closed(..) => {}
            Happening::FallsSilent(id) => {
                self.note(|| "the link falls silent".into());
                self.losses += 1;
                self.link.iter_mut().for_each(|link| link.is_silent = true);
                if self.dice.one_in(2) {
                    // The system gives it up.
                    let after = 1_000 + self.dice.below(12_000);
                    self.at(after, Happening::Breaks(id));
                }
            }
            Happening::Dial(standby) => self.dial(standby),
            Happening::User => self.user(),
        }
    }

    fn lose(&mut self, code: Option<u16>) {
        self.note(|| format!("the link is gone: {code:?}"));
        self.losses += 1;
        self.handle(Input::Closed { code, reason: "lost".into() });
    }

    /// When something that is said now arrives.
    fn arrival(&mut self, direction: usize) -> Instant {
        let at = self.now + ms(self.latency + self.dice.below(self.latency));
        let link = self.link.as_mut().expect("who speaks has a link");
        link.arrivals[direction] = link.arrivals[direction].max(at);
        link.arrivals[direction]
    }

    fn check_link(&mut self) {
        let (now, latency) = (self.now, self.latency);
        let Some(link) = &mut self.link else { return };
        match link.liveness.check(now) {
            Check::Ping => {
                link.liveness.sent(now);
                let id = link.id;
                self.at(2 * latency, Happening::Pong(id));
            }
            Check::Gone(silent) => {
                self.note(|| format!("gone after {silent:?}"));
                self.handle(Input::Gone { silent });
            }
        }
    }

    fn dial(&mut self, standby: bool) {
        let is_refused = self.links > 0 && self.refuses > 0 && self.dice.below(4) < self.refuses;
        if is_refused && !standby {
            return self.dial_again();
        }
        if is_refused {
            return self.handle(Input::StandbyReady(false));
        }
        self.links += 1;
        let id = self.links;
        let elapsed = self.now.duration_since(self.start).as_secs();
        let expires_at = self.dice.one_in(4).then(|| elapsed + 20 + self.dice.below(40));
        let finds_turns = matches!(self.detection, Detection::Server { .. });
        let server = ModelServer::new(finds_turns, self.responds, self.transcribes, expires_at);
        let (now, liveness) = (self.now, Liveness::new(self.now));
        let link = Link { id, server, liveness, is_silent: false, server_is_gone: false, arrivals: [now; 2] };
        let fault = 100 + self.dice.below(self.peace);
        let what = match self.dice.below(6) {
            0 | 1 => Happening::Breaks(id),
            2 => Happening::Closes(id, 1011),
            3 => Happening::Closes(id, 1013),
            _ => Happening::FallsSilent(id),
        };
        self.at(fault, what);
        if let Some(end) = expires_at {
            self.at_time(self.start + Duration::from_secs(end), Happening::Closes(id, 1001));
        }
        if standby {
            self.standby = Some(link);
            return self.handle(Input::StandbyReady(true));
        }
        self.connected(link);
    }

    fn connected(&mut self, link: Link) {
        self.note(|| format!("link {}", link.id));
        self.link = Some(link);
        self.handle(Input::Connected { timeout: Duration::from_secs(10) });
    }

    fn dial_again(&mut self) {
        let random = self.dice.below(1_000) as f64 / 1_000.0;
        match self.backoff.next_with(None, random) {
            Some(delay) => self.at_time(self.now + delay + ms(2 * self.latency), Happening::Dial(false)),
            None => {
                self.note(|| "no further try".into());
                (self.failed, self.over) = (true, true);
            }
        }
    }

    /// The session is over, and another one is wanted: as the session's task does it.
    fn reconnect(&mut self) {
        self.link = None;
        let lasted = self.ready.take().map(|ready| self.now.duration_since(ready));
        if is_good(lasted, self.conversation.carried_turn()) {
            self.backoff.reset();
        }
        let loss = self.conversation.take_loss();
        match self.standby.take() {
            Some(link) => self.connected(link),
            None if loss.as_ref().is_none_or(|loss| loss.again) => self.dial_again(),
            None => (self.failed, self.over) = (true, true),
        }
    }

    fn handle(&mut self, input: Input) {
        self.conversation.handle(input, self.now);
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send(event) => {
                    if !matches!(event, ClientEvent::InputAudioBufferAppend(_)) {
                        self.note(|| format!("> {}", json!(event)));
                    }
                    let at = self.arrival(0);
                    let id = self.links_current();
                    self.at_time(at, Happening::ToServer(id, Box::new(event)));
                }
                Output::Play(speech) => {
                    if let Some(response) = self.items.get(&speech.item_id)
                        && self.played.insert(response.clone())
                    {
                        let at = self.now.duration_since(self.start).max(speech.not_before);
                        self.handle(Input::Began { item_id: speech.item_id, at, pushed: self.now });
                    }
                }
                Output::Event(event) => self.told(event),
                Output::Preconnect => self.at(2 * self.latency, Happening::Dial(true)),
                Output::Reconnect => self.reconnect(),
                Output::Fail(failure) => {
                    self.note(|| format!("failed: {failure}"));
                    (self.failed, self.over) = (true, true);
                }
                Output::Finished { .. } => self.over = true,
                _ => {}
            }
        }
    }

    fn links_current(&self) -> u32 {
        self.link.as_ref().map_or(0, |link| link.id)
    }

    fn told(&mut self, event: Event) {
        self.note(|| format!("  {event:?}"));
        match event {
            Event::Session(SessionEvent::Ready { .. }) => self.ready = Some(self.now),
            Event::Response(response) if response.state != "created" => {
                let before = self.ended.insert(response.response_id.clone(), response.state);
                if before.is_some() {
                    self.archive.faults.push((0, format!("{} is told to end twice", response.response_id)));
                }
            }
            Event::Warning(warning) if warning.code.as_deref().is_some_and(|code| LOST.contains(&code)) => {
                self.lost.insert(self.turn);
                self.told_lost += 1;
            }
            _ => {}
        }
    }

    /// The user goes on: speaks or types, or waits for the answer.
    fn user(&mut self) {
        let speaks = matches!(self.detection, Detection::Server { .. });
        self.at(PIECE, Happening::User);
        if self.to_say == 0 && self.turn < self.turns && self.is_resolved() && self.dice.one_in(8) {
            self.turn += 1;
            self.since = self.now;
            let turn = self.turn;
            self.note(|| format!("turn {turn}"));
            if speaks || self.dice.one_in(2) {
                self.to_say = 5 + self.dice.below(20);
            } else {
                let text = format!("turn {}", self.turn);
                self.queue.push_back(Input::Command(Command::Text { text, respond: true, at: None }));
            }
        }
        let says = self.to_say > 0;
        if says || speaks {
            let byte = if says { self.turn as u8 } else { 0 };
            let data = Bytes::from(vec![byte; PIECE as usize * 48]);
            let at = Some(self.input);
            self.queue.push_back(Input::Audio(AudioChunk { data, at }));
            self.to_say = self.to_say.saturating_sub(1);
            if says && self.to_say == 0 && !speaks {
                self.queue.push_back(Input::Command(Command::Commit));
                self.queue.push_back(Input::Command(Command::CreateResponse(None)));
            }
        }
        self.input += ms(PIECE);
        let most = RECONNECT_BUFFER.as_millis() as usize / PIECE as usize;
        if self.timing == Timing::Live && speaks && self.queue.len() > most {
            self.queue.pop_front();
            self.lost.insert(self.turn);
        }
        self.take_input();
    }

    /// What waits is handed in as soon as it may be.
    fn take_input(&mut self) {
        while !self.over && self.conversation.wants_sound(self.now) {
            let Some(input) = self.queue.pop_front() else { return };
            self.handle(input);
        }
    }
}
