//! The sockets of the media port, and of that of STUN and TURN.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use quinn_udp::{Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::MediaError;
use super::counters::PathCounters;
use super::group::Group;
use super::inbox::Inbox;
use super::ring::count;

/// Asked of the system for each socket; it may give less (`net.core.rmem_max`, `net.core.wmem_max`).
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Groups that wait for a full socket.
pub(super) const SEND_QUEUE_GROUPS_MAX: usize = 2_048;
/// Free ports tried until one is free in both families.
const ANY_PORT_TRIES: u32 = 16;

/// Sockets of all shards on one port.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) port: u16,
    pub(super) ips: Vec<IpAddr>,
    pub(super) shards: Vec<Vec<std::net::UdpSocket>>,
    /// Of each socket, as given by the system.
    pub(super) receive_buffer_bytes: usize,
}

/// Empty `ips`: everything, IPv6 only where there is any.
pub(super) fn bind(port: u16, ips: &[IpAddr], shards: u8) -> Result<Bound, MediaError> {
    let mut tries = if port == 0 { ANY_PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match try_bind(port, ips, shards) {
            Err(MediaError::PortInUse { .. }) if tries > 0 => {}
            done @ (Ok(_) | Err(_)) => return done,
        }
    }
}

fn try_bind(port: u16, ips: &[IpAddr], shards: u8) -> Result<Bound, MediaError> {
    // Alone first: a port that is shared by SO_REUSEPORT would be shared with another server of the same user, too, and
    // each would get a part of the other's datagrams.
    let claimed = claim(port, ips)?;
    let port = claimed
        .first()
        .map(|socket| {
            local_port(socket).map_err(|source| MediaError::System {
                what: "read the port of a socket",
                source,
            })
        })
        .ok_or(MediaError::NoAddress)??;
    let ips: Vec<IpAddr> = claimed.iter().map(|(ip, _)| *ip).collect();
    let given = claimed
        .iter()
        .map(|(_, socket)| given(socket.recv_buffer_size()).unwrap_or(0));
    let receive_buffer_bytes = given.min().unwrap_or(0);
    let mut all = Vec::new();
    if shards == 1 {
        all.push(
            claimed
                .into_iter()
                .map(|(_, socket)| socket.into())
                .collect(),
        );
    } else if cfg!(target_os = "linux") {
        // Shared from now on, with those that say so as well. Never free in between: another server would take it then.
        for (ip, socket) in &claimed {
            share_port(socket).map_err(|error| refused(*ip, port, error))?;
        }
        all.push(
            claimed
                .into_iter()
                .map(|(_, socket)| socket.into())
                .collect(),
        );
        for _ in 1..shards {
            let own: Result<Vec<std::net::UdpSocket>, MediaError> = ips
                .iter()
                .map(|ip| {
                    Ok(open(SocketAddr::new(*ip, port), true)
                        .map_err(|e| refused(*ip, port, e))?
                        .into())
                })
                .collect();
            all.push(own?);
        }
    } else {
        // The first shard receives for all; the others only send.
        for _ in 0..shards {
            let own: io::Result<Vec<std::net::UdpSocket>> = claimed
                .iter()
                .map(|(_, socket)| Ok(socket.try_clone()?.into()))
                .collect();
            all.push(own.map_err(|source| MediaError::System {
                what: "share a socket",
                source,
            })?);
        }
    }
    Ok(Bound {
        port,
        ips,
        shards: all,
        receive_buffer_bytes,
    })
}

/// What the system gives a socket of ours, to receive and to send.
pub(crate) fn socket_buffers() -> io::Result<(usize, usize)> {
    let socket = open(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0), false)?;
    Ok((
        given(socket.recv_buffer_size())?,
        given(socket.send_buffer_size())?,
    ))
}

/// Linux says twice of what it gives: the rest is for itself (socket(7)).
fn given(said: io::Result<usize>) -> io::Result<usize> {
    let twice = cfg!(target_os = "linux");
    said.map(|bytes| if twice { bytes / 2 } else { bytes })
}

/// Can each shard have sockets of its own that receive?
pub(super) fn is_port_shared() -> bool {
    cfg!(target_os = "linux")
}

