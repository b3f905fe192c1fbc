// SPDX-License-Identifier: MPL-2.0

//! Pictures: which ones are sent, in which order with everything else, and which ones are taken back.

use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::config::{Config, ConfigUpdate, Dedupe, FrameConfig, FramePolicy};
use crate::realtime::conversation::io::{Command, FrameEvent, FrameState, Output};
use crate::realtime::conversation::tests::dialogue::*;
use crate::realtime::conversation::{Event, Input};
use crate::types::Frame;
use crate::types::{AudioChunk, Timing};
use openai_protocol::client::{Detail, PictureMessage};
use serde_json::json;
use std::time::Duration;

pub fn frame(pad: &str, name: &str, at: u64) -> Frame {
    Frame {
        pad: Some(pad.into()),
        file: name.as_bytes().to_vec().into(),
        media_type: "image/jpeg",
        at: ms(at),
        interval: None,
        detail: None,
        prompt: None,
    }
}

/// The files of a message.
pub fn seen(message: &PictureMessage) -> Vec<String> {
    message.pictures.iter().map(|picture| String::from_utf8_lossy(&picture.file).into_owned()).collect()
}

impl Dialogue {
    pub fn on_frame(&mut self, name: &str, at: u64) {
        self.handle(Input::Frame(Box::new(frame("cam", name, at))));
    }

    pub fn expect_frame(&mut self, state: FrameState) -> FrameEvent {
        match self.expect_notice() {
            Event::Frame(frame) if frame.state == state => frame,
            other => panic!("expected a frame that is {state:?}, got {other:?}"),
        }
    }

    pub fn expect_skipped(&mut self, at: u64, reason: &'static str) {
        assert_eq!(self.expect_frame(FrameState::Skipped { reason }).at, Some(ms(at)));
    }

    /// The next thing is this picture to the server.
    pub fn expect_picture(&mut self, name: &str) -> PictureMessage {
        match self.next() {
            Some(Output::SendPicture(picture)) => {
                assert_eq!((seen(&picture), picture.words.as_ref()), (vec![name.to_owned()], None));
                let told = self.expect_frame(FrameState::Sent);
                assert_eq!((told.item_id.as_ref(), told.size), (Some(&picture.item_id), name.len()));
                picture
            }
            other => panic!("expected the picture {name}, got {other:?}"),
        }
    }

    /// The next thing is a message of these pictures, and what was typed about them.
    pub fn expect_shown(&mut self, names: &[&str], words: &str) -> PictureMessage {
        let Some(Output::SendPicture(message)) = self.next() else { panic!("expected {names:?} with {words:?}") };
        assert_eq!(seen(&message), names);
        assert_eq!(message.words.as_deref(), Some(words));
        for _ in names {
            assert_eq!(self.expect_frame(FrameState::Sent).item_id.as_ref(), Some(&message.item_id));
        }
        message
    }

    /// The next thing is some picture to the server.
    pub fn expect_any_picture(&mut self) -> PictureMessage {
        let Some(Output::SendPicture(picture)) = self.next() else { panic!("expected a picture") };
        self.expect_frame(FrameState::Sent);
        picture
    }

    pub fn expect_removed(&mut self, item_id: &str) {
        assert_eq!(self.expect_sent("conversation.item.delete")["item_id"], item_id);
        assert_eq!(self.expect_frame(FrameState::Removed).item_id.as_deref(), Some(item_id));
    }
}

pub fn with(timing: Timing, detection: Detection, policy: FramePolicy, change: impl FnOnce(&mut Config)) -> Dialogue {
    let mut config = config(timing, detection);
    config.frames.policy = policy;
    // As the element does it, so that the picture comes before the answer.
    config.server_responds = policy != FramePolicy::Turn;
    change(&mut config);
    Dialogue::ready(config)
}

pub fn interval(change: impl FnOnce(&mut FrameConfig)) -> Dialogue {
    with(Timing::Live, server_vad(), FramePolicy::Interval, |config| change(&mut config.frames))
}

