//! Requests that need credentials (RFC 8489 §9.2.4), and their answers (RFC 8656 §7, §8, §10, §12).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::allocation::{Allocation, Enough, Made, NotBound};
use crate::api::{Dropped, Families, Flow, Now, Principal, Refused, User};
use crate::codec::{Class, Integrity, Message, Method, Writer, attribute};
use crate::credentials::{Algorithm, Key, user_hash};
use crate::turn::{Outcome, Turn, is_channel};
use crate::wish::{FAMILY_IPV4, FAMILY_IPV6, Wish, family, lifetime, lifetime_asked};

/// RFC 8489 §14.3.
const USERNAME_BYTES_MAX: usize = 508;
const PEERS_PER_REQUEST_MAX: usize = 64;
/// The least that asks for anything: a header, and REQUESTED-TRANSPORT (RFC 8656 §7.1). What is shorter is sent for the sake of the
/// answer, which is not to be 3.6 times as long.
const CHALLENGED_BYTES_MIN: usize = 28;
/// Ports that other programs have, tried for one allocation.
const PORT_TRIES_MAX: usize = 16;
/// Of those that an answer 420 names.
const UNKNOWN_ATTRIBUTES_MAX: usize = 8;

/// Who asks, and how they proved it.
struct Known {
    key: Key,
    username: Box<[u8]>,
    who: Principal,
    integrity: Integrity,
}

/// Who says to ask.
struct Found {
    key: Key,
    username: Box<[u8]>,
    who: Principal,
}

/// What is told to who may know.
enum Done {
    Allocated {
        port: u16,
        families: Families,
        lifetime: Duration,
        /// Asked for besides, and not there.
        missing: Option<u8>,
    },
    Refreshed(Duration),
    Nothing,
}

