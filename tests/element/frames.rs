// SPDX-License-Identifier: MPL-2.0

//! "Look at this": cameras, and what becomes of their pictures.

use crate::support::folder::Folder;
use crate::support::pipeline::{Pipeline, SILENCE, Tap, init, media, recording};
use crate::support::server::Server;
use gst::prelude::*;
use serde_json::Value;
use std::path::Path;

/// A folder of pictures, which goes with the test.
struct Pictures(Folder);

impl Pictures {
    /// So many pictures that differ.
    fn new(count: usize) -> Self {
        let folder = Self(Folder::new());
        let picture = std::fs::read(media("china.jpg")).expect("a picture");
        // What stands behind the end of a picture is part of the file and not of the picture.
        (0..count).for_each(|n| folder.put(n, &[&picture[..], n.to_string().as_bytes()].concat()));
        folder
    }

    fn put(&self, number: usize, file: &[u8]) {
        std::fs::write(self.0.join(format!("{number}.jpg")), file).expect("written");
    }

    /// A source of its pictures, so many a second.
    fn source(&self, rate: &str) -> String {
        let path = self.0.join("%d.jpg");
        format!("multifilesrc location={} caps=\"image/jpeg,framerate={rate}\"", path.display())
    }
}

fn state<'a>(is: &'a str) -> impl Fn(&gst::StructureRef) -> bool + 'a {
    move |structure| structure.get::<&str>("state") == Ok(is)
}

fn frames(pipeline: &Pipeline, is: &str) -> Vec<gst::Structure> {
    pipeline.all("frame").into_iter().filter(|structure| state(is)(structure)).collect()
}

fn ids(frames: &[gst::Structure]) -> Vec<String> {
    frames.iter().map(|frame| frame.get("item-id").expect("an item")).collect()
}

fn count(pipeline: &Pipeline, field: &str) -> u64 {
    pipeline.element("ai").property::<gst::Structure>("stats").get(field).expect("a number")
}

/// What the client sent, as the server wrote it down.
fn sent(record: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(record).expect("a trace");
    let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    entries.filter(|entry| entry["dir"] == "c" && entry.get("ev").is_some()).map(|entry| entry["ev"].clone()).collect()
}

#[test]
fn a_camera_is_seen_every_interval_with_the_words_of_its_pad() {
    let item = |n: u32| {
        format!(
            "await conversation.item.create {{\"item\": {{\"id\": \"frame_{n}\", \"type\": \"message\", \"role\": \"user\", \
             \"content\": [{{\"type\": \"input_text\", \"text\": \"The front door.\"}}, {{\"type\": \"input_image\", \
             \"detail\": \"low\"}}]}}}}\n"
        )
    };
    let mut server = Server::script(&format!(
        "hello\nexpect session.update\nsend session.updated {{\"session\": {{\"type\": \"realtime\"}}}}\n{}{}{}",
        item(1),
        item(2),
        item(3)
    ));
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=ai uri={} frame-interval=300000000 frame-prompt=not-this \
         video_sink_0::prompt=\"The front door.\" video_sink_0::detail=low ! fakesink sync=true \
         videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=20/1 ! jpegenc \
         ! ai.video_sink_0",
        server.base()
    ));
    pipeline.play();
    let times: Vec<u64> = (0..3)
        .map(|_| pipeline.until_told("frame", state("sent")).get::<u64>("running-time").expect("a time"))
        .collect();
    assert!(times.windows(2).all(|two| two[1] - two[0] >= 200_000_000), "{times:?}");
    let first = &frames(&pipeline, "sent")[0];
    assert_eq!(first.get::<&str>("pad"), Ok("video_sink_0"));
    assert!(first.get::<u64>("size").is_ok_and(|size| size > 500));
    pipeline.stop();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    let (status, said) = server.terminate();
    assert!(!said.contains("expected"), "{status:?}: {said}");
}

