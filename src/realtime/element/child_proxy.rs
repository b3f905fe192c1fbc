// SPDX-License-Identifier: MPL-2.0

//! The pads as children of the element, so that a pipeline description can set their properties.

use crate::realtime::element::imp::OpenAIRealtime;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

/// `video_sink_%u::interval` and the like in a pipeline description.
impl ChildProxyImpl for OpenAIRealtime {
    fn child_by_index(&self, index: u32) -> Option<glib::Object> {
        self.obj().pads().into_iter().nth(index as usize).map(Cast::upcast)
    }

    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        self.obj().static_pad(name).map(Cast::upcast)
    }

    fn children_count(&self) -> u32 {
        u32::from(self.obj().num_pads())
    }
}
