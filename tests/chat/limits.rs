// SPDX-License-Identifier: MPL-2.0

//! Limits of cost and rate over requests that are in flight at once.

use crate::raw_server::{RawServer, event, stream_with};
use crate::{all, typed};
use serde_json::json;

#[test]
fn max_cost_holds_and_the_stream_ends_in_order() {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 40_000,
        "completion_tokens_details": {"text_tokens": 40_000}}});
    let events = event(json!({"content": "yes"}), Some("stop"));
    let server = RawServer::answering(stream_with(events.as_bytes(), &format!("data: {usage}\n\ndata: [DONE]\n\n")));
    let mut pipeline = typed(&"again\n".repeat(12), &server.base(), "max-cost=1.0 max-requests=8");
    pipeline.run_to_end();
    assert_eq!(server.requests().len(), 3);
    let total = all(&pipeline, "usage").last().and_then(|usage| usage.get::<f64>("total-cost").ok());
    assert!(total.is_some_and(|total| (total - 1.2).abs() < 1e-9), "{total:?}");
    assert!(pipeline.warnings().iter().any(|warning| warning.contains("max-cost")), "{:?}", pipeline.warnings());
}
