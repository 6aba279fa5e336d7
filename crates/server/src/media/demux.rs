//! Whose a datagram is: by its first byte (RFC 7983), then STUN by our user fragment and the rest by its remote address,
//! which is known only after an authenticated check. Never a scan; nothing is kept of unknown sources.

use std::collections::HashMap;
use std::net::SocketAddr;

use madang_sfu::api::{ShardId, ShardSet};
use madang_sfu::{Slot, owner_of_stun};

/// Remote addresses that one shard knows, its own and those it was told of.
pub(crate) const ROUTES_MAX: usize = 262_144;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) shard: ShardId,
    pub(crate) slot: Slot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unowned {
    Kind,
    /// For the STUN and TURN server.
    Turn,
    Stun,
    Route,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug)]
pub(crate) struct Demux {
    own: ShardId,
    shards: u8,
    routes_max: usize,
    routes: HashMap<SocketAddr, Known>,
}

#[derive(Debug)]
struct Known {
    owner: Owner,
    /// Other shards whose sockets this address arrives at. Empty unless the connection is ours.
    told: ShardSet,
}

impl Demux {
    pub(crate) fn new(own: ShardId, shards: u8, routes_max: usize) -> Self {
        Self {
            own,
            shards,
            routes_max,
            routes: HashMap::new(),
        }
    }

    pub(crate) fn whose(&self, remote: SocketAddr, bytes: &[u8]) -> Result<Owner, Unowned> {
        match bytes.first().copied() {
            Some(0..=3) => self.whose_stun(remote, bytes),
            Some(20..=63 | 128..=191) => {
                let known = self.routes.get(&remote).ok_or(Unowned::Route)?;
                Ok(known.owner)
            }
            // RFC 7983 gives channels 64 to 79; clients use more (RFC 5766), which nothing else has.
            Some(64..=127) => Err(Unowned::Turn),
            Some(_) | None => Err(Unowned::Kind),
        }
    }

    /// One of our connections accepts this address from now on. The newest connection of an address wins.
    pub(crate) fn add(&mut self, remote: SocketAddr, slot: Slot) -> Result<(), Full> {
        let owner = Owner {
            shard: self.own,
            slot,
        };
        if self
            .routes
            .get(&remote)
            .is_some_and(|known| known.owner == owner)
        {
            return Ok(());
        }
        self.insert(remote, owner)
    }

    /// Whom to tell that it is gone.
    pub(crate) fn remove(&mut self, remote: SocketAddr, slot: Slot) -> ShardSet {
        let owner = Owner {
            shard: self.own,
            slot,
        };
        self.forget(remote, owner)
    }

    /// Must the shard at whose socket this address arrives be told? Then it counts as told.
    pub(crate) fn tell(&mut self, remote: SocketAddr, slot: Slot, via: ShardId) -> bool {
        let owner = Owner {
            shard: self.own,
            slot,
        };
        match self.routes.get_mut(&remote) {
            Some(known) if known.owner == owner && !known.told.contains(via) => {
                known.told.insert(via);
                true
            }
            Some(_) | None => false,
        }
    }

    pub(crate) fn told(
        &mut self,
        from: ShardId,
        remote: SocketAddr,
        slot: Slot,
        known: bool,
    ) -> Result<(), Full> {
        let owner = Owner { shard: from, slot };
        if known {
            return self.insert(remote, owner);
        }
        self.forget(remote, owner);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.routes.len()
    }

    fn whose_stun(&self, remote: SocketAddr, bytes: &[u8]) -> Result<Owner, Unowned> {
        if let Some((shard, slot)) = owner_of_stun(bytes) {
            if shard.0 < self.shards {
                return Ok(Owner { shard, slot });
            }
            return Err(Unowned::Stun);
        }
        if asks_server(bytes) {
            return Err(Unowned::Turn);
        }
        // Answers to our own checks name nobody (RFC 8489 §6.3.3).
        let known = self.routes.get(&remote).ok_or(Unowned::Stun)?;
        Ok(known.owner)
    }

    fn insert(&mut self, remote: SocketAddr, owner: Owner) -> Result<(), Full> {
        if self.routes.len() >= self.routes_max && !self.routes.contains_key(&remote) {
            return Err(Full);
        }
        let told = ShardSet::default();
        self.routes.insert(remote, Known { owner, told });
        Ok(())
    }

    fn forget(&mut self, remote: SocketAddr, owner: Owner) -> ShardSet {
        // The address may belong to a newer connection by now.
        if self
            .routes
            .get(&remote)
            .is_none_or(|known| known.owner != owner)
        {
            return ShardSet::default();
        }
        self.routes
            .remove(&remote)
            .map(|known| known.told)
            .unwrap_or_default()
    }
}

/// A request, or TURN's indication to send: not for one of our connections, as it does not name one.
fn asks_server(stun: &[u8]) -> bool {
    let Some([high, low]) = stun.get(..2) else {
        return false;
    };
    let kind = u16::from_be_bytes([*high, *low]);
    kind & 0x0110 == 0 || kind == 0x0016
}

#[cfg(test)]
mod tests;
