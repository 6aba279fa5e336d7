//! The program itself: starting, printing, stopping.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use livekit_protocol::signal_response::Message as Said;

use crate::support::{Client, token, v0};

const MADANG: &str = env!("CARGO_BIN_EXE_madang");

/// Without what the environment of the test says.
fn madang(args: &[&str]) -> Command {
    let mut command = Command::new(MADANG);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MADANG_") {
            command.env_remove(name);
        }
    }
    command.args(args).env("LANG", "C");
    command
}

fn output(command: &mut Command) -> (bool, String, String) {
    let output = command.output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

struct Running {
    child: Child,
    /// Read all the time, so that the program never waits for us.
    log: JoinHandle<String>,
    banner: String,
    port: u16,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .args([
                "serve",
                "--dev",
                "--port",
                "0",
                "--udp-port",
                "0",
                "--bind",
                "127.0.0.1",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut banner = String::new();
        let mut lines = BufReader::new(child.stdout.as_mut().expect("piped"));
        while !banner.contains("DEVELOPMENT MODE") {
            let read = lines.read_line(&mut banner).expect("text");
            assert!(read > 0, "ended early: {banner}");
        }
        let (_, rest) = banner.split_once("http://localhost:").expect("where to go");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let port = digits.parse().expect("a port");
        let mut stderr = child.stderr.take().expect("piped");
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).expect("text");
            log
        });
        Self {
            child,
            log,
            banner,
            port,
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// The exit code and everything that was logged.
    fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                break status;
            }
            if start.elapsed() > Duration::from_secs(10) {
                self.child.kill().expect("our child");
                panic!("does not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        (status.code(), self.log.join().expect("no panic"))
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("listening");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    }
}

#[test]
fn starts_says_where_and_stops_on_both_signals() {
    for signal in ["TERM", "INT"] {
        let running = Running::start(&mut madang(&[]));
        assert!(running.banner.contains("/udp"), "{}", running.banner);
        assert!(
            !running.banner.contains('\x1b'),
            "plain, for it is no terminal"
        );
        assert!(running.get("/healthz").starts_with("HTTP/1.1 200"));
        let (port, start) = (running.port, Instant::now());
        running.signal(signal);
        let (code, log) = running.end();
        assert_eq!(code, Some(0), "{signal}: {log}");
        assert!(start.elapsed() < Duration::from_secs(5));
        std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    }
}

#[tokio::test]
async fn what_is_secret_is_never_logged() {
    let running = Running::start(madang(&[]).env("MADANG_LOG_LEVEL", "trace"));
    let canary = token("yard", "canary-identity-of-this-test");
    for path in [
        format!("/rtc/validate?access_token={canary}"),
        format!("/rtc?access_token={canary}"),
        format!("/rtc/v1/validate?access_token={canary}&join_request=Y2FuYXJ5"),
        format!("/nothing?token={canary}"),
        format!("/rtc/validate?access_token={canary}x"),
    ] {
        running.get(&path);
    }
    let server = SocketAddr::from(([127, 0, 0, 1], running.port));
    let mut client = Client::connect_to(server, &v0(&canary))
        .await
        .expect("let in");
    client.joined().await;
    let (mut refreshed, mut password) = (None, None);
    while refreshed.is_none() || password.is_none() {
        let said = client.next().await.expect("open");
        if let Said::RefreshToken(token) = said {
            refreshed = Some(token);
        } else if let Said::Offer(offer) = said {
            let mut lines = offer.sdp.lines();
            let line = lines.find_map(|line| line.strip_prefix("a=ice-pwd:"));
            password = Some(line.expect("a password").to_owned());
        }
    }
    running.signal("TERM");
    client.left().await;
    let (code, log) = running.end();
    assert_eq!(code, Some(0));
    assert!(
        log.contains("DEBUG") && log.contains("joined"),
        "it does log: {log:.200}"
    );
    let (refreshed, password) = (refreshed.expect("got"), password.expect("got"));
    for (what, secret) in [
        ("token", canary),
        ("fresh token", refreshed),
        ("password", password),
    ] {
        let secret = secret.rsplit('.').next().expect("never empty");
        assert!(!log.contains(secret), "a {what} is in the log");
    }
}

#[test]
fn tokens_are_printed_alone() {
    let args = ["token", "--room", "yard", "--identity", "kim"];
    let (ok, printed, said) = output(&mut madang(&args));
    assert!(ok && said.is_empty(), "{said}");
    assert_eq!(printed.trim().split('.').count(), 3);
    let mut create = madang(&[
        "token",
        "create",
        "--room",
        "yard",
        "--identity",
        "kim",
        "--link",
        "https://x.example",
    ]);
    let (ok, printed, _) = output(&mut create);
    assert!(ok && printed.starts_with("https://x.example/r/yard#token=ey"));
}

#[test]
fn the_default_configuration_is_printed() {
    let (ok, printed, _) = output(&mut madang(&["config"]));
    assert!(ok && printed.contains("# port = 7880"));
    let (ok, printed, _) = output(&mut madang(&["--version"]));
    assert!(ok && printed.starts_with("madang "));
}

#[test]
fn what_is_wrong_is_said_with_a_remedy() {
    let check = |command: &mut Command, parts: &[&str]| {
        let (ok, _, said) = output(command);
        assert!(!ok);
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    };
    check(
        &mut madang(&["serve", "--bind", "0.0.0.0"]),
        &["no keys", "--dev", "MADANG_KEYS"],
    );
    check(
        madang(&["serve"]).env("MADANG_PROT", "1"),
        &["MADANG_PROT", "madang config"],
    );
    check(
        &mut madang(&["serve", "--config", "/nonexistent/x.toml"]),
        &["/nonexistent/x.toml"],
    );
    check(
        &mut madang(&["serve", "--log-level", "a=b=c"]),
        &["log.level"],
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let args = [
        "serve",
        "--dev",
        "--bind",
        "127.0.0.1",
        "--udp-port",
        "0",
        "--port",
        &port,
    ];
    check(&mut madang(&args), &["in use", "--port"]);
}

#[test]
fn the_doctor_and_the_ports_follow_the_settings() {
    let (ok, printed, _) = output(&mut madang(&["ports", "--port", "1234"]));
    assert!(ok && printed.contains("1234/tcp") && printed.contains("7882/udp"));
    let free = ["--port", "0", "--udp-port", "0"];
    let all = ["doctor", "--json"].iter().chain(&free);
    let (ok, printed, said) = output(&mut madang(&all.copied().collect::<Vec<_>>()));
    let report: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    let faults = report["findings"].as_array().expect("a list");
    let has_faults = faults.iter().any(|finding| finding["verdict"] == "fault");
    assert_eq!(ok, !has_faults, "{said}");
    let (ok, printed, _) = output(&mut madang(&[
        "doctor", "--bind", "0.0.0.0", "--lang", "ko",
    ]));
    assert!(!ok && printed.starts_with("문제 "), "{printed}");
}
