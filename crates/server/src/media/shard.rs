//! A media thread: it owns connections, and moves every packet of theirs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use madang_sfu::api::{LeaveReason, Now, PeerId, Request, ShardId};
use madang_sfu::{LinkBody, LinkMessage, Local, Received, Route, Sfu};
use madang_turn::Flow;
use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::addresses::Addresses;
use super::counters::PathCounters;
use super::demux::{Demux, Unowned};
use super::desk::{Desk, Packet};
use super::group;
use super::ice::{IceLine, IceStreams};
use super::inbox::Inbox;
use super::port::{Command, PeerQueue, Pushed};
use super::relay::{self, Relay, Run, Wire};
use super::ring::{Datagrams, Ends, Lost, Parcel, RouteTold, count};
use super::stream::{LineId, Said};
use super::udp::Sockets;

/// Datagrams of one tick, and how long it may receive.
const RECEIVE_DATAGRAMS_MAX: usize = 64;
const RECEIVE_TIME_MAX: Duration = Duration::from_micros(200);
/// Requests and the like handled in one tick.
const COMMANDS_PER_TICK_MAX: usize = 128;
/// Parcels of one ring taken in one tick.
const PARCELS_PER_TICK_MAX: usize = 64;
/// Forwarded STUN remembered until the end of the tick, to tell its socket's shard if an address became valid.
const VIAS_MAX: usize = 1_024;
/// When a ring or a socket was full.
const RETRY_AFTER: Duration = Duration::from_millis(1);
/// For what a full socket still holds back when we stop.
const STOP_FLUSH_MAX: Duration = Duration::from_millis(200);

/// How much a shard has to do; for choosing one.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    pub(super) peers: AtomicU64,
    pub(super) connections: AtomicU64,
}

pub(super) struct Shard {
    id: ShardId,
    sfu: Sfu,
    sockets: Sockets,
    inbox: Inbox,
    addresses: Arc<Addresses>,
    demux: Demux,
    relay: Relay,
    ice: IceStreams,
    rings: Ends,
    /// By shard: what this tick collected for the others.
    foreign: Vec<Datagrams>,
    links: Vec<Vec<LinkMessage>>,
    vias: Vec<(SocketAddr, ShardId)>,
    commands: mpsc::UnboundedReceiver<Command>,
    next_command: Option<Command>,
    peers: BTreeMap<PeerId, PeerQueue>,
    too_slow: Vec<PeerId>,
    counters: PathCounters,
    gauge: Arc<Gauge>,
    /// More is waiting than one tick takes.
    busy: bool,
    stopping: bool,
    alarm: Option<Pin<Box<Sleep>>>,
}

pub(super) struct Parts {
    pub(super) id: ShardId,
    pub(super) sfu: Sfu,
    pub(super) sockets: Sockets,
    pub(super) addresses: Arc<Addresses>,
    pub(super) demux: Demux,
    pub(super) relay: Relay,
    pub(super) rings: Ends,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) gauge: Arc<Gauge>,
}

pub(super) fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Now {
        instant: Instant::now(),
        wall: wall.unwrap_or_default(),
    }
}

impl Shard {
    pub(super) fn new(parts: Parts) -> Self {
        let shards = parts.rings.outlets.len();
        Self {
            id: parts.id,
            sfu: parts.sfu,
            sockets: parts.sockets,
            inbox: Inbox::new(),
            addresses: parts.addresses,
            demux: parts.demux,
            relay: parts.relay,
            ice: IceStreams::default(),
            rings: parts.rings,
            foreign: (0..shards).map(|_| Datagrams::default()).collect(),
            links: vec![Vec::new(); shards],
            vias: Vec::new(),
            commands: parts.commands,
            next_command: None,
            peers: BTreeMap::new(),
            too_slow: Vec::new(),
            counters: PathCounters::default(),
            gauge: parts.gauge,
            busy: false,
            stopping: false,
            alarm: None,
        }
    }

    /// Until told to stop, or nobody is left to tell.
    pub(super) async fn run(mut self) {
        while !self.stopping {
            self.tick(now());
            self.rest().await;
        }
        let deadline = tokio::time::sleep(STOP_FLUSH_MAX);
        tokio::pin!(deadline);
        while self.sockets.is_waiting() {
            tokio::select! {
                () = std::future::poll_fn(|context| self.sockets.poll_ready(context)) => {}
                () = &mut deadline => break,
            }
            self.sockets.retry(&mut self.counters);
        }
        for queue in self.peers.values() {
            queue.end(LeaveReason::Shutdown);
        }
    }

