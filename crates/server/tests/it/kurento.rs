//! The door of Kurento's control protocol over real sockets: where it is, who is let in, and what a lost line leaves behind.

use madang_server::Secret;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Server, token};

const CODE_NOT_FOUND: i64 = 40101;

async fn call(client: &mut Client, id: u32, method: &str, params: Value) -> Value {
    let call = json!({ "id": id, "jsonrpc": "2.0", "method": method, "params": params });
    client.send_raw(Message::text(call.to_string())).await;
    loop {
        match client.message().await {
            Some(Message::Text(text)) => {
                let answer: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(answer["id"], id, "{answer}");
                return answer;
            }
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            other => panic!("not text: {other:?}"),
        }
    }
}

async fn pipeline(client: &mut Client) -> String {
    let made = call(client, 1, "create", json!({ "type": "MediaPipeline" })).await;
    let id = made["result"]["value"].as_str().expect("an id");
    assert!(id.ends_with("_kurento.MediaPipeline"), "{id}");
    id.to_owned()
}

async fn endpoint(client: &mut Client, pipeline: &str) -> Value {
    let parameters = json!({ "mediaPipeline": pipeline });
    let params = json!({ "type": "WebRtcEndpoint", "constructorParams": parameters });
    call(client, 2, "create", params).await
}

#[tokio::test]
async fn endpoints_are_members_until_the_line_is_lost() {
    let server = Server::with(|config| config.compat.kurento.rpc_port = Some(0)).await;
    let mut first = Client::connect_to(server.compat("kurento-rpc"), "/kurento")
        .await
        .expect("open");
    let mut second = Client::connect(&server, "/kurento").await.expect("open");
    let own = pipeline(&mut first).await;
    let made = endpoint(&mut first, &own).await;
    let made = made["result"]["value"].as_str().expect("an id").to_owned();
    assert!(made.starts_with(&format!("{own}/")) && made.ends_with("_kurento.WebRtcEndpoint"));
    assert_eq!(server.metric("madang_directory_members").await, 1);
    // Nobody reaches into another's session, also not with an id that was seen.
    for object in [&own, &made] {
        let answer = call(&mut second, 3, "describe", json!({ "object": object })).await;
        assert_eq!(answer["error"]["code"], CODE_NOT_FOUND);
    }
    let answer = endpoint(&mut second, &own).await;
    assert_eq!(answer["error"]["code"], CODE_NOT_FOUND);
    call(&mut second, 4, "release", json!({ "object": own })).await;
    assert_eq!(server.metric("madang_directory_members").await, 1);

    first.cut();
    server.until_metric("madang_directory_members", 0).await;
    let answer = call(&mut second, 5, "ping", Value::Null).await;
    assert_eq!(answer["result"]["value"], "pong");
    second.cut();
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn without_development_mode_pipelines_need_a_right() {
    let server = Server::with(|config| {
        config.dev = false;
        config.compat.rooms = vec!["open".to_owned()];
        config.compat.tokens = vec![Secret::new("a token for every room")];
    })
    .await;
    let shown = |room: &str| format!("/kurento?access_token={}", token(room, "kim"));
    for (path, is_welcome) in [
        ("/kurento".to_owned(), false),
        ("/kurento?room=open".to_owned(), true),
        ("/kurento?room=yard".to_owned(), false),
        ("/kurento?access_token=forged".to_owned(), false),
        (
            "/kurento?access_token=a token for every room".replace(' ', "%20"),
            true,
        ),
        (shown("kurento"), true),
        (shown("yard"), false),
        (format!("{}&room=yard", shown("yard")), true),
        (format!("{}&room=other", shown("yard")), false),
    ] {
        let mut client = Client::connect(&server, &path).await.expect("open");
        let own = pipeline(&mut client).await;
        let answer = endpoint(&mut client, &own).await;
        if is_welcome {
            assert!(answer["result"]["value"].is_string(), "{path}: {answer}");
        } else {
            assert_eq!(answer["error"]["message"], "not allowed", "{path}");
        }
        client.cut();
        server.until_metric("madang_directory_members", 0).await;
    }
}

#[tokio::test]
async fn the_room_kurento_may_be_open_for_pipelines() {
    let server = Server::with(|config| {
        config.dev = false;
        config.compat.rooms = vec!["kurento".to_owned()];
    })
    .await;
    let mut client = Client::connect(&server, "/kurento").await.expect("open");
    let own = pipeline(&mut client).await;
    let answer = endpoint(&mut client, &own).await;
    assert!(answer["result"]["value"].is_string(), "{answer}");
    client.cut();
    server.until_metric("madang_directory_members", 0).await;
}
