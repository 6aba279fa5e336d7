//! The doors for older programs over real sockets: what carries them, who is let in, and that nobody's words hurt anybody
//! else. What the dialects say is tested beside them.

use std::net::SocketAddr;

use madang_server::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::secure::connect;
use crate::support::{Answer, Client, PATIENCE, Server, ask_at, claims, signed, token, v1};

const SIGNALLING_TOKEN: &str = "SIGNALING123";

/// A client that polls.
struct Polling {
    server: SocketAddr,
    path: &'static str,
    protocol: u8,
    sid: String,
    /// The answer to the handshake.
    opening: Answer,
}

impl Polling {
    async fn open(server: SocketAddr, protocol: u8) -> Self {
        let path = "/socket.io/";
        let query = format!("{path}?EIO={protocol}&transport=polling&t=abc");
        let opening = ask_at(server, "GET", &query, &[], b"").await;
        assert_eq!(opening.status, 200, "{}", opening.body);
        let sid = opening.body.split("\"sid\":\"").nth(1);
        let sid = sid.and_then(|rest| rest.split('"').next());
        let sid = sid.expect("an id").to_owned();
        Self {
            server,
            path,
            protocol,
            sid,
            opening,
        }
    }

    fn query(&self, transport: &str) -> String {
        let Self {
            path,
            protocol,
            sid,
            ..
        } = self;
        format!("{path}?EIO={protocol}&transport={transport}&sid={sid}")
    }

    async fn post_raw(&self, body: &[u8]) -> Answer {
        ask_at(self.server, "POST", &self.query("polling"), &[], body).await
    }

    async fn poll_raw(&self) -> Answer {
        ask_at(self.server, "GET", &self.query("polling"), &[], b"").await
    }

    async fn post(&self, packet: &str) {
        let sized = format!("{}:{packet}", packet.encode_utf16().count());
        let body = if self.protocol == 3 { &sized } else { packet };
        let answer = self.post_raw(body.as_bytes()).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }

