// SPDX-License-Identifier: MPL-2.0

use super::*;
use crate::net::credentials::CredentialsProvider;

fn connection(uri: Option<&str>) -> EndpointConfig {
    EndpointConfig { uri: uri.map(Into::into), model: "gpt-realtime-2.1".into(), ..Default::default() }
}

fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

fn url(connection: &EndpointConfig, pairs: &'static [(&str, &str)]) -> String {
    connection.endpoint(env(pairs)).expect("a target").url().to_string()
}

const KEY: &[(&str, &str)] = &[("OPENAI_API_KEY", "sk-test"), ("AZURE_OPENAI_API_KEY", "azure-key")];

#[test]
fn urls_are_completed_as_the_sdks_do() {
    let cases = [
        (None, "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
        (Some("https://eu.api.openai.com/v1"), "wss://eu.api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
        (Some("ws://127.0.0.1:8080/v1/"), "ws://127.0.0.1:8080/v1/realtime?model=gpt-realtime-2.1"),
        (Some("ws://127.0.0.1:8080"), "ws://127.0.0.1:8080/v1/realtime?model=gpt-realtime-2.1"),
        (Some("http://localhost:1/a/b/realtime?x=1"), "ws://localhost:1/a/b/realtime?x=1&model=gpt-realtime-2.1"),
        (Some("wss://host/v1/realtime?model=mine"), "wss://host/v1/realtime?model=mine"),
        (Some("https://my.openai.azure.com"), "wss://my.openai.azure.com/openai/v1/realtime?model=gpt-realtime-2.1"),
    ];
    for (uri, expected) in cases {
        assert_eq!(url(&connection(uri), KEY), expected);
    }
}

#[test]
fn azure_preview_names_version_and_deployment() {
    let preview = EndpointConfig {
        api_version: Some("2025-04-01-preview".into()),
        ..connection(Some("https://my.openai.azure.com"))
    };
    assert_eq!(
        url(&preview, KEY),
        "wss://my.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=gpt-realtime-2.1"
    );
}

#[test]
fn the_environment_names_the_server() {
    const BASE: &[(&str, &str)] = &[("OPENAI_BASE_URL", "http://localhost:9/v1")];
    assert_eq!(url(&connection(None), BASE), "ws://localhost:9/v1/realtime?model=gpt-realtime-2.1");
    const AZURE: &[(&str, &str)] = &[
        ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com/"),
        ("AZURE_OPENAI_DEPLOYMENT", "my voice"),
        ("AZURE_OPENAI_API_KEY", "k"),
    ];
    assert_eq!(url(&connection(None), AZURE), "wss://x.openai.azure.com/openai/v1/realtime?model=my+voice");
    const GATEWAY: &[(&str, &str)] =
        &[("AZURE_OPENAI_ENDPOINT", "https://gateway.example"), ("AZURE_OPENAI_API_KEY", "k")];
    assert_eq!(url(&connection(None), GATEWAY), "wss://gateway.example/openai/v1/realtime?model=gpt-realtime-2.1");
}

#[test]
fn keys_come_from_the_property_the_file_and_the_environment() {
    let header = |connection: &EndpointConfig, name: &str| {
        let endpoint = connection.endpoint(env(KEY)).expect("a target");
        let (header, value) = endpoint.key_header(None).expect("it is there").expect("a key");
        assert_eq!(header, name);
        value.expose().to_owned()
    };
    assert_eq!(header(&connection(None), "authorization"), "Bearer sk-test");
    let property = EndpointConfig { api_key: Secret::new("sk-mine"), ..connection(None) };
    assert_eq!(header(&property, "authorization"), "Bearer sk-mine");
    let azure = connection(Some("https://my.openai.azure.com"));
    assert_eq!(header(&azure, "api-key"), "azure-key");
    let entra = EndpointConfig { api_key: Secret::new("eyJhbGciOi"), ..azure };
    assert_eq!(header(&entra, "authorization"), "Bearer eyJhbGciOi");
}

#[test]
fn what_is_wrong_is_said_before_connecting() {
    let failure = |connection: &EndpointConfig, pairs| connection.endpoint(env(pairs)).expect_err("refused");
    let no_key = failure(&connection(None), &[]);
    assert!(no_key.says(ErrorKind::NotAuthorized, "OPENAI_API_KEY"), "{no_key}");
    for uri in
        ["no url", "ftp://host/v1", "ws://example.com/v1", "wss://user:pass@host/v1", "wss://host/v1?api-key=pass@"]
    {
        let wrong = failure(&connection(Some(uri)), KEY);
        assert!(wrong.kind() == ErrorKind::Settings && wrong.message().starts_with("uri "), "{uri}: {wrong}");
        assert!(!wrong.to_string().contains("pass@"));
    }
    let file = EndpointConfig { api_key_file: Some("/nowhere/key".into()), ..connection(None) };
    assert!(failure(&file, KEY).says(ErrorKind::NotAuthorized, "/nowhere/key"));
}

#[test]
fn what_a_uri_hides_is_not_shown() {
    for (uri, shown) in [
        ("wss://host/v1", "wss://host/v1"),
        ("wss://host/v1/realtime?model=m&api-version=2", "wss://host/v1/realtime?model=m&api-version=2"),
        ("wss://host/v1?api-key=hush&model=m&sig=hush", "wss://host/v1?api-key=[redacted]&model=m&sig=[redacted]"),
        ("wss://me:hush@host/v1", "wss://[redacted]@host/v1"),
        ("wss:me:hu@sh@host?hush#hush", "wss:[redacted]@host?[redacted]#[redacted]"),
        ("hush@", "[redacted]@"),
        ("", ""),
    ] {
        assert_eq!(redacted_uri(uri), shown);
    }
}

#[test]
fn headers_and_queries_are_kept_out_of_texts() {
    let connection = EndpointConfig {
        headers: vec![("Authorization".into(), "Bearer 12345678".into()), ("X-Team".into(), "seven".into())],
        ..connection(Some("ws://localhost/v1?token=abcdefgh"))
    };
    let endpoint = connection.endpoint(env(&[])).expect("a target");
    let mut text = "seven 12345678 abcdefgh gpt-realtime-2.1".to_owned();
    endpoint.redact(&mut text);
    assert_eq!(text, "seven [redacted] [redacted] gpt-realtime-2.1");
}

#[test]
fn each_provider_gets_its_own_key() {
    let connection = EndpointConfig {
        api_key: Secret::new("sk-mine"),
        fallback_uris: ["https://my.openai.azure.com", "https://eu.api.openai.com/v1", "ws://localhost:1/v1"]
            .map(String::from)
            .to_vec(),
        ..connection(None)
    };
    let targets = connection.targets(env(KEY)).expect("targets");
    let keys = targets.iter().map(|endpoint| endpoint.key_header(None).expect("readable").expect("a key"));
    let keys: Vec<_> = keys.map(|(name, key)| (name, key.expose().to_owned())).collect();
    let expected = [
        ("authorization", "Bearer sk-mine"),
        ("api-key", "azure-key"),
        ("authorization", "Bearer sk-mine"),
        ("authorization", "Bearer sk-mine"),
    ];
    assert_eq!(keys, expected.map(|(name, key)| (name, key.to_owned())));
    let failure = connection.targets(env(&[])).expect_err("no key for Azure").to_string();
    assert!(failure.starts_with("fallback-uris: ") && failure.contains("AZURE_OPENAI_API_KEY"), "{failure}");
}

#[test]
fn an_application_that_gives_the_key_is_a_key() {
    let credentials = Some(CredentialsProvider::new(|| Some("sk-asked".into())));
    let endpoint = EndpointConfig { credentials, ..connection(None) }.endpoint(env(&[])).expect("a target");
    assert!(endpoint.key_header(None).is_err(), "it was not asked");
    let (_, key) = endpoint.key_header(Secret::new("sk-asked")).expect("a key").expect("a header");
    assert_eq!(key.expose(), "Bearer sk-asked");
}

#[test]
fn a_loopback_server_needs_no_key_and_names_are_free_of_secrets() {
    let endpoint = connection(Some("ws://[::1]:7/v1?session=hush")).endpoint(env(&[])).expect("a target");
    assert_eq!(format!("{endpoint:?}"), "ws://[::1]:7/v1/realtime");
    assert!(endpoint.headers.is_empty() && endpoint.key_header(None).is_ok_and(|key| key.is_none()));
}
