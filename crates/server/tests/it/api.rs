//! Everything on the TCP port that is no room: the app's questions, health, metrics, files, limits.

use std::time::{Duration, Instant};

use madang_server::Secret;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, claims, signed};

const TOKEN_WISH: &[u8] = br#"{"room":"yard","name":"Kim","identity":"kim-1"}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn health_and_metrics() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/readyz").await.body, "ready");
    let metrics = server.get("/metrics").await;
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    for line in metrics.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.split_once(' ').expect("name and value");
        assert!(
            name.starts_with("madang_") && value.parse::<u64>().is_ok(),
            "{line}"
        );
    }
    assert_eq!(server.metric("madang_rooms").await, 0);
}

#[tokio::test]
async fn development_mode_hands_out_tokens() {
    let server = Server::start().await;
    assert_eq!(server.get("/api/config").await.json()["dev"], json!(true));
    let answer = server.ask("POST", "/api/token", &[JSON], TOKEN_WISH).await;
    assert_eq!(answer.status, 200);
    let seat = answer.json();
    assert_eq!(
        (&seat["identity"], &seat["room"]),
        (&json!("kim-1"), &json!("yard"))
    );
    let token = seat["token"].as_str().expect("a token");
    let valid = server
        .get(&format!("/rtc/validate?access_token={token}"))
        .await;
    assert_eq!((valid.status, valid.body.as_str()), (200, "success"));
}

#[tokio::test]
async fn a_server_with_keys_hands_out_none() {
    let server = Server::with(|config| {
        config.dev = false;
        config.keys = [(
            "k".to_owned(),
            Secret::new("a secret of at least 32 characters"),
        )]
        .into();
    })
    .await;
    assert_eq!(server.get("/api/config").await.json()["dev"], json!(false));
    let answer = server.ask("POST", "/api/token", &[JSON], TOKEN_WISH).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["error"]["code"], "tokens_closed");
    let well_known = signed(&claims(&json!({})));
    let validate = server
        .get(&format!("/rtc/validate?access_token={well_known}"))
        .await;
    assert_eq!(
        validate.status, 401,
        "the development key is not valid here"
    );
}