    async fn poll(&self) -> String {
        let answer = self.poll_raw().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// Of a session that is over.
    async fn check_gone(&self) {
        let answer = self.poll_raw().await;
        let gone = "{\"code\":1,\"message\":\"Session ID unknown\"}";
        assert_eq!((answer.status, answer.body.as_str()), (400, gone));
    }
}

async fn with_compat() -> Server {
    Server::with(|config| {
        config.compat.spider.port = Some(0);
        config.compat.kurento.port = Some(0);
        config.compat.kurento.rpc_port = Some(0);
        config.compat.signalling.port = Some(0);
        config.compat.sfu.port = Some(0);
    })
    .await
}

async fn text(client: &mut Client) -> String {
    loop {
        match client.message().await {
            Some(Message::Text(text)) => return text.to_string(),
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            other => panic!("not text: {other:?}"),
        }
    }
}

async fn send(client: &mut Client, text: &str) {
    client.send_raw(Message::text(text.to_owned())).await;
}

#[tokio::test]
async fn signalling_by_polling() {
    let server = with_compat().await;
    let port = server.compat("signalling");
    let kim = Polling::open(port, 4).await;
    assert!(kim.opening.body.starts_with("0{\"sid\":\""));
    let opening: Value = serde_json::from_str(&kim.opening.body[1..]).expect("JSON");
    assert_eq!(opening["upgrades"], json!(["websocket"]));
    assert_eq!(
        (&opening["pingInterval"], &opening["pingTimeout"]),
        (&json!(25000), &json!(20000))
    );
    assert_eq!(
        kim.opening.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    kim.post(&format!("40{{\"token\":\"{SIGNALLING_TOKEN}\"}}"))
        .await;
    let connected = kim.poll().await;
    let id: Value =
        serde_json::from_str(connected.strip_prefix("40").expect("connected")).expect("JSON");
    assert_ne!(
        id["sid"].as_str().expect("an id"),
        kim.sid,
        "others may see this one"
    );
    for auth in [
        "",
        "{}",
        "{\"token\":\"wrong\"}",
        "{\"token\":null}",
        "null",
        "[",
        "{\"token\":[]}",
    ] {
        let stranger = Polling::open(port, 4).await;
        stranger.post(&format!("40{auth}")).await;
        assert_eq!(
            stranger.poll().await,
            "44{\"message\":\"Authentication error\"}",
            "{auth}"
        );
        stranger.post_raw(b"1").await;
        stranger.check_gone().await;
    }
    let old = ask_at(port, "GET", "/socket.io/?EIO=3&transport=polling", &[], b"").await;
    assert_eq!(
        (old.status, old.body.as_str()),
        (
            400,
            "{\"code\":5,\"message\":\"Unsupported protocol version\"}"
        )
    );
    let list = ask_at(port, "GET", "/connections", &[], b"").await;
    assert_eq!(list.header("access-control-allow-origin"), Some("*"));
    assert!(list.json().is_array());
    kim.post("41").await;
    kim.post_raw(b"1").await;
    kim.check_gone().await;
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn many_by_protocol_3() {
    let server = with_compat().await;
    let port = server.compat("sfu");
    let kim = Polling::open(port, 3).await;
    let (length, rest) = kim.opening.body.split_once(':').expect("a length");
    let length: usize = length.parse().expect("a number");
    assert_eq!(
        &rest[length..],
        "2:40",
        "the server says that it is connected"
    );
    assert!(rest[..length].contains("\"pingTimeout\":5000"));
    let cookie = kim.opening.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with(&format!("io={};", kim.sid)) && cookie.contains("HttpOnly"));
    kim.post("2").await;
    assert_eq!(kim.poll().await, "1:3");
    kim.post(&format!(
        "42{}",
        json!(["joinRoom", {"id": kim.sid, "roomID": "1234"}])
    ))
    .await;
    let users = "42[\"allUsers\",{\"users\":[]}]";
    assert_eq!(kim.poll().await, format!("{}:{users}", users.len()));
    // A client of version 4 at the same port.
    let lee = Polling::open(port, 4).await;
    assert!(lee.opening.header("set-cookie").is_none());
    lee.post("40").await;
    assert!(lee.poll().await.starts_with("40{\"sid\":\""));
    lee.post(&format!(
        "42{}",
        json!(["joinRoom", {"id": "x", "roomID": "1234"}])
    ))
    .await;
    assert_eq!(lee.poll().await, users);
    assert_eq!(server.metric("madang_directory_members").await, 2);
    kim.post("1").await;
    lee.post("1").await;
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn polling_becomes_a_websocket() {
    let server = Server::start().await;
    let kim = Polling::open(server.address(), 4).await;
    kim.post("40/sfu,").await;
    assert!(kim.poll().await.starts_with("40/sfu,{\"sid\":\""));
    let query = kim.query("websocket");
    let mut socket = Client::connect(&server, &query).await.expect("upgraded");
    let waiting = tokio::spawn(ask_at_owned(server.address(), kim.query("polling")));
    send(&mut socket, "2probe").await;
    assert_eq!(text(&mut socket).await, "3probe");
    let answer = waiting.await.expect("not cancelled");
    assert_eq!(
        answer.body, "6",
        "the poll ends so that the client can go on"
    );
    send(&mut socket, "5").await;
    let join = json!(["joinRoom", {"id": "x", "roomID": "r"}]);
    send(&mut socket, &format!("42/sfu,{join}")).await;
    assert_eq!(
        text(&mut socket).await,
        "42/sfu,[\"allUsers\",{\"users\":[]}]"
    );
    assert_eq!(kim.poll_raw().await.status, 400, "polling is over");
    assert_eq!(kim.post_raw(b"42/sfu,[\"x\"]").await.status, 400);
    send(&mut socket, "41/sfu,").await;
    server.until_metric("madang_directory_members", 0).await;
    socket.cut();
    server.until_empty_rooms_aside().await;
}

async fn ask_at_owned(address: SocketAddr, path: String) -> Answer {
    ask_at(address, "GET", &path, &[], b"").await
}

#[tokio::test]
async fn a_websocket_from_the_start() {
    let server = Server::start().await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut socket = Client::connect(&server, path).await.expect("open");
    assert!(text(&mut socket).await.contains("\"upgrades\":[]"));
    send(&mut socket, "40").await;
    assert_eq!(
        text(&mut socket).await,
        "44{\"message\":\"Invalid namespace\"}"
    );
    send(&mut socket, "40/signal,{\"token\":\"SIGNALING123\"}").await;
    assert!(text(&mut socket).await.starts_with("40/signal,{\"sid\":\""));
    // Both doors over one connection.
    send(&mut socket, "40/sfu,").await;
    assert!(text(&mut socket).await.starts_with("40/sfu,{\"sid\":\""));
    server.until_metric("madang_sessions", 2).await;
    // A client of protocol 4 does not ping.
    send(&mut socket, "2").await;
    assert!(matches!(
        socket.message().await,
        Some(Message::Close(_)) | None
    ));
    let old = "/socket.io/?EIO=3&transport=websocket";
    let mut socket = Client::connect(&server, old).await.expect("open");
    assert!(text(&mut socket).await.starts_with("0{"));
    assert_eq!(text(&mut socket).await, "40");
    send(&mut socket, "40/sfu").await;
    assert_eq!(text(&mut socket).await, "40/sfu,");
    send(&mut socket, "40/none").await;
    assert_eq!(text(&mut socket).await, "44/none,\"Invalid namespace\"");
    socket.cut();
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn requests_that_are_no_session() {
    let server = Server::start().await;
    for (method, query, code) in [
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=flash", 0),
        ("GET", "EIO=4&transport=polling&j=0", 0),
        ("GET", "transport=polling", 5),
        ("GET", "EIO=5&transport=polling", 5),
        ("GET", "EIO=4&transport=polling&sid=nosuch", 1),
        ("POST", "EIO=4&transport=polling&sid=__proto__", 1),
        ("POST", "EIO=4&transport=polling", 2),
        ("DELETE", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=websocket", 3),
    ] {
        let answer = server
            .ask(method, &format!("/socket.io/?{query}"), &[], b"")
            .await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_u64()),
            (400, Some(code)),
            "{query}"
        );
    }
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn batches_that_end_their_session() {
    let server = Server::start().await;
    let witness = Polling::open(server.address(), 4).await;
    witness.post("40/sfu,").await;
    witness.poll().await;
    let huge = "4".repeat(1024 * 1024);
    let deep = format!("42/sfu,[\"joinRoom\",{}", "[".repeat(100_000));
    let many = vec!["6"; 1000].join("\u{1e}");
    for body in [
        "",
        "\u{1e}",
        "x",
        "42/sfu,",
        "42/sfu,[]",
        "42/sfu,[1]",
        "42/sfu,{}",
        "451-/sfu,[\"a\"]",
        "bAAAA",
        "2",
        "0",
        "40/sfu,",
        "49",
        huge.as_str(),
        deep.as_str(),
        many.as_str(),
    ] {
        let attacker = Polling::open(server.address(), 4).await;
        attacker.post("40/sfu,").await;
        attacker.poll().await;
        let answer = attacker.post_raw(body.as_bytes()).await;
        let what: String = body.chars().take(20).collect();
        // One that is refused unread may be cut before the answer is read.
        assert!(
            matches!(answer.status, 0 | 400 | 413),
            "{what}: {}",
            answer.status
        );
        attacker.check_gone().await;
    }
    let attacker = Polling::open(server.address(), 4).await;
    attacker.post_raw(&[0xff, 0xfe, 0x00]).await;
    attacker.check_gone().await;
    witness
        .post("42/sfu,[\"joinRoom\",{\"id\":\"w\",\"roomID\":\"r\"}]")
        .await;
    assert_eq!(witness.poll().await, "42/sfu,[\"allUsers\",{\"users\":[]}]");
    witness.post("1").await;
    assert_eq!(server.get("/healthz").await.status, 200);
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn two_polls_at_once_are_not_one_client() {
    let server = Server::start().await;
    let kim = Polling::open(server.address(), 4).await;
    let first = ask_at_owned(server.address(), kim.query("polling"));
    let second = ask_at_owned(server.address(), kim.query("polling"));
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.status, second.status), (400, 400));
    kim.check_gone().await;
}

#[tokio::test]
async fn pages_of_other_hosts() {
    let server = Server::with(|config| {
        config.compat.origins = vec!["https://old.example.org".to_owned()];
    })
    .await;
    let own = format!("http://{}", server.address());
    for (origin, is_welcome) in [
        (own.as_str(), true),
        ("http://localhost:3000", true),
        ("https://old.example.org", true),
        ("https://OLD.example.org", true),
        ("http://old.example.org", false),
        ("https://old.example.org.evil.example", false),
        ("https://evil.example", false),
        ("http://127.0.0.1.evil.example", false),
        ("http://localhost.evil.example", false),
        ("null", false),
        ("", false),
        ("file://", false),
    ] {
        let headers = [("Origin", origin)];
        let path = "/socket.io/?EIO=4&transport=polling";
        let answer = server.ask("GET", path, &headers, b"").await;
        let expected = if is_welcome { 200 } else { 403 };
        assert_eq!(answer.status, expected, "{origin}");
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, is_welcome.then_some(origin));
        // Allowed, but no WebSocket.
        let expected = if is_welcome { 426 } else { 403 };
        let answer = server.ask("GET", "/one2many", &headers, b"").await;
        assert_eq!(answer.status, expected, "{origin}");
    }
}

#[tokio::test]
async fn plain_websockets() {
    let server = Server::start().await;
    for path in PATHS {
        let client = Client::connect(&server, path).await;
        client
            .unwrap_or_else(|error| panic!("{path}: {error:?}"))
            .cut();
        let bare = server.get(path).await;
        assert_eq!(
            (bare.status, bare.header("upgrade")),
            (426, Some("websocket")),
            "{path}"
        );
    }
    let mut viewer = Client::connect(&server, "/one2many").await.expect("open");
    send(
        &mut viewer,
        "{\"id\":\"viewer\",\"sdpOffer\":\"v=0\\r\\n\"}",
    )
    .await;
    let answer: Value = serde_json::from_str(&text(&mut viewer).await).expect("JSON");
    assert_eq!(
        answer,
        json!({"id": "viewerResponse", "response": "rejected", "message": "No active presenter. Try again later..."})
    );
    viewer.cut();
    server.until_empty_rooms_aside().await;
}

/// Events of one poll, without their prefix.
async fn events(client: &Polling) -> Vec<Value> {
    let body = client.poll().await;
    let packets = body.split('\u{1e}');
    let events = packets.map(|packet| packet.strip_prefix("42").expect("an event"));
    events
        .map(|event| serde_json::from_str(event).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn peers_meet_and_names_are_unique() {
    let server = with_compat().await;
    let port = server.compat("signalling");
    let connect = async |id: &str| {
        let client = Polling::open(port, 4).await;
        client.post("40{\"token\":\"SIGNALING123\"}").await;
        let connected = client.poll().await;
        client
            .post(&format!("42[\"ready\",\"{id}\",\"admin\"]"))
            .await;
        (client, connected)
    };
    let (kim, _) = connect("kim").await;
    let welcome = events(&kim).await;
    let nobody = json!({"action": "open", "connections": [], "bePolite": false});
    assert_eq!(
        welcome,
        [json!(["message", {"from": "all", "target": "kim", "payload": nobody}])]
    );
    let (lee, connected) = connect("lee").await;
    let welcome = events(&lee).await;
    assert_eq!(welcome[0][1]["payload"]["connections"][0]["peerId"], "kim");
    assert_eq!(events(&kim).await[0][1]["from"], "lee");
    let list = ask_at(port, "GET", "/connections", &[], b"").await;
    let socket_id: Value = serde_json::from_str(&connected[2..]).expect("JSON");
    let row = format!(
        "{{\"socketId\":{},\"peerId\":\"lee\",\"peerType\":\"admin\"}}",
        socket_id["sid"]
    );
    assert!(list.body.contains(&row), "{}", list.body);
    assert_eq!(list.json().as_array().map(Vec::len), Some(2));
    // A name that is taken: told why, then that it is over. The client closes.
    let (copy, _) = connect("kim").await;
    let mut said = copy.poll().await;
    while !said.ends_with("41") {
        said = format!("{said}\u{1e}{}", copy.poll().await);
    }
    let taken = "42[\"uniquenessError\",{\"message\":\"kim is already connected to the signalling server. \
                 Please change your peer ID and try again.\"}]\u{1e}41";
    assert_eq!(said, taken);
    copy.post("1").await;
    copy.check_gone().await;
    // A name of somebody else is not believed.
    let forged = json!(["messageOne", {"from": "boss", "target": "kim", "payload": {"x": 1}}]);
    lee.post(&format!("42{forged}")).await;
    assert_eq!(
        events(&kim).await,
        [json!(["message", {"from": "lee", "target": "kim", "payload": {"x": 1}}])]
    );
    lee.post("1").await;
    let left = events(&kim).await;
    assert_eq!(
        (&left[0][1]["from"], &left[0][1]["payload"]["action"]),
        (&json!("lee"), &json!("close"))
    );
    let list = ask_at(port, "GET", "/connections", &[], b"").await;
    assert_eq!(list.json().as_array().map(Vec::len), Some(1));
    kim.post("1").await;
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn pictures_are_shown_and_fetched() {
    let server = Server::start().await;
    let path = |role: &str| format!("/ertc?role={role}&room=R&nick={role}&id={role}");
    let mut expert = Client::connect(&server, &path("expert"))
        .await
        .expect("open");
    let mut member = Client::connect(&server, &path("member"))
        .await
        .expect("open");
    server.until_metric("madang_peers", 2).await;
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 300_000]].concat();
    member.send_raw(Message::binary(picture.clone())).await;
    let mut names = Vec::new();
    for client in [&mut expert, &mut member] {
        let said: Value = serde_json::from_str(&text(client).await).expect("JSON");
        assert_eq!(said["type"], "FILE2");
        names.push(said["msg"].as_str().expect("a name").to_owned());
    }
    assert_eq!(names[0], names[1]);
    for below in ["", "/rtc", "/expert"] {
        let found = server
            .get(&format!("{below}/resources/upload_images/{}", names[0]))
            .await;
        assert_eq!(
            (found.status, found.header("content-type")),
            (200, Some("image/png"))
        );
        assert_eq!(
            found.header("content-length"),
            Some(picture.len().to_string().as_str())
        );
        assert_eq!(found.header("x-content-type-options"), Some("nosniff"));
        assert!(
            found
                .header("content-security-policy")
                .is_some_and(|policy| policy.contains("sandbox"))
        );
    }
    let other = server.get("/resources/upload_images/other.png").await;
    assert_eq!(other.status, 404);
    member
        .send_raw(Message::binary(b"<svg onload=alert(1)>".to_vec()))
        .await;
    server.until_metric("madang_uploads_refused_total", 1).await;
    expert.cut();
    member.cut();
    server.until_empty_rooms_aside().await;
}

/// What no dialect expects, or all of them.
const NAUGHTY: &[&str] = &[
    "",
    "{",
    "[]",
    "null",
    "0",
    "1e400",
    "\"\"",
    "{}",
    "{\"id\":null}",
    "{\"id\":[]}",
    "{\"id\":{}}",
    "{\"id\":1e400}",
    "{\"id\":\"\"}",
    "{\"id\":\"__proto__\"}",
    "{\"id\":\"constructor\"}",
    "{\"id\":\"presenter\"}",
    "{\"type\":null}",
    "{\"id\":\"presenter\",\"sdpOffer\":null}",
    "{\"id\":\"presenter\",\"sdpOffer\":[]}",
    "{\"id\":\"presenter\",\"sdpOffer\":\"\"}",
    "{\"id\":\"onIceCandidate\",\"candidate\":null}",
    "{\"id\":\"onIceCandidate\",\"candidate\":\"\"}",
    "{\"id\":\"stop\"}",
    "{\"id\":\"stop\"}",
    "{\"type\":\"offer\",\"data\":null}",
    "{\"type\":\"offer\",\"data\":{}}",
    "{\"type\":\"offer\",\"data\":\"\"}",
    "{\"type\":\"candidate2\",\"data\":\"{\"}",
    "{\"type\":\"offer\",\"sdp\":null}",
    "{\"type\":\"candidate\",\"label\":[],\"id\":{}}",
    "{\"type\":1}",
    "{\"jsonrpc\":\"2.0\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":null,\"params\":[]}",
    "\u{0}",
    "\u{feff}{}",
    "{\"id\":\"\u{202e}\"}",
    "{\"id\":\"viewer\",\"id\":\"presenter\"}",
    "{\"id\":\"\\ud800\"}",
    "close",
    "NaN",
];
const PATHS: [&str; 6] = [
    "/live/ws/pub?channel=c",
    "/live/ws/sub?channel=c",
    "/ertc?role=expert&room=R&nick=Kim&id=1",
    "/one2many",
    "/call",
    "/kurento",
];

#[tokio::test]
async fn hostile_words_hurt_nobody_else() {
    let server = Server::start().await;
    let mut witness = Client::connect(&server, "/one2many").await.expect("open");
    let deep = "[".repeat(100_000);
    let huge = format!("{{\"id\":\"{}\"}}", "x".repeat(1024 * 1024));
    for path in PATHS {
        for words in NAUGHTY
            .iter()
            .copied()
            .chain([deep.as_str(), huge.as_str()])
        {
            let mut client = Client::connect(&server, path).await.expect("open");
            send(&mut client, words).await;
            client.send_raw(Message::binary(vec![0xff; 1000])).await;
            client.cut();
        }
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    send(
        &mut witness,
        "{\"id\":\"viewer\",\"sdpOffer\":\"v=0\\r\\n\"}",
    )
    .await;
    assert!(text(&mut witness).await.contains("No active presenter"));
    witness.cut();
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn naughty_names_are_taken_or_refused() {
    let server = Server::start().await;
    for name in [
        "__proto__",
        "constructor",
        "%00",
        "%F0%9F%92%A9",
        "..%2F..%2Fetc%2Fpasswd",
        "%3Cscript%3E",
        "a%0D%0Ab",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(["x".repeat(10_000)])
    {
        for path in [
            "/live/ws/pub?channel=",
            "/live/ws/sub?channel=",
            "/one2many?room=",
            "/kurento?room=",
            "/ertc?role=expert&nick=a&id=1&room=",
            "/ertc?role=expert&room=r&id=1&nick=",
        ] {
            match Client::connect(&server, &format!("{path}{name}")).await {
                Ok(client) => client.cut(),
                Err((status, _)) => assert_eq!(status, 400, "{path}{name}"),
            }
        }
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn without_development_mode_a_token_or_an_open_room_is_needed() {
    let server = Server::with(|config| {
        config.dev = false;
        config.compat.rooms = vec!["open".to_owned()];
        config.compat.signalling.port = Some(0);
        config.compat.signalling.tokens = vec![Secret::new("of the signalling server")];
    })
    .await;
    let port = server.compat("signalling");
    for (given, is_welcome) in [
        (SIGNALLING_TOKEN, false),
        ("of the signalling server", true),
        (token("yard", "kim").as_str(), true),
    ] {
        let client = Polling::open(port, 4).await;
        client
            .post(&format!("40{}", json!({ "token": given })))
            .await;
        let answer = client.poll().await;
        assert_eq!(answer.starts_with("40"), is_welcome, "{given}: {answer}");
        client.post("1").await;
    }
    // A room is asked for by joining it.
    for (room, is_welcome) in [("open", true), ("yard", false)] {
        let client = Polling::open(server.address(), 4).await;
        client.post("40/sfu,").await;
        client.poll().await;
        client
            .post(&format!(
                "42/sfu,{}",
                json!(["joinRoom", {"id": "x", "roomID": room}])
            ))
            .await;
        let expected = u64::from(is_welcome);
        if is_welcome {
            client.poll().await;
        }
        assert_eq!(
            server.metric("madang_directory_members").await,
            expected,
            "{room}"
        );
        client.post_raw(b"1").await;
        server.until_metric("madang_directory_members", 0).await;
    }
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn a_moderator_takes_a_channel_over() {
    let server = Server::with(|config| config.dev = false).await;
    let publish = async |admin: bool, rest: &str| {
        let video = json!({ "roomAdmin": admin });
        let token = signed(&claims(&json!({ "video": video })));
        let path = format!("/live/ws/pub?channel=yard{rest}&access_token={token}");
        Client::connect(&server, &path).await.expect("open")
    };
    let mut first = publish(false, "").await;
    server.until_metric("madang_peers", 1).await;
    for (admin, rest) in [(true, ""), (false, "&takeover=1")] {
        let mut other = publish(admin, rest).await;
        let refusal = r#"{"type":"error","data":"the channel has a publisher already"}"#;
        assert_eq!(text(&mut other).await, refusal);
    }
    let second = publish(true, "&takeover=1").await;
    let told = r#"{"type":"error","data":"somebody else took this place"}"#;
    assert_eq!(text(&mut first).await, told);
    server.until_metric("madang_peers", 1).await;
    second.cut();
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn a_token_says_who_is_expert() {
    for dev in [true, false] {
        let server = Server::with(|config| config.dev = dev).await;
        let attributes = json!({ "role": "member", "nick": "Lee" });
        let token = signed(&claims(&json!({ "attributes": attributes })));
        let open = async |role: &str| {
            let path = format!("/ertc?room=yard&nick=Mallory{role}&access_token={token}");
            Client::connect(&server, &path).await.expect("open")
        };
        let mut forger = open("&role=expert").await;
        let said: Value = serde_json::from_str(&text(&mut forger).await).expect("JSON");
        assert_eq!(said["msg"], "the token is for the other role");
        let mut member = open("").await;
        send(&mut member, r#"{"type":"END"}"#).await;
        let said: Value = serde_json::from_str(&text(&mut member).await).expect("JSON");
        assert_eq!(said["msg"], "only the expert ends the session");
        member.cut();
        server.until_empty_rooms_aside().await;
    }
}

#[tokio::test]
async fn a_token_is_for_its_room() {
    let server = Server::with(|config| {
        config.dev = false;
        config.compat.tokens = vec![Secret::new("a token for every room")];
    })
    .await;
    for (shown, is_welcome) in [
        (token("yard", "kim"), true),
        (token("other", "kim"), false),
        ("a token for every room".to_owned(), true),
        ("forged".to_owned(), false),
    ] {
        let client = Polling::open(server.address(), 4).await;
        client
            .post(&format!("40/sfu,{}", json!({ "token": shown })))
            .await;
        client.poll().await;
        client
            .post(&format!(
                "42/sfu,{}",
                json!(["joinRoom", {"id": "x", "roomID": "yard"}])
            ))
            .await;
        if is_welcome {
            client.poll().await;
        }
        assert_eq!(
            server.metric("madang_directory_members").await,
            u64::from(is_welcome)
        );
        client.post_raw(b"1").await;
        server.until_metric("madang_directory_members", 0).await;
    }
    server.until_empty_rooms_aside().await;
}

/// What a client of Socket.IO in that namespace is told first after it said `words`.
async fn told_in(server: &Server, namespace: &str, auth: &Value, words: &Value) -> String {
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut client = Client::connect(server, path).await.expect("open");
    text(&mut client).await;
    send(&mut client, &format!("40{namespace},{auth}")).await;
    text(&mut client).await;
    send(&mut client, &format!("42{namespace},{words}")).await;
    let told = text(&mut client).await;
    client.cut();
    told
}

#[tokio::test]
async fn a_bound_room_refuses_doors_of_the_other_kind() {
    let server = Server::with(|config| config.rooms.mesh = vec!["c-*".to_owned()]).await;
    let admin = signed(&claims(&json!({ "video": { "roomCreate": true } })));
    let create = async |room: &str, preset: &str| {
        let body = json!({ "name": room, "roomPreset": preset });
        server.call("CreateRoom", &admin, &body).await
    };
    assert_eq!(create("stage", "sfu").await.status, 200);
    let unknown = create("hall", "mcu").await;
    assert_eq!(unknown.json()["code"], "invalid_argument");
    assert!(
        unknown
            .body
            .contains("`mesh`, `sfu`, `relay` and `mesh-relay`"),
        "{}",
        unknown.body
    );
    let mesh = "the members of this room connect to each other, not by way of the server";
    let sfu = "the members of this room are connected by way of the server, not to each other";

    for (room, is_open) in [("c-1", false), ("stage", true), ("yard", true)] {
        let joined = Client::connect(&server, &v1(&token(room, "kim"))).await;
        let refused = joined.err();
        let expected = (!is_open).then(|| (403, mesh.to_owned()));
        assert_eq!(refused, expected, "{room}");
        let words = json!(["joinRoom", { "id": "x", "roomID": room }]);
        let told = told_in(&server, "/sfu", &json!({}), &words).await;
        assert_eq!(told.contains(mesh), !is_open, "{told}");
        let path = format!("/live/ws/pub?channel={room}");
        let mut robot = Client::connect(&server, &path).await.expect("open");
        if !is_open {
            assert!(text(&mut robot).await.contains(mesh), "{room}");
        }
        robot.cut();
    }
    for (room, is_open) in [("c-1", true), ("stage", false), ("yard", true)] {
        let auth = json!({ "token": SIGNALLING_TOKEN, "room": room });
        let told = told_in(&server, "/signal", &auth, &json!(["ready", "kim"])).await;
        let refusal = "The peers of this room are connected by way of the server";
        assert_eq!(told.contains(refusal), !is_open, "{told}");
        let path = format!("/ertc?room={room}&role=member");
        let mut member = Client::connect(&server, &path).await.expect("open");
        if !is_open {
            assert!(text(&mut member).await.contains(sfu), "{room}");
        }
        member.cut();
    }
    assert_eq!(server.metric("madang_directory_rooms_mesh").await, 1);
    assert_eq!(server.metric("madang_directory_rooms_sfu").await, 1);
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn doors_with_tls() {
    let server = with_compat().await;
    for (program, path) in [("spider", "/live/ws/pub?channel=c"), ("kurento", "/call")] {
        let mut stream = connect(server.compat(program)).await;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 101", "{program}");
    }
    // Who does not speak TLS is let go.
    let mut plain = TcpStream::connect(server.compat("spider"))
        .await
        .expect("listening");
    plain
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("sent");
    let mut rest = Vec::new();
    timeout(PATIENCE, plain.read_to_end(&mut rest))
        .await
        .expect("closed")
        .ok();
    assert!(!rest.starts_with(b"HTTP"));
    server.until_empty_rooms_aside().await;
}