fn local_port((_, socket): &(IpAddr, Socket)) -> io::Result<u16> {
    Ok(socket
        .local_addr()?
        .as_socket()
        .map_or(0, |address| address.port()))
}

fn claim(port: u16, ips: &[IpAddr]) -> Result<Vec<(IpAddr, Socket)>, MediaError> {
    let everywhere = [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ];
    let wanted = if ips.is_empty() { &everywhere } else { ips };
    let mut claimed: Vec<(IpAddr, Socket)> = Vec::new();
    let mut port = port;
    for ip in wanted {
        match open(SocketAddr::new(*ip, port), false) {
            Ok(socket) => {
                claimed.push((*ip, socket));
                if port == 0 {
                    let first = claimed.first().expect("pushed above");
                    port = local_port(first).map_err(|source| MediaError::System {
                        what: "read the port of a socket",
                        source,
                    })?;
                }
            }
            Err(error)
                if may_lack(*ip)
                    && !claimed.is_empty()
                    && error.kind() != io::ErrorKind::AddrInUse =>
            {
                tracing::info!(%error, "no IPv6 on this machine: media over IPv4 only");
            }
            Err(error) => return Err(refused(*ip, port, error)),
        }
    }
    Ok(claimed)
}

/// A machine without IPv6 lacks both.
fn may_lack(ip: IpAddr) -> bool {
    ip.is_ipv6() && (ip.is_unspecified() || ip.is_loopback())
}

fn refused(ip: IpAddr, port: u16, source: io::Error) -> MediaError {
    let address = SocketAddr::new(ip, port);
    if source.kind() == io::ErrorKind::AddrInUse {
        return MediaError::PortInUse { address, port };
    }
    if source.kind() == io::ErrorKind::AddrNotAvailable {
        return MediaError::NotOurs { ip };
    }
    MediaError::Bind { address, source }
}

fn open(address: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if share {
        share_port(&socket)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // Less than asked is no error; what was got is logged once, by the shard.
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES).ok();
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES).ok();
    Ok(socket)
}

#[cfg(unix)]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn share_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// One shard's sockets, one for each bound address.
#[derive(Debug)]
pub(super) struct Sockets {
    all: Vec<MediaSocket>,
    receives: bool,
}

#[derive(Debug)]
struct MediaSocket {
    io: UdpSocket,
    state: UdpSocketState,
    ip: IpAddr,
    port: u16,
    /// Waiting for room in the socket's buffer.
    queue: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    remote: SocketAddr,
    source: Option<IpAddr>,
    contents: Vec<u8>,
    segment: Option<usize>,
}

impl Sockets {
    /// In the runtime that will drive them.
    pub(super) fn new(sockets: Vec<std::net::UdpSocket>, receives: bool) -> io::Result<Self> {
        let mut all = Vec::new();
        for socket in sockets {
            let address = socket.local_addr()?;
            let io = UdpSocket::from_std(socket)?;
            let state = UdpSocketState::new((&io).into())?;
            tracing::debug!(
                receive_buffer_bytes = state.recv_buffer_size((&io).into()).unwrap_or(0),
                send_buffer_bytes = state.send_buffer_size((&io).into()).unwrap_or(0),
                gro_segments = state.gro_segments(),
                gso_segments_max = state.max_gso_segments(),
                "media socket"
            );
            all.push(MediaSocket {
                io,
                state,
                ip: address.ip(),
                port: address.port(),
                queue: VecDeque::new(),
            });
        }
        Ok(Self { all, receives })
    }

    pub(super) fn len(&self) -> usize {
        if self.receives { self.all.len() } else { 0 }
    }

