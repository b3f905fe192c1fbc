// SPDX-License-Identifier: MPL-2.0

//! Answers of a language model, whose endpoint the tests play: what it is asked, how its words are spoken while they
//! stream, and what becomes of everything that can go wrong.

#[path = "support/client.rs"]
mod client;
#[path = "support/endpoint.rs"]
mod endpoint;
#[path = "../../../tests/support/folder.rs"]
mod folder;
#[path = "support/server.rs"]
mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Client, recording, sound};
use endpoint::{Endpoint, Exchange};
use folder::Folder;
use serde_json::{Value, json};
use server::Server;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{self, ServerConfig};

/// A server that asks this endpoint.
fn server(endpoint: &Endpoint, more: &[&str]) -> Server {
    Server::start(&[&["--llm", endpoint.url()], more].concat())
}

async fn session(server: &Server, settings: Value) -> Client {
    let mut client = Client::session(&server.realtime()).await;
    let mut session = json!({"type": "realtime"});
    session.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
    client.send(json!({"type": "session.update", "session": session})).await;
    assert_eq!(client.event().await["type"], "session.updated");
    client
}

/// Adds an item, and asks for a response where `response` is given.
async fn add(client: &mut Client, item: Value, response: Option<Value>) {
    client.send(json!({"type": "conversation.item.create", "item": item})).await;
    client.until("conversation.item.done").await;
    if let Some(response) = response {
        client.send(json!({"type": "response.create", "response": response})).await;
    }
}

fn user(content: Value) -> Value {
    json!({"type": "message", "role": "user", "content": content})
}

async fn ask(client: &mut Client, text: &str) {
    add(client, user(json!([{"type": "input_text", "text": text}])), Some(json!({}))).await;
}

/// The response that ends next.
async fn done(client: &mut Client) -> Value {
    client.until("response.done").await.pop().expect("an end")["response"].take()
}

fn text() -> Value {
    json!({"output_modalities": ["text"], "instructions": "Be brief."})
}

#[tokio::test]
async fn sentences_are_spoken_while_the_rest_is_still_to_come() {
    let endpoint = Endpoint::listen().await;
    let server = server(&endpoint, &["--llm-model", "tiny"]);
    let mut client = session(&server, json!({"instructions": "Be brief."})).await;
    ask(&mut client, "Hello?").await;
    let mut exchange = endpoint.request().await.begin().await;
    assert!(exchange.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", exchange.head);
    assert_eq!((&exchange.body["model"], &exchange.body["stream"]), (&json!("tiny"), &json!(true)));
    assert_eq!(exchange.messages(), ["system: Be brief.", "user: Hello?"]);
    exchange.say("**Hello** there. How").await;
    let first = client.until("response.output_audio.delta").await;
    assert!(!sound(&first).is_empty());
    exchange.say(" are you?").await;
    exchange.finish("stop").await;
    let response = done(&mut client).await;
    assert_eq!(response["output"][0]["content"][0]["transcript"], "Hello there. How are you?");
    let usage = &response["usage"];
    assert_eq!([&usage["input_tokens"], &usage["output_tokens"], &usage["total_tokens"]], [7, 5, 12]);
}

#[tokio::test]
async fn the_model_reads_the_whole_conversation() {
    let endpoint = Endpoint::listen().await;
    let server = server(&endpoint, &[]);
    let mut client = session(&server, text()).await;
    ask(&mut client, "I am Ada.").await;
    endpoint.request().await.answer("# Hi,\n\n*Ada*!").await;
    // What is only read is shown as it is.
    assert_eq!(done(&mut client).await["output"][0]["content"][0]["text"], "# Hi,\n\n*Ada*!");
    let jpeg = include_bytes!("../../../tests/media/flower.jpg");
    let url = format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg));
    add(&mut client, user(json!([{"type": "input_image", "image_url": url}])), None).await;
    ask(&mut client, "And this?").await;
    let exchange = endpoint.request().await;
    let messages = ["system: Be brief.", "user: I am Ada.", "assistant: # Hi,\n\n*Ada*!", "user: ", "user: And this?"];
    assert_eq!(exchange.messages(), messages);
    assert_eq!(exchange.body["messages"][3]["content"][0]["image_url"]["url"], url);
    assert!(exchange.body.get("model").is_none() && exchange.body.get("tools").is_none());
    exchange.answer("A flower.").await;
    done(&mut client).await;
    // Beside the conversation the model is told nothing of it.
    let item = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Aside."}]});
    client
        .send(json!({"type": "response.create", "response":
            {"conversation": "none", "input": [item], "max_output_tokens": 9, "instructions": "Sum up."}}))
        .await;
    let mut exchange = endpoint.request().await;
    assert_eq!(exchange.messages(), ["system: Sum up.", "user: Aside."]);
    assert_eq!(exchange.body["max_completion_tokens"], 9);
    exchange = exchange.begin().await;
    exchange.say("Cut").await;
    exchange.finish("length").await;
    let response = done(&mut client).await;
    assert_eq!(
        (&response["status"], &response["output"][0]["content"][0]["text"]),
        (&json!("incomplete"), &json!("Cut"))
    );
    assert_eq!(response["status_details"]["reason"], "max_output_tokens");
}

