//! What is said of STUN and TURN, and what holds.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use madang_turn::Network;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::turn_peers::{RELAY_PORTS, TurnPeers, allowed, networks, peers, port_range, users};
use super::{ConfigError, SECRET_CHARS_MIN, Secret, positive, raw};

const REALM_CHARS_MAX: usize = 64;
const TTL_S_MAX: u32 = 86_400;
/// RFC 8656 §19.1.
const UDP_PORT: u16 = 3478;

/// STUN and TURN for clients.
#[derive(Debug, Clone)]
pub struct Turn {
    pub enabled: bool,
    pub udp: TurnUdp,
    pub tcp_port: u16,
    pub host: Option<String>,
    /// None: made at the start.
    pub secret: Option<Secret>,
    pub realm: String,
    pub credentials_ttl: Duration,
    pub allocations_max: u32,
    pub allocations_per_peer_max: u32,
    pub bytes_per_second: u64,
    pub replies_per_source_per_second: u16,
    pub peers: TurnPeers,
    pub allow: Vec<Network>,
    pub deny: Vec<Network>,
    /// UDP ports of relayed addresses, where peers elsewhere are let in.
    pub relay_ports: RangeInclusive<u16>,
    pub users: BTreeMap<String, Secret>,
    pub allocations_per_user_max: u32,
}

/// A UDP port for STUN and TURN, beside that of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TurnUdp {
    /// The usual one, unless somebody else has it.
    #[default]
    IfFree,
    Off,
    /// 0: any free one.
    At(u16),
}

impl Turn {
    pub(super) fn resolve(
        raw: raw::Turn,
        udp_port: u16,
        is_here_only: bool,
    ) -> Result<Self, ConfigError> {
        let refused = |key, message: String| Err(ConfigError::Value { key, message });
        let is_short = |secret: &Secret| secret.reveal().len() < SECRET_CHARS_MIN;
        if raw.secret.as_ref().is_some_and(is_short) {
            let message = format!("must have at least {SECRET_CHARS_MIN} characters");
            return refused("turn.secret", message);
        }
        let is_word = |text: &str, bytes_max: usize| {
            let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
            !text.is_empty() && text.len() <= bytes_max && text.bytes().all(is_plain)
        };
        let realm = raw.realm.unwrap_or_else(|| "room".to_owned());
        if !is_word(&realm, REALM_CHARS_MAX) {
            let message = format!("1 to {REALM_CHARS_MAX} plain characters");
            return refused("turn.realm", message);
        }
        let is_host = |host: &String| {
            let has_port = host.contains(':') && host.parse::<Ipv6Addr>().is_err();
            is_word(host, 253) && !has_port && !host.contains(['/', '?', '@', '['])
        };
        if raw.host.as_ref().is_some_and(|host| !is_host(host)) {
            let message = "a name or an address, without a port".to_owned();
            return refused("turn.host", message);
        }
        let udp = raw.udp_port.unwrap_or_default();
        if matches!(udp, TurnUdp::At(port) if port != 0 && port == udp_port) {
            let message = "that is the port of media, which has STUN and TURN in any case: \"off\" means that one".to_owned();
            return refused("turn.udp_port", message);
        }
        let ttl_s = positive(
            "turn.credentials_ttl_s",
            raw.credentials_ttl_s.unwrap_or(3_600),
        )?;
        if ttl_s > TTL_S_MAX {
            let message = format!("at most {TTL_S_MAX}");
            return refused("turn.credentials_ttl_s", message);
        }
        let mbit = positive("turn.mbit_per_s", raw.mbit_per_s.unwrap_or(20))?;
        let of_peer = raw.allocations_per_peer_max.unwrap_or(32);
        let replies = raw.replies_per_ip_per_s.unwrap_or(10);
        positive("turn.replies_per_ip_per_s", replies.into())?;
        let peers = peers(raw.peers, is_here_only, raw.any_beyond_loopback)?;
        let of_user = raw.allocations_per_user_max.unwrap_or(100);
        Ok(Self {
            peers,
            allow: allowed(raw.allow, peers)?,
            deny: networks("turn.deny", raw.deny.unwrap_or_default())?,
            relay_ports: raw
                .relay_ports
                .as_deref()
                .map_or(Ok(RELAY_PORTS), port_range)?,
            users: users(raw.users.unwrap_or_default(), peers)?,
            allocations_per_user_max: positive("turn.allocations_per_user_max", of_user)?,
            enabled: raw.enabled.unwrap_or(true),
            udp,
            tcp_port: raw.tcp_port.unwrap_or(udp_port),
            host: raw.host,
            secret: raw.secret,
            realm,
            credentials_ttl: Duration::from_secs(ttl_s.into()),
            allocations_max: positive(
                "turn.allocations_max",
                raw.allocations_max.unwrap_or(10_000),
            )?,
            allocations_per_peer_max: positive("turn.allocations_per_peer_max", of_peer)?,
            bytes_per_second: u64::from(mbit) * 1_000_000 / 8,
            replies_per_source_per_second: replies,
        })
    }
}

impl TurnUdp {
    /// Which one, as far as the settings know. None: that of media.
    pub fn port(self) -> Option<u16> {
        match self {
            Self::IfFree => Some(UDP_PORT),
            Self::Off => None,
            Self::At(port) => Some(port),
        }
    }
}

impl<'de> Deserialize<'de> for TurnUdp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortOrOff)
    }
}

struct PortOrOff;

impl Visitor<'_> for PortOrOff {
    type Value = TurnUdp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port, or \"off\"")
    }

    fn visit_i64<E: Error>(self, port: i64) -> Result<TurnUdp, E> {
        let port =
            u16::try_from(port).map_err(|_| E::invalid_value(Unexpected::Signed(port), &self))?;
        Ok(TurnUdp::At(port))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<TurnUdp, E> {
        match word {
            "off" => Ok(TurnUdp::Off),
            other => Err(E::invalid_value(Unexpected::Str(other), &self)),
        }
    }
}
