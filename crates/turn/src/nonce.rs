//! Nonces that nobody has to keep (RFC 8489 §9.2): the time, sealed together with the address that they were given to.
//! They are short, as they are in the answer that anybody gets: 12 bits of time, 30 of the seal. Nobody gains by guessing:
//! a nonce is covered by the integrity of whoever uses it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aws_lc_rs::hmac;

/// RFC 8489 §9.2: says that what follows are features.
const COOKIE: &[u8; 9] = b"obMatJos2";
/// Password algorithms and anonymous names, as 24 bits in base64.
const FEATURES: &[u8; 4] = b"wAAA";
const STATE_CHARS: usize = 7;
pub(crate) const NONCE_BYTES: usize = COOKIE.len() + FEATURES.len() + STATE_CHARS;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const STEP_S: u64 = 16;
const STEP_BITS: u32 = 12;
const SEAL_BITS: u32 = 30;
/// A nonce is good for this long, to a step.
const LIFETIME: Duration = Duration::from_secs(600);

pub(crate) type Nonce = [u8; NONCE_BYTES];

pub(crate) struct Nonces(hmac::Key);

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces")
    }
}

impl Nonces {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(crate) fn make(&self, wall: Duration, client: SocketAddr) -> Nonce {
        self.at(wall.as_secs() / STEP_S, client)
    }

    /// Given to this address by us, not too long ago.
    pub(crate) fn is_good(&self, wall: Duration, client: SocketAddr, nonce: &[u8]) -> bool {
        let Some(said) = steps(nonce) else {
            return false;
        };
        let present = wall.as_secs() / STEP_S;
        // The latest time that ends with these bits.
        let age = present.wrapping_sub(said) & ((1 << STEP_BITS) - 1);
        age <= LIFETIME.as_secs() / STEP_S
            && nonce == self.at(present.saturating_sub(age), client).as_slice()
    }

    fn at(&self, step: u64, client: SocketAddr) -> Nonce {
        let mut context = hmac::Context::with_key(&self.0);
        match client.ip() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&client.port().to_be_bytes());
        context.update(&step.to_be_bytes());
        let tag = context.sign();
        let mut seal = [0; 8];
        seal.copy_from_slice(&tag.as_ref()[..8]);
        let seal = u64::from_be_bytes(seal) & ((1 << SEAL_BITS) - 1);
        let state = (step & ((1 << STEP_BITS) - 1)) << SEAL_BITS | seal;
        let mut nonce = [0; NONCE_BYTES];
        let fixed = COOKIE.iter().chain(FEATURES).copied();
        let digits = (0..STATE_CHARS).rev().map(|place| {
            let digit = usize::try_from(state >> (6 * place) & 63).expect("6 bits");
            ALPHABET[digit]
        });
        for (place, byte) in nonce.iter_mut().zip(fixed.chain(digits)) {
            *place = byte;
        }
        nonce
    }
}

/// The time that a nonce says, if it has our form.
fn steps(nonce: &[u8]) -> Option<u64> {
    if nonce.len() != NONCE_BYTES {
        return None;
    }
    let state = nonce.strip_prefix(COOKIE)?.strip_prefix(FEATURES)?;
    let mut value = 0;
    for digit in state {
        let digit = ALPHABET.iter().position(|known| known == digit)?;
        value = value << 6 | u64::try_from(digit).ok()?;
    }
    Some(value >> SEAL_BITS)
}

#[cfg(test)]
mod tests;
