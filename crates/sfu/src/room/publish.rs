//! Announcing tracks, matching them with the sections that carry them, and ending them.

use std::sync::Arc;

use bytes::Bytes;

use crate::api::{
    Event, LayerInfo, MediaKind, PeerId, Publication, Publish, Refusal, RequestKind, Source,
    TrackId, UpdatePublication,
};
use crate::connection::{RemoteSection, RidName};
use crate::connections::Up;
use crate::context::Context;
use crate::forwarder::sort_layers;
use crate::io::Slot;

use super::track::{ENCODINGS_MAX, Origin, Track};
use super::{Announced, Room};

/// Tracks that a peer has announced but no section carries yet.
const ANNOUNCED_MAX: usize = 20;

impl Room {
    pub(crate) fn publish(
        &mut self,
        peer: PeerId,
        publish: Publish,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let refuse = |refusal| {
            Err((
                RequestKind::Publish {
                    client_id: publish.client_id.clone(),
                },
                refusal,
            ))
        };
        let Some(info) = self.info_of(peer) else {
            return refuse(Refusal::State("joined"));
        };
        if !info.grant.may_publish(publish.source) {
            return refuse(Refusal::NotAllowed);
        }
        let published = info.publications.len();
        let Some(local) = self.local(peer) else {
            return refuse(Refusal::State("joined"));
        };
        if local.announced.len() >= ANNOUNCED_MAX {
            return refuse(Refusal::Limit("announced tracks"));
        }
        if published + local.announced.len() >= cx.config.publications_per_peer_max {
            return refuse(Refusal::Limit("publications of a peer"));
        }
        if local
            .announced
            .iter()
            .any(|(_, publication)| publication.client_id == publish.client_id)
        {
            return refuse(Refusal::State("announced already"));
        }
        let announced = Announced::from(&publish);
        let publication = Arc::new(new_publication(TrackId(cx.entropy.next_u64()), publish));
        if let Some(local) = self.local_mut(peer) {
            local.announced.push((announced, Arc::clone(&publication)));
        }
        cx.event(peer, Event::Announced { publication });
        self.claim(peer, cx);
        Ok(())
    }

    /// Gives sections to announced tracks: first by the client's own id, then by kind in order (ids change when a
    /// client re-uses a section).
    pub(super) fn claim(&mut self, peer: PeerId, cx: &mut Context<'_>) {
        let Some(slots) = self
            .local(peer)
            .map(|local| local.connections.values().copied().collect::<Vec<_>>())
        else {
            return;
        };
        for slot in slots {
            let Some(entry) = cx.connections.get_mut(slot) else {
                continue;
            };
            let sections = std::mem::take(&mut entry.unclaimed);
            let unannounced = entry.options.publish_unannounced;
            let mut rest = Vec::new();
            for section in sections {
                match self.take_announced(peer, |publication| {
                    publication.client_id == section.track_id
                }) {
                    Some(announced) => self.begin_track(peer, slot, &section, announced, cx),
                    None => rest.push(section),
                }
            }
            let mut left = Vec::new();
            for section in rest {
                match self.take_announced(peer, |publication| publication.kind == section.kind) {
                    Some(announced) => self.begin_track(peer, slot, &section, announced, cx),
                    None if unannounced => {
                        let announced = announce_for(&section, cx);
                        self.begin_track(peer, slot, &section, announced, cx);
                    }
                    None => left.push(section),
                }
            }
            if let Some(entry) = cx.connections.get_mut(slot) {
                entry.unclaimed = left;
            }
        }
    }

    fn take_announced(
        &mut self,
        peer: PeerId,
        fits: impl Fn(&Publication) -> bool,
    ) -> Option<(Announced, Arc<Publication>)> {
        let local = self.local_mut(peer)?;
        let place = local
            .announced
            .iter()
            .position(|(_, publication)| fits(publication))?;
        Some(local.announced.remove(place))
    }

