// SPDX-License-Identifier: MPL-2.0

//! Items: what a conversation consists of. One struct serves all kinds, because servers mix their fields freely and
//! nothing that they send may be lost.

use super::Extra;
use super::fields::null_is_default;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kind of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum ItemKind {
    #[default]
    Message,
    FunctionCall,
    FunctionCallOutput,
    McpListTools,
    McpCall,
    McpApprovalRequest,
    McpApprovalResponse,
    ItemReference,
    /// A kind that this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// Whose message it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum Role {
    System,
    User,
    Assistant,
    /// A role that this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// What has become of an item or a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum Status {
    InProgress,
    Completed,
    Cancelled,
    Incomplete,
    Failed,
    /// A status that this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// One item of a conversation: a message, a function call, its output, or an MCP item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// Its name in the conversation; a client may choose it (at most 32 characters).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `realtime.item`; often left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: ItemKind,
    /// Informative only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Of messages: whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Of messages: the parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<ContentPart>>,
    /// Of function calls and their outputs: which call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Of calls: the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of calls: JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Of outputs: any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Of MCP items: the label of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_label: Option<String>,
    /// Of MCP lists: the tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Value>>,
    /// Of MCP approvals: the request that is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_request_id: Option<String>,
    /// Of MCP approvals: yes or no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve: Option<bool>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Item {
    /// A message of text: the user's, the system's or an earlier one of the assistant.
    pub fn message(role: Role, text: impl Into<String>) -> Self {
        let kind = if role == Role::Assistant { PartKind::OutputText } else { PartKind::InputText };
        let part = ContentPart { kind, text: Some(text.into()), ..Default::default() };
        Self { role: Some(role), content: Some(vec![part]), ..Default::default() }
    }

    /// What a function gave back.
    pub fn function_output(call_id: String, output: String) -> Self {
        let (call_id, output) = (Some(call_id), Some(output.into()));
        Self { kind: ItemKind::FunctionCallOutput, call_id, output, ..Default::default() }
    }

    /// The item's name, empty where it has none.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }
}

/// The kind of a part, in either spelling. By default it is not told, which both sides may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own words")]
pub enum PartKind {
    InputText,
    InputAudio,
    InputImage,
    OutputText,
    OutputAudio,
    /// In `response.content_part.*` of both generations; of an assistant's message in beta.
    Text,
    /// In `response.content_part.*` of both generations; of an assistant's message in beta.
    Audio,
    /// A kind that this version does not know; empty where it was not told.
    #[serde(untagged)]
    Other(String),
}

impl Default for PartKind {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl PartKind {
    /// True where the kind was not told.
    pub fn is_untold(&self) -> bool {
        *self == Self::default()
    }

    /// True for the model's speech in either spelling.
    pub fn is_speech(&self) -> bool {
        matches!(self, Self::OutputAudio | Self::Audio)
    }
}

/// A part of a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContentPart {
    /// The kind.
    #[serde(rename = "type", deserialize_with = "null_is_default", skip_serializing_if = "PartKind::is_untold")]
    pub kind: PartKind,
    /// Written text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The words of a spoken part; `null` while they are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// Base64 sound, only where a client sends or retrieves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
    /// A picture as a data URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// How closely a picture is looked at: `auto`, `low` or `high`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}
