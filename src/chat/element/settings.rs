// SPDX-License-Identifier: MPL-2.0

//! Settings: the values of the properties with their defaults, and the endpoint and the configuration of requests that follow
//! from them. An error names the property at fault.

use crate::chat::conversation::config::Config;
use crate::chat::conversation::request;
use crate::chat::element::{FrameSelection, Modalities, StreamMode};
use crate::chat::session::Timeouts;
use crate::error::Error;
use crate::media::enums::{FrameDetail, Provider, Silence, Timing};
use crate::media::function_calls::Program;
use crate::media::property_values::{JsonText, settings, time};
use crate::net::credentials::CredentialsProvider;
use crate::net::endpoint::{Api, DEFAULT_CHAT_MODEL, EndpointConfig};
use crate::net::secret::Secret;
use crate::types;
use serde_json::{Map, Value};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

settings! {
    /// The values of the properties.
    #[derive(Clone, Debug)]
    pub struct Settings {
        uri: Option<String> = None,
        provider: Provider = Provider::Auto,
        model: String = DEFAULT_CHAT_MODEL.into(),
        vision_model: Option<String> = None,
        api_version: Option<String> = None,
        api_key: Option<Secret> = None,
        api_key_file: Option<String> = None,
        organization: Option<String> = None,
        project: Option<String> = None,
        headers: Option<gst::Structure> = None,
        ca_file: Option<String> = None,
        allow_insecure: bool = false,
        connect_timeout: u64 = 10 * SECOND,
        request_timeout: u64 = 600 * SECOND,
        max_reconnects: u32 = 5,
        reconnect_delay: u64 = SECOND,
        prompt: Option<String> = None,
        instructions: Option<String> = None,
        modalities: Modalities = Modalities::Text,
        voice: String = "alloy".into(),
        segment_duration: u64 = 0,
        segment_gap: u64 = 0,
        vad_threshold: f64 = 0.5,
        max_frames: u32 = 4,
        frame_selection: FrameSelection = FrameSelection::Newest,
        frame_detail: FrameDetail = FrameDetail::Auto,
        max_frame_size: u32 = 4 << 20,
        history: u32 = 0,
        max_requests: u32 = 4,
        response_format: Option<JsonText> = None,
        max_tokens: u32 = 0,
        temperature: f64 = -1.0,
        tools: Option<JsonText> = None,
        tool_choice: String = "auto".into(),
        tool_command: Option<String> = None,
        tool_timeout: u64 = 30 * SECOND,
        extra: Option<JsonText> = None,
        stream: StreamMode = StreamMode::Auto,
        requests_per_minute: u32 = 0,
        max_cost: f64 = 0.0,
        timing: Timing = Timing::Auto,
        buffer_time: u64 = 40_000_000,
        silence: Silence = Silence::Buffers,
    }
}

/// The JSON of a property, unless it is empty.
fn json(property: &str, text: Option<&JsonText>) -> Result<Option<Value>, Error> {
    let wrong = |why: String| Error::settings(format!("{property}: {why}"));
    let Some(text) = text.map(JsonText::text).transpose().map_err(&wrong)?.flatten() else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| wrong(openai_protocol::plain(&error)))
}

fn some_time(nanoseconds: u64) -> Option<Duration> {
    (nanoseconds > 0).then(|| time(nanoseconds))
}

impl Settings {
    /// Reads files again that properties name, for a new run.
    pub fn reload_files(&mut self) {
        for text in [&mut self.tools, &mut self.extra, &mut self.response_format].into_iter().flatten() {
            *text = text.given.clone().into();
        }
    }

    /// Settings of the endpoint.
    pub fn endpoint(&self, model: &str, credentials: Option<CredentialsProvider>) -> EndpointConfig {
        EndpointConfig {
            api: Api::ChatCompletions,
            uri: self.uri.clone(),
            provider: self.provider.into(),
            model: model.to_owned(),
            api_version: self.api_version.clone(),
            api_key: self.api_key.clone(),
            api_key_file: self.api_key_file.clone().map(Into::into),
            credentials,
            organization: self.organization.clone(),
            project: self.project.clone(),
            headers: crate::media::headers(self.headers.as_ref()),
            ca_file: self.ca_file.clone().map(Into::into),
            allow_insecure: self.allow_insecure,
            ..EndpointConfig::default()
        }
    }

