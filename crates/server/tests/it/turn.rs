//! Who is told how to have something relayed, and by which way.

use std::net::SocketAddr;

use livekit_protocol::signal_response::Message as Said;
use madang_server::{Config, TurnUdp};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::secure::connect;
use crate::support::{Answer, Client, PATIENCE, Server, claims, now_s, signed, token, v0, v1};
use crate::tls::{Folder, self_signed};

async fn ask(server: &Server, token: &str) -> Answer {
    server.get(&format!("/turn?access_token={token}")).await
}

fn tcp(server: &Server) -> SocketAddr {
    *server.app.turn_addresses().first().expect("listening")
}

/// A Binding request, and the beginning of its answer.
const BINDING: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42someidentity";
const ANSWER_BYTES: usize = 32;
const ANSWER: [u8; 20] = *b"\x01\x01\x00\x0c\x21\x12\xa4\x42someidentity";

/// Three requests in pieces of that size, and their answers.
async fn bindings<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, piece_bytes: usize) {
    let all = BINDING.repeat(3);
    for piece in all.chunks(piece_bytes) {
        stream.write_all(piece).await.expect("taken");
        stream.flush().await.expect("taken");
    }
    let mut answers = [0; 3 * ANSWER_BYTES];
    let read = stream.read_exact(&mut answers);
    timeout(PATIENCE, read)
        .await
        .expect("in time")
        .expect("all");
    for answer in answers.chunks(ANSWER_BYTES) {
        assert_eq!(answer.first_chunk(), Some(&ANSWER));
    }
}

/// Nothing more comes.
async fn until_closed<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut rest = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    // An orderly end or a reset: both are an end.
    end.expect("closed").ok();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn streams_are_read_however_they_are_cut() {
    let folder = Folder::new();
    let server = self_signed(&folder, |tls| tls.https_port = Some(0)).await;
    let https = *server.app.https_addresses().first().expect("listening");
    for piece_bytes in [1, 7, 20, 60] {
        let mut plain = TcpStream::connect(tcp(&server)).await.expect("listening");
        plain.set_nodelay(true).expect("open");
        bindings(&mut plain, piece_bytes).await;
        server.until_metric("madang_tcp_relay_streams", 1).await;
        for port in [server.address(), https] {
            bindings(&mut connect(port).await, piece_bytes).await;
        }
        // Half of it closed: nobody is there any more.
        plain.shutdown().await.expect("open");
        until_closed(&mut plain).await;
    }
    for name in [
        "madang_tcp_relay_streams",
        "madang_tls_relay_streams",
        "madang_path_streams",
    ] {
        server.until_metric(name, 0).await;
    }
    assert_eq!(server.metric("madang_turn_bindings_total").await, 36);
    let sent = server.metric("madang_path_stream_sent_bytes_total").await;
    assert_eq!(sent, 36 * 32);
    assert_eq!(server.metric("madang_relay_streams_broken_total").await, 0);
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_stream_that_is_no_stream_of_messages_is_closed_and_counted() {
    let server = Server::start().await;
    let mut long = BINDING.repeat(120);
    long[2..4].copy_from_slice(&2_400_u16.to_be_bytes());
    // After a message something that is none; a message longer than a stranger's may be; one that is not padded.
    let broken: [&[u8]; 3] = [
        &[&BINDING[..], b"\x16\x03"].concat(),
        &long,
        &[0, 1, 0, 3, 0x21, 0x12, 0xa4, 0x42],
    ];
    for (index, bytes) in broken.iter().enumerate() {
        let mut stream = TcpStream::connect(tcp(&server)).await.expect("listening");
        stream.write_all(bytes).await.expect("sent");
        until_closed(&mut stream).await;
        let so_far = u64::try_from(index).expect("few") + 1;
        server
            .until_metric("madang_relay_streams_broken_total", so_far)
            .await;
    }
    // Not for this port at all.
    for opening in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01", b"\x40\x00"] {
        let mut stream = TcpStream::connect(tcp(&server)).await.expect("listening");
        stream.write_all(opening).await.expect("sent");
        until_closed(&mut stream).await;
    }
    server
        .until_metric("madang_refused_protocols_total", 3)
        .await;
    // And STUN is not for the app's.
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("listening");
    stream.write_all(&BINDING).await.expect("sent");
    until_closed(&mut stream).await;
    server.until_metric("madang_sockets", 1).await;
    server.app.stop().await;
}

