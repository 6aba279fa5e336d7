//! Which section carries which track down, and what the client was last told of it.

use std::collections::{BTreeMap, BTreeSet};

use str0m::media::Mid;

use super::ahead::{Ahead, Splice};
use super::codecs::{self, Payloads};
use super::egress::Stream;
use super::sdp_text::{Flow, Opus};
use super::types::{DownKey, DownTrack, Section};
use crate::api::{Codec, MediaKind, SectionMap, TrackId};

/// What the client last read of our sending on a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Track(DownKey),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) section: Section,
    pub(super) kind: MediaKind,
    /// Its place among the m-lines.
    pub(super) index: usize,
    pub(super) carries: Option<DownKey>,
    /// The client was told of a stream on it, whatever that will carry.
    pub(super) ahead: Option<Ahead>,
    pub(super) shown: Shown,
    /// The client takes media on it.
    pub(super) takes: bool,
    /// The client sends media on it, and we want it.
    pub(super) gives: bool,
    /// Rejected for good (port 0).
    pub(super) stopped: bool,
    /// The client did not take what was offered on it: not tried again.
    pub(super) refused: bool,
    pub(super) payloads: Payloads,
    /// The client's payload types, most wanted first.
    pub(super) order: Vec<(u8, String)>,
    /// Comes before that order in what we write.
    pub(super) preferred: Option<Codec>,
    /// Stream ids that it has carried.
    pub(super) streams: BTreeSet<String>,
    pub(super) opus: Opus,
}

impl Entry {
    pub(super) fn new(section: Section, kind: MediaKind, index: usize) -> Self {
        Self {
            section,
            kind,
            index,
            carries: None,
            ahead: None,
            shown: Shown::Nothing,
            takes: false,
            gives: false,
            stopped: false,
            refused: false,
            payloads: Payloads::default(),
            order: Vec::new(),
            preferred: None,
            streams: BTreeSet::new(),
            opus: Opus::default(),
        }
    }

    pub(super) fn usable(&self) -> bool {
        self.takes && !self.stopped && !self.refused
    }

    /// Could carry something after at most two more descriptions: a client tells its program of a new track only where
    /// a section was inactive before.
    fn free(&self) -> bool {
        self.usable() && self.carries.is_none()
    }

    /// Can carry something from the next description on.
    pub(super) fn ready(&self) -> bool {
        self.free() && (self.ahead.is_some() || self.shown == Shown::Nothing)
    }

    pub(super) fn fits(&self, down: &DownTrack) -> bool {
        self.kind == down.kind
            && down
                .codec
                .is_none_or(|codec| sendable(&self.payloads, codec))
    }

    pub(super) fn written_order(&self) -> Vec<(u8, String)> {
        let mut order = self.order.clone();
        if let Some(preferred) = self.preferred {
            order.sort_by_key(|(_, name)| codecs::of_name(name) != Some(preferred));
        }
        order
    }

    pub(super) fn flow(&self) -> Flow {
        let sends = self.carries.is_some() || self.ahead.is_some();
        Flow::new(sends && self.takes, self.gives)
    }
}

/// RED is unwrapped for who knows Opus alone.
pub(super) fn sendable(payloads: &Payloads, codec: Codec) -> bool {
    payloads.get(codec).is_some() || codec == Codec::Red && payloads.get(Codec::Opus).is_some()
}

/// A track on its way down.
#[derive(Debug)]
pub(super) struct Down {
    pub(super) track: DownTrack,
    pub(super) binding: Option<Box<Binding>>,
}

#[derive(Debug)]
pub(super) struct Binding {
    pub(super) mid: Mid,
    pub(super) stream: Stream,
    /// The client has read of it (or will before any packet arrives), and the transport is up.
    pub(super) ready: bool,
    /// The client has read of it.
    pub(super) negotiated: bool,
    /// Where the stream outlives the track.
    pub(super) splice: Option<Splice>,
}

/// How many sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) audio: u32,
    pub(super) video: u32,
}

impl Counts {
    fn add(&mut self, kind: MediaKind) {
        match kind {
            MediaKind::Audio => self.audio += 1,
            MediaKind::Video => self.video += 1,
        }
    }

    pub(super) fn beyond(self, other: Self) -> Self {
        Self {
            audio: self.audio.saturating_sub(other.audio),
            video: self.video.saturating_sub(other.video),
        }
    }

    /// Sound first.
    pub(super) fn at_most(self, room: usize) -> Self {
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        let audio = self.audio.min(room);
        Self {
            audio,
            video: self.video.min(room - audio),
        }
    }

    pub(super) fn is_zero(self) -> bool {
        self == Self::default()
    }
}

#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) entries: BTreeMap<Mid, Entry>,
    pub(super) downs: BTreeMap<DownKey, Down>,
    /// Which track each stream carries. A report has many, and a client may have thousands.
    by_ssrc: BTreeMap<u32, DownKey>,
    /// What the client said it can, and cannot, receive.
    accepted: BTreeSet<Codec>,
    rejected: BTreeSet<Codec>,
    next_key: u32,
}

