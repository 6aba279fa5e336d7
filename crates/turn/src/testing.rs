//! What the unit tests of several modules need: a server with two rooms, and clients of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::codec::{Class, Message, Method, TransactionId, Writer, attribute};
use crate::credentials::{Algorithm, Key};
use crate::{
    Account, Auth, Config, Dropped, Elsewhere, Families, Flow, Now, PeerClass, Policy, Ports,
    Principal, Refused, Transport, Turn, User, Verdict, user_hash,
};

pub(crate) const REALM: &str = "room";
pub(crate) const SFU: &str = "203.0.113.5:7882";
pub(crate) const SFU_IPV6: &str = "[2a00::5]:7882";
pub(crate) const RELAY: &str = "192.0.0.8";
const QUOTA: usize = 16;
const ALLOCATIONS_MAX: usize = 40;

/// A place in time to count from.
#[expect(
    clippy::disallowed_methods,
    reason = "instants can be had from the clock only; tests never look at it again"
)]
pub(crate) fn start() -> Now {
    Now {
        instant: Instant::now(),
        wall: Duration::from_secs(1_800_000_000),
    }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Members by number: 1 to 9 in room 1, 11 to 19 in room 2. Who is in `gone` has left.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    pub(crate) gone: Vec<u64>,
    /// By port: whose.
    pub(crate) open: BTreeMap<u16, Principal>,
    /// By other programs.
    pub(crate) in_use: Vec<u16>,
    pub(crate) elsewhere: Elsewhere,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct House(pub(crate) Arc<Mutex<Rooms>>);

impl Auth for House {
    fn account(&self, _now: Now, user: User<'_>) -> Option<Account> {
        let gone = &self.0.lock().expect("one thread").gone;
        let participant = (1..=19).find(|number: &u64| {
            let name = name(*number);
            !gone.contains(number)
                && match user {
                    User::Name(said) => said == name.as_bytes(),
                    User::Hash(said) => said == user_hash(name.as_bytes(), REALM.as_bytes()),
                }
        })?;
        Some(Account {
            username: name(participant).into_bytes(),
            password: password(participant),
            who: who(participant),
        })
    }
}

impl Policy for House {
    fn open(&self, who: Principal, port: u16, _families: Families) -> Result<(), Refused> {
        let mut rooms = self.0.lock().expect("one thread");
        if rooms.in_use.contains(&port) {
            return Err(Refused::PortInUse);
        }
        if rooms.gone.contains(&who.participant) {
            return Err(Refused::Gone);
        }
        if rooms.open.values().filter(|of| **of == who).count() >= QUOTA {
            return Err(Refused::Quota);
        }
        if rooms.open.len() >= ALLOCATIONS_MAX {
            return Err(Refused::Full);
        }
        assert!(rooms.open.insert(port, who).is_none(), "a port of its own");
        Ok(())
    }

    fn close(&self, who: Principal, port: u16) {
        let was = self.0.lock().expect("one thread").open.remove(&port);
        assert_eq!(was, Some(who), "closed once");
    }

    fn peer(&self, who: Principal, peer: SocketAddr) -> Option<PeerClass> {
        if [SFU, SFU_IPV6].map(address).contains(&peer) {
            return Some(PeerClass::Sfu);
        }
        let rooms = self.0.lock().expect("one thread");
        if !is_relay(peer) {
            return rooms.elsewhere.lets(peer).then_some(PeerClass::Elsewhere);
        }
        let other = rooms.open.get(&peer.port())?;
        (other.room == who.room).then_some(PeerClass::Member)
    }

    fn permits(&self, who: Principal, peer: SocketAddr) -> bool {
        [SFU, SFU_IPV6]
            .map(|sfu| address(sfu).ip())
            .contains(&peer.ip())
            || self.peer(who, peer).is_some()
    }
}

fn is_relay(address: SocketAddr) -> bool {
    address.ip().to_string() == RELAY || address.ip().to_string() == "100::8"
}

pub(crate) fn name(participant: u64) -> String {
    format!("1800003600:{participant}")
}

pub(crate) fn password(participant: u64) -> String {
    format!("password of {participant}")
}

pub(crate) fn who(participant: u64) -> Principal {
    Principal {
        participant,
        room: participant / 10 + 1,
    }
}

pub(crate) fn key(participant: u64, algorithm: Algorithm) -> Key {
    let (name, password) = (name(participant), password(participant));
    Key::long_term(
        algorithm,
        name.as_bytes(),
        REALM.as_bytes(),
        password.as_bytes(),
    )
}

/// A server, and a time.
pub(crate) struct World {
    pub(crate) turn: Turn,
    pub(crate) house: House,
    pub(crate) now: Now,
    transactions: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let house = House::default();
        let mut config = Config {
            relay_ipv4: Some(RELAY.parse().expect("an address")),
            relay_ipv6: Some("100::8".parse().expect("an address")),
            ..Config::new([7; 32], Ports::new(0, 1))
        };
        change(&mut config);
        Self {
            turn: Turn::new(config, Box::new(house.clone()), Box::new(house.clone())),
            house,
            now: start(),
            transactions: 0,
        }
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        let pause = Duration::from_secs(seconds);
        self.now.instant += pause;
        self.now.wall += pause;
        self.turn.handle_timeout(self.now);
    }

    pub(crate) fn transaction(&mut self) -> TransactionId {
        self.transactions += 1;
        let mut id = [1; 12];
        id[4..].copy_from_slice(&self.transactions.to_be_bytes());
        id
    }

    /// None: no answer.
    pub(crate) fn ask(&mut self, client: &Client, bytes: &[u8]) -> Option<Vec<u8>> {
        match self.turn.handle_packet(self.now, client.flow, bytes) {
            Verdict::Reply => Some(self.turn.reply().to_vec()),
            Verdict::Drop(_) => None,
            other @ (Verdict::ToSfu { .. } | Verdict::ToRelay { .. } | Verdict::ToPeer { .. }) => {
                panic!("a request is not relayed: {other:?}")
            }
        }
    }

    pub(crate) fn dropped(&mut self, client: &Client, bytes: &[u8]) -> Option<Dropped> {
        match self.turn.handle_packet(self.now, client.flow, bytes) {
            Verdict::Drop(dropped) => Some(dropped),
            Verdict::Reply
            | Verdict::ToSfu { .. }
            | Verdict::ToRelay { .. }
            | Verdict::ToPeer { .. } => None,
        }
    }

    /// A request with credentials; its answer, whose integrity is right if it may have one.
    pub(crate) fn request(
        &mut self,
        client: &mut Client,
        method: Method,
        attributes: &[(u16, Vec<u8>)],
    ) -> Answer {
        client.prepare(self);
        let transaction = self.transaction();
        let bytes = client.sealed(method, transaction, attributes);
        let reply = self.ask(client, &bytes).expect("an answer");
        Answer::read(&reply, client)
    }

    pub(crate) fn allocate(&mut self, client: &mut Client) -> SocketAddr {
        let answer = self.request(client, Method::Allocate, &[udp()]);
        assert_eq!(answer.code, 0);
        answer.relayed[0]
    }

    /// 0, or the code of the error.
    pub(crate) fn permit(&mut self, client: &mut Client, peers: &[SocketAddr]) -> u16 {
        client.prepare(self);
        let transaction = self.next_transaction();
        let attributes: Vec<_> = peers
            .iter()
            .map(|peer| (attribute::XOR_PEER_ADDRESS, xored(*peer, transaction)))
            .collect();
        self.request(client, Method::CreatePermission, &attributes)
            .code
    }

    pub(crate) fn bind(&mut self, client: &mut Client, number: u16, peer: SocketAddr) -> u16 {
        let [high, low] = number.to_be_bytes();
        client.prepare(self);
        let transaction = self.next_transaction();
        let attributes = [
            (attribute::CHANNEL_NUMBER, vec![high, low, 0, 0]),
            (attribute::XOR_PEER_ADDRESS, xored(peer, transaction)),
        ];
        self.request(client, Method::ChannelBind, &attributes).code
    }

    /// What becomes of a Send indication.
    pub(crate) fn send(
        &mut self,
        client: &Client,
        peer: SocketAddr,
        data: &[u8],
    ) -> Result<(SocketAddr, Vec<u8>), Dropped> {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes, Method::Send, Class::Indication, [5; 12])
            .xor_address(attribute::XOR_PEER_ADDRESS, peer)
            .attribute(attribute::DATA, data);
        match self.turn.handle_packet(self.now, client.flow, &bytes) {
            Verdict::ToSfu { to, payload, .. }
            | Verdict::ToRelay { to, payload, .. }
            | Verdict::ToPeer { to, payload, .. } => Ok((to, payload.to_vec())),
            Verdict::Drop(dropped) => Err(dropped),
            Verdict::Reply => panic!("an indication has no answer"),
        }
    }

    /// Addresses are masked with the transaction, which `request` takes next.
    fn next_transaction(&mut self) -> TransactionId {
        let transaction = self.transaction();
        self.transactions -= 1;
        transaction
    }
}