#[test]
fn one_frame_goes_in_every_interval() {
    let mut dialogue = interval(|_| {});
    for n in 0..=60 {
        dialogue.on_frame(&format!("{n}"), n * 100);
        match n {
            0 | 20 | 40 | 60 => drop(dialogue.expect_picture(&format!("{n}"))),
            _ => dialogue.expect_nothing(),
        }
        dialogue.now += ms(100);
    }
}

#[test]
fn the_newest_goes_at_the_end_of_the_interval_where_no_other_comes() {
    let mut dialogue = interval(|_| {});
    dialogue.on_frame("a", 1_000);
    dialogue.expect_picture("a");
    dialogue.after(300);
    dialogue.on_frame("b", 1_300);
    dialogue.after(200);
    dialogue.on_frame("c", 1_500);
    dialogue.after(1_499);
    dialogue.expect_nothing();
    dialogue.after(1);
    let event = dialogue.expect_picture("c");
    assert_eq!(
        (event.item_id.as_str(), event.pictures[0].detail, event.pictures[0].text.as_ref()),
        ("frame_2", Detail::Auto, None)
    );
    dialogue.after(60_000);
    dialogue.expect_nothing();
}

#[test]
fn cameras_are_apart_and_may_have_wishes_of_their_own() {
    let mut dialogue = interval(|frames| frames.prompt = Some("What is this?".into()));
    let own = |name, at| Frame {
        interval: Some(ms(500)),
        detail: Some(Detail::High),
        prompt: Some("The door.".into()),
        ..frame("door", name, at)
    };
    dialogue.on_frame("a", 0);
    assert_eq!(dialogue.expect_picture("a").pictures[0].text.as_deref(), Some("What is this?"));
    dialogue.handle(Input::Frame(Box::new(own("b", 100))));
    let picture = &dialogue.expect_picture("b").pictures[0];
    assert_eq!((picture.detail, picture.text.as_deref()), (Detail::High, Some("The door.")));
    dialogue.handle(Input::Frame(Box::new(own("c", 600))));
    dialogue.expect_picture("c");
    dialogue.on_frame("d", 600);
    dialogue.expect_nothing();
    // A camera that is gone leaves nothing behind.
    dialogue.handle(Input::Unplugged("cam".into()));
    dialogue.after(10_000);
    dialogue.expect_nothing();
}

#[test]
fn a_picture_that_is_known_is_not_sent_again_while_it_is_there() {
    let mut dialogue = interval(|frames| frames.most = 2);
    dialogue.on_frame("a", 0);
    dialogue.expect_picture("a");
    dialogue.on_frame("a", 2_000);
    dialogue.expect_skipped(2_000, "same");
    dialogue.on_frame("b", 4_000);
    dialogue.expect_picture("b");
    dialogue.on_frame("a", 6_000);
    dialogue.expect_picture("a");
    dialogue.expect_removed("frame_1");
    // Pictures of another camera push it out; then it is news again.
    for (name, at) in [("x", 0), ("y", 2_000)] {
        dialogue.handle(Input::Frame(Box::new(frame("other", name, at))));
        dialogue.expect_picture(name);
        dialogue.expect_sent("conversation.item.delete");
        dialogue.expect_notice();
    }
    dialogue.on_frame("a", 8_000);
    dialogue.expect_picture("a");
    let mut dialogue = interval(|frames| frames.dedupe = Dedupe::None);
    for at in [0, 2_000] {
        dialogue.on_frame("a", at);
        dialogue.expect_picture("a");
    }
}

#[test]
fn frames_wait_for_a_network_that_is_behind_and_the_newest_wins() {
    let mut dialogue = interval(|_| {});
    dialogue.handle(Input::Behind(true));
    for n in 0..50 {
        dialogue.on_frame(&format!("{n}"), n * 100);
    }
    // One a missed interval is told, not every frame that a newer one took the place of.
    dialogue.expect_skipped(1_900, "behind");
    dialogue.expect_skipped(3_900, "behind");
    dialogue.expect_nothing();
    assert_eq!(dialogue.conversation.deadline(), None);
    dialogue.handle(Input::Behind(false));
    dialogue.expect_picture("49");
    dialogue.expect_nothing();
}

