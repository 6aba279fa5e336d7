//! The server: what becomes of each datagram.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::allocation::Allocation;
use crate::api::{
    Auth, Config, Dropped, Families, Flow, Now, PeerClass, Policy, Transport, Verdict,
};
use crate::codec::{
    ChannelData, Class, Message, Method, TransactionId, Writer, attribute, channel_data,
    data_indication,
};
use crate::counters::Counters;
use crate::limiter::Limiter;
use crate::nonce::Nonces;
use crate::special::special;
use crate::table::Table;

/// RFC 8656 §12: 0x7fff is not used. What is above 0x4fff is given to nobody else on a port of ours.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7ffe;

/// What fits into a datagram even with all that an indication puts around it.
const RELAYED_BYTES_MAX: usize = 65_507 - (20 + 24 + 4 + 3);

/// All allocations of one thread.
pub struct Turn {
    pub(crate) config: Config,
    pub(crate) auth: Box<dyn Auth + Send>,
    pub(crate) policy: Box<dyn Policy + Send>,
    pub(crate) nonces: Nonces,
    pub(crate) limiter: Limiter,
    pub(crate) table: Table,
    pub(crate) counters: Counters,
    pub(crate) reply: Vec<u8>,
    indications: u64,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn")
            .field("allocations", &self.table.len())
            .finish_non_exhaustive()
    }
}

/// What becomes of it, before it is known where it is.
pub(crate) enum Outcome<'a> {
    Up {
        class: PeerClass,
        from: SocketAddr,
        to: SocketAddr,
        payload: &'a [u8],
    },
    /// It is in `reply`.
    Reply,
}

/// What a client gets from a peer, and how it is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    pub flow: Flow,
    peer: SocketAddr,
    channel: Option<u16>,
    transaction: TransactionId,
}

impl Envelope {
    /// Writes one datagram at the end of `out`. Payloads of one length give datagrams of one length.
    pub fn seal(&self, payload: &[u8], out: &mut Vec<u8>) {
        match self.channel {
            Some(number) => {
                channel_data(out, number, payload, self.flow.transport != Transport::Udp);
            }
            None => data_indication(out, self.transaction, self.peer, payload),
        }
    }
}

impl Turn {
    pub fn new(config: Config, auth: Box<dyn Auth + Send>, policy: Box<dyn Policy + Send>) -> Self {
        Self {
            nonces: Nonces::new(&config.secret),
            limiter: Limiter::new(config.replies_per_source_per_second, &config.secret),
            table: Table::new(&config),
            config,
            auth,
            policy,
            counters: Counters::default(),
            reply: Vec::new(),
            indications: 0,
        }
    }

