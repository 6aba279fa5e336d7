//! As much of STUN and TURN as a client with long-term credentials says and hears (RFC 8489, RFC 8656), over IPv4.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail};
use aws_lc_rs::hmac;
use md5::{Digest as _, Md5};

pub(super) const BINDING: u16 = 0x001;
pub(super) const ALLOCATE: u16 = 0x003;
pub(super) const REFRESH: u16 = 0x004;
pub(super) const CREATE_PERMISSION: u16 = 0x008;
pub(super) const CHANNEL_BIND: u16 = 0x009;

pub(super) const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
pub(super) const CHANNEL_NUMBER: u16 = 0x000c;
pub(super) const LIFETIME: u16 = 0x000d;
pub(super) const XOR_PEER_ADDRESS: u16 = 0x0012;
pub(super) const REALM: u16 = 0x0014;
pub(super) const NONCE: u16 = 0x0015;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub(super) const REQUESTED_TRANSPORT: u16 = 0x0019;

const HEADER_BYTES: usize = 20;
const COOKIE: u32 = 0x2112_a442;
const SUCCESS: u16 = 0x0100;
const ERROR: u16 = 0x0110;
const INTEGRITY_BYTES: usize = 20;
/// Before the payload of channel data.
pub(super) const CHANNEL_HEADER_BYTES: usize = 4;

pub(super) type Transaction = [u8; 12];

/// MD5 of name, realm and password.
pub(super) fn key(username: &str, realm: &[u8], password: &str) -> [u8; 16] {
    let mut digest = Md5::new();
    digest.update(username.as_bytes());
    digest.update(b":");
    digest.update(realm);
    digest.update(b":");
    digest.update(password.as_bytes());
    digest.finalize().into()
}

/// A request as it grows.
#[derive(Debug)]
pub(super) struct Request(Vec<u8>);

impl Request {
    pub(super) fn new(method: u16, transaction: Transaction) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&method.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&COOKIE.to_be_bytes());
        bytes.extend_from_slice(&transaction);
        Self(bytes)
    }

    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        self.push(kind, value);
        self
    }

    pub(super) fn with_peer(self, peer: SocketAddr) -> anyhow::Result<Self> {
        let SocketAddr::V4(peer) = peer else {
            bail!("{peer}: only IPv4 here")
        };
        let [high, low] = (peer.port() ^ 0x2112).to_be_bytes();
        let [a, b, c, d] = (peer.ip().to_bits() ^ COOKIE).to_be_bytes();
        Ok(self.with(XOR_PEER_ADDRESS, &[0, 1, high, low, a, b, c, d]))
    }

    pub(super) fn sealed(mut self, key: &[u8]) -> anyhow::Result<Vec<u8>> {
        // As if it were there already (RFC 8489 §14.5).
        self.tell_length(4 + INTEGRITY_BYTES)?;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let tag = hmac::sign(&key, &self.0);
        self.push(MESSAGE_INTEGRITY, tag.as_ref());
        Ok(self.0)
    }

    pub(super) fn open(mut self) -> anyhow::Result<Vec<u8>> {
        self.tell_length(0)?;
        Ok(self.0)
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn tell_length(&mut self, more: usize) -> anyhow::Result<()> {
        let length = u16::try_from(self.0.len() - HEADER_BYTES + more)?;
        self.0[2..4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// What a server says to a request.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) transaction: Transaction,
    /// 0: success.
    pub(super) code: u16,
    attributes: &'a [u8],
}

impl<'a> Answer<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, attributes) = bytes.split_at_checked(HEADER_BYTES)?;
        let kind = u16::from_be_bytes(header[..2].try_into().ok()?);
        let mut answer = Self {
            transaction: header[8..].try_into().ok()?,
            code: 0,
            attributes,
        };
        match kind & 0x0110 {
            SUCCESS => {}
            ERROR => {
                let value = answer.get(ERROR_CODE)?;
                answer.code = u16::from(*value.get(2)?) * 100 + u16::from(*value.get(3)?);
            }
            _ => return None,
        }
        Some(answer)
    }

    pub(super) fn get(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = self.attributes;
        loop {
            let (head, after) = rest.split_at_checked(4)?;
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            if kind == wanted {
                return after.get(..length);
            }
            rest = after.get(length.next_multiple_of(4)..)?;
        }
    }

    pub(super) fn relayed(&self) -> anyhow::Result<SocketAddr> {
        let value = self.get(XOR_RELAYED_ADDRESS);
        let value: [u8; 8] = value
            .and_then(|value| value.try_into().ok())
            .context("no relayed address")?;
        let [_, _, high, low, ip @ ..] = value;
        let port = u16::from_be_bytes([high, low]) ^ 0x2112;
        let ip = Ipv4Addr::from_bits(u32::from_be_bytes(ip) ^ COOKIE);
        Ok(SocketAddr::new(ip.into(), port))
    }
}

/// Before so much payload.
pub(super) fn channel_header(
    number: u16,
    payload: usize,
) -> anyhow::Result<[u8; CHANNEL_HEADER_BYTES]> {
    let [a, b] = number.to_be_bytes();
    let [c, d] = u16::try_from(payload)?.to_be_bytes();
    Ok([a, b, c, d])
}
