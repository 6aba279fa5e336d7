//! What a shard relays for its clients. A relayed client looks to the core like one at its relayed address; what goes there
//! is wrapped, and sent on as a group like any other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use madang_sfu::api::{Now, PeerId, RoomId, ShardId, ShardSet};
use madang_turn::{Counters, Flow, Ports, Transport, Turn, Verdict};

use super::batch::{Batch, Gathered};
use super::counters::PathCounters;
use super::framing::{Framing, Pieces};
use super::group::Group;
use super::inbox::{Arrived, Inbox};
use super::relay_sockets::Shared;
use super::relays::{ForShard, Relays};
use super::ring::{Runs, count};
use super::stream::{Said, Streams};
use super::udp::Sockets;

pub(super) struct Relay {
    turn: Turn,
    relays: Arc<Relays>,
    own: ShardId,
    ports: Ports,
    streams: Streams<Flow>,
    /// By shard: what goes to clients of others.
    foreign: Vec<Runs>,
    /// None: nobody elsewhere is let in.
    elsewhere: Option<Shared>,
    /// What clients send to others, until it leaves.
    up: Batch<Way>,
    /// What they get from elsewhere.
    down: Batch<Flow>,
    /// Kept to save allocations.
    wrapped: Vec<u8>,
}

/// From a client of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By the socket of the allocation at this port.
    Elsewhere {
        port: u16,
        to: SocketAddr,
    },
    Relay {
        from: SocketAddr,
        to: SocketAddr,
    },
}

/// The way out.
pub(super) struct Wire<'a> {
    pub(super) sockets: &'a mut Sockets,
    pub(super) counters: &'a mut PathCounters,
}

/// A datagram that a client had relayed to our own media port.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unwrapped<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload: &'a [u8],
}

/// Datagrams of one size (the last may be shorter) from one peer to one relayed address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) contents: &'a [u8],
    pub(super) segment: Option<usize>,
    pub(super) count: usize,
}

impl<'a> Run<'a> {
    pub(super) fn of(group: &Group<'a>) -> Self {
        Self {
            from: group.local.address(),
            to: group.remote,
            contents: group.contents,
            segment: group.segment,
            count: group.count,
        }
    }
}

impl Relay {
    /// In the runtime of its thread.
    pub(super) fn new(relays: Arc<Relays>, own: ShardId, shards: u8) -> io::Result<Self> {
        let elsewhere = relays
            .sockets_at()
            .map(|(ipv4, ipv6)| Shared::new(ipv4, ipv6))
            .transpose()?;
        let ports = Ports::new(own.0.into(), shards.into());
        let for_shard = || {
            Box::new(ForShard {
                relays: Arc::clone(&relays),
                shard: own,
                sockets: elsewhere.clone(),
            })
        };
        Ok(Self {
            turn: Turn::new(relays.server_config(ports), for_shard(), for_shard()),
            relays,
            own,
            ports,
            streams: Streams::default(),
            foreign: (0..shards).map(|_| Runs::default()).collect(),
            elsewhere,
            up: Batch::default(),
            down: Batch::default(),
            wrapped: Vec::new(),
        })
    }

