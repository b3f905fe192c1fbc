// SPDX-License-Identifier: MPL-2.0

//! A visitor by WebRTC: from the offer to the end of the call.

use super::end::End;
use super::{MAX_WAITING_EVENTS, Out, Request, Visitor};
use crate::app::App;
use crate::events::notice;
use crate::media::SharedClock;
use crate::media::model::Model;
use crate::media::offer::Offer;
use crate::media::peer::{OnEvent, Peer, PeerError, PeerEvent};
use crate::registry::{Place, raised};
use futures_util::StreamExt;
use gst::prelude::*;
use gst_webrtc::WebRTCDataChannel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// How long the session and the answer may take together.
const MAX_CONNECT: Duration = Duration::from_secs(20);
/// How long a client may take from the answer to its connection.
const MAX_ICE: Duration = Duration::from_secs(20);
/// A peer of which nothing comes for so long is gone: RTCP comes every few seconds even where nobody speaks.
const MAX_IDLE: Duration = Duration::from_secs(15);
/// How often that is looked at.
const IDLE_CHECK: Duration = Duration::from_secs(1);
/// Bytes that wait on a data channel. A client that does not read them is cut off.
const MAX_BUFFERED: u64 = 4 * 1024 * 1024;
/// Data channels that a client may open in a call; two are of use.
const MAX_CHANNELS: usize = 64;
/// How long the farewell may take on its way, and the peer to close its side of the channels.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// What was sent last has so much time to be delivered before its channel is closed.
const FAREWELL: Duration = Duration::from_millis(200);
/// How often that is looked at.
const CLOSE_CHECK: Duration = Duration::from_millis(5);

/// What the pipelines' threads tell the visitor's task.
enum Event {
    Peer(PeerEvent),
    Voice { samples: u64, is_silence: bool },
}

/// The answer, or why there is none.
pub type Answered = Result<String, End>;

/// A call that is under way.
struct Call {
    visitor: Visitor,
    peer: Arc<Peer>,
    channel: Option<WebRTCDataChannel>,
    notices: Option<WebRTCDataChannel>,
    /// All data channels. Threads of `webrtcbin` in GStreamer 1.22 use a channel without a reference of their own, so that one
    /// that is given up before the pipeline has ended is used after it is freed.
    opened: Vec<WebRTCDataChannel>,
    /// Notices for a channel that is not open so far.
    early_notices: Vec<String>,
    is_connected: bool,
    /// When the call ends if the client does not connect.
    connect_by: Instant,
}

/// Starts a call; its answer comes when its session is ready and all candidates are known.
pub fn start(app: &Arc<App>, place: Place, offer: Offer, request: Request) -> oneshot::Receiver<Answered> {
    let (answered, answer) = oneshot::channel();
    let app = app.clone();
    tokio::spawn(async move {
        app.metrics.visitors.inc();
        run(&app, place, offer, request, answered).await;
        app.metrics.visitors.dec();
    });
    answer
}

async fn run(app: &Arc<App>, mut place: Place, offer: Offer, request: Request, answered: oneshot::Sender<Answered>) {
    let since = Instant::now();
    let (sender, mut events) = mpsc::channel(MAX_WAITING_EVENTS);
    let overloaded = Arc::new(Notify::new());
    let (config, max_message_len) = (app.peer_config(), offer.max_message_len);
    let (settings, model_config) = request.resolve(app);
    let description = offer.description.clone();
    let on_full = overloaded.clone();
    // Building pipelines loads plugins and opens sockets.
    let built = tokio::task::spawn_blocking(move || -> Result<(Model, Peer), PeerError> {
        let clock = SharedClock::new();
        let voice_out = Arc::new(OnceLock::<gst_app::AppSrc>::new());
        let (to_peer, to_task, full) = (voice_out.clone(), sender.clone(), on_full.clone());
        let model = Model::new(&model_config, &clock, move |voice| {
            tell(&to_task, &full, Event::Voice { samples: voice.samples(), is_silence: voice.is_silence });
            if let Some(peer) = to_peer.get() {
                crate::media::model::push(peer, voice.buffer);
            }
        })?;
        let on_event: OnEvent = Arc::new(move |event| tell(&sender, &on_full, Event::Peer(event)));
        let peer = Peer::new(&config, &offer, &clock, (model.microphone(), model.camera()), on_event)?;
        // Set once, here.
        let _ = voice_out.set(peer.voice());
        model.start();
        Ok((model, peer))
    });
    let (model, peer) = match built.await {
        Ok(Ok(built)) => built,
        Ok(Err(error)) => return refuse(app, answered, End::Media(error.to_string())),
        Err(error) => return refuse(app, answered, End::Media(error.to_string())),
    };
    let mut call = Call {
        visitor: Visitor::new(app.clone(), place.id.clone(), model, settings, max_message_len),
        peer: Arc::new(peer),
        channel: None,
        notices: None,
        opened: Vec::new(),
        early_notices: Vec::new(),
        is_connected: false,
        connect_by: since + MAX_CONNECT,
    };
    let end = call.talk(&mut place, &mut events, &overloaded, description, answered, since).await;
    // Channels that were opened in the last moment are kept as well.
    while let Ok(event) = events.try_recv() {
        if let Event::Peer(PeerEvent::ChannelOpen(channel)) = event {
            call.opened.push(channel);
        }
    }
    call.visitor.log_end(&end, since);
    call.close(&end).await;
}