#[test]
fn only_so_many_stay_also_when_some_are_refused() {
    let mut dialogue = interval(|frames| frames.most = 3);
    for n in 0..3 {
        dialogue.on_frame(&format!("{n}"), n * 2_000);
    }
    dialogue.expect_picture("0");
    let refused = dialogue.expect_picture("1");
    dialogue.expect_picture("2");
    dialogue.server(json!({"type": "error", "error": {"type": "invalid_request_error", "code": "invalid_value",
        "message": "no", "event_id": refused.event_id}}));
    assert_eq!(dialogue.expect_frame(FrameState::Skipped { reason: "refused" }).item_id, Some(refused.item_id));
    dialogue.expect_warning("invalid_value");
    // So there is room for one more.
    dialogue.on_frame("3", 6_000);
    dialogue.expect_picture("3");
    dialogue.expect_nothing();
    dialogue.on_frame("4", 8_000);
    dialogue.expect_picture("4");
    dialogue.expect_removed("frame_1");
    // A server may have forgotten it by itself, which is no harm.
    let id = format!("evt_{}", 7);
    dialogue.server(
        json!({"type": "error", "error": {"code": "item_delete_invalid_item_id", "message": "no", "event_id": id}}),
    );
    dialogue.expect_nothing();
}

#[test]
fn the_book_of_pictures_survives_a_barge_in_and_other_settings() {
    let mut dialogue = interval(|_| {});
    for n in 0..3 {
        dialogue.on_frame(&format!("{n}"), n * 2_000);
        dialogue.expect_picture(&format!("{n}"));
    }
    dialogue.hear(500);
    dialogue.appended();
    dialogue.server_all([created("r1"), delta("r1", "a1", 1_000)]);
    dialogue.played(5_000, &[("a1", 400)]);
    dialogue.skip();
    dialogue.server(started("u1", 100));
    dialogue.expect_speech(true, Some("u1"), 100);
    dialogue.expect_cut();
    dialogue.expect_sent("conversation.item.truncate");
    dialogue.expect_interrupted("a1", 400);
    dialogue.expect_nothing();
    let mut config = config(Timing::Live, server_vad());
    config.frames.most = 1;
    dialogue.handle(Input::Configure(Box::new(ConfigUpdate { revision: 1, config })));
    dialogue.after(10);
    dialogue.expect_removed("frame_1");
    dialogue.expect_removed("frame_2");
    assert!(matches!(dialogue.expect_notice(), Event::Settings { .. }));
    dialogue.expect_nothing();
}

#[test]
fn each_frame_is_answered_and_the_next_one_waits_until_that_was_heard() {
    let mut dialogue = interval(|frames| frames.respond = true);
    dialogue.on_frame("a", 0);
    dialogue.expect_picture("a");
    dialogue.expect_sent("response.create");
    dialogue.on_frame("b", 2_000);
    dialogue.expect_nothing();
    dialogue.server_all([created("r1"), delta("r1", "a1", 3_000), audio_done("r1", "a1"), done("r1")]);
    dialogue.handle(Input::Began { item_id: "a1".into(), at: ms(2_000), pushed: dialogue.now });
    dialogue.skip();
    dialogue.after(2_999);
    dialogue.on_frame("c", 5_000);
    dialogue.expect_skipped(2_000, "busy");
    dialogue.expect_nothing();
    dialogue.after(1);
    dialogue.expect_picture("c");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
}

#[test]
fn frames_over_the_limit_of_requests_are_skipped() {
    let mut dialogue = with(Timing::Live, server_vad(), FramePolicy::Interval, |config| {
        config.requests_per_minute = 1;
        config.frames.respond = true;
    });
    dialogue.on_frame("a", 0);
    dialogue.expect_picture("a");
    dialogue.expect_sent("response.create");
    dialogue.server_all([created("r1"), done("r1")]);
    dialogue.skip();
    dialogue.on_frame("b", 2_000);
    dialogue.expect_skipped(2_000, "limit");
    dialogue.after(60_000);
    dialogue.on_frame("c", 62_000);
    dialogue.expect_picture("c");
    dialogue.expect_sent("response.create");
}

