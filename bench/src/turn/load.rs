//! What is sent through a server, and what of it arrives. Flows take turns, evenly over the interval; whoever receives looks
//! once in an interval, so that no server pays for waking a sink.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use quinn_udp::{Transmit, UdpSocketState};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

use super::client::{Client, is_nothing};
use super::servers::Server;

/// More, and the row does not count.
const LOST_PER_MILLE_MAX: u64 = 2;
/// We may be kept from looking for a while: what arrives meanwhile is not lost.
const SINK_BYTES: usize = 4 * 1024 * 1024;
const LAST_ARRIVALS: Duration = Duration::from_millis(150);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From a client to a peer that has a socket of its own.
    Up,
    Down,
    /// From one client of the server to another, each behind its allocation.
    Between,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) flows: u32,
    /// Of a flow, at once.
    pub(super) packets: u32,
    pub(super) payload_bytes: usize,
    pub(super) interval: Duration,
    /// In one piece, as a network card that coalesces them gives them to the server; else one by one.
    pub(super) is_coalesced: bool,
}

pub(super) const VIDEO: Shape = Shape {
    flows: 20,
    packets: 10,
    payload_bytes: 1_172,
    interval: Duration::from_millis(33),
    is_coalesced: false,
};
pub(super) const COALESCED: Shape = Shape {
    is_coalesced: true,
    ..VIDEO
};
pub(super) const LONG_BURSTS: Shape = Shape {
    flows: 10,
    packets: 30,
    payload_bytes: 1_172,
    interval: Duration::from_micros(16_700),
    is_coalesced: false,
};
pub(super) const AUDIO: Shape = Shape {
    flows: 100,
    packets: 1,
    payload_bytes: 160,
    interval: Duration::from_millis(10),
    is_coalesced: false,
};

/// One sends, one receives; the server is between them.
struct Flow {
    from: UdpSocket,
    gso: Option<UdpSocketState>,
    to: UdpSocket,
    /// At whose request.
    clients: Vec<Client>,
}

/// CPU time of the server for each packet that arrived, in microseconds.
pub(super) fn measure(
    server: &Server,
    shape: &Shape,
    way: Way,
    time: Duration,
) -> anyhow::Result<f64> {
    let mut load = Load::new(server, shape, way)?;
    // Whatever is done at the first packet only.
    load.play(shape.interval * 2)?;
    let before = server.cpu()?;
    let delivered = load.play(time)?;
    let cpu = server.cpu()?.saturating_sub(before);
    load.end()?;
    Ok(cpu.as_secs_f64() * 1e6 / f64::from(u32::try_from(delivered)?))
}

pub(super) struct Load {
    shape: Shape,
    flows: Vec<Flow>,
    burst: Vec<u8>,
    datagram_bytes: usize,
    expected: Vec<u8>,
    server: SocketAddr,
}

impl Load {
    pub(super) fn new(server: &Server, shape: &Shape, way: Way) -> anyhow::Result<Self> {
        let mut flows = Vec::new();
        for number in 0..shape.flows {
            flows.push(flow(server, number, shape, way)?);
        }
        let header = Client::header(shape.payload_bytes)?;
        let payload = vec![0xa5; shape.payload_bytes];
        let wrapped = [&header, payload.as_slice()].concat();
        let (sent, expected) = match way {
            Way::Up => (wrapped, payload),
            Way::Down => (payload, wrapped),
            Way::Between => (wrapped.clone(), wrapped),
        };
        Ok(Self {
            shape: *shape,
            flows,
            datagram_bytes: sent.len(),
            burst: sent.repeat(usize::try_from(shape.packets)?),
            expected,
            server: server.address,
        })
    }