fn refuse(app: &App, answered: oneshot::Sender<Answered>, end: End) {
    tracing::error!("a call does not come about: {}", end.detail());
    app.metrics.ended(end.reason());
    // The client may be gone.
    let _ = answered.send(Err(end));
}

/// Hands an event over, from a thread that must not wait.
fn tell(sender: &mpsc::Sender<Event>, overloaded: &Notify, event: Event) {
    if let Err(mpsc::error::TrySendError::Full(_)) = sender.try_send(event) {
        overloaded.notify_one();
    }
}

impl Call {
    async fn talk(
        &mut self,
        place: &mut Place,
        events: &mut mpsc::Receiver<Event>,
        overloaded: &Notify,
        offer: gst_sdp::SDPMessage,
        answered: oneshot::Sender<Answered>,
        since: Instant,
    ) -> End {
        let mut model_messages = self.visitor.model.messages();
        let mut peer_messages = self.peer.messages();
        let mut idle_check = tokio::time::interval(IDLE_CHECK);
        let expires = since + self.visitor.app.cli.max_duration;
        let peer = self.peer.clone();
        let mut negotiation = Box::pin(async move { peer.answer(offer).await });
        let (mut answered, mut answer) = (Some(answered), None);
        let end = loop {
            let update = self.visitor.deadline();
            let result = tokio::select! {
                message = model_messages.next() => match message {
                    Some(message) => self.visitor.model_message(&message),
                    None => Err(End::Media("the pipeline has no bus any more".into())),
                },
                message = peer_messages.next() => message.map_or(Ok(()), |message| self.peer_message(&message)),
                event = events.recv() => event.map_or(Ok(()), |event| self.event(event)),
                result = &mut negotiation, if answer.is_none() => {
                    result.map(|text| answer = Some(text)).map_err(|error| End::Media(error.to_string()))
                }
                () = sleep_until(update.unwrap_or(expires)), if update.is_some() => {
                    self.visitor.update_is_due();
                    Ok(())
                }
                () = sleep_until(expires) => Err(End::Expired),
                _ = idle_check.tick() => self.check(answered.is_some()),
                () = overloaded.notified() => Err(End::Overloaded),
                () = abandoned(answered.as_mut()) => Err(End::Lost("the client did not wait for the answer".into())),
                () = raised(&mut place.hangup) => Err(End::HangUp),
                () = raised(&mut place.shutdown) => Err(End::Shutdown),
            };
            if let Err(end) = result.and_then(|()| self.flush()) {
                break end;
            }
            if self.visitor.is_ready
                && let Some(answer) = &answer
                && let Some(answered) = answered.take()
            {
                self.answer_is_ready(since);
                // If the client is gone by now, it does not connect either.
                let _ = answered.send(Ok(answer.clone()));
                self.peer.connect();
            }
        };
        if let Some(answered) = answered {
            let _ = answered.send(Err(end.clone()));
        }
        end
    }

    /// Both sides are ready: now it is the client's turn to connect.
    fn answer_is_ready(&mut self, since: Instant) {
        let metrics = &self.visitor.app.metrics;
        metrics.connected("webrtc");
        metrics.connect_seconds.observe(since.elapsed().as_secs_f64());
        self.connect_by = Instant::now() + MAX_ICE;
    }