#[tokio::test]
async fn streams_of_one_address_are_limited() {
    let server = Server::with(|config| config.limits.connections_per_ip_max = Some(2)).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(tcp(&server)).await.expect("listening");
        bindings(&mut stream, 60).await;
        kept.push(stream);
    }
    let mut third = TcpStream::connect(tcp(&server)).await.expect("listening");
    until_closed(&mut third).await;
    drop(kept);
    server.until_metric("madang_tcp_relay_streams", 0).await;
    assert_eq!(
        server
            .metric("madang_refused_connections_of_ip_total")
            .await,
        1
    );
}

fn off(config: &mut Config) {
    config.turn.enabled = false;
}

#[tokio::test]
async fn members_are_told_when_they_join_and_when_they_come_back() {
    let server = Server::start().await;
    for (path, comes_back) in [(v0 as fn(&str) -> String, true), (v1, false)] {
        let mut kim = Client::connect(&server, &path(&token("yard", "kim")))
            .await
            .expect("let in");
        let joined = kim.joined().await;
        let sid = joined.participant.expect("its own").sid;
        let [told] = &joined.ice_servers[..] else {
            panic!("{:?}", joined.ice_servers);
        };
        // Not the one by UDP at the port of media: it would take the place of the straight way.
        let port = tcp(&server).port();
        assert_eq!(told.urls, [format!("turn:127.0.0.1:{port}?transport=tcp")]);
        let (expires, whose) = told.username.split_once(':').expect("two parts");
        assert_eq!(whose, sid);
        let ttl = expires.parse::<u64>().expect("a time") - now_s();
        assert!((3_590..=3_601).contains(&ttl), "{ttl}");
        kim.cut();
        server.until_metric("madang_carriers", 0).await;
        let back = format!("{}&reconnect=1&sid={sid}", v0(&token("yard", "kim")));
        if comes_back {
            let mut kim = Client::connect(&server, &back).await.expect("let in");
            let Ok(Said::Reconnect(told)) = kim.next().await else {
                panic!("nothing comes before it");
            };
            assert_eq!(told.ice_servers.len(), 1);
            assert!(told.ice_servers[0].username.ends_with(&sid));
        }
    }
}

#[tokio::test]
async fn a_member_may_ask_by_the_token_it_joined_with() {
    let server = Server::start().await;
    let kim = token("yard", "kim");
    assert_eq!(ask(&server, &kim).await.status, 404);
    let mut member = server.join("yard", "kim").await;
    let sid = member.joined().await.participant.expect("its own").sid;
    let answer = ask(&server, &kim).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let told = answer.json();
    assert_eq!(told["ttl_s"], json!(3_600));
    let (udp, tcp) = (server.app.udp_port(), tcp(&server).port());
    assert_eq!(told["media_udp_port"], json!(udp));
    let urls = json!([
        format!("stun:127.0.0.1:{udp}"),
        format!("turn:127.0.0.1:{udp}?transport=udp"),
        format!("turn:127.0.0.1:{tcp}?transport=tcp"),
    ]);
    assert_eq!(told["iceServers"][0]["urls"], urls);
    let server_of = |told: &Value, key: &str| told["iceServers"][0][key].clone();
    let name = server_of(&told, "username");
    assert!(name.as_str().expect("text").ends_with(&sid));
    assert_eq!(
        server_of(&told, "credential").as_str().map(str::len),
        Some(28)
    );
    for (token, status) in [
        (token("yard", "lee"), 404),
        (token("other", "kim"), 404),
        (
            signed(&claims(&json!({ "video": { "roomJoin": false } }))),
            401,
        ),
        (signed(&claims(&json!({ "video": null }))), 401),
        (signed(&claims(&json!({ "exp": 1 }))), 401),
        (String::new(), 401),
    ] {
        assert_eq!(ask(&server, &token).await.status, status);
    }
    let path = format!("/turn?access_token={kim}");
    assert_eq!(server.ask("POST", &path, &[], b"").await.status, 405);
}

