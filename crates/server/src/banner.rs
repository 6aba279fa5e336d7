//! What is said at the start.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::net::SocketAddr;

use crate::App;
use crate::config::{CertificateSource, DEV_KEY, DEV_SECRET};
use crate::language::Language;
use crate::media::is_public;

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub is_terminal: bool,
    pub is_korean: bool,
}

impl Style {
    pub fn of_process() -> Self {
        Self {
            is_terminal: std::io::stdout().is_terminal(),
            is_korean: Language::of_process() == Language::Ko,
        }
    }

    fn loud(self, text: &str) -> String {
        if self.is_terminal {
            format!("\x1b[1;33m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn strong(self, text: &str) -> String {
        if self.is_terminal {
            format!("\x1b[1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Where to go, which ports are used, what was found out about the network.
pub fn banner(app: &App, style: Style) -> String {
    let (config, url) = (app.config(), app.url());
    let mut text = String::new();
    let mut line = |what: &str, value: &str| {
        writeln!(text, "  {what:<11}{value}").expect("writing to a string");
    };
    line("madang", env!("CARGO_PKG_VERSION"));
    line("open", &style.strong(&url));
    if style.is_korean {
        line(
            "",
            "마당이 열렸습니다. 위 주소를 브라우저에서 여세요. 끝내려면 Ctrl-C.",
        );
    }
    for (what, value) in ports(app).iter().chain(&certificate(app)) {
        line(what, value);
    }
    line("network", &network(app));
    if let Some(remedy) = unreachable(app) {
        line("", remedy);
    }
    if config.dev {
        line(
            "invite",
            "copy the link in the app; whoever opens it types a name and is in",
        );
        let who = if config.bind.is_loopback() {
            "Reachable from this machine only."
        } else {
            "WHOEVER REACHES THIS PORT MAY JOIN ANY ROOM AS ANYBODY."
        };
        let keys = if config.keys.contains_key(DEV_KEY) {
            format!(" Key {DEV_KEY}, secret {DEV_SECRET}.")
        } else {
            String::new()
        };
        line("", &style.loud(&format!("DEVELOPMENT MODE.{keys} {who}")));
    } else {
        line(
            "invite",
            &format!("madang token --room courtyard --identity kim --link {url}"),
        );
    }
    for name in config
        .weak_keys()
        .filter(|name| !config.dev || *name != DEV_KEY)
    {
        let warning =
            format!("The secret of key {name} is short: use at least 32 random characters.");
        line("", &style.loud(&warning));
    }
    text
}

fn ports(app: &App) -> Vec<(&'static str, String)> {
    let tcp: Vec<String> = app.addresses().iter().map(|a| a.ip().to_string()).collect();
    let port = app.addresses().first().map_or(0, SocketAddr::port);
    let tcp = tcp.join(", ");
    let mut lines = vec![
        (
            "ports",
            format!("{port}/tcp (the app, signalling, the API) at {tcp}"),
        ),
        (
            "",
            format!(
                "{}/udp (all media), {}",
                app.udp_port(),
                shards(app.config().shards)
            ),
        ),
    ];
    if let Some(port) = app.turn_udp_port() {
        lines.push(("", format!("{port}/udp (STUN, TURN)")));
    }
    let compat = app.compat_addresses().iter();
    let more = [
        ("https", app.https_addresses()),
        ("http", app.http_addresses()),
        ("turn", app.turn_addresses()),
    ]
    .into_iter()
    .chain(compat.map(|(name, at)| (*name, &**at)))
    .filter(|(_, addresses)| !addresses.is_empty());
    for (what, addresses) in more {
        let tcp: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        lines.push((what, format!("{} (TCP)", tcp.join(", "))));
    }
    lines
}

/// Whom browsers see, and what they make of it.
fn certificate(app: &App) -> Vec<(&'static str, String)> {
    let config = app.config();
    let fingerprint = app.fingerprint().unwrap_or_default();
    match &config.tls.source {
        CertificateSource::None if config.bind.is_loopback() => Vec::new(),
        CertificateSource::None => vec![
            (
                "tls",
                "off. Browsers give camera and microphone to https and to localhost only:"
                    .to_owned(),
            ),
            (
                "",
                "name a --domain, put a TLS proxy before this port, or try --tls self-signed in your own network."
                    .to_owned(),
            ),
        ],
        CertificateSource::SelfSigned => {
            let mut lines = vec![
                (
                    "tls",
                    "a certificate made here: browsers warn once; compare this SHA-256, then go on:".to_owned(),
                ),
                ("", fingerprint),
            ];
            let others = app.lan_urls();
            if !others.is_empty() {
                lines.push(("", format!("From other machines: {}", others.join(" "))));
            }
            lines
        }
        CertificateSource::Acme(acme) if fingerprint.is_empty() => vec![
            ("tls", format!("obtaining a certificate for {} from", acme.domain)),
            ("", format!("{}; the log tells when it is here.", acme.directory)),
        ],
        CertificateSource::Acme(acme) => vec![
            ("tls", format!("a certificate for {}, renewed by itself. SHA-256:", acme.domain)),
            ("", fingerprint),
        ],
        CertificateSource::Files { certificate, .. } => vec![
            ("tls", format!("{}, SHA-256:", certificate.display())),
            ("", fingerprint),
        ],
    }
}

/// What clients are told to send media to.
fn network(app: &App) -> String {
    let ips: Vec<String> = app
        .candidates()
        .iter()
        .map(|a| a.ip().to_string())
        .collect();
    let source = if !app.config().announce.is_empty() {
        "as announced"
    } else if app.found_addresses().is_empty() {
        "found at this machine"
    } else {
        "the first as a STUN server sees it"
    };
    format!("media at {} ({source})", ips.join(", "))
}

/// Who may not get media here, and what to do.
fn unreachable(app: &App) -> Option<&'static str> {
    let ips = || app.candidates().iter().map(SocketAddr::ip);
    if ips().all(|ip| ip.is_loopback()) {
        Some("No other address: media works on this machine only. Name one with --announce.")
    } else if !app.config().bind.is_loopback() && !ips().any(is_public) {
        Some(
            "No public address: to reach people outside, forward the UDP port and name yours with --announce.",
        )
    } else {
        None
    }
}

fn shards(count: u8) -> String {
    match count {
        1 => "1 shard".to_owned(),
        count => format!("{count} shards"),
    }
}
