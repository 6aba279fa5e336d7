//! Configuration: [`Raw`] is what was written, [`Config`] what holds. The order is default, file, environment, flags:
//! what comes later wins.

mod document;
mod interfaces;
mod raw;
mod sources;
mod tls;
mod turn;
mod turn_peers;
mod whip;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use madang_signalling::room::Topology;
use serde::Deserialize;

pub use document::{commented_toml, markdown};
pub use interfaces::{InterfaceFilter, Interfaces, Network};
pub use sources::{Flags, load};
pub use tls::{Acme, AcmeChallenge, CertificateSource, Tls, TlsMode};
pub use turn::{Turn, TurnUdp};
pub use turn_peers::TurnPeers;
pub use whip::{StreamKey, Whip};

pub(crate) use raw::Raw;

/// The key of development mode. Everybody knows it.
pub const DEV_KEY: &str = "devkey";
pub const DEV_SECRET: &str = "secret";
/// Shorter secrets can be guessed from one token (RFC 7518 §3.2 asks for the size of the hash).
pub const SECRET_CHARS_MIN: usize = 32;
const SHARDS_MAX: u8 = 64;
/// RFC 8489 §18.6.
const STUN_PORT: u16 = 3478;
/// Up to so many cores one shard leaves more for everything else than two would win.
const CORES_OF_ONE_SHARD: usize = 4;

/// What holds.
#[derive(Debug, Clone)]
pub struct Config {
    pub port: u16,
    pub bind: Bind,
    /// The name by which others reach it.
    pub domain: Option<String>,
    pub udp_port: u16,
    pub shards: u8,
    /// Empty: those of the network interfaces.
    pub announce: Vec<IpAddr>,
    /// Asked for the public address when none is announced: `host:port`. None: nobody is asked.
    pub stun_server: Option<String>,
    pub interfaces: Interfaces,
    /// Media over TCP without a relay.
    pub ice_tcp: bool,
    pub dev: bool,
    pub keys: BTreeMap<String, Secret>,
    pub rooms: Rooms,
    pub limits: Limits,
    pub turn: Turn,
    pub log: Log,
    pub web: Web,
    pub tls: Tls,
    pub compat: Compat,
    pub whip: Whip,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    pub addresses: Vec<IpAddr>,
    /// Chosen by us: those that this machine does not have are left out.
    pub is_default: bool,
}

#[derive(Debug, Clone)]
pub struct Rooms {
    pub auto_create: bool,
    pub empty_timeout: Duration,
    pub departure_timeout: Duration,
    pub peers_max: Option<u32>,
    pub peers_per_shard: u32,
    pub mesh: Vec<String>,
    pub sfu: Vec<String>,
    pub relay: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Limits {
    pub sessions_max: u32,
    pub connections_max: u32,
    pub connections_per_ip_max: Option<u32>,
    pub joins_per_ip_per_minute: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Clone, Default)]
pub struct Web {
    pub dir: Option<PathBuf>,
}

/// The doors for older programs.
#[derive(Debug, Clone, Default)]
pub struct Compat {
    /// Rooms that they enter without a token. In development mode: all.
    pub rooms: Vec<String>,
    /// Let into any room.
    pub tokens: Vec<Secret>,
    /// Pages of other hosts that may use the doors.
    pub origins: Vec<String>,
    pub spider: CompatPort,
    pub kurento: CompatKurento,
    pub signalling: CompatSignalling,
    pub sfu: CompatPort,
}

/// None: no port of its own. 0: any free one.
#[derive(Debug, Clone, Default)]
pub struct CompatPort {
    pub port: Option<u16>,
}

/// The tutorial's pages, and the programs that control a media server.
#[derive(Debug, Clone, Default)]
pub struct CompatKurento {
    pub port: Option<u16>,
    pub rpc_port: Option<u16>,
}

#[derive(Debug, Clone, Default)]
pub struct CompatSignalling {
    pub port: Option<u16>,
    pub tokens: Vec<Secret>,
}

