//! HTTPS on the ports of the server: who may come without it, what else may come, and certificates that change.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use madang_server::{App, CertificateSource, Config, Tls};
use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::secure::{certificate, connect, get, try_connect};
use crate::support::{PATIENCE, Server, ask_at, token, v0};

/// A folder of its own for each test, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("the system has randomness");
        let name = format!("madang-it-tls-{:016x}", u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a temporary folder");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// As a program that renews certificates does it: each file in one step, the two one after the other.
    fn put(&self, made: &CertifiedKey<KeyPair>) {
        for (name, text) in [
            ("cert.pem", made.cert.pem()),
            ("key.pem", made.signing_key.serialize_pem()),
        ] {
            std::fs::write(self.path("draft"), text).expect("a file");
            std::fs::rename(self.path("draft"), self.path(name)).expect("a file");
        }
    }

    fn source(&self) -> CertificateSource {
        CertificateSource::Files {
            certificate: self.path("cert.pem"),
            private_key: self.path("key.pem"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("made by this test");
    }
}

fn make() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

fn der(made: &CertifiedKey<KeyPair>) -> CertificateDer<'static> {
    made.cert.der().clone()
}

/// With a certificate that is made here, and kept in the folder.
pub(crate) async fn self_signed(folder: &Folder, change: impl FnOnce(&mut Tls)) -> Server {
    Server::with(|config| {
        config.tls.source = CertificateSource::SelfSigned;
        config.tls.cache = Some(folder.0.clone());
        change(&mut config.tls);
    })
    .await
}

fn local(addresses: &[SocketAddr]) -> SocketAddr {
    *addresses.first().expect("listening")
}

#[tokio::test]
async fn https_and_local_http_on_one_port() {
    let folder = Folder::new();
    let server = self_signed(&folder, |tls| {
        tls.https_port = Some(0);
        tls.http_port = Some(0);
    })
    .await;
    let https = local(server.app.https_addresses());
    assert!(server.app.url().starts_with("https://localhost:"));
    for port in [server.address(), https] {
        let answer = get(port, "/healthz").await.expect("HTTPS");
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "{port}");
        // This machine's own programs need no TLS.
        let answer = ask_at(port, "GET", "/healthz", &[], b"").await;
        assert_eq!(answer.status, 200, "{port}");
    }
    let http = local(server.app.http_addresses());
    for (host, path, expected) in [
        ("meet.example.org", "/r/a?b=c", "https://meet.example.org"),
        ("meet.example.org:80", "/", "https://meet.example.org"),
        ("192.0.2.1:8080", "/", "https://192.0.2.1"),
        ("[2001:db8::1]:80", "/", "https://[2001:db8::1]"),
    ] {
        let answer = ask_at(http, "GET", path, &[("Host", host)], b"").await;
        let expected = format!("{expected}:{}{path}", https.port());
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, Some(&*expected))
        );
    }
    for host in ["", "a b", "http://x/"] {
        let answer = ask_at(http, "GET", "/", &[("Host", host)], b"").await;
        assert_eq!(answer.status, 400, "{host:?}");
    }
    // Nothing else is served there.
    assert_eq!(ask_at(http, "GET", "/metrics", &[], b"").await.status, 307);
    assert_eq!(server.metric("madang_tls_handshakes_failed_total").await, 0);
}

#[tokio::test]
async fn ports_of_older_programs_show_the_same_certificate() {
    let folder = Folder::new();
    let made = make();
    folder.put(&made);
    let source = folder.source();
    let server = Server::with(|config| {
        config.tls.source = source;
        config.compat.spider.port = Some(0);
        config.compat.kurento.port = Some(0);
    })
    .await;
    for at in [
        server.address(),
        server.compat("spider"),
        server.compat("kurento"),
    ] {
        assert_eq!(certificate(at).await, der(&made), "{at}");
    }
    // Those programs speak TLS, on this machine too.
    let answer = ask_at(server.compat("spider"), "GET", "/live/ws/pub", &[], b"").await;
    assert_eq!(answer.status, 0);
    assert_eq!(server.metric("madang_refused_protocols_total").await, 1);
}

