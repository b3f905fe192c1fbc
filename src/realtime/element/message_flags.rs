// SPDX-License-Identifier: MPL-2.0

//! The flags of the property `messages`.

use gst::glib;

/// `messages`: the element messages that are posted.
#[glib::flags(name = "GstOpenAIRealtimeMessages")]
pub enum Messages {
    /// `openairealtime/session`.
    #[flags_value(name = "Session: the state of the session", nick = "session")]
    SESSION = 1 << 0,
    /// `openairealtime/speech`.
    #[flags_value(name = "Speech: the user begins or ends to speak", nick = "speech")]
    SPEECH = 1 << 1,
    /// `openairealtime/transcript`.
    #[flags_value(name = "Transcript: the words of both sides", nick = "transcript")]
    TRANSCRIPT = 1 << 2,
    /// `openairealtime/response`.
    #[flags_value(name = "Response: a response begins or ends", nick = "response")]
    RESPONSE = 1 << 3,
    /// `openairealtime/interrupted`.
    #[flags_value(name = "Interrupted: a response is interrupted", nick = "interrupted")]
    INTERRUPTED = 1 << 4,
    /// `openairealtime/function-call`.
    #[flags_value(name = "Function Call: the model calls a function", nick = "function-call")]
    FUNCTION_CALL = 1 << 5,
    /// `openairealtime/frame`.
    #[flags_value(name = "Frame: what became of a video frame", nick = "frame")]
    FRAME = 1 << 6,
    /// `openairealtime/usage`.
    #[flags_value(name = "Usage: tokens and cost of a response", nick = "usage")]
    USAGE = 1 << 7,
    /// `openairealtime/rate-limits`.
    #[flags_value(name = "Rate Limits: limits of the account", nick = "rate-limits")]
    RATE_LIMITS = 1 << 8,
    /// `openairealtime/event`.
    #[flags_value(name = "Event: events of the wire, with raw-events", nick = "event")]
    EVENT = 1 << 9,
    /// `openairealtime/turn`.
    #[flags_value(name = "Turn: the latencies of a turn", nick = "turn")]
    TURN = 1 << 10,
    /// `openairealtime/translation-delay`.
    #[flags_value(name = "Translation Delay: how far the interpretation is behind", nick = "translation-delay")]
    TRANSLATION_DELAY = 1 << 11,
}

impl Default for Messages {
    fn default() -> Self {
        Self::all()
    }
}

impl Messages {
    /// Whether a message of this name is posted. Those that have no flag are.
    pub(crate) fn have(self, name: &str) -> bool {
        let flag = match name.strip_prefix("openairealtime/").unwrap_or_default() {
            "session" => Self::SESSION,
            "speech" => Self::SPEECH,
            "transcript" => Self::TRANSCRIPT,
            "response" => Self::RESPONSE,
            "interrupted" => Self::INTERRUPTED,
            "function-call" => Self::FUNCTION_CALL,
            "frame" => Self::FRAME,
            "usage" => Self::USAGE,
            "rate-limits" => Self::RATE_LIMITS,
            "event" => Self::EVENT,
            "turn" => Self::TURN,
            "translation-delay" => Self::TRANSLATION_DELAY,
            _ => return true,
        };
        self.contains(flag)
    }
}
