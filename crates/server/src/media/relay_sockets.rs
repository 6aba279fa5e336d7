//! The sockets of allocations whose peers may be elsewhere: one for each family, bound while the allocation lasts. They wait
//! in a poll of their own, so that what nobody sends to costs nothing.

use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use madang_turn::{Families, Refused};
use mio::net::UdpSocket;
use mio::{Events, Interest, Token};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

use super::batch::Gathered;
use super::counters::PathCounters;
use super::ring::count;

/// Sockets that one question to the system names.
const EVENTS: usize = 256;
/// Asked of the system; it may give less.
const BUFFER_BYTES: usize = 1024 * 1024;
/// Of a token: the bit above those of the port.
const IPV6_TOKEN: usize = 1 << 16;

/// Shared by what opens them, asked for an allocation, and what moves packets: one thread.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<RelaySockets>>);

#[derive(Debug)]
pub(super) struct RelaySockets {
    wait: Wait,
    events: Events,
    /// Where they are bound, of each family that has any.
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
    open: HashMap<usize, RelaySocket>,
    /// Those that have something.
    ready: VecDeque<usize>,
}

#[derive(Debug)]
struct RelaySocket {
    io: UdpSocket,
    state: UdpSocketState,
    /// In `ready`.
    is_queued: bool,
}

/// By what we are woken.
#[cfg(unix)]
type Wait = tokio::io::unix::AsyncFd<mio::Poll>;
#[cfg(not(unix))]
type Wait = mio::Poll;

impl Shared {
    /// In the runtime of its thread.
    pub(super) fn new(ipv4: Option<IpAddr>, ipv6: Option<IpAddr>) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(RelaySockets {
            wait: wait()?,
            events: Events::with_capacity(EVENTS),
            ipv4,
            ipv6,
            open: HashMap::new(),
            ready: VecDeque::new(),
        }))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, RelaySockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
#[expect(
    deprecated,
    reason = "its safe form; a poll owns its descriptor for as long as it lives"
)]
fn wait() -> io::Result<Wait> {
    Wait::with_interest(mio::Poll::new()?, tokio::io::Interest::READABLE)
}

#[cfg(not(unix))]
fn wait() -> io::Result<Wait> {
    Err(io::ErrorKind::Unsupported.into())
}

impl RelaySockets {
    /// All or none.
    pub(super) fn open(&mut self, port: u16, families: Families) -> Result<(), Refused> {
        let ipv4 = self.ipv4.filter(|_| families.ipv4);
        let ipv6 = self.ipv6.filter(|_| families.ipv6);
        for ip in ipv4.into_iter().chain(ipv6) {
            if let Err(error) = self.open_one(SocketAddr::new(ip, port)) {
                self.close(port);
                if error.kind() == io::ErrorKind::AddrInUse {
                    return Err(Refused::PortInUse);
                }
                tracing::warn!(%error, %ip, "cannot open a socket for an allocation");
                return Err(Refused::Full);
            }
        }
        Ok(())
    }

