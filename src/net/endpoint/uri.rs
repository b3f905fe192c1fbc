// SPDX-License-Identifier: MPL-2.0

//! What a URI says by itself: whether it is encrypted, local or Azure's, and which of its parts may be shown.

use crate::net::secret::REDACTED;
use openai_protocol::dialect::Dialect;
use std::net::IpAddr;
use url::{Host, Url};

/// Whether a connection to this URL is not encrypted.
pub fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "ws" | "http")
}

pub(super) fn is_azure_host(host: &str) -> bool {
    let suffixes = [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"];
    suffixes.iter().any(|suffix| host.ends_with(suffix))
}

/// A `uri` as it may be shown: without a user's name and password, and without what stands in its query, but for what
/// is known to be harmless. The text need not be a URL.
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

/// The dialect of a place, as far as its URL tells: Azure's preview API and Azure Voice Live speak beta.
pub(super) fn dialect_of(url: &Url, azure: bool) -> Dialect {
    let preview = azure && url.query_pairs().any(|(name, _)| name == "api-version");
    if preview || url.path().contains("/voice-live/") { Dialect::Beta } else { Dialect::Ga }
}

/// What a URL's query holds that is nobody's secret.
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