#[test]
fn the_picture_of_a_turn_comes_before_its_answer_with_a_servers_detection() {
    let mut dialogue = with(Timing::Live, server_vad(), FramePolicy::Turn, |_| {});
    dialogue.hear(2_000);
    dialogue.appended();
    dialogue.on_frame("a", 100);
    dialogue.on_frame("b", 900);
    dialogue.server_all([started("u1", 300), stopped("u1", 1_500)]);
    dialogue.expect_speech(true, Some("u1"), 300);
    dialogue.expect_speech(false, Some("u1"), 1_500);
    dialogue.expect_nothing();
    dialogue.server(committed("u1"));
    dialogue.expect_picture("b");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
}

#[test]
fn a_server_that_answers_by_itself_gets_the_picture_when_the_turn_begins() {
    let mut dialogue = with(Timing::Live, server_vad(), FramePolicy::Turn, |config| config.server_responds = true);
    dialogue.hear(2_000);
    dialogue.appended();
    dialogue.on_frame("a", 100);
    dialogue.server(started("u1", 300));
    dialogue.expect_speech(true, Some("u1"), 300);
    dialogue.expect_picture("a");
    dialogue.on_frame("b", 900);
    dialogue.server_all([stopped("u1", 1_500), committed("u1"), created("r1")]);
    dialogue.expect_speech(false, Some("u1"), 1_500);
    dialogue.expect_response("created");
    dialogue.expect_nothing();
}

#[test]
fn the_picture_of_a_turn_comes_before_its_answer_with_our_own_ear() {
    let mut dialogue = with(Timing::Live, own_ear(), FramePolicy::Turn, |_| {});
    dialogue.on_frame("a", 0);
    dialogue.hear_sound(&sentence());
    dialogue.expect_notice();
    dialogue.appended();
    dialogue.expect_notice();
    dialogue.expect_picture("a");
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
}

#[test]
fn push_to_talk_and_typed_words_are_turns_too() {
    let mut dialogue = with(Timing::Live, Detection::Manual, FramePolicy::Turn, |_| {});
    dialogue.hear(500);
    dialogue.appended();
    dialogue.on_frame("a", 100);
    dialogue.handle(Input::Command(Command::Commit));
    dialogue.expect_picture("a");
    dialogue.expect_sent("input_audio_buffer.commit");
    dialogue.expect_nothing();
    dialogue.on_frame("b", 900);
    let text = Command::Text { text: "what is this?".into(), respond: true, at: Some(ms(900)) };
    dialogue.handle(Input::Command(text));
    dialogue.expect_shown(&["b"], "what is this?");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
    // A network that is behind carries words, and no pictures.
    dialogue.server_all([created("r1"), done("r1")]);
    dialogue.skip();
    dialogue.handle(Input::Behind(true));
    dialogue.on_frame("c", 1_900);
    let text = Command::Text { text: "and now?".into(), respond: true, at: None };
    dialogue.handle(Input::Command(text));
    dialogue.expect_skipped(1_900, "behind");
    dialogue.expect_sent("conversation.item.create");
    dialogue.expect_sent("response.create");
}

#[test]
fn frames_go_while_the_user_speaks() {
    let mut dialogue = with(Timing::Live, server_vad(), FramePolicy::Speech, |_| {});
    dialogue.hear(9_000);
    dialogue.appended();
    dialogue.on_frame("a", 0);
    dialogue.on_frame("b", 1_000);
    dialogue.expect_nothing();
    dialogue.server(started("u1", 1_100));
    dialogue.expect_speech(true, Some("u1"), 1_100);
    dialogue.expect_picture("b");
    dialogue.on_frame("c", 2_000);
    dialogue.expect_nothing();
    dialogue.on_frame("d", 3_000);
    dialogue.expect_picture("d");
    dialogue.server(stopped("u1", 3_500));
    dialogue.expect_speech(false, Some("u1"), 3_500);
    dialogue.on_frame("e", 6_000);
    dialogue.after(60_000);
    dialogue.expect_nothing();
}