#[tokio::test]
async fn a_port_of_its_own_is_told_to_everybody() {
    let server = Server::with(|config| config.turn.udp = TurnUdp::At(0)).await;
    let own = server.app.turn_udp_port().expect("its own");
    let tcp = tcp(&server).port();
    let urls = [
        format!("stun:127.0.0.1:{own}"),
        format!("turn:127.0.0.1:{own}?transport=udp"),
        format!("turn:127.0.0.1:{tcp}?transport=tcp"),
    ];
    let mut member = server.join("yard", "kim").await;
    assert_eq!(member.joined().await.ice_servers[0].urls, urls);
    let told = ask(&server, &token("yard", "kim")).await.json();
    assert_eq!(told["iceServers"][0]["urls"], json!(urls));
}

#[tokio::test]
async fn nobody_is_told_where_nothing_is_relayed() {
    let server = Server::with(|config| {
        off(config);
        config.ice_tcp = false;
    })
    .await;
    assert!(server.app.turn_addresses().is_empty(), "nor listened to");
    let mut member = server.join("yard", "kim").await;
    assert_eq!(member.joined().await.ice_servers, []);
    let answer = ask(&server, &token("yard", "kim")).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (404, "nothing is relayed here")
    );
}

/// A check of a connection, as far as whose it is can be read, after its length (RFC 4571).
fn check(ufrag: &str) -> Vec<u8> {
    let user = format!("{ufrag}:them");
    let padded = user.len().next_multiple_of(4);
    let be16 = |length: usize| u16::try_from(length).expect("short").to_be_bytes();
    let mut all = be16(24 + padded).to_vec();
    all.extend([0, 1]);
    all.extend(be16(4 + padded));
    all.extend(b"\x21\x12\xa4\x42someidentity\x00\x06");
    all.extend(be16(user.len()));
    all.extend(user.as_bytes());
    all.resize(26 + padded, 0);
    all
}

#[tokio::test]
async fn media_over_tcp_is_for_connections_of_ours_and_for_nobody_else() {
    let server = Server::with(off).await;
    let address = tcp(&server);
    // Nobody's form of a name, a shard that there is not, and rubbish after the length.
    let foreign = [check("stranger"), check("07000000010123456789ab")];
    for (index, opening) in foreign.iter().enumerate() {
        let mut stream = TcpStream::connect(address).await.expect("listening");
        stream.write_all(opening).await.expect("sent");
        until_closed(&mut stream).await;
        let so_far = u64::try_from(index).expect("few") + 1;
        server
            .until_metric("madang_ice_streams_foreign_total", so_far)
            .await;
    }
    let mut stream = TcpStream::connect(address).await.expect("listening");
    stream.write_all(&[0; 40]).await.expect("sent");
    until_closed(&mut stream).await;
    server
        .until_metric("madang_refused_protocols_total", 1)
        .await;
    // One that may be ours stays, in pieces, too; what it says proves nothing, so it has no long frames.
    let mut stream = TcpStream::connect(address).await.expect("listening");
    for byte in check("00000000000123456789ab") {
        stream.write_all(&[byte]).await.expect("sent");
    }
    server.until_metric("madang_ice_streams", 1).await;
    server
        .until_metric("madang_datagrams_refused_total", 1)
        .await;
    stream.write_all(&[0xff; 2_100]).await.expect("sent");
    until_closed(&mut stream).await;
    server
        .until_metric("madang_ice_streams_broken_total", 1)
        .await;
    server.until_metric("madang_path_streams", 0).await;
    // The relay is off.
    let mut stream = TcpStream::connect(address).await.expect("listening");
    stream.write_all(&BINDING).await.expect("sent");
    until_closed(&mut stream).await;
    server.app.stop().await;
}
