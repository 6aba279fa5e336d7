//! What a shard relays for its clients. A relayed client looks to the core like one at its relayed address; what goes there
//! is wrapped, and sent on as a group like any other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use madang_sfu::api::{Now, PeerId, RoomId, ShardId, ShardSet};
use madang_turn::{Counters, Flow, Ports, Transport, Turn, Verdict};

use super::counters::PathCounters;
use super::group::Group;
use super::relays::{ForShard, Relays, is_relayed};
use super::ring::Runs;
use super::udp::{Arrived, Sockets};

pub(super) struct Relay {
    turn: Turn,
    relays: Arc<Relays>,
    own: ShardId,
    ports: Ports,
    /// By shard: what goes to clients of others.
    foreign: Vec<Runs>,
    /// Kept to save allocations.
    wrapped: Vec<u8>,
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
            from: group.local,
            to: group.remote,
            contents: group.contents,
            segment: group.segment,
            count: group.count,
        }
    }
}

impl Relay {
    pub(super) fn new(relays: Arc<Relays>, own: ShardId, shards: u8) -> Self {
        let ports = Ports::new(own.0.into(), shards.into());
        let for_shard = || {
            Box::new(ForShard {
                relays: Arc::clone(&relays),
                shard: own,
            })
        };
        Self {
            turn: Turn::new(relays.server_config(ports), for_shard(), for_shard()),
            relays,
            own,
            ports,
            foreign: (0..shards).map(|_| Runs::default()).collect(),
            wrapped: Vec::new(),
        }
    }

    /// STUN and TURN as they arrive at the media port. Some: it is for our own core, after all.
    pub(super) fn receive<'a>(
        &mut self,
        now: Now,
        arrived: Arrived<'a>,
        wire: &mut Wire<'_>,
    ) -> Option<Unwrapped<'a>> {
        // Nobody on a network has such an address.
        if is_relayed(arrived.remote) {
            wire.counters.dropped_turn += 1;
            return None;
        }
        let flow = Flow {
            transport: Transport::Udp,
            client: arrived.remote,
            // There is one port.
            local: SocketAddr::new(arrived.destination, 0),
        };
        match self.turn.handle_packet(of(now), flow, arrived.bytes) {
            Verdict::ToSfu { from, to, payload } => Some(Unwrapped { from, to, payload }),
            Verdict::ToRelay { from, to, payload } => {
                let run = Run {
                    from,
                    to,
                    contents: payload,
                    segment: None,
                    count: 1,
                };
                self.deliver(now, run, wire);
                None
            }
            Verdict::Reply => {
                wire.send(flow, self.turn.reply(), None, 1);
                None
            }
            // Counted there.
            Verdict::Drop(_) => None,
        }
    }

    /// To the client behind a relayed address, whosever shard that is.
    pub(super) fn deliver(&mut self, now: Now, run: Run<'_>, wire: &mut Wire<'_>) {
        match self.ports.part_of(run.to.port()) {
            Some(part) if part == u16::from(self.own.0) => self.deliver_own(now, run, wire),
            Some(part) => match self.foreign.get_mut(usize::from(part)) {
                Some(runs) => runs.push(&run),
                None => debug_assert!(false, "a port of one of the shards"),
            },
            None => wire.counters.dropped_turn += super::ring::count(run.count),
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
        // An empty datagram is one, too.
        let empty = (bytes == 0).then_some(run.contents);
        let payloads = run.contents.chunks(run.segment.unwrap_or(bytes).max(1));
        for payload in payloads.chain(empty) {
            envelope.seal(payload, &mut self.wrapped);
            segment = segment.or(run.segment.map(|_| self.wrapped.len()));
        }
        wire.send(envelope.flow, &self.wrapped, segment, run.count);
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

impl Wire<'_> {
    fn send(&mut self, flow: Flow, contents: &[u8], segment: Option<usize>, datagrams: usize) {
        let group = Group {
            local: flow.local,
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