#[test]
fn by_hand_only_what_is_asked_for_is_sent() {
    let mut dialogue = with(Timing::Live, server_vad(), FramePolicy::Manual, |_| {});
    dialogue.on_frame("a", 0);
    dialogue.on_frame("b", 9_000);
    dialogue.after(60_000);
    dialogue.expect_nothing();
    dialogue.handle(Input::Command(Command::SendFrame(None)));
    dialogue.expect_picture("b");
    dialogue.handle(Input::Command(Command::SendFrame(None)));
    dialogue.expect_warning("no-frame");
    let own = Frame { pad: None, ..frame("", "own", 9_000) };
    dialogue.handle(Input::Command(Command::SendFrame(Some(Box::new(own)))));
    dialogue.expect_picture("own");
    dialogue.expect_nothing();
}

#[test]
fn a_session_that_only_writes_down_looks_at_nothing() {
    let mut dialogue = with(Timing::Live, server_vad(), FramePolicy::Interval, |config| {
        config.session.kind = Some(openai_protocol::session::SessionKind::Transcription);
    });
    dialogue.on_frame("a", 0);
    dialogue.expect_warning("no-frames");
    dialogue.on_frame("b", 2_000);
    dialogue.expect_nothing();
}

/// Hands sound and frames over in the order of their times, as the mailbox does.
fn play(dialogue: &mut Dialogue, sound: &[u8], frames: &[u64], piece: usize) {
    let mut frames = frames.iter().peekable();
    let mut begin = 0;
    while begin < sound.len() {
        let at = Duration::from_nanos(begin as u64 / 48 * 1_000_000);
        while let Some(next) = frames.next_if(|next| ms(**next) <= at) {
            dialogue.on_frame(&format!("{next}"), *next);
        }
        let cut = frames.peek().map_or(usize::MAX, |next| **next as usize * 48);
        let end = (begin + piece).min(cut).min(sound.len());
        dialogue.handle(Input::Audio(AudioChunk { data: sound[begin..end].to_vec().into(), at: Some(at) }));
        dialogue.input = at;
        begin = end;
    }
}

#[test]
fn offline_a_turn_has_the_newest_frame_before_its_end_however_the_sound_is_cut() {
    let frames: Vec<u64> = (0..60).map(|n| n * 100).collect();
    for piece in [960, 4_800, 48_000, usize::MAX / 4] {
        let mut dialogue = with(Timing::Offline, own_ear(), FramePolicy::Turn, |_| {});
        play(&mut dialogue, &sentence(), &frames, piece);
        let all = dialogue.take_all();
        let Some(Output::Event(Event::Speech { running_time: Some(end), .. })) =
            all.iter().find(|output| matches!(output, Output::Event(Event::Speech { active: false, .. })))
        else {
            panic!("speech ends")
        };
        let sent: Vec<_> = all
            .iter()
            .filter_map(|output| match output {
                Output::SendPicture(picture) => seen(picture).pop(),
                Output::Send(event) if event.name() != "input_audio_buffer.append" => Some(event.name().to_owned()),
                _ => None,
            })
            .collect();
        let newest = (end.as_millis() as u64 / 100 * 100).to_string();
        assert_eq!(sent, [newest.as_str(), "input_audio_buffer.commit", "response.create"], "pieces of {piece}");
    }
}

#[test]
fn offline_a_camera_that_sees_on_after_the_sound_is_not_part_of_its_last_turn() {
    let mut dialogue = with(Timing::Offline, Detection::Manual, FramePolicy::Turn, |_| {});
    play(&mut dialogue, &[0; 48_000], &[0, 900], 4_800);
    dialogue.on_frame("late", 1_100);
    dialogue.skip();
    dialogue.end_of_stream();
    dialogue.expect_picture("900");
    dialogue.expect_sent("input_audio_buffer.commit");
}

#[test]
fn offline_a_set_speed_is_kept_by_frames_as_by_sound() {
    let fast = |config: &mut Config| config.max_speed = 2.0;
    let mut dialogue = with(Timing::Offline, own_ear(), FramePolicy::Interval, fast);
    let wants = |dialogue: &Dialogue| dialogue.conversation.wants_frames(dialogue.now);
    // The first one is where the stream begins.
    dialogue.on_frame("a", 70_000);
    assert!(wants(&dialogue));
    for n in 1..20 {
        dialogue.on_frame("b", 70_000 + n * 1_000);
        dialogue.after(499);
        assert!(!wants(&dialogue), "{n} is due");
        dialogue.after(1);
        assert!(wants(&dialogue), "{n} is over");
    }
    // After a seek the way there is not to be gone.
    dialogue.handle(Input::Flushed);
    dialogue.on_frame("c", 500_000);
    assert!(wants(&dialogue));
}

