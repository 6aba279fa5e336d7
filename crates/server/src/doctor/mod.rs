//! `madang doctor`: looks whether the server can be reached and why not, and says what to do. What is observed
//! (`observe`, `helper`) and what is said of it (`judge`) are apart.

mod finding;
mod helper;
mod judge;
mod observe;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

use self::finding::{Finding, about};
use self::judge::{CertificateState, Outcome, PortSeen, Probed, Seen, Told};
use crate::app::{media_bind, media_config};
use crate::config::{CertificateSource, Config, ConfigError};
use crate::language::Words;
use crate::media::{Addresses, Media, MediaConfig, Plan, present};
use crate::tls::{Identity, obtained};

pub use self::finding::Report;
pub use self::helper::Helper;

const STUN_PORT: u16 = 3478;

/// Whom to ask, and what to look at besides the settings.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// `host` or `host:port` of a `madang doctor --listen`.
    pub helper: Option<String>,
    /// STUN servers.
    pub stun: Vec<String>,
    /// An NTP server, or `http://…`.
    pub time: Option<String>,
    /// The certificate that a proxy shows.
    pub certificate: Option<PathBuf>,
}

/// Looks at everything that it is given. Some seconds pass where nobody answers.
pub async fn examine(config: Result<Config, ConfigError>, wish: Wish) -> Report {
    let config = match config {
        Ok(config) => config,
        Err(error) => return Report::new(vec![settings(&error)]),
    };
    let ports = observe::ports(&config);
    let media = ports.iter().find(|seen| seen.port.setting == "udp_port");
    let held = Held::hold(&config, media).await;
    let told = told(&config, &held);
    let mut findings = judge::ports(&ports);
    findings.push(judge::addresses(&told));
    let seen = network(&config, &wish, &told, held, &mut findings).await;
    findings.push(judge::clock(&observe::clock(wish.time.as_deref())));
    findings.push(judge::buffers(observe::buffers()));
    let mut owners = ports.iter().filter_map(|seen| seen.state.owner());
    let server = owners.find_map(|owner| owner.pid.filter(|_| owner.is_madang));
    let connections_max = config.limits.connections_max;
    findings.push(judge::descriptors(observe::descriptors(
        server,
        connections_max,
    )));
    findings.push(certificate(&config, &wish));
    findings.push(names(&config, &told, &seen));
    Report::new(findings)
}

/// What others see of us.
async fn network(
    config: &Config,
    wish: &Wish,
    told: &Told,
    held: Held,
    findings: &mut Vec<Finding>,
) -> Vec<Seen> {
    // First: once something of ours went out from the media port, the way back in may stand open for a while.
    let helpers = wish
        .helper
        .as_deref()
        .map(|helper| (helper, observe::resolve(helper, helper::PORT)));
    let probed = match &helpers {
        None => Vec::new(),
        Some((name, Err(error))) => vec![Probed {
            helper: (*name).to_owned(),
            port: config.udp_port,
            outcome: Outcome::NoHelper(error.to_string()),
        }],
        Some((_, Ok(addresses))) => held.probe(addresses, config.udp_port).await,
    };
    let is_reached = probed.iter().any(|probed| {
        matches!(
            &probed.outcome,
            Outcome::Asked {
                answer: Some(_),
                ..
            }
        )
    });
    findings.extend(judge::reach(&probed));

    let own_port = held.let_go().await.unwrap_or(0);
    let named = || wish.stun.iter().chain(&config.stun_server);
    let mut servers: Vec<SocketAddr> = named()
        .filter_map(|server| observe::resolve(server, STUN_PORT).ok())
        .flatten()
        .collect();
    let leads_nowhere = servers.is_empty() && named().next().is_some();
    servers.extend(of_helper(
        &probed,
        helpers.and_then(|(_, addresses)| addresses.ok()),
    ));
    let mut seen = observe::ask(&servers, own_port);
    // Who filters the media port alone lets others out.
    if own_port != 0 && seen.iter().all(|seen| seen.mapped.is_none()) {
        seen = observe::ask(&servers, 0);
    }
    findings.extend(if leads_nowhere && seen.is_empty() {
        vec![no_stun_server()]
    } else {
        judge::public_address(told, &seen)
    });
    findings.push(judge::nat(&told.present, &seen, is_reached));
    let answering = seen.iter().find(|seen| seen.mapped.is_some());
    let largest = answering.and_then(|seen| observe::largest_payload(seen.by));
    findings.push(judge::mtu(largest));
    seen
}

/// By whom the media port is held while we look at it.
enum Held {
    /// It was free: we stand in for the server, with its own packet path.
    Us(Media),
    Server,
    Others,
}

impl Held {
    async fn hold(config: &Config, port: Option<&PortSeen>) -> Self {
        let Some(port) = port else {
            return Self::Others;
        };
        if port.state.is_ours() {
            return Self::Server;
        }
        // Whom it would ask is asked later, and nobody is let in.
        let quiet = MediaConfig {
            stun_server: None,
            ..media_config(config)
        };
        match Media::start(quiet).await {
            Ok(media) => Self::Us(media),
            Err(_) => Self::Others,
        }
    }

