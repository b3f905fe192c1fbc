// SPDX-License-Identifier: MPL-2.0

//! The server's eyes, as a client meets them: what it says of real photos, and what it refuses.

#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Client, sound};
use serde_json::{Value, json};
use server::Server;

fn photo(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/media/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a photo")
}

fn picture(file: &[u8]) -> Value {
    json!({"type": "input_image", "image_url": format!("data:image/jpeg;base64,{}", STANDARD.encode(file))})
}

fn text(text: &str) -> Value {
    json!({"type": "input_text", "text": text})
}

/// Adds a message of the user; gives the item, or the error.
async fn show(client: &mut Client, id: &str, content: Value) -> Value {
    let item = json!({"id": id, "type": "message", "role": "user", "content": content});
    client.send(json!({"type": "conversation.item.create", "item": item})).await;
    let event = client.event().await;
    if event["type"] == "conversation.item.added" {
        assert_eq!(client.event().await["type"], "conversation.item.done");
    }
    event
}

/// The written answer to what was shown and said.
async fn answer(client: &mut Client) -> String {
    client.send(json!({"type": "response.create", "response": {"output_modalities": ["text"]}})).await;
    let events = client.until("response.done").await;
    let done = events.iter().find(|event| event["type"] == "response.output_text.done").expect("words");
    done["text"].as_str().expect("words").to_owned()
}

#[tokio::test]
async fn what_is_in_a_photo_is_named_and_measured() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = Client::session(&server.realtime()).await;
    show(&mut client, "a", json!([picture(&photo("china.jpg")), text("What do you see?")])).await;
    let told = answer(&mut client).await;
    assert!(told.contains("a palace") && !told.contains("pixels"), "{told}");
    show(&mut client, "b", json!([picture(&photo("flower.jpg")), text("Is it sharp?")])).await;
    let told = answer(&mut client).await;
    assert_eq!(told, "It is sharp.");
    show(&mut client, "c", json!([text("How many people are in the picture?")])).await;
    let told = answer(&mut client).await;
    assert_eq!(told, "I find no face that looks this way.");
    assert_eq!(server.stderr(), "");
}

#[tokio::test]
async fn pictures_alone_are_described_aloud_and_by_the_names_of_their_cameras() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = Client::session(&server.realtime()).await;
    show(&mut client, "a", json!([text("front door camera"), picture(&photo("china.jpg"))])).await;
    show(&mut client, "b", json!([text("Garden camera."), picture(&photo("flower.jpg"))])).await;
    client.send(json!({"type": "response.create"})).await;
    let events = client.until("response.done").await;
    let told = events.iter().find(|event| event["type"] == "response.output_audio_transcript.done").expect("words");
    let told = told["transcript"].as_str().expect("words");
    let (door, garden) = (told.find("Front door camera: "), told.find("Garden camera: "));
    assert!(door.is_some() && garden > door && !told.contains("did not catch"), "{told}");
    assert!(sound(&events).len() > 24_000 * 3, "it takes a while to say all that");
}

#[tokio::test]
async fn what_is_no_picture_is_refused_with_the_reason() {
    let server = Server::start(&["--engine", "echo"]);
    let mut client = Client::session(&server.realtime()).await;
    let file = photo("flower.jpg");
    let png = |bytes: &[u8]| json!({"type": "input_image", "image_url": format!("data:image/png;base64,{}", STANDARD.encode(bytes))});
    for (part, reason) in [
        (picture(&file[..file.len() / 2]), "truncated"),
        (picture(&[&file[..40], &[0x55; 4_000], b"\xff\xd9"].concat()), "image"),
        (picture(b"not a picture"), "not a JPEG"),
        (png(&file), "not a PNG"),
        (json!({"type": "input_image", "image_url": "https://example.com/a.jpg"}), "data URI"),
        (
            json!({"type": "input_image", "image_url": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}),
            "image/jpeg and image/png",
        ),
    ] {
        let event = show(&mut client, "a", json!([text("Look."), part])).await;
        let error = &event["error"];
        assert_eq!((&event["type"], &error["code"]), (&json!("error"), &json!("invalid_value")), "{event}");
        assert_eq!(error["param"], "item.content[1].image_url");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(reason)), "{error}");
    }
    // Nothing of it has stayed.
    assert_eq!(show(&mut client, "a", json!([picture(&file)])).await["type"], "conversation.item.added");
}

#[tokio::test]
async fn a_picture_that_was_deleted_is_gone() {
    let server = Server::start(&["--engine", "local"]);
    let mut client = Client::session(&server.realtime()).await;
    show(&mut client, "a", json!([picture(&photo("china.jpg"))])).await;
    client.send(json!({"type": "conversation.item.delete", "item_id": "a"})).await;
    assert_eq!(client.event().await["type"], "conversation.item.deleted");
    show(&mut client, "b", json!([text("What do you see?")])).await;
    let told = answer(&mut client).await;
    assert!(told.ends_with("I have not been shown a picture yet."), "{told}");
}
