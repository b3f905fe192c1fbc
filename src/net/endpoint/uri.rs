// SPDX-License-Identifier: MPL-2.0

//! Properties of a URL: whether it is encrypted, local or Azure's, and its parts that are no secrets.

use crate::net::secret::REDACTED;
use openai_protocol::dialect::Dialect;
use std::net::IpAddr;
use url::{Host, Url};

/// Whether connections to this URL are unencrypted.
pub fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "ws" | "http")
}

pub(super) fn is_azure_host(host: &str) -> bool {
    let suffixes = [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"];
    suffixes.iter().any(|suffix| host.ends_with(suffix))
}

/// A `uri` without user name, password and values of the query, except for known parameters. The text may be no URL.
pub fn redacted_uri(uri: &str) -> String {
    let (place, query) = uri.find(['?', '#']).map_or((uri, ""), |at| uri.split_at(at));
    let place = match place.rfind('@') {
        Some(at) => {
            let begin = place.find(':').map_or(0, |colon| colon + 1);
            let begin = begin + place[begin..].bytes().take_while(|byte| b"/\\".contains(byte)).count();
            format!("{}{REDACTED}{}", &place[..begin.min(at)], &place[at..])
        }
        None => place.to_owned(),
    };
    let shown = query.split_inclusive(['?', '&', '#']).map(|part| {
        let (pair, end) = part.split_at(part.trim_end_matches(['?', '&', '#']).len());
        match pair.split_once('=') {
            Some((name, value)) if is_public_parameter(name) => format!("{name}={value}{end}"),
            Some((name, _)) => format!("{name}={REDACTED}{end}"),
            None if pair.is_empty() => end.to_owned(),
            None => format!("{REDACTED}{end}"),
        }
    });
    std::iter::once(place).chain(shown).collect()
}

/// Dialect by the URL: beta for Azure's preview API and Azure Voice Live.
pub(super) fn dialect_of(url: &Url, azure: bool) -> Dialect {
    let preview = azure && url.query_pairs().any(|(name, _)| name == "api-version");
    if preview || url.path().contains("/voice-live/") { Dialect::Beta } else { Dialect::Ga }
}

/// Whether a parameter of a query is no secret.
pub(super) fn is_public_parameter(name: &str) -> bool {
    ["model", "deployment", "intent", "api-version", "call_id"].contains(&name)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}