    fn open_one(&mut self, at: SocketAddr) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        // Less than asked is no error.
        socket.set_recv_buffer_size(BUFFER_BYTES).ok();
        socket.set_send_buffer_size(BUFFER_BYTES).ok();
        let state = UdpSocketState::new((&socket).into())?;
        let mut io = UdpSocket::from_std(socket.into());
        let token = token(at.port(), at.is_ipv6());
        poll(&self.wait)
            .registry()
            .register(&mut io, Token(token), Interest::READABLE)?;
        self.open.insert(
            token,
            RelaySocket {
                io,
                state,
                is_queued: false,
            },
        );
        Ok(())
    }

    pub(super) fn close(&mut self, port: u16) {
        for is_ipv6 in [false, true] {
            if let Some(mut socket) = self.open.remove(&token(port, is_ipv6)) {
                // Closing it takes it out of the poll anyway.
                poll(&self.wait).registry().deregister(&mut socket.io).ok();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Asks the system which have something, unless it would have said so.
    pub(super) fn look(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let Self {
            wait,
            events,
            open,
            ready,
            ..
        } = self;
        ask(wait, events);
        for event in events.iter() {
            let token = event.token().0;
            if let Some(socket) = open.get_mut(&token)
                && !socket.is_queued
            {
                socket.is_queued = true;
                ready.push_back(token);
            }
        }
        events.clear();
    }

    /// The next one that has something: its port and whether it is of IPv6.
    pub(super) fn next(&self) -> Option<(u16, bool)> {
        let token = *self.ready.front()?;
        let port = u16::try_from(token % IPV6_TOKEN).ok()?;
        Some((port, token >= IPV6_TOKEN))
    }

    /// Of the next one. Its turn comes again if there may be more.
    pub(super) fn receive(
        &mut self,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> io::Result<usize> {
        let Some(token) = self.ready.pop_front() else {
            return Ok(0);
        };
        // Closed meanwhile.
        let Some(socket) = self.open.get_mut(&token) else {
            return Ok(0);
        };
        let room = buffers.len();
        let received = socket.state.recv((&socket.io).into(), buffers, metas);
        // Fewer than there was room for: whatever comes after them is told anew. An error is gone once it was told.
        socket.is_queued = match &received {
            Ok(filled) => *filled == room,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        };
        if socket.is_queued {
            self.ready.push_back(token);
        }
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other @ (Ok(_) | Err(_)) => other,
        }
    }

    /// From the allocation at `port`. Whatever goes wrong costs these datagrams and nothing else.
    pub(super) fn send(
        &self,
        gathered: &Gathered<'_, (u16, SocketAddr)>,
        counters: &mut PathCounters,
    ) {
        let (port, destination) = gathered.way;
        let Some(socket) = self.open.get(&token(port, destination.is_ipv6())) else {
            counters.elsewhere_send_failed += count(gathered.count);
            return;
        };
        let mut transmit = Transmit {
            destination,
            ecn: None,
            contents: gathered.contents,
            segment_size: gathered.segment,
            src_ip: None,
        };
        let sent = |error: io::Result<()>| match error {
            Ok(()) => true,
            Err(error) => {
                tracing::trace!(%error, "cannot send to a peer");
                false
            }
        };
        let mut done = 0;
        // If the system gave up on GSO for this socket, one by one: some interface cannot.
        let whole = gathered.segment.is_none() || socket.state.max_gso_segments() >= gathered.count;
        if whole && sent(socket.state.try_send((&socket.io).into(), &transmit)) {
            done = gathered.count;
            counters.elsewhere_sent_groups += 1;
        } else if let Some(segment) = gathered.segment {
            transmit.segment_size = None;
            for datagram in gathered.contents.chunks(segment.max(1)) {
                transmit.contents = datagram;
                if sent(socket.state.try_send((&socket.io).into(), &transmit)) {
                    done += 1;
                    counters.elsewhere_sent_groups += 1;
                }
            }
        }
        counters.elsewhere_sent += count(done);
        counters.elsewhere_send_failed += count(gathered.count - done);
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.ready.is_empty()
    }

    #[cfg(unix)]
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.wait.poll_read_ready(context) {
            // An error shows at the next question.
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }

    #[cfg(not(unix))]
    pub(super) fn poll_ready(&self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

fn token(port: u16, is_ipv6: bool) -> usize {
    usize::from(port) + if is_ipv6 { IPV6_TOKEN } else { 0 }
}

#[cfg(unix)]
fn poll(wait: &Wait) -> &mio::Poll {
    wait.get_ref()
}

#[cfg(not(unix))]
fn poll(wait: &Wait) -> &mio::Poll {
    wait
}

#[cfg(unix)]
fn ask(wait: &mut Wait, events: &mut Events) {
    // Fewer than there was room for: it is drained, and we are woken by the next one.
    let asked = wait.try_io_mut(tokio::io::Interest::READABLE, |poll| {
        poll.poll(events, Some(Duration::ZERO))?;
        if events.iter().count() < EVENTS {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    });
    if let Err(error) = asked
        && error.kind() != io::ErrorKind::WouldBlock
    {
        tracing::debug!(%error, "cannot ask for sockets that have something");
    }
}

#[cfg(not(unix))]
fn ask(wait: &mut Wait, events: &mut Events) {
    wait.poll(events, Some(Duration::ZERO)).ok();
}

#[cfg(test)]
mod tests;