#[test]
fn broken_and_large_pictures_are_told_and_skipped_and_the_stream_goes_on() {
    let server = Server::start(&["--engine", "echo"]);
    let folder = Pictures::new(5);
    let picture = std::fs::read(media("flower.jpg")).expect("a picture");
    folder.put(1, &picture[..picture.len() / 2]);
    folder.put(3, &vec![0; 300_000]);
    let mut pipeline = Pipeline::new(&format!(
        "openairealtime name=ai uri={} frame-interval=1 max-frame-size=250000 ! fakesink {} ! ai.video_sink_7",
        server.base(),
        folder.source("1/20")
    ));
    pipeline.run_to_end();
    assert_eq!(
        pipeline.warnings(),
        [
            "video_sink_7: a frame is skipped: the JPEG breaks off in its image; each buffer has to be a whole file: \
             jpegparse makes it so",
            "video_sink_7: a frame is skipped: it has 300000 bytes, and max-frame-size is 250000: scale it down \
             (videoscale), or lower its quality"
        ]
    );
    assert_eq!(ids(&frames(&pipeline, "sent")), ["frame_1", "frame_2", "frame_3"]);
    let reasons: Vec<String> =
        frames(&pipeline, "skipped").iter().map(|frame| frame.get("reason").expect("a reason")).collect();
    assert_eq!(reasons, ["broken", "too-large"]);
    assert_eq!((count(&pipeline, "frames-sent"), count(&pipeline, "frames-skipped")), (3, 2));
}

#[test]
fn pictures_without_a_timestamp_or_a_rate_are_all_seen() {
    let server = Server::start(&["--engine", "echo"]);
    let folder = Pictures::new(3);
    let path = folder.0.join("%d.jpg");
    for caps in ["image/jpeg", "\"image/jpeg,framerate=1/1\""] {
        let mut pipeline = Pipeline::new(&format!(
            "openairealtime name=ai uri={} frame-interval=1000000000 ! fakesink \
             multifilesrc location={} caps={caps} stop-index=2 ! ai.video_sink_0",
            server.base(),
            path.display()
        ));
        pipeline.run_to_end().stop();
        assert_eq!(count(&pipeline, "frames-sent"), 3, "{caps}");
    }
}

#[test]
fn frames_without_a_timestamp_stand_behind_the_one_that_has_one() {
    let server = Server::start(&["--engine", "echo"]);
    let folder = Pictures::new(3);
    let mut pipeline = Pipeline::new(&format!(
        "openairealtime name=ai uri={} frame-interval=1000000000 ! fakesink \
         appsrc name=camera format=time caps=image/jpeg,framerate=1/3 ! ai.video_sink_0",
        server.base()
    ));
    let camera = pipeline.element("camera");
    pipeline.play();
    for number in 0..3 {
        let file = std::fs::read(folder.0.join(format!("{number}.jpg"))).expect("a picture");
        let mut buffer = gst::Buffer::from_mut_slice(file);
        let first = (number == 0).then_some(gst::ClockTime::SECOND);
        buffer.get_mut().expect("one owner").set_pts(first);
        assert_eq!(camera.emit_by_name::<gst::FlowReturn>("push-buffer", &[&buffer]), gst::FlowReturn::Ok);
    }
    let ended = camera.emit_by_name::<gst::FlowReturn>("end-of-stream", &[]);
    assert_eq!(ended, gst::FlowReturn::Ok);
    pipeline.run_to_end();
    let times =
        frames(&pipeline, "sent").iter().map(|frame| frame.get("running-time").expect("a time")).collect::<Vec<u64>>();
    assert_eq!(times, [1_000_000_000, 4_000_000_000, 7_000_000_000]);
}