/// Machines of the network are sent on, this one's other addresses included.
#[tokio::test]
async fn http_from_elsewhere_is_sent_on() {
    let interfaces = if_addrs::get_if_addrs().expect("interfaces");
    let own = interfaces
        .iter()
        .map(if_addrs::Interface::ip)
        .find(|ip| ip.is_ipv4() && !ip.is_loopback());
    let Some(own) = own else {
        // Without a network nobody is elsewhere.
        return;
    };
    let folder = Folder::new();
    let server = Server::with(|config| {
        config.tls.source = CertificateSource::SelfSigned;
        config.tls.cache = Some(folder.0.clone());
        config.bind.addresses = vec![own];
    })
    .await;
    let at = local(server.app.addresses());
    let answer = ask_at(at, "GET", "/api/config", &[], b"").await;
    let expected = format!("https://{at}/api/config");
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, Some(&*expected))
    );
    assert_eq!(get(at, "/api/config").await.expect("HTTPS").status, 200);
    assert_eq!(server.app.url(), format!("https://{at}"));
    server.app.stop().await;
}

#[tokio::test]
async fn what_is_no_http_is_closed_and_counted() {
    let folder = Folder::new();
    let server = self_signed(&folder, |_| {}).await;
    let closed = async |stream: &mut (dyn tokio::io::AsyncRead + Unpin + Send)| {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        // An orderly end or a reset: both are an end.
        end.expect("closed").ok();
        assert_eq!(rest, b"");
    };
    // Neither STUN nor text, a TLS record inside TLS, and no text.
    let openings: [&[u8]; 3] = [&[4, 1, 0, 0], &[0x16, 3, 1, 0], &[0xff; 4]];
    for (index, opening) in openings.iter().enumerate() {
        let mut stream = connect(server.address()).await;
        stream.write_all(opening).await.expect("sent");
        closed(&mut stream).await;
        let so_far = u64::try_from(index).expect("small") + 1;
        server
            .until_metric("madang_refused_protocols_total", so_far)
            .await;
    }
    // STUN without TLS, and something that only begins like TLS.
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("listening");
    stream.write_all(&[0, 1, 0, 0]).await.expect("sent");
    closed(&mut stream).await;
    server
        .until_metric("madang_refused_protocols_total", 4)
        .await;
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("listening");
    stream.write_all(&[0x16; 64]).await.expect("sent");
    // It is told why.
    let mut alert = Vec::new();
    stream.read_to_end(&mut alert).await.ok();
    assert!(alert.is_empty() || alert.starts_with(&[0x15]), "{alert:?}");
    server
        .until_metric("madang_tls_handshakes_failed_total", 1)
        .await;
    // Gone without a word.
    drop(connect(server.address()).await);
    server.until_metric("madang_sockets", 1).await;
    assert_eq!(server.metric("madang_refused_protocols_total").await, 4);
    assert_eq!(server.metric("madang_tls_handshakes").await, 0);
    // TLS where there is none.
    let plain = Server::start().await;
    assert!(try_connect(plain.address()).await.is_err());
    plain
        .until_metric("madang_refused_protocols_total", 1)
        .await;
}

/// The beginning of a ClientHello, and the whole of one.
async fn hello() -> Vec<u8> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let client = tokio::spawn(async move { try_connect(address).await.is_err() });
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut record = vec![0; 5];
    stream.read_exact(&mut record).await.expect("a record");
    let bytes = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + bytes, 0);
    stream.read_exact(&mut record[5..]).await.expect("a record");
    drop(stream);
    assert!(client.await.expect("no panic"), "nobody answered");
    record
}

#[tokio::test]
async fn handshakes_that_do_not_end_stop_nobody_else() {
    let folder = Folder::new();
    let server = self_signed(&folder, |tls| tls.handshakes_max = 16).await;
    let hello = hello().await;
    // Many that say nothing, or half a word, hold no place.
    let mut held = Vec::new();
    for index in 0..40 {
        let mut stream = TcpStream::connect(server.address())
            .await
            .expect("listening");
        let part = if index % 2 == 0 { 0 } else { hello.len() / 2 };
        stream.write_all(&hello[..part]).await.expect("sent");
        held.push(stream);
    }
    server.until_metric("madang_tls_handshakes", 20).await;
    assert_eq!(
        get(server.address(), "/healthz")
            .await
            .expect("HTTPS")
            .status,
        200
    );
    // Those that are answered and do not go on hold one, and an address has two of them.
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address())
            .await
            .expect("listening");
        stream.write_all(&hello).await.expect("sent");
        let mut first = [0; 1];
        stream.read_exact(&mut first).await.expect("answered");
        held.push(stream);
    }
    assert!(try_connect(server.address()).await.is_err(), "too many");
    assert_eq!(
        server.metric("madang_tls_handshakes_refused_total").await,
        1
    );
    // Others come in.
    let other = TcpSocket::new_v4().expect("a socket");
    other
        .bind((IpAddr::from([127, 0, 0, 2]), 0).into())
        .expect("this machine's");
    let mut other = other.connect(server.address()).await.expect("listening");
    other.write_all(&hello).await.expect("sent");
    let mut first = [0; 1];
    other.read_exact(&mut first).await.expect("answered");
    assert_eq!(first, [0x16]);
    // All are let go.
    let held = held.iter_mut().chain([&mut other]);
    for stream in held {
        stream.read_to_end(&mut Vec::new()).await.ok();
    }
    server.until_metric("madang_tls_handshakes", 0).await;
    assert_eq!(server.metric("madang_tls_handshakes_slow_total").await, 23);
    assert_eq!(
        get(server.address(), "/healthz")
            .await
            .expect("HTTPS")
            .status,
        200
    );
}

