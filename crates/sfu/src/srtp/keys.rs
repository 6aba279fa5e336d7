//! From the secret of the handshake to the keys of a session.

use std::fmt;

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use zeroize::Zeroizing;

use super::cipher::Suite;
use super::{Opener, Sealer};

pub(super) const KEY_LEN_MAX: usize = 32;
/// Of AES-CM; those of GCM are two bytes shorter.
pub(super) const SALT_LEN_MAX: usize = 14;
/// Of HMAC-SHA1 (RFC 3711 §8.2).
pub(super) const AUTH_KEY_LEN: usize = 20;

/// What the handshake agreed on: a protection profile of RFC 5764 §4.1.2 or RFC 7714 §14.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    AeadAes128Gcm,
    AeadAes256Gcm,
    Aes128CmSha1_80,
}

impl Profile {
    pub(super) const fn key_len(self) -> usize {
        match self {
            Profile::AeadAes128Gcm | Profile::Aes128CmSha1_80 => 16,
            Profile::AeadAes256Gcm => 32,
        }
    }

    pub(super) const fn salt_len(self) -> usize {
        match self {
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => 12,
            Profile::Aes128CmSha1_80 => 14,
        }
    }
}

/// The master keys of both sides. They are wiped when this is dropped.
pub(crate) struct Keys {
    ours: Master,
    theirs: Master,
}

impl Keys {
    /// From the keying material in the order of RFC 5764 §4.2: the client's key, the server's, their salts. `active`
    /// says that we are the client of the handshake. None when the material is not as long as the profile wants it.
    pub(crate) fn new(profile: Profile, material: &[u8], active: bool) -> Option<Keys> {
        let (client_key, rest) = material.split_at_checked(profile.key_len())?;
        let (server_key, rest) = rest.split_at_checked(profile.key_len())?;
        let (client_salt, server_salt) = rest.split_at_checked(profile.salt_len())?;
        if server_salt.len() != profile.salt_len() {
            return None;
        }
        let client = Master::new(profile, client_key, client_salt)?;
        let server = Master::new(profile, server_key, server_salt)?;
        let (ours, theirs) = if active {
            (client, server)
        } else {
            (server, client)
        };
        Some(Keys { ours, theirs })
    }

    /// What seals for the other side, and what opens its packets. Consumes the keys: a second sealer from them would
    /// count its SRTCP indices, and so its nonces, from the start again.
    pub(crate) fn split(self) -> (Sealer, Opener) {
        let sealer = Sealer::new(self.ours.suite(Kind::Rtp), self.ours.suite(Kind::Rtcp));
        let opener = Opener::new(self.theirs.suite(Kind::Rtcp));
        (sealer, opener)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rtp,
    Rtcp,
}

/// The session keys of one side for RTP or for RTCP. AES-GCM has no use for the last.
pub(super) struct Session {
    pub(super) profile: Profile,
    pub(super) key: Zeroizing<[u8; KEY_LEN_MAX]>,
    pub(super) salt: [u8; SALT_LEN_MAX],
    pub(super) auth_key: Zeroizing<[u8; AUTH_KEY_LEN]>,
}

/// One side's master key and salt.
pub(super) struct Master {
    profile: Profile,
    key: Zeroizing<[u8; KEY_LEN_MAX]>,
    /// Followed by zeros, of which the last two are the counter of blocks.
    salt: Zeroizing<[u8; 16]>,
}

impl Master {
    pub(super) fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Master> {
        let mut master = Master {
            profile,
            key: Zeroizing::default(),
            salt: Zeroizing::default(),
        };
        if key.len() != profile.key_len() || salt.len() > SALT_LEN_MAX {
            return None;
        }
        master.key.get_mut(..key.len())?.copy_from_slice(key);
        master.salt.get_mut(..salt.len())?.copy_from_slice(salt);
        Some(master)
    }

    pub(super) fn session(&self, kind: Kind) -> Session {
        let first_label = match kind {
            Kind::Rtp => 0,
            Kind::Rtcp => 3,
        };
        let mut session = Session {
            profile: self.profile,
            key: Zeroizing::default(),
            salt: [0; SALT_LEN_MAX],
            auth_key: Zeroizing::default(),
        };
        self.derive(first_label, &mut session.key[..self.profile.key_len()]);
        self.derive(first_label + 1, session.auth_key.as_mut_slice());
        self.derive(
            first_label + 2,
            &mut session.salt[..self.profile.salt_len()],
        );
        session
    }

    fn suite(&self, kind: Kind) -> Suite {
        Suite::new(&self.session(kind))
    }

    /// RFC 3711 §4.3.1 with a key derivation rate of 0, and §4.3.3; with keys of 256 bits RFC 6188 §3: the key stream
    /// of AES in counter mode, whose counter begins at (label << 48 xor salt) << 16. A salt of 96 bits is
    /// followed by 16 bits of zero (RFC 7714 §11).
    pub(super) fn derive(&self, label: u8, out: &mut [u8]) {
        let mut counter = *self.salt;
        counter[7] ^= label;
        let algorithm = match self.profile.key_len() {
            KEY_LEN_MAX => &AES_256,
            _ => &AES_128,
        };
        out.fill(0);
        UnboundCipherKey::new(algorithm, &self.key[..self.profile.key_len()])
            .and_then(EncryptingKey::ctr)
            .and_then(|key| key.less_safe_encrypt(out, EncryptionContext::Iv128(counter.into())))
            .expect("AES takes a key of its own length and any counter");
    }
}