#[test]
fn only_the_newest_frames_stay_in_the_conversation() {
    let folder = Pictures::new(5);
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "openairealtime name=ai uri={} frame-interval=1000000000 max-frames=2 raw-events=true ! fakesink {} ! ai.video_sink_0",
        server.base(),
        folder.source("1/1")
    ));
    pipeline.run_to_end();
    assert_eq!(ids(&frames(&pipeline, "sent")), ["frame_1", "frame_2", "frame_3", "frame_4", "frame_5"]);
    assert_eq!(ids(&frames(&pipeline, "removed")), ["frame_1", "frame_2", "frame_3"]);
    assert_eq!(count(&pipeline, "frames-removed"), 3);
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    // The bytes are those of the files.
    let events = pipeline.all("event").into_iter().filter(|event| event.get::<&str>("direction") == Ok("client"));
    let sent = events.map(|event| serde_json::from_str::<Value>(event.get("json").expect("an event")).expect("JSON"));
    let pictures: Vec<String> =
        sent.filter_map(|event| Some(event["item"]["content"][0]["image_url"].as_str()?.to_owned())).collect();
    assert_eq!(pictures.len(), 5);
    use base64::Engine;
    let file = std::fs::read(folder.0.join("4.jpg")).expect("a picture");
    let expected = format!("data:image/jpeg;base64,{}", base64::engine::general_purpose::STANDARD.encode(file));
    assert!(pictures[4] == expected, "the picture is another one");
}

#[test]
fn files_that_differ_and_look_the_same_are_not_sent_if_that_is_wished() {
    let folder = Pictures::new(4);
    folder.put(2, &std::fs::read(media("flower.jpg")).expect("a picture"));
    let server = Server::start(&["--engine", "echo"]);
    for (dedupe, sent, skipped) in [("exact", 4, 0), ("similar", 3, 1), ("similar frame-dedupe-threshold=1", 1, 3)] {
        let mut pipeline = Pipeline::new(&format!(
            "openairealtime name=ai uri={} frame-interval=1000000000 frame-dedupe={dedupe} ! fakesink {} ! ai.",
            server.base(),
            folder.source("1/1")
        ));
        pipeline.run_to_end();
        assert_eq!((count(&pipeline, "frames-sent"), count(&pipeline, "frames-skipped")), (sent, skipped), "{dedupe}");
        let skipped = frames(&pipeline, "skipped");
        assert!(skipped.iter().all(|frame| frame.get("reason") == Ok("similar")), "{skipped:?}");
    }
}

#[test]
fn two_cameras_are_told_apart() {
    let server = Server::start(&["--engine", "echo"]);
    let (left, right) = (Pictures::new(3), Pictures::new(3));
    let mut pipeline = Pipeline::new(&format!(
        "openairealtime name=ai uri={} frame-interval=1000000000 ! fakesink {} ! ai. {} ! ai.",
        server.base(),
        left.source("1/1"),
        right.source("1/1")
    ));
    pipeline.run_to_end();
    let sent = frames(&pipeline, "sent");
    let of = |pad: &str| sent.iter().filter(|frame| frame.get::<&str>("pad") == Ok(pad)).count();
    assert_eq!((of("video_sink_0"), of("video_sink_1")), (3, 3));
    // Offline, the order is that of the timeline.
    let times: Vec<u64> = sent.iter().map(|frame| frame.get("running-time").expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_frame_is_sent_when_an_application_wants_it() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=ai uri={} frame-policy=manual ! fakesink sync=true \
         videotestsrc is-live=true ! video/x-raw,width=160,height=120 ! pngenc ! tee name=t ! ai.video_sink_0",
        server.base()
    ));
    let camera = Tap::on(&pipeline.element("ai").static_pad("video_sink_0").expect("a pad"));
    pipeline.play();
    pipeline.until_told("session", state("ready"));
    let ai = pipeline.element("ai");
    let china = gst::Buffer::from_slice(std::fs::read(media("china.jpg")).expect("a picture"));
    let size = china.size() as u64;
    let sample = gst::Sample::builder().buffer(&china).build();
    assert!(ai.emit_by_name::<bool>("send-frame", &[&sample]));
    let told = pipeline.until_told("frame", state("sent"));
    assert_eq!((told.get::<u64>("size"), told.has_field("pad")), (Ok(size), false));
    // Without a picture it is the camera's.
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while camera.outs().is_empty() {
        assert!(std::time::Instant::now() < limit, "the camera is blind");
        std::thread::yield_now();
    }
    assert!(ai.emit_by_name::<bool>("send-frame", &[&None::<gst::Sample>]));
    assert_eq!(pipeline.until_told("frame", state("sent")).get::<&str>("pad"), Ok("video_sink_0"));
    // The same from another element.
    let structure = gst::Structure::builder("openairealtime/send-frame").field("sample", &sample).build();
    assert!(ai.send_event(gst::event::CustomDownstream::new(structure)));
    pipeline.until_told("frame", state("sent"));
    let half = gst::Sample::builder().buffer(&gst::Buffer::from_slice(*b"\xff\xd8\xff")).build();
    assert!(!ai.emit_by_name::<bool>("send-frame", &[&half]));
    pipeline.until("a warning", |message| message.type_() == gst::MessageType::Warning);
    assert!(pipeline.warnings()[0].contains("send-frame: the JPEG breaks off"), "{:?}", pipeline.warnings());
}

