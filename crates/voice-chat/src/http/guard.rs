// SPDX-License-Identifier: MPL-2.0

//! What stands in front of every path: which web pages may ask, and the headers that keep a browser from doing harm.

use super::error::ApiError;
use crate::app::App;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Scripts, styles and connections of the page's own server alone.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Headers of every response.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(self)"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Runs before and after every request.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let is_preflight = request.method() == Method::OPTIONS && origin.is_some();
    let verdict = check(&app, request.headers(), request.extensions().get::<ConnectInfo<SocketAddr>>());
    let is_allowed = verdict.is_ok();
    let mut response = match verdict {
        Err(error) => {
            app.metrics.refused(error.code());
            error.into_response()
        }
        Ok(()) if is_preflight => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(origin) = origin.filter(|_| is_allowed) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Location"));
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if is_preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            let fields = asked.unwrap_or(HeaderValue::from_static("authorization, content-type"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, fields);
        }
    }
    response
}

/// Whether a page of this origin may ask, under this name of the server.
fn check(app: &App, headers: &HeaderMap, connection: Option<&ConnectInfo<SocketAddr>>) -> Result<(), ApiError> {
    let forbidden = |message: String| Err(ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message));
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).unwrap_or_default();
    let allowed = |origin: &str| app.cli.allow_origin.iter().any(|allowed| allowed.trim_end_matches('/') == origin);
    // Another site's name that leads to this machine (DNS rebinding) would make that site's pages this server's own.
    let is_local = connection.is_some_and(|ConnectInfo(address)| address.ip().to_canonical().is_loopback());
    let allows_host = app.cli.allow_origin.iter().any(|origin| authority(origin) == Some(host));
    if is_local && !is_loopback_name(host) && !allows_host {
        return forbidden(format!("The name '{host}' is not this server's; behind a proxy, give --allow-origin."));
    }
    match text(header::ORIGIN) {
        Some(origin) if authority(origin) != Some(host) && !allowed(origin) => {
            forbidden(format!("Pages of {origin} may not use this server; --allow-origin {origin} lets them."))
        }
        _ => Ok(()),
    }
}

/// Host and port of an origin.
fn authority(origin: &str) -> Option<&str> {
    origin.split_once("://").map(|(_, authority)| authority.trim_end_matches('/'))
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Counts a request that costs something.
pub fn take_turn(app: &App, address: SocketAddr) -> Result<(), ApiError> {
    app.rate_limit.take(address.ip(), Instant::now()).map_err(|delay| {
        app.metrics.refused("rate_limit_exceeded");
        let message = format!("Too many requests from {}; try again in {} s.", address.ip(), delay.as_secs() + 1);
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message).retry_after(delay)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn is_allowed(args: &[&str], from: &str, host: &str, origin: Option<&str>) -> bool {
        let app = App::new(Cli::from_args(args.iter().copied()).expect("arguments"));
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a host"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("an origin"));
        }
        check(&app, &headers, Some(&ConnectInfo(from.parse().expect("an address")))).is_ok()
    }

    #[test]
    fn pages_of_this_server_and_programs_may_ask() {
        assert!(is_allowed(&[], "127.0.0.1:5", "localhost:8080", Some("http://localhost:8080")));
        assert!(is_allowed(&[], "127.0.0.1:5", "127.0.0.1:8080", None));
        assert!(is_allowed(&[], "[::1]:5", "[::1]:8080", None));
        assert!(is_allowed(&[], "192.0.2.1:5", "chat.example.com", Some("https://chat.example.com")));
    }

    #[test]
    fn pages_of_other_servers_may_not_unless_they_are_named() {
        let other = Some("https://other.example.com");
        assert!(!is_allowed(&[], "127.0.0.1:5", "localhost:8080", other));
        assert!(!is_allowed(&[], "127.0.0.1:5", "localhost:8080", Some("null")));
        assert!(!is_allowed(&[], "127.0.0.1:5", "localhost:8080", Some("http://localhost:9090")));
        let args = ["--allow-origin", "https://other.example.com/"];
        assert!(is_allowed(&args, "127.0.0.1:5", "localhost:8080", other));
    }

    #[test]
    fn a_strange_name_for_this_machine_is_refused() {
        let rebound = Some("http://evil.example.com:8080");
        assert!(!is_allowed(&[], "127.0.0.1:5", "evil.example.com:8080", rebound));
        assert!(!is_allowed(&[], "127.0.0.1:5", "127.0.0.1.example.com:8080", None));
        let args = ["--allow-origin", "https://chat.example.com"];
        assert!(is_allowed(&args, "127.0.0.1:5", "chat.example.com", Some("https://chat.example.com")));
    }
}
