// SPDX-License-Identifier: MPL-2.0

//! Durations as people write them: on the command line and in scripts.

use std::time::Duration;

/// Nothing lasts longer, so that time can be reckoned with.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads a duration: a number with `ms`, `s`, `m` or `h`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| format!("'{text}' is no duration such as 500ms, 20s or 60m"))?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(format!("'{unit}' is no unit of time: ms, s, m, h")),
    };
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= LONGEST);
    duration.ok_or_else(|| format!("'{text}' is longer than a year"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [("500ms", 500), ("2s", 2_000), ("1.5", 1_500), ("60m", 3_600_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert!(duration("soon").is_err() && duration("5d").is_err());
        assert!(duration("8761h").is_err() && duration("99999999999999999999999h").is_err());
    }
}