/// Never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// What is wrong with the configuration, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {error}")]
    File {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{path}: {message}")]
    Toml { path: PathBuf, message: String },
    #[error("{name}: {message}")]
    Variable { name: String, message: String },
    #[error("{key}: {message}")]
    Value { key: &'static str, message: String },
    #[error(
        "no keys are set, and the server would be reachable from other machines ({addresses}).\n\
         Either set keys: MADANG_KEYS=\"name: a secret of at least 32 characters\", or [keys] in the file;\n\
         or say `--dev` if whoever reaches this port may join any room as anybody"
    )]
    Open { addresses: String },
    #[error(
        "no keys are set and development mode is off: nobody could join. Set [keys], or MADANG_KEYS"
    )]
    NoKeys,
}

impl Config {
    pub(crate) fn resolve(raw: Raw) -> Result<Self, ConfigError> {
        let configured_keys = raw.keys.unwrap_or_default();
        let domain = tls::domain(raw.domain.as_deref())?;
        let tls = Tls::resolve(domain.as_deref(), raw.tls)?;
        let is_public = domain.is_some() && tls.source != CertificateSource::None;
        let (dev, bind) = access(raw.dev, raw.bind, configured_keys.is_empty(), is_public)?;
        let keys = if dev && configured_keys.is_empty() {
            BTreeMap::from([(DEV_KEY.to_owned(), Secret::new(DEV_SECRET))])
        } else {
            configured_keys
        };
        let udp_port = raw.udp_port.unwrap_or(7882);
        if let Some(name) = keys.iter().find_map(|(name, secret)| {
            (name.trim().is_empty() || secret.reveal().is_empty()).then_some(name)
        }) {
            let message = format!("neither a key's name nor its secret can be empty ({name:?})");
            return Err(ConfigError::Value {
                key: "keys",
                message,
            });
        }
        let is_here_only = bind.of_media().is_loopback();
        Ok(Self {
            port: raw.port.unwrap_or(7880),
            bind,
            domain,
            udp_port,
            shards: shards(raw.shards)?,
            announce: announced(raw.announce)?,
            stun_server: raw.stun_server.as_deref().map(stun_server).transpose()?,
            interfaces: Interfaces {
                include: raw.interfaces.include.unwrap_or_default(),
                exclude: raw.interfaces.exclude.unwrap_or_default(),
            },
            ice_tcp: raw.ice.tcp.unwrap_or(true),
            dev,
            keys,
            rooms: Rooms::resolve(raw.rooms)?,
            limits: Limits {
                sessions_max: positive(
                    "limits.sessions_max",
                    raw.limits.sessions_max.unwrap_or(10_000),
                )?,
                connections_max: positive(
                    "limits.connections_max",
                    raw.limits.connections_max.unwrap_or(20_000),
                )?,
                connections_per_ip_max: limit(raw.limits.connections_per_ip_max, 2_000),
                joins_per_ip_per_minute: limit(raw.limits.joins_per_ip_per_minute, 3_000),
            },
            turn: Turn::resolve(raw.turn, udp_port, is_here_only)?,
            log: Log {
                level: raw.log.level.unwrap_or_else(|| "info".to_owned()),
                format: raw.log.format.unwrap_or_default(),
            },
            web: Web { dir: raw.web.dir },
            tls,
            compat: Compat::resolve(raw.compat),
            whip: Whip::resolve(raw.whip)?,
        })
    }

    /// Development mode on loopback and any free port: for tests and benchmarks in the same process.
    pub fn for_tests() -> Self {
        let raw = Raw {
            port: Some(0),
            udp_port: Some(0),
            shards: Some(1),
            dev: Some(true),
            bind: Some(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]),
            turn: raw::Turn {
                udp_port: Some(TurnUdp::Off),
                ..raw::Turn::default()
            },
            ..Raw::default()
        };
        Self::resolve(raw).expect("nothing here can be refused")
    }

    /// Where others find it, as far as the settings know.
    pub(crate) fn public_url(&self) -> String {
        let port = self.tls.https_port.unwrap_or(443);
        match (&self.domain, port, &self.tls.source) {
            (Some(domain), 443, _) => format!("https://{domain}"),
            (Some(domain), port, _) => format!("https://{domain}:{port}"),
            (None, _, CertificateSource::None) => format!("http://localhost:{}", self.port),
            (None, _, _) => format!("https://localhost:{}", self.port),
        }
    }

    /// Keys whose secret is shorter than it should be.
    pub fn weak_keys(&self) -> impl Iterator<Item = &str> {
        self.keys
            .iter()
            .filter(|(_, secret)| secret.reveal().len() < SECRET_CHARS_MIN)
            .map(|(name, _)| name.as_str())
    }
}

