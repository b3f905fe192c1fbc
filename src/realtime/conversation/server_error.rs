// SPDX-License-Identifier: MPL-2.0

//! What the server's errors and close codes mean for the session.

use crate::error::{Error, ErrorKind, Warning};
use openai_protocol::Extra;
use openai_protocol::response::ServerError;

/// What an error says that has no message: other fields may, and else all of it does.
pub(crate) fn words_of(error: &ServerError, event: &Extra) -> String {
    let fields = || event.iter().chain(&error.extra);
    let text = |name: &str| {
        let mut named = fields().filter(|(field, _)| *field == name);
        named.find_map(|(_, value)| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
    };
    let named = text("message").or_else(|| text("detail")).or_else(|| text("error"));
    named.or_else(|| error.code.clone()).unwrap_or_else(|| {
        let all: Extra = fields().map(|(name, value)| (name.clone(), value.clone())).collect();
        match serde_json::to_string(&all) {
            Ok(all) if !all.is_empty() && all != "{}" => format!("the server tells of an error: {all}"),
            _ => "the server tells of an error, and not of which".into(),
        }
    })
}

/// Error codes that end a session before it began, by what the user has to mend.
pub(crate) fn fatal(error: &ServerError, model: &str) -> Option<Error> {
    let code = error.code.as_deref().unwrap_or_default();
    let message = &error.message;
    Some(match code {
        "invalid_api_key" | "insufficient_permissions" | "account_deactivated" => {
            Error::not_authorized(format!("{message} ({code})"))
        }
        _ if error.kind == "authentication_error" => Error::not_authorized(message.clone()),
        "invalid_model" | "missing_model" | "model_not_found" | "model_load_error" => Error::new(
            ErrorKind::NotFound,
            format!("the server does not offer the model '{model}': {message} ({code})"),
        ),
        "beta_api_shape_disabled" => Error::settings(format!("{message} ({code})")),
        _ => return quota(error),
    })
}

/// The error that ends a session whose opening is refused. `is_update`: the refused event is its first `session.update`, which
/// servers that name no event tell by the place.
pub(crate) fn refused_opening(error: &ServerError, is_update: bool, model: &str) -> Option<Error> {
    let place = error.param.as_deref();
    fatal(error, model).or_else(|| {
        (is_update || place.is_some_and(|place| place.starts_with("session"))).then(|| {
            let place = place.map(|place| format!(" (at {place})")).unwrap_or_default();
            Error::settings(format!("the server refused the session's settings: {}{place}", error.message))
        })
    })
}

/// The warning about an error after which the session goes on.
pub(crate) fn warning(error: &ServerError) -> Warning {
    Warning {
        message: error.message.clone(),
        code: error.code.clone(),
        kind: Some(error.kind.clone()).filter(|kind| !kind.is_empty()),
        param: error.param.clone(),
        subject: None,
    }
}

/// Nothing will be answered any more, in the session's midst as well.
pub(crate) fn quota(error: &ServerError) -> Option<Error> {
    let gone = error.code.as_deref() == Some("insufficient_quota") || error.kind == "insufficient_quota";
    gone.then(|| Error::new(ErrorKind::Quota, format!("{} (insufficient_quota)", error.message)))
}

/// Close codes after which another try makes sense, as in the official clients; a broken connection has none.
pub(crate) fn may_come_back(code: Option<u16>) -> bool {
    matches!(code, None | Some(1001 | 1005 | 1006 | 1011..=1013 | 1015))
}
