// SPDX-License-Identifier: MPL-2.0

//! The options of the command line that name a language model.

use anyhow::{Context, ensure};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use url::{Host, Url};

/// Which language model answers, and how it is asked.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Language model")]
pub struct LlmArgs {
    /// Engine local: answers come from the Chat Completions endpoint at this URL, e.g. http://127.0.0.1:11434/v1;
    /// without it, from a few rules.
    #[arg(long, value_name = "URL", env = "REALTIME_SERVER_LLM", value_parser = endpoint)]
    pub llm: Option<Url>,

    /// The model to ask for; without it the endpoint chooses.
    #[arg(long, value_name = "NAME", env = "REALTIME_SERVER_LLM_MODEL", requires = "llm")]
    pub llm_model: Option<String>,

    /// A file with the endpoint's key.
    #[arg(long, value_name = "FILE", env = "REALTIME_SERVER_LLM_API_KEY_FILE", requires = "llm")]
    pub llm_api_key_file: Option<PathBuf>,

    /// The model's context in tokens; the oldest messages that do not fit are left out.
    #[arg(long, value_name = "TOKENS", env = "REALTIME_SERVER_LLM_CONTEXT", default_value_t = 8192,
        value_parser = clap::value_parser!(u64).range(256..=100_000_000))]
    pub llm_context: u64,

    /// How long the endpoint may take for a connection, and between two pieces of an answer.
    #[arg(long, value_name = "DURATION", env = "REALTIME_SERVER_LLM_TIMEOUT", default_value = "60s",
        value_parser = crate::duration::duration)]
    pub llm_timeout: Duration,
}

impl LlmArgs {
    /// Whether the key would go over a network as it is.
    pub fn exposes_key(&self) -> bool {
        let is_loopback = |url: &Url| match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => true,
        };
        self.llm_api_key_file.is_some()
            && self.llm.as_ref().is_some_and(|url| url.scheme() == "http" && !is_loopback(url))
    }

    /// The endpoint's key, read from its file.
    pub fn key(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.llm_api_key_file else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the key of the language model from {}", path.display()))?;
        let key = text.trim();
        ensure!(!key.is_empty(), "the file {} (--llm-api-key-file) has no key in it", path.display());
        Ok(Some(key.to_owned()))
    }
}

/// The base URL of an API, or that of its Chat Completions; gives the latter.
fn endpoint(text: &str) -> Result<Url, String> {
    let example = "expected the base URL of an API, such as http://127.0.0.1:11434/v1";
    let mut url = Url::parse(text).map_err(|error| format!("{error}; {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("it is neither http nor https; {example}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("keys and passwords belong in --llm-api-key-file, not in the URL".into());
    }
    let path = url.path().trim_end_matches('/').trim_end_matches("/chat/completions").to_owned();
    url.set_path(&format!("{path}/chat/completions"));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::endpoint;

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
}