#[tokio::test]
async fn functions_are_called_and_their_results_told() {
    let endpoint = Endpoint::listen().await;
    let server = server(&endpoint, &[]);
    let weather = json!({"type": "function", "name": "weather", "parameters": {"type": "object"}});
    let mut client =
        session(&server, json!({"output_modalities": ["text"], "instructions": "", "tools": [weather]})).await;
    ask(&mut client, "The weather in Paris?").await;
    let mut exchange = endpoint.request().await.begin().await;
    assert_eq!(exchange.body["tools"][0]["function"]["name"], "weather");
    assert_eq!(exchange.body["tool_choice"], "auto");
    exchange.say("One moment.").await;
    for (name, arguments) in [(json!("weather"), "{\"city\":"), (Value::Null, "\"Paris\"}")] {
        let function = json!({"name": name, "arguments": arguments});
        exchange
            .delta(json!({"tool_calls": [{"index": 0, "id": "x", "type": "function", "function": function}]}))
            .await;
    }
    exchange.finish("tool_calls").await;
    let output = done(&mut client).await["output"].take();
    assert_eq!(output[0]["content"][0]["text"], "One moment.");
    assert_eq!((&output[1]["name"], &output[1]["arguments"]), (&json!("weather"), &json!("{\"city\":\"Paris\"}")));
    let result = json!({"type": "function_call_output", "call_id": output[1]["call_id"], "output": "Sunny."});
    add(&mut client, result, Some(json!({}))).await;
    let exchange = endpoint.request().await;
    assert_eq!(exchange.messages(), ["user: The weather in Paris?", "assistant: One moment.", "tool: Sunny."]);
    let messages = &exchange.body["messages"];
    assert_eq!(messages[1]["tool_calls"][0]["id"], messages[2]["tool_call_id"]);
    exchange.answer("It is sunny.").await;
    assert_eq!(done(&mut client).await["output"][0]["content"][0]["text"], "It is sunny.");
}

/// Begins an answer that does not end, and waits until it is heard.
async fn talk_on(endpoint: &Endpoint, client: &mut Client) -> Exchange {
    let mut exchange = endpoint.request().await.begin().await;
    exchange.say("This is a long story. It ").await;
    client.until("response.output_audio.delta").await;
    exchange
}

#[tokio::test]
async fn speaking_over_an_answer_ends_its_request() {
    let endpoint = Endpoint::listen().await;
    let server = server(&endpoint, &[]);
    let detection = json!({"type": "server_vad", "silence_duration_ms": 600});
    let mut client =
        session(&server, json!({"instructions": "", "audio": {"input": {"turn_detection": detection}}})).await;
    ask(&mut client, "Tell me a story.").await;
    let mut exchange = talk_on(&endpoint, &mut client).await;
    client.append(&recording("goforward.wav")).await;
    exchange.closed().await;
    let response = done(&mut client).await;
    assert_eq!(response["status_details"]["reason"], "turn_detected");
    // What was said over it is the next question, and the model knows what it had said itself.
    let exchange = endpoint.request().await;
    let messages = exchange.messages();
    assert_eq!(messages[..2], ["user: Tell me a story.", "assistant: This is a long story."]);
    assert!(messages[2].to_lowercase().starts_with("user: go forward ten"), "{messages:?}");
    exchange.answer("I go.").await;
    assert_eq!(done(&mut client).await["status"], "completed");

    ask(&mut client, "Another one.").await;
    let mut exchange = talk_on(&endpoint, &mut client).await;
    client.send(json!({"type": "response.cancel"})).await;
    exchange.closed().await;
    ask(&mut client, "Another one.").await;
    let mut exchange = talk_on(&endpoint, &mut client).await;
    drop(client);
    exchange.closed().await;
}

/// What the response's error says.
async fn failure(client: &mut Client) -> String {
    let response = done(client).await;
    assert_eq!(response["status"], "failed");
    response["status_details"]["error"]["message"].as_str().expect("words").to_owned()
}

