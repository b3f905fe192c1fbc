// SPDX-License-Identifier: MPL-2.0

//! A visitor by WebSocket, for networks that let no media by UDP through: the same events as text messages, and binary
//! messages whose first byte says what they are, [`AUDIO`] or [`FRAME`]. Audio is PCM of 16 bits, little endian, mono,
//! 24 kHz, in both directions.

use super::end::End;
use super::{MAX_WAITING_EVENTS, Out, Request, Visitor};
use crate::app::App;
use crate::events::client::MAX_CLIENT_EVENT_LEN;
use crate::media::SharedClock;
use crate::media::model::{Model, Voice};
use crate::registry::{Place, raised};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

/// First byte of a binary message with audio.
pub const AUDIO: u8 = 0;
/// First byte of a binary message with a JPEG file.
pub const FRAME: u8 = 1;
/// The longest message that is read, in bytes: a picture of a camera.
pub const MAX_MESSAGE_LEN: usize = 1024 * 1024;
/// The longest piece of audio that is read, in bytes: a second.
const MAX_AUDIO_LEN: usize = 48_000;
/// A client that takes nothing for so long is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to ping.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// A client of which nothing comes for so long is gone.
const MAX_IDLE: Duration = Duration::from_secs(15);

/// Serves a visitor until the end.
pub async fn run(app: Arc<App>, mut place: Place, mut socket: WebSocket, request: Request) {
    let since = Instant::now();
    let (sender, mut voices) = mpsc::channel(MAX_WAITING_EVENTS);
    let overloaded = Arc::new(Notify::new());
    let (settings, config) = request.resolve(&app);
    let full = overloaded.clone();
    let built = tokio::task::spawn_blocking(move || {
        let model = Model::new(&config, &SharedClock::new(), move |voice| {
            if let Err(mpsc::error::TrySendError::Full(_)) = sender.try_send(voice) {
                full.notify_one();
            }
        })?;
        model.start();
        Ok::<_, gst::glib::BoolError>(model)
    });
    let model = match built.await {
        Ok(Ok(model)) => model,
        Ok(Err(error)) => return tracing::error!("a visitor cannot be served: {error}"),
        Err(error) => return tracing::error!("a visitor cannot be served: {error}"),
    };
    app.metrics.visitors.inc();
    app.metrics.connected("websocket");
    let mut visitor = Visitor::new(app.clone(), place.id.clone(), model, settings, MAX_MESSAGE_LEN);
    visitor.channel_open();
    let end = talk(&mut visitor, &mut place, &mut socket, &mut voices, &overloaded, since).await;
    visitor.log_end(&end, since);
    visitor.farewell(&end);
    close(&mut visitor, &mut socket, &end).await;
    let stopped = tokio::task::spawn_blocking(move || visitor.model.stop());
    if let Err(error) = stopped.await {
        tracing::error!("a visit could not be ended: {error}");
    }
    app.metrics.visitors.dec();
}

async fn talk(
    visitor: &mut Visitor,
    place: &mut Place,
    socket: &mut WebSocket,
    voices: &mut mpsc::Receiver<Voice>,
    overloaded: &Notify,
    since: Instant,
) -> End {
    let mut messages = visitor.model.messages();
    let mut ping = tokio::time::interval(PING_INTERVAL);
    let expires = since + visitor.app.cli.max_duration;
    let mut last_message = since;
    loop {
        let update = visitor.deadline();
        let mut binary = None;
        let result = tokio::select! {
            message = messages.next() => message.map_or(Ok(()), |message| visitor.model_message(&message)),
            voice = voices.recv() => {
                binary = voice.and_then(|voice| speak(visitor, &voice));
                Ok(())
            }
            message = socket.recv() => {
                last_message = Instant::now();
                client_message(visitor, message)
            }
            () = sleep_until(update.unwrap_or(expires)), if update.is_some() => {
                visitor.update_is_due();
                Ok(())
            }
            () = sleep_until(expires) => Err(End::Expired),
            _ = ping.tick() => match last_message.elapsed() >= MAX_IDLE {
                true => Err(End::Lost(format!("nothing was received for {} s", MAX_IDLE.as_secs()))),
                false => send(socket, Message::Ping(Bytes::new())).await,
            },
            () = overloaded.notified() => Err(End::Overloaded),
            () = raised(&mut place.hangup) => Err(End::HangUp),
            () = raised(&mut place.shutdown) => Err(End::Shutdown),
        };
        let result = match (result, binary) {
            (Ok(()), Some(audio)) => send(socket, Message::Binary(audio)).await,
            (result, _) => result,
        };
        if let Err(end) = result {
            return end;
        }
        if let Err(end) = flush(visitor, socket).await {
            return end;
        }
    }
}

/// Speech goes to the client; silence it makes by itself.
fn speak(visitor: &mut Visitor, voice: &Voice) -> Option<Bytes> {
    visitor.voice(voice.samples(), voice.is_silence);
    if voice.is_silence {
        return None;
    }
    let samples = voice.buffer.map_readable().ok()?;
    let mut message = Vec::with_capacity(1 + samples.len());
    message.push(AUDIO);
    message.extend_from_slice(&samples);
    Some(message.into())
}

fn client_message(visitor: &mut Visitor, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
    match message {
        Some(Ok(Message::Text(text))) => visitor.client_text(&text),
        Some(Ok(Message::Binary(data))) => match data.split_first() {
            Some((&AUDIO, samples)) if samples.len() <= MAX_AUDIO_LEN && samples.len() % 2 == 0 => {
                if !samples.is_empty() {
                    visitor.model.push_audio(gst::Buffer::from_slice(data.slice(1..)));
                }
            }
            Some((&FRAME, picture)) if !picture.is_empty() => {
                visitor.model.push_frame(gst::Buffer::from_slice(data.slice(1..)));
            }
            _ => visitor.refuse(
                "invalid_event",
                "A binary message is a byte 0 and at most a second of PCM16 at 24 kHz, or a byte 1 and a JPEG.",
            ),
        },
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
        Some(Ok(Message::Close(_))) | None => return Err(End::HangUp),
        Some(Err(error)) => return Err(End::Lost(error.to_string())),
    }
    Ok(())
}

async fn flush(visitor: &mut Visitor, socket: &mut WebSocket) -> Result<(), End> {
    for out in visitor.take_out() {
        let (Out::Event(text) | Out::Notice(text)) = out;
        send(socket, Message::Text(Utf8Bytes::from(text))).await?;
    }
    Ok(())
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Lost(error.to_string())),
        Err(_) => Err(End::Overloaded),
    }
}

async fn close(visitor: &mut Visitor, socket: &mut WebSocket, end: &End) {
    if flush(visitor, socket).await.is_err() {
        return;
    }
    let code = if end.is_failure() { close_code::ERROR } else { close_code::NORMAL };
    // Whoever is gone needs no good-bye.
    let _ = send(socket, Message::Close(Some(CloseFrame { code, reason: end.reason().into() }))).await;
}

const _: () = assert!(MAX_CLIENT_EVENT_LEN < MAX_MESSAGE_LEN, "a long event is refused, not the connection");