    /// Where nothing else is spoken.
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.relays.udp_port() == Some(port)
    }

    /// STUN and TURN, one message or datagram. Some: it is for our own core, after all.
    pub(super) fn receive<'a>(
        &mut self,
        now: Now,
        flow: Flow,
        bytes: &'a [u8],
        wire: &mut Wire<'_>,
    ) -> Option<Unwrapped<'a>> {
        // Nobody on a network has such an address.
        if self.relays.is_relayed(flow.client) {
            wire.counters.dropped_turn += 1;
            return None;
        }
        match self.turn.handle_packet(of(now), flow, bytes) {
            Verdict::ToSfu { from, to, payload } => Some(Unwrapped { from, to, payload }),
            Verdict::ToRelay { from, to, payload } => {
                self.gather(now, Way::Relay { from, to }, payload, wire);
                None
            }
            Verdict::ToPeer { port, to, payload } => {
                self.gather(now, Way::Elsewhere { port, to }, payload, wire);
                None
            }
            Verdict::Reply => {
                // Before it can know: what it says next may be longer than what strangers say.
                if flow.transport != Transport::Udp && self.turn.has_allocation(&flow) {
                    self.streams.know(&flow);
                }
                wire.send(&mut self.streams, flow, self.turn.reply(), None, 1);
                None
            }
            // Counted there.
            Verdict::Drop(_) => None,
        }
    }

    /// With what else goes the same way. [`Relay::let_go`] must come after the last one.
    fn gather(&mut self, now: Now, way: Way, payload: &[u8], wire: &mut Wire<'_>) {
        let mut up = std::mem::take(&mut self.up);
        let write = |out: &mut Vec<u8>| out.extend_from_slice(payload);
        up.push(way, write, |gathered| self.go(now, &gathered, wire));
        self.up = up;
    }

    /// What [`Relay::receive`] gathered.
    pub(super) fn let_go(&mut self, now: Now, wire: &mut Wire<'_>) {
        let mut up = std::mem::take(&mut self.up);
        up.flush(|gathered| self.go(now, &gathered, wire));
        self.up = up;
    }

    fn go(&mut self, now: Now, gathered: &Gathered<'_, Way>, wire: &mut Wire<'_>) {
        let Gathered {
            way,
            contents,
            segment,
            count,
        } = *gathered;
        match way {
            Way::Relay { from, to } => {
                let run = Run {
                    from,
                    to,
                    contents,
                    segment,
                    count,
                };
                self.deliver(now, run, wire);
            }
            Way::Elsewhere { port, to } => {
                if let Some(sockets) = &self.elsewhere {
                    let gathered = Gathered {
                        way: (port, to),
                        contents,
                        segment,
                        count,
                    };
                    sockets.lock().send(&gathered, wire.counters);
                }
            }
        }
    }

    /// From peers elsewhere, as much as one tick takes: `is_enough` is told how many datagrams so far.
    pub(super) fn hear_elsewhere(
        &mut self,
        now: Now,
        inbox: &mut Inbox,
        wire: &mut Wire<'_>,
        is_enough: impl Fn(usize) -> bool,
    ) {
        let Some(shared) = &self.elsewhere else {
            return;
        };
        let mut sockets = shared.lock();
        sockets.look();
        let mut down = std::mem::take(&mut self.down);
        let streams = &mut self.streams;
        let mut datagrams = 0;
        while let Some((port, is_ipv6)) = sockets.next() {
            let at = self.relays.relayed_address(port, is_ipv6);
            if let Err(error) = inbox.fill((at.ip(), port), |buffers, metas| {
                sockets.receive(buffers, metas)
            }) {
                wire.counters.receive_failed += 1;
                tracing::debug!(%error, "cannot receive from a peer");
            }
            for run in inbox.runs() {
                let arrived = run.contents.len().div_ceil(run.segment).max(1);
                datagrams += arrived;
                wire.counters.elsewhere_received += count(arrived);
                wire.counters.elsewhere_received_bytes += count(run.contents.len());
                // Nobody on a network has such an address.
                if self.relays.is_relayed(run.remote) {
                    wire.counters.dropped_turn += count(arrived);
                    continue;
                }
                let bytes = run.contents.len();
                let enveloped = self
                    .turn
                    .handle_relayed(of(now), run.remote, at, arrived, bytes);
                // What is refused is counted there.
                let Ok(envelope) = enveloped else {
                    continue;
                };
                for payload in payloads(run.contents, Some(run.segment)) {
                    let write = |out: &mut Vec<u8>| envelope.seal(payload, out);
                    down.push(envelope.flow, write, |g| {
                        wire.send(streams, g.way, g.contents, g.segment, g.count);
                    });
                }
            }
            if is_enough(datagrams) {
                break;
            }
        }
        down.flush(|g| wire.send(streams, g.way, g.contents, g.segment, g.count));
        self.down = down;
    }

    /// Peers elsewhere sent more than was taken.
    pub(super) fn is_busy(&self) -> bool {
        let sockets = self.elsewhere.as_ref();
        sockets.is_some_and(|sockets| sockets.lock().is_busy())
    }

    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let Some(sockets) = &self.elsewhere else {
            return Poll::Pending;
        };
        sockets.lock().poll_ready(context)
    }

    pub(super) fn sockets_now(&self) -> usize {
        let sockets = self.elsewhere.as_ref();
        sockets.map_or(0, |sockets| sockets.lock().len())
    }

    pub(super) fn is_relayed(&self, address: SocketAddr) -> bool {
        self.relays.is_relayed(address)
    }

    /// To the client behind a relayed address, whosever shard that is.
    pub(super) fn deliver(&mut self, now: Now, run: Run<'_>, wire: &mut Wire<'_>) {
        match self.ports.part_of(run.to.port()) {
            Some(part) if part == u16::from(self.own.0) => self.deliver_own(now, run, wire),
            Some(part) => match self.foreign.get_mut(usize::from(part)) {
                Some(runs) => runs.push(&run),
                None => debug_assert!(false, "a port of one of the shards"),
            },
            None => wire.counters.dropped_turn += count(run.count),
        }
    }

    /// To the client of ours behind a relayed address.
    pub(super) fn deliver_own(&mut self, now: Now, run: Run<'_>, wire: &mut Wire<'_>) {
        let bytes = run.contents.len();
        let enveloped = self
            .turn
            .handle_relayed(of(now), run.from, run.to, run.count, bytes);
        // What is refused is counted there.
        let Ok(envelope) = enveloped else {
            return;
        };
        self.wrapped.clear();
        let mut segment = None;
        for payload in payloads(run.contents, run.segment) {
            envelope.seal(payload, &mut self.wrapped);
            segment = segment.or(run.segment.map(|_| self.wrapped.len()));
        }
        let streams = &mut self.streams;
        wire.send(streams, envelope.flow, &self.wrapped, segment, run.count);
    }

    /// Of a stream. What it brings is given on by one frame at a time, as by [`Relay::receive`].
    pub(super) fn hear(&mut self, flow: Flow, said: Said) -> Option<Pieces> {
        match said {
            Said::Opened(outbox) => {
                // One before it from the same address, of whose end we shall be told later.
                self.turn.close_flow(&flow);
                self.streams.open(flow, outbox);
            }
            Said::Frames { frames, place } => {
                // Hung up.
                if self.streams.has(&flow) {
                    return Some(Pieces::new(frames, Framing::Turn, place));
                }
            }
            Said::Idle => {
                if !self.turn.has_allocation(&flow) {
                    self.streams.hang_up(&flow);
                }
            }
            Said::Closed(outbox) => {
                if self.streams.close(&flow, &outbox) {
                    self.turn.close_flow(&flow);
                }
            }
        }
        None
    }

    /// At the end of a tick.
    pub(super) fn tell_streams(&mut self) {
        self.streams.tell();
    }

    pub(super) fn streams_now(&self) -> usize {
        self.streams.len()
    }

    /// Of other shards' clients, collected since the last time.
    pub(super) fn take_foreign(&mut self) -> impl Iterator<Item = (ShardId, Runs)> {
        let all = (0..).map(ShardId).zip(&mut self.foreign);
        all.filter(|(_, runs)| !runs.is_empty())
            .map(|(shard, runs)| (shard, std::mem::take(runs)))
    }

    pub(super) fn enter(&self, peer: PeerId, room: RoomId) {
        self.relays.enter(peer, room);
    }

    /// Which shards have something of theirs.
    pub(super) fn leave(&self, peer: PeerId) -> ShardSet {
        self.relays.leave(peer)
    }

    pub(super) fn end(&mut self, peer: PeerId) {
        self.turn.end(peer.0);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.turn.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        self.turn.handle_timeout(of(now));
    }

    pub(super) fn counters(&self) -> Counters {
        self.turn.counters()
    }
}

