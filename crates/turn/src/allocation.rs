//! One client's relayed addresses, and whom it talks to by them.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::api::{Families, Flow, PeerClass, Principal};
use crate::codec::TransactionId;
use crate::credentials::Key;

/// RFC 8656 §9, §12.
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// What may be relayed at once after a pause: half a second's worth, and never less than this.
const BURST_BYTES_MIN: u64 = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) flow: Flow,
    pub(crate) who: Principal,
    pub(crate) username: Box<[u8]>,
    pub(crate) key: Key,
    pub(crate) port: u16,
    pub(crate) families: Families,
    /// Of the request that made it, which may come again.
    pub(crate) transaction: TransactionId,
    pub(crate) expires: Instant,
    permissions: Vec<(IpAddr, Instant)>,
    /// By number.
    channels: Vec<Channel>,
    /// By peer: the number.
    peers: Vec<(SocketAddr, u16)>,
    pub(crate) up: Bucket,
    pub(crate) down: Bucket,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    number: u16,
    pub(crate) peer: SocketAddr,
    pub(crate) class: PeerClass,
    expires: Instant,
}

/// What somebody has enough of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enough;

/// The number or the peer is bound otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotBound {
    Otherwise,
    Enough,
}

pub(crate) struct Made {
    pub(crate) flow: Flow,
    pub(crate) who: Principal,
    pub(crate) username: Box<[u8]>,
    pub(crate) key: Key,
    pub(crate) port: u16,
    pub(crate) families: Families,
    pub(crate) transaction: TransactionId,
    pub(crate) expires: Instant,
}

impl Allocation {
    pub(crate) fn new(made: Made, now: Instant, rate: u64) -> Self {
        Self {
            flow: made.flow,
            who: made.who,
            username: made.username,
            key: made.key,
            port: made.port,
            families: made.families,
            transaction: made.transaction,
            expires: made.expires,
            permissions: Vec::new(),
            channels: Vec::new(),
            peers: Vec::new(),
            up: Bucket::full(now, rate),
            down: Bucket::full(now, rate),
        }
    }

    /// All or none.
    pub(crate) fn permit(
        &mut self,
        now: Instant,
        ips: &[IpAddr],
        max: usize,
    ) -> Result<(), Enough> {
        self.permissions.retain(|(_, expires)| *expires > now);
        let mut added: Vec<IpAddr> = Vec::new();
        for ip in ips {
            if !self.permissions.iter().any(|(known, _)| known == ip) && !added.contains(ip) {
                added.push(*ip);
            }
        }
        if self.permissions.len() + added.len() > max {
            return Err(Enough);
        }
        let expires = now + PERMISSION_LIFETIME;
        for (ip, until) in &mut self.permissions {
            if ips.contains(ip) {
                *until = expires;
            }
        }
        self.permissions
            .extend(added.into_iter().map(|ip| (ip, expires)));
        Ok(())
    }

    pub(crate) fn is_permitted(&self, now: Instant, peer: SocketAddr) -> bool {
        let ip = peer.ip();
        let mut permissions = self.permissions.iter();
        permissions.any(|(known, expires)| *known == ip && *expires > now)
            || self.channel_to(now, peer).is_some()
    }

    /// A number has one peer, and a peer one number (RFC 8656 §12.2).
    pub(crate) fn bind(
        &mut self,
        now: Instant,
        (number, peer): (u16, SocketAddr),
        class: PeerClass,
        max: usize,
    ) -> Result<(), NotBound> {
        self.forget_channels(now);
        let by_peer = self.by_peer(peer).map(|place| self.peers[place].1);
        if by_peer.is_ok_and(|bound| bound != number) {
            return Err(NotBound::Otherwise);
        }
        let channel = Channel {
            number,
            peer,
            class,
            expires: now + CHANNEL_LIFETIME,
        };
        match self.by_number(number) {
            Ok(place) if self.channels[place].peer != peer => Err(NotBound::Otherwise),
            Ok(place) => {
                self.channels[place] = channel;
                Ok(())
            }
            Err(_) if self.channels.len() >= max => Err(NotBound::Enough),
            Err(place) => {
                self.channels.insert(place, channel);
                if let Err(place) = self.by_peer(peer) {
                    self.peers.insert(place, (peer, number));
                }
                Ok(())
            }
        }
    }

    /// A channel lets its peer through for as long as it is bound: clients refresh it, and not always the permission beside it.
    pub(crate) fn channel(&self, now: Instant, number: u16) -> Option<Channel> {
        let place = self.by_number(number).ok()?;
        self.channels
            .get(place)
            .filter(|channel| channel.expires > now)
            .copied()
    }

    pub(crate) fn channel_to(&self, now: Instant, peer: SocketAddr) -> Option<(u16, Channel)> {
        let place = self.by_peer(peer).ok()?;
        let (_, number) = *self.peers.get(place)?;
        Some((number, self.channel(now, number)?))
    }

    fn forget_channels(&mut self, now: Instant) {
        if self.channels.iter().all(|channel| channel.expires > now) {
            return;
        }
        self.channels.retain(|channel| channel.expires > now);
        let channels = &self.channels;
        self.peers
            .retain(|(peer, _)| channels.iter().any(|channel| channel.peer == *peer));
    }

    fn by_number(&self, number: u16) -> Result<usize, usize> {
        self.channels
            .binary_search_by_key(&number, |channel| channel.number)
    }

    fn by_peer(&self, peer: SocketAddr) -> Result<usize, usize> {
        self.peers.binary_search_by_key(&peer, |(known, _)| *known)
    }
}

/// So many bytes a second.
#[derive(Debug)]
pub(crate) struct Bucket {
    bytes: u64,
    filled: Instant,
}

impl Bucket {
    fn full(now: Instant, rate: u64) -> Self {
        Self {
            bytes: burst(rate),
            filled: now,
        }
    }

    pub(crate) fn take(&mut self, now: Instant, rate: u64, bytes: usize) -> bool {
        // Else in the same batch: nothing has come back since.
        if now != self.filled {
            self.fill(now, rate);
        }
        match self
            .bytes
            .checked_sub(u64::try_from(bytes).unwrap_or(u64::MAX))
        {
            Some(rest) => {
                self.bytes = rest;
                true
            }
            None => false,
        }
    }

    fn fill(&mut self, now: Instant, rate: u64) {
        let pause = now.saturating_duration_since(self.filled);
        let nanoseconds = pause.min(Duration::from_secs(1)).subsec_nanos();
        let more = if pause >= Duration::from_secs(1) {
            burst(rate)
        } else {
            rate.saturating_mul(u64::from(nanoseconds)) / 1_000_000_000
        };
        if more > 0 {
            self.bytes = (self.bytes + more).min(burst(rate));
            self.filled = now;
        }
    }
}

fn burst(rate: u64) -> u64 {
    (rate / 2).max(BURST_BYTES_MIN)
}