    /// The track exists from now on: its section is negotiated and it was announced, in either order. Nothing waits
    /// for media, as a muted track sends none.
    fn begin_track(
        &mut self,
        peer: PeerId,
        slot: Slot,
        section: &RemoteSection,
        (announced, mut publication): (Announced, Arc<Publication>),
        cx: &mut Context<'_>,
    ) {
        let rids = sorted_rids(&section.rids);
        let details = Arc::make_mut(&mut publication);
        details.codec = section.codec;
        details.mid = Some(section.section.to_string());
        details.layers = layers_of(
            std::mem::take(&mut details.layers),
            &rids,
            details.width_px,
            details.height_px,
        );
        let id = details.id;
        if let Some(entry) = cx.connections.get_mut(slot) {
            entry.ups.push(Up {
                section: section.section,
                track: id,
                rids,
            });
            let at = section.section;
            if let Some(codec) = announced.codec
                && entry.guard(|connection| connection.prefer_codec(at, codec)) == Some(true)
            {
                details.codec = announced.codec;
            }
            if section.kind == MediaKind::Audio {
                entry.guard(|connection| {
                    connection.set_opus(at, announced.stereo, announced.no_dtx)
                });
            }
        }
        let origin = Origin::Local {
            slot,
            section: section.section,
            wants: Vec::new(),
        };
        let codec = publication.codec;
        self.tracks.insert(
            id,
            Track::new(Arc::clone(&publication), peer, origin, cx.now.instant),
        );
        self.change(peer, |info| info.publications.push(publication));
        self.peer_changed(peer, cx);
        self.tell_published(peer, id, cx);
        self.offer_track_to_all(id, cx);
        tracing::info!(peer = %peer, track = %id, kind = ?section.kind, codec = ?codec, "published");
    }

    pub(super) fn tell_published(&self, peer: PeerId, track: TrackId, cx: &mut Context<'_>) {
        if let Some(info) = self.info_of(peer) {
            self.tell_others(
                peer,
                cx,
                &Event::Published {
                    peer: Arc::clone(info),
                    track,
                },
            );
        }
    }

    pub(crate) fn unpublish(
        &mut self,
        peer: PeerId,
        track: TrackId,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        if let Some(local) = self.local_mut(peer) {
            local
                .announced
                .retain(|(_, publication)| publication.id != track);
        }
        if self
            .tracks
            .get(&track)
            .is_some_and(|known| known.publisher == peer)
        {
            self.end_track(track, cx);
            return Ok(());
        }
        Err((RequestKind::Unpublish(track), Refusal::NotFound("track")))
    }

    /// A local track is over: its section is free, its subscribers are told.
    pub(super) fn end_track(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let Some(track) = self.drop_track(id, cx) else {
            return;
        };
        if let Origin::Local { slot, .. } = track.origin
            && let Some(entry) = cx.connections.get_mut(slot)
        {
            entry.retire(id, &track.publication.client_id);
        }
        let publisher = track.publisher;
        self.change(publisher, |info| {
            info.publications.retain(|publication| publication.id != id)
        });
        self.peer_changed(publisher, cx);
        if let Some(info) = self.info_of(publisher) {
            self.tell_others(
                publisher,
                cx,
                &Event::Unpublished {
                    peer: Arc::clone(info),
                    track: id,
                },
            );
        }
        tracing::info!(peer = %publisher, track = %id, "unpublished");
    }

    /// Takes the track and every subscription to it away.
    pub(super) fn drop_track(&mut self, id: TrackId, cx: &mut Context<'_>) -> Option<Track> {
        let track = self.tracks.remove(&id)?;
        for subscription in &track.subscriptions {
            super::subscribe::detach(subscription, cx);
            cx.event(subscription.peer, Event::Unsubscribed { track: id });
        }
        self.speakers.forget(id);
        for peer in self.local_ids() {
            if let Some(local) = self.local_mut(peer) {
                local.wishes.remove(&id);
                local.preferences.remove(&id);
                local.carriers.remove(&id);
            }
        }
        Some(track)
    }

    pub(crate) fn mute(
        &mut self,
        peer: PeerId,
        track: TrackId,
        muted: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        if let Some(local) = self.local_mut(peer)
            && let Some((_, publication)) = local.announced.iter_mut().find(|(_, p)| p.id == track)
        {
            Arc::make_mut(publication).muted = muted;
            return Ok(());
        }
        if self.change_publication(peer, track, |publication| publication.muted = muted) {
            if muted {
                self.speakers.forget(track);
            }
            self.peer_changed(peer, cx);
            return Ok(());
        }
        Err((RequestKind::Mute(track), Refusal::NotFound("track")))
    }

