use std::net::{IpAddr, SocketAddr};

use super::{COOKIE, Class, HEADER_BYTES, Method, TransactionId, attribute};
use crate::credentials::Key;

/// A message at the end of a buffer. Its padding is zero.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    transaction: TransactionId,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        out: &'a mut Vec<u8>,
        method: Method,
        class: Class,
        transaction: TransactionId,
    ) -> Self {
        let start = out.len();
        out.extend((method.number() | class.bits()).to_be_bytes());
        out.extend([0, 0]);
        out.extend(COOKIE);
        out.extend(transaction);
        Self {
            out,
            start,
            transaction,
        }
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.attribute_of(kind, &[value])
    }

    /// Its value in pieces.
    pub(crate) fn attribute_of(&mut self, kind: u16, value: &[&[u8]]) -> &mut Self {
        let length: usize = value.iter().map(|part| part.len()).sum();
        self.out.extend(kind.to_be_bytes());
        self.out.extend(short(length).to_be_bytes());
        for part in value {
            self.out.extend_from_slice(part);
        }
        let padded = self.out.len() + length.next_multiple_of(4) - length;
        self.out.resize(padded, 0);
        self.set_length(0);
        self
    }

    pub(crate) fn xor_address(&mut self, kind: u16, address: SocketAddr) -> &mut Self {
        let (value, length) = xor_value(address, &self.transaction);
        let value = value.get(..length).unwrap_or_default();
        self.attribute(kind, value)
    }

    pub(crate) fn error(&mut self, code: u16, reason: &str) -> &mut Self {
        let [class, number] = [code / 100, code % 100].map(|part| part.to_be_bytes()[1]);
        self.attribute_of(
            attribute::ERROR_CODE,
            &[&[0, 0, class, number], reason.as_bytes()],
        )
    }

    pub(crate) fn seal_sha1(&mut self, key: &Key) {
        self.set_length(24);
        let tag = key.sha1(self.out.get(self.start..).unwrap_or_default());
        self.attribute(attribute::MESSAGE_INTEGRITY, tag.as_ref());
    }

    pub(crate) fn seal_sha256(&mut self, key: &Key) {
        self.set_length(36);
        let tag = key.sha256(self.out.get(self.start..).unwrap_or_default());
        self.attribute(attribute::MESSAGE_INTEGRITY_SHA256, tag.as_ref());
    }

    /// Last of all. We send none: what we answer to is told apart by who asked.
    #[cfg(test)]
    pub(crate) fn fingerprint(&mut self) {
        self.set_length(8);
        let sum = crc32fast::hash(self.out.get(self.start..).unwrap_or_default());
        let value = (sum ^ super::FINGERPRINT_XOR).to_be_bytes();
        self.attribute(attribute::FINGERPRINT, &value);
    }

    /// Of what is there, and of what is to follow.
    fn set_length(&mut self, more: usize) {
        let length = short(self.out.len() - self.start - HEADER_BYTES + more).to_be_bytes();
        if let Some(place) = self.out.get_mut(self.start + 2..self.start + 4) {
            place.copy_from_slice(&length);
        }
    }
}

fn short(length: usize) -> u16 {
    debug_assert!(length <= usize::from(u16::MAX), "a datagram is shorter");
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn xor_value(address: SocketAddr, transaction: &TransactionId) -> ([u8; 20], usize) {
    let mut value = [0; 20];
    let mut octets = [0; 16];
    let (family, count) = match address.ip() {
        IpAddr::V4(ip) => {
            octets[..4].copy_from_slice(&ip.octets());
            (1, 4)
        }
        IpAddr::V6(ip) => {
            octets = ip.octets();
            (2, 16)
        }
    };
    value[1] = family;
    let port = (address.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]])).to_be_bytes();
    value[2..4].copy_from_slice(&port);
    let masked = octets.iter().zip(COOKIE.iter().chain(transaction));
    for (place, (octet, mask)) in value.iter_mut().skip(4).take(count).zip(masked) {
        *place = octet ^ mask;
    }
    (value, 4 + count)
}

/// RFC 8656 §12.5; `padded`: over a stream.
pub(crate) fn channel_data(out: &mut Vec<u8>, number: u16, payload: &[u8], padded: bool) {
    out.extend(number.to_be_bytes());
    out.extend(short(payload.len()).to_be_bytes());
    out.extend_from_slice(payload);
    if padded {
        let missing = payload.len().next_multiple_of(4) - payload.len();
        out.resize(out.len() + missing, 0);
    }
}

/// RFC 8656 §11.3.
pub(crate) fn data_indication(
    out: &mut Vec<u8>,
    transaction: TransactionId,
    peer: SocketAddr,
    payload: &[u8],
) {
    let mut writer = Writer::new(out, Method::Data, Class::Indication, transaction);
    writer
        .xor_address(attribute::XOR_PEER_ADDRESS, peer)
        .attribute(attribute::DATA, payload);
}
