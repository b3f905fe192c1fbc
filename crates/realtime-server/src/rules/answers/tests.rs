// SPDX-License-Identifier: MPL-2.0

//! Dialogues with the responder, and invariants for any input.

use jiff::Zoned;
use jiff::civil::date;
use jiff::tz::TimeZone;

use super::*;

fn quarter_to_four() -> Zoned {
    date(2026, 11, 21).at(15, 45, 0, 0).to_zoned(TimeZone::UTC).expect("a time")
}

/// Plays a conversation: each line has what is heard and the expected answer.
#[track_caller]
fn dialogue(now: &Zoned, picture: Option<&str>, lines: &[(&str, &str)]) {
    let mut earlier = Vec::new();
    for (index, (heard, expected)) in lines.iter().enumerate() {
        let instructions = Some("Be kind.");
        let context = Context { now, turn: index + 1, instructions, earlier: &earlier, picture };
        assert_eq!(answer(heard, &context), *expected, "to {heard:?}");
        earlier.push((*heard).to_owned());
    }
}

/// The answer in the middle of a conversation.
fn later(heard: &str) -> String {
    let now = quarter_to_four();
    answer(heard, &Context { now: &now, turn: 5, instructions: None, earlier: &[], picture: None })
}

#[test]
fn a_first_conversation() {
    dialogue(
        &quarter_to_four(),
        None,
        &[
            ("Hello.", "This is the offline voice. Hello. What would you like to know?"),
            ("What time is it?", "It is 3:45 p.m."),
            ("And what day is tomorrow?", "Tomorrow is Sunday."),
            ("Go forward ten meters.", "I heard you say: Go forward ten meters."),
            ("What did I say?", "You said: Go forward ten meters."),
            ("How many words did I say?", "Your question had 6 words. What you said before it had 4 words."),
            ("What did I say first?", "You said: Hello."),
            ("Where is the station?", "I cannot answer that without a language model."),
            ("Who painted the Mona Lisa?", "I cannot answer that either."),
            ("By the way, my name is Anna.", "Nice to meet you, Anna."),
            ("What is my name?", "Your name is Anna."),
            ("What are your instructions?", "My instructions are: Be kind. But I am only the offline voice."),
            ("", "I did not catch any words."),
            ("Repeat after me, the sun is up!", "The sun is up."),
            ("Thank you, goodbye.", "You are welcome."),
        ],
    );
}

#[test]
fn it_says_what_it_is_once_and_when_asked() {
    let who = "I am the offline voice, a small program without a language model. I can tell you the time and the \
               date, work out a sum, and repeat what I heard.";
    dialogue(
        &quarter_to_four(),
        None,
        &[
            ("Who are you?", who),
            ("What's your name?", who),
            ("Can you help me?", "I can tell you the time and the date, work out a sum, and repeat what I heard."),
        ],
    );
    assert!(!later("He was not an ill disposed young man.").contains("offline"));
}

#[test]
fn the_first_statement_is_said_back_and_later_ones_are_acknowledged() {
    dialogue(
        &quarter_to_four(),
        None,
        &[
            (
                "And so, my fellow Americans.",
                "This is the offline voice. I heard you say: And so, my fellow Americans.",
            ),
            ("What time is it?", "It is 3:45 p.m."),
            ("Ask not.", "I heard that too, but I can say nothing about it without a language model."),
            ("My name is Jack.", "Nice to meet you, Jack."),
            ("Ask what you can do.", "I heard that too."),
            ("For your country.", "I heard that too."),
            ("What did I say?", "You said: For your country."),
            ("Do you remember my name?", "Your name is Jack."),
        ],
    );
}

#[test]
fn times_and_dates() {
    for (heard, answer) in [
        ("what's the date today", "Today is Saturday, November 21, 2026."),
        ("Which day is it?", "Today is Saturday."),
        ("What was the date yesterday?", "Yesterday is Friday, November 20, 2026."),
        ("What day is the day after tomorrow?", "The day after tomorrow is Monday."),
        ("What year is it?", "It is the year 2026."),
        ("Tell me the time, please.", "It is 3:45 p.m."),
    ] {
        assert_eq!(later(heard), answer, "to {heard:?}");
    }
    for (hour, minute, said) in
        [(0, 5, "12:05 a.m."), (12, 0, "12:00 p.m."), (11, 59, "11:59 a.m."), (23, 1, "11:01 p.m.")]
    {
        let now = date(2026, 1, 1).at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).expect("a time");
        dialogue(&now, None, &[("What time is it?", &format!("This is the offline voice. It is {said}"))]);
    }
    assert!(later("What time does the train leave?").starts_with("I cannot answer"));
    assert!(later("I have a date with him today.").starts_with("I heard you say"));
}

