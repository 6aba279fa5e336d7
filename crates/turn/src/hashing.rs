//! Flows are looked up for each packet: two words of one are hashed by a multiplication each, with a key that nobody knows. Only
//! who has shown credentials adds an entry, so that strangers cannot fill one place of the table.

use std::hash::{BuildHasher, Hash, Hasher};

use aws_lc_rs::hmac;

use crate::api::Flow;

#[derive(Clone, Copy)]
pub(crate) struct Keyed([u64; 2]);

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed")
    }
}

impl Keyed {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"flows");
        let word = |from: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&tag.as_ref()[from..from + 8]);
            u64::from_be_bytes(bytes)
        };
        Self([word(0), word(8) | 1])
    }
}

impl BuildHasher for Keyed {
    type Hasher = Words;

    fn build_hasher(&self) -> Words {
        let [state, key] = self.0;
        Words { state, key }
    }
}

#[derive(Debug)]
pub(crate) struct Words {
    state: u64,
    key: u64,
}

impl Hasher for Words {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.key);
        let [low, high] = [product, product >> 64].map(|half| half & u128::from(u64::MAX));
        // Each is 64 bits.
        self.state = u64::try_from(low ^ high).unwrap_or_default();
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}

impl Hash for Flow {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut transport = self.transport as u64;
        for address in [&self.client, &self.local] {
            let port = u64::from(address.port());
            match address {
                std::net::SocketAddr::V4(address) => {
                    let ip = u64::from(address.ip().to_bits());
                    state.write_u64(transport << 48 | ip << 16 | port);
                }
                std::net::SocketAddr::V6(address) => {
                    let [a, b, c, d, e, f, g, h] = address.ip().segments().map(u64::from);
                    state.write_u64(a << 48 | b << 32 | c << 16 | d);
                    state.write_u64(e << 48 | f << 32 | g << 16 | h);
                    state.write_u64(transport << 48 | port);
                }
            }
            transport = 0;
        }
    }
}

#[cfg(test)]
mod tests;