#[test]
fn a_camera_alone_is_described_and_the_end_waits_for_the_last_answer() {
    let server = Server::start(&["--engine", "echo"]);
    let folder = Pictures::new(3);
    let mut pipeline = Pipeline::new(&format!(
        "openairealtime name=ai uri={} frame-interval=1000000000 frame-respond=true frame-prompt=\"Describe this.\" \
         ! fakesink {} ! ai.",
        server.base(),
        folder.source("1/1")
    ));
    let tap = pipeline.tap("ai");
    pipeline.run_to_end();
    tap.assert_unbroken(24_000, 2);
    let completed = pipeline.all("response").iter().filter(|s| state("completed")(s)).count();
    assert_eq!(completed, 3);
    assert_eq!(pipeline.words("assistant").matches("Describe this").count(), 3, "{}", pipeline.words("assistant"));
    assert!(count(&pipeline, "image-tokens") > 0);
    // Each answer stands where its picture does.
    let loud = |from: u64| {
        let outs = tap.outs();
        let at = gst::ClockTime::from_mseconds(from);
        outs.iter()
            .any(|out| out.pts <= at && at < out.pts + out.duration && !out.flags.contains(gst::BufferFlags::GAP))
    };
    assert!([50, 1_050, 2_050].into_iter().all(loud), "an answer is not in its place");
    assert!(!loud(900));
}

/// What is told and sent of a recording and a camera, with the newest picture of each turn.
fn turn(server: &Server, folder: &Pictures, demuxed: bool) -> (u64, Vec<u64>) {
    let (sound, camera) = (recording("goforward.wav"), folder.source("5/1"));
    let ai = format!("openairealtime name=ai uri={} frame-policy=turn ! fakesink", server.base());
    let pipeline = match demuxed {
        false => format!("{sound} ! {ai} {camera} ! ai.video_sink_0"),
        true => {
            let file = folder.0.join("both.mkv");
            let camera = "videotestsrc pattern=ball num-buffers=30 ! video/x-raw,width=160,height=120,framerate=5/1 \
                          ! jpegenc";
            let mux = format!("matroskamux name=mux ! filesink location={}", file.display());
            let mut making = Pipeline::new(&format!("{sound} ! queue ! mux. {camera} ! queue ! mux. {mux}"));
            making.run_to_end().stop();
            format!(
                "filesrc location={} ! matroskademux name=d d.audio_0 ! queue ! audioconvert ! audioresample ! {ai} \
                 d.video_0 ! queue ! ai.video_sink_0",
                file.display()
            )
        }
    };
    let mut pipeline = Pipeline::new(&pipeline);
    pipeline.run_to_end();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    let ended = pipeline.all("speech").into_iter().find(|s| s.get::<bool>("active") == Ok(false)).expect("a turn");
    let times = frames(&pipeline, "sent").iter().map(|frame| frame.get("running-time").expect("a time")).collect();
    (ended.get("running-time").expect("a time"), times)
}