impl Rooms {
    fn resolve(raw: raw::Rooms) -> Result<Self, ConfigError> {
        let (mesh, sfu) = (raw.mesh.unwrap_or_default(), raw.sfu.unwrap_or_default());
        if let Some(both) = mesh.iter().find(|name| sfu.contains(name)) {
            return Err(ConfigError::Value {
                key: "rooms.mesh",
                message: format!("{both:?} is in rooms.sfu, too"),
            });
        }
        Ok(Self {
            auto_create: raw.auto_create.unwrap_or(true),
            empty_timeout: Duration::from_secs(raw.empty_timeout_s.unwrap_or(300).into()),
            departure_timeout: Duration::from_secs(raw.departure_timeout_s.unwrap_or(20).into()),
            peers_max: limit(raw.peers_max, 0),
            peers_per_shard: positive("rooms.peers_per_shard", raw.peers_per_shard.unwrap_or(500))?,
            mesh,
            sfu,
            relay: raw.relay.unwrap_or_default(),
        })
    }

    /// Whether nobody in a room of that name is to learn another's address.
    pub(crate) fn hides_addresses(&self, name: &str) -> bool {
        self.relay.iter().any(|of| fitting(of, name).is_some())
    }

    /// What a room of that name is bound to, unless whoever makes it says otherwise.
    pub(crate) fn topology(&self, name: &str) -> Option<Topology> {
        let length = |names: &[String]| names.iter().filter_map(|of| fitting(of, name)).max();
        let (mesh, sfu) = (length(&self.mesh), length(&self.sfu));
        match mesh.max(sfu) {
            None => None,
            longest if longest == mesh => Some(Topology::Mesh),
            Some(_) => Some(Topology::Sfu),
        }
    }
}

/// How well a name of the settings fits: exactly, or as the beginning of others.
fn fitting(of: &str, name: &str) -> Option<usize> {
    match of.strip_suffix('*') {
        Some(start) => name.starts_with(start).then_some(of.len()),
        // Nothing fits better.
        None => (of == name).then_some(usize::MAX),
    }
}

impl Compat {
    fn resolve(raw: raw::Compat) -> Self {
        let is_open = raw.open.unwrap_or(false);
        let port = |written: Option<u16>, usual: u16| written.or(is_open.then_some(usual));
        Self {
            rooms: raw.rooms.unwrap_or_default(),
            tokens: raw.tokens.unwrap_or_default(),
            origins: raw.origins.unwrap_or_default(),
            spider: CompatPort {
                port: port(raw.spider.port, 8267),
            },
            kurento: CompatKurento {
                port: port(raw.kurento.port, 8443),
                rpc_port: port(raw.kurento.rpc_port, 8888),
            },
            sfu: CompatPort {
                port: port(raw.sfu.port, 8080),
            },
            signalling: CompatSignalling {
                port: port(raw.signalling.port, 3030),
                tokens: raw.signalling.tokens.unwrap_or_default(),
            },
        }
    }
}

impl Bind {
    /// Of media, which is accepted only from who was let in by signalling: in development mode, too, everywhere unless somebody
    /// chose addresses, because browsers do not pair theirs with a loopback one.
    pub fn of_media(&self) -> Self {
        if !self.is_default {
            return self.clone();
        }
        Self {
            addresses: vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            is_default: true,
        }
    }