#[tokio::test]
async fn pages_of_others_get_no_token() {
    let server = Server::start().await;
    let port = server.address().port();
    let local = format!("http://localhost:{port}");
    let own = format!("http://{}", server.address());
    for (headers, status) in [
        (vec![("Origin", own.as_str())], 200),
        (vec![("Origin", local.as_str())], 200),
        (vec![("Origin", "http://localhost:5173")], 200),
        (vec![("Origin", "null")], 403),
        (vec![("Origin", "https://evil.example")], 403),
        (vec![("Origin", "http://127.0.0.1.evil.example")], 403),
        (vec![("Origin", "http://localhost.evil.example")], 403),
        (vec![("Origin", "http://evil.example/localhost")], 403),
        (vec![("Origin", "http://localhost@evil.example")], 403),
        (vec![("Origin", "localhost")], 403),
        (vec![("Origin", "")], 403),
        (vec![("Host", "evil.example")], 403),
        (vec![("Host", "localhost.evil.example:7880")], 403),
        (vec![("Host", "[::1]:7880")], 200),
    ] {
        let mut all = headers.clone();
        all.push(JSON);
        let answer = server.ask("POST", "/api/token", &all, TOKEN_WISH).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn wishes_that_make_no_sense() {
    let server = Server::start().await;
    let long = format!(r#"{{"room":"r","identity":"{}"}}"#, "x".repeat(257));
    let large = format!(
        r#"{{"room":"r","identity":"i","name":"{}"}}"#,
        "x".repeat(20_000)
    );
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("null", 400),
        ("[]", 400),
        (r#"{"room":"r"}"#, 400),
        (r#"{"room":"","identity":"i"}"#, 400),
        (r#"{"room":" ","identity":"i"}"#, 400),
        (r#"{"room":"r","identity":null}"#, 400),
        (r#"{"room":{},"identity":1e400}"#, 400),
        (long.as_str(), 400),
        (large.as_str(), 413),
    ] {
        let answer = server
            .ask("POST", "/api/token", &[JSON], body.as_bytes())
            .await;
        assert_eq!(answer.status, status, "{body:.80}");
    }
}

#[tokio::test]
async fn pages_and_files() {
    let server = Server::start().await;
    let plain = server.get("/").await;
    assert_eq!((plain.status, plain.body.as_str()), (200, "OK"));
    let html = [("Accept", "text/html,application/xhtml+xml")];
    for path in [
        "/",
        "/r/courtyard",
        "/r/%EB%A7%88%EB%8B%B9",
        "/c/courtyard?role=expert",
        "/studio/courtyard",
        "/watch/courtyard",
        "/check",
    ] {
        let page = server.ask("GET", path, &html, b"").await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.contains("madang"));
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(
            !policy.contains("script-src"),
            "no more than default-src allows"
        );
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    }
    for path in [
        "/nothing",
        "/..%2f..%2fCargo.toml",
        "/../Cargo.toml",
        "/assets/../../Cargo.toml",
        "/agent",
    ] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    assert_eq!(server.ask("POST", "/", &[], b"").await.status, 404);
}

#[tokio::test]
async fn files_of_a_folder() {
    let folder = std::env::temp_dir().join(format!("madang-it-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("assets")).expect("a temporary folder");
    std::fs::write(folder.join("index.html"), "<p>page").expect("a file");
    std::fs::write(folder.join("assets/a-1a2b.js"), "x();".repeat(1000)).expect("a file");
    let dir = folder.clone();
    let server = Server::with(|config| config.web.dir = Some(dir)).await;
    let page = server
        .ask("GET", "/r/x", &[("Accept", "text/html")], b"")
        .await;
    assert_eq!(
        (page.body.as_str(), page.header("cache-control")),
        ("<p>page", Some("no-cache"))
    );
    let script = server.get("/assets/a-1a2b.js").await;
    assert_eq!(
        script.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert_eq!(
        script.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    let etag = script.header("etag").expect("an ETag").to_owned();
    let known = server
        .ask("GET", "/assets/a-1a2b.js", &[("If-None-Match", &etag)], b"")
        .await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let packed = server
        .ask(
            "GET",
            "/assets/a-1a2b.js",
            &[("Accept-Encoding", "gzip")],
            b"",
        )
        .await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    std::fs::remove_dir_all(folder).expect("made by this test");
}

#[tokio::test]
async fn slow_headers_are_not_waited_for() {
    let server = Server::start().await;
    let start = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.address())
            .await
            .expect("listening");
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            .await
            .expect("sent");
        slow.push(stream);
    }
    // Others are served meanwhile; a connection that has been served is not kept for ever either.
    let mut idle = TcpStream::connect(server.address())
        .await
        .expect("listening");
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sent");
    slow.push(idle);
    assert_eq!(server.get("/healthz").await.status, 200);
    for mut stream in slow {
        let mut rest = Vec::new();
        // An orderly end or a reset: both are an end.
        stream.read_to_end(&mut rest).await.ok();
    }
    let took = start.elapsed();
    assert!(
        took > Duration::from_secs(9) && took < Duration::from_secs(15),
        "{took:?}"
    );
    server.until_metric("madang_sockets", 1).await;
}

#[tokio::test]
async fn slow_bodies_are_not_waited_for() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("listening");
    let head = b"POST /api/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{";
    stream.write_all(head).await.expect("sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("answered and closed");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn connections_of_one_address_are_bounded() {
    let server = Server::with(|config| config.limits.connections_per_ip_max = Some(3)).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.address())
            .await
            .expect("listening");
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .expect("sent");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("served");
        open.push(stream);
    }
    assert_eq!(
        server.get("/healthz").await.status,
        0,
        "closed without an answer"
    );
    drop(open.pop());
    server_answers_again(&server).await;
}

async fn server_answers_again(server: &Server) {
    let answers = async {
        while server.get("/healthz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, answers)
        .await
        .expect("a place is free");
}

#[tokio::test]
async fn headers_that_are_too_large() {
    let server = Server::start().await;
    // More than twice what is allowed: so much the buffer may have grown to, and what is whole in it is read.
    let large = "x".repeat(400_000);
    let answer = server
        .ask("GET", "/healthz", &[("X-Large", &large)], b"")
        .await;
    assert!(matches!(answer.status, 431 | 0), "{}", answer.status);
    assert_eq!(server.get("/healthz").await.status, 200);
}
