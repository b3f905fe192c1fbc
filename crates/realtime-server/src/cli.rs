// SPDX-License-Identifier: MPL-2.0

//! The command line. What is wrong with it is said before anything starts, also an option that the engine has no use for.

use crate::duration::duration;
use crate::llm::LlmArgs;
use crate::speech_services::{SttArgs, TtsArgs};
use clap::error::{Error, ErrorKind};
use clap::{CommandFactory, Parser, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The sections of the manual page behind the options.
const AFTER_HELP: &str = "\
Paths:
  /v1/realtime?model=NAME         a session, by WebSocket
  /v1/realtime/translations       a translation, by WebSocket
  /v1/realtime/client_secrets     keys of short life for browsers, and the same for translations
  /v1/chat/completions            Chat Completions, with audio and pictures
  /v1/audio/speech                a text, spoken
  /v1/audio/transcriptions        a recording, written down
  /v1/models, /healthz, /metrics

Environment:
  RUST_LOG                        what is logged, e.g. info or realtime_server=debug; warnings by default
  SSL_CERT_FILE, SSL_CERT_DIR     certificates to trust of endpoints
  and the variables beside the options, which options override

Exit status:
  0  ended by SIGTERM or SIGINT
  1  it could not start, or a client did not follow a script
  2  a mistake on the command line

Examples:
  realtime-server --listen 127.0.0.1:8080
  realtime-server --listen 127.0.0.1:8080 --llm http://127.0.0.1:11434/v1 --llm-model llama3.2
  realtime-server --listen 127.0.0.1:8080 --stt-url http://127.0.0.1:8000/v1 --tts-url http://127.0.0.1:8880/v1
  realtime-server --engine script faults.script --once";

/// A local server that speaks the OpenAI Realtime protocol.
///
/// When it is ready it prints one line, `listening on ws://ADDRESS/v1/realtime`, on standard output. Everything else
/// goes to standard error; RUST_LOG says how much of it.
#[derive(Debug, Parser)]
#[command(version, after_long_help = AFTER_HELP)]
pub struct Cli {
    /// Where to listen, e.g. 127.0.0.1:8080 or localhost:8080; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = address)]
    pub listen: String,

    /// Who answers.
    #[arg(long, value_enum, default_value_t = EngineName::Local)]
    pub engine: EngineName,

    /// The script or the trace, for the engines that play one.
    #[arg(value_name = "FILE", required_if_eq_any = [("engine", "script"), ("engine", "replay")])]
    pub file: Option<PathBuf>,

    /// Where the speech models are; otherwise the usual places are searched.
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,

    /// The language model.
    #[command(flatten)]
    pub llm: LlmArgs,

    /// Who recognises speech.
    #[command(flatten)]
    pub stt: SttArgs,

    /// Who speaks.
    #[command(flatten)]
    pub tts: TtsArgs,

    /// The key that clients must have; without one every client is let in.
    #[arg(long, value_name = "KEY", env = "REALTIME_SERVER_API_KEY", hide_env_values = true, value_parser = key)]
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

    /// Engines local and echo: write a trace of every session, FILE for the first, FILE with a number for those after it.
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

impl Cli {
    /// Reads the command line; what is wrong with it ends the program.
    pub fn read() -> Self {
        Self::parse().checked().unwrap_or_else(|error| error.exit())
    }

    /// Reads arguments, without the program's name in front.
    pub fn from_args<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        Self::try_parse_from(std::iter::once("realtime-server").chain(args))?.checked()
    }

    /// Refuses what the engine would take no notice of.
    fn checked(self) -> Result<Self, Error> {
        use EngineName::{Echo, Local, Replay, Script};
        let given: [(bool, &str, &[EngineName]); 9] = [
            (self.file.is_some(), "FILE", &[Script, Replay]),
            (self.llm.llm.is_some(), "--llm", &[Local]),
            (self.stt.stt_url.is_some(), "--stt-url", &[Local]),
            (self.tts.tts_url.is_some(), "--tts-url", &[Local]),
            (self.once, "--once", &[Script]),
            (self.speed.is_some(), "--speed", &[Replay]),
            (self.record.is_some(), "--record", &[Local, Echo]),
            (!self.refuse_model.is_empty(), "--refuse-model", &[Local, Echo]),
            (self.refuse_beta, "--refuse-beta", &[Local, Echo]),
        ];
        let Some((_, name, engines)) = given.iter().find(|(given, _, of)| *given && !of.contains(&self.engine)) else {
            return Ok(self);
        };
        let engines: Vec<String> = engines.iter().map(|engine| format!("--engine {}", engine.name())).collect();
        let message =
            format!("{name} goes with {}, and not with --engine {}", engines.join(" or "), self.engine.name());
        Err(Self::command().error(ErrorKind::ArgumentConflict, message))
    }
}

impl EngineName {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// An address or a name, and a port.
fn address(text: &str) -> Result<String, String> {
    let is_one = match text.rsplit_once(':') {
        Some((host, port)) => port.parse::<u16>().is_ok() && !host.is_empty() && !host.contains(':'),
        None => false,
    };
    // IPv6 has colons of its own.
    if is_one || text.parse::<SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("expected an address and a port, such as 127.0.0.1:8080 or localhost:0".into())
}

/// A key that is empty is more likely to be a mistake than a wish.
fn key(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the key is empty; without --api-key and REALTIME_SERVER_API_KEY everybody is let in".into());
    }
    Ok(text.to_owned())
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
    fn a_script_needs_its_file() {
        assert!(Cli::try_parse_from(["realtime-server", "--engine", "script"]).is_err());
        assert!(Cli::try_parse_from(["realtime-server", "--engine", "script", "a.script"]).is_ok());
    }

    fn refusal(args: &[&str]) -> Option<String> {
        let args = std::iter::once("realtime-server").chain(args.iter().copied());
        Cli::try_parse_from(args).and_then(Cli::checked).err().map(|error| error.to_string())
    }

    #[test]
    fn what_an_engine_has_no_use_for_is_refused() {
        for args in [
            &["a.script"][..],
            &["--engine", "echo", "a.jsonl"],
            &["--once"],
            &["--engine", "replay", "a.jsonl", "--once"],
            &["--engine", "script", "a.script", "--speed", "2"],
            &["--engine", "script", "a.script", "--record", "b.jsonl"],
            &["--engine", "echo", "--llm", "http://127.0.0.1:1/v1"],
            &["--engine", "echo", "--stt-url", "http://127.0.0.1:1/v1"],
            &["--engine", "echo", "--tts-url", "http://127.0.0.1:1/v1"],
            &["--engine", "replay", "a.jsonl", "--refuse-beta"],
            &["--engine", "replay", "a.jsonl", "--refuse-model", "m"],
        ] {
            let refusal = refusal(args).unwrap_or_else(|| panic!("{args:?} was taken"));
            assert!(refusal.contains(" goes with --engine "), "{refusal}");
        }
        for args in [
            &["--record", "b.jsonl"][..],
            &["--engine", "echo", "--refuse-beta", "--refuse-model", "m"],
            &["--engine", "script", "a.script", "--once"],
            &["--engine", "replay", "a.jsonl", "--speed", "2"],
        ] {
            assert_eq!(refusal(args), None);
        }
    }

    #[test]
    fn an_address_is_a_place_and_a_port() {
        for good in ["127.0.0.1:0", "localhost:8080", "0.0.0.0:80", "[::1]:0"] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
        for bad in ["", ":8080", "8080", "localhost", "::1", "localhost:http", "localhost:65536"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_not_empty() {
        assert!(refusal(&["--api-key="]).is_some_and(|refusal| refusal.contains("the key is empty")));
        assert_eq!(refusal(&["--api-key", "x"]), None);
    }
}
