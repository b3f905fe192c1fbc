//! The pad `audio_sink`: what the user says, on its way into the mailbox.

use super::Timing as TimingSetting;
use super::imp::{CAT, OpenAIRealtime};
use super::run::{End, Run};
use crate::conversation::{Input, Sound, Timing};
use crate::link::mailbox::Refused;
use crate::protocol::session::AudioFormat;
use bytes::Bytes;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What the sink pad knows of its stream.
#[derive(Debug, Default)]
pub struct SinkState {
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    format: AudioFormat,
}

/// The format that caps stand for.
pub fn format_of(caps: &gst::CapsRef) -> Option<AudioFormat> {
    Some(match caps.structure(0)?.name().as_str() {
        "audio/x-raw" => AudioFormat::Pcm,
        "audio/x-mulaw" => AudioFormat::Pcmu,
        "audio/x-alaw" => AudioFormat::Pcma,
        _ => return None,
    })
}

impl OpenAIRealtime {
    pub(super) fn sink_chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let run = self.run().ok_or(gst::FlowError::Flushing)?;
        let (buffer, at) = {
            let sink = self.sink();
            let Some(segment) = &sink.segment else { return Err(gst::FlowError::Error) };
            let size = sink.format.sample_size() as u32;
            let Some(buffer) = gst_audio::audio_buffer_clip(buffer, segment.upcast_ref(), sink.format.rate(), size)
            else {
                return Ok(gst::FlowSuccess::Ok);
            };
            let at = buffer.pts().and_then(|pts| segment.to_running_time(pts)).map(Duration::from);
            (buffer, at)
        };
        let data = buffer.into_mapped_buffer_readable().map_err(|_| {
            gst::element_imp_error!(self, gst::ResourceError::Failed, ["A buffer cannot be read"]);
            gst::FlowError::Error
        })?;
        self.take_sound(&run, Sound { data: Bytes::from_owner(Mapped(data)), at })
    }

    /// Hands sound over, in step with the clock where upstream is not.
    fn take_sound(&self, run: &Arc<Run>, sound: Sound) -> Result<gst::FlowSuccess, gst::FlowError> {
        if run.paces_input.load(Ordering::Relaxed)
            && let Some(at) = sound.at
        {
            run.pace.wait_until(at).map_err(|_| gst::FlowError::Flushing)?;
        }
        match run.mailbox.push_sound(sound) {
            Ok(()) => run.source.flow(),
            Err(Refused::Flushing) => Err(gst::FlowError::Flushing),
            Err(Refused::Closed) => Err(match run.end() {
                End::Failed => gst::FlowError::Error,
                End::Finished => gst::FlowError::Eos,
                End::No => gst::FlowError::Flushing,
            }),
        }
    }

    pub(super) fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Caps(event) => self.sink_caps(event.caps()),
            gst::EventView::Segment(event) => self.sink_segment(event.segment()),
            gst::EventView::Gap(event) => {
                let (pts, duration) = event.get();
                self.sink_gap(pts, duration)
            }
            gst::EventView::Eos(_) => self.sink_eos(),
            gst::EventView::FlushStart(_) => {
                if let Some(run) = self.run() {
                    run.pace.set_flushing(true);
                    run.mailbox.set_flushing(true);
                }
                true
            }
            gst::EventView::FlushStop(_) => {
                self.sink().segment = None;
                if let Some(run) = self.run() {
                    run.pace.set_flushing(false);
                    run.mailbox.set_flushing(false);
                    run.mailbox.push(Input::Flushed);
                }
                true
            }
            // What the input's stream says of itself is not true of the answer.
            gst::EventView::StreamStart(_)
            | gst::EventView::StreamCollection(_)
            | gst::EventView::StreamGroupDone(_)
            | gst::EventView::Tag(_)
            | gst::EventView::Toc(_) => true,
            _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
    }

    fn sink_caps(&self, caps: &gst::CapsRef) -> bool {
        let Some(format) = format_of(caps) else { return false };
        self.sink().format = format.clone();
        if let Some(run) = self.run() {
            self.begin_if_known(&run, true);
            run.mailbox.set_format(format.clone());
            run.mailbox.push_in_order(Input::Format(format));
        }
        true
    }

    fn sink_segment(&self, segment: &gst::Segment) -> bool {
        match segment.downcast_ref::<gst::ClockTime>() {
            Some(segment) => {
                self.sink().segment = Some(segment.clone());
                true
            }
            None => {
                gst::element_imp_error!(
                    self,
                    gst::StreamError::Format,
                    ["The input's segment is in format {:?}, only TIME can be mapped", segment.format()]
                );
                false
            }
        }
    }

    /// Upstream says that there is nothing for a while: to the model that is silence.
    fn sink_gap(&self, pts: gst::ClockTime, duration: Option<gst::ClockTime>) -> bool {
        let Some(run) = self.run() else { return false };
        let (at, format) = {
            let sink = self.sink();
            (sink.segment.as_ref().and_then(|segment| segment.to_running_time(pts)), sink.format.clone())
        };
        let length = Duration::from(duration.unwrap_or_default()).min(Duration::from_secs(60));
        let samples = crate::conversation::uplink::time_to_samples(length, format.rate()) as usize;
        if samples == 0 {
            return true;
        }
        let data = vec![format.silence()[0]; samples * format.sample_size()];
        self.take_sound(&run, Sound { data: data.into(), at: at.map(Duration::from) }).is_ok()
    }

    fn sink_eos(&self) -> bool {
        if let Some(run) = self.run() {
            self.begin_if_known(&run, true);
            run.mailbox.push_in_order(Input::EndOfStream);
        }
        true
    }

    /// Begins the session if it is known whether upstream is live; with `data_flows` it is known at the latest.
    pub(super) fn begin_if_known(&self, run: &Arc<Run>, data_flows: bool) {
        let upstream = self.upstream_is_live();
        let timing = match run.wished_timing() {
            TimingSetting::Live => Timing::Live,
            TimingSetting::Offline => Timing::Offline,
            TimingSetting::Auto => match upstream {
                Some(true) => Timing::Live,
                Some(false) => Timing::Offline,
                None if data_flows => Timing::Live,
                None => return,
            },
        };
        let format = if data_flows { self.sink().format.clone() } else { self.likely_input_format() };
        run.begin(timing, format, upstream.unwrap_or(data_flows));
    }

    /// Whether upstream is live; `None` when nothing upstream can tell yet.
    fn upstream_is_live(&self) -> Option<bool> {
        if !self.audio_sink.is_linked() {
            return Some(true);
        }
        let mut query = gst::query::Latency::new();
        if self.audio_sink.peer_query(&mut query) {
            return Some(query.result().0);
        }
        // A device cannot tell its latency before it is open. Sources that can be either say which.
        let source = source_of(&self.audio_sink, 64)?;
        Some(match source.find_property("is-live") {
            Some(property) if property.value_type() == bool::static_type() => source.property("is-live"),
            _ => true,
        })
    }

    /// The format that upstream will most probably send, as far as its caps tell.
    pub(super) fn likely_input_format(&self) -> AudioFormat {
        let caps = self.audio_sink.allowed_caps().unwrap_or_else(|| self.audio_sink.pad_template_caps());
        format_of(&caps).unwrap_or_default()
    }
}

/// The source at the end of the way upstream, if it is there already.
fn source_of(sink: &gst::Pad, steps: u32) -> Option<gst::Element> {
    let steps = steps.checked_sub(1)?;
    let mut peer = sink.peer()?;
    if let Some(ghost) = peer.parent().and_then(|parent| parent.downcast::<gst::GhostPad>().ok()) {
        // Out of a bin.
        return source_of(ghost.upcast_ref(), steps);
    }
    while let Some(target) = peer.downcast_ref::<gst::GhostPad>().and_then(|ghost| ghost.target()) {
        // Into a bin.
        peer = target;
    }
    let element = peer.parent_element()?;
    if element.element_flags().contains(gst::ElementFlags::SOURCE) {
        return Some(element);
    }
    element.sink_pads().iter().find_map(|pad| source_of(pad, steps))
}

/// A mapped buffer as bytes: the samples stay where upstream put them.
struct Mapped(gst::MappedBuffer<gst::buffer::Readable>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}