    /// How many packets arrived.
    pub(super) fn play(&mut self, time: Duration) -> anyhow::Result<u64> {
        let spacing = self.shape.interval / self.shape.flows;
        let start = Instant::now();
        let (mut sent, mut arrived) = (0, 0);
        let mut due = Duration::ZERO;
        'time: loop {
            for flow in &self.flows {
                if due >= time {
                    break 'time;
                }
                std::thread::sleep(due.saturating_sub(start.elapsed()));
                arrived += flow.drain(&self.expected)?;
                sent += self.send(flow)?;
                // Late, it stays late: nothing is made up for by a flood.
                due = (due + spacing).max(start.elapsed().saturating_sub(spacing));
            }
        }
        std::thread::sleep(LAST_ARRIVALS);
        for flow in &self.flows {
            arrived += flow.drain(&self.expected)?;
        }
        let lost = sent.saturating_sub(arrived);
        if arrived > sent || lost * 1_000 > sent * LOST_PER_MILLE_MAX {
            bail!("of {sent} packets {arrived} arrived");
        }
        Ok(arrived)
    }

    pub(super) fn end(self) -> anyhow::Result<()> {
        for client in self.flows.into_iter().flat_map(|flow| flow.clients) {
            { client }.release()?;
        }
        Ok(())
    }

    fn send(&self, flow: &Flow) -> anyhow::Result<u64> {
        if let Some(gso) = &flow.gso {
            let transmit = Transmit {
                destination: flow.from.peer_addr().unwrap_or(self.server),
                ecn: None,
                contents: &self.burst,
                segment_size: Some(self.datagram_bytes),
                src_ip: None,
            };
            gso.try_send((&flow.from).into(), &transmit)
                .context("cannot send a burst in one piece")?;
            return Ok(self.shape.packets.into());
        }
        let slices: Vec<[IoSlice<'_>; 1]> = self
            .burst
            .chunks(self.datagram_bytes)
            .map(|datagram| [IoSlice::new(datagram)])
            .collect();
        let mut controls: Vec<_> = slices
            .iter()
            .map(|_| SendAncillaryBuffer::new(&mut [] as &mut [MaybeUninit<u8>]))
            .collect();
        let mut messages: Vec<_> = slices
            .iter()
            .zip(&mut controls)
            .map(|(slice, control)| MMsgHdr::new(slice, control))
            .collect();
        let sent = sendmmsg(&flow.from, &mut messages, SendFlags::empty())?;
        Ok(u64::try_from(sent)?)
    }
}

impl Flow {
    fn drain(&self, expected: &[u8]) -> anyhow::Result<u64> {
        let mut arrived = 0;
        let mut bytes = [0; 2_048];
        loop {
            let length = match self.to.recv(&mut bytes) {
                Ok(length) => length,
                Err(error) if is_nothing(&error) => return Ok(arrived),
                Err(error) => return Err(error.into()),
            };
            // The payload is the same all along: its ends tell as much.
            if length != expected.len() || bytes.get(..8) != expected.get(..8) {
                bail!(
                    "{length} bytes arrived, and not the {} expected",
                    expected.len()
                );
            }
            arrived += 1;
        }
    }
}

fn flow(server: &Server, number: u32, shape: &Shape, way: Way) -> anyhow::Result<Flow> {
    let mut client = Client::allocate(server.address, server.account(number * 2)?)?;
    let flow = match way {
        Way::Up | Way::Down => {
            let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            peer.connect(client.relayed)?;
            client.permit(peer.local_addr()?)?;
            client.bind(peer.local_addr()?)?;
            let own = client.socket.try_clone()?;
            let (from, to) = if way == Way::Up {
                (own, peer)
            } else {
                (peer, own)
            };
            Flow {
                from,
                gso: None,
                to,
                clients: vec![client],
            }
        }
        Way::Between => {
            let mut other = Client::allocate(server.address, server.account(number * 2 + 1)?)?;
            client.bind(other.relayed)?;
            other.bind(client.relayed)?;
            Flow {
                from: client.socket.try_clone()?,
                gso: None,
                to: other.socket.try_clone()?,
                clients: vec![client, other],
            }
        }
    };
    flow.to.set_nonblocking(true)?;
    set_socket_recv_buffer_size_force(&flow.to, SINK_BYTES)?;
    let gso = shape
        .is_coalesced
        .then(|| UdpSocketState::new((&flow.from).into()));
    Ok(Flow {
        gso: gso.transpose()?,
        ..flow
    })
}
