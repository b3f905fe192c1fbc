// SPDX-License-Identifier: MPL-2.0

//! The element in pipelines, against the local server: one program, a module for each theme.

mod accuracy;
mod barge_in;
mod conversation;
mod documents;
mod embedding;
mod errors;
mod faults;
mod frames;
mod function_calls;
mod gst_launch;
mod input;
mod language_model;
mod latency;
mod long_files;
mod offline;
mod pads;
mod playback_position;
mod property_table;
mod reconnect;
mod recording;
#[path = "../support/schema.rs"]
mod schema;
mod schema_conformance;
mod settings;
mod several;
#[path = "../support/mod.rs"]
mod support;
mod text_pads;
mod trace;
mod translation;