#[tokio::test]
async fn refusals_fail_the_response_in_the_endpoints_words() {
    let endpoint = Endpoint::listen().await;
    let server = server(&endpoint, &[]);
    let mut client = session(&server, text()).await;
    let body = r#"{"error": {"message": "Model is busy.", "type": "x"}}"#;
    for (status, body, words) in [
        ("401 Unauthorized", r#"{"error": "No such key."}"#, "answered 401 Unauthorized: No such key."),
        ("429 Too Many Requests", body, "answered 429 Too Many Requests: Model is busy."),
        ("500 Internal Server Error", "Out of memory\n", "answered 500 Internal Server Error: Out of memory"),
        ("503 Service Unavailable", "", "answered 503 Service Unavailable: without a reason"),
    ] {
        ask(&mut client, "Hello?").await;
        endpoint.request().await.refuse(status, body).await;
        let message = failure(&mut client).await;
        assert!(message.contains(words) && message.contains(endpoint.url()), "{message}");
    }
    ask(&mut client, "Hello?").await;
    endpoint.request().await.answer("Hello.").await;
    assert_eq!(done(&mut client).await["status"], "completed");
}

#[tokio::test]
async fn broken_answers_fail_the_response_and_nothing_else() {
    let endpoint = Endpoint::listen().await;
    let server = server(&endpoint, &[]);
    let mut client = session(&server, text()).await;
    for (sent, words) in [
        ("10\r\ndata: {\"choices\"", "broke off its answer"),
        ("0\r\n\r\n", "broke off its answer before its end"),
        ("9\r\ndata: x\n\n\r\n", "sent what is no stream of Chat Completions: x"),
        ("25\r\ndata: {\"error\": {\"message\": \"Oops.\"}}\r\n2\r\n\n\n\r\n", "reported an error: Oops."),
    ] {
        ask(&mut client, "Hello?").await;
        let mut exchange = endpoint.request().await.begin().await;
        exchange.say("Half an ").await;
        client.until("response.output_text.delta").await;
        exchange.raw(sent).await;
        drop(exchange);
        let message = failure(&mut client).await;
        assert!(message.contains(words), "{message}");
    }
    ask(&mut client, "Hello?").await;
    endpoint.request().await.answer("Hello.").await;
    assert_eq!(done(&mut client).await["status"], "completed");
}

#[tokio::test]
async fn an_endpoint_that_is_silent_is_given_up() {
    let endpoint = Endpoint::listen().await;
    let server = server(&endpoint, &["--llm-timeout", "200ms"]);
    let mut client = session(&server, text()).await;
    ask(&mut client, "Hello?").await;
    let mut exchange = endpoint.request().await;
    let message = failure(&mut client).await;
    assert!(message.contains("sent nothing for 200ms"), "{message}");
    exchange.closed().await;
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_reported() {
    // A port that is taken, so that nobody else gets it, and at which nobody listens.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let url = format!("http://{}/v1", socket.local_addr().expect("an address"));
    let server = Server::start(&["--llm", &url]);
    let mut client = session(&server, text()).await;
    ask(&mut client, "Hello?").await;
    let message = failure(&mut client).await;
    assert!(message.contains(&format!("{url}/chat/completions cannot be reached: ")), "{message}");
}

#[tokio::test]
async fn the_key_goes_to_the_endpoint_and_nowhere_else() {
    let endpoint = Endpoint::listen().await;
    let file = server::file("sk-very-secret-1234\n");
    let server = server(&endpoint, &["--llm-api-key-file", file.to_str().expect("a path")]);
    let mut client = session(&server, text()).await;
    ask(&mut client, "Hello?").await;
    let exchange = endpoint.request().await;
    assert!(exchange.head.contains("authorization: Bearer sk-very-secret-1234\r\n"), "{}", exchange.head);
    exchange.refuse("401 Unauthorized", r#"{"error": {"message": "Wrong key: sk-very-secret-1234."}}"#).await;
    let message = failure(&mut client).await;
    assert!(message.ends_with("Wrong key: [redacted]."), "{message}");
    server.wait_for_stderr("Wrong key: [redacted].");
    assert!(!server.stderr().contains("sk-very"), "{}", server.stderr());
    std::fs::remove_file(file).expect("the file is there");
}

/// Sends a request of Chat Completions to the server.
async fn post(server: &Server, body: Value) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.expect("a connection");
    let body = body.to_string();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}", body.len());
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.expect("the server reads it");
    stream
}

#[tokio::test]
async fn requests_of_chat_completions_are_answered_by_the_model_too() {
    let endpoint = Endpoint::listen().await;
    let server = server(&endpoint, &[]);
    let body = json!({"model": "m", "temperature": 0.3, "messages": [{"role": "user", "content": "Hello?"}]});
    let mut stream = post(&server, body.clone()).await;
    let exchange = endpoint.request().await;
    assert_eq!(exchange.body["temperature"], 0.3);
    exchange.answer("Hi.").await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let body_at = answer.find("\r\n\r\n").expect("a body");
    let value: Value = serde_json::from_str(&answer[body_at..]).expect("JSON");
    assert_eq!(
        (&value["choices"][0]["message"]["content"], &value["usage"]["total_tokens"]),
        (&json!("Hi."), &json!(12))
    );
    let mut stream = post(&server, body.clone()).await;
    endpoint.request().await.refuse("429 Too Many Requests", "Busy.").await;
    answer.clear();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("429 Too Many Requests: Busy."), "{answer}");
    // Whoever goes away ends the request.
    let stream = post(&server, body).await;
    let mut exchange = endpoint.request().await.begin().await;
    drop(stream);
    exchange.closed().await;
}

