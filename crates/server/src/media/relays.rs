//! Who may have something relayed, and where to: shared by the media threads and by whoever hands out credentials.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use madang_sfu::api::{PeerId, RoomId, ShardId, ShardSet};
use madang_turn::{
    Account, Auth, Config, Elsewhere, Families, Mint, PeerClass, Policy, Ports, Principal, Refused,
    USER_HASH_BYTES, User, user_hash,
};

use super::peers::{Ends, Peers, Place, RELAY_IPV4, RELAY_IPV6, elsewhere, ends, is_of_table};
use super::relay_sockets::Shared;
use super::ring::count;
use super::ways;

const PORTS: usize = 65_536;
/// Whom the settings name, with a password of their own: they are in no room, and may reach each other.
const USERS_ROOM: u64 = u64::MAX;
/// Of one peer, found by their hash. Older ones are found by their name.
const HASHES_PER_PEER_MAX: usize = 8;

/// What is relayed for clients, and how much.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    pub realm: String,
    /// How clients reach the media port. None: at its candidates.
    pub host: Option<String>,
    /// Where clients may come by TCP. Empty: nowhere.
    pub tcp: Vec<SocketAddr>,
    /// Where they may come by TLS, and the name that its certificate is for, if it is for one.
    pub tls: Vec<SocketAddr>,
    pub tls_host: Option<String>,
    pub secret: Vec<u8>,
    pub credentials_ttl: Duration,
    pub allocations_max: u32,
    pub allocations_per_peer_max: u32,
    /// Of one allocation, each way.
    pub bytes_per_second: u64,
    pub replies_per_source_per_second: u16,
    pub peers: Peers,
    /// Where peers elsewhere are let in.
    pub ports: RangeInclusive<u16>,
    /// Name and password of programs that are in no room.
    pub users: Vec<(String, String)>,
    pub allocations_per_user_max: u32,
}

impl RelayConfig {
    pub fn new(secret: Vec<u8>) -> Self {
        Self {
            realm: "room".to_owned(),
            host: None,
            tcp: Vec::new(),
            tls: Vec::new(),
            tls_host: None,
            secret,
            credentials_ttl: Duration::from_secs(3_600),
            allocations_max: 10_000,
            allocations_per_peer_max: 32,
            bytes_per_second: 20_000_000 / 8,
            replies_per_source_per_second: 10,
            peers: Peers::Room,
            ports: 49_152..=65_535,
            users: Vec::new(),
            allocations_per_user_max: 100,
        }
    }
}

/// Whom a client connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarEnd {
    /// Our media port. A browser hands all that comes from the address and port of its relay to its relay client: told of a relay
    /// there, it loses the straight way.
    Server,
    Members,
}

/// What a client needs to have something relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayAccess {
    pub urls: Vec<String>,
    pub username: String,
    pub password: String,
    pub ttl: Duration,
}

pub(super) struct Relays {
    /// None: nothing is relayed.
    config: Option<RelayConfig>,
    mint: Mint,
    nonce_secret: [u8; 32],
    /// Where our own media is reached.
    candidates: Vec<SocketAddr>,
    /// Of STUN and TURN alone.
    udp_port: Option<u16>,
    elsewhere: Elsewhere,
    /// The relayed addresses of all clients, and where their sockets are bound.
    ipv4: Option<Ends>,
    ipv6: Option<Ends>,
    /// By port of the relayed addresses: whose room it is in; 0: nobody's.
    rooms: Box<[AtomicU64]>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    peers: BTreeMap<PeerId, Member>,
    names: BTreeMap<[u8; USER_HASH_BYTES], String>,
    allocations: u32,
    /// By place in the settings.
    of_users: Vec<u32>,
}

/// Somebody with a session. In a room once they joined.
#[derive(Default)]
struct Member {
    room: Option<RoomId>,
    /// The shard of each allocation.
    allocations: Vec<ShardId>,
    issued: VecDeque<[u8; USER_HASH_BYTES]>,
}

impl std::fmt::Debug for Relays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relays").finish_non_exhaustive()
    }
}

impl Relays {
    pub(super) fn new(
        config: Option<RelayConfig>,
        nonce_secret: [u8; 32],
        place: Place<'_>,
    ) -> Arc<Self> {
        let users = config.as_ref().map_or(0, |config| config.users.len());
        let peers = config.as_ref().map(|config| &config.peers);
        let state = State {
            of_users: vec![0; users],
            ..State::default()
        };
        Arc::new(Self {
            mint: Mint::new(config.as_ref().map_or(&[], |config| &config.secret)),
            nonce_secret,
            candidates: place.candidates.to_vec(),
            udp_port: place.udp_port,
            elsewhere: peers.map_or(Elsewhere::Nobody, |peers| elsewhere(peers, place)),
            ipv4: peers.and_then(|peers| ends(peers, place, RELAY_IPV4.into())),
            ipv6: peers.and_then(|peers| ends(peers, place, RELAY_IPV6.into())),
            config,
            rooms: (0..PORTS).map(|_| AtomicU64::new(0)).collect(),
            state: Mutex::new(state),
        })
    }

