//! The shard's connections by slot, and which of them have work.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::api::{ConnectionKey, ConnectionOptions, PeerId, RoomId, TrackId};
use crate::connection::{Connection, DownKey, RemoteSection, RidName, Section};
use crate::deadlines::Deadlines;
use crate::io::Slot;

/// A connection, and what its sections stand for.
pub(crate) struct Entry {
    pub(crate) peer: PeerId,
    pub(crate) room: RoomId,
    pub(crate) key: ConnectionKey,
    pub(crate) options: ConnectionOptions,
    pub(crate) connection: Connection,
    pub(crate) connected: bool,
    /// Since when the path is down after having been up.
    pub(crate) broken_since: Option<Instant>,
    /// Sections of the client that carry a publication.
    pub(crate) ups: Vec<Up>,
    /// Sending sections that no publication was announced for yet.
    pub(crate) unclaimed: Vec<RemoteSection>,
    /// Sections that still send what is no publication any more, with the client's id for it.
    retired: Vec<(Section, String)>,
    /// What we send on it.
    pub(crate) downs: Vec<(DownKey, TrackId)>,
    pub(crate) remotes: Vec<SocketAddr>,
    /// From where to which of our addresses.
    pub(crate) streams: Vec<(SocketAddr, SocketAddr)>,
    /// A bug of ours showed in it: it is closed at the next flush.
    pub(crate) faulted: bool,
    dirty: bool,
    #[cfg(test)]
    pub(crate) panic_planted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Up {
    pub(crate) section: Section,
    pub(crate) track: TrackId,
    /// By encoding, lowest picture first; empty: a single encoding without a rid.
    pub(crate) rids: Vec<RidName>,
}

impl Entry {
    pub(crate) fn new(
        peer: PeerId,
        room: RoomId,
        key: ConnectionKey,
        options: ConnectionOptions,
        connection: Connection,
    ) -> Self {
        Self {
            peer,
            room,
            key,
            options,
            connection,
            connected: false,
            broken_since: None,
            ups: Vec::new(),
            unclaimed: Vec::new(),
            retired: Vec::new(),
            downs: Vec::new(),
            remotes: Vec::new(),
            streams: Vec::new(),
            faulted: false,
            dirty: false,
            #[cfg(test)]
            panic_planted: false,
        }
    }

    /// Runs a step of the connection. A panic in it marks only this connection.
    pub(crate) fn guard<T>(&mut self, step: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        if self.faulted {
            return None;
        }
        #[cfg(test)]
        let planted = std::mem::take(&mut self.panic_planted);
        let connection = &mut self.connection;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            assert!(!planted, "planted");
            step(connection)
        }));
        if outcome.is_err() {
            self.faulted = true;
        }
        outcome.ok()
    }

    /// The publication on it is over; the section must not be taken for a new one while it carries the same.
    pub(crate) fn retire(&mut self, track: TrackId, client_id: &str) {
        if let Some(place) = self.ups.iter().position(|up| up.track == track) {
            let up = self.ups.remove(place);
            self.retired.push((up.section, client_id.to_owned()));
        }
    }

    /// Is it still what was retired? Forgets it when it is not.
    pub(crate) fn is_retired(&mut self, section: &RemoteSection) -> bool {
        let same = |(retired, id): &(Section, String)| {
            *retired == section.section && *id == section.track_id && section.sending
        };
        self.retired
            .retain(|known| known.0 != section.section || same(known));
        self.retired.iter().any(same)
    }

    pub(crate) fn track_of(&self, section: Section) -> Option<&Up> {
        self.ups.iter().find(|up| up.section == section)
    }

    pub(crate) fn down_track(&self, key: DownKey) -> Option<TrackId> {
        self.downs
            .iter()
            .find(|(down, _)| *down == key)
            .map(|(_, track)| *track)
    }
}

#[derive(Default)]
pub(crate) struct Connections {
    entries: Vec<Option<Box<Entry>>>,
    free: Vec<Slot>,
    live: u32,
    dirty: Vec<Slot>,
    pub(crate) deadlines: Deadlines<Slot>,
}

impl Connections {
    /// The slot that the next [`Connections::put`] fills: our credentials must name it before the connection exists.
    pub(crate) fn reserve(&mut self, limit: u32) -> Option<Slot> {
        if self.live >= limit {
            return None;
        }
        self.live += 1;
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        let slot = Slot(u32::try_from(self.entries.len()).ok()?);
        self.entries.push(None);
        Some(slot)
    }

    pub(crate) fn put(&mut self, slot: Slot, entry: Entry) {
        let place = self.entries.get_mut(index(slot)).expect("reserved");
        *place = Some(Box::new(entry));
        self.mark(slot);
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Box<Entry>> {
        let entry = self.entries.get_mut(index(slot))?.take()?;
        self.free.push(slot);
        self.live -= 1;
        self.deadlines.set(slot, None);
        Some(entry)
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(index(slot))?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(index(slot))?.as_deref_mut()
    }

    /// It has something to send or to tell: it is drained at the next flush.
    pub(crate) fn mark(&mut self, slot: Slot) {
        let Some(Some(entry)) = self.entries.get_mut(index(slot)) else {
            return;
        };
        if !entry.dirty {
            entry.dirty = true;
            self.dirty.push(slot);
        }
    }

    pub(crate) fn take_dirty(&mut self, into: &mut Vec<Slot>) {
        into.append(&mut self.dirty);
        for slot in into.iter() {
            if let Some(Some(entry)) = self.entries.get_mut(index(*slot)) {
                entry.dirty = false;
            }
        }
    }

    pub(crate) fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// Of one peer, in order of slots.
    pub(crate) fn slots(&self) -> BTreeSet<Slot> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.is_some())
            .filter_map(|(place, _)| u32::try_from(place).ok().map(Slot))
            .collect()
    }
}

fn index(slot: Slot) -> usize {
    usize::try_from(slot.0).unwrap_or(usize::MAX)
}
