// SPDX-License-Identifier: MPL-2.0

//! A conversation whose session is ready.

use gstopenairealtime::realtime::conversation::config::{Config, Detection, FrameConfig};
use gstopenairealtime::realtime::conversation::{Conversation, Input};
use gstopenairealtime::types::Timing;
use openai_protocol::session::AudioFormat;
use openai_protocol::{ServerEvent, Session};
use std::time::{Duration, Instant};

/// A live conversation, and the time at which it became ready.
pub fn conversation(detection: Detection, frames: FrameConfig) -> (Conversation, Instant) {
    let now = Instant::now();
    let config = Config {
        session: Session::default(),
        translation: None,
        model: "gpt-realtime".into(),
        detection,
        timing: Timing::Live,
        input: AudioFormat::Pcm,
        output: AudioFormat::Pcm,
        create_response: true,
        interrupt_response: true,
        respond_on_eos: true,
        drain_timeout: Duration::from_secs(30),
        tool_timeout: None,
        time_of_day: Duration::ZERO,
        alignment_threshold: Duration::from_millis(40),
        discont_wait: Duration::from_secs(1),
        max_speed: 0.0,
        transcribes: true,
        requests_per_minute: 0,
        max_cost: 0.0,
        reconnects: false,
        max_session_duration: Duration::ZERO,
        replays_frames: false,
        server_responds: true,
        frames,
    };
    let mut conversation = Conversation::new(config, now);
    conversation.handle(Input::Connected { timeout: Duration::from_secs(10) }, now);
    let ready = ServerEvent::from_json(r#"{"type":"session.updated","session":{}}"#).expect("an event");
    conversation.handle(Input::Server(Box::new(ready)), now);
    while conversation.poll().is_some() {}
    (conversation, now)
}
