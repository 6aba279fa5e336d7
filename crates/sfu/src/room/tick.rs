//! What a room does by time: speakers, layers that fell silent or came back, quality, peers that never connected.

use std::time::{Duration, Instant};

use crate::api::{Event, LayerWish, LeaveReason, PeerId, QualityReport, TrackId};
use crate::connection::Report;
use crate::context::Context;
use crate::link::LinkBody;
use crate::quality::QualityInput;

use super::Room;
use super::track::{Origin, Track};

pub(super) const INTERVAL: Duration = Duration::from_millis(200);
pub(super) const QUALITY_INTERVAL: Duration = Duration::from_secs(5);
/// A publisher is told to stop a layer only when nobody has wanted it for so long.
const WISHES_SHRINK_AFTER: Duration = Duration::from_secs(3);
const QUALITIES: u8 = 3;
const DISCONNECTED: QualityInput = QualityInput {
    up_loss: 0.0,
    down_loss: 0.0,
    rtt: None,
    connected: false,
    up_packets: 0,
    down_packets: 0,
};

impl Room {
    pub(crate) fn tick(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.instant;
        self.next_tick = now + INTERVAL;
        self.tick_speakers(cx);
        let tracks: Vec<TrackId> = self.tracks.keys().copied().collect();
        for id in tracks {
            self.retarget(id, cx);
            self.repeat_keyframes(id, cx);
            self.tell_flowing(id, cx);
        }
        for peer in self.local_ids() {
            self.tick_peer(peer, now, cx);
        }
        if now >= self.next_quality {
            self.next_quality = now + QUALITY_INTERVAL;
            self.tick_quality(cx);
        }
    }

    fn tick_speakers(&mut self, cx: &mut Context<'_>) {
        let Some(speakers) = self.speakers.tick(cx.now.instant) else {
            return;
        };
        for peer in self.local_ids() {
            cx.event(peer, Event::Speakers(speakers.clone()));
        }
        cx.link_all(self.links, self.id(), &LinkBody::Speakers(speakers));
    }

    /// Of tracks of this shard: packets began to arrive, or none did for a while.
    fn tell_flowing(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let now = cx.now.instant;
        let Some(track) = self.tracks.get_mut(&id).filter(|track| track.is_local()) else {
            return;
        };
        let flowing = track.is_flowing(now);
        if std::mem::replace(&mut track.told_flowing, flowing) != flowing {
            let publisher = track.publisher;
            cx.event(publisher, Event::Flowing { track: id, flowing });
        }
    }

    /// Its main connection must come up in time, and come back in time.
    fn tick_peer(&mut self, peer: PeerId, now: Instant, cx: &mut Context<'_>) {
        if self.has_queued(peer) {
            self.send_queued(peer, cx);
        }
        let Some(local) = self.local(peer) else {
            return;
        };
        let primary = local
            .connections
            .values()
            .filter_map(|slot| cx.connections.get(*slot))
            .find(|entry| entry.options.primary);
        let Some(primary) = primary else {
            return;
        };
        let (is_broken, was_active) = (primary.broken_since.is_some(), local.was_active);
        let late = !was_active
            && now.saturating_duration_since(local.awaited_since) > cx.config.connect_timeout;
        let lost = primary.broken_since.is_some_and(|since| {
            now.saturating_duration_since(since) > cx.config.reconnect_timeout
        });
        if late || lost {
            cx.leaving.push((peer, LeaveReason::ConnectionLost));
        } else if is_broken && let Some(local) = self.local_mut(peer) {
            local.score.observe(&DISCONNECTED, now);
        }
    }

    pub(crate) fn report(&mut self, peer: PeerId, report: &Report, now: Instant) {
        if let Some(local) = self.local_mut(peer) {
            let input = QualityInput {
                up_loss: report.up_loss,
                down_loss: report.down_loss,
                rtt: report.rtt,
                connected: true,
                up_packets: report.up_packets,
                down_packets: report.down_packets,
            };
            local.score.observe(&input, now);
        }
    }

    fn tick_quality(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.instant;
        let mut reports = Vec::new();
        for peer in self.local_ids() {
            if let Some((quality, score)) =
                self.local_mut(peer).and_then(|local| local.score.tick(now))
            {
                reports.push(QualityReport {
                    peer,
                    quality,
                    score,
                });
            }
        }
        if reports.is_empty() {
            return;
        }
        cx.link_all(self.links, self.id(), &LinkBody::Quality(reports.clone()));
        self.tell_quality(&reports, cx);
    }

    /// Of local peers, or as another shard told.
    pub(super) fn tell_quality(&mut self, reports: &[QualityReport], cx: &mut Context<'_>) {
        for report in reports
            .iter()
            .filter(|report| self.members.contains_key(&report.peer))
        {
            self.qualities.insert(report.peer, *report);
        }
        for peer in self.local_ids() {
            cx.event(peer, Event::Quality(reports.to_vec()));
        }
    }

    /// Which layers anybody wants. Up at once, down only when it has lasted.
    pub(super) fn tell_layers_wanted(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let now = cx.now.instant;
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        if !matches!(track.origin, Origin::Local { .. }) || track.publication.layers.is_empty() {
            return;
        }
        let wishes = wishes_of(track);
        if wishes == track.wishes {
            track.wishes_shrunk_since = None;
            return;
        }
        let grows = wishes
            .iter()
            .any(|wish| wish.wanted && !track.wishes.contains(wish));
        let first = track.wishes.is_empty();
        if !grows && !first {
            let since = *track.wishes_shrunk_since.get_or_insert(now);
            if now.saturating_duration_since(since) < WISHES_SHRINK_AFTER {
                return;
            }
        }
        // Before its first packet a client may still be reading our answer, and does not know the track it is told of.
        if first && (!track.was_watched || !track.has_sent()) {
            return;
        }
        track.wishes_shrunk_since = None;
        track.wishes.clone_from(&wishes);
        let (publisher, codec) = (track.publisher, track.codec());
        cx.event(
            publisher,
            Event::LayersWanted {
                track: id,
                codec,
                wishes,
            },
        );
    }
}

/// Every quality up to the highest wanted one: lower ones are cheap, and are what a receiver falls back to.
fn wishes_of(track: &Track) -> Vec<LayerWish> {
    let highest = track.quality_wanted();
    (0..QUALITIES)
        .map(|quality| LayerWish {
            quality,
            wanted: highest.is_some_and(|highest| quality <= highest),
        })
        .collect()
}
