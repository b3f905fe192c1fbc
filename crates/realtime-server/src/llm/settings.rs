// SPDX-License-Identifier: MPL-2.0

//! The options of the command line that name a language model.

use crate::endpoint::settings;
use crate::llm::LANGUAGE_MODEL;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

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

    /// How long the endpoint may take to begin an answer, and between two pieces of it.
    #[arg(long, value_name = "DURATION", env = "REALTIME_SERVER_LLM_TIMEOUT", default_value = "60s",
        value_parser = crate::duration::duration)]
    pub llm_timeout: Duration,
}

/// The base URL of an API, or that of its Chat Completions; gives the latter.
fn endpoint(text: &str) -> Result<Url, String> {
    settings::url(text, "/chat/completions", LANGUAGE_MODEL)
}
