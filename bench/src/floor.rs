//! What forwarding costs at least: each packet sealed for each subscriber, and sent. Nothing is decided, looked up or
//! rewritten.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use quinn_udp::{Transmit, UdpSocketState};

use crate::cpu;
use crate::forward::{FRAMES_PER_SECOND, PACKETS_PER_FRAME, PAYLOAD_BYTES, Rate};

const HEADER_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const DATAGRAM_BYTES: usize = HEADER_BYTES + PAYLOAD_BYTES + TAG_BYTES;
/// Nobody listens there.
const FIRST_PORT: u16 = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// A frame's packets of one subscriber in one system call.
    Gso,
    /// A system call for each.
    OneByOne,
}

struct Subscriber {
    address: SocketAddr,
    key: LessSafeKey,
    sequence: u32,
}

/// At the same pace as the publisher's, so that caches and the CPU's clock are in the same state.
pub(crate) fn measure(
    local: IpAddr,
    remote: IpAddr,
    subscribers: u32,
    sending: Sending,
    time: Duration,
) -> anyhow::Result<Rate> {
    let socket = UdpSocket::bind((local, 0))?;
    let state = UdpSocketState::new((&socket).into())?;
    let mut all = Vec::new();
    for number in 0..subscribers {
        let key = UnboundKey::new(&AES_128_GCM, &[u8::try_from(number & 0xff)?; 16])
            .ok()
            .context("a key")?;
        all.push(Subscriber {
            address: SocketAddr::new(remote, FIRST_PORT + u16::try_from(number)?),
            key: LessSafeKey::new(key),
            sequence: 0,
        });
    }
    let payload = [0xab; PAYLOAD_BYTES];
    let mut buffer = Vec::new();
    let interval = Duration::from_secs(1) / FRAMES_PER_SECOND;
    let start = Instant::now();
    let mut next = start;
    let mut packets = 0;
    let before = cpu::of_this_thread()?;
    while start.elapsed() < time {
        for subscriber in &mut all {
            buffer.clear();
            for _ in 0..PACKETS_PER_FRAME {
                seal(subscriber, &payload, &mut buffer)?;
            }
            packets += send(&socket, &state, subscriber.address, &buffer, sending)?;
        }
        next += interval;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(Rate {
        cpu: cpu::of_this_thread()?.saturating_sub(before),
        packets,
    })
}

fn seal(subscriber: &mut Subscriber, payload: &[u8], buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    subscriber.sequence += 1;
    let mut header = [0_u8; HEADER_BYTES];
    header[..2].copy_from_slice(&[0x80, 96]);
    header[4..8].copy_from_slice(&subscriber.sequence.to_be_bytes());
    let start = buffer.len();
    buffer.extend_from_slice(&header);
    buffer.extend_from_slice(payload);
    let nonce = Nonce::assume_unique_for_key(header);
    let plain = buffer
        .get_mut(start + HEADER_BYTES..)
        .context("just written")?;
    let tag = subscriber
        .key
        .seal_in_place_separate_tag(nonce, Aad::from(header), plain)
        .ok()
        .context("sealing")?;
    buffer.extend_from_slice(tag.as_ref());
    Ok(())
}

fn send(
    socket: &UdpSocket,
    state: &UdpSocketState,
    destination: SocketAddr,
    buffer: &[u8],
    sending: Sending,
) -> anyhow::Result<u64> {
    let (contents, segment_size) = match sending {
        Sending::Gso => (buffer.len(), Some(DATAGRAM_BYTES)),
        Sending::OneByOne => (DATAGRAM_BYTES, None),
    };
    let mut sent = 0;
    for contents in buffer.chunks(contents) {
        let transmit = Transmit {
            destination,
            ecn: None,
            contents,
            segment_size,
            src_ip: None,
        };
        // A floor that drops for want of room in the socket would be too low.
        while let Err(error) = state.try_send(socket.into(), &transmit) {
            anyhow::ensure!(
                error.kind() == std::io::ErrorKind::WouldBlock,
                "cannot send: {error}"
            );
            std::thread::yield_now();
        }
        sent += u64::try_from(contents.len() / DATAGRAM_BYTES)?;
    }
    Ok(sent)
}