    /// False: nothing there.
    pub(super) fn receive(&self, index: usize, inbox: &mut Inbox) -> io::Result<bool> {
        inbox.clear();
        let Some(socket) = self.all.get(index) else {
            return Ok(false);
        };
        let received = inbox.fill((socket.ip, socket.port), |buffers, metas| {
            socket.io.try_io(Interest::READABLE, || {
                socket.state.recv((&socket.io).into(), buffers, metas)
            })
        });
        match received {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// At once, or queued while the socket is full.
    pub(super) fn send(
        &mut self,
        source: Option<IpAddr>,
        group: &Group<'_>,
        counters: &mut PathCounters,
    ) {
        let datagrams = count(group.count);
        let Some(socket) = self.socket_for(group) else {
            counters.send_failed += datagrams;
            return;
        };
        // Bound to it: the source is given.
        let source = source.filter(|ip| *ip != socket.ip);
        if socket.queue.is_empty()
            && socket
                .send(
                    source,
                    group.remote,
                    group.contents,
                    group.segment,
                    counters,
                )
                .is_ok()
        {
            return;
        }
        if socket.queue.len() >= SEND_QUEUE_GROUPS_MAX {
            counters.dropped_send_queue += datagrams;
            return;
        }
        counters.send_queued += datagrams;
        socket.queue.push_back(Waiting {
            remote: group.remote,
            source,
            contents: group.contents.to_vec(),
            segment: group.segment,
        });
    }

    /// Sends what waited, as far as there is room now.
    pub(super) fn retry(&mut self, counters: &mut PathCounters) {
        for socket in &mut self.all {
            while let Some(waiting) = socket.queue.pop_front() {
                let Waiting {
                    remote,
                    source,
                    ref contents,
                    segment,
                } = waiting;
                if socket
                    .send(source, remote, contents, segment, counters)
                    .is_err()
                {
                    socket.queue.push_front(waiting);
                    break;
                }
            }
        }
    }

    fn socket_for(&mut self, group: &Group<'_>) -> Option<&mut MediaSocket> {
        let (local, port) = (group.local.address().ip(), group.local.address().port());
        let first = |fits: &dyn Fn(&MediaSocket) -> bool| {
            let mut of_port = self.all.iter();
            of_port.position(|socket| socket.port == port && fits(socket))
        };
        let is_ipv4 = group.remote.is_ipv4();
        let index = first(&|socket| socket.ip == local)
            .or_else(|| first(&|socket| socket.ip.is_ipv4() == is_ipv4))?;
        self.all.get_mut(index)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.all.iter().any(|socket| !socket.queue.is_empty())
    }

    /// Ready when a socket has something to receive, or room again for what waits.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut ready = Poll::Pending;
        for socket in &self.all {
            if self.receives && socket.io.poll_recv_ready(context).is_ready() {
                ready = Poll::Ready(());
            }
            if !socket.queue.is_empty() && socket.io.poll_send_ready(context).is_ready() {
                ready = Poll::Ready(());
            }
        }
        ready
    }
}

#[derive(Debug)]
struct Full;

impl MediaSocket {
    fn send(
        &self,
        src_ip: Option<IpAddr>,
        destination: SocketAddr,
        contents: &[u8],
        segment: Option<usize>,
        counters: &mut PathCounters,
    ) -> Result<(), Full> {
        let mut transmit = Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: segment,
            src_ip,
        };
        let segment = segment.unwrap_or(contents.len()).max(1);
        // If the system gave up on GSO for this socket, one by one: some interface cannot.
        let whole = transmit.segment_size.is_none() || self.state.max_gso_segments() > 1;
        if whole {
            match self.try_send(&transmit) {
                Ok(()) => {
                    counters.sent += count(contents.len().div_ceil(segment));
                    counters.sent_bytes += count(contents.len());
                    counters.sent_groups += 1;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Full),
                Err(error) => tracing::debug!(%error, "cannot send"),
            }
            if transmit.segment_size.is_none() {
                counters.send_failed += 1;
                return Ok(());
            }
        }
        transmit.segment_size = None;
        for datagram in contents.chunks(segment) {
            transmit.contents = datagram;
            // A socket that is full now costs the rest of this group: a part of it has gone.
            if self.try_send(&transmit).is_ok() {
                counters.sent += 1;
                counters.sent_bytes += count(datagram.len());
                counters.sent_groups += 1;
            } else {
                counters.send_failed += 1;
            }
        }
        Ok(())
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.io.try_io(Interest::WRITABLE, || {
            self.state.try_send((&self.io).into(), transmit)
        })
    }
}
