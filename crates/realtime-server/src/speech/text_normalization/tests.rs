// SPDX-License-Identifier: MPL-2.0

//! Written texts and their spoken forms.

use crate::speech::text_normalization::words;

#[test]
fn what_is_written_is_what_is_said() {
    for (written, said) in [
        ("It is 3:45 p.m.", "It is three forty five P M."),
        ("At 12:05 a.m. Monday, at 9:00.", "At twelve oh five A M. Monday, at nine o'clock."),
        ("at 10:00 AM", "at ten AM"),
        ("Saturday, November 21, 2026.", "Saturday, November twenty first, twenty twenty six."),
        (
            "on 2026-11-21 or 7/4/1999",
            "on November twenty first, twenty twenty six or July fourth, nineteen ninety nine",
        ),
        ("12 + 30 = 42.", "twelve plus thirty equals forty two."),
        (
            "7 - 3, 7 x 3, 7 * 3 and 7 × 3",
            "seven minus three, seven times three, seven times three and seven times three",
        ),
        ("-5.50, or .5", "minus five point five zero, or zero point five"),
        ("50% of 1,234.5", "fifty percent of one thousand two hundred thirty four point five"),
        ("$5, $1.00, $3.99 and $0.01", "five dollars, one dollar, three dollars and ninety nine cents and one cent"),
        ("£2.5 million & €1", "two point five million pounds and one euro"),
        ("the 1st, 22nd and 103rd", "the first, twenty second and one hundred third"),
        ("1/2, 3/4, 2/3 and 7/12", "one half, three quarters, two thirds and seven over twelve"),
        (
            "16 kHz, 1 km, 640x427 px",
            "sixteen kilohertz, one kilometer, six hundred forty times four hundred twenty seven pixels",
        ),
        ("-3 °C or 20°", "minus three degrees Celsius or twenty degrees"),
        ("Mr. Smith vs. Dr. No.", "mister Smith versus doctor No."),
        ("e.g. the U.S. army, i.e. them.", "for example the U S army, that is them."),
        ("agent 007, room #12, No. 9", "agent zero zero seven, room number twelve, number nine"),
        ("well-known “words” (don’t) – see example.com…", "well known words don't, see example dot com."),
        ("pages 3–5", "pages three to five"),
        ("version 1.2.3", "version one dot two dot three"),
        ("plan B. Then", "plan B. Then"),
        ("GPT4 and mp3", "GPT four and mp three"),
    ] {
        assert_eq!(words(written), said, "{written}");
    }
}

#[test]
fn nothing_to_say_is_nothing() {
    for text in ["", "   ", "...", "?!", "🙂", "--", "\"\""] {
        assert_eq!(words(text), "", "{text:?}");
    }
}

#[test]
fn no_figure_or_unknown_sign_is_left_in_any_text() {
    let alphabet: Vec<char> = "019ax.,:-/%$€&@#+*=°½ '’\"()…–—\n🙂éß漢stmp".chars().collect();
    let mut seed = 1_u64;
    for _ in 0..20_000 {
        let text: String = (0..14)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                alphabet[(seed >> 33) as usize % alphabet.len()]
            })
            .collect();
        let said = words(&text);
        let plain = |c: char| c.is_alphabetic() || c == ' ' || ".,!?;:'".contains(c);
        assert!(said.chars().all(plain), "{text:?} gave {said:?}");
        assert!(!said.contains("  "), "{text:?} gave {said:?}");
    }
}
