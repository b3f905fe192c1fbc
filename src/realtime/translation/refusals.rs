// SPDX-License-Identifier: MPL-2.0

//! Input that means nothing in a translation session, and is left out with a warning, or makes it impossible.

use crate::realtime::conversation::io::Command;
use crate::realtime::translation::{Translation, wrong_format};
use openai_protocol::session::AudioFormat;

impl Translation {
    pub(crate) fn refuse_frame(&mut self) {
        if !std::mem::replace(&mut self.warned_of_frames, true) {
            self.outbox.warn("no-frames", "a translation session takes no pictures: they are left out");
        }
    }

    pub(crate) fn refuse_format(&mut self, format: &AudioFormat) {
        if *format != AudioFormat::Pcm {
            self.fail(wrong_format("audio_sink", format));
        }
    }

    pub(crate) fn refuse_command(&mut self, command: &Command) {
        let name = match command {
            Command::Text { .. } => "text",
            Command::Commit => "commit",
            Command::Clear => "clear",
            Command::CreateResponse(_) => "create-response",
            Command::CancelResponse => "cancel-response",
            Command::FunctionOutput { .. } => "send-function-output",
            Command::Approve { .. } => "approve",
            Command::SendFrame(_) => "send-frame",
            Command::Event(event) => event.name(),
        };
        let message = format!("{name} is left out: a translation session has no turns, messages or responses");
        self.outbox.warn("not-in-translation", message);
    }
}
