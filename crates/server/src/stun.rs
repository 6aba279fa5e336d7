//! The little of STUN that needs no credentials (RFC 8489): asking by which address one is seen, and answering that for the
//! doctor. On the media port `madang_turn` answers.

use std::net::{IpAddr, SocketAddr};

const HEADER_BYTES: usize = 20;
const MAGIC: u32 = 0x2112_a442;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const MAPPED_ADDRESS: u16 = 0x0001;
const USERNAME: u16 = 0x0006;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// Nobody's: of the range that may be passed over by who does not know it.
const FILLING: u16 = 0xc0de;
const IPV4: u8 = 1;
const IPV6: u8 = 2;

/// Random: whoever can repeat it has received the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transaction(pub(crate) [u8; 12]);

impl Transaction {
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut id = [0; 12];
        getrandom::fill(&mut id)?;
        Ok(Self(id))
    }
}

/// A Binding request.
pub(crate) fn request(transaction: Transaction) -> Vec<u8> {
    message(BINDING_REQUEST, transaction, &[])
}

/// A Binding request of exactly so many bytes, which are a multiple of four and at least 24.
pub(crate) fn request_of_size(transaction: Transaction, bytes: usize) -> Vec<u8> {
    let filling = vec![0; bytes.saturating_sub(HEADER_BYTES + 4)];
    message(BINDING_REQUEST, transaction, &[(FILLING, &filling)])
}

/// What a Binding request without credentials is answered; none: it is something else. The answer is 12 bytes longer than
/// the shortest request over IPv4 and 24 over IPv6, so nobody gains by asking in another's name.
pub(crate) fn answer(datagram: &[u8], remote: SocketAddr) -> Option<Vec<u8>> {
    let (kind, transaction) = header(datagram)?;
    let is_plain =
        kind == BINDING_REQUEST && attributes(datagram).all(|(kind, _)| kind != USERNAME);
    is_plain.then(|| {
        let value = xored(remote, transaction);
        message(
            BINDING_SUCCESS,
            transaction,
            &[(XOR_MAPPED_ADDRESS, &value)],
        )
    })
}

/// By which address the sender of the request was seen; none: this is not its answer.
pub(crate) fn mapped(datagram: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    if header(datagram)? != (BINDING_SUCCESS, transaction) {
        return None;
    }
    let first =
        |wanted| attributes(datagram).find_map(|(kind, value)| (kind == wanted).then_some(value));
    let address = match first(XOR_MAPPED_ADDRESS) {
        Some(value) => unxored(value, transaction)?,
        // Servers of before RFC 5389.
        None => address(first(MAPPED_ADDRESS)?)?,
    };
    (address.port() != 0 && !address.ip().is_unspecified()).then_some(address)
}

fn message(kind: u16, Transaction(id): Transaction, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(be16(value.len()));
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut all = Vec::with_capacity(HEADER_BYTES + body.len());
    all.extend(kind.to_be_bytes());
    all.extend(be16(body.len()));
    all.extend(MAGIC.to_be_bytes());
    all.extend(id);
    all.extend(body);
    all
}

fn be16(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Type and transaction of what is STUN by its first two bits, its magic and its length.
fn header(datagram: &[u8]) -> Option<(u16, Transaction)> {
    let kind = u16::from_be_bytes(datagram.get(..2)?.try_into().ok()?);
    let length = u16::from_be_bytes(datagram.get(2..4)?.try_into().ok()?);
    let magic = u32::from_be_bytes(datagram.get(4..8)?.try_into().ok()?);
    let id = datagram.get(8..HEADER_BYTES)?.try_into().ok()?;
    let is_stun = kind < 0x4000
        && magic == MAGIC
        && usize::from(length) == datagram.len() - HEADER_BYTES
        && length.is_multiple_of(4);
    is_stun.then_some((kind, Transaction(id)))
}

/// To the first that does not fit.
fn attributes(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram.get(HEADER_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let kind = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
        let length = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
        let value = rest.get(4..4 + length)?;
        rest = rest
            .get(4 + length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some((kind, value))
    })
}

fn address(value: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(value.get(2..4)?.try_into().ok()?);
    let ip = match *value.get(1)? {
        IPV4 => IpAddr::from(<[u8; 4]>::try_from(value.get(4..8)?).ok()?),
        IPV6 => IpAddr::from(<[u8; 16]>::try_from(value.get(4..20)?).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn xored(address: SocketAddr, transaction: Transaction) -> Vec<u8> {
    let (family, ip) = match address.ip() {
        IpAddr::V4(ip) => (IPV4, ip.octets().to_vec()),
        IpAddr::V6(ip) => (IPV6, ip.octets().to_vec()),
    };
    let mut value = vec![0, family];
    value.extend(address.port().to_be_bytes());
    value.extend(ip);
    xor(&mut value, transaction);
    value
}

fn unxored(value: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let mut value = value.to_vec();
    xor(&mut value, transaction);
    address(&value)
}

/// RFC 8489 §14.2: the port with the beginning of the magic, the address with the magic and the transaction.
fn xor(value: &mut [u8], Transaction(id): Transaction) {
    let magic = MAGIC.to_be_bytes();
    let mask = magic.iter().take(2).chain(&magic).chain(&id);
    for (byte, mask) in value.iter_mut().skip(2).zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests;