    pub(super) fn udp_port(&self) -> Option<u16> {
        self.udp_port
    }

    /// For one shard's server.
    pub(super) fn server_config(&self, ports: Ports) -> Config {
        let plain = Config::new(self.nonce_secret, ports);
        let Some(config) = &self.config else {
            return plain;
        };
        let is_anybody = self.elsewhere.is_anybody();
        Config {
            realm: config.realm.clone(),
            relay_ipv4: self.ipv4.and_then(|ends| match ends.told {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            }),
            relay_ipv6: self.ipv6.and_then(|ends| match ends.told {
                IpAddr::V6(ip) => Some(ip),
                IpAddr::V4(_) => None,
            }),
            real_ports: is_anybody.then(|| config.ports.clone()),
            bytes_per_second: config.bytes_per_second,
            replies_per_source_per_second: config.replies_per_source_per_second,
            ..plain
        }
    }

    /// Of a client of ours, and not on any network but by its socket.
    pub(super) fn is_relayed(&self, address: SocketAddr) -> bool {
        if !self.elsewhere.is_anybody() {
            return is_of_table(address);
        }
        let ends = if address.is_ipv4() {
            self.ipv4
        } else {
            self.ipv6
        };
        ends.is_some_and(|ends| ends.told == address.ip()) && self.room_of(address.port()) != 0
    }

    /// Of the allocation at that port.
    pub(super) fn relayed_address(&self, port: u16, is_ipv6: bool) -> SocketAddr {
        let (ends, none) = if is_ipv6 {
            (self.ipv6, IpAddr::from(RELAY_IPV6))
        } else {
            (self.ipv4, IpAddr::from(RELAY_IPV4))
        };
        SocketAddr::new(ends.map_or(none, |ends| ends.told), port)
    }

    /// Where the sockets of allocations are bound; None: they have none.
    pub(super) fn sockets_at(&self) -> Option<(Option<IpAddr>, Option<IpAddr>)> {
        let bound = |ends: Option<Ends>| ends.map(|ends| ends.bound);
        let is_anybody = self.elsewhere.is_anybody();
        is_anybody.then(|| (bound(self.ipv4), bound(self.ipv6)))
    }

    /// It has a session from now on.
    pub(super) fn attach(&self, peer: PeerId) {
        self.lock().peers.entry(peer).or_default();
    }

    pub(super) fn enter(&self, peer: PeerId, room: RoomId) {
        if let Some(member) = self.lock().peers.get_mut(&peer) {
            member.room = Some(room);
        }
    }

    /// Whose shards must end allocations of theirs. No new ones are opened.
    pub(super) fn leave(&self, peer: PeerId) -> ShardSet {
        let mut state = self.lock();
        let Some(member) = state.peers.remove(&peer) else {
            return ShardSet::default();
        };
        for hash in &member.issued {
            state.names.remove(hash);
        }
        // Each counts until its shard has closed it.
        member.allocations.iter().copied().collect()
    }

    /// None: it has no session any more, or nothing is relayed.
    pub(super) fn issue(
        &self,
        wall: Duration,
        peer: PeerId,
        reached: Option<IpAddr>,
        far: FarEnd,
    ) -> Option<RelayAccess> {
        let config = self.config.as_ref()?;
        let ttl = config.credentials_ttl;
        let mut state = self.lock();
        let state = &mut *state;
        let member = state.peers.get_mut(&peer)?;
        let minted = self.mint.mint(&peer.to_string(), wall + ttl);
        let hash = user_hash(minted.username.as_bytes(), config.realm.as_bytes());
        if !member.issued.contains(&hash) {
            member.issued.push_back(hash);
            state.names.insert(hash, minted.username.clone());
        }
        if member.issued.len() > HASHES_PER_PEER_MAX
            && let Some(oldest) = member.issued.pop_front()
        {
            state.names.remove(&oldest);
        }
        Some(RelayAccess {
            urls: ways::urls(config, &self.candidates, self.udp_port, reached, far),
            username: minted.username,
            password: minted.password,
            ttl,
        })
    }

    fn account(&self, wall: Duration, user: User<'_>) -> Option<Account> {
        self.config.as_ref()?;
        if let Some(account) = self.user(user) {
            return Some(account);
        }
        let state = self.lock();
        let username = match user {
            User::Name(name) => name.to_vec(),
            User::Hash(hash) => {
                let hash: [u8; USER_HASH_BYTES] = hash.try_into().ok()?;
                state.names.get(&hash)?.clone().into_bytes()
            }
        };
        let peer: PeerId = Mint::participant(wall, &username)?.parse().ok()?;
        let room = state.peers.get(&peer)?.room?;
        Some(Account {
            password: self.mint.password(&username),
            username,
            who: Principal {
                participant: peer.0,
                room: room.0,
            },
        })
    }

