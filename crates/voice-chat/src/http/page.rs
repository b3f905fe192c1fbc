// SPDX-License-Identifier: MPL-2.0

//! The page: plain files that are part of the program.

use crate::app::App;
use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, type, and content.
const FILES: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("../../page/index.html")),
    ("/style.css", CSS, include_str!("../../page/style.css")),
    ("/icon.svg", SVG, include_str!("../../page/icon.svg")),
    ("/app.js", SCRIPT, include_str!("../../page/app.js")),
    ("/connection.js", SCRIPT, include_str!("../../page/connection.js")),
    ("/devices.js", SCRIPT, include_str!("../../page/devices.js")),
    ("/transcript.js", SCRIPT, include_str!("../../page/transcript.js")),
    ("/functions.js", SCRIPT, include_str!("../../page/functions.js")),
    ("/audio-worklet.js", SCRIPT, include_str!("../../page/audio-worklet.js")),
];

/// The page's paths.
pub fn routes() -> Router<Arc<App>> {
    FILES
        .iter()
        .fold(Router::new(), |router, (path, kind, content)| router.route(path, get(async move || file(kind, content))))
}

fn file(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], content).into_response()
}
