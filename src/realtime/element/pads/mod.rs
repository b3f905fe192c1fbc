// SPDX-License-Identifier: MPL-2.0

//! The pads: what there are, those that come and go on request, and when all input has ended.

pub(crate) mod audio_sink;
pub(crate) mod audio_src;
pub(crate) mod crossing;
pub(crate) mod events;
pub(crate) mod text;
pub(crate) mod video_sink;

use crate::media;
use crate::realtime::conversation::Input;
use crate::realtime::element::imp::{CAT, OpenAIRealtime};
use crate::realtime::element::pads::text::TextPadKind;
use crate::realtime::element::pads::video_sink::VideoPad;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::LazyLock;

/// Ends the input of a sink pad when it is unlinked, so that nothing waits for it.
pub fn ends_when_unlinked(pad: &gst::Pad) {
    pad.connect_unlinked(|pad, _| {
        let element = pad.parent_element().and_downcast::<crate::realtime::element::OpenAIRealtime>();
        if let Some(run) = element.and_then(|element| element.imp().run()) {
            run.input_queue.end(&pad.name());
        }
    });
}

/// The templates of all pads.
pub fn templates() -> &'static [gst::PadTemplate] {
    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
        use gst::PadDirection::{Sink, Src};
        use gst::PadPresence::{Always, Request};
        let text = gst::Caps::builder("text/x-raw").field("format", "utf8").build();
        let json = gst::Caps::new_empty_simple("application/x-json");
        let templates = [
            ("audio_sink", Sink, Always, audio_caps()),
            ("src", Src, Always, audio_caps()),
            ("video_sink_%u", Sink, Request, video_caps()),
            ("text_sink", Sink, Request, text.clone()),
            ("text_src", Src, Request, text.clone()),
            ("transcript_src", Src, Request, text),
            ("event_src", Src, Request, json),
        ];
        let make = |(name, direction, presence, caps): (&str, _, _, gst::Caps)| {
            // The type tells which properties the pads have.
            let kind = if name.starts_with("video_sink") { VideoPad::static_type() } else { gst::Pad::static_type() };
            gst::PadTemplate::with_gtype(name, direction, presence, &caps, kind).ok()
        };
        templates.into_iter().filter_map(make).collect()
    });
    &TEMPLATES
}

/// The three formats of sound of the API.
fn audio_caps() -> gst::Caps {
    let raw = gst::Structure::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("rate", 24_000i32)
        .field("channels", 1i32)
        .field("layout", "interleaved")
        .build();
    let g711 = |name: &str| gst::Structure::builder(name).field("rate", 8_000i32).field("channels", 1i32).build();
    gst::Caps::builder_full().structure(raw).structure(g711("audio/x-mulaw")).structure(g711("audio/x-alaw")).build()
}

/// The two formats of pictures of the API.
fn video_caps() -> gst::Caps {
    let plain = |name: &str| gst::Structure::new_empty(name);
    gst::Caps::builder_full().structure(plain("image/jpeg")).structure(plain("image/png")).build()
}