#[test]
fn offline_no_time_is_reckoned_with_twice_where_there_is_sound_too() {
    let mut dialogue = with(Timing::Offline, Detection::Manual, FramePolicy::Interval, |config| config.max_speed = 1.0);
    let began = dialogue.now;
    for n in 0..50u64 {
        while !dialogue.wants_sound() {
            dialogue.after(10);
        }
        // Every other frame stands in the middle of the sound that comes after it.
        dialogue.on_frame("a", n * 100 + n % 2 * 50);
        while !dialogue.wants_sound() {
            dialogue.after(10);
        }
        dialogue.hear(100);
    }
    // 200 ms may be caught up with.
    let took = dialogue.now - began;
    assert!(took <= ms(5_000) && took >= ms(4_600), "5 s took {took:?}");
}

#[test]
fn offline_frames_are_answered_one_after_the_other_where_they_stand() {
    let mut dialogue = with(Timing::Offline, own_ear(), FramePolicy::Interval, |config| config.frames.respond = true);
    for n in 0..3u64 {
        assert!(dialogue.conversation.wants_frames(dialogue.now));
        dialogue.on_frame(&format!("{n}"), n * 2_000);
        if n > 0 {
            dialogue.expect_quiet(n * 2_000);
        }
        dialogue.expect_picture(&format!("{n}"));
        dialogue.expect_sent("response.create");
        assert!(!dialogue.conversation.wants_frames(dialogue.now), "the next one waits for the answer");
        let (response, item) = (format!("r{n}"), format!("a{n}"));
        dialogue.server_all([created(&response), delta(&response, &item, 100), done(&response)]);
        dialogue.expect_response("created");
        assert_eq!(dialogue.expect_play(&item, 100).not_before, ms(n * 2_000));
        dialogue.expect_response("completed");
    }
    dialogue.end_of_stream();
    dialogue.expect_finished(4_100);
}

#[test]
fn the_end_waits_for_the_answer_to_the_last_frame() {
    let mut dialogue = interval(|frames| frames.respond = true);
    dialogue.on_frame("a", 0);
    dialogue.end_of_stream();
    dialogue.expect_picture("a");
    dialogue.expect_sent("response.create");
    dialogue.expect_nothing();
    dialogue.server_all([created("r1"), done("r1")]);
    dialogue.expect_response("created");
    dialogue.expect_response("completed");
    dialogue.expect_finished(0);
}

#[test]
fn what_was_seen_before_a_seek_is_not_of_interest() {
    let mut dialogue = interval(|_| {});
    dialogue.on_frame("a", 60_000);
    dialogue.expect_picture("a");
    dialogue.on_frame("b", 61_000);
    dialogue.handle(Input::Flushed);
    dialogue.after(10_000);
    dialogue.expect_nothing();
    dialogue.on_frame("c", 0);
    dialogue.expect_picture("c");
}

#[test]
fn a_session_that_begins_anew_has_no_pictures_and_sees_what_is_seen_then() {
    let mut config = config(Timing::Live, server_vad());
    config.reconnects = true;
    let mut dialogue = Dialogue::ready(config);
    dialogue.on_frame("a", 0);
    dialogue.expect_picture("a");
    dialogue.handle(Input::Closed { code: Some(1006), reason: "gone".into() });
    assert_eq!(dialogue.expect_frame(FrameState::Removed).item_id.as_deref(), Some("frame_1"));
    dialogue.skip();
    dialogue.on_frame("a", 2_000);
    dialogue.expect_nothing();
    dialogue.connect();
    dialogue.expect_sent("session.update");
    dialogue.server(json!({"type": "session.updated", "session": {}}));
    dialogue.expect_ready();
    assert_eq!(dialogue.expect_picture("a").item_id, "frame_2");
    dialogue.expect_nothing();
}
