//! Who speaks: from the levels that publishers write beside their audio (RFC 6464).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::api::{PeerId, Speaker, TrackId};

/// How often changes are told.
pub(crate) const INTERVAL: Duration = Duration::from_millis(400);
/// At least so loud is speech.
const ACTIVE_DBOV: i8 = -35;
/// The part of the interval that must be loud for somebody to become active, and to stay so.
const LOUD_PART_START: f32 = 0.4;
const LOUD_PART_STAY: f32 = 0.2;
/// Weight of the newest interval in the shown level.
const SMOOTHING: f32 = 0.5;
/// The shown level is rounded to this, so that breathing is no news.
const LEVEL_STEPS: f32 = 20.0;
/// What is not shown at all.
const QUIET_DBOV: f32 = -65.0;
/// Publishers of a room whose levels are kept.
const METERS_MAX: usize = 10_000;

/// The loudness of one audio track.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    packets: u32,
    packets_loud: u32,
    /// Of the loud ones.
    sum_dbov: f32,
    level: f32,
    active: bool,
    last: Option<Instant>,
}

impl Meter {
    /// Of one packet: 0 loudest … −127 silent.
    pub(crate) fn observe(&mut self, level_dbov: i8, now: Instant) {
        self.packets = self.packets.saturating_add(1);
        self.last = Some(now);
        if level_dbov >= ACTIVE_DBOV {
            self.packets_loud = self.packets_loud.saturating_add(1);
            self.sum_dbov += f32::from(level_dbov);
        }
    }

    /// Ends an interval: is it active now, and how loud?
    fn close(&mut self) -> (bool, f32) {
        #[expect(clippy::cast_precision_loss, reason = "a few packets in an interval")]
        let (packets, loud) = (self.packets as f32, self.packets_loud as f32);
        let needed = if self.active {
            LOUD_PART_STAY
        } else {
            LOUD_PART_START
        };
        let part = if packets > 0.0 { loud / packets } else { 0.0 };
        self.active = loud > 0.0 && part >= needed;
        let newest = if self.active {
            (1.0 - self.sum_dbov / loud / QUIET_DBOV).clamp(0.0, 1.0)
        } else {
            0.0
        };
        self.level = if self.active {
            if self.level > 0.0 {
                self.level + (newest - self.level) * SMOOTHING
            } else {
                newest
            }
        } else {
            0.0
        };
        self.packets = 0;
        self.packets_loud = 0;
        self.sum_dbov = 0.0;
        (self.active, (self.level * LEVEL_STEPS).ceil() / LEVEL_STEPS)
    }
}

/// The speakers of a room.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    meters: BTreeMap<TrackId, (PeerId, Meter)>,
    /// As told last.
    told: BTreeMap<PeerId, f32>,
    /// When to tell again; None while all is silent.
    next: Option<Instant>,
}

impl Speakers {
    pub(crate) fn observe(&mut self, peer: PeerId, track: TrackId, level_dbov: i8, now: Instant) {
        if self.meters.len() >= METERS_MAX && !self.meters.contains_key(&track) {
            return;
        }
        let (_, meter) = self
            .meters
            .entry(track)
            .or_insert_with(|| (peer, Meter::default()));
        meter.observe(level_dbov, now);
        self.next.get_or_insert(now + INTERVAL);
    }

    /// What changed since it was told last, the loudest first. Level 0: fell silent.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Vec<Speaker>> {
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        let mut levels = BTreeMap::<PeerId, f32>::new();
        for (peer, meter) in self.meters.values_mut() {
            let (active, level) = meter.close();
            if active {
                let loudest = levels.entry(*peer).or_default();
                *loudest = loudest.max(level);
            }
        }
        self.meters.retain(|_, (_, meter)| {
            meter.active
                || meter
                    .last
                    .is_some_and(|last| now.saturating_duration_since(last) < INTERVAL * 4)
        });
        let mut changes = self.changes(&levels);
        changes.sort_by(|a, b| b.level.total_cmp(&a.level).then(a.peer.cmp(&b.peer)));
        self.told = levels;
        self.next = (!self.meters.is_empty() || !self.told.is_empty()).then(|| now + INTERVAL);
        (!changes.is_empty()).then_some(changes)
    }

    /// The track is gone; its peer falls silent with the next tick unless another track of it is loud.
    pub(crate) fn forget(&mut self, track: TrackId) {
        self.meters.remove(&track);
    }

    fn changes(&self, levels: &BTreeMap<PeerId, f32>) -> Vec<Speaker> {
        let loud = levels
            .iter()
            .filter(|(peer, level)| self.told.get(*peer) != Some(*level))
            .map(|(peer, level)| Speaker {
                peer: *peer,
                level: *level,
                active: true,
            });
        let silent = self
            .told
            .keys()
            .filter(|peer| !levels.contains_key(*peer))
            .map(|peer| Speaker {
                peer: *peer,
                level: 0.0,
                active: false,
            });
        loud.chain(silent).collect()
    }
}
