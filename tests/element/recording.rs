// SPDX-License-Identifier: MPL-2.0

//! "I record a conversation, and interrupt it": what is written is not destroyed by a flush.

use crate::support::pipeline::{Pipeline, SILENCE, Tap};
use crate::support::server::Server;
use gst::prelude::*;

/// An answer of two seconds that the user interrupts after half a second of it.
const INTERRUPTED: &str = r#"
hello
expect session.update
send session.updated {"session": {"type": "realtime", "id": "sess_1", "model": "m"}}
wait audio 200ms
send input_audio_buffer.speech_started {"audio_start_ms": 20, "item_id": "item_u"}
send input_audio_buffer.speech_stopped {"audio_end_ms": 120, "item_id": "item_u"}
send input_audio_buffer.committed {"item_id": "item_u", "previous_item_id": null}
send response.created {"response": {"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1", "output": []}}
send response.output_audio.delta {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0, "delta": "<tone:500:2000>"}
wait audio 800ms
send input_audio_buffer.speech_started {"audio_start_ms": 750, "item_id": "item_v"}
"#;

/// Interrupts the answer, and gives how many flushes and warnings there were.
fn interrupt(downstream: &str, later: impl FnOnce(&Pipeline)) -> (usize, Vec<String>) {
    let server = Server::script(INTERRUPTED);
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=ai uri={} transcription-model=\"\" ! {downstream}",
        server.base()
    ));
    let src = pipeline.element("ai").static_pad("src").expect("a pad");
    let tap = Tap::on(&src);
    let flushes = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = flushes.clone();
    src.add_probe(gst::PadProbeType::EVENT_FLUSH, move |_, info| {
        let is_start = info.event().is_some_and(|event| event.type_() == gst::EventType::FlushStart);
        counted.fetch_add(usize::from(is_start), std::sync::atomic::Ordering::SeqCst);
        gst::PadProbeReturn::Ok
    });
    pipeline.play();
    later(&pipeline);
    pipeline.until_told("interrupted", |_| true);
    // The stream goes on behind the cut, and what has to be told was told by then.
    let end = tap.outs().last().map_or(0, |out| (out.pts + out.duration).nseconds());
    tap.wait_for_time(end + 300_000_000);
    let bus = pipeline.pipeline.bus().expect("a bus");
    pipeline.messages.extend(bus.iter());
    let warnings = pipeline.warnings();
    pipeline.stop();
    (flushes.load(std::sync::atomic::Ordering::SeqCst), warnings)
}

#[test]
fn nothing_that_records_or_sends_is_flushed() {
    let folder = crate::support::folder::Folder::new();
    for (name, behind) in [
        ("file", "FILE"),
        ("wav", "wavenc ! FILE"),
        ("mkv", "tee name=t t. ! queue ! fakesink sync=true t. ! queue ! matroskamux ! FILE"),
        ("ogg", "queue ! audioconvert ! opusenc ! oggmux ! FILE"),
        ("bin", "tee name=t t. ! queue ! fakesink t. ! ( queue ! wavenc ! FILE )"),
        ("rtp", "queue ! audioconvert ! rtpL16pay ! fakesink sync=true"),
    ] {
        let path = folder.join(name);
        let (flushes, warnings) =
            interrupt(&behind.replace("FILE", &format!("filesink location={}", path.display())), |_| {});
        assert_eq!(flushes, 0, "{name}");
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        assert!(warnings[0].contains("is not flushed"), "{name}: {warnings:?}");
    }
}

#[test]
fn a_loudspeaker_is_flushed() {
    for behind in ["fakesink sync=true", "tee name=t t. ! queue ! audioconvert ! fakesink sync=true"] {
        assert_eq!(interrupt(behind, |_| {}), (1, Vec::new()), "{behind}");
    }
}

#[test]
fn a_recorder_that_joins_later_is_found() {
    let joins = |pipeline: &Pipeline| {
        let recorder = gst::parse::bin_from_description("queue ! wavenc ! fakesink async=false", true).expect("a bin");
        pipeline.pipeline.add(&recorder).expect("added");
        recorder.sync_state_with_parent().expect("a state");
        pipeline.element("t").link(&recorder).expect("linked");
    };
    let (flushes, warnings) = interrupt("tee name=t t. ! queue ! fakesink sync=true", joins);
    assert_eq!((flushes, warnings.len()), (0, 1), "{warnings:?}");
}
