// SPDX-License-Identifier: MPL-2.0

//! Plays a scene: one statement after the other, until the script, the client or a failure ends it.

use crate::audio::Sound;
use crate::engine::SpeechChunk;
use crate::engines::audio_placeholder;
use crate::engines::echo::Echo;
use crate::engines::script::pattern::Names;
use crate::engines::script::{ConnectionScript, ScriptRunner, Statement, Step};
use crate::engines::scripted_socket::{APPENDS, Got, ScriptedSocket, in_short, is_sound};

use crate::ids;
use crate::session::{Opening, Session, whole_answer};
use crate::socket::Wire;
use crate::translation::{self, Translation};
use openai_protocol::server::SessionCreated;
use openai_protocol::session::SessionKind;
use openai_protocol::{Item, ServerEvent};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;

/// Plays a scene to its end, and a little longer: a connection that the script does not end stays open.
pub async fn scene(
    runner: &ScriptRunner,
    scene: &ConnectionScript,
    stage: ScriptedSocket,
    wire: Option<Arc<Wire>>,
    kind: SessionKind,
) {
    let mut actor = Actor { stage, wire, kind, names: Names::default(), ignored: Vec::new(), deaf: false };
    for Step { line, act } in &scene.steps {
        match act {
            Statement::Close { code, reason } => return actor.stage.close(*code, reason).await,
            Statement::Drop => return actor.finish().await,
            Statement::Reset => return actor.reset(),
            act => {
                if let Err(problem) = actor.perform(act).await {
                    runner.fail(*line, &problem);
                    return actor.stage.close(1008, &format!("script line {line}: {problem}")).await;
                }
            }
        }
    }
    if actor.deaf {
        // Nobody reads, so nobody would see the client go.
        std::future::pending::<()>().await;
    }
    actor.stage.ignore().await;
}

/// Who does what a scene says.
struct Actor {
    stage: ScriptedSocket,
    wire: Option<Arc<Wire>>,
    kind: SessionKind,
    names: Names,
    ignored: Vec<String>,
    /// Has stopped reading.
    deaf: bool,
}

impl Actor {
    async fn perform(&mut self, act: &Statement) -> Result<(), String> {
        match act {
            Statement::Expect { name, pattern, within, skip } => {
                self.expect(name, pattern.as_ref(), *within, *skip).await
            }
            Statement::ExpectClose { code, within } => self.expect_close(*code, *within).await,
            Statement::ExpectPong { within } => self.expect_pong(*within).await,
            Statement::Ignore(names) => {
                self.ignored.extend(names.iter().cloned());
                Ok(())
            }
            Statement::Send(event) => {
                let event = self.filled(event)?;
                said(self.stage.send(event).await)
            }
            Statement::Hello => self.hello().await,
            Statement::Respond { text, sounds } => self.respond(text, sounds).await,
            Statement::Text(text) => said(self.stage.message(Message::text(text.as_str())).await),
            Statement::Binary(bytes) => said(self.stage.message(Message::binary(vec![0; *bytes])).await),
            // A reserved opcode; a text frame of two bytes that are no UTF-8.
            Statement::InvalidFrame => self.bytes(&[0x83, 0x00]).await,
            Statement::InvalidUtf8 => self.bytes(&[0x81, 0x02, 0xc3, 0x28]).await,
            Statement::HalfFrame(event) => {
                let mut event = self.filled(event)?;
                audio_placeholder::expand(&mut event);
                self.bytes(&half_frame(&event.to_string())).await
            }
            Statement::Ping => said(self.stage.message(Message::Ping(Default::default())).await),
            Statement::Wait(time) => {
                let deadline = Instant::now() + *time;
                while !self.deaf && self.stage.read(deadline).await {}
                sleep_until(deadline).await;
                Ok(())
            }
            Statement::WaitAudio { ms, within } => self.wait_audio(*ms, *within).await,
            Statement::StopReading => {
                self.deaf = true;
                Ok(())
            }
            Statement::Close { .. } | Statement::Drop | Statement::Reset => Ok(()),
        }
    }

    async fn expect(
        &mut self,
        name: &str,
        pattern: Option<&Value>,
        within: Duration,
        skip: bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + within;
        let wanted = || match pattern {
            Some(pattern) => format!("{name} {}", in_short(pattern)),
            None => name.to_string(),
        };
        loop {
            match self.stage.next(deadline).await {
                Some(Got::Event(event)) => {
                    let is_it =
                        event["type"] == name && pattern.is_none_or(|pattern| self.names.matches(pattern, &event));
                    if is_it {
                        return Ok(());
                    }
                    if !skip && !self.is_ignored(&event) && (APPENDS.contains(&name) || !is_sound(&event)) {
                        return Err(format!("expected {}, but the client sent {}", wanted(), in_short(&event)));
                    }
                }
                Some(Got::Pong) => {}
                Some(Got::Closed(close)) => {
                    return Err(format!(
                        "expected {}, but the client left ({} {})",
                        wanted(),
                        close.code,
                        close.reason
                    ));
                }
                None => return Err(format!("expected {}, but nothing came within {within:?}", wanted())),
            }
        }
    }

