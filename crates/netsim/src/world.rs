//! Shards, clients and the network between them, in steps of virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use madang_sfu::api::{Now, PeerId, Request, RoomId, RoomInfo, RoomName, ShardId, ShardSet};
use madang_sfu::{Config, Counters, Received, Route, Sfu, Slot, owner_of_stun};

use crate::client::{Client, Profile};
use crate::net::{Datagram, Link, Net, Random};

const STEP: Duration = Duration::from_millis(2);
/// Messages between shards settle within a step.
const LINK_ROUNDS_MAX: usize = 64;

#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub seed: u64,
    pub shards: u8,
    pub up: Link,
    pub down: Link,
}

/// A server of several shards, and everybody who meets there.
pub struct World {
    pub random: Random,
    setup: Setup,
    start: Instant,
    pub now: Instant,
    server: SocketAddr,
    sfus: Vec<Sfu>,
    routes: BTreeMap<SocketAddr, (usize, Slot)>,
    net: Net,
    pub clients: Vec<Client>,
    room: Arc<RoomInfo>,
    used: ShardSet,
    joined: u64,
    /// Datagrams from addresses that nobody has vouched for.
    pub unrouted: u64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.setup.seed)
            .field("clients", &self.clients.len())
            .finish_non_exhaustive()
    }
}

impl World {
    pub fn new(start: Instant, setup: Setup) -> Self {
        let server: SocketAddr = ([192, 0, 2, 1], 7882).into();
        let mut random = Random::new(setup.seed);
        let now = Now {
            instant: start,
            wall: Duration::from_secs(1_700_000_000),
        };
        let sfus = (0..setup.shards)
            .map(|shard| {
                let entropy = Random::new(random.draw());
                Sfu::new(
                    now,
                    Config::new(ShardId(shard), vec![server]),
                    Box::new(entropy),
                )
            })
            .collect();
        let room = RoomInfo {
            id: RoomId(random.draw()),
            name: RoomName::new("yard"),
            metadata: String::new(),
            created_wall_ms: 0,
            peers_max: None,
            empty_timeout_s: 300,
            departure_timeout_s: 20,
        };
        Self {
            random,
            setup,
            start,
            now: start,
            server,
            sfus,
            routes: BTreeMap::new(),
            net: Net::default(),
            clients: Vec::new(),
            room: Arc::new(room),
            used: ShardSet::default(),
            joined: 0,
            unrouted: 0,
        }
    }

    /// A new member, on the shard whose turn it is; its index among the clients.
    pub fn join(&mut self, profile: Profile) -> usize {
        let shard = usize::try_from(self.joined).expect("few") % self.sfus.len();
        self.joined += 1;
        let port = 10_000 + u16::try_from(self.joined).expect("few");
        let address = ([198, 51, 100, 7], port).into();
        let id = ShardId(u8::try_from(shard).expect("few"));
        let mut others = self.used;
        others.remove(id);
        self.used.insert(id);
        let peer = PeerId(self.random.draw());
        self.clients.push(Client::new(
            self.now, peer, shard, address, &self.room, others, profile,
        ));
        self.clients.len() - 1
    }

    pub fn leave(&mut self, index: usize) {
        if let Some(client) = self.clients.get_mut(index) {
            client.request(Request::Leave);
        }
    }

    /// Takes away those who have left and were told so.
    pub fn bury(&mut self) {
        self.clients.retain(|client| client.closed.is_none());
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        let now = self.wall_now();
        while let Some(datagram) = self.net.due(self.now) {
            self.deliver(now, &datagram);
        }
        for index in 0..self.clients.len() {
            let Some(client) = self.clients.get_mut(index) else {
                continue;
            };
            let (peer, shard, from) = (client.peer, client.shard, client.address);
            let requests = client.take_requests();
            let out = if client.closed.is_some() || client.ended {
                Vec::new()
            } else {
                client.poll(self.now)
            };
            for request in requests {
                if let Some(sfu) = self.sfus.get_mut(shard) {
                    sfu.handle_request(now, peer, request);
                }
            }
            for (to, bytes) in out {
                let link = self.setup.up;
                self.net.send(
                    self.now,
                    link,
                    &mut self.random,
                    Datagram { from, to, bytes },
                );
            }
        }
        for sfu in &mut self.sfus {
            sfu.handle_timeout(now);
        }
        self.settle(now);
    }

    fn wall_now(&self) -> Now {
        Now {
            instant: self.now,
            wall: Duration::from_secs(1_700_000_000) + (self.now - self.start),
        }
    }