    fn event(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Voice { samples, is_silence } => self.visitor.voice(samples, is_silence),
            Event::Peer(PeerEvent::Connected) => {
                self.is_connected = true;
                self.peer.open();
            }
            Event::Peer(PeerEvent::Disconnected(why)) => return Err(End::Lost(why.into())),
            Event::Peer(PeerEvent::ChannelOpen(_)) if self.opened.len() >= MAX_CHANNELS => return Err(End::Overloaded),
            Event::Peer(PeerEvent::ChannelOpen(channel)) => self.channel_open(channel),
            Event::Peer(PeerEvent::ChannelClosed) => return Err(End::HangUp),
            Event::Peer(PeerEvent::Text(text)) => self.visitor.client_text(&text),
            Event::Peer(PeerEvent::Binary(len)) => {
                let message = format!("A message of {len} bytes is no text; events are sent as text.");
                self.visitor.refuse("invalid_event", &message);
            }
        }
        Ok(())
    }

    fn channel_open(&mut self, channel: WebRTCDataChannel) {
        self.opened.push(channel.clone());
        if channel.label().as_deref() == Some(notice::LABEL) {
            for notice in self.early_notices.drain(..) {
                // A channel that breaks takes the call with it.
                let _ = channel.send_string_full(Some(&notice));
            }
            self.notices = Some(channel);
        } else if self.channel.is_none() {
            self.channel = Some(channel);
            self.visitor.channel_open();
        }
    }

    fn peer_message(&mut self, message: &gst::Message) -> Result<(), End> {
        match message.view() {
            gst::MessageView::Error(error) => {
                let source = error.src().map(|source| source.name().to_string()).unwrap_or_default();
                // A page that is closed ends its association, and what is still written fails.
                if source.starts_with("sctp") {
                    return Err(End::HangUp);
                }
                if source.starts_with("dtls") || source.starts_with("nice") {
                    return Err(End::Lost("the peer is gone".into()));
                }
                tracing::debug!("{}: {source}: {:?}", self.visitor.id, error.debug());
                Err(End::Media(format!("media failed: {}", error.error().message())))
            }
            gst::MessageView::Latency(_) => {
                self.peer.recalculate_latency();
                Ok(())
            }
            gst::MessageView::Warning(warning) => {
                tracing::debug!("{}: {}", self.visitor.id, warning.error().message());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether the client is still there.
    fn check(&self, is_connecting: bool) -> Result<(), End> {
        if !self.is_connected && Instant::now() >= self.connect_by {
            return Err(if is_connecting {
                End::Upstream { code: "upstream_unreachable", message: "the session did not come about in time".into() }
            } else {
                End::NeverConnected
            });
        }
        if self.is_connected && self.peer.idle_time() >= MAX_IDLE {
            return Err(End::Lost(format!("nothing was received for {} s", MAX_IDLE.as_secs())));
        }
        Ok(())
    }

    /// Sends what is to be sent.
    fn flush(&mut self) -> Result<(), End> {
        for out in self.visitor.take_out() {
            match (out, &self.channel, &self.notices) {
                (Out::Event(text), Some(channel), _) | (Out::Notice(text), _, Some(channel)) => send(channel, &text)?,
                (Out::Notice(text), _, None) if self.early_notices.len() < 32 && !self.is_connected => {
                    self.early_notices.push(text);
                }
                // A client without this channel does not want these.
                _ => {}
            }
        }
        Ok(())
    }

    /// Says good-bye and frees everything.
    async fn close(mut self, end: &End) {
        self.visitor.farewell(end);
        // The channel may be gone, and then nobody is there to tell.
        let _ = self.flush();
        let channels: Vec<_> = self.channel.take().into_iter().chain(self.notices.take()).collect();
        let waits = !matches!(end, End::Lost(_)) && !channels.is_empty();
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        while waits && channels.iter().any(|channel| channel.buffered_amount() > 0) && Instant::now() < deadline {
            tokio::time::sleep(CLOSE_CHECK).await;
        }
        if waits {
            // Clients with `webrtcbin` drop what a channel has received and not delivered when it is closed.
            tokio::time::sleep(FAREWELL).await;
        }
        for channel in &channels {
            channel.close();
        }
        let is_open = |channel: &WebRTCDataChannel| channel.ready_state() != gst_webrtc::WebRTCDataChannelState::Closed;
        while waits && channels.iter().any(is_open) && Instant::now() < deadline {
            tokio::time::sleep(CLOSE_CHECK).await;
        }
        let stopped = tokio::task::spawn_blocking(move || {
            self.peer.stop();
            self.visitor.model.stop();
            drop(self.opened);
        });
        if let Err(error) = stopped.await {
            tracing::error!("a call could not be ended: {error}");
        }
    }
}

/// Waits until whoever made the offer does not wait for the answer any more.
async fn abandoned(answered: Option<&mut oneshot::Sender<Answered>>) {
    match answered {
        Some(answered) => answered.closed().await,
        None => std::future::pending().await,
    }
}

fn send(channel: &WebRTCDataChannel, text: &str) -> Result<(), End> {
    if channel.buffered_amount() > MAX_BUFFERED {
        return Err(End::Overloaded);
    }
    channel.send_string_full(Some(text)).map_err(|error| End::Lost(error.message().to_owned()))
}
