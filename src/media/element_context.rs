// SPDX-License-Identifier: MPL-2.0

//! How pads and signals reach the state of their element without knowing its type.

use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::Arc;

/// An element whose pads and signals work on a context.
pub trait HasContext: ElementImpl {
    /// What they share.
    type Context;

    /// The context of the element.
    fn context(&self) -> &Arc<Self::Context>;
}

/// Calls a pad function with the context of the pad's element. A pad has no parent before it is added and after it is
/// removed; then, and if `act` panics, the result is `otherwise`.
pub fn in_pad<E: HasContext, T>(
    parent: Option<&gst::Object>,
    otherwise: impl FnOnce() -> T,
    act: impl FnOnce(&E::Context) -> T,
) -> T {
    match parent.filter(|parent| parent.type_().is_a(E::Type::static_type())) {
        Some(parent) => E::catch_panic_pad_function(Some(parent), otherwise, |element: &E| act(element.context())),
        None => otherwise(),
    }
}
