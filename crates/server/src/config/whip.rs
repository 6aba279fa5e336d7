//! Stream keys: what encoders and players show that cannot make access tokens.

use std::collections::BTreeMap;

use madang_signalling::livekit::{IDENTITY_BYTES_MAX, ROOM_NAME_BYTES_MAX};

use super::{ConfigError, Secret, raw};

/// Shorter ones are soon guessed.
const KEY_CHARS_MIN: usize = 16;
/// Of who publishes with a key that names nobody.
const IDENTITY: &str = "stream";

/// The door for WHIP and WHEP.
#[derive(Debug, Clone, Default)]
pub struct Whip {
    /// Who shows one publishes.
    pub stream_keys: Vec<StreamKey>,
    /// Who shows one watches.
    pub watch_keys: Vec<StreamKey>,
}

#[derive(Debug, Clone)]
pub struct StreamKey {
    pub room: String,
    pub identity: String,
    pub secret: Secret,
}

impl Whip {
    pub(super) fn resolve(raw: raw::Whip) -> Result<Self, ConfigError> {
        Ok(Self {
            stream_keys: keys("whip.stream_keys", raw.stream_keys)?,
            watch_keys: keys("whip.watch_keys", raw.watch_keys)?,
        })
    }
}

fn keys(
    key: &'static str,
    written: Option<BTreeMap<String, Secret>>,
) -> Result<Vec<StreamKey>, ConfigError> {
    let refused = |message: String| Err(ConfigError::Value { key, message });
    let mut keys: Vec<StreamKey> = Vec::new();
    for (name, secret) in written.unwrap_or_default() {
        let (room, identity) = name.rsplit_once('/').unwrap_or((&name, IDENTITY));
        let is_named = (1..=ROOM_NAME_BYTES_MAX).contains(&room.len())
            && (1..=IDENTITY_BYTES_MAX).contains(&identity.len());
        if !is_named {
            return refused(format!("{name:?} is neither a room nor room/identity"));
        }
        if secret.reveal().len() < KEY_CHARS_MIN {
            let message = format!("the key of {name:?} has fewer than {KEY_CHARS_MIN} characters");
            return refused(message);
        }
        if keys.iter().any(|known| known.secret == secret) {
            return refused(format!("{name:?} has the same key as another"));
        }
        keys.push(StreamKey {
            room: room.to_owned(),
            identity: identity.to_owned(),
            secret,
        });
    }
    Ok(keys)
}