/// A code and its words (RFC 8656 §19).
pub(crate) type Refusal = (u16, &'static str);

pub(crate) const BAD_REQUEST: Refusal = (400, "Bad Request");
const FORBIDDEN: Refusal = (403, "Forbidden");
const UNKNOWN_ATTRIBUTE: Refusal = (420, "Unknown Attribute");
const MISMATCH: Refusal = (437, "Allocation Mismatch");
pub(crate) const FAMILY_NOT_SUPPORTED: Refusal = (440, "Address Family not Supported");
const WRONG_CREDENTIALS: Refusal = (441, "Wrong Credentials");
pub(crate) const TRANSPORT_NOT_SUPPORTED: Refusal = (442, "Unsupported Transport Protocol");
const FAMILY_MISMATCH: Refusal = (443, "Peer Address Family Mismatch");
const QUOTA: Refusal = (486, "Allocation Quota Reached");
pub(crate) const CAPACITY: Refusal = (508, "Insufficient Capacity");

impl Turn {
    pub(crate) fn request<'a>(
        &mut self,
        now: Now,
        flow: Flow,
        method: Method,
        message: &Message<'_>,
    ) -> Result<Outcome<'a>, Dropped> {
        let known = match self.authenticate(now, flow, message) {
            Ok(known) => known,
            Err(401) if message.len() < CHALLENGED_BYTES_MIN => {
                return self.refuse_unknown(now, flow, message, 400);
            }
            Err(code) => return self.refuse_unknown(now, flow, message, code),
        };
        let done = self.obey(now, flow, method, message, &known);
        match &done {
            Ok(_) => {}
            Err(QUOTA) => self.counters.refused_quota += 1,
            Err(CAPACITY) => self.counters.refused_full += 1,
            Err(_) => self.counters.refused += 1,
        }
        self.answer(flow, method, message, &known, &done);
        Ok(Outcome::Reply)
    }

    /// Err: the code to refuse it with.
    fn authenticate(&self, now: Now, flow: Flow, message: &Message<'_>) -> Result<Known, u16> {
        let integrity = message.integrity().ok_or(401_u16)?;
        let name = message
            .get(attribute::USERNAME)
            .filter(|name| name.len() <= USERNAME_BYTES_MAX);
        let hash = message.get(attribute::USERHASH);
        let user = match (name, hash) {
            (Some(name), _) => User::Name(name),
            (None, Some(hash)) => User::Hash(hash),
            (None, None) => return Err(400),
        };
        let realm = message.get(attribute::REALM).ok_or(400_u16)?;
        let nonce = message.get(attribute::NONCE).ok_or(400_u16)?;
        let algorithm = algorithm(message)?;
        if !self.nonces.is_good(now.wall, flow.client, nonce) {
            return Err(438);
        }
        let ours = self.config.realm.as_bytes();
        let found = self.find(now, flow, user, algorithm);
        // Who is not known takes as long as who has a wrong password.
        let nobody = || Key::long_term(algorithm, b"", ours, b"");
        let is_sealed = match &found {
            Some(found) => message.is_sealed_with(&found.key),
            None => message.is_sealed_with(&nobody()),
        };
        match found {
            Some(found) if is_sealed && realm == ours => Ok(Known {
                key: found.key,
                username: found.username,
                who: found.who,
                integrity,
            }),
            Some(_) | None => Err(401),
        }
    }

    fn find(&self, now: Now, flow: Flow, user: User<'_>, algorithm: Algorithm) -> Option<Found> {
        let realm = self.config.realm.as_bytes();
        // Who has an allocation may keep it past the end of the credentials: it ends with their stay.
        if let Some(own) = self.table.of_flow(&flow)
            && own.key.algorithm() == algorithm
            && match user {
                User::Name(name) => *own.username == *name,
                User::Hash(hash) => user_hash(&own.username, realm) == hash,
            }
        {
            return Some(Found {
                key: own.key.clone(),
                username: own.username.clone(),
                who: own.who,
            });
        }
        let account = self.auth.account(now, user)?;
        let password = account.password.as_bytes();
        let key = Key::long_term(algorithm, &account.username, realm, password);
        Some(Found {
            key,
            username: account.username.into(),
            who: account.who,
        })
    }

    /// To somebody unknown: as short as it can be, and not too often.
    pub(crate) fn refuse_unknown<'a>(
        &mut self,
        now: Now,
        flow: Flow,
        message: &Message<'_>,
        code: u16,
    ) -> Result<Outcome<'a>, Dropped> {
        self.spend_reply(now, flow)?;
        let Some(method) = message.method else {
            return Err(Dropped::Ignored);
        };
        self.reply.clear();
        let mut writer = Writer::new(&mut self.reply, method, Class::Error, message.transaction());
        writer.error(code, "");
        match code {
            401 | 438 => {
                self.counters.challenges += 1;
                let nonce = self.nonces.make(now.wall, flow.client);
                writer
                    .attribute(attribute::REALM, self.config.realm.as_bytes())
                    .attribute(attribute::NONCE, &nonce)
                    .attribute(attribute::PASSWORD_ALGORITHMS, &Algorithm::OFFERED);
            }
            420 => {
                self.counters.refused_unknown += 1;
                name_unknown(&mut writer, message);
            }
            _ => self.counters.refused_unknown += 1,
        }
        Ok(Outcome::Reply)
    }

    fn obey(
        &mut self,
        now: Now,
        flow: Flow,
        method: Method,
        message: &Message<'_>,
        known: &Known,
    ) -> Result<Done, Refusal> {
        if message.not_understood().next().is_some() {
            return Err(UNKNOWN_ATTRIBUTE);
        }
        let own = self.table.of_flow(&flow);
        if own.is_some_and(|own| own.username != known.username) {
            return Err(WRONG_CREDENTIALS);
        }
        let port = own.map(|own| own.port);
        match (method, port) {
            (Method::Allocate, _) => self.allocate(now, flow, message, known),
            (Method::Refresh, Some(port)) => self.refresh(now, port, message),
            (Method::CreatePermission, Some(port)) => self.create_permission(now, port, message),
            (Method::ChannelBind, Some(port)) => self.channel_bind(now, port, message),
            (
                Method::Refresh
                | Method::CreatePermission
                | Method::ChannelBind
                | Method::Binding
                | Method::Send
                | Method::Data,
                _,
            ) => Err(MISMATCH),
        }
    }

    fn allocate(
        &mut self,
        now: Now,
        flow: Flow,
        message: &Message<'_>,
        known: &Known,
    ) -> Result<Done, Refusal> {
        let own = self.table.of_flow(&flow);
        if own.is_some_and(|own| own.transaction != message.transaction()) {
            return Err(MISMATCH);
        }
        let wish = Wish::read(message)?;
        let (families, missing) = wish.families(
            self.config.relay_ipv4.is_some(),
            self.config.relay_ipv6.is_some(),
        )?;
        if let Some(own) = self.table.of_flow(&flow) {
            // The same request once more: our answer was lost.
            return Ok(Done::Allocated {
                port: own.port,
                families: own.families,
                lifetime: own.expires.saturating_duration_since(now.instant),
                missing,
            });
        }
        let port = self.open(known.who, wish.is_even, families)?;
        let made = Made {
            flow,
            who: known.who,
            username: known.username.clone(),
            key: known.key.clone(),
            port,
            families,
            transaction: message.transaction(),
            expires: now.instant + wish.lifetime,
        };
        let rate = self.config.bytes_per_second;
        self.table.insert(Allocation::new(made, now.instant, rate));
        self.counters.allocations += 1;
        Ok(Done::Allocated {
            port,
            families,
            lifetime: wish.lifetime,
            missing,
        })
    }

    /// A port, and what belongs to it.
    fn open(&mut self, who: Principal, even: bool, families: Families) -> Result<u16, Refusal> {
        // They go back after the search: it looks elsewhere meanwhile.
        let mut in_use: Vec<u16> = Vec::new();
        let opened = loop {
            let Some(port) = self.table.take_port(even) else {
                break Err(CAPACITY);
            };
            let Err(refused) = self.policy.open(who, port, families) else {
                break Ok(port);
            };
            in_use.push(port);
            break Err(match refused {
                Refused::Gone => FORBIDDEN,
                Refused::Quota => QUOTA,
                Refused::PortInUse if in_use.len() < PORT_TRIES_MAX => {
                    self.counters.ports_in_use += 1;
                    continue;
                }
                Refused::Full | Refused::PortInUse => CAPACITY,
            });
        };
        for port in in_use {
            self.table.give_back(port);
        }
        opened
    }

    fn refresh(&mut self, now: Now, port: u16, message: &Message<'_>) -> Result<Done, Refusal> {
        let families = self.table.of_port(port).ok_or(MISMATCH)?.families;
        if let Some(family) = family(message, attribute::REQUESTED_ADDRESS_FAMILY)? {
            let has = (family == FAMILY_IPV4 && families.ipv4)
                || (family == FAMILY_IPV6 && families.ipv6);
            if !has {
                return Err(FAMILY_MISMATCH);
            }
        }
        if lifetime_asked(message)? == Some(0) {
            self.close(port);
            return Ok(Done::Refreshed(Duration::ZERO));
        }
        let lifetime = lifetime(message)?;
        self.table.extend(port, now.instant + lifetime);
        Ok(Done::Refreshed(lifetime))
    }

    fn create_permission(
        &mut self,
        now: Now,
        port: u16,
        message: &Message<'_>,
    ) -> Result<Done, Refusal> {
        let transaction = message.transaction();
        let peers: Option<Vec<SocketAddr>> = message
            .all(attribute::XOR_PEER_ADDRESS)
            .take(PEERS_PER_REQUEST_MAX + 1)
            .map(|value| crate::codec::xor_address(value, &transaction))
            .collect();
        let peers = peers.filter(|peers| !peers.is_empty()).ok_or(BAD_REQUEST)?;
        if peers.len() > PEERS_PER_REQUEST_MAX {
            return Err(CAPACITY);
        }
        let own = self.table.of_port(port).ok_or(MISMATCH)?;
        let (who, families) = (own.who, own.families);
        if peers.iter().any(|peer| !families.has(*peer)) {
            return Err(FAMILY_MISMATCH);
        }
        let denied = peers.iter().find(|peer| !self.policy.permits(who, **peer));
        if let Some(denied) = denied {
            self.count_denied(*denied);
            return Err(FORBIDDEN);
        }
        let ips: Vec<IpAddr> = peers.iter().map(SocketAddr::ip).collect();
        let max = self.config.permissions_max;
        let own = self.table.of_port_mut(port).ok_or(MISMATCH)?;
        own.permit(now.instant, &ips, max)
            .map_err(|Enough| CAPACITY)?;
        Ok(Done::Nothing)
    }

    fn channel_bind(
        &mut self,
        now: Now,
        port: u16,
        message: &Message<'_>,
    ) -> Result<Done, Refusal> {
        let number = match message.get(attribute::CHANNEL_NUMBER) {
            Some([high, low, _, _]) => u16::from_be_bytes([*high, *low]),
            Some(_) | None => return Err(BAD_REQUEST),
        };
        let peer = message.address(attribute::XOR_PEER_ADDRESS);
        let peer = peer.filter(|_| is_channel(number)).ok_or(BAD_REQUEST)?;
        let own = self.table.of_port(port).ok_or(MISMATCH)?;
        if !own.families.has(peer) {
            return Err(FAMILY_MISMATCH);
        }
        let Some(class) = self.policy.peer(own.who, peer) else {
            self.count_denied(peer);
            return Err(FORBIDDEN);
        };
        let max = self.config.channels_max;
        let own = self.table.of_port_mut(port).ok_or(MISMATCH)?;
        own.bind(now.instant, (number, peer), class, max)
            .map_err(|not| match not {
                NotBound::Otherwise => BAD_REQUEST,
                NotBound::Enough => CAPACITY,
            })?;
        // Beside a channel there is no need for it; what has no room here is let in by the channel.
        own.permit(now.instant, &[peer.ip()], self.config.permissions_max)
            .ok();
        Ok(Done::Nothing)
    }

    fn answer(
        &mut self,
        flow: Flow,
        method: Method,
        message: &Message<'_>,
        known: &Known,
        done: &Result<Done, Refusal>,
    ) {
        let mut reply = std::mem::take(&mut self.reply);
        reply.clear();
        let class = if done.is_ok() {
            Class::Success
        } else {
            Class::Error
        };
        let mut writer = Writer::new(&mut reply, method, class, message.transaction());
        match done {
            Ok(Done::Nothing) => {}
            Ok(Done::Refreshed(lifetime)) => {
                writer.attribute(attribute::LIFETIME, &seconds(*lifetime));
            }
            Ok(Done::Allocated {
                port,
                families,
                lifetime,
                missing,
            }) => {
                for relayed in self.relayed(*families, *port) {
                    writer.xor_address(attribute::XOR_RELAYED_ADDRESS, relayed);
                }
                writer
                    .attribute(attribute::LIFETIME, &seconds(*lifetime))
                    .xor_address(attribute::XOR_MAPPED_ADDRESS, flow.client);
                if let Some(family) = missing {
                    writer.attribute(attribute::ADDRESS_ERROR_CODE, &[*family, 0, 4, 40]);
                }
            }
            Err((code, reason)) => {
                writer.error(*code, reason);
                if *code == UNKNOWN_ATTRIBUTE.0 {
                    name_unknown(&mut writer, message);
                }
            }
        }
        match known.integrity {
            Integrity::Sha1 => writer.seal_sha1(&known.key),
            Integrity::Sha256 => writer.seal_sha256(&known.key),
        }
        self.reply = reply;
    }
}

/// RFC 8489 §9.2.4: what is said to have been offered must be what was.
fn algorithm(message: &Message<'_>) -> Result<Algorithm, u16> {
    let offered = message.get(attribute::PASSWORD_ALGORITHMS);
    let chosen = message.get(attribute::PASSWORD_ALGORITHM);
    match (offered, chosen) {
        (None, None) => Ok(Algorithm::Md5),
        (Some(offered), Some(chosen)) if offered == Algorithm::OFFERED => {
            Algorithm::parse(chosen).ok_or(400)
        }
        (Some(_) | None, _) => Err(400),
    }
}

fn seconds(lifetime: Duration) -> [u8; 4] {
    u32::try_from(lifetime.as_secs())
        .unwrap_or(u32::MAX)
        .to_be_bytes()
}

fn name_unknown(writer: &mut Writer<'_>, message: &Message<'_>) {
    let mut kinds: Vec<u8> = Vec::new();
    for kind in message.not_understood().take(UNKNOWN_ATTRIBUTES_MAX) {
        kinds.extend(kind.to_be_bytes());
    }
    writer.attribute(attribute::UNKNOWN_ATTRIBUTES, &kinds);
}
