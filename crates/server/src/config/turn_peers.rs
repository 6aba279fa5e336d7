//! Whom the relay reaches, by which ports, and for whom besides the members of rooms.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use madang_turn::{Network, NotANetwork, Special};
use serde::Deserialize;

use super::{ConfigError, Secret};

/// RFC 6335: nobody has registered them.
pub(super) const RELAY_PORTS: RangeInclusive<u16> = 49_152..=65_535;
const RELAY_PORT_MIN: u16 = 1_024;
/// What a program can say of itself (RFC 8489 §14.3), and less than what it would take to guess.
const USER_CHARS_MAX: usize = 128;
const PASSWORD_CHARS_MIN: usize = 12;

/// Whom clients reach by the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TurnPeers {
    #[default]
    Room,
    Public,
    Any,
}

pub(super) fn peers(
    written: Option<TurnPeers>,
    is_here_only: bool,
    beyond: Option<bool>,
) -> Result<TurnPeers, ConfigError> {
    let peers = written.unwrap_or_default();
    if peers == TurnPeers::Any && !is_here_only && beyond != Some(true) {
        let message = "\"any\" lets clients reach private networks, and others than this machine may come: write \"public\", or bind = [\"127.0.0.1\"], or, if you mean it, turn.any_beyond_loopback = true";
        return Err(ConfigError::Value {
            key: "turn.peers",
            message: message.to_owned(),
        });
    }
    Ok(peers)
}

pub(super) fn allowed(
    written: Option<Vec<String>>,
    peers: TurnPeers,
) -> Result<Vec<Network>, ConfigError> {
    let key = "turn.allow";
    let networks = networks(key, written.unwrap_or_default())?;
    if !networks.is_empty() && peers != TurnPeers::Public {
        let message =
            "means something with turn.peers = \"public\" only: set that, or leave it out";
        return Err(ConfigError::Value {
            key,
            message: message.to_owned(),
        });
    }
    match never(&networks) {
        Some((network, what)) => Err(ConfigError::Value {
            key,
            message: format!("{network} is {what}, which is never relayed to: leave it out"),
        }),
        None => Ok(networks),
    }
}

pub(super) fn networks(
    key: &'static str,
    written: Vec<String>,
) -> Result<Vec<Network>, ConfigError> {
    let network = |text: String| {
        text.trim().parse().map_err(|wrong| {
            let remedy = match wrong {
                NotANetwork::Address | NotANetwork::Bits => {
                    "write an address and how many of its bits count, such as 10.20.0.0/16 or fd00:1::/32".to_owned()
                }
                NotANetwork::Host(meant) => {
                    format!("there are bits after those that count: {meant} is the network")
                }
            };
            let message = format!("{text:?} is no network: {remedy}");
            ConfigError::Value { key, message }
        })
    };
    written.into_iter().map(network).collect()
}

fn never(allowed: &[Network]) -> Option<(Network, &'static str)> {
    allowed.iter().find_map(|network| {
        let what = match network.is_never_allowed()? {
            Special::Loopback => "this machine itself",
            Special::LinkLocal => "link-local",
            Special::Multicast => "multicast",
            Special::Unspecified | Special::Private | Special::Reserved => "nobody's address",
        };
        Some((*network, what))
    })
}

pub(super) fn port_range(written: &str) -> Result<RangeInclusive<u16>, ConfigError> {
    let ends = written.split_once('-').and_then(|(first, last)| {
        let first: u16 = first.trim().parse().ok()?;
        let last: u16 = last.trim().parse().ok()?;
        Some((first, last))
    });
    match ends {
        Some((first, last)) if first >= RELAY_PORT_MIN && first < last => Ok(first..=last),
        Some(_) | None => Err(ConfigError::Value {
            key: "turn.relay_ports",
            message: format!(
                "{written:?} is no range: write the first and the last port, {RELAY_PORT_MIN} or above, such as 49152-65535"
            ),
        }),
    }
}

pub(super) fn users(
    written: BTreeMap<String, Secret>,
    peers: TurnPeers,
) -> Result<BTreeMap<String, Secret>, ConfigError> {
    let refused = |message: String| {
        let key = "turn.users";
        Err(ConfigError::Value { key, message })
    };
    if !written.is_empty() && peers == TurnPeers::Room {
        return refused(
            "they are in no room, so that turn.peers = \"room\" lets them reach nobody: set turn.peers = \"public\", or leave them out"
                .to_owned(),
        );
    }
    for (name, password) in &written {
        // With a colon it would be one of those that are made for members of a room.
        let is_name = !name.is_empty() && name.len() <= USER_CHARS_MAX && !name.contains(':');
        if !is_name {
            return refused(format!(
                "{name:?} is no name: 1 to {USER_CHARS_MAX} characters, no colon"
            ));
        }
        let chars_min = if peers == TurnPeers::Any {
            1
        } else {
            PASSWORD_CHARS_MIN
        };
        if password.reveal().len() < chars_min {
            return refused(format!(
                "the password of {name:?} must have at least {chars_min} characters: whoever guesses it can send from this machine"
            ));
        }
    }
    Ok(written)
}
