// SPDX-License-Identifier: MPL-2.0

//! The pads: what there are, those that come and go on request, and what source pads are asked and told.

use crate::chat::conversation::io::Input;
use crate::chat::element::imp::{CAT, OpenAIChat};
use crate::chat::element::run::TextPadKind;
use crate::media;
use crate::media::text_src_task::Stream;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

/// The templates of all pads.
pub fn templates() -> &'static [gst::PadTemplate] {
    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
        use gst::PadDirection::{Sink, Src};
        use gst::PadPresence::{Always, Request};
        let text = gst::Caps::builder("text/x-raw").field("format", "utf8").build();
        let json = gst::Caps::new_empty_simple("application/x-json");
        let raw = |rate: Option<i32>| {
            let raw = gst::Structure::builder("audio/x-raw").field("format", "S16LE");
            let raw = match rate {
                Some(rate) => raw.field("rate", rate),
                None => raw.field("rate", gst::IntRange::new(8_000, 96_000)),
            };
            raw.field("channels", 1i32).field("layout", "interleaved").build()
        };
        let mpeg = gst::Structure::builder("audio/mpeg").field("mpegversion", 1i32).field("layer", 3i32).build();
        let picture = |name: &str| gst::Structure::new_empty(name);
        let audio_in = gst::Caps::builder_full().structure(raw(None)).structure(mpeg).build();
        let audio_out = gst::Caps::builder_full().structure(raw(Some(24_000))).build();
        let video = gst::Caps::builder_full().structure(picture("image/jpeg")).structure(picture("image/png")).build();
        let templates = [
            ("audio_sink", Sink, Always, audio_in),
            ("src", Src, Always, audio_out),
            ("video_sink_%u", Sink, Request, video),
            ("text_sink", Sink, Request, text.clone()),
            ("text_src", Src, Request, text),
            ("event_src", Src, Request, json),
        ];
        let make = |(name, direction, presence, caps): (&str, _, _, gst::Caps)| {
            gst::PadTemplate::new(name, direction, presence, &caps).ok()
        };
        templates.into_iter().filter_map(make).collect()
    });
    &TEMPLATES
}

impl OpenAIChat {
    /// Makes a pad on request: any number for pictures, and one of each other kind.
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
        let builder = gst::Pad::builder_from_template(template).name(&*name);
        let pad = match TextPadKind::by_name(&name) {
            Some(_) => builder
                .activatemode_function(|pad, parent, _mode, active| {
                    // Its thread begins when the element has it.
                    Self::in_pad(parent, || Ok(()), |this| this.text_src_activate(pad, active))
                })
                .query_function(|pad, parent, query| Self::in_pad(parent, || false, |this| this.src_query(pad, query)))
                .event_function(|pad, parent, event| Self::in_pad(parent, || false, |this| this.src_event(pad, event)))
                .build(),
            None => builder
                .chain_function(move |pad, parent, buffer| {
                    Self::in_pad(
                        parent,
                        || Err(gst::FlowError::Error),
                        |this| if is_video { this.video_chain(pad, buffer) } else { this.text_chain(pad, &buffer) },
                    )
                })
                .event_function(|pad, parent, event| Self::in_pad(parent, || false, |this| this.sink_event(pad, event)))
                .build(),
        };
        if let Err(error) = media::add_request_pad(self.obj().upcast_ref(), &pad, || self.run().is_some()) {
            gst::error!(CAT, obj = pad, "{error}");
            return None;
        }
        self.start_text(&pad);
        Some(pad)
    }

    /// A pad goes. If it was the one that all waited for, the input has ended.
    pub(crate) fn drop_pad(&self, pad: &gst::Pad) {
        let flushed = self.run().and_then(|run| {
            if pad.direction() == gst::PadDirection::Sink {
                // Its streaming thread would be waited for.
                run.input_queue.set_refusing(&pad.name(), true);
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
        if let Some(run) = self.run().filter(|_| pad.direction() == gst::PadDirection::Sink) {
            // One of that name that is requested later begins anew.
            run.input_queue.set_refusing(&pad.name(), false);
            run.input_queue.mark(&pad.name(), Input::PadEnded(pad.name().into()));
        }
        self.sink().remove(&pad.name());
        if self.sink().any_ended() {
            self.end_if_all_have();
        }
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

    fn text_src_activate(&self, pad: &gst::Pad, active: bool) -> Result<(), gst::LoggableError> {
        if !active {
            if let Some(run) = self.run() {
                run.remove_text(pad);
            }
            return pad.stop_task().map_err(|error| gst::loggable_error!(CAT, "the task does not stop: {error}"));
        }
        // Without a run it begins when there is one.
        let Some(run) = self.run() else { return Ok(()) };
        let kind = TextPadKind::by_name(&pad.name()).ok_or_else(|| gst::loggable_error!(CAT, "no pad of text"))?;
        let (Some(source), mut stream) = (run.add_text(pad, kind), Stream::default()) else { return Ok(()) };
        let started = media::start_task(pad, move || source.iterate(&mut stream));
        started.map_err(|error| gst::loggable_error!(CAT, "the task does not start: {error}"))
    }

    pub(crate) fn src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Latency(query) => {
                // Answers are stamped when they come, so nothing is ever late.
                let is_live = self.run().is_some_and(|run| run.is_live());
                query.set(is_live, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            gst::QueryViewMut::Seeking(query) => {
                let format = query.format();
                let none = gst::GenericFormattedValue::none_for_format(format);
                query.set(false, none, none);
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }

    pub(crate) fn src_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Latency(latency) => {
                if *pad == self.src {
                    self.latency.store(latency.latency().nseconds(), Ordering::Relaxed);
                }
                true
            }
            gst::EventView::Qos(_) | gst::EventView::Reconfigure(_) => true,
            // The answers' stream is made as it is listened to.
            _ => false,
        }
    }
}