    /// Whom the settings name.
    fn user(&self, user: User<'_>) -> Option<Account> {
        let config = self.config.as_ref()?;
        let realm = config.realm.as_bytes();
        let is = |name: &str| match user {
            User::Name(said) => said == name.as_bytes(),
            User::Hash(said) => said == user_hash(name.as_bytes(), realm),
        };
        let place = config.users.iter().position(|(name, _)| is(name))?;
        let (name, password) = config.users.get(place)?;
        Some(Account {
            username: name.clone().into_bytes(),
            password: password.clone(),
            who: Principal {
                participant: count(place),
                room: USERS_ROOM,
            },
        })
    }

    fn open(&self, shard: ShardId, who: Principal, port: u16) -> Result<(), Refused> {
        let config = self.config.as_ref().ok_or(Refused::Gone)?;
        let mut state = self.lock();
        let state = &mut *state;
        let is_full = state.allocations >= config.allocations_max;
        if let Some(own) = state.of_user(who) {
            if *own >= config.allocations_per_user_max {
                return Err(Refused::Quota);
            }
            if is_full {
                return Err(Refused::Full);
            }
            *own += 1;
            state.allocations += 1;
            self.set_room(port, who.room);
            return Ok(());
        }
        let member = state.peers.get_mut(&PeerId(who.participant));
        let member = member.filter(|member| member.room == Some(RoomId(who.room)));
        let member = member.ok_or(Refused::Gone)?;
        let own = u32::try_from(member.allocations.len()).unwrap_or(u32::MAX);
        if own >= config.allocations_per_peer_max {
            return Err(Refused::Quota);
        }
        if is_full {
            return Err(Refused::Full);
        }
        state.allocations += 1;
        member.allocations.push(shard);
        self.set_room(port, who.room);
        Ok(())
    }

    fn close(&self, shard: ShardId, who: Principal, port: u16) {
        let mut state = self.lock();
        state.allocations = state.allocations.saturating_sub(1);
        self.set_room(port, 0);
        if let Some(own) = state.of_user(who) {
            *own = own.saturating_sub(1);
            return;
        }
        // Who has left is not there any more.
        if let Some(member) = state.peers.get_mut(&PeerId(who.participant))
            && let Some(place) = member.allocations.iter().position(|of| *of == shard)
        {
            member.allocations.swap_remove(place);
        }
    }

    fn class(&self, who: Principal, peer: SocketAddr) -> Option<PeerClass> {
        if self.is_relayed(peer) {
            let is_theirs = who.room != 0 && self.room_of(peer.port()) == who.room;
            return is_theirs.then_some(PeerClass::Member);
        }
        if self.candidates.contains(&peer) {
            return Some(PeerClass::Sfu);
        }
        self.elsewhere.lets(peer).then_some(PeerClass::Elsewhere)
    }

    fn permits(&self, who: Principal, peer: SocketAddr) -> bool {
        let ours = || self.candidates.iter();
        // All relayed addresses have one host: here the port counts.
        let is_ours = if self.elsewhere.is_anybody() {
            // As it does where that host has programs, too. Some clients leave it out.
            peer.port() == 0 && ours().any(|candidate| candidate.ip() == peer.ip())
        } else {
            ours().any(|candidate| candidate.ip() == peer.ip()) && !self.is_relayed(peer)
        };
        is_ours || self.class(who, peer).is_some()
    }

    /// 0: nobody's.
    fn room_of(&self, port: u16) -> u64 {
        let place = self.rooms.get(usize::from(port));
        place.map_or(0, |room| room.load(Ordering::Relaxed))
    }

    fn set_room(&self, port: u16, room: u64) {
        if let Some(place) = self.rooms.get(usize::from(port)) {
            place.store(room, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many allocations somebody has whom the settings name.
    fn of_user(&mut self, who: Principal) -> Option<&mut u32> {
        let place = usize::try_from(who.participant).ok()?;
        self.of_users
            .get_mut(place)
            .filter(|_| who.room == USERS_ROOM)
    }
}

/// What one shard's server asks.
pub(super) struct ForShard {
    pub(super) relays: Arc<Relays>,
    pub(super) shard: ShardId,
    /// None: nobody elsewhere is let in.
    pub(super) sockets: Option<Shared>,
}

impl Auth for ForShard {
    fn account(&self, now: madang_turn::Now, user: User<'_>) -> Option<Account> {
        self.relays.account(now.wall, user)
    }
}

impl Policy for ForShard {
    fn open(&self, who: Principal, port: u16, families: Families) -> Result<(), Refused> {
        self.relays.open(self.shard, who, port)?;
        let Some(sockets) = &self.sockets else {
            return Ok(());
        };
        let opened = sockets.lock().open(port, families);
        if opened.is_err() {
            self.relays.close(self.shard, who, port);
        }
        opened
    }

    fn close(&self, who: Principal, port: u16) {
        if let Some(sockets) = &self.sockets {
            sockets.lock().close(port);
        }
        self.relays.close(self.shard, who, port);
    }

    fn peer(&self, who: Principal, peer: SocketAddr) -> Option<PeerClass> {
        self.relays.class(who, peer)
    }

    fn permits(&self, who: Principal, peer: SocketAddr) -> bool {
        self.relays.permits(who, peer)
    }
}

#[cfg(test)]
mod tests;
