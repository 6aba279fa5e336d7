use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    CHANNEL_HEADER_BYTES, COOKIE, Class, FINGERPRINT_XOR, HEADER_BYTES, Method, TransactionId,
    attribute, be16,
};
use crate::credentials::Key;

const ATTRIBUTE_HEADER_BYTES: usize = 4;
const SHA1_BYTES: usize = 20;
/// RFC 8489 §14.6 lets usages truncate it; the long-term mechanism does not.
const SHA256_BYTES: usize = 32;
const FAMILY_IPV4: u8 = 1;
const FAMILY_IPV6: u8 = 2;

/// Whose structure is sound; what it says is still to be believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    pub(crate) method: Option<Method>,
    pub(crate) class: Class,
    /// Attributes end here, for all that we read: what comes after an integrity is not covered by it.
    end: usize,
    integrity: Option<usize>,
    integrity_sha256: Option<usize>,
}

/// Which of the two a message has; answers have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integrity {
    Sha1,
    Sha256,
}

impl<'a> Message<'a> {
    /// None: no STUN message, or one whose attributes do not fit, or whose fingerprint is wrong.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let kind = be16(bytes, 0)?;
        let length = usize::from(be16(bytes, 2)?);
        if kind & 0xc000 != 0
            || !length.is_multiple_of(4)
            || bytes.len() != HEADER_BYTES + length
            || bytes.get(4..8)? != COOKIE
        {
            return None;
        }
        let mut message = Self {
            bytes,
            method: Method::of(kind),
            class: Class::of(kind),
            end: bytes.len(),
            integrity: None,
            integrity_sha256: None,
        };
        let mut fingerprint = None;
        let mut all = Attributes {
            bytes,
            at: HEADER_BYTES,
            end: bytes.len(),
        };
        while all.at < all.end {
            let at = all.at;
            let (kind, value) = all.read()?;
            // Nothing may follow it (RFC 8489 §14.7).
            if fingerprint.is_some() {
                return None;
            }
            match kind {
                attribute::MESSAGE_INTEGRITY if message.is_open() => {
                    message.integrity = Some(at);
                    message.end = at;
                }
                attribute::MESSAGE_INTEGRITY_SHA256 if message.integrity_sha256.is_none() => {
                    message.integrity_sha256 = Some(at);
                    message.end = message.end.min(at);
                }
                attribute::FINGERPRINT => {
                    fingerprint = Some((at, u32::from_be_bytes(value.try_into().ok()?)));
                    message.end = message.end.min(at);
                }
                _ => {}
            }
        }
        match fingerprint {
            Some((at, said)) => {
                let sum = crc32fast::hash(bytes.get(..at)?) ^ FINGERPRINT_XOR;
                (sum == said).then_some(message)
            }
            None => Some(message),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn transaction(&self) -> TransactionId {
        let id = self.bytes.get(8..HEADER_BYTES);
        id.and_then(|id| id.try_into().ok()).unwrap_or_default()
    }

    /// The first of that kind: what is said twice is not said again.
    pub(crate) fn get(&self, wanted: u16) -> Option<&'a [u8]> {
        self.all(wanted).next()
    }

    pub(crate) fn has(&self, wanted: u16) -> bool {
        self.get(wanted).is_some()
    }

    pub(crate) fn all(&self, wanted: u16) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.attributes()
            .filter(move |(kind, _)| *kind == wanted)
            .map(|(_, value)| value)
    }

    /// Of these the request must be refused, or the indication ignored.
    pub(crate) fn not_understood(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.attributes()
            .map(|(kind, _)| kind)
            .filter(|kind| !attribute::is_understood(*kind))
    }

    /// The stronger one counts, if there are two (RFC 8489 §9.2.4).
    pub(crate) fn integrity(&self) -> Option<Integrity> {
        match (self.integrity_sha256, self.integrity) {
            (Some(_), _) => Some(Integrity::Sha256),
            (None, Some(_)) => Some(Integrity::Sha1),
            (None, None) => None,
        }
    }

    pub(crate) fn is_sealed_with(&self, key: &Key) -> bool {
        self.is_sealed(key).unwrap_or(false)
    }

    pub(crate) fn address(&self, wanted: u16) -> Option<SocketAddr> {
        xor_address(self.get(wanted)?, &self.transaction())
    }

    fn is_open(&self) -> bool {
        self.integrity.is_none() && self.integrity_sha256.is_none()
    }

    fn is_sealed(&self, key: &Key) -> Option<bool> {
        let (at, size) = match (self.integrity_sha256, self.integrity) {
            (Some(at), _) => (at, SHA256_BYTES),
            (None, Some(at)) => (at, SHA1_BYTES),
            (None, None) => return None,
        };
        if usize::from(be16(self.bytes, at + 2)?) != size {
            return None;
        }
        let start = at + ATTRIBUTE_HEADER_BYTES;
        let said = self.bytes.get(start..start + size)?;
        // As if the message ended with it (RFC 8489 §14.5).
        let length = u16::try_from(start + size - HEADER_BYTES).ok()?;
        let parts = [
            self.bytes.get(..2)?,
            &length.to_be_bytes(),
            self.bytes.get(4..at)?,
        ];
        Some(if size == SHA1_BYTES {
            key.verify_sha1(&parts, said)
        } else {
            key.verify_sha256(&parts, said)
        })
    }

    fn attributes(&self) -> Attributes<'a> {
        Attributes {
            bytes: self.bytes,
            at: HEADER_BYTES,
            end: self.end,
        }
    }
}

struct Attributes<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Attributes<'a> {
    fn read(&mut self) -> Option<(u16, &'a [u8])> {
        let kind = be16(self.bytes, self.at)?;
        let length = usize::from(be16(self.bytes, self.at + 2)?);
        let start = self.at + ATTRIBUTE_HEADER_BYTES;
        let next = start + length.next_multiple_of(4);
        if next > self.end {
            return None;
        }
        self.at = next;
        Some((kind, self.bytes.get(start..start + length)?))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at < self.end {
            self.read()
        } else {
            None
        }
    }
}

/// RFC 8489 §14.2.
pub(crate) fn xor_address(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let family = *value.get(1)?;
    let port = be16(value, 2)? ^ u16::from_be_bytes([0x21, 0x12]);
    let mask = COOKIE.iter().chain(transaction);
    let unmasked = |bytes: &mut [u8]| {
        for (byte, mask) in bytes.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    };
    let ip = match (family, value.len()) {
        (FAMILY_IPV4, 8) => {
            let mut octets: [u8; 4] = value.get(4..8)?.try_into().ok()?;
            unmasked(&mut octets);
            IpAddr::V4(Ipv4Addr::from(octets))
        }
        (FAMILY_IPV6, 20) => {
            let mut octets: [u8; 16] = value.get(4..20)?.try_into().ok()?;
            unmasked(&mut octets);
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ChannelData<'a> {
    pub(crate) number: u16,
    pub(crate) payload: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// What follows the payload is padding.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let number = be16(bytes, 0)?;
        let length = usize::from(be16(bytes, 2)?);
        let payload = bytes.get(CHANNEL_HEADER_BYTES..CHANNEL_HEADER_BYTES + length)?;
        Some(Self { number, payload })
    }
}
