//! A server in this process on any free ports, and plain clients for it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use livekit_protocol as proto;
use madang_server::{App, Config, DEV_KEY, DEV_SECRET};
use prost::Message as _;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Said;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite};

/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) app: App,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::for_tests();
        change(&mut config);
        let app = App::start(config).await.expect("free ports");
        Self { app }
    }

    /// Of a port for older programs.
    pub(crate) fn compat(&self, program: &str) -> SocketAddr {
        let mut ports = self.app.compat_addresses().iter();
        let (_, addresses) = ports.find(|(name, _)| *name == program).expect("open");
        *addresses.first().expect("one")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.app.addresses().first().expect("one");
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"").await
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        ask_at(self.address(), method, path, headers, body).await
    }

    /// A call of the administrators' API as JSON.
    pub(crate) async fn call(&self, method: &str, token: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let path = format!("/twirp/livekit.RoomService/{method}");
        self.ask("POST", &path, &headers, body.to_string().as_bytes())
            .await
    }

    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics").await;
        let lines = page.body.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines
            .map(|line| {
                line.rsplit(' ')
                    .next()
                    .expect("a value")
                    .parse::<u64>()
                    .expect("a number")
            })
            .sum()
    }

    /// Waits until it is so.
    pub(crate) async fn until_metric(&self, name: &str, expected: u64) {
        let reached = async {
            while self.metric(name).await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(PATIENCE, reached).await.is_err() {
            panic!("{name} is {}, not {expected}", self.metric(name).await);
        }
    }

    /// Nothing is left of anybody, and no room.
    pub(crate) async fn until_empty(&self) {
        self.until_empty_rooms_aside().await;
        assert_eq!(self.metric("madang_directory_rooms").await, 0);
    }

    /// Nothing is left of anybody. Rooms are kept for a while.
    pub(crate) async fn until_empty_rooms_aside(&self) {
        for name in [
            "madang_sessions",
            "madang_carriers",
            "madang_directory_seats",
            "madang_tasks",
            "madang_peers",
            "madang_connections",
            "madang_tracks",
            "madang_subscriptions",
            "madang_rooms",
        ] {
            self.until_metric(name, 0).await;
        }
        // The one that asks.
        self.until_metric("madang_sockets", 1).await;
    }

    pub(crate) async fn join(&self, room: &str, identity: &str) -> Client {
        let client = Client::connect(self, &v0(&token(room, identity))).await;
        client.expect("let in")
    }
}

