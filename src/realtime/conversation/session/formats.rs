// SPDX-License-Identifier: MPL-2.0

//! Audio formats that the server tells. Where they are not the requested ones, a warning is posted once for each, and the
//! model's audio is converted.

use crate::audio::format_converter::Converter;
use crate::realtime::conversation::context::Ctx;
use openai_protocol::Session;
use openai_protocol::session::AudioFormat;

/// Formats of a session that differ from the requested ones.
#[derive(Debug, Default)]
pub(crate) struct Formats {
    /// Format of the model's audio.
    output: Option<AudioFormat>,
    /// The wrong formats that warnings were posted about.
    input_warned: Option<AudioFormat>,
    output_warned: Option<AudioFormat>,
}

impl Formats {
    /// A new session is opened.
    pub fn session_opened(&mut self) {
        (self.output, self.output_warned) = (None, None);
    }

    /// Format of the model's audio, if the session tells another one than was requested.
    pub fn output(&self) -> Option<&AudioFormat> {
        self.output.as_ref()
    }

    /// `session.updated`, while no other update is under way.
    pub fn session_updated(&mut self, session: &Session, ctx: &mut Ctx) {
        let requested = &ctx.config.input;
        let is_warned = |told: &AudioFormat| self.input_warned.as_ref() == Some(told);
        if let Some(told) = session.input_format().filter(|told| !is_warned(told) && told != requested) {
            let message = format!(
                "the server takes the user's sound for {}, and it is {}: it will hear noise",
                told.describe(),
                requested.describe()
            );
            self.input_warned = Some(told);
            ctx.warn("other-input-format", message);
        }
        if let Some(told) = session.output_format() {
            self.check_output(Some(&told), ctx);
            self.output = Some(told).filter(|told| *told != ctx.config.output);
        }
    }

    /// A session or response tells the format of the model's audio.
    pub fn check_output(&mut self, told: Option<&AudioFormat>, ctx: &mut Ctx) {
        let requested = &ctx.config.output;
        let Some(told) = told.filter(|told| *told != requested) else { return };
        if self.output_warned.as_ref() == Some(told) {
            return;
        }
        self.output_warned = Some(told.clone());
        let what = match Converter::new(told, requested) {
            Some(_) => "it is converted",
            None => "it cannot be converted, and is played as it comes",
        };
        let message = format!(
            "the server says that its sound is {}, and {} was asked for: {what}",
            told.describe(),
            requested.describe()
        );
        ctx.warn("other-output-format", message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;
    use crate::types::Timing;

    #[test]
    fn another_format_is_reported_once_in_a_session() {
        let (mut formats, mut fixture) = (Formats::default(), Fixture::new(Timing::Live));
        formats.check_output(Some(&AudioFormat::Pcm), &mut fixture.ctx());
        assert!(fixture.warnings().is_empty(), "it is the requested one");
        for _ in 0..2 {
            formats.check_output(Some(&AudioFormat::Pcmu), &mut fixture.ctx());
        }
        assert_eq!(fixture.warnings(), ["other-output-format"]);
        formats.session_opened();
        formats.check_output(Some(&AudioFormat::Pcmu), &mut fixture.ctx());
        assert_eq!(fixture.warnings(), ["other-output-format"]);
    }
}
