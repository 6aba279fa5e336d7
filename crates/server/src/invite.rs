//! `madang token`: tokens and links that let somebody in.

use std::collections::BTreeMap;

use madang_signalling::livekit::{ATTRIBUTES_BYTES_MAX, Claims, VideoClaims};

use crate::auth::Keys;
use crate::cli::Token;
use crate::config::Config;
use crate::time::now;

#[derive(Debug, thiserror::Error)]
pub enum TokenWishError {
    #[error("there is no key {0:?} in the settings")]
    NoKey(String),
    #[error("a room and an identity have 1 to 256 bytes")]
    Name,
    #[error("the attribute {0:?} is given twice")]
    Twice(String),
    #[error("attributes have at most {ATTRIBUTES_BYTES_MAX} bytes")]
    Attributes,
}

/// The token, or the link with it.
pub fn token(config: &Config, wish: &Token) -> Result<String, TokenWishError> {
    let bytes_max = madang_signalling::livekit::IDENTITY_BYTES_MAX;
    let is_fine = |text: &str| (1..=bytes_max).contains(&text.len());
    if !is_fine(&wish.room) || !is_fine(&wish.identity) {
        return Err(TokenWishError::Name);
    }
    let attributes = attributes(&wish.attributes)?;
    let keys = Keys::new(&config.keys);
    let key = wish.key.as_deref().or(keys.first()).unwrap_or_default();
    let claims = Claims {
        sub: wish.identity.clone(),
        name: wish.name.clone().unwrap_or_default(),
        attributes,
        video: Some(VideoClaims {
            room_join: true,
            room: wish.room.clone(),
            room_admin: wish.admin,
            room_create: wish.admin,
            room_list: wish.admin,
            can_publish: wish.no_publish.then_some(false),
            can_publish_data: wish.no_publish.then_some(false),
            can_subscribe: wish.no_subscribe.then_some(false),
            // The app keeps a raised hand there.
            can_update_own_metadata: (wish.can_update_metadata || wish.link.is_some())
                .then_some(true),
            hidden: wish.hidden,
            ..VideoClaims::default()
        }),
        ..Claims::default()
    };
    let token = keys
        .sign(key, claims, now().wall, wish.ttl)
        .ok_or_else(|| TokenWishError::NoKey(key.to_owned()))?;
    Ok(match &wish.link {
        Some(link) => {
            let usual = config.public_url();
            let link = if link.is_empty() { &usual } else { link };
            let (site, room) = (link.trim_end_matches('/'), percent_encoded(&wish.room));
            format!("{site}/r/{room}#token={token}")
        }
        None => token,
    })
}

/// As the server takes them: it refuses a token with more.
fn attributes(wanted: &[(String, String)]) -> Result<BTreeMap<String, String>, TokenWishError> {
    let bytes: usize = wanted
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > ATTRIBUTES_BYTES_MAX {
        return Err(TokenWishError::Attributes);
    }
    let mut attributes = BTreeMap::new();
    for (key, value) in wanted {
        if attributes.insert(key.clone(), value.clone()).is_some() {
            return Err(TokenWishError::Twice(key.clone()));
        }
    }
    Ok(attributes)
}

/// As a segment of a path (RFC 3986 §3.3): everything but the unreserved characters is escaped.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string");
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
