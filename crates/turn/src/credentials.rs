//! Long-term credentials (RFC 8489 §9.2) and those that carry their own end: `expiry:participant`, with a password that is
//! an HMAC of it (the TURN REST API of draft-uberti-behave-turn-rest-00).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use std::time::Duration;

pub const USER_HASH_BYTES: usize = 32;

/// How a password becomes a key (RFC 8489 §18.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    /// What we offer: number and (no) parameters of each, the better one first.
    pub(crate) const OFFERED: [u8; 8] = [0, 2, 0, 0, 0, 1, 0, 0];

    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        match value {
            [0, 1, 0, 0] => Some(Self::Md5),
            [0, 2, 0, 0] => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// The long-term key of somebody.
#[derive(Clone)]
pub(crate) struct Key {
    algorithm: Algorithm,
    bytes: [u8; 32],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(key)")
    }
}

impl Key {
    pub(crate) fn long_term(
        algorithm: Algorithm,
        username: &[u8],
        realm: &[u8],
        password: &[u8],
    ) -> Self {
        let mut bytes = [0; 32];
        match algorithm {
            Algorithm::Md5 => {
                let mut md5 = Md5::new();
                for part in [username, b":", realm, b":", password] {
                    md5.update(part);
                }
                bytes[..16].copy_from_slice(&md5.finalize());
            }
            Algorithm::Sha256 => {
                let mut sha256 = digest::Context::new(&digest::SHA256);
                for part in [username, b":", realm, b":", password] {
                    sha256.update(part);
                }
                bytes.copy_from_slice(sha256.finish().as_ref());
            }
        }
        Self { algorithm, bytes }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn sha1(&self, message: &[u8]) -> hmac::Tag {
        tag(&self.with(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY), &[message])
    }

    pub(crate) fn sha256(&self, message: &[u8]) -> hmac::Tag {
        tag(&self.with(hmac::HMAC_SHA256), &[message])
    }

    pub(crate) fn verify_sha1(&self, message: &[&[u8]], said: &[u8]) -> bool {
        let tag = tag(&self.with(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY), message);
        verify_slices_are_equal(tag.as_ref(), said).is_ok()
    }

    pub(crate) fn verify_sha256(&self, message: &[&[u8]], said: &[u8]) -> bool {
        let tag = tag(&self.with(hmac::HMAC_SHA256), message);
        verify_slices_are_equal(tag.as_ref(), said).is_ok()
    }

    fn with(&self, algorithm: hmac::Algorithm) -> hmac::Key {
        let bytes = match self.algorithm {
            Algorithm::Md5 => &self.bytes[..16],
            Algorithm::Sha256 => &self.bytes[..],
        };
        hmac::Key::new(algorithm, bytes)
    }

    /// RFC 5769 has short-term ones: the password itself.
    #[cfg(test)]
    pub(crate) fn short_term(password: &str) -> Self {
        assert!(password.len() <= 32);
        let mut bytes = [0; 32];
        bytes[..password.len()].copy_from_slice(password.as_bytes());
        // Zeros at the end of a key that is shorter than a block change nothing (RFC 2104 §2).
        Self {
            algorithm: Algorithm::Sha256,
            bytes,
        }
    }
}

fn tag(key: &hmac::Key, message: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in message {
        context.update(part);
    }
    context.sign()
}

/// What stands for a name that is not to be seen (RFC 8489 §14.4).
pub fn user_hash(username: &[u8], realm: &[u8]) -> [u8; USER_HASH_BYTES] {
    let mut sha256 = digest::Context::new(&digest::SHA256);
    for part in [username, b":", realm] {
        sha256.update(part);
    }
    let mut hash = [0; USER_HASH_BYTES];
    hash.copy_from_slice(sha256.finish().as_ref());
    hash
}

/// Makes credentials that end by themselves, and knows them again without a store.
pub struct Mint(hmac::Key);

#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mint")
    }
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Mint {
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret))
    }

    /// `expires`: since 1970.
    pub fn mint(&self, participant: &str, expires: Duration) -> Minted {
        let username = format!("{}:{participant}", expires.as_secs());
        Minted {
            password: self.password(username.as_bytes()),
            username,
        }
    }

    pub fn password(&self, username: &[u8]) -> String {
        STANDARD.encode(hmac::sign(&self.0, username))
    }

    /// Whom a name is for, unless it has ended. That it is one of ours is seen only by the password.
    pub fn participant(wall: Duration, username: &[u8]) -> Option<&str> {
        let text = std::str::from_utf8(username).ok()?;
        let (expires, participant) = text.split_once(':')?;
        let expires = Duration::from_secs(expires.parse().ok()?);
        (wall < expires).then_some(participant)
    }
}

#[cfg(test)]
mod tests;
