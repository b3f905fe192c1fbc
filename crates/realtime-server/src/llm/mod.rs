// SPDX-License-Identifier: MPL-2.0

//! A language model behind the server: any endpoint that speaks OpenAI's Chat Completions (Ollama, llama.cpp, vLLM,
//! LM Studio).
//!
//! `settings` are what the command line says, `request` makes the request of a prompt, `events` reads those of its
//! answer; `reply` makes sentences and calls of them, `markdown` what can be spoken.

mod events;
mod markdown;
mod reply;
mod request;
mod settings;

pub use crate::llm::settings::LlmArgs;

use crate::endpoint::{Endpoint, RequestBody, Service};
use crate::engine::{Answer, Prompt};
use crate::llm::events::Events;
use crate::llm::reply::Reply;
use crate::processors::Processors;
use crate::responder::Responder;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// What the endpoint is for.
const LANGUAGE_MODEL: Service = Service { name: "the language model", option: "--llm" };

/// The responder whose words come from a language model.
pub struct LanguageModel {
    endpoint: Arc<Endpoint>,
    model: Option<String>,
    context: u64,
}

impl LanguageModel {
    /// The model that the command line names; `None` where it names none.
    pub fn of(args: &LlmArgs) -> anyhow::Result<Option<Self>> {
        let Some(url) = &args.llm else { return Ok(None) };
        let endpoint = Endpoint::new(LANGUAGE_MODEL, url, args.llm_api_key_file.as_deref(), args.llm_timeout)?;
        Ok(Some(Self { endpoint: Arc::new(endpoint), model: args.llm_model.clone(), context: args.llm_context }))
    }
}

impl Responder for LanguageModel {
    fn respond(&self, prompt: Prompt, _: &Processors) -> Answer {
        let body = request::body(&prompt, self.model.as_deref(), self.context);
        let endpoint = self.endpoint.clone();
        let (speak, parallel) = (prompt.speak, prompt.parallel);
        let begin = async move {
            let request = RequestBody {
                content_type: "application/json".into(),
                accept: "text/event-stream",
                bytes: body.to_string().into(),
            };
            let events = Events::of(endpoint.post(request).await?);
            let reply = Reply::new(endpoint, events, speak, parallel);
            Ok::<_, anyhow::Error>(stream::try_unfold(reply, |mut reply| async move {
                Ok(reply.next().await?.map(|part| (part, reply)))
            }))
        };
        stream::once(begin).try_flatten().boxed()
    }

    fn translates(&self) -> bool {
        true
    }

    fn reads_history(&self) -> bool {
        true
    }
}
