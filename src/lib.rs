//! stub
#![allow(missing_docs)]
pub mod protocol;
pub mod conversation;