    /// The way of a packet: from the socket, or from the shard at whose socket it arrived, into the core; out of the core to
    /// other shards, and to the socket.
    fn tick(&mut self, now: Now) {
        self.counters.ticks += 1;
        self.busy = false;
        self.vias.clear();
        self.receive(now);
        self.take_over(now);
        self.obey(now);
        if self
            .sfu
            .poll_timeout()
            .is_some_and(|deadline| deadline <= now.instant)
        {
            self.sfu.handle_timeout(now);
        }
        self.relay.handle_timeout(now);
        loop {
            let more = self.sfu.flush_some(now);
            // Before anything is sent: an answer from us is what makes a client send more than STUN.
            self.tell_routes();
            self.hand_links();
            self.transmit(now);
            if !more {
                break;
            }
        }
        self.relay.tell_streams();
        self.ice.tell();
        self.hand_events();
        self.publish_gauges();
    }

    fn receive(&mut self, now: Now) {
        let mut datagrams = 0;
        for index in 0..self.sockets.len() {
            loop {
                match self.sockets.receive(index, &mut self.inbox) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        self.counters.receive_failed += 1;
                        tracing::debug!(%error, "cannot receive");
                        break;
                    }
                }
                // After the system call, before its datagrams: what made a client send these was told to us before.
                self.take_over(now);
                datagrams += self.sort(now);
                if datagrams >= RECEIVE_DATAGRAMS_MAX || now.instant.elapsed() >= RECEIVE_TIME_MAX {
                    self.busy = true;
                    break;
                }
            }
        }
        let wire = &mut Wire {
            sockets: &mut self.sockets,
            counters: &mut self.counters,
        };
        self.relay.let_go(now, wire);
        let is_enough = |datagrams| {
            datagrams >= RECEIVE_DATAGRAMS_MAX || now.instant.elapsed() >= RECEIVE_TIME_MAX
        };
        self.relay
            .hear_elsewhere(now, &mut self.inbox, wire, is_enough);
        self.busy |= self.relay.is_busy();
        self.hand_over();
    }

    /// To the shards whose connections they are for.
    fn hand_over(&mut self) {
        for (outlet, batch) in self.rings.outlets.iter_mut().zip(&mut self.foreign) {
            if let Some(outlet) = outlet.as_mut()
                && !batch.is_empty()
            {
                let lost = outlet.push(Parcel::Datagrams(std::mem::take(batch)));
                add_lost(&mut self.counters, lost);
                outlet.wake();
            }
        }
    }

    /// What was received: our own into the core, others' collected by owner.
    fn sort(&mut self, now: Now) -> usize {
        let counters = &mut self.counters;
        let before = counters.received;
        for arrived in self.inbox.datagrams() {
            counters.received += 1;
            counters.received_bytes += count(arrived.bytes.len());
            let mut owner = if self.relay.has_port(arrived.port) {
                Err(Unowned::Turn)
            } else {
                self.demux.whose(arrived.remote, arrived.bytes)
            };
            let mut unwrapped = None;
            if owner == Err(Unowned::Turn) {
                let wire = &mut Wire {
                    sockets: &mut self.sockets,
                    counters,
                };
                let flow = relay::flow_of(&arrived);
                unwrapped = self.relay.receive(now, flow, arrived.bytes, wire);
                let Some(inner) = &unwrapped else {
                    continue;
                };
                owner = self.demux.whose(inner.from, inner.payload);
            }
            let owner = match owner {
                Ok(owner) => owner,
                Err(unowned) => {
                    counters.count_unowned(unowned);
                    continue;
                }
            };
            let (remote, local, bytes) = match unwrapped {
                Some(inner) => (inner.from, inner.to, inner.payload),
                None => {
                    let Some(local) = self.addresses.arrived_at(arrived.destination) else {
                        counters.dropped_local += 1;
                        continue;
                    };
                    (arrived.remote, local, arrived.bytes)
                }
            };
            let mut desk = Desk {
                own: self.id,
                sfu: &mut self.sfu,
                foreign: &mut self.foreign,
            };
            let packet = Packet {
                remote,
                local,
                bytes,
            };
            desk.give(now, owner, &packet, counters);
        }
        usize::try_from(counters.received - before).unwrap_or(usize::MAX)
    }

    /// Of a client of the relay that came by TCP or TLS.
    fn hear(&mut self, now: Now, flow: Flow, said: Said) {
        let Some(pieces) = self.relay.hear(flow, said) else {
            return;
        };
        let counters = &mut self.counters;
        for bytes in pieces.each() {
            counters.stream_received += 1;
            counters.stream_received_bytes += count(bytes.len());
            let wire = &mut Wire {
                sockets: &mut self.sockets,
                counters,
            };
            let Some(inner) = self.relay.receive(now, flow, bytes, wire) else {
                continue;
            };
            let owner = match self.demux.whose(inner.from, inner.payload) {
                Ok(owner) => owner,
                Err(unowned) => {
                    counters.count_unowned(unowned);
                    continue;
                }
            };
            let mut desk = Desk {
                own: self.id,
                sfu: &mut self.sfu,
                foreign: &mut self.foreign,
            };
            let packet = Packet {
                remote: inner.from,
                local: inner.to,
                bytes: inner.payload,
            };
            desk.give(now, owner, &packet, counters);
        }
        let wire = &mut Wire {
            sockets: &mut self.sockets,
            counters,
        };
        self.relay.let_go(now, wire);
        self.hand_over();
    }

    /// Of a client that came by TCP without a relay.
    fn hear_ice(&mut self, now: Now, line: IceLine, said: Said) {
        let Some(pieces) = self.ice.hear(line, said) else {
            return;
        };
        for bytes in pieces.each() {
            self.counters.stream_received += 1;
            self.counters.stream_received_bytes += count(bytes.len());
            self.sfu.handle_packet(
                now,
                Received {
                    slot: line.slot,
                    remote: line.remote,
                    local: Local::Tcp(line.local),
                    bytes,
                },
            );
        }
    }

    /// From the rings.
    fn take_over(&mut self, now: Now) {
        let counters = &mut self.counters;
        for inlet in &mut self.rings.inlets {
            let from = inlet.from;
            let mut parcels = 0;
            while let Some(parcel) = inlet.pop() {
                match parcel {
                    Parcel::Datagrams(datagrams) => {
                        counters.taken_over += count(datagrams.len());
                        for (head, bytes) in datagrams.iter() {
                            if head.stun && self.demux.tell(head.remote, head.slot, from) {
                                tell(
                                    &mut self.rings.outlets,
                                    counters,
                                    from,
                                    RouteTold::known(head.remote, head.slot),
                                );
                            } else if head.stun && self.vias.len() < VIAS_MAX {
                                self.vias.push((head.remote, from));
                            }
                            self.sfu.handle_packet(
                                now,
                                Received {
                                    slot: head.slot,
                                    remote: head.remote,
                                    local: head.local.into(),
                                    bytes,
                                },
                            );
                        }
                    }
                    Parcel::Links(messages) => {
                        for message in messages {
                            self.sfu.handle_link(now, from, message);
                        }
                    }
                    Parcel::Route(told) => {
                        let RouteTold {
                            remote,
                            slot,
                            known,
                        } = told;
                        if self.demux.told(from, remote, slot, known).is_err() {
                            counters.routes_refused += 1;
                        }
                    }
                    Parcel::Relayed(runs) => {
                        let wire = &mut Wire {
                            sockets: &mut self.sockets,
                            counters,
                        };
                        for run in runs.iter() {
                            self.relay.deliver_own(now, run, wire);
                        }
                    }
                    Parcel::Left(peer) => self.relay.end(peer),
                }
                parcels += 1;
                if parcels == PARCELS_PER_TICK_MAX {
                    self.busy = true;
                    break;
                }
            }
        }
    }

    /// Requests of sessions, and questions.
    fn obey(&mut self, now: Now) {
        for peer in std::mem::take(&mut self.too_slow) {
            self.let_go(now, peer, LeaveReason::TooSlow);
        }
        for _ in 0..COMMANDS_PER_TICK_MAX {
            let command = match self.next_command.take() {
                Some(command) => command,
                None => match self.commands.try_recv() {
                    Ok(command) => command,
                    Err(mpsc::error::TryRecvError::Empty) => return,
                    Err(mpsc::error::TryRecvError::Disconnected) => {
                        self.stopping = true;
                        return;
                    }
                },
            };
            self.counters.commands += 1;
            self.handle_command(now, command);
        }
        self.busy = true;
    }

    fn handle_command(&mut self, now: Now, command: Command) {
        match command {
            Command::Attach { peer, queue } => {
                self.peers.insert(peer, queue);
            }
            Command::Request { peer, request } => {
                // Its stay is over already: the session learns it from its last event.
                if let Some(queue) = self.peers.get_mut(&peer) {
                    queue.request_taken(&request);
                    if let Request::Join(join) = &request {
                        self.relay.enter(peer, join.room.id);
                    }
                    self.sfu.handle_request(now, peer, request);
                }
            }
            Command::Flooded { peer } => self.let_go(now, peer, LeaveReason::TooSlow),
            Command::Detach { peer } => {
                if let Some(queue) = self.depart(peer)
                    && !queue.is_leaving()
                {
                    self.counters.peers_abandoned += 1;
                    let reason = LeaveReason::SignallingLost;
                    self.sfu
                        .handle_request(now, peer, Request::Remove { reason });
                }
            }
            // The one who asked may have gone.
            Command::Room { room, reply } => {
                reply.send(self.sfu.room(room)).ok();
            }
            Command::Counters { reply } => {
                self.counters.routes_now = count(self.demux.len());
                self.counters.overflow_now = self.overflowed();
                self.counters.streams_now = count(self.relay.streams_now() + self.ice.len());
                self.counters.elsewhere_sockets_now = count(self.relay.sockets_now());
                reply.send((self.sfu.counters(), self.counters)).ok();
            }
            Command::RelayCounters { reply } => {
                reply.send(self.relay.counters()).ok();
            }
            Command::Stream {
                line: LineId::Relay(flow),
                said,
            } => self.hear(now, flow, said),
            Command::Stream {
                line: LineId::Ice(line),
                said,
            } => self.hear_ice(now, line, said),
            #[cfg(test)]
            Command::Panic => panic!("planted"),
            Command::Stop => {
                self.stopping = true;
                for peer in self.peers.keys() {
                    let reason = LeaveReason::Shutdown;
                    self.sfu
                        .handle_request(now, *peer, Request::Remove { reason });
                }
            }
        }
    }

    fn let_go(&mut self, now: Now, peer: PeerId, reason: LeaveReason) {
        if let Some(queue) = self.depart(peer) {
            self.counters.peers_too_slow += 1;
            queue.end(reason);
            self.sfu
                .handle_request(now, peer, Request::Remove { reason });
        }
    }

    /// Its stay is over, and with it what is relayed for it.
    fn depart(&mut self, peer: PeerId) -> Option<PeerQueue> {
        let queue = self.peers.remove(&peer)?;
        for shard in self.relay.leave(peer).iter() {
            if shard == self.id {
                self.relay.end(peer);
            } else if let Some(Some(outlet)) = self.rings.outlets.get_mut(usize::from(shard.0)) {
                outlet.push(Parcel::Left(peer));
                outlet.wake();
            }
        }
        Some(queue)
    }

    fn tell_routes(&mut self) {
        while let Some(route) = self.sfu.poll_route() {
            match route {
                Route::Add { remote, slot } => {
                    if self.demux.add(remote, slot).is_err() {
                        self.counters.routes_refused += 1;
                        continue;
                    }
                    let via = self.vias.iter().rfind(|(address, _)| *address == remote);
                    if let Some((_, shard)) = via.copied()
                        && self.demux.tell(remote, slot, shard)
                    {
                        tell(
                            &mut self.rings.outlets,
                            &mut self.counters,
                            shard,
                            RouteTold::known(remote, slot),
                        );
                    }
                }
                Route::Stream { local, remote } => self.ice.admit(local, remote),
                Route::StreamOver { local, remote } => self.ice.hang_up(local, remote),
                Route::Remove { remote, slot } => {
                    for shard in self.demux.remove(remote, slot).iter() {
                        tell(
                            &mut self.rings.outlets,
                            &mut self.counters,
                            shard,
                            RouteTold::gone(remote, slot),
                        );
                    }
                }
            }
        }
    }

    /// To other shards: once for each tick and shard, and the packets of a room together.
    fn hand_links(&mut self) {
        while let Some((to, message)) = self.sfu.poll_link() {
            let Some(batch) = self.links.get_mut(usize::from(to.0)) else {
                debug_assert!(false, "no such shard");
                continue;
            };
            let room = message.room;
            match (message.body, batch.last_mut()) {
                (
                    LinkBody::Packets(packets),
                    Some(LinkMessage {
                        room: last,
                        body: LinkBody::Packets(before),
                    }),
                ) if *last == room => before.extend(packets),
                (body, _) => batch.push(LinkMessage { room, body }),
            }
        }
        for (outlet, batch) in self.rings.outlets.iter_mut().zip(&mut self.links) {
            let Some(outlet) = outlet.as_mut() else {
                continue;
            };
            if batch.is_empty() {
                outlet.retry();
            } else {
                let lost = outlet.push(Parcel::Links(std::mem::take(batch)));
                add_lost(&mut self.counters, lost);
            }
            outlet.wake();
        }
    }

    fn hand_events(&mut self) {
        while let Some((peer, event)) = self.sfu.poll_event() {
            self.counters.events += 1;
            let Some(queue) = self.peers.get(&peer) else {
                // Nobody listens any more.
                continue;
            };
            match queue.push(event) {
                Pushed::More | Pushed::Abandoned => {}
                Pushed::Last => drop(self.depart(peer)),
                Pushed::Full => {
                    if !self.too_slow.contains(&peer) {
                        self.too_slow.push(peer);
                    }
                }
            }
        }
    }

    fn transmit(&mut self, now: Now) {
        let Self {
            sfu,
            sockets,
            addresses,
            counters,
            relay,
            ice,
            rings,
            ..
        } = self;
        if sockets.is_waiting() {
            sockets.retry(counters);
        }
        let transmits = sfu.transmits();
        group::groups(transmits, |group| {
            let Local::Udp(local) = group.local else {
                ice.send(&group, counters);
                return;
            };
            if relay.is_relayed(group.remote) {
                let wire = &mut Wire { sockets, counters };
                relay.deliver(now, Run::of(&group), wire);
                return;
            }
            sockets.send(addresses.source(local), &group, counters);
        });
        transmits.clear();
        for (shard, runs) in relay.take_foreign() {
            if let Some(Some(outlet)) = rings.outlets.get_mut(usize::from(shard.0)) {
                let lost = outlet.push(Parcel::Relayed(runs));
                add_lost(counters, lost);
                outlet.wake();
            }
        }
    }

    fn publish_gauges(&mut self) {
        self.gauge
            .peers
            .store(count(self.peers.len()), Ordering::Relaxed);
        let connections = self.sfu.connections_now();
        self.gauge.connections.store(connections, Ordering::Relaxed);
    }

    fn overflowed(&self) -> u64 {
        let waiting = self
            .rings
            .outlets
            .iter()
            .flatten()
            .map(super::ring::Outlet::overflowed);
        count(waiting.sum())
    }

    /// Sleeps until a socket, a ring, a command or the next deadline has something for us.
    async fn rest(&mut self) {
        if self.stopping {
            return;
        }
        if self.busy || !self.too_slow.is_empty() {
            // The runtime looks at the sockets in between.
            tokio::task::yield_now().await;
            return;
        }
        self.set_alarm();
        let wake = Arc::clone(&self.rings.wake);
        wake.lie_down();
        if self.rings.inlets.iter().all(super::ring::Inlet::is_empty) {
            let called = std::pin::pin!(wake.called());
            self.sleep(called).await;
        }
        wake.get_up();
    }

    async fn sleep(&mut self, mut called: Pin<&mut tokio::sync::futures::Notified<'_>>) {
        use std::task::Poll;

        std::future::poll_fn(|context| {
            let mut ready = self.sockets.poll_ready(context);
            if self.relay.poll_ready(context).is_ready() {
                ready = Poll::Ready(());
            }
            if called.as_mut().poll(context).is_ready() {
                ready = Poll::Ready(());
            }
            if let Poll::Ready(command) = self.commands.poll_recv(context) {
                self.stopping |= command.is_none();
                self.next_command = command;
                ready = Poll::Ready(());
            }
            if let Some(alarm) = &mut self.alarm
                && alarm.as_mut().poll(context).is_ready()
            {
                ready = Poll::Ready(());
            }
            ready
        })
        .await;
    }

    fn set_alarm(&mut self) {
        let deadlines = [self.sfu.poll_timeout(), self.relay.poll_timeout()];
        let mut deadline = deadlines.into_iter().flatten().min();
        if self.overflowed() > 0 {
            let retry = Instant::now() + RETRY_AFTER;
            deadline = Some(deadline.map_or(retry, |deadline| deadline.min(retry)));
        }
        let deadline = deadline.map(tokio::time::Instant::from_std);
        match (deadline, &mut self.alarm) {
            (Some(deadline), Some(alarm)) => {
                if alarm.deadline() != deadline || alarm.is_elapsed() {
                    alarm.as_mut().reset(deadline);
                }
            }
            (Some(deadline), alarm @ None) => {
                *alarm = Some(Box::pin(tokio::time::sleep_until(deadline)));
            }
            (None, alarm) => *alarm = None,
        }
    }
}

fn tell(
    outlets: &mut [Option<super::ring::Outlet>],
    counters: &mut PathCounters,
    shard: ShardId,
    told: RouteTold,
) {
    if let Some(Some(outlet)) = outlets.get_mut(usize::from(shard.0)) {
        let lost = outlet.push(Parcel::Route(told));
        add_lost(counters, lost);
        outlet.wake();
    }
}

fn add_lost(counters: &mut PathCounters, lost: Lost) {
    counters.dropped_ring += lost.datagrams;
    counters.dropped_link_packets += lost.packets;
}