    /// From a client. On a stream: the content of one [`crate::Frame`].
    pub fn handle_packet<'a>(&mut self, now: Now, flow: Flow, bytes: &'a [u8]) -> Verdict<'a> {
        let outcome = match bytes.first() {
            Some(64..=127) => self.channel(now.instant, flow, bytes),
            Some(0..=3) => self.message(now, flow, bytes),
            Some(_) | None => Err(Dropped::Malformed),
        };
        match outcome {
            Ok(Outcome::Up {
                class,
                from,
                to,
                payload,
            }) => {
                self.counters.relayed_up += 1;
                self.counters.relayed_up_bytes += count(payload.len());
                match class {
                    PeerClass::Sfu => Verdict::ToSfu { from, to, payload },
                    PeerClass::Member => Verdict::ToRelay { from, to, payload },
                    PeerClass::Elsewhere => {
                        let port = from.port();
                        Verdict::ToPeer { port, to, payload }
                    }
                }
            }
            Ok(Outcome::Reply) => Verdict::Reply,
            Err(dropped) => {
                self.count_dropped(dropped, 1);
                Verdict::Drop(dropped)
            }
        }
    }

    /// What the last datagram is to be answered with.
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }

    /// `from` sent `datagrams` of together `bytes` to the relayed address `to`.
    pub fn handle_relayed(
        &mut self,
        now: Now,
        from: SocketAddr,
        to: SocketAddr,
        datagrams: usize,
        bytes: usize,
    ) -> Result<Envelope, Dropped> {
        let enveloped = self.envelope(now.instant, from, to, bytes);
        match enveloped {
            Ok(_) => {
                self.counters.relayed_down += count(datagrams);
                self.counters.relayed_down_bytes += count(bytes);
            }
            Err(dropped) => self.count_dropped(dropped, count(datagrams)),
        }
        enveloped
    }

    /// They left their room.
    pub fn end(&mut self, participant: u64) {
        for port in self.table.of_participant(participant) {
            self.counters.allocations_left += 1;
            self.close(port);
        }
    }

    /// Is something relayed for this flow?
    pub fn has_allocation(&self, flow: &Flow) -> bool {
        self.table.of_flow(flow).is_some()
    }

    /// The stream of this flow is closed: nothing can reach its client any more.
    pub fn close_flow(&mut self, flow: &Flow) {
        if let Some(port) = self.table.of_flow(flow).map(|allocation| allocation.port) {
            self.counters.allocations_closed += 1;
            self.close(port);
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(port) = self.table.due(now.instant) {
            self.counters.allocations_expired += 1;
            self.close(port);
        }
    }

    pub fn counters(&self) -> Counters {
        let mut counters = self.counters;
        counters.allocations_now = count(self.table.len());
        counters
    }

    pub(crate) fn close(&mut self, port: u16) {
        if let Some(allocation) = self.table.remove(port) {
            self.policy.close(allocation.who, port);
        }
    }

    pub(crate) fn relayed(
        &self,
        families: Families,
        port: u16,
    ) -> impl Iterator<Item = SocketAddr> {
        let ipv4 = self.config.relay_ipv4.filter(|_| families.ipv4);
        let ipv6 = self.config.relay_ipv6.filter(|_| families.ipv6);
        let ips = ipv4.map(IpAddr::V4).into_iter().chain(ipv6.map(IpAddr::V6));
        ips.map(move |ip| SocketAddr::new(ip, port))
    }

    pub(crate) fn count_denied(&mut self, peer: SocketAddr) {
        if special(peer.ip()).is_some() {
            self.counters.denied_special += 1;
        } else {
            self.counters.denied_foreign += 1;
        }
    }

    /// Else it is a STUN server.
    fn relays(&self) -> bool {
        self.config.relay_ipv4.is_some() || self.config.relay_ipv6.is_some()
    }

    fn message<'a>(
        &mut self,
        now: Now,
        flow: Flow,
        bytes: &'a [u8],
    ) -> Result<Outcome<'a>, Dropped> {
        let message = Message::parse(bytes).ok_or(Dropped::Malformed)?;
        match (message.class, message.method) {
            (Class::Request, Some(Method::Binding)) => self.binding(now, flow, &message),
            (
                Class::Request,
                Some(
                    method @ (Method::Allocate
                    | Method::Refresh
                    | Method::CreatePermission
                    | Method::ChannelBind),
                ),
            ) if self.relays() => self.request(now, flow, method, &message),
            (Class::Indication, Some(Method::Send)) => self.send(now.instant, flow, &message),
            (Class::Request | Class::Indication | Class::Success | Class::Error, _) => {
                Err(Dropped::Ignored)
            }
        }
    }

    /// RFC 8489 §7.3.1. The answer is as short as it can be.
    fn binding<'a>(
        &mut self,
        now: Now,
        flow: Flow,
        message: &Message<'_>,
    ) -> Result<Outcome<'a>, Dropped> {
        // A check (RFC 8445) of a connection that is not here any more: nobody waits for our answer.
        if message.has(attribute::USERNAME) {
            return Err(Dropped::Ignored);
        }
        if message.not_understood().next().is_some() {
            return self.refuse_unknown(now, flow, message, 420);
        }
        self.spend_reply(now, flow)?;
        self.counters.bindings += 1;
        self.reply.clear();
        Writer::new(
            &mut self.reply,
            Method::Binding,
            Class::Success,
            message.transaction(),
        )
        .xor_address(attribute::XOR_MAPPED_ADDRESS, flow.client);
        Ok(Outcome::Reply)
    }

    /// An answer to who has shown no credentials. Nobody can ask by a stream in somebody else's name, nor asks there a second
    /// time.
    pub(crate) fn spend_reply(&mut self, now: Now, flow: Flow) -> Result<(), Dropped> {
        if flow.transport != Transport::Udp || self.limiter.allows(now, flow.client.ip()) {
            Ok(())
        } else {
            Err(Dropped::Suppressed)
        }
    }

    fn channel<'a>(
        &mut self,
        now: Instant,
        flow: Flow,
        bytes: &'a [u8],
    ) -> Result<Outcome<'a>, Dropped> {
        let ChannelData { number, payload } =
            ChannelData::parse(bytes).ok_or(Dropped::Malformed)?;
        check_length(payload)?;
        let rate = self.config.bytes_per_second;
        let allocation = self.table.of_flow_mut(&flow).ok_or(Dropped::NoAllocation)?;
        let channel = allocation
            .channel(now, number)
            .ok_or(Dropped::NoPermission)?;
        if !allocation.up.take(now, rate, payload.len()) {
            return Err(Dropped::Bandwidth);
        }
        let port = allocation.port;
        self.up(port, channel.peer, channel.class, payload)
    }

    /// RFC 8656 §11.2.
    fn send<'a>(
        &mut self,
        now: Instant,
        flow: Flow,
        message: &Message<'a>,
    ) -> Result<Outcome<'a>, Dropped> {
        let peer = message.address(attribute::XOR_PEER_ADDRESS);
        let (peer, payload) = peer
            .zip(message.get(attribute::DATA))
            .ok_or(Dropped::Malformed)?;
        check_length(payload)?;
        if message.not_understood().next().is_some() {
            return Err(Dropped::Ignored);
        }
        let allocation = self.table.of_flow(&flow).ok_or(Dropped::NoAllocation)?;
        let Some(class) = self.policy.peer(allocation.who, peer) else {
            self.count_denied(peer);
            return Err(Dropped::Denied);
        };
        if !allocation.families.has(peer) || !allocation.is_permitted(now, peer) {
            return Err(Dropped::NoPermission);
        }
        let rate = self.config.bytes_per_second;
        let allocation = self.table.of_flow_mut(&flow).ok_or(Dropped::NoAllocation)?;
        if !allocation.up.take(now, rate, payload.len()) {
            return Err(Dropped::Bandwidth);
        }
        let port = allocation.port;
        self.up(port, peer, class, payload)
    }

    fn up<'a>(
        &self,
        port: u16,
        to: SocketAddr,
        class: PeerClass,
        payload: &'a [u8],
    ) -> Result<Outcome<'a>, Dropped> {
        let from = self.own_address(to, port).ok_or(Dropped::NoPermission)?;
        Ok(Outcome::Up {
            class,
            from,
            to,
            payload,
        })
    }

    /// The relayed address that `peer` sees.
    fn own_address(&self, peer: SocketAddr, port: u16) -> Option<SocketAddr> {
        let ip = if peer.is_ipv4() {
            self.config.relay_ipv4.map(IpAddr::V4)
        } else {
            self.config.relay_ipv6.map(IpAddr::V6)
        };
        Some(SocketAddr::new(ip?, port))
    }

    fn envelope(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: usize,
    ) -> Result<Envelope, Dropped> {
        if self.own_address(from, to.port()) != Some(to) {
            return Err(Dropped::NoAllocation);
        }
        let (config, policy) = (&self.config, &self.policy);
        let allocation = self
            .table
            .of_port_mut(to.port())
            .filter(|allocation| allocation.families.has(to))
            .ok_or(Dropped::NoAllocation)?;
        let channel = channel_from(allocation, now, from, policy.as_ref())?;
        if !allocation.down.take(now, config.bytes_per_second, bytes) {
            return Err(Dropped::Bandwidth);
        }
        let mut transaction = TransactionId::default();
        if channel.is_none() {
            self.indications += 1;
            transaction[4..].copy_from_slice(&self.indications.to_be_bytes());
        }
        Ok(Envelope {
            flow: allocation.flow,
            peer: from,
            channel,
            transaction,
        })
    }

    fn count_dropped(&mut self, dropped: Dropped, datagrams: u64) {
        let counter = match dropped {
            Dropped::Malformed => &mut self.counters.dropped_malformed,
            Dropped::Ignored => &mut self.counters.dropped_ignored,
            Dropped::NoAllocation => &mut self.counters.dropped_no_allocation,
            Dropped::NoPermission => &mut self.counters.dropped_no_permission,
            Dropped::Bandwidth => &mut self.counters.dropped_bandwidth,
            Dropped::Suppressed => &mut self.counters.suppressed,
            // Counted by what it was.
            Dropped::Denied => return,
        };
        *counter += datagrams;
    }
}

fn check_length(payload: &[u8]) -> Result<(), Dropped> {
    if payload.len() <= RELAYED_BYTES_MAX {
        Ok(())
    } else {
        Err(Dropped::Malformed)
    }
}

pub(crate) fn is_channel(number: u16) -> bool {
    CHANNELS.contains(&number)
}

pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// By which channel what comes from there goes to the client; none: as an indication. Another allocation may be in another
/// room by now: its port was given on.
fn channel_from(
    allocation: &Allocation,
    now: Instant,
    from: SocketAddr,
    policy: &dyn Policy,
) -> Result<Option<u16>, Dropped> {
    let channel = allocation.channel_to(now, from);
    let is_lasting = channel.is_some_and(|(_, channel)| channel.class != PeerClass::Member);
    // A channel is a permission.
    let is_permitted = || channel.is_some() || allocation.is_permitted(now, from);
    let is_let_in = is_lasting || (is_permitted() && policy.peer(allocation.who, from).is_some());
    if is_let_in {
        Ok(channel.map(|(number, _)| number))
    } else {
        Err(Dropped::NoPermission)
    }
}

#[cfg(test)]
mod tests;
