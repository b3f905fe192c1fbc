// SPDX-License-Identifier: MPL-2.0

//! Requests and answers of Chat Completions: the conversation, its requests over HTTP, and the element `openaichat`.

pub(crate) mod conversation;
pub(crate) mod element;
pub(crate) mod session;