    fn deliver(&mut self, now: Now, datagram: &Datagram) {
        if datagram.to != self.server {
            if let Some(client) = self
                .clients
                .iter_mut()
                .find(|client| client.address == datagram.to)
            {
                client.receive(self.now, datagram.from, &datagram.bytes);
            }
            return;
        }
        let owner = if datagram.bytes.first().is_some_and(|first| *first < 4) {
            owner_of_stun(&datagram.bytes).map(|(shard, slot)| (usize::from(shard.0), slot))
        } else {
            self.routes.get(&datagram.from).copied()
        };
        let Some((shard, slot)) = owner else {
            self.unrouted += 1;
            return;
        };
        if let Some(sfu) = self.sfus.get_mut(shard) {
            let received = Received {
                slot,
                remote: datagram.from,
                local: self.server.into(),
                bytes: &datagram.bytes,
            };
            sfu.handle_packet(now, received);
        }
    }

    /// Flushes every shard until they have nothing more to tell each other.
    fn settle(&mut self, now: Now) {
        for _ in 0..LINK_ROUNDS_MAX {
            let mut messages = Vec::new();
            for index in 0..self.sfus.len() {
                let Some(sfu) = self.sfus.get_mut(index) else {
                    continue;
                };
                sfu.flush(now);
                while let Some((to, message)) = sfu.poll_link() {
                    messages.push((index, usize::from(to.0), message));
                }
                self.collect(index);
            }
            if messages.is_empty() {
                return;
            }
            for (from, to, message) in messages {
                let from = ShardId(u8::try_from(from).expect("few"));
                if let Some(sfu) = self.sfus.get_mut(to) {
                    sfu.handle_link(now, from, message);
                }
            }
        }
        panic!("seed {}: the shards do not come to rest", self.setup.seed);
    }

    fn collect(&mut self, index: usize) {
        let Some(sfu) = self.sfus.get_mut(index) else {
            return;
        };
        while let Some(route) = sfu.poll_route() {
            match route {
                Route::Add { remote, slot } => {
                    self.routes.insert(remote, (index, slot));
                }
                Route::Stream { .. } | Route::StreamOver { .. } => {
                    panic!("seed {}: nobody comes by TCP", self.setup.seed)
                }
                Route::Remove { remote, slot } => {
                    if self.routes.get(&remote) == Some(&(index, slot)) {
                        self.routes.remove(&remote);
                    }
                }
            }
        }
        let transmits = sfu.transmits();
        for transmit in transmits.all() {
            let datagram = Datagram {
                from: transmit.local.address(),
                to: transmit.remote,
                bytes: transmits.bytes(std::slice::from_ref(transmit)).to_vec(),
            };
            self.net
                .send(self.now, self.setup.down, &mut self.random, datagram);
        }
        transmits.clear();
        while let Some((peer, event)) = sfu.poll_event() {
            if let Some(client) = self.clients.iter_mut().find(|client| client.peer == peer) {
                client.handle_event(event);
            }
        }
    }

    pub fn counters(&self) -> Vec<Counters> {
        self.sfus.iter().map(Sfu::counters).collect()
    }

    pub fn sum(&self, which: impl Fn(&Counters) -> u64) -> u64 {
        self.counters().iter().map(which).sum()
    }

    pub fn links(&mut self, up: Link, down: Link) {
        self.setup.up = up;
        self.setup.down = down;
    }

    /// What holds at every moment, whatever the network does.
    pub fn check(&self) {
        let seed = self.setup.seed;
        assert!(self.net.adds_up(), "seed {seed}: datagrams unaccounted for");
        for counters in self.counters() {
            assert_eq!(counters.faults, 0, "seed {seed}: {counters:?}");
            assert_eq!(
                counters.forwards,
                counters.rtp_out + counters.rtp_unwanted + counters.rtp_unforwarded,
                "seed {seed}: every packet for every subscription is sent, unwanted or counted as dropped: {counters:?}"
            );
        }
        for client in &self.clients {
            assert!(
                !client.ended || client.closed.is_some(),
                "seed {seed}: {:?} ended by itself",
                client.peer
            );
            assert!(
                client.refused.is_empty(),
                "seed {seed}: {:?} {:?}",
                client.peer,
                client.refused
            );
            for ((track, _), stream) in &client.streams {
                let report = stream.report();
                assert!(
                    report.faults.is_empty(),
                    "seed {seed}: {} {track}: {:#?}",
                    client.peer,
                    report.faults
                );
            }
        }
    }

    /// Nothing outlives its owner.
    pub fn check_empty(&self) {
        let seed = self.setup.seed;
        for counters in self.counters() {
            let left = [
                counters.rooms_now,
                counters.peers_now,
                counters.remote_peers_now,
                counters.connections_now,
                counters.tracks_now,
                counters.remote_tracks_now,
                counters.subscriptions_now,
                counters.routes_now,
            ];
            assert_eq!(left, [0; 8], "seed {seed}: {counters:?}");
        }
        assert!(
            self.routes.is_empty(),
            "seed {seed}: routes are left: {:?}",
            self.routes
        );
    }
}