#[tokio::test]
async fn files_are_swapped_under_load() {
    let folder = Folder::new();
    let (first, second) = (make(), make());
    folder.put(&first);
    let source = folder.source();
    let server = Server::with(|config| config.tls.source = source).await;
    let at = server.address();
    assert_eq!(certificate(at).await, der(&first));

    // A member is in a room meanwhile.
    let stream = connect(at).await;
    let address = format!("ws://{at}{}", v0(&token("yard", "kim")));
    let (mut member, _) = tokio_tungstenite::client_async(address, stream)
        .await
        .expect("let in");
    let is_over = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicU64::new(0));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (is_over, served) = (Arc::clone(&is_over), Arc::clone(&served));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = get(at, "/healthz").await.expect("no request fails");
                    assert_eq!(answer.status, 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    folder.put(&second);
    until_shown(at, &der(&second)).await;
    // What cannot be used is not shown: no certificate, half of one, a key of another.
    for (round, text) in ["", &second.cert.pem()[..200], &first.cert.pem()]
        .iter()
        .enumerate()
    {
        std::fs::write(folder.path("cert.pem"), text).expect("a file");
        let failed = u64::try_from(round).expect("small") + 1;
        until_metric(at, "madang_certificates_failed_total", failed).await;
        assert_eq!(certificate(at).await, der(&second));
    }
    std::fs::remove_file(folder.path("key.pem")).expect("there");
    until_metric(at, "madang_certificates_failed_total", 4).await;
    assert_eq!(certificate(at).await, der(&second));
    folder.put(&first);
    until_shown(at, &der(&first)).await;
    assert_eq!(metric(at, "madang_certificates_renewed_total").await, 2);

    is_over.store(true, Ordering::Relaxed);
    for task in load {
        task.await.expect("no request failed");
    }
    assert!(served.load(Ordering::Relaxed) > 20);
    // The member is still there.
    member.send(Message::Ping("x".into())).await.expect("open");
    let answered = async {
        while let Some(message) = member.next().await {
            if matches!(message.expect("open"), Message::Pong(_)) {
                return true;
            }
        }
        false
    };
    assert!(timeout(PATIENCE, answered).await.expect("in time"));
}

async fn until_shown(at: SocketAddr, expected: &CertificateDer<'static>) {
    let shown = async {
        while certificate(at).await != *expected {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, shown)
        .await
        .expect("the new one is shown");
}

async fn metric(at: SocketAddr, name: &str) -> u64 {
    let page = get(at, "/metrics").await.expect("HTTPS").body;
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("there").parse().expect("a number")
}

async fn until_metric(at: SocketAddr, name: &str, expected: u64) {
    let reached = async {
        while metric(at, name).await != expected {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("counted");
}

#[tokio::test]
async fn without_a_certificate_it_does_not_start() {
    let folder = Folder::new();
    let mut config = Config::for_tests();
    config.tls.source = folder.source();
    let error = App::start(config).await.expect_err("no files").to_string();
    assert!(error.contains("cert.pem"), "{error}");
    let made = make();
    folder.put(&make());
    std::fs::write(folder.path("key.pem"), made.signing_key.serialize_pem()).expect("a file");
    let mut config = Config::for_tests();
    config.tls.source = folder.source();
    let error = App::start(config).await.expect_err("no pair").to_string();
    assert!(error.contains("do not belong together"), "{error}");
}