    /// Configuration of requests. `model` is the name that the endpoint has for it.
    pub fn config(&self, model: &str, timing: types::Timing) -> Result<Config, Error> {
        let wrong = |property: &str, why: String| Error::settings(format!("{property}: {why}"));
        let tools = json("tools", self.tools.as_ref())?;
        let tools = tools.map(request::tools).transpose().map_err(|why| wrong("tools", why))?;
        let tool_choice = request::tool_choice(&self.tool_choice).map_err(|why| wrong("tool-choice", why))?;
        if tools.is_none() && tool_choice.as_ref().is_some_and(|choice| choice != "none") {
            return Err(wrong("tool-choice", format!("'{}' needs tools, and there are none", self.tool_choice)));
        }
        let extra = match json("extra", self.extra.as_ref())? {
            None => Map::new(),
            Some(Value::Object(extra)) => extra,
            Some(_) => return Err(wrong("extra", "expected a JSON object".into())),
        };
        let response_format =
            json("response-format", self.response_format.as_ref())?.map(response_format).transpose()?;
        // Checked now, so that an invalid program is no surprise in the middle of a run.
        self.program()?;
        Ok(Config {
            model: model.to_owned(),
            vision_model: self.vision_model.clone().filter(|model| !model.trim().is_empty()),
            prompt: self.prompt.clone(),
            instructions: self.instructions.clone(),
            speak: self.modalities == Modalities::TextAndAudio,
            voice: self.voice.clone(),
            segment_duration: some_time(self.segment_duration),
            segment_gap: some_time(self.segment_gap),
            vad_threshold: self.vad_threshold as f32,
            max_frames: self.max_frames as usize,
            frame_selection: self.frame_selection.into(),
            detail: self.frame_detail.into(),
            history: self.history as usize,
            max_requests: self.max_requests as usize,
            response_format,
            max_tokens: self.max_tokens,
            temperature: (self.temperature >= 0.0).then_some(self.temperature),
            tool_choice: tool_choice.filter(|_| tools.is_some()),
            tools,
            tool_timeout: some_time(self.tool_timeout),
            extra,
            stream: self.stream.into(),
            requests_per_minute: self.requests_per_minute,
            max_cost: self.max_cost,
            retries: self.max_reconnects,
            retry_delay: time(self.reconnect_delay),
            live: timing == types::Timing::Live,
        })
    }

    /// The program that answers function calls.
    pub fn program(&self) -> Result<Option<Program>, Error> {
        Program::parse(self.tool_command.as_deref().unwrap_or_default())
    }

    /// How long requests may take.
    pub fn timeouts(&self) -> Timeouts {
        Timeouts { connect: time(self.connect_timeout), request: time(self.request_timeout) }
    }
}

/// A response format: as the API has it, or a bare JSON schema.
fn response_format(value: Value) -> Result<Value, Error> {
    let wrong = |why: &str| Error::settings(format!("response-format: {why}"));
    if !value.is_object() {
        return Err(wrong("expected a JSON object"));
    }
    match value["type"].as_str() {
        Some("json_object" | "text") => Ok(value),
        Some("json_schema") if value["json_schema"].is_object() => Ok(value),
        Some("json_schema") => Err(wrong("'json_schema' needs an object 'json_schema' with 'name' and 'schema'")),
        _ => Ok(serde_json::json!({"type": "json_schema",
            "json_schema": {"name": "answer", "strict": true, "schema": value}})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_found_with_the_name_of_the_property() {
        let check = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.config("m", types::Timing::Offline).map(|_| ()).map_err(|failure| failure.to_string())
        };
        assert_eq!(check(|_| {}), Ok(()));
        type Change = fn(&mut Settings);
        let cases: [(Change, &str); 6] = [
            (|settings| settings.tools = Some("[{]".into()), "tools: "),
            (|settings| settings.tools = Some("{}".into()), "tools: "),
            (|settings| settings.extra = Some("[]".into()), "extra: "),
            (|settings| settings.response_format = Some("3".into()), "response-format: "),
            (|settings| settings.tool_choice = "now".into(), "tool-choice: "),
            (|settings| settings.tool_command = Some("no-such-program".into()), "tool-command: "),
        ];
        for (change, expected) in cases {
            assert!(check(change).is_err_and(|why| why.starts_with(expected)), "{expected}");
        }
    }

    #[test]
    fn a_bare_schema_is_a_response_format() {
        let schema = serde_json::json!({"type": "object", "properties": {}});
        let format = response_format(schema.clone()).expect("a format");
        assert_eq!((&format["type"], &format["json_schema"]["schema"]), (&"json_schema".into(), &schema));
        assert_eq!(response_format(format.clone()).expect("a format"), format);
    }
}
