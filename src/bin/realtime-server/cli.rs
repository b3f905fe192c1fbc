//! The command line.

use clap::{Parser, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A local server that speaks the OpenAI Realtime protocol.
///
/// When it is ready it prints one line, `listening on ws://ADDRESS/v1/realtime`, on standard output. Everything else
/// goes to standard error; RUST_LOG says how much of it.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Who answers.
    #[arg(long, value_enum, default_value_t = EngineName::Local)]
    pub engine: EngineName,

    /// The script or the trace, for the engines that play one.
    #[arg(value_name = "FILE", required_if_eq_any = [("engine", "script"), ("engine", "replay")])]
    pub file: Option<PathBuf>,

    /// Where the speech models are; otherwise the usual places are searched.
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,

    /// The key that clients must have; without one every client is let in.
    #[arg(long, value_name = "KEY", env = "REALTIME_SERVER_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,

    /// A certificate chain in PEM; makes the server speak TLS.
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate in PEM.
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// A model name to refuse; can be given several times.
    #[arg(long, value_name = "NAME")]
    pub refuse_model: Vec<String>,

    /// Send away who asks for the beta of the protocol, as OpenAI does today; otherwise it is spoken on request.
    #[arg(long)]
    pub refuse_beta: bool,

    /// Write a trace of every session: FILE for the first, FILE with a number for those after it.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// How long a session may last, e.g. 90s or 60m.
    #[arg(long, value_name = "DURATION", default_value = "60m", value_parser = duration)]
    pub max_session: Duration,

    /// How often to ping; 0s for never. A client that stays silent for three times as long is taken for gone.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub ping_interval: Duration,

    /// Engine script: end when the last connection of the script has ended.
    #[arg(long)]
    pub once: bool,

    /// Engine replay: keep the pace of the trace, so many times faster. Without it nothing waits.
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub speed: Option<f64>,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// Listens, answers and speaks with models of its own.
    Local,
    /// Says back what it heard.
    Echo,
    /// Does what FILE says, right or wrong.
    Script,
    /// Plays the trace in FILE.
    Replay,
}

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
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("expected a number above 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        for (text, ms) in [("500ms", 500), ("2s", 2_000), ("1.5", 1_500), ("60m", 3_600_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert!(duration("soon").is_err() && duration("5d").is_err());
    }

    #[test]
    fn a_script_needs_its_file() {
        assert!(Cli::try_parse_from(["realtime-server", "--engine", "script"]).is_err());
        assert!(Cli::try_parse_from(["realtime-server", "--engine", "script", "a.script"]).is_ok());
    }
}
