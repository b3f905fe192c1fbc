// SPDX-License-Identifier: MPL-2.0

//! Voice and text stand where the server puts them.

use super::*;
use crate::queue::timeline::{Next, Timeline};

#[test]
fn voice_and_text_stand_at_their_positions() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.input = ms(5_000);
    this.speak(ms(4_000));
    this.text("input", "Hello.", 0);
    this.text("output", "Ho", 1_000);
    this.text("output", "la.", 1_200);
    this.audio(1_200, 4_800);
    this.text("input", " Bye.", 2_000);
    this.text("output", " Adiós.", 3_000);
    this.audio(3_000, 480);
    assert_eq!(this.played.iter().map(|audio| audio.not_before).collect::<Vec<_>>(), [ms(6_200), ms(8_000)]);
    this.give(Input::EndOfStream);
    this.server(json!({"type": "session.closed"}));
    let texts: Vec<_> = this.texts.iter().map(|text| (text.role, text.text.as_str(), text.at)).collect();
    let (user, model) = (Speaker::User, Speaker::Assistant);
    assert_eq!(
        texts,
        [
            (user, "Hello.", Some(ms(5_000))),
            (model, "Hola.", Some(ms(6_000))),
            (user, "Bye.", Some(ms(7_000))),
            (model, "Adiós.", Some(ms(8_000))),
        ]
    );
    assert_eq!(this.gaps, [ms(6_200), ms(8_000)]);
}

/// Two hours of a device whose clock is fast by 50 ppm, with holes in its audio.
#[test]
fn nothing_drifts_in_two_hours() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    let mut stream = Timeline::new(AudioFormat::Pcm, false);
    let (mut appended, mut at) = (Duration::ZERO, Duration::ZERO);
    let (mut voice, mut text) = (Vec::new(), Vec::new());
    for second in 0..7_200_u64 {
        if second % 600 == 599 {
            // The server hears as much silence.
            at += ms(1_500);
            appended += ms(1_500);
        }
        if second % 10 == 0 {
            let place = (appended.as_millis() as u64).next_multiple_of(200);
            voice.push((place, at + ms(place) - appended));
        }
        this.speak_at(Some(at), ms(1_000));
        at += Duration::from_nanos(1_000_050_000);
        appended += ms(1_000);
        if second % 10 == 9
            && let Some((place, expected)) = voice.last().copied()
        {
            this.audio(place, 24_000);
            this.text("output", "Una frase.", place);
            this.text("input", " A sentence.", place);
            text.push(expected);
        }
    }
    this.give(Input::EndOfStream);
    this.server(json!({"type": "session.closed"}));
    let limit = ms(100);
    let near = |is: Duration, should: Duration| is.abs_diff(should) < limit;
    for role in [Speaker::User, Speaker::Assistant] {
        let of = this.texts.iter().filter(|text| text.role == role);
        let at: Vec<Duration> = of.filter_map(|text| text.at).collect();
        assert_eq!(at.len(), text.len(), "{role:?}");
        assert!(at.iter().zip(&text).all(|(is, should)| near(*is, *should)), "{role:?}");
    }
    // The stream itself, as it is played.
    this.played.drain(..).for_each(|audio| stream.play(audio));
    stream.finish(this.finished.expect("the end"));
    let mut begins = Vec::new();
    let mut is_silent = true;
    loop {
        match stream.next_offline(240) {
            Next::Piece(piece) => {
                if is_silent && !piece.silent {
                    begins.push(stream.time_of(piece.position));
                }
                is_silent = piece.silent;
            }
            Next::End => break,
            Next::Wait => panic!("everything is known"),
        }
    }
    assert_eq!(begins.len(), voice.len());
    let wrong = begins.iter().zip(&voice).find(|(is, (_, should))| !near(**is, *should));
    assert_eq!(wrong, None);
}

#[test]
fn the_delay_is_told_at_the_begin_of_each_stretch() {
    let mut this = Interpretation::ready(config(Timing::Live));
    (0..10).for_each(|_| this.speak(ms(200)));
    this.audio(0, 480);
    this.audio(200, 480);
    (0..10).for_each(|_| this.speak(ms(200)));
    this.audio(1_000, 480);
    let delays = |event: &Event| match event {
        Event::TranslationDelay { delay, running_time } => Some((*delay, *running_time)),
        _ => None,
    };
    // A frame is sent when its last sample has come.
    let told: Vec<_> = this.events.iter().filter_map(delays).collect();
    assert_eq!(told, [(ms(2_000), ms(0)), (ms(3_000), ms(1_000))]);
}

#[test]
fn live_a_line_ends_when_nothing_follows() {
    let mut this = Interpretation::ready(config(Timing::Live));
    this.speak(ms(200));
    this.text("output", "Hola", 0);
    this.wait(ms(1_900));
    assert!(this.texts.is_empty());
    this.wait(ms(100));
    assert_eq!(this.texts.len(), 1);
    let is_final = |event: &&Event| matches!(event, Event::Transcript(transcript) if transcript.last);
    assert_eq!(this.events.iter().filter(is_final).count(), 1);
}

#[test]
fn output_goes_on_where_downstream_keeps_the_input_back() {
    let mut this = Interpretation::ready(config(Timing::Offline));
    this.speak(ms(3_000));
    this.wait(ms(1_999));
    assert!(this.gaps.is_empty());
    this.wait(ms(1));
    assert_eq!(this.gaps, [ms(3_000)], "five seconds after the last input");
}