#[test]
fn offline_a_turn_has_its_picture_and_it_is_the_same_every_time() {
    let folder = Pictures::new(30);
    let record = folder.0.join("trace.jsonl");
    let mut server = Server::start(&["--engine", "echo", "--record", record.to_str().expect("a path")]);
    for demuxed in [false, false, true] {
        let (end, times) = turn(&server, &folder, demuxed);
        // A demuxer's times are rounded to milliseconds.
        // A frame within a millisecond of the turn's end may be on either side of it.
        let newest = (end - 1_000_000).min(3_000_000_000) / 200_000_000 * 200_000_000;
        assert!(times.len() == 1 && times[0].abs_diff(newest) < 1_000_000, "{times:?} for a turn that ends at {end}");
    }
    server.terminate();
    let names: Vec<String> = sent(&record)
        .iter()
        .filter_map(|event| event["type"].as_str())
        .filter(|name| !matches!(*name, "input_audio_buffer.append" | "session.update"))
        .map(str::to_owned)
        .collect();
    assert_eq!(names, ["conversation.item.create", "input_audio_buffer.commit", "response.create"]);
}

#[test]
fn a_recorded_camera_keeps_step_with_the_clock_when_live() {
    let server = Server::start(&["--engine", "echo"]);
    let folder = Pictures::new(4);
    let mut pipeline = Pipeline::new(&format!(
        "openairealtime name=ai uri={} timing=live frame-interval=100000000 ! fakesink sync=true {} ! ai.",
        server.base(),
        folder.source("5/1")
    ));
    pipeline.play();
    pipeline.until_told("session", state("ready"));
    pipeline.until("the end of the stream", |message| message.type_() == gst::MessageType::Eos);
    let clock = pipeline.pipeline.clock().expect("a clock");
    let now = clock.time() - pipeline.pipeline.base_time().expect("a base time");
    assert!(now >= gst::ClockTime::from_mseconds(600), "{now}");
    assert!(count(&pipeline, "frames-sent") >= 1);
}

#[test]
fn pads_of_cameras_come_and_go_with_names_and_properties() {
    init();
    let ai = gst::ElementFactory::make("openairealtime").build().expect("the element");
    let pads: Vec<gst::Pad> = ["video_sink_4", "video_sink_%u", "video_sink_%u"]
        .iter()
        .map(|name| ai.request_pad_simple(name).expect("a pad"))
        .collect();
    let names: Vec<String> = pads.iter().map(|pad| pad.name().to_string()).collect();
    assert_eq!(names, ["video_sink_4", "video_sink_0", "video_sink_1"]);
    ai.set_property("frame-interval", 7u64);
    assert_eq!(pads[0].property::<u64>("interval"), 7, "the element's, where the pad has none");
    let children = ai.dynamic_cast_ref::<gst::ChildProxy>().expect("children");
    children.set_child_property("video_sink_4::interval", 9u64.to_value());
    assert_eq!((pads[0].property::<u64>("interval"), pads[1].property::<u64>("interval")), (9, 7));
    ai.release_request_pad(&pads[1]);
    assert_eq!(ai.request_pad_simple("video_sink_%u").expect("a pad").name(), "video_sink_0");
}

/// The kinds of the parts of each message that the client sent, with its words.
fn messages(record: &Path) -> Vec<(Vec<String>, String)> {
    let events = sent(record).into_iter().filter(|event| event["type"] == "conversation.item.create");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events
        .map(|event| {
            let parts = event["item"]["content"].as_array().cloned().unwrap_or_default();
            (
                parts.iter().map(|part| text(&part["type"])).collect(),
                parts.iter().map(|part| text(&part["text"])).collect(),
            )
        })
        .collect()
}

/// Asks about a picture that a camera sees all the time, one question after the other. Gives the answers.
fn ask(server: &Server, properties: &str, questions: &[&str]) -> Vec<String> {
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=ai uri={} frame-policy=turn output-modalities=text {properties} \
         ! fakesink sync=true filesrc location={} ! jpegdec ! videoconvert ! imagefreeze is-live=true \
         ! video/x-raw,framerate=20/1 ! jpegenc ! ai.video_sink_0",
        server.base(),
        media("china.jpg")
    ));
    let camera = Tap::on(&pipeline.element("ai").static_pad("video_sink_0").expect("a pad"));
    pipeline.play();
    pipeline.until_told("session", state("ready"));
    let mut answers = Vec::new();
    for question in questions {
        // The second of two new ones comes when the first one has arrived.
        camera.wait_for(camera.outs().len() + 2);
        assert!(pipeline.element("ai").emit_by_name::<bool>("send-text", &[question, &true]));
        let told = pipeline
            .until_told("transcript", |words| words.get("role") == Ok("assistant") && words.get("final") == Ok(true));
        answers.push(told.get("text").expect("words"));
        pipeline.until_told("response", state("completed"));
    }
    pipeline.stop();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    answers
}

