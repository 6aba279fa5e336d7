//! Well-formed and broken messages of clients with good and bad credentials, in any order and over any time. Nothing may
//! pass that was not asked for and allowed, nothing grow without bound.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::codec::{Class, Message, Method, Writer, attribute, channel_data};
use crate::testing::{Client, SFU, SFU_IPV6, World, address, udp, who, xored};
use crate::{Policy as _, Transport, Verdict};

const STEPS: u32 = 20_000;

/// xorshift64*: small, and the same on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("small");
        usize::try_from((self.next() >> 11) % end).expect("small")
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn bytes(&mut self, length_max: usize) -> Vec<u8> {
        let length = self.below(length_max + 1);
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// What a client was given, by flow: hosts, and peers of channels.
type Granted = BTreeSet<(usize, IpAddr)>;

struct Fuzz {
    rng: Rng,
    world: World,
    clients: Vec<Client>,
    granted: Granted,
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let clients = (0..12)
            .map(|number| {
                let participant = [1, 2, 3, 11, 12, 77][number % 6];
                let ip = if number < 6 {
                    "198.51.100.1"
                } else {
                    "[2a00::1]"
                };
                let mut client = Client::new(participant, &format!("{ip}:{}", 5_000 + number));
                client.modern = number % 5 == 0;
                if number % 7 == 0 {
                    client.flow.transport = Transport::Tcp;
                }
                client
            })
            .collect();
        Self {
            rng: Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            world: World::with(|config| {
                config.permissions_max = 4;
                config.channels_max = 6;
            }),
            clients,
            granted: Granted::new(),
        }
    }

    fn peer(&mut self) -> SocketAddr {
        let open = self.world.house.0.lock().expect("one thread");
        let ports: Vec<u16> = open.open.keys().copied().chain([1_024]).collect();
        drop(open);
        let port = ports[self.rng.below(ports.len())];
        let relayed = SocketAddr::new("192.0.0.8".parse().expect("an address"), port);
        let relayed_ipv6 = SocketAddr::new("100::8".parse().expect("an address"), port);
        let all = [
            address(SFU),
            address(SFU_IPV6),
            relayed,
            relayed_ipv6,
            address("127.0.0.1:7882"),
            address("[::ffff:203.0.113.5]:7882"),
            address("8.8.8.8:53"),
            address("203.0.113.5:22"),
        ];
        all[self.rng.below(all.len())]
    }

    fn attributes(&mut self, method: Method, transaction: [u8; 12]) -> Vec<(u16, Vec<u8>)> {
        let mut all = Vec::new();
        match method {
            Method::Allocate => all.push(udp()),
            Method::CreatePermission | Method::Send => {
                all.push((attribute::XOR_PEER_ADDRESS, xored(self.peer(), transaction)));
            }
            Method::ChannelBind => {
                let number = 0x4000 + u16::try_from(self.rng.below(9)).expect("small");
                let value = [number.to_be_bytes(), [0, 0]].concat();
                all.push((attribute::CHANNEL_NUMBER, value));
                all.push((attribute::XOR_PEER_ADDRESS, xored(self.peer(), transaction)));
            }
            Method::Refresh | Method::Binding | Method::Data => {}
        }
        while self.rng.one_in(3) {
            let kinds = [
                attribute::LIFETIME,
                attribute::REQUESTED_ADDRESS_FAMILY,
                attribute::ADDITIONAL_ADDRESS_FAMILY,
                attribute::EVEN_PORT,
                attribute::RESERVATION_TOKEN,
                attribute::XOR_PEER_ADDRESS,
                attribute::DATA,
                attribute::CHANNEL_NUMBER,
                attribute::PASSWORD_ALGORITHM,
                0x001a,
                0x7fff,
                0x8022,
            ];
            let kind = kinds[self.rng.below(kinds.len())];
            let value = match self.rng.below(3) {
                0 => self.rng.bytes(24),
                1 => vec![2, 0, 0, 0],
                _ => xored(self.peer(), transaction),
            };
            let place = self.rng.below(all.len() + 1);
            all.insert(place, (kind, value));
        }
        all
    }

    fn datagram(&mut self, client: usize) -> Vec<u8> {
        let transaction = self.world.transaction();
        let mut bytes = match self.rng.below(10) {
            0 => self.rng.bytes(80),
            1 | 2 => {
                let mut bytes = Vec::new();
                let number = 0x4000 + u16::try_from(self.rng.below(9)).expect("small");
                let data = self.rng.bytes(40);
                channel_data(&mut bytes, number, &data, self.rng.one_in(2));
                bytes
            }
            3 | 4 => {
                let attributes = self.attributes(Method::Send, transaction);
                let data = self.rng.bytes(40);
                let mut bytes = Vec::new();
                let (method, class) = (Method::Send, Class::Indication);
                let mut writer = Writer::new(&mut bytes, method, class, transaction);
                for (kind, value) in &attributes {
                    writer.attribute(*kind, value);
                }
                writer.attribute(attribute::DATA, &data);
                bytes
            }
            kind => {
                let methods = [
                    Method::Allocate,
                    Method::Allocate,
                    Method::CreatePermission,
                    Method::ChannelBind,
                    Method::Refresh,
                    Method::Binding,
                ];
                let method = methods[self.rng.below(methods.len())];
                let attributes = self.attributes(method, transaction);
                if kind == 5 {
                    crate::testing::message(method, transaction, &attributes)
                } else {
                    self.clients[client].sealed(method, transaction, &attributes)
                }
            }
        };
        if self.rng.one_in(8) && !bytes.is_empty() {
            let place = self.rng.below(bytes.len());
            bytes[place] ^= 1 << self.rng.below(8);
        }
        if self.rng.one_in(20) {
            bytes.truncate(self.rng.below(bytes.len() + 1));
        }
        bytes
    }

    fn step(&mut self) {
        match self.rng.below(400) {
            0 => {
                let seconds = u64::try_from(self.rng.below(400)).expect("small");
                self.world.wait(seconds);
            }
            1 => self.world.turn.end([1, 2, 3, 11, 12][self.rng.below(5)]),
            2..=120 => self.come_back(),
            _ => {
                let client = self.rng.below(self.clients.len());
                let bytes = self.datagram(client);
                self.feed(client, &bytes);
            }
        }
        let counters = self.world.turn.counters();
        let open = self.world.house.0.lock().expect("one thread").open.len();
        assert_eq!(counters.allocations_now, u64::try_from(open).expect("few"));
        assert!(open <= self.clients.len(), "one for each flow");
    }

    fn feed(&mut self, client: usize, bytes: &[u8]) {
        let flow = self.clients[client].flow;
        let participant = who(self.clients[client].participant);
        let now = self.world.now;
        match self.world.turn.handle_packet(now, flow, bytes) {
            Verdict::ToSfu { from, to, payload } | Verdict::ToRelay { from, to, payload } => {
                assert!(payload.len() <= bytes.len());
                assert!(
                    self.granted.contains(&(client, to.ip())),
                    "{to} was not asked for"
                );
                // By a channel to who left since: stopped where it arrives.
                let is_relay = from.ip() == to.ip();
                let house = &self.world.house;
                assert!(
                    is_relay || house.peer(participant, to).is_some(),
                    "{to} is not allowed"
                );
            }
            Verdict::Reply => {
                let reply = self.world.turn.reply().to_vec();
                let said = Message::parse(&reply).expect("ours are sound");
                if said.integrity().is_none() {
                    assert!(reply.len() <= 72, "{} bytes to a stranger", reply.len());
                    assert!(
                        reply.len() * 7 <= bytes.len() * 18,
                        "a mirror that enlarges"
                    );
                    let is_binding = said.method == Some(Method::Binding);
                    let plain = if flow.client.is_ipv4() { 16 } else { 22 };
                    assert!(!is_binding || reply.len() * 10 <= bytes.len() * plain);
                }
                if let Some(nonce) = said.get(attribute::NONCE) {
                    self.clients[client].nonce = nonce.to_vec();
                }
                let gives = matches!(
                    said.method,
                    Some(Method::CreatePermission | Method::ChannelBind)
                );
                if gives && said.class == Class::Success {
                    let asked = Message::parse(bytes).expect("it was answered");
                    let transaction = asked.transaction();
                    for value in asked.all(attribute::XOR_PEER_ADDRESS) {
                        let peer = crate::codec::xor_address(value, &transaction);
                        self.granted.extend(peer.map(|peer| (client, peer.ip())));
                    }
                }
            }
            Verdict::ToPeer { to, .. } => panic!("{to} is elsewhere"),
            Verdict::Drop(_) => {}
        }
    }

    /// Something for one of the relayed addresses.
    fn come_back(&mut self) {
        let (from, to) = (self.peer(), self.peer());
        let arrived = self
            .world
            .turn
            .handle_relayed(self.world.now, from, to, 1, 20);
        if let Ok(envelope) = arrived {
            let client = self
                .clients
                .iter()
                .position(|client| client.flow == envelope.flow);
            let client = client.expect("one of ours");
            assert!(
                self.granted.contains(&(client, from.ip())),
                "{from} was not let in"
            );
            let participant = who(self.clients[client].participant);
            assert!(self.world.house.peer(participant, from).is_some());
        }
    }
}

#[test]
fn nothing_passes_that_was_not_allowed() {
    for seed in 1..=4 {
        println!("seed {seed}");
        let mut fuzz = Fuzz::new(seed);
        for _ in 0..STEPS {
            fuzz.step();
        }
        let counters = fuzz.world.turn.counters();
        println!("{counters:?}");
        for (what, count) in [
            ("allocations", counters.allocations),
            ("relayed up", counters.relayed_up),
            ("relayed down", counters.relayed_down),
            ("denied", counters.denied_special),
            ("expired", counters.allocations_expired),
            ("suppressed", counters.suppressed),
        ] {
            assert!(count > 20, "{what} were tried: {count}");
        }
    }
}