    async fn expect_close(&mut self, code: Option<u16>, within: Duration) -> Result<(), String> {
        let deadline = Instant::now() + within;
        loop {
            match self.stage.next(deadline).await {
                Some(Got::Closed(close)) if code.is_none_or(|code| code == close.code) => return Ok(()),
                Some(Got::Closed(close)) => return Err(format!("expected another close than {}", close.code)),
                Some(Got::Event(event)) if !is_sound(&event) && !self.is_ignored(&event) => {
                    return Err(format!("expected a close, but the client sent {}", in_short(&event)));
                }
                Some(_) => {}
                None => return Err(format!("expected a close, but nothing came within {within:?}")),
            }
        }
    }

    fn is_ignored(&self, event: &Value) -> bool {
        event["type"].as_str().is_some_and(|name| self.ignored.iter().any(|word| word == name))
    }

    async fn expect_pong(&mut self, within: Duration) -> Result<(), String> {
        let deadline = Instant::now() + within;
        loop {
            match self.stage.next(deadline).await {
                Some(Got::Pong) => return Ok(()),
                Some(Got::Event(event)) if !is_sound(&event) && !self.is_ignored(&event) => {
                    return Err(format!("expected a pong, but the client sent {}", in_short(&event)));
                }
                Some(Got::Closed(close)) => {
                    return Err(format!("expected a pong, but the client left ({})", close.code));
                }
                Some(_) => {}
                None => return Err(format!("expected a pong, but nothing came within {within:?}")),
            }
        }
    }

    async fn wait_audio(&mut self, ms: usize, within: Duration) -> Result<(), String> {
        let deadline = Instant::now() + within;
        while self.stage.audio_ms() < ms {
            if !self.stage.read(deadline).await {
                return Err(format!("expected {ms} ms of audio within {within:?}, but {} came", self.stage.audio_ms()));
            }
        }
        Ok(())
    }

    /// An event with its names replaced and an `event_id`.
    fn filled(&self, event: &Value) -> Result<Value, String> {
        let mut event = event.clone();
        self.names.fill(&mut event)?;
        if let Value::Object(map) = &mut event {
            map.entry("event_id").or_insert_with(|| ids::new("event_").into());
        }
        Ok(event)
    }

    /// The first event of a session, with the defaults.
    async fn hello(&mut self) -> Result<(), String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (kind, expires_at) = (self.kind.clone(), now + 3600);
        if kind == SessionKind::Translation {
            let opening = translation::Opening { model: "gpt-realtime-translate".into(), expires_at, preset: None };
            let session = Translation::preview(&Echo, &opening).map_err(|refusal| format!("{refusal:?}"))?;
            let created = json!({"type": "session.created", "event_id": ids::new("event_"), "session": session});
            return said(self.stage.send(created).await);
        }
        let opening = Opening { kind, model: "gpt-realtime".into(), expires_at, preset: None, beta: false };
        let session = Session::preview(&opening).map_err(|refusal| format!("{refusal:?}"))?;
        self.tell(SessionCreated { session, ..Default::default() }.into()).await
    }

    /// A whole answer; its names are `$response` and `$item` then.
    async fn respond(&mut self, text: &str, sounds: &[String]) -> Result<(), String> {
        let mut sound = Sound::new(Vec::new(), 24_000);
        for (more, _) in sounds.iter().filter_map(|text| audio_placeholder::read(text)) {
            sound.extend(&more.at(24_000).samples);
        }
        let piece = SpeechChunk { text: text.into(), sound: (!sounds.is_empty()).then_some(sound) };
        for event in whole_answer(&piece) {
            match &event {
                ServerEvent::ResponseCreated(event) => self.names.set("response", event.response.id().into()),
                ServerEvent::ConversationItemAdded(event) => self.names.set("item", Item::id(&event.item).into()),
                _ => {}
            }
            self.tell(event).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, mut event: ServerEvent) -> Result<(), String> {
        event.set_event_id(ids::new("event_"));
        said(self.stage.message(Message::text(event.to_json())).await)
    }

    /// Bytes below the WebSocket.
    async fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        let io = self.stage.socket.get_mut();
        let written = async {
            io.write_all(bytes).await?;
            io.flush().await
        };
        written.await.map_err(|error| format!("cannot send: {error}"))
    }

    /// Ends the connection without a word: a FIN.
    async fn finish(mut self) {
        if let Some(wire) = &self.wire
            && let Err(error) = wire.finish()
        {
            tracing::debug!("cannot end the connection: {error}");
        }
        // What is unread when the last handle goes would make the FIN a reset.
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.stage.read(deadline).await {}
    }

    /// Ends the connection with a reset.
    fn reset(self) {
        if let Some(wire) = &self.wire
            && let Err(error) = wire.reset_on_drop()
        {
            tracing::debug!("cannot reset the connection: {error}");
        }
    }
}

fn said(result: Result<(), tokio_tungstenite::tungstenite::Error>) -> Result<(), String> {
    result.map_err(|error| format!("cannot send: {error}"))
}

/// The head of a text frame and half of what it announces.
fn half_frame(text: &str) -> Vec<u8> {
    let length = text.len();
    let mut frame = vec![0x81];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(&text.as_bytes()[..length / 2]);
    frame
}