#[test]
fn what_is_typed_and_what_is_seen_is_one_message_and_answered() {
    let folder = Folder::new();
    let record = folder.join("trace.jsonl");
    let mut server = Server::start(&["--record", record.to_str().expect("a path")]);
    let answers = ask(&server, "", &["What do you see?", "How large is the picture?"]);
    server.terminate();
    assert!(answers[0].contains("palace") && answers[1].contains("640"), "{answers:?}");
    let parts = |kinds: &[&str], words: &str| (kinds.iter().map(|kind| kind.to_string()).collect(), words.to_owned());
    // What the camera sees does not change.
    let expected = [
        parts(&["input_image", "input_text"], "What do you see?"),
        parts(&["input_text"], "How large is the picture?"),
    ];
    assert_eq!(messages(&record), expected);
}

#[test]
fn words_outlive_the_pictures_that_they_came_with() {
    let folder = Folder::new();
    let record = folder.join("trace.jsonl");
    let mut server = Server::start(&["--engine", "echo", "--record", record.to_str().expect("a path")]);
    ask(&server, "frame-dedupe=none max-frames=1", &["one", "two"]);
    server.terminate();
    // The server has taken the words in the place of the message that was deleted.
    let text = std::fs::read_to_string(&record).expect("a trace");
    let said = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["ev"].take());
    let (added, deleted): (Vec<Value>, Vec<Value>) = said
        .filter(|event| event["type"] == "conversation.item.added" || event["type"] == "conversation.item.deleted")
        .partition(|event| event["type"] == "conversation.item.added");
    let alone = added.iter().filter(|event| event["previous_item_id"] == "frame_1");
    let alone: Vec<&Value> = alone.filter(|event| event["item"]["role"] == "user").collect();
    assert!(alone.iter().any(|event| event["item"]["content"][0]["text"] == "one"), "{added:?}");
    assert!(deleted.len() == 1 && deleted[0]["item_id"] == "frame_1", "{deleted:?}");
}

/// These words, spoken by the local server.
fn spoken(server: &Server, words: &str) -> Vec<u8> {
    let mut pipeline = Pipeline::new(&format!(
        "openairealtime name=o timing=offline turn-detection=none uri={} ! fakesink async=false",
        server.base()
    ));
    let sound = pipeline.tap("o");
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("ready"));
    let element = pipeline.element("o");
    assert!(element.emit_by_name::<bool>("send-text", &[&format!("Repeat after me: {words}"), &true]));
    assert!(element.send_event(gst::event::Eos::new()));
    pipeline.until("the end of the stream", |message| message.type_() == gst::MessageType::Eos);
    pipeline.stop();
    sound.sound()
}

#[test]
fn asked_aloud_it_says_what_is_in_the_photo() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let question = folder.join("question.raw");
    let sound = [vec![0; 24_000], spoken(&server, "what do you see?"), vec![0; 96_000]].concat();
    std::fs::write(&question, sound).expect("written");
    let mut pipeline = Pipeline::new(&format!(
        "filesrc location={} ! rawaudioparse format=pcm pcm-format=s16le sample-rate=24000 num-channels=1 \
         ! openairealtime name=o timing=offline frame-policy=turn uri={} ! fakesink \
         filesrc location={} ! jpegdec ! videoconvert ! jpegenc ! o.video_sink_0",
        question.display(),
        server.base(),
        media("china.jpg")
    ));
    pipeline.run_to_end().stop();
    assert!(pipeline.words("user").to_lowercase().contains("what do you see"), "{}", pipeline.words("user"));
    assert!(pipeline.words("assistant").contains("palace"), "{}", pipeline.words("assistant"));
}