/// A file with a key.
fn key_file(folder: &Folder) -> String {
    let path = folder.join("key");
    std::fs::write(&path, "sk-test").expect("written");
    path.to_str().expect("a readable path").to_owned()
}

#[tokio::test]
async fn a_key_that_others_may_read_is_warned_of() {
    let folder = Folder::new();
    let key = key_file(&folder);
    // Nobody is asked there: the address is one of documentation.
    let server = Server::start(&["--llm", "http://192.0.2.1/v1", "--llm-api-key-file", &key]);
    server.wait_for_stderr("goes to 192.0.2.1 over plain http");
    for url in ["http://127.0.0.1:9/v1", "https://192.0.2.1/v1"] {
        let mut server = Server::start(&["--llm", url, "--llm-api-key-file", &key]);
        assert_eq!(server.terminate().1, "", "{url}");
    }
}

#[tokio::test]
async fn an_endpoint_with_tls_is_trusted_by_its_certificate_only() {
    let folder = Folder::new();
    let endpoint = Endpoint::listen().await;
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config =
        config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://localhost:{}/v1", listener.local_addr().expect("an address").port());
    let inner = endpoint.url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    // Takes the encryption away; a client that does not trust it ends the handshake.
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut outer) = acceptor.accept(stream).await else { continue };
            let mut inner = TcpStream::connect(&inner).await.expect("the endpoint");
            // Either side may close first.
            let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
        }
    });
    let certificate = folder.join("ca.pem");
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    let key = key_file(&folder);
    let args = ["--llm", &url, "--llm-api-key-file", &key];
    let trusting = [("SSL_CERT_FILE", certificate.to_str().expect("a readable path"))];
    let server = Server::start_with(&args, &trusting);
    let mut client = session(&server, text()).await;
    ask(&mut client, "Hello?").await;
    let exchange = endpoint.request().await;
    assert!(exchange.head.to_lowercase().contains("authorization: bearer sk-test"), "{}", exchange.head);
    exchange.answer("Hello.").await;
    assert_eq!(done(&mut client).await["output"][0]["content"][0]["text"], "Hello.");
    let server = Server::start(&args);
    let mut client = session(&server, text()).await;
    ask(&mut client, "Hello?").await;
    let response = done(&mut client).await;
    assert_eq!(response["status"], "failed");
    let why = response["status_details"]["error"]["message"].as_str().expect("words").to_owned();
    assert!(why.contains("certificate"), "{why}");
}

/// Speaks at the pace of speech, then is silent until there is an answer; gives the time between the two.
async fn time_to_answer(client: &mut Client, sound: &[i16]) -> Duration {
    const FRAME: usize = 24 * 20;
    let loudest = sound.iter().map(|sample| sample.unsigned_abs()).max().expect("sound");
    let last = sound.iter().rposition(|sample| sample.unsigned_abs() > loudest / 10).expect("a word");
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for frame in sound[..=last].chunks(FRAME) {
        pace.tick().await;
        client.append(frame).await;
    }
    let ended = Instant::now();
    loop {
        pace.tick().await;
        client.append(&[0; FRAME]).await;
        while let Ok(event) = tokio::time::timeout(Duration::from_millis(1), client.event()).await {
            if event["type"] == "response.output_audio.delta" {
                return ended.elapsed();
            }
        }
    }
}

/// Not a test: prints how long after the last word the first audio comes when the first sentence takes the endpoint half a
/// second. `cargo test --release --test llm first_audio -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn first_audio_after_the_last_word() {
    let endpoint = Arc::new(Endpoint::listen().await);
    let server = server(&endpoint, &[]);
    let sound = recording("goforward.wav");
    for _ in 0..10 {
        let model = endpoint.clone();
        let answering = tokio::spawn(async move {
            let mut exchange = model.request().await.begin().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            exchange.say("Going forward ten meters. And").await;
            exchange
        });
        let mut client = session(&server, json!({})).await;
        let time = time_to_answer(&mut client, &sound).await;
        drop(answering.await.expect("an answer"));
        eprintln!("{:.2} s after the last word", time.as_secs_f64());
    }
}