    pub fn is_loopback(&self) -> bool {
        self.addresses.iter().all(IpAddr::is_loopback)
    }
}

impl Secret {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Who may come in decides where we listen, and the other way round: without keys only this machine, unless somebody
/// said in so many words that everybody may. Whoever names a domain and its certificate wants others to come.
fn access(
    dev: Option<bool>,
    bind: Option<Vec<IpAddr>>,
    is_without_keys: bool,
    is_for_others: bool,
) -> Result<(bool, Bind), ConfigError> {
    if bind.as_ref().is_some_and(Vec::is_empty) {
        let message = "name at least one address, or leave it out".to_owned();
        return Err(ConfigError::Value {
            key: "bind",
            message,
        });
    }
    let is_default = bind.is_none();
    let everywhere = || vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let chosen = bind.or_else(|| is_for_others.then(everywhere));
    let is_public = chosen
        .as_ref()
        .is_some_and(|addresses| !addresses.iter().all(IpAddr::is_loopback));
    let dev = dev.unwrap_or(is_without_keys && !is_public);
    if is_without_keys && !dev {
        return Err(match chosen {
            Some(addresses) if is_public => ConfigError::Open {
                addresses: addresses
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            },
            Some(_) | None => ConfigError::NoKeys,
        });
    }
    let addresses = chosen.unwrap_or_else(|| {
        if dev {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        } else {
            everywhere()
        }
    });
    Ok((
        dev,
        Bind {
            addresses,
            is_default,
        },
    ))
}

/// An address that no client could send to is a slip.
fn announced(written: Option<Vec<IpAddr>>) -> Result<Vec<IpAddr>, ConfigError> {
    let addresses = written.unwrap_or_default();
    let wrong = addresses
        .iter()
        .find(|ip| ip.is_unspecified() || ip.is_multicast());
    match wrong {
        Some(ip) => Err(ConfigError::Value {
            key: "announce",
            message: format!("{ip} is no address that a client could send to"),
        }),
        None => Ok(addresses),
    }
}

/// With the port of STUN if none is given.
fn stun_server(written: &str) -> Result<String, ConfigError> {
    let written = written.trim();
    let is_bare_v6 = written.parse::<Ipv6Addr>().is_ok();
    let (host, port) = match written.rsplit_once(':') {
        Some((host, port)) if !is_bare_v6 => (host, port.parse().ok()),
        Some(_) | None => (written, Some(STUN_PORT)),
    };
    // `stun:host:port` is how pages write it.
    let is_host =
        !host.is_empty() && !host.starts_with("stun:") && !host.contains(['/', ' ', '?', '@']);
    match port {
        Some(port) if port > 0 && is_host => {
            if is_bare_v6 {
                Ok(format!("[{host}]:{port}"))
            } else {
                Ok(format!("{host}:{port}"))
            }
        }
        Some(_) | None => Err(ConfigError::Value {
            key: "stun_server",
            message: format!(
                "{written:?} is no server: write host:port, such as stun.example.org:3478"
            ),
        }),
    }
}

fn shards(written: Option<u8>) -> Result<u8, ConfigError> {
    match written {
        Some(count) if (1..=SHARDS_MAX).contains(&count) => Ok(count),
        Some(count) => Err(ConfigError::Value {
            key: "shards",
            message: format!("{count} is not within 1 to {SHARDS_MAX}"),
        }),
        None => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let shards = if cores <= CORES_OF_ONE_SHARD {
                1
            } else {
                cores / 2
            };
            Ok(u8::try_from(shards).unwrap_or(SHARDS_MAX).min(SHARDS_MAX))
        }
    }
}

fn positive(key: &'static str, value: u32) -> Result<u32, ConfigError> {
    if value == 0 {
        let message = "must be at least 1".to_owned();
        return Err(ConfigError::Value { key, message });
    }
    Ok(value)
}

/// 0 is written for "no limit".
fn limit(written: Option<u32>, default: u32) -> Option<u32> {
    Some(written.unwrap_or(default)).filter(|value| *value > 0)
}

#[cfg(test)]
mod tests;