pub(crate) fn xored(address: SocketAddr, transaction: TransactionId) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes, Method::Send, Class::Indication, transaction)
        .xor_address(attribute::XOR_PEER_ADDRESS, address);
    bytes.split_off(24)
}

pub(crate) fn udp() -> (u16, Vec<u8>) {
    (attribute::REQUESTED_TRANSPORT, vec![17, 0, 0, 0])
}

/// Somebody behind an address.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) flow: Flow,
    pub(crate) participant: u64,
    pub(crate) nonce: Vec<u8>,
    /// SHA-256 in all places, and the hash of the name instead of the name.
    pub(crate) modern: bool,
}

impl Client {
    pub(crate) fn new(participant: u64, at: &str) -> Self {
        Self {
            flow: Flow {
                transport: Transport::Udp,
                client: address(at),
                local: address(SFU),
            },
            participant,
            nonce: Vec::new(),
            modern: false,
        }
    }

    fn prepare(&mut self, world: &mut World) {
        if self.nonce.is_empty() {
            self.challenge(world);
        }
    }

    pub(crate) fn challenge(&mut self, world: &mut World) {
        let transaction = world.transaction();
        let bytes = message(Method::Allocate, transaction, &[udp()]);
        let reply = world.ask(self, &bytes).expect("a challenge");
        let reply = Message::parse(&reply).expect("sound");
        self.nonce = reply.get(attribute::NONCE).expect("a nonce").to_vec();
    }