impl Sections {
    pub(super) fn attach(&mut self, track: DownTrack) -> DownKey {
        let key = DownKey(self.next_key);
        self.next_key = self.next_key.wrapping_add(1);
        self.downs.insert(
            key,
            Down {
                track,
                binding: None,
            },
        );
        key
    }

    /// True: its section is free now.
    pub(super) fn detach(&mut self, key: DownKey) -> bool {
        let Some(binding) = self.downs.remove(&key).and_then(|down| down.binding) else {
            return false;
        };
        self.by_ssrc.remove(&binding.stream.ssrcs().main);
        if let Some(entry) = self.entries.get_mut(&binding.mid) {
            entry.carries = None;
            give_back(entry, *binding);
        }
        true
    }

    /// Takes the track off its section; it waits for another one.
    pub(super) fn unbind(&mut self, mid: Mid) {
        let Some(entry) = self.entries.get_mut(&mid) else {
            return;
        };
        let down = entry
            .carries
            .take()
            .and_then(|key| self.downs.get_mut(&key));
        if let Some(binding) = down.and_then(|down| down.binding.take()) {
            self.by_ssrc.remove(&binding.stream.ssrcs().main);
            give_back(entry, *binding);
        }
    }

    pub(super) fn bind(&mut self, key: DownKey, mut binding: Binding) {
        let Some(down) = self.downs.get_mut(&key) else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(&binding.mid) {
            entry.carries = Some(key);
            if let Some(ahead) = &entry.ahead {
                ahead.continue_in(&mut binding);
            }
            entry.streams.insert(down.track.stream_id.clone());
        }
        let ssrc = binding.stream.ssrcs().main;
        if let Some(before) = down.binding.replace(Box::new(binding)) {
            self.by_ssrc.remove(&before.stream.ssrcs().main);
        }
        self.by_ssrc.insert(ssrc, key);
    }

    /// The track that the stream carries now.
    pub(super) fn sent_as(&mut self, ssrc: u32) -> Option<(DownKey, &mut Stream)> {
        let key = *self.by_ssrc.get(&ssrc)?;
        let binding = self.downs.get_mut(&key)?.binding.as_mut()?;
        Some((key, &mut binding.stream))
    }

    /// Tracks without a section that the client could receive, in the order they came.
    pub(super) fn waiting(&self) -> Vec<DownKey> {
        self.downs
            .iter()
            .filter(|(_, down)| down.binding.is_none())
            .filter(|(_, down)| down.track.codec.is_none_or(|codec| self.can_send(codec)))
            .map(|(key, _)| *key)
            .collect()
    }

    pub(super) fn waiting_counts(&self) -> Counts {
        let mut counts = Counts::default();
        for key in self.waiting() {
            if let Some(down) = self.downs.get(&key) {
                counts.add(down.track.kind);
            }
        }
        counts
    }

    pub(super) fn free_counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.entries.values().filter(|entry| entry.free()) {
            counts.add(entry.kind);
        }
        counts
    }

    /// In the order of the m-lines.
    pub(super) fn in_order(&self) -> Vec<Mid> {
        let mut mids: Vec<(usize, Mid)> = self
            .entries
            .iter()
            .map(|(mid, entry)| (entry.index, *mid))
            .collect();
        mids.sort_unstable();
        mids.into_iter().map(|(_, mid)| mid).collect()
    }

    pub(super) fn map(&self) -> SectionMap {
        self.in_order()
            .into_iter()
            .filter_map(|mid| {
                let entry = self.entries.get(&mid)?;
                let track = self.track_of(entry.carries?)?;
                Some((entry.section.to_string(), track))
            })
            .collect()
    }

    pub(super) fn track_of(&self, key: DownKey) -> Option<TrackId> {
        self.downs.get(&key).map(|down| down.track.track)
    }

    /// The client was told of our sending on exactly one section of that kind.
    pub(super) fn shows_one(&self, kind: MediaKind) -> bool {
        let is_shown = |entry: &&Entry| {
            entry.kind == kind && (entry.shown != Shown::Nothing || entry.ahead.is_some())
        };
        self.entries.values().filter(is_shown).count() == 1
    }

    pub(super) fn can_send(&self, codec: Codec) -> bool {
        let codec = if codec == Codec::Red {
            Codec::Opus
        } else {
            codec
        };
        self.accepted.contains(&codec) || !self.rejected.contains(&codec)
    }

    /// A section on which these codecs were open to choice, and what the client chose.
    pub(super) fn learn_codecs(
        &mut self,
        offered: impl Iterator<Item = Codec>,
        payloads: &Payloads,
    ) {
        for codec in offered {
            if payloads.get(codec).is_some() {
                self.accepted.insert(codec);
            } else {
                self.rejected.insert(codec);
            }
        }
    }
}

/// Where the stream outlives the track.
fn give_back(entry: &mut Entry, binding: Binding) {
    if let Some(ahead) = &mut entry.ahead {
        ahead.take_back(binding);
    }
}
