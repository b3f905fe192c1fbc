// SPDX-License-Identifier: MPL-2.0

//! The pipeline with `webrtcbin`: the visitor's peer.
//!
//! The answer comes without trickle ICE, with all candidates in it, as OpenAI's does. Audio is let through to the peer
//! only once it is connected; before, a little silence gives the payloader its caps, because an answer without `a=ssrc`
//! leaves Chromium without sound where audio and video share a transport.

use super::offer::Offer;
use super::received::{prefer_codec, receive_media};
use super::{SharedClock, audio_caps};
use crate::cli::IceTransportPolicy;
use gst::prelude::*;
use gst_webrtc::{WebRTCDataChannel, WebRTCICEGatheringState, WebRTCPeerConnectionState, WebRTCSessionDescription};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How long candidates are gathered. Those of a STUN or TURN server that does not answer by then are left out.
const MAX_GATHERING: Duration = Duration::from_secs(2);
/// How long a step of the negotiation may take inside of `webrtcbin`.
const MAX_STEP: Duration = Duration::from_secs(10);
/// Delay of the jitter buffer. A Realtime API is not in a hurry for single packets, but every turn waits for it.
const JITTER_LATENCY_MS: u32 = 60;
/// One frame of Opus.
const OPUS_FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// How peers are reached.
#[derive(Clone, Debug, Default)]
pub struct PeerConfig {
    /// URI of a STUN server.
    pub stun: Option<String>,
    /// URIs of TURN servers.
    pub turn: Vec<String>,
    /// Which ways media may take.
    pub ice_transport_policy: IceTransportPolicy,
    /// First and last UDP port.
    pub udp_ports: Option<(u16, u16)>,
}