    pub(crate) fn key(&self) -> Key {
        let algorithm = if self.modern {
            Algorithm::Sha256
        } else {
            Algorithm::Md5
        };
        key(self.participant, algorithm)
    }

    pub(crate) fn sealed(
        &self,
        method: Method,
        transaction: TransactionId,
        attributes: &[(u16, Vec<u8>)],
    ) -> Vec<u8> {
        let name = name(self.participant);
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, method, Class::Request, transaction);
        for (kind, value) in attributes {
            writer.attribute(*kind, value);
        }
        writer
            .attribute(attribute::REALM, REALM.as_bytes())
            .attribute(attribute::NONCE, &self.nonce);
        if self.modern {
            let hash = user_hash(name.as_bytes(), REALM.as_bytes());
            writer
                .attribute(attribute::USERHASH, &hash)
                .attribute(attribute::PASSWORD_ALGORITHMS, &Algorithm::OFFERED)
                .attribute(attribute::PASSWORD_ALGORITHM, &[0, 2, 0, 0])
                .seal_sha256(&self.key());
        } else {
            writer
                .attribute(attribute::USERNAME, name.as_bytes())
                .seal_sha1(&self.key());
        }
        bytes
    }
}

pub(crate) fn message(
    method: Method,
    transaction: TransactionId,
    attributes: &[(u16, Vec<u8>)],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, method, Class::Request, transaction);
    for (kind, value) in attributes {
        writer.attribute(*kind, value);
    }
    bytes
}

/// What an answer says.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 0: success.
    pub(crate) code: u16,
    pub(crate) relayed: Vec<SocketAddr>,
    pub(crate) mapped: Option<SocketAddr>,
    pub(crate) lifetime_s: Option<u32>,
    pub(crate) missing: Option<Vec<u8>>,
    pub(crate) unknown: Option<Vec<u8>>,
}

impl Answer {
    /// Of a stranger: it cannot be sealed.
    pub(crate) fn read_open(bytes: &[u8]) -> Self {
        let message = Message::parse(bytes).expect("sound");
        assert_eq!(message.integrity(), None);
        Self::of(&message)
    }

    pub(crate) fn read(bytes: &[u8], client: &Client) -> Self {
        let message = Message::parse(bytes).expect("sound");
        let answer = Self::of(&message);
        let is_sealed = message.integrity().is_some();
        assert!(
            is_sealed || matches!(answer.code, 400 | 401 | 438),
            "sealed"
        );
        assert!(
            !is_sealed || message.is_sealed_with(&client.key()),
            "by our key"
        );
        answer
    }

    fn of(message: &Message<'_>) -> Self {
        let code = message
            .get(attribute::ERROR_CODE)
            .map_or(0, |value| u16::from(value[2]) * 100 + u16::from(value[3]));
        let class = if code == 0 {
            Class::Success
        } else {
            Class::Error
        };
        assert_eq!(message.class, class);
        let transaction = message.transaction();
        Self {
            code,
            relayed: message
                .all(attribute::XOR_RELAYED_ADDRESS)
                .map(|value| crate::codec::xor_address(value, &transaction).expect("sound"))
                .collect(),
            mapped: message.address(attribute::XOR_MAPPED_ADDRESS),
            lifetime_s: message
                .get(attribute::LIFETIME)
                .map(|value| u32::from_be_bytes(value.try_into().expect("4 bytes"))),
            missing: message
                .get(attribute::ADDRESS_ERROR_CODE)
                .map(<[u8]>::to_vec),
            unknown: message
                .get(attribute::UNKNOWN_ATTRIBUTES)
                .map(<[u8]>::to_vec),
        }
    }
}