impl OpenAIRealtime {
    /// Makes a pad on request. There are many for cameras, and of text one of each kind.
    pub(crate) fn make_pad(&self, template: &gst::PadTemplate, wished: Option<&str>) -> Option<gst::Pad> {
        let is_video = template.name_template() == "video_sink_%u";
        let name = match template.name_template() {
            _ if is_video => media::video_pad_name(self.obj().upcast_ref(), wished),
            name => name.to_owned(),
        };
        if self.obj().static_pad(&name).is_some() {
            gst::warning!(CAT, imp = self, "there is a pad {name} already");
            return None;
        }
        let pad = match TextPadKind::by_name(&name) {
            _ if is_video => self.make_video_pad(template, &name),
            Some(_) => gst::Pad::builder_from_template(template)
                .name(name)
                .activatemode_function(|pad, parent, _mode, active| {
                    Self::in_pad(
                        parent,
                        // Its thread begins when the element has it.
                        || Ok(()),
                        |this| this.text_src_activate(pad, active),
                    )
                })
                .query_function(|pad, parent, query| {
                    Self::in_pad(parent, || false, |this| this.stream_query(pad, query))
                })
                .event_function(|pad, parent, event| Self::in_pad(parent, || false, |this| this.src_event(pad, event)))
                .build(),
            None => gst::Pad::builder_from_template(template)
                .name(name)
                .chain_function(|pad, parent, buffer| {
                    Self::in_pad(parent, || Err(gst::FlowError::Error), |this| this.text_chain(pad, &buffer))
                })
                .event_function(|pad, parent, event| Self::in_pad(parent, || false, |this| this.text_event(pad, event)))
                .query_function(|pad, parent, query| Self::in_pad(parent, || false, |this| this.sink_query(pad, query)))
                .build(),
        };
        if let Err(error) = media::add_request_pad(self.obj().upcast_ref(), &pad, || self.run().is_some()) {
            gst::error!(CAT, obj = pad, "{error}");
            return None;
        }
        self.start_text(&pad);
        self.obj().child_added(&pad, &pad.name());
        Some(pad)
    }

    /// Begins the stream of a source pad for text that was active before the element had it, or a run.
    pub(crate) fn start_text(&self, pad: &gst::Pad) {
        // A pad that is not active would lose what stands before its stream; it begins when it is activated.
        if self.run().is_some()
            && pad.is_active()
            && TextPadKind::by_name(&pad.name()).is_some()
            && let Err(error) = self.text_src_activate(pad, true)
        {
            gst::error!(CAT, obj = pad, "{error:?}");
        }
    }

    /// A pad goes. If it was the one that all waited for, the input has ended.
    pub(crate) fn drop_pad(&self, pad: &gst::Pad) {
        let flushed = self.run().and_then(|run| {
            if pad.direction() == gst::PadDirection::Sink {
                // Its streaming thread would be waited for.
                run.set_flushing(&pad.name(), true);
            }
            run.leave_text(pad)
        });
        if let Err(error) = pad.set_active(false) {
            gst::warning!(CAT, obj = pad, "{error}");
        }
        if let Some(peer) = flushed {
            peer.send_event(gst::event::FlushStop::builder(false).build());
        }
        if let Err(error) = self.obj().remove_pad(pad) {
            gst::warning!(CAT, imp = self, "{error}");
        }
        self.obj().child_removed(pad, &pad.name());
        if let Some(run) = self.run() {
            run.input_queue.remove(&pad.name());
            run.forget_pace(&pad.name());
            run.input_queue.push(Input::Unplugged(pad.name().to_string()));
        }
        self.sink().ended.remove(pad.name().as_str());
        if !self.sink().ended.is_empty() {
            self.end_if_all_have();
        }
    }

    /// A sink pad is at its end.
    pub(crate) fn pad_is_at_its_end(&self, pad: &gst::Pad) -> bool {
        if self.run().is_none() {
            return false;
        }
        self.sink().ended.insert(pad.name().to_string());
        self.end_if_all_have();
        true
    }

    /// A sink pad's stream begins (anew).
    pub(crate) fn pad_goes_on(&self, pad: &gst::Pad) {
        self.sink().ended.remove(pad.name().as_str());
    }

    /// The input is at its end when every sink pad is that is linked.
    fn end_if_all_have(&self) {
        let Some(run) = self.run() else { return };
        let pads = self.obj().sink_pads();
        let has_ended = |pad: &gst::Pad| !pad.is_linked() || self.sink().ended.contains(pad.name().as_str());
        if pads.iter().all(has_ended) {
            self.begin_if_known(&run, true);
            run.input_queue.push_in_order(Input::EndOfStream);
        }
    }

    /// The end of the input is said to the element itself.
    pub(crate) fn end_of_all(&self) -> bool {
        let Some(run) = self.run() else { return false };
        self.begin_if_known(&run, true);
        run.input_queue.push_in_order(Input::EndOfStream);
        true
    }
}