/// Each datagram of a run.
fn payloads(contents: &[u8], segment: Option<usize>) -> impl Iterator<Item = &[u8]> {
    // An empty one is one, too.
    let empty = contents.is_empty().then_some(contents);
    let segment = segment.unwrap_or(contents.len()).max(1);
    contents.chunks(segment).chain(empty)
}

/// Of a datagram at one of our ports.
pub(super) fn flow_of(arrived: &Arrived<'_>) -> Flow {
    Flow {
        transport: Transport::Udp,
        client: arrived.remote,
        local: SocketAddr::new(arrived.destination, arrived.port),
    }
}

impl Wire<'_> {
    fn send(
        &mut self,
        streams: &mut Streams<Flow>,
        flow: Flow,
        contents: &[u8],
        segment: Option<usize>,
        datagrams: usize,
    ) {
        if flow.transport != Transport::Udp {
            streams.send(&flow, contents, datagrams, self.counters);
            return;
        }
        let group = Group {
            local: flow.local.into(),
            remote: flow.client,
            contents,
            segment,
            count: datagrams,
        };
        // From where it was sent to, be that a candidate or not.
        let source = Some(flow.local.ip()).filter(|ip| !ip.is_unspecified());
        self.sockets.send(source, &group, self.counters);
    }
}

fn of(now: Now) -> madang_turn::Now {
    madang_turn::Now {
        instant: now.instant,
        wall: now.wall,
    }
}
