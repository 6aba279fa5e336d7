//! By which ways the media of a mesh's members may go: relays, the server's own way, and addresses that nobody learns.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Server, claims, signed, token, v0, v1};

async fn text(client: &mut Client) -> String {
    loop {
        match client.message().await {
            Some(Message::Text(text)) => return text.to_string(),
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            other => panic!("not text: {other:?}"),
        }
    }
}

async fn said(client: &mut Client) -> Value {
    serde_json::from_str(&text(client).await).expect("JSON")
}

/// What the counselling door tells first.
async fn told(server: &Server, room: &str, more: &str) -> (Client, Value) {
    let path = format!("/ertc?room={room}&role=expert&nick=Kim&seat=k&ice=1{more}");
    let mut client = Client::connect(server, &path).await.expect("open");
    let word = said(&mut client).await;
    assert_eq!(word["type"], "ICE");
    let ways = serde_json::from_str(word["msg"].as_str().expect("text")).expect("JSON");
    (client, ways)
}

#[tokio::test]
async fn a_member_of_a_mesh_may_relay_and_go_by_way_of_the_server() {
    let server = Server::start().await;
    let (kim, ways) = told(&server, "yard", "").await;
    assert_eq!(ways["iceTransportPolicy"], "all");
    let url = ways["iceServers"][0]["urls"][0].as_str().expect("a URL");
    assert!(url.starts_with("stun:127.0.0.1:"), "{url}");
    let pass = ways["server"]["token"].as_str().expect("a token");
    let mut media = Client::connect(&server, &v1(pass)).await.expect("let in");
    let joined = media.joined().await;
    let own = joined.participant.expect("its own");
    assert_eq!(
        (own.identity.as_str(), own.name.as_str()),
        ("ertc-expert-media", "Kim")
    );
    assert_eq!(joined.room.expect("the room").name, "yard");
    let permission = own.permission.expect("what it may");
    assert!(permission.can_publish && permission.can_subscribe && !permission.can_publish_data);
    // The relay is that member's own, and the stay is over.
    let credentials = ways["iceServers"][0]["username"].clone();
    kim.cut();
    server.until_metric("madang_directory_seats", 1).await;
    let (_kim, again) = told(&server, "yard", "").await;
    assert_ne!(again["iceServers"][0]["username"], credentials);
}

#[tokio::test]
async fn what_somebody_may_not_do_he_may_not_by_way_of_the_server() {
    let server = Server::with(|config| config.dev = false).await;
    let listener = signed(&claims(
        &json!({ "video": { "canPublish": false, "hidden": true } }),
    ));
    let (_kim, ways) = told(&server, "yard", &format!("&access_token={listener}")).await;
    let pass = ways["server"]["token"].as_str().expect("a token");
    let mut media = Client::connect(&server, &v0(pass)).await.expect("let in");
    let own = media.joined().await.participant.expect("its own");
    let permission = own.permission.expect("what it may");
    assert!(!permission.can_publish && permission.hidden);
}

#[tokio::test]
async fn a_mesh_has_no_way_by_the_server_and_a_server_may_have_no_relay() {
    let server = Server::with(|config| {
        config.turn.enabled = false;
        config.rooms.mesh = vec!["c-*".to_owned()];
    })
    .await;
    let (_kim, ways) = told(&server, "c-1", "").await;
    assert_eq!(ways["iceServers"], json!([]));
    assert_eq!(ways["server"], Value::Null);
    let (_lee, ways) = told(&server, "yard", "").await;
    assert!(ways["server"]["token"].is_string());
}

#[tokio::test]
async fn addresses_are_hidden_by_settings_api_and_token() {
    let server = Server::with(|config| config.rooms.relay = vec!["p-*".to_owned()]).await;
    let admin = signed(&claims(&json!({ "video": { "roomCreate": true } })));
    let body = json!({ "name": "made", "roomPreset": "mesh-relay" });
    assert_eq!(server.call("CreateRoom", &admin, &body).await.status, 200);
    let by_token = signed(&claims(
        &json!({ "video": { "room": "token" }, "roomPreset": "relay" }),
    ));
    let _maker = Client::connect(&server, &v0(&by_token)).await.expect("in");
    for (room, policy) in [
        ("p-1", "relay"),
        ("made", "relay"),
        ("token", "relay"),
        ("yard", "all"),
    ] {
        let (mut kim, ways) = told(&server, room, "").await;
        assert_eq!(ways["iceTransportPolicy"], policy, "{room}");
        let path = format!("/ertc?room={room}&role=member");
        let mut old = Client::connect(&server, &path).await.expect("open");
        let host = "candidate:1 1 udp 2122260223 192.168.0.7 51000 typ host";
        let relayed = "candidate:2 1 udp 1 192.0.0.8 40001 typ relay";
        let words =
            [host, relayed].map(|candidate| json!({ "type": "candidate", "candidate": candidate }));
        for word in words {
            old.send_raw(Message::text(word.to_string())).await;
        }
        let first = said(&mut kim).await;
        let expected = if policy == "relay" { relayed } else { host };
        assert_eq!(first["candidate"], expected, "{room}");
    }
    assert!(
        Client::connect(&server, &v1(&token("made", "lee")))
            .await
            .is_err()
    );
}
