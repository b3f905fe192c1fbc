// SPDX-License-Identifier: MPL-2.0

//! What the command line says of an endpoint: its URL, and the file with its key.

use crate::endpoint::Service;
use anyhow::{Context, ensure};
use std::path::Path;
use url::{Host, Url};

/// The URL of a path under the base URL of an API, from either of both.
pub fn url(text: &str, path: &str, service: Service) -> Result<Url, String> {
    let example = "expected the base URL of an API, such as http://127.0.0.1:11434/v1";
    let mut url = Url::parse(text).map_err(|error| format!("{error}; {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("it is neither http nor https; {example}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("keys and passwords belong in {}-api-key-file, not in the URL", service.option));
    }
    let base = url.path().trim_end_matches('/').trim_end_matches(path).to_owned();
    url.set_path(&format!("{base}{path}"));
    Ok(url)
}

/// The key in a file.
pub(super) fn read_key(file: &Path, service: Service) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the key of {} from {}", service.name, file.display()))?;
    let key = text.trim();
    ensure!(!key.is_empty(), "the file {} ({}-api-key-file) has no key in it", file.display(), service.option);
    Ok(key.to_owned())
}

/// Whether what is sent to this URL can be read on a network.
pub(super) fn is_exposed(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    };
    url.scheme() == "http" && !is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLM: Service = Service { name: "the language model", option: "--llm" };

    fn endpoint(text: &str) -> Result<Url, String> {
        url(text, "/chat/completions", LLM)
    }

    #[test]
    fn the_endpoint_is_found_under_the_base() {
        for base in
            ["http://localhost:1234/v1", "http://localhost:1234/v1/", "http://localhost:1234/v1/chat/completions"]
        {
            let url = endpoint(base).expect("a URL");
            assert_eq!(url.as_str(), "http://localhost:1234/v1/chat/completions");
        }
        let azure = endpoint("https://x.openai.azure.com/openai/deployments/d?api-version=1").expect("a URL");
        assert_eq!(azure.path(), "/openai/deployments/d/chat/completions");
        assert_eq!(azure.query(), Some("api-version=1"));
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_reason() {
        for (text, reason) in [
            ("localhost", "expected the base"),
            ("ws://x/v1", "neither http"),
            ("http://u:p@x/v1", "--llm-api-key-file"),
        ] {
            let error = endpoint(text).expect_err("it is none");
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn what_goes_over_a_network_in_plain_http_is_exposed() {
        for (text, expected) in [
            ("http://192.168.0.7/v1", true),
            ("http://model.example/v1", true),
            ("https://model.example/v1", false),
            ("http://localhost:1/v1", false),
            ("http://127.0.0.1/v1", false),
            ("http://[::1]/v1", false),
        ] {
            assert_eq!(is_exposed(&endpoint(text).expect("a URL")), expected, "{text}");
        }
    }
}
