//! Our ICE user fragment names the shard and the slot of its connection, so that a STUN message finds its owner from
//! any socket without a table. What follows is random and makes it unguessable, with the password.

use std::fmt::Write as _;

use crate::api::{Entropy, ShardId};
use crate::io::Slot;

/// ICE characters (RFC 8839 §5.4): letters, digits, `+`, `/`.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const OWNER_DIGITS: usize = 10;
const RANDOM_CHARS: usize = 12;
const PASSWORD_CHARS: usize = 32;

const STUN_HEADER_BYTES: usize = 20;
const STUN_MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const STUN_USERNAME: u16 = 0x0006;

/// Local ICE credentials of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

impl Credentials {
    pub(crate) fn new(shard: ShardId, slot: Slot, entropy: &mut dyn Entropy) -> Self {
        let mut ufrag = String::with_capacity(OWNER_DIGITS + RANDOM_CHARS);
        write!(ufrag, "{:02x}{:08x}", shard.0, slot.0).expect("writing to a string");
        ice_chars(&mut ufrag, RANDOM_CHARS, entropy);
        let mut password = String::with_capacity(PASSWORD_CHARS);
        ice_chars(&mut password, PASSWORD_CHARS, entropy);
        Self { ufrag, password }
    }
}

/// Whose the user fragment is, if it is one of ours.
pub fn owner_of_ufrag(ufrag: &[u8]) -> Option<(ShardId, Slot)> {
    if ufrag.len() != OWNER_DIGITS + RANDOM_CHARS {
        return None;
    }
    let text = std::str::from_utf8(ufrag.get(..OWNER_DIGITS)?).ok()?;
    let shard = u8::from_str_radix(text.get(..2)?, 16).ok()?;
    let slot = u32::from_str_radix(text.get(2..)?, 16).ok()?;
    Some((ShardId(shard), Slot(slot)))
}

/// Whose connection a STUN request is meant for: the first half of its USERNAME (RFC 8445 §7.2.2).
pub fn owner_of_stun(datagram: &[u8]) -> Option<(ShardId, Slot)> {
    if datagram.get(4..8)? != STUN_MAGIC {
        return None;
    }
    let mut rest = datagram.get(STUN_HEADER_BYTES..)?;
    loop {
        let (kind, length) = (be16(rest, 0)?, usize::from(be16(rest, 2)?));
        let value = rest.get(4..4 + length)?;
        if kind == STUN_USERNAME {
            let ours = value.split(|byte| *byte == b':').next()?;
            return owner_of_ufrag(ours);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn ice_chars(text: &mut String, count: usize, entropy: &mut dyn Entropy) {
    let mut random = vec![0; count];
    entropy.fill(&mut random);
    for byte in random {
        let index = usize::from(byte & 63);
        text.push(char::from(*ICE_CHARS.get(index).expect("64 characters")));
    }
}

#[cfg(test)]
mod tests;
