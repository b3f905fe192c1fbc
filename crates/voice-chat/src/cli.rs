// SPDX-License-Identifier: MPL-2.0

//! The command line. What is wrong with it is said before anything starts.

use clap::error::Error;
use clap::{Parser, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Voice and vision chat in a browser, and OpenAI's WebRTC interface for other clients, in front of any server of the
/// Realtime API.
///
/// When it is ready it prints one line, `listening on http://ADDRESS/`, on standard output. Everything else goes to
/// standard error; RUST_LOG says how much of it. The key of the Realtime API comes from the environment
/// (OPENAI_API_KEY, or Azure's variables) or from a file, and never leaves this program.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// Where to listen, e.g. 127.0.0.1:8080 or 0.0.0.0:8443; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// The server of the Realtime API, e.g. ws://127.0.0.1:8090/v1; otherwise as the environment says, else OpenAI.
    #[arg(long, value_name = "URI")]
    pub upstream: Option<String>,

    /// The model of every visitor; otherwise what the visitor asks for, else the element's default. Azure: deployment.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// A file with the key of the Realtime API; it takes precedence over the environment.
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,

    /// What visitors must know to come in; without it everybody whom --listen lets reach this program is let in.
    #[arg(long, value_name = "KEY", env = "VOICE_CHAT_ACCESS_KEY", hide_env_values = true, value_parser = access_key)]
    pub access_key: Option<String>,

    /// Another web site whose pages may use this server, e.g. `https://example.com`; can be given several times.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,

    /// A certificate chain in PEM; serves HTTPS, which browsers on other machines need for the microphone.
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate in PEM.
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Serve HTTPS with a certificate made at the start; browsers warn of it once.
    #[arg(long, conflicts_with = "tls_cert")]
    pub tls: bool,

    /// A STUN server, e.g. stun://stun.example.com:3478, for visitors behind other networks.
    #[arg(long, value_name = "URI", value_parser = stun)]
    pub stun: Option<String>,

    /// A TURN server, e.g. turn://user:password@turn.example.com:3478; can be given several times.
    #[arg(long, value_name = "URI", value_parser = turn)]
    pub turn: Vec<String>,

    /// Which ways media may take: any, or only through a TURN server, which hides the addresses of this machine.
    #[arg(long, value_name = "POLICY", default_value = "all", requires_if("relay", "turn"))]
    pub ice_transport_policy: IceTransportPolicy,

    /// The UDP ports of media, e.g. 50000-50100; otherwise any free ones. A visitor takes one for each network interface.
    #[arg(long, value_name = "FIRST-LAST", value_parser = ports)]
    pub udp_ports: Option<(u16, u16)>,

    /// How many visitors may be connected at once.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_visitors: u16,

    /// How many US dollars each visitor may cost, by published prices; no limit unless given.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub max_cost: Option<f64>,

    /// How long each visitor may stay, e.g. 90s or 60m.
    #[arg(long, value_name = "DURATION", default_value = "60m", value_parser = duration)]
    pub max_duration: Duration,

    /// How many connections and client secrets each address may ask for in a minute.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_minute: u32,
}

/// As `iceTransportPolicy` of WebRTC's `RTCConfiguration`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IceTransportPolicy {
    /// Any way that works.
    #[default]
    All,
    /// Only through a TURN server.
    Relay,
}

impl Cli {
    /// Reads the command line; what is wrong with it ends the program.
    pub fn read() -> Self {
        Self::parse()
    }

    /// Reads arguments, without the program's name in front.
    pub fn from_args<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        Self::try_parse_from(std::iter::once("voice-chat").chain(args))
    }

    /// Whether HTTPS is served.
    pub fn is_tls(&self) -> bool {
        self.tls || self.tls_cert.is_some()
    }
}

/// Whether only programs of this machine can reach the address.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// A key that is empty is more likely to be a mistake than a wish.
fn access_key(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the key is empty; without --access-key and VOICE_CHAT_ACCESS_KEY everybody is let in".into());
    }
    Ok(text.to_owned())
}

fn stun(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("stun://").ok_or("expected stun://HOST:PORT")?;
    if host.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        Ok(text.to_owned())
    } else {
        Err("expected stun://HOST:PORT".into())
    }
}

fn turn(text: &str) -> Result<String, String> {
    // The text holds a password, so it is not repeated.
    const EXPECTED: &str = "expected turn://USER:PASSWORD@HOST:PORT or turns://…";
    let rest = text.strip_prefix("turn://").or_else(|| text.strip_prefix("turns://")).ok_or(EXPECTED)?;
    let (user, host) = rest.rsplit_once('@').ok_or(EXPECTED)?;
    if user.contains(':') && !host.is_empty() { Ok(text.to_owned()) } else { Err(EXPECTED.into()) }
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let range = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match range {
        Some((first, last)) if first > 0 && first <= last => Ok((first, last)),
        _ => Err("expected two ports such as 50000-50100".into()),
    }
}

fn dollars(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(cost) if cost > 0.0 && cost <= 1_000_000.0 => Ok(cost),
        _ => Err("expected a number of US dollars above 0".into()),
    }
}

/// Nothing lasts longer, so that time can be reckoned with.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads a duration: a number with `ms`, `s`, `m` or `h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| format!("'{text}' is no duration such as 90s or 60m"))?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(format!("'{unit}' is no unit of time: ms, s, m, h")),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration > Duration::ZERO && duration <= MAX_DURATION => Ok(duration),
        _ => Err(format!("'{text}' is not between nothing and a year")),
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
    fn options_are_read() {
        let cli = Cli::from_args([
            "--stun",
            "stun://s.example.com:3478",
            "--turn",
            "turn://u:p@t.example.com:3478",
            "--udp-ports",
            "5000-5010",
            "--max-cost",
            "0.5",
            "--max-duration",
            "10m",
            "--max-visitors",
            "2",
        ])
        .expect("good options");
        assert_eq!(cli.udp_ports, Some((5000, 5010)));
        assert_eq!((cli.max_cost, cli.max_duration, cli.max_visitors), (Some(0.5), Duration::from_secs(600), 2));
        assert!(!cli.is_tls());
    }

    #[test]
    fn wrong_values_are_refused_without_repeating_a_password() {
        for args in [
            ["--stun", "s.example.com"],
            ["--stun", "stun://s.example.com"],
            ["--udp-ports", "5010-5000"],
            ["--udp-ports", "5000"],
            ["--max-cost", "0"],
            ["--max-cost", "NaN"],
            ["--max-duration", "0s"],
            ["--max-duration", "5d"],
            ["--max-visitors", "0"],
            ["--access-key", ""],
            ["--tls-cert", "cert.pem"],
            ["--ice-transport-policy", "relay"],
            ["--ice-transport-policy", "some"],
        ] {
            assert!(Cli::from_args(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_loopback() {
        for (text, expected) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("[::ffff:127.0.0.1]:1", true), ("0.0.0.0:1", false)]
        {
            assert_eq!(is_loopback(text.parse().expect("an address")), expected, "{text}");
        }
    }
}
