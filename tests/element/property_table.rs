// SPDX-License-Identifier: MPL-2.0

//! `docs/properties.md` is made from the elements themselves: `UPDATE_DOCS=1 cargo test --test element property_table`
//! writes it, and without the variable the test fails where the page and the element differ.

use crate::support::pipeline::init;
use gst::glib::{self, ParamFlags, ParamSpec, Type, Value};
use gst::prelude::*;
use std::fmt::Write;

const HEAD: &str = "# Properties\n\n\
    All properties of `openairealtime`, of its `video_sink_%u` pads, and of `openaichat`, as `gst-inspect-1.0` shows them. Times are\n\
    nanoseconds (guint64). *When* is the highest state in which a property can be changed; what is changed in PLAYING\n\
    reaches the running session.\n";

/// Nanoseconds as people read them, beside the number.
fn time(value: u64) -> String {
    match value {
        0 => "0".into(),
        value if value % 1_000_000_000 == 0 => format!("{value} ({} s)", value / 1_000_000_000),
        value if value % 1_000_000 == 0 => format!("{value} ({} ms)", value / 1_000_000),
        value => value.to_string(),
    }
}

fn default_of(spec: &ParamSpec) -> String {
    let value: &Value = spec.default_value();
    let type_ = spec.value_type();
    match type_ {
        Type::STRING => match value.get::<Option<String>>() {
            Ok(Some(text)) => format!("`{text}`"),
            _ => "unset".into(),
        },
        Type::BOOL => value.get::<bool>().map(|value| value.to_string()).unwrap_or_default(),
        Type::U64 => value.get::<u64>().map(time).unwrap_or_default(),
        Type::I64 => value.get::<i64>().map(|value| value.to_string()).unwrap_or_default(),
        Type::U32 => value.get::<u32>().map(|value| value.to_string()).unwrap_or_default(),
        Type::F64 => value.get::<f64>().map(|value| value.to_string()).unwrap_or_default(),
        type_ if type_.is_a(Type::ENUM) => {
            let nick = glib::EnumValue::from_value(value).map(|(_, value)| value.nick().to_string());
            nick.map(|nick| format!("`{nick}`")).unwrap_or_default()
        }
        type_ if type_.is_a(Type::FLAGS) => "all".into(),
        _ => String::new(),
    }
}

/// The type, with the values of an enumeration and the range of a number.
fn type_of(spec: &ParamSpec) -> String {
    let type_ = spec.value_type();
    if let Some(class) = glib::EnumClass::with_type(type_) {
        return class.values().iter().map(|value| format!("`{}`", value.nick())).collect::<Vec<_>>().join(" ");
    }
    if let Some(class) = glib::FlagsClass::with_type(type_) {
        return class.values().iter().map(|value| format!("`{}`", value.nick())).collect::<Vec<_>>().join(" + ");
    }
    if let Some(spec) = spec.downcast_ref::<glib::ParamSpecDouble>() {
        let most = if spec.maximum() == f64::MAX { "…".into() } else { spec.maximum().to_string() };
        return format!("double {} – {most}", spec.minimum());
    }
    match type_ {
        Type::STRING => "string".into(),
        Type::BOOL => "boolean".into(),
        type_ => type_.name().to_string(),
    }
}

fn when(spec: &ParamSpec) -> &'static str {
    let flags = spec.flags();
    let writable = flags.contains(ParamFlags::WRITABLE);
    match () {
        () if !writable => "read-only",
        () if flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING) => "PLAYING",
        () if flags.contains(gst::PARAM_FLAG_MUTABLE_PAUSED) => "PAUSED",
        () if flags.contains(gst::PARAM_FLAG_MUTABLE_READY) => "READY",
        () if !flags.contains(ParamFlags::READABLE) => "READY, write-only",
        () => "NULL",
    }
}

fn table(specs: &[ParamSpec], owner: Type) -> String {
    let mut text = String::from("| property | type, range | default | when | |\n| --- | --- | --- | --- | --- |\n");
    let mut own: Vec<&ParamSpec> = specs.iter().filter(|spec| spec.owner_type() == owner).collect();
    own.sort_by_key(|spec| spec.name().to_string());
    for spec in own {
        let blurb = spec.blurb().unwrap_or_default().replace('|', "\\|");
        writeln!(text, "| `{}` | {} | {} | {} | {blurb} |", spec.name(), type_of(spec), default_of(spec), when(spec))
            .expect("a string");
    }
    text
}

#[test]
fn the_page_of_properties_is_what_the_elements_have() {
    init();
    let element = gst::ElementFactory::make("openairealtime").build().expect("an element");
    let pad = element.request_pad_simple("video_sink_%u").expect("a pad");
    let chat = gst::ElementFactory::make("openaichat").build().expect("an element");
    let page = format!(
        "{HEAD}\n## `openairealtime`\n\n{}\n## Pads `video_sink_%u` of `openairealtime`\n\n{}\n## `openaichat`\n\n{}",
        table(&element.list_properties(), element.type_()),
        table(&pad.list_properties(), pad.type_()),
        table(&chat.list_properties(), chat.type_())
    );
    element.release_request_pad(&pad);
    let path = format!("{}/docs/properties.md", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("docs/properties.md can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/properties.md is old: UPDATE_DOCS=1 cargo test --test element property_table writes it"
    );
}