    async fn probe(&self, helpers: &[SocketAddr], port: u16) -> Vec<Probed> {
        let mut all = Vec::new();
        for helper in helpers {
            let helper = *helper;
            let outcome = match self {
                Self::Others => Outcome::NotOurs,
                Self::Server => asked(helper, port).await,
                Self::Us(media) => {
                    let before = bindings(media).await;
                    let mut outcome = asked(helper, media.local_port()).await;
                    if let Outcome::Asked { arrived, .. } = &mut outcome {
                        *arrived = Some(bindings(media).await > before);
                    }
                    outcome
                }
            };
            all.push(Probed {
                helper: helper.to_string(),
                port,
                outcome,
            });
        }
        // A name may have an address of IPv6 where we have none.
        let is_there = |probed: &Probed| !matches!(probed.outcome, Outcome::NoHelper(_));
        if all.iter().any(is_there) {
            all.retain(is_there);
        }
        all
    }

    /// The port, if it is free now.
    async fn let_go(self) -> Option<u16> {
        match self {
            Self::Us(media) => {
                let port = media.local_port();
                media.stop().await;
                Some(port)
            }
            Self::Server | Self::Others => None,
        }
    }
}

async fn asked(helper: SocketAddr, port: u16) -> Outcome {
    let asked = tokio::task::spawn_blocking(move || helper::ask(helper, port)).await;
    asked.unwrap_or_else(|error| Outcome::NoHelper(error.to_string()))
}

async fn bindings(media: &Media) -> u64 {
    let counters = media.relay_counters().await;
    counters.iter().map(|(_, relay)| relay.bindings).sum()
}

/// What the server tells clients with these settings.
fn told(config: &Config, held: &Held) -> Told {
    let present = present().unwrap_or_default();
    let mut bound = media_bind(&config.bind);
    if bound.is_empty() {
        bound = vec![observe::anywhere(true), observe::anywhere(false)];
    }
    let candidates: Vec<IpAddr> = match held {
        Held::Us(media) => media.candidates().iter().map(SocketAddr::ip).collect(),
        Held::Server | Held::Others => {
            let plan = Plan {
                bound: &bound,
                announce: &config.announce,
                found: &[],
                interfaces: &config.interfaces,
                port: config.udp_port,
            };
            let chosen = Addresses::choose(&present, plan);
            chosen.candidates().iter().map(SocketAddr::ip).collect()
        }
    };
    Told {
        candidates,
        announce: config.announce.clone(),
        bound,
        present,
        container: observe::container(),
        is_local: config.bind.is_loopback(),
        asks_stun: config.stun_server.is_some() && config.announce.is_empty(),
    }
}

/// It answers STUN at the port that it is asked at, and at the next: two destinations, by which a NAT shows its kind.
fn of_helper(probed: &[Probed], helpers: Option<Vec<SocketAddr>>) -> Vec<SocketAddr> {
    let is_there = |helper: &SocketAddr| {
        let name = helper.to_string();
        let mut of_it = probed.iter().filter(|probed| probed.helper == name);
        of_it.any(|probed| !matches!(probed.outcome, Outcome::NoHelper(_)))
    };
    let next = |helper: SocketAddr| {
        [
            helper,
            SocketAddr::new(helper.ip(), helper.port().saturating_add(1)),
        ]
    };
    helpers
        .unwrap_or_default()
        .into_iter()
        .filter(is_there)
        .flat_map(next)
        .collect()
}

fn certificate(config: &Config, wish: &Wish) -> Finding {
    let domain = config.domain.as_deref();
    let state = match (&wish.certificate, &config.tls.source) {
        (Some(file), _) => CertificateState::Seen(observe::certificate(file, domain)),
        (
            None,
            CertificateSource::Files {
                certificate,
                private_key,
            },
        ) => {
            // Together they must be such as the server takes.
            let pair = Identity::read(certificate, private_key);
            let seen = pair.map_err(|error| error.to_string());
            CertificateState::Seen(seen.and_then(|_| observe::certificate(certificate, domain)))
        }
        (None, CertificateSource::Acme(_)) => match obtained(config).filter(|file| file.exists()) {
            Some(file) => CertificateState::Seen(observe::certificate(&file, domain)),
            None => CertificateState::NotObtained,
        },
        (None, CertificateSource::None | CertificateSource::SelfSigned) => {
            CertificateState::NoFiles
        }
    };
    judge::certificate(&state, domain, SystemTime::now())
}

fn names(config: &Config, told: &Told, seen: &[Seen]) -> Finding {
    let domain = config.domain.as_deref();
    let found = domain.map_or(Ok(Vec::new()), |domain| {
        let found = observe::resolve(domain, 0).map_err(|error| error.to_string())?;
        Ok(found.iter().map(SocketAddr::ip).collect())
    });
    let mut ours = told.candidates.clone();
    ours.extend(seen.iter().filter_map(|seen| Some(seen.mapped?.ip())));
    judge::names(domain, &found, &ours)
}

fn settings(error: &ConfigError) -> Finding {
    let about = about("settings", "settings", "설정");
    let text = error.to_string();
    about.fault(
        "settings_refused",
        Words::new(text.clone(), format!("설정에 잘못이 있어 서버가 시작되지 않습니다: {text}")),
        Words::new(
            "mend the file, the variable or the flag that is named; `madang config` lists all settings",
            "위에 적힌 파일, 환경 변수, 플래그를 고치세요. `madang config`로 모든 설정을 볼 수 있습니다",
        ),
    )
}

fn no_stun_server() -> Finding {
    let about = about("public_address", "public address", "공인 주소");
    about.fault(
        "stun_server_unknown",
        Words::new(
            "the name of the STUN server leads nowhere",
            "STUN 서버의 주소를 찾을 수 없습니다",
        ),
        Words::new(
            "look at --stun and stun_server, and whether this machine resolves names at all",
            "--stun과 stun_server 값이 맞는지, 이 컴퓨터에서 이름 풀이가 되는지 확인하세요",
        ),
    )
}
