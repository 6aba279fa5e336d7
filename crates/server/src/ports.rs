//! What must be open, for whom and why: from the settings alone, so that a firewall can be set before anything runs.

use std::fmt::Write as _;

use serde_json::json;

use crate::config::{Bind, CertificateSource, Config, TurnPeers, TurnUdp};
use crate::doors;
use crate::language::{Language, Words};

/// One port, and what depends on it.
#[derive(Debug, Clone)]
pub(crate) struct OpenPort {
    pub(crate) protocol: Protocol,
    /// 0: any free one, known when the server runs.
    pub(crate) port: u16,
    /// Of a range of which the allocations that there are have some.
    pub(crate) last: Option<u16>,
    /// The setting that chooses it.
    pub(crate) setting: &'static str,
    /// At the addresses of media, not at those of the app.
    pub(crate) is_media: bool,
    /// The server does without when somebody else has it.
    pub(crate) is_dispensable: bool,
    pub(crate) why: Words,
    pub(crate) if_closed: Words,
}

impl OpenPort {
    /// As a firewall takes it, with that between the ends of a range.
    fn number(&self, between: char) -> String {
        match self.last {
            Some(last) => format!("{}{between}{last}", self.port),
            None => self.port.to_string(),
        }
    }

    /// Where it listens.
    pub(crate) fn bind(&self, config: &Config) -> Bind {
        if self.is_media {
            config.bind.of_media()
        } else {
            config.bind.clone()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Everything that the server listens at.
pub(crate) fn all(config: &Config) -> Vec<OpenPort> {
    let scheme = if config.tls.source == CertificateSource::None {
        "HTTP"
    } else {
        "HTTPS"
    };
    let if_main_is_closed = match config.tls.https_port {
        Some(port) => Words::new(
            format!("nothing, as long as people come to port {port}"),
            format!("사람들이 {port} 포트로 들어오면 문제없습니다"),
        ),
        None => Words::new(
            "nobody can open the app or join a room",
            "아무도 앱을 열거나 방에 들어올 수 없습니다",
        ),
    };
    let besides = if config.turn.enabled {
        "STUN, TURN"
    } else {
        "STUN"
    };
    let mut ports = vec![
        tcp(
            config.port,
            "port",
            Words::new(
                format!("the app, signalling and the API ({scheme})"),
                format!("앱, 시그널링, API ({scheme})"),
            ),
            if_main_is_closed,
        ),
        OpenPort {
            protocol: Protocol::Udp,
            port: config.udp_port,
            last: None,
            setting: "udp_port",
            is_media: true,
            is_dispensable: false,
            why: Words::new(
                format!("sound, pictures and data of all rooms; {besides}"),
                format!("모든 방의 소리, 영상, 데이터. {besides} 포함"),
            ),
            if_closed: Words::new(
                "people join and see each other's names, and nobody hears or sees anybody",
                "방에 들어와 서로의 이름은 보이지만 소리도 영상도 오가지 않습니다",
            ),
        },
    ];
    if config.turn.enabled {
        ports.extend(config.turn.udp.port().map(|port| of_turn_udp(config, port)));
    }
    ports.extend((config.turn.enabled || config.ice_tcp).then(|| of_turn(config)));
    if config.turn.enabled {
        ports.extend(of_relay(config));
    }
    ports.extend(of_tls(config));
    ports.extend(doors::compat_ports(config).map(|(program, setting, port)| {
        tcp(
            port,
            setting,
            Words::new(
                format!("older programs ({program})"),
                format!("예전 프로그램용 ({program})"),
            ),
            Words::new(
                "those programs cannot connect; others are not touched",
                "그 프로그램만 접속하지 못하고 나머지는 그대로 됩니다",
            ),
        )
    }));
    ports
}

fn of_turn_udp(config: &Config, port: u16) -> OpenPort {
    OpenPort {
        protocol: Protocol::Udp,
        port,
        last: None,
        setting: "turn.udp_port",
        is_media: true,
        is_dispensable: config.turn.udp == TurnUdp::IfFree,
        why: Words::new(
            "STUN and TURN, for people who connect to each other, or may use nothing but relayed addresses",
            "서로 직접 연결하는 사람과 릴레이만 쓸 수 있는 사람을 위한 STUN, TURN",
        ),
        if_closed: Words::new(
            "people behind routers who connect to each other are relayed over TCP, if at all; rooms by way of the server are not touched",
            "공유기 뒤에서 서로 직접 연결하려는 사람은 TCP 릴레이로만 연결되거나 연결되지 않습니다. 서버를 거치는 방은 그대로 됩니다",
        ),
    }
}

fn of_turn(config: &Config) -> OpenPort {
    let if_closed = if config.tls.source == CertificateSource::None {
        Words::new(
            "in networks that let no UDP through people hear and see nobody; others are not touched",
            "UDP를 막는 네트워크에서는 소리도 영상도 오가지 않습니다. 나머지는 그대로 됩니다",
        )
    } else {
        Words::new(
            "people in such networks come by the HTTPS port, which costs more; others are not touched",
            "그런 네트워크에서는 HTTPS 포트로 돌아서 오므로 부담이 커집니다. 나머지는 그대로 됩니다",
        )
    };
    let why = Words::new(
        "the same for people whose network lets no UDP through (ICE and TURN over TCP)",
        "UDP를 막는 네트워크에 있는 사람의 소리, 영상, 데이터 (TCP로 오는 ICE와 TURN)",
    );
    OpenPort {
        is_media: true,
        ..tcp(config.turn.tcp_port, "turn.tcp_port", why, if_closed)
    }
}

/// Where peers elsewhere send to.
fn of_relay(config: &Config) -> Option<OpenPort> {
    if config.turn.peers == TurnPeers::Room {
        return None;
    }
    let (first, last) = config.turn.relay_ports.clone().into_inner();
    Some(OpenPort {
        protocol: Protocol::Udp,
        port: first,
        last: Some(last),
        setting: "turn.relay_ports",
        is_media: true,
        is_dispensable: false,
        why: Words::new(
            "whoever is not on this server sends to people who are relayed (turn.peers): each of them has one of these ports",
            "이 서버 밖의 상대가 릴레이를 쓰는 사람에게 보내는 곳(turn.peers). 한 사람이 포트를 하나씩 씁니다",
        ),
        if_closed: Words::new(
            "people who are relayed reach nobody but this server's rooms",
            "릴레이를 쓰는 사람은 이 서버의 방 안에서만 통할 수 있습니다",
        ),
    })
}

fn of_tls(config: &Config) -> Vec<OpenPort> {
    let mut ports = Vec::new();
    if let Some(port) = config.tls.https_port {
        ports.push(tcp(
            port,
            "tls.https_port",
            Words::new(
                "the same over HTTPS, without a port number in the address",
                "주소에 포트 번호를 붙이지 않고 여는 HTTPS",
            ),
            Words::new(
                format!("the app opens only with :{} in the address", config.port),
                format!(
                    "주소 뒤에 포트 번호(:{})를 붙여야만 앱이 열립니다",
                    config.port
                ),
            ),
        ));
    }
    if let Some(port) = config.tls.http_port {
        let why = if matches!(config.tls.source, CertificateSource::Acme(_)) {
            Words::new(
                "sends visitors of http:// on to HTTPS; the certificate authority asks there (or at the HTTPS port)",
                "http://로 들어온 사람을 HTTPS로 보냅니다. 인증 기관도 이 포트(또는 HTTPS 포트)로 확인합니다",
            )
        } else {
            Words::new(
                "sends visitors of http:// on to HTTPS",
                "http://로 들어온 사람을 HTTPS로 보냅니다",
            )
        };
        ports.push(tcp(
            port,
            "tls.http_port",
            why,
            Words::new(
                "whoever leaves out https:// sees no page",
                "https://를 빼고 입력한 사람에게는 페이지가 열리지 않습니다",
            ),
        ));
    }
    ports
}

fn tcp(port: u16, setting: &'static str, why: Words, if_closed: Words) -> OpenPort {
    OpenPort {
        protocol: Protocol::Tcp,
        port,
        last: None,
        setting,
        is_media: false,
        is_dispensable: false,
        why,
        if_closed,
    }
}

/// For people.
pub fn ports_text(config: &Config, language: Language) -> String {
    let ports = all(config);
    let who = who(config);
    let pick = |en: &'static str, ko: &'static str| match language {
        Language::En => en,
        Language::Ko => ko,
    };
    let mut text = String::new();
    let mut line = |what: &str| writeln!(text, "{what}").expect("writing to a string");
    line(pick("What must be reachable:", "열려 있어야 하는 포트:"));
    for port in &ports {
        let number = match port.port {
            0 => pick("any", "임의").to_owned(),
            _ => port.number('-'),
        };
        let name = format!("{number}/{}", port.protocol.name());
        line("");
        line(&format!("  {name:<11} {}", port.why.in_language(language)));
        let from = who.words.in_language(language);
        line(&format!(
            "    {} {from}",
            pick("from:     ", "누가:       ")
        ));
        let closed = port.if_closed.in_language(language);
        line(&format!(
            "    {} {closed}",
            pick("if closed:", "닫혀 있으면:")
        ));
        let setting = port.setting;
        line(&format!(
            "    {} {setting}",
            pick("setting:  ", "설정:       ")
        ));
    }
    line("");
    if who.is_this_machine {
        line(pick(
            "Nothing has to be opened: the server listens to this machine only. To let others in, see bind and keys (`madang config`).",
            "따로 열 것은 없습니다. 서버가 이 컴퓨터에서 오는 접속만 받습니다. 다른 사람도 들어오게 하려면 bind와 keys를 설정하세요(`madang config`).",
        ));
        return text;
    }
    let is_range = ports.iter().any(|port| port.last.is_some());
    if is_range {
        line(pick(
            "With turn.peers = \"room\" the range of ports would not be needed.",
            "turn.peers = \"room\"이면 포트 범위는 필요 없습니다.",
        ));
    }
    line(pick(
        "Everything else may stay closed. Behind a router, forward the ports of media (udp_port, turn.udp_port, turn.tcp_port) under the same numbers.",
        "나머지는 모두 닫아 두어도 됩니다. 공유기 뒤라면 미디어 포트(udp_port, turn.udp_port, turn.tcp_port)를 같은 번호로 포워딩하세요.",
    ));
    if config.tls.source == CertificateSource::None {
        line(pick(
            "Without TLS, browsers give camera and microphone on localhost only: set tls (docs/tls.md), or put a proxy that speaks TLS before the TCP port, and open it for the proxy alone.",
            "TLS가 없으면 브라우저는 localhost에서만 카메라와 마이크를 쓸 수 있게 합니다. tls를 설정하거나(docs/tls.md), TLS 프록시를 앞에 두고 TCP 포트는 프록시에만 여세요.",
        ));
    }
    let commands: Vec<String> = ports
        .iter()
        .filter(|port| port.port != 0)
        .map(|port| format!("ufw allow {}/{}", port.number(':'), port.protocol.name()))
        .collect();
    line(&format!(
        "{} {}",
        pick("With ufw:", "ufw를 쓴다면:"),
        commands.join(" && ")
    ));
    text
}

/// For programs.
pub fn ports_json(config: &Config, language: Language) -> String {
    let who = who(config);
    let ports: Vec<serde_json::Value> = all(config)
        .iter()
        .map(|port| {
            json!({
                "port": port.port,
                "last_port": port.last.unwrap_or(port.port),
                "protocol": port.protocol.name(),
                "from": if who.is_this_machine { "this_machine" } else { "everyone" },
                "listens_at": listens_at(&port.bind(config)),
                "setting": port.setting,
                "why": port.why.in_language(language),
                "if_closed": port.if_closed.in_language(language),
            })
        })
        .collect();
    format!("{:#}\n", json!({ "ports": ports }))
}

struct Who {
    is_this_machine: bool,
    words: Words,
}

fn listens_at(bind: &Bind) -> Vec<String> {
    let addresses = bind.addresses.iter();
    addresses.map(ToString::to_string).collect()
}

fn who(config: &Config) -> Who {
    let addresses = &config.bind.addresses;
    let is_this_machine = config.bind.is_loopback();
    let is_everywhere = addresses.iter().any(std::net::IpAddr::is_unspecified);
    let at = listens_at(&config.bind).join(", ");
    let words = if is_this_machine {
        Words::new("this machine only", "이 컴퓨터에서만")
    } else if is_everywhere {
        Words::new("everyone who is to join", "방에 들어올 모든 사람")
    } else {
        Words::new(
            format!("everyone who is to join, at {at}"),
            format!("방에 들어올 모든 사람 (받는 주소: {at})"),
        )
    };
    Who {
        is_this_machine,
        words,
    }
}

#[cfg(test)]
mod tests;