    pub(crate) fn update_publication(
        &mut self,
        peer: PeerId,
        update: UpdatePublication,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let track = update.track;
        let changed = self.change_publication(peer, track, |publication| {
            if let Some((width_px, height_px)) = update.size_px {
                publication.width_px = width_px;
                publication.height_px = height_px;
            }
            if let Some(annotation) = update.annotation {
                publication.annotation = annotation;
            }
        });
        if changed {
            self.peer_changed(peer, cx);
            return Ok(());
        }
        Err((
            RequestKind::UpdatePublication(track),
            Refusal::NotFound("track"),
        ))
    }

    fn change_publication(
        &mut self,
        peer: PeerId,
        track: TrackId,
        change: impl FnOnce(&mut Publication),
    ) -> bool {
        let Some(known) = self
            .tracks
            .get_mut(&track)
            .filter(|known| known.publisher == peer)
        else {
            return false;
        };
        change(Arc::make_mut(&mut known.publication));
        let publication = Arc::clone(&known.publication);
        self.change(peer, |info| {
            if let Some(place) = info.publications.iter_mut().find(|p| p.id == track) {
                *place = publication;
            }
        });
        true
    }
}

fn new_publication(id: TrackId, publish: Publish) -> Publication {
    let mut layers = publish.layers;
    sort_layers(&mut layers);
    Publication {
        id,
        client_id: publish.client_id,
        kind: publish.kind,
        source: publish.source,
        name: publish.name,
        stream: publish.stream,
        muted: publish.muted,
        width_px: publish.width_px,
        height_px: publish.height_px,
        layers,
        codec: None,
        mid: None,
        annotation: publish.annotation,
    }
}

/// Lowest picture first: q < h < f; other names keep their order.
fn sorted_rids(rids: &[RidName]) -> Vec<RidName> {
    let rank = |rid: &RidName| match rid.as_str() {
        "q" => Some(0),
        "h" => Some(1),
        "f" => Some(2),
        _ => None,
    };
    let mut sorted: Vec<RidName> = rids.iter().copied().take(ENCODINGS_MAX).collect();
    if sorted.iter().all(|rid| rank(rid).is_some()) {
        sorted.sort_by_key(rank);
    }
    sorted
}

/// One entry per encoding when there are several; what was announced fills in sizes and rates, in order.
fn layers_of(
    announced: Vec<LayerInfo>,
    rids: &[RidName],
    width_px: u32,
    height_px: u32,
) -> Vec<LayerInfo> {
    if rids.len() < 2 {
        return announced;
    }
    let top = rids.len() - 1;
    rids.iter()
        .enumerate()
        .map(|(place, rid)| {
            let halvings = u32::try_from(top - place).unwrap_or(0);
            let quality = u8::try_from(place).unwrap_or(u8::MAX);
            let known = announced
                .get(place)
                .filter(|_| announced.len() == rids.len());
            LayerInfo {
                quality,
                rid: Some(rid.to_string()),
                width_px: known.map_or(width_px >> halvings, |layer| layer.width_px),
                height_px: known.map_or(height_px >> halvings, |layer| layer.height_px),
                bitrate_bps: known.map_or(0, |layer| layer.bitrate_bps),
            }
        })
        .collect()
}

/// A publication for a section that its client never announced: some protocols have no word for it.
fn announce_for(section: &RemoteSection, cx: &mut Context<'_>) -> (Announced, Arc<Publication>) {
    let source = match section.kind {
        MediaKind::Audio => Source::Microphone,
        MediaKind::Video => Source::Camera,
    };
    let publication = Publication {
        id: TrackId(cx.entropy.next_u64()),
        client_id: section.track_id.clone(),
        kind: section.kind,
        source,
        name: String::new(),
        stream: section.stream_id.clone(),
        muted: false,
        width_px: 0,
        height_px: 0,
        layers: Vec::new(),
        codec: section.codec,
        mid: None,
        annotation: Bytes::new(),
    };
    (
        Announced {
            codec: None,
            stereo: false,
            no_dtx: false,
        },
        Arc::new(publication),
    )
}
