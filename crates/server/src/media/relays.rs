//! Who may have something relayed, and where to: shared by the media threads and by whoever hands out credentials.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use madang_sfu::api::{PeerId, RoomId, ShardId, ShardSet};
use madang_turn::{
    Account, Auth, Config, Families, Mint, PeerClass, Policy, Ports, Principal, Refused,
    USER_HASH_BYTES, User, user_hash,
};

use super::ways;

/// The relayed addresses of all clients: no datagram comes from there, or goes there, but by our own tables. RFC 7600's
/// dummy address, and one of the prefix that discards (RFC 6666).
pub(super) const RELAY_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
pub(super) const RELAY_IPV6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8);
const PORTS: usize = 65_536;
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
    /// By port of the relayed addresses: whose room it is in; 0: nobody's.
    rooms: Box<[AtomicU64]>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    peers: BTreeMap<PeerId, Member>,
    names: BTreeMap<[u8; USER_HASH_BYTES], String>,
    allocations: u32,
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
        candidates: &[SocketAddr],
        udp_port: Option<u16>,
    ) -> Arc<Self> {
        Arc::new(Self {
            mint: Mint::new(config.as_ref().map_or(&[], |config| &config.secret)),
            config,
            nonce_secret,
            candidates: candidates.to_vec(),
            udp_port,
            rooms: (0..PORTS).map(|_| AtomicU64::new(0)).collect(),
            state: Mutex::default(),
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
        let has = |is: fn(&SocketAddr) -> bool| self.candidates.iter().any(is);
        Config {
            realm: config.realm.clone(),
            relay_ipv4: has(SocketAddr::is_ipv4).then_some(RELAY_IPV4),
            relay_ipv6: has(SocketAddr::is_ipv6).then_some(RELAY_IPV6),
            bytes_per_second: config.bytes_per_second,
            replies_per_source_per_second: config.replies_per_source_per_second,
            ..plain
        }
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

    fn open(&self, shard: ShardId, who: Principal, port: u16) -> Result<(), Refused> {
        let config = self.config.as_ref().ok_or(Refused::Gone)?;
        let mut state = self.lock();
        let state = &mut *state;
        let member = state.peers.get_mut(&PeerId(who.participant));
        let member = member.filter(|member| member.room == Some(RoomId(who.room)));
        let member = member.ok_or(Refused::Gone)?;
        let own = u32::try_from(member.allocations.len()).unwrap_or(u32::MAX);
        if own >= config.allocations_per_peer_max {
            return Err(Refused::Quota);
        }
        if state.allocations >= config.allocations_max {
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
        // Who has left is not there any more.
        if let Some(member) = state.peers.get_mut(&PeerId(who.participant))
            && let Some(place) = member.allocations.iter().position(|of| *of == shard)
        {
            member.allocations.swap_remove(place);
        }
    }

    fn class(&self, who: Principal, peer: SocketAddr) -> Option<PeerClass> {
        if is_relayed(peer) {
            let room = self.rooms.get(usize::from(peer.port()))?;
            let is_theirs = who.room != 0 && room.load(Ordering::Relaxed) == who.room;
            return is_theirs.then_some(PeerClass::Member);
        }
        self.candidates.contains(&peer).then_some(PeerClass::Sfu)
    }

    fn permits(&self, who: Principal, peer: SocketAddr) -> bool {
        let is_ours = self
            .candidates
            .iter()
            .any(|candidate| candidate.ip() == peer.ip());
        // All relayed addresses have one host: here the port counts.
        (is_ours && !is_relayed(peer)) || self.class(who, peer).is_some()
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

/// Of a client of ours, and not on any network.
pub(super) fn is_relayed(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V4(address) => *address.ip() == RELAY_IPV4,
        SocketAddr::V6(address) => *address.ip() == RELAY_IPV6,
    }
}

/// What one shard's server asks.
pub(super) struct ForShard {
    pub(super) relays: Arc<Relays>,
    pub(super) shard: ShardId,
}

impl Auth for ForShard {
    fn account(&self, now: madang_turn::Now, user: User<'_>) -> Option<Account> {
        self.relays.account(now.wall, user)
    }
}

impl Policy for ForShard {
    fn open(&self, who: Principal, port: u16, _families: Families) -> Result<(), Refused> {
        self.relays.open(self.shard, who, port)
    }

    fn close(&self, who: Principal, port: u16) {
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