/// What a peer has to tell, from threads of its own.
#[derive(Debug)]
pub enum PeerEvent {
    /// Media flow from now on.
    Connected,
    /// The transport is gone.
    Disconnected(&'static str),
    /// A data channel is open.
    ChannelOpen(WebRTCDataChannel),
    /// The channel for the API's events is closed.
    ChannelClosed,
    /// A message of the client.
    Text(String),
    /// A message that is no text, of so many bytes.
    Binary(usize),
}

/// Takes events on the threads of `webrtcbin`; must not block.
pub type OnEvent = Arc<dyn Fn(PeerEvent) + Send + Sync>;

/// Why there is no answer to an offer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// GStreamer does not build the pipeline.
    #[error("the pipeline cannot be built: {0}")]
    Build(#[from] gst::glib::BoolError),
    /// `webrtcbin` refuses a description.
    #[error("{0}")]
    Negotiation(String),
    /// A step took too long.
    #[error("{0} took too long")]
    Timeout(&'static str),
}

/// The pipeline. [`Peer::stop`] ends it; dropping it does so too, on whatever thread that is.
pub struct Peer {
    pipeline: gst::Pipeline,
    web: gst::Element,
    /// `webrtcbin` of GStreamer 1.22 crashes later where this reference is given up during a call.
    _ice: Option<gst::Object>,
    voice: gst_app::AppSrc,
    valve: gst::Element,
    has_caps: watch::Receiver<bool>,
    gathering: watch::Receiver<bool>,
    candidates: Vec<String>,
    clock: SharedClock,
    /// Running time of the last packet from the network, in nanoseconds.
    last_packet: Arc<AtomicU64>,
}

impl Peer {
    /// Builds the pipeline for an offer. The visitor's audio and pictures go to these sources.
    pub fn new(
        config: &PeerConfig,
        offer: &Offer,
        clock: &SharedClock,
        (microphone, camera): (gst_app::AppSrc, gst_app::AppSrc),
        on_event: OnEvent,
    ) -> Result<Self, PeerError> {
        let payload = offer.opus_payload;
        // Forward error correction is of use only where packets are said to get lost.
        let description = format!(
            "webrtcbin name=web bundle-policy=max-bundle latency={JITTER_LATENCY_MS} \
             appsrc name=voice is-live=true format=time max-bytes=0 \
             ! opusenc audio-type=voice frame-size=20 bitrate=32000 dtx=true inband-fec=true packet-loss-percentage=5 \
             ! rtpopuspay pt={payload} dtx=true \
             ! application/x-rtp,media=audio,encoding-name=OPUS,payload={payload} \
             ! valve name=valve drop=true drop-mode=forward-sticky-events ! web."
        );
        let pipeline = gst::parse::launch(&description)
            .map_err(|error| gst::glib::bool_error!("{error}"))?
            .downcast::<gst::Pipeline>()
            .map_err(|_| gst::glib::bool_error!("not a pipeline"))?;
        clock.apply(&pipeline);
        // Audio comes ahead of the clock and leaves by it; what incoming audio needs for its jitter must not delay it.
        pipeline.set_latency(gst::ClockTime::ZERO);
        let by_name =
            |name: &str| pipeline.by_name(name).unwrap_or_else(|| unreachable!("{name} is in the description"));
        let (web, valve) = (by_name("web"), by_name("valve"));
        let voice = by_name("voice").downcast::<gst_app::AppSrc>().unwrap_or_else(|_| unreachable!("an appsrc"));
        voice.set_caps(Some(&audio_caps()));
        configure(&web, config);
        let ice = ice_agent(&web, config);
        let last_packet = Arc::new(AtomicU64::new(clock.running_time().nseconds()));
        watch_network(&web, clock, &last_packet);
        watch_connection(&web, &on_event);
        watch_channels(&web, &on_event);
        receive_media(&web, microphone, camera);
        prefer_codec(&web, offer.video);
        let (has_caps, gathering) = (watch_caps(&valve), watch_gathering(&web));
        let clock = clock.clone();
        let candidates = offer.candidates.clone();
        Ok(Self { pipeline, web, _ice: ice, voice, valve, has_caps, gathering, candidates, clock, last_packet })
    }

    /// Messages of the pipeline, in order.
    pub fn messages(&self) -> impl futures_util::Stream<Item = gst::Message> + Send + Unpin + use<> {
        let bus = self.pipeline.bus().unwrap_or_else(|| unreachable!("every pipeline has a bus"));
        bus.stream()
    }

    /// The answer to the offer, complete with candidates.
    pub async fn answer(&self, offer: gst_sdp::SDPMessage) -> Result<String, PeerError> {
        self.pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| PeerError::Negotiation("the pipeline does not start".into()))?;
        self.push_voice(silence(self.clock.running_time()));
        let offer = WebRTCSessionDescription::new(gst_webrtc::WebRTCSDPType::Offer, offer);
        let (promise, reply) = gst::Promise::new_future();
        self.web.emit_by_name::<()>("set-remote-description", &[&offer, &promise]);
        step("setting the offer", reply).await?;
        let mut has_caps = self.has_caps.clone();
        if !matches!(tokio::time::timeout(MAX_STEP, has_caps.wait_for(|has_caps| *has_caps)).await, Ok(Ok(_))) {
            return Err(PeerError::Timeout("coding audio"));
        }
        let (promise, reply) = gst::Promise::new_future();
        self.web.emit_by_name::<()>("create-answer", &[&None::<gst::Structure>, &promise]);
        let reply = step("making the answer", reply).await?;
        let answer = reply.and_then(|reply| reply.get::<WebRTCSessionDescription>("answer").ok());
        let answer = answer.ok_or_else(|| PeerError::Negotiation("there is no answer to the offer".into()))?;
        let (promise, reply) = gst::Promise::new_future();
        self.web.emit_by_name::<()>("set-local-description", &[&answer, &promise]);
        step("setting the answer", reply).await?;
        // What has been gathered by then is in the answer in any case.
        let mut gathering = self.gathering.clone();
        let _ = tokio::time::timeout(MAX_GATHERING, gathering.wait_for(|is_complete| *is_complete)).await;
        let answer = self.web.property::<Option<WebRTCSessionDescription>>("local-description");
        let text = answer.and_then(|answer| answer.sdp().as_text().ok());
        text.ok_or_else(|| PeerError::Negotiation("the answer is no text".into()))
    }

    /// Looks for the client, once it has the answer: one that does not know the credentials of the answer yet cannot reply, and
    /// the ICE agent gives up after some seconds.
    pub fn connect(&self) {
        for candidate in &self.candidates {
            self.web.emit_by_name::<()>("add-ice-candidate", &[&0_u32, candidate]);
        }
    }

    /// Lets audio through, from the moment at which the peer is connected.
    pub fn open(&self) {
        self.valve.set_property("drop", false);
    }

    /// The pipeline's latency has changed.
    pub fn recalculate_latency(&self) {
        if let Err(error) = self.pipeline.recalculate_latency() {
            tracing::debug!("the latency of a peer is not known: {error}");
        }
    }

    /// Where the model's voice goes; its timestamps are running times.
    pub fn voice(&self) -> gst_app::AppSrc {
        self.voice.clone()
    }

    fn push_voice(&self, buffer: gst::Buffer) {
        super::model::push(&self.voice, buffer);
    }

    /// For how long nothing came from the network.
    pub fn idle_time(&self) -> Duration {
        let last = gst::ClockTime::from_nseconds(self.last_packet.load(Ordering::Relaxed));
        self.clock.running_time().saturating_sub(last).into()
    }

    /// Ends the connection and frees its sockets. Blocks for some 50 ms.
    pub fn stop(&self) {
        // To NULL is always possible.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A reply of `webrtcbin`, which may be an error.
async fn step<R: std::ops::Deref<Target = gst::StructureRef>>(
    what: &'static str,
    reply: impl Future<Output = Result<Option<R>, gst::PromiseError>>,
) -> Result<Option<gst::Structure>, PeerError> {
    let reply = tokio::time::timeout(MAX_STEP, reply).await.map_err(|_| PeerError::Timeout(what))?;
    let reply = reply.map_err(|error| PeerError::Negotiation(format!("{what}: {error:?}")))?;
    match reply.as_ref().and_then(|reply| reply.get::<gst::glib::Error>("error").ok()) {
        Some(error) => Err(PeerError::Negotiation(format!("{what}: {}", error.message()))),
        None => Ok(reply.map(|reply| reply.to_owned())),
    }
}

fn silence(pts: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![0_u8; 960 * 2]);
    let buffer_mut = buffer.make_mut();
    buffer_mut.set_pts(pts);
    buffer_mut.set_duration(OPUS_FRAME * 2);
    buffer
}

fn configure(web: &gst::Element, config: &PeerConfig) {
    if let Some(stun) = &config.stun {
        web.set_property("stun-server", stun);
    }
    if config.ice_transport_policy == IceTransportPolicy::Relay {
        web.set_property_from_str("ice-transport-policy", "relay");
    }
    for turn in &config.turn {
        if !web.emit_by_name::<bool>("add-turn-server", &[turn]) {
            tracing::error!("the TURN server given by --turn is not taken; escape special characters of the password");
        }
    }
}

fn ice_agent(web: &gst::Element, config: &PeerConfig) -> Option<gst::Object> {
    let ice = web.property::<Option<gst::Object>>("ice-agent")?;
    if let Some((first, last)) = config.udp_ports {
        ice.set_property("min-rtp-port", u32::from(first));
        ice.set_property("max-rtp-port", u32::from(last));
    }
    if ice.find_property("agent").is_some()
        && let Some(agent) = ice.property::<Option<gst::glib::Object>>("agent")
        && agent.find_property("upnp").is_some()
    {
        // Asking for a router costs every call 0.2 s.
        agent.set_property("upnp", false);
    }
    Some(ice)
}

/// Whether anything comes from the network: media, RTCP or data.
fn watch_network(web: &gst::Element, clock: &SharedClock, last_packet: &Arc<AtomicU64>) {
    let Some(bin) = web.downcast_ref::<gst::Bin>() else { return };
    let (clock, last_packet) = (clock.clone(), last_packet.clone());
    bin.connect_deep_element_added(move |_, _, element| {
        if element.factory().is_none_or(|factory| factory.name() != "nicesrc") {
            return;
        }
        let Some(pad) = element.static_pad("src") else { return };
        let (clock, last_packet) = (clock.clone(), last_packet.clone());
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, _| {
            last_packet.store(clock.running_time().nseconds(), Ordering::Relaxed);
            gst::PadProbeReturn::Ok
        });
    });
}

fn watch_connection(web: &gst::Element, on_event: &OnEvent) {
    let on_event = on_event.clone();
    web.connect_notify(Some("connection-state"), move |web, _| {
        match web.property::<WebRTCPeerConnectionState>("connection-state") {
            WebRTCPeerConnectionState::Connected => on_event(PeerEvent::Connected),
            WebRTCPeerConnectionState::Failed => on_event(PeerEvent::Disconnected("ICE or DTLS failed")),
            WebRTCPeerConnectionState::Closed => on_event(PeerEvent::Disconnected("closed by the peer")),
            // Disconnected may be passing; the watch for packets ends what stays so.
            _ => {}
        }
    });
}

fn watch_channels(web: &gst::Element, on_event: &OnEvent) {
    let on_event = on_event.clone();
    web.connect("on-data-channel", false, move |values| {
        let channel = values.get(1)?.get::<WebRTCDataChannel>().ok()?;
        let is_notices = channel.label().as_deref() == Some(crate::events::notice::LABEL);
        if !is_notices {
            let events = on_event.clone();
            channel.connect_on_message_string(move |_, text| {
                events(PeerEvent::Text(text.unwrap_or_default().to_owned()));
            });
            let events = on_event.clone();
            channel
                .connect_on_message_data(move |_, data| events(PeerEvent::Binary(data.map_or(0, |data| data.len()))));
            let events = on_event.clone();
            channel.connect_on_close(move |_| events(PeerEvent::ChannelClosed));
        }
        // A channel that the peer made is open.
        on_event(PeerEvent::ChannelOpen(channel));
        None
    });
}

/// Whether `webrtcbin` has the payloader's caps, with its SSRC: only then does it find the offer's audio section for them.
fn watch_caps(valve: &gst::Element) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    if let Some(pad) = valve.static_pad("src").and_then(|pad| pad.peer()) {
        pad.connect_caps_notify(move |pad| {
            let has_ssrc = pad
                .current_caps()
                .is_some_and(|caps| caps.structure(0).is_some_and(|structure| structure.has_field("ssrc")));
            if has_ssrc {
                sender.send_replace(true);
            }
        });
    }
    receiver
}

fn watch_gathering(web: &gst::Element) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    web.connect_notify(Some("ice-gathering-state"), move |web, _| {
        let state = web.property::<WebRTCICEGatheringState>("ice-gathering-state");
        sender.send_replace(state == WebRTCICEGatheringState::Complete);
    });
    receiver
}