/// One request over a connection of its own.
pub(crate) async fn ask_at(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head.push_str(&format!("Host: {}\r\n", address));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(address).await.expect("listening");
    stream.write_all(head.as_bytes()).await.expect("sent");
    // A server that has refused already does not read on.
    stream.write_all(body).await.ok();
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("an answer in time")
        .ok();
    Answer::parse(&bytes)
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.and_then(|status| status.parse().ok()).unwrap_or(0),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

pub(crate) fn now_s() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

/// The claims of a good token; what `change` says comes over it, null removes.
pub(crate) fn claims(change: &Value) -> Value {
    let mut claims = json!({
        "iss": DEV_KEY, "sub": "kim", "exp": now_s() + 600,
        "video": { "roomJoin": true, "room": "yard" },
    });
    merge(&mut claims, change);
    claims
}

fn merge(into: &mut Value, change: &Value) {
    let (Some(into), Some(change)) = (into.as_object_mut(), change.as_object()) else {
        return;
    };
    for (key, value) in change {
        if value.is_null() {
            into.remove(key);
        } else if value.is_object() {
            merge(into.entry(key).or_insert_with(|| json!({})), value);
        } else {
            into.insert(key.clone(), value.clone());
        }
    }
}

pub(crate) fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(DEV_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("signed")
}

pub(crate) fn token(room: &str, identity: &str) -> String {
    signed(&claims(
        &json!({ "sub": identity, "video": { "room": room } }),
    ))
}

pub(crate) fn v0(token: &str) -> String {
    format!("/rtc?access_token={token}&protocol=17&auto_subscribe=1&sdk=js&version=2.23.0")
}

/// The one-connection path, without an offer.
pub(crate) fn v1(token: &str) -> String {
    use base64::Engine as _;
    let request = proto::JoinRequest {
        client_info: Some(proto::ClientInfo {
            protocol: 17,
            ..proto::ClientInfo::default()
        }),
        ..proto::JoinRequest::default()
    };
    let wrapped = proto::WrappedJoinRequest {
        join_request: request.encode_to_vec(),
        ..proto::WrappedJoinRequest::default()
    };
    let text = base64::engine::general_purpose::URL_SAFE.encode(wrapped.encode_to_vec());
    format!("/rtc/v1?access_token={token}&join_request={text}")
}

/// A client that speaks the protocol and has no media.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    /// Err: the HTTP status and its text.
    pub(crate) async fn connect(server: &Server, path: &str) -> Result<Self, (u16, String)> {
        Self::connect_to(server.address(), path).await
    }

    pub(crate) async fn connect_to(server: SocketAddr, path: &str) -> Result<Self, (u16, String)> {
        let address = format!("ws://{server}{path}");
        let request = address.into_client_request().expect("an address");
        let limits = WebSocketConfig::default();
        let connected = tokio_tungstenite::connect_async_with_config(request, Some(limits), true);
        match timeout(PATIENCE, connected)
            .await
            .expect("an answer in time")
        {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                let text = String::from_utf8_lossy(&body).into_owned();
                Err((response.status().as_u16(), text))
            }
            Err(other) => panic!("no answer: {other}"),
        }
    }

    pub(crate) async fn send(&mut self, ask: Ask) {
        let request = proto::SignalRequest { message: Some(ask) };
        self.send_raw(Message::Binary(request.encode_to_vec().into()))
            .await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        // A server that has closed already does not read on.
        timeout(PATIENCE, self.socket.send(message))
            .await
            .expect("taken in time")
            .ok();
    }

    /// The next thing said; Err: the socket is closed, with that code.
    pub(crate) async fn next(&mut self) -> Result<Said, Option<u16>> {
        loop {
            match self.message().await {
                Some(Message::Binary(bytes)) => {
                    let response = proto::SignalResponse::decode(bytes).expect("protobuf");
                    return Ok(response.message.expect("known"));
                }
                Some(Message::Close(frame)) => {
                    return Err(frame.map(|CloseFrame { code, .. }| code.into()));
                }
                None => return Err(None),
                Some(_) => {}
            }
        }
    }

    pub(crate) async fn message(&mut self) -> Option<Message> {
        let message = timeout(PATIENCE, self.socket.next()).await;
        message.expect("something in time")?.ok()
    }

    /// Skips what comes before.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(Said) -> Option<T>) -> T {
        loop {
            let said = self.next().await.expect("still open");
            if let Some(found) = wanted(said) {
                return found;
            }
        }
    }

    pub(crate) async fn joined(&mut self) -> proto::JoinResponse {
        let first = self.next().await.expect("open");
        let Said::Join(join) = first else {
            panic!("before the join: {first:?}");
        };
        join
    }

    /// Skips to the goodbye; then the socket is closed as it should be.
    pub(crate) async fn left(&mut self) -> proto::LeaveRequest {
        let leave = self
            .until(|said| {
                if let Said::Leave(leave) = said {
                    Some(leave)
                } else {
                    None
                }
            })
            .await;
        loop {
            match self.next().await {
                Ok(_) => {}
                Err(code) => {
                    assert_eq!(code, Some(1000), "after a goodbye");
                    return leave;
                }
            }
        }
    }

    /// As if the cable were cut.
    pub(crate) fn cut(self) {
        drop(self);
    }
}