#[test]
fn sums() {
    for (heard, answer) in [
        ("What is twelve plus thirty?", "12 plus 30 is 42."),
        ("How much is 7 times 8?", "7 times 8 is 56."),
        ("What's 12 + 30?", "12 plus 30 is 42."),
        ("10 divided by 4.", "10 divided by 4 is 2.5."),
        ("What is ten divided by three", "10 divided by 3 is about 3.33."),
        ("two plus three times four", "2 plus 3 times 4 is 14."),
        ("Tell me one hundred and five minus two hundred", "105 minus 200 is minus 95."),
        ("Calculate a thousand times one thousand two hundred.", "1,000 times 1,200 is 1,200,000."),
        ("What is the sum of five and seven?", "5 plus 7 is 12."),
        ("Subtract three from ten.", "10 minus 3 is 7."),
        ("Add 2.5 to 4", "2.5 plus 4 is 6.5."),
        ("What is five over zero?", "A number cannot be divided by zero."),
        ("What is 99999999999999 times 99999999999999 times 99999999999999?", "That is more than I can work out."),
        ("What is nine hundred trillion times two?", "That is more than I can work out."),
        ("What is a million times a million?", "1,000,000 times 1,000,000 is 1,000,000,000,000."),
        ("How much is minus three minus minus four?", "Minus 3 minus minus 4 is 1."),
        ("What is 2026 minus 1984?", "2,026 minus 1,984 is 42."),
    ] {
        assert_eq!(later(heard), answer, "to {heard:?}");
    }
    assert!(later("He called two or three times.").starts_with("I heard"));
    assert!(later("What happened between five and seven?").starts_with("I cannot answer"));
    assert!(later("I have one and she has two.").starts_with("I heard"));
}

#[test]
fn small_sums_are_right_in_words_and_in_figures() {
    use crate::speech::numbers::cardinal;
    for a in (0_u64..130).step_by(7) {
        for b in (1_u64..1100).step_by(89) {
            let [left, right, sum] = [a, b, a + b].map(|number| match number {
                0..1_000 => number.to_string(),
                _ => format!("1,{:03}", number - 1_000),
            });
            let sum = format!("{left} plus {right} is {sum}.");
            assert_eq!(later(&format!("What is {a} plus {b}?")), sum);
            assert_eq!(later(&format!("What is {} plus {}?", cardinal(a), cardinal(b))), sum);
        }
    }
}

#[test]
fn pictures() {
    let picture = Some("I see a bright picture.");
    dialogue(
        &quarter_to_four(),
        picture,
        &[
            ("What do you see?", "This is the offline voice. I see a bright picture."),
            ("A palace.", "I heard you say: A palace. I see a bright picture."),
            ("Thanks.", "You are welcome."),
        ],
    );
    assert_eq!(later("What is in the picture?"), "I have not been shown a picture yet.");
}

#[test]
fn long_speeches_are_not_repeated_as_a_whole() {
    let speech = "word ".repeat(40) + "and the end of it all here.";
    assert_eq!(
        later(&speech),
        "You said 47 words. It began with: word word word word word word. It ended with: the end of it all here."
    );
}

#[test]
fn what_is_to_be_repeated_is_no_question() {
    assert_eq!(later("Repeat after me: what time is it?"), "What time is it.");
    assert_eq!(later("Repeat after me, two plus two."), "Two plus two.");
}

#[test]
fn old_spellings_mean_what_they_mean_today() {
    assert_eq!(later("Good-bye."), "Goodbye.");
    assert_eq!(later("What day is it to-day?"), later("What day is it today?"));
    assert_eq!(plain_words("To-morrow and to-night"), ["tomorrow", "and", "tonight"]);
}

#[test]
fn whatever_is_heard_the_answer_can_be_spoken() {
    let pieces = [
        "what",
        "is",
        "plus",
        "minus",
        "divided by",
        "zero",
        "a hundred",
        "thousand",
        "and",
        "point",
        "time",
        "date",
        "3:45",
        "say",
        "repeat after me",
        "?",
        "!",
        "…",
        "🙂",
        "\"",
        "12,5",
        "-",
        "x",
        "9999999999999999999999",
        "İ",
        "ß",
    ];
    let mut seed = 7_u64;
    for turn in 1..5_000 {
        let heard: Vec<&str> = (0..turn % 12)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                pieces[(seed >> 33) as usize % pieces.len()]
            })
            .collect();
        let heard = heard.join(" ");
        let text = later(&heard);
        assert_eq!(text, later(&heard), "the same question has the same answer");
        assert!(text.ends_with(['.', '?']), "{heard:?} got {text:?}");
        assert!(!plain_words(&text).is_empty(), "{heard:?} got {text:?}");
    }
}
