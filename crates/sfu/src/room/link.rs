//! The room's other shards: keeping the replicas alike, and handing packets over.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::{
    Allowance, Event, LeaveReason, PeerId, PeerInfo, Publication, QualityReport, ShardId, TrackId,
};
use crate::context::Context;
use crate::link::{LinkBody, Wants};

use super::track::{Origin, Track};
use super::{Member, Room, Seat};

impl Room {
    /// Introduces this replica to another shard.
    pub(super) fn greet(&mut self, shard: ShardId, cx: &mut Context<'_>) {
        self.links.insert(shard);
        let body = LinkBody::Hello {
            room: Arc::clone(&self.info),
            peers: self.own_peers(),
        };
        cx.link(shard, self.id(), body);
    }

    fn own_peers(&self) -> Vec<(Arc<PeerInfo>, Arc<Allowance>)> {
        self.members
            .values()
            .filter(|member| matches!(member.seat, Seat::Local(_)))
            .map(|member| (Arc::clone(&member.info), Arc::clone(&member.allowance)))
            .collect()
    }

    fn own_qualities(&self) -> Vec<QualityReport> {
        let is_own = |report: &&QualityReport| self.local(report.peer).is_some();
        self.qualities.values().filter(is_own).copied().collect()
    }

    /// The tracks that have work now are returned.
    pub(crate) fn handle_link(
        &mut self,
        from: ShardId,
        body: LinkBody,
        cx: &mut Context<'_>,
    ) -> BTreeSet<TrackId> {
        let mut touched = BTreeSet::new();
        match body {
            LinkBody::Hello { peers, room } => {
                self.links.insert(from);
                let answer = LinkBody::State {
                    room: Arc::clone(&self.info),
                    peers: self.own_peers(),
                };
                cx.link(from, self.id(), answer);
                let known = self.own_qualities();
                cx.link(from, self.id(), LinkBody::Quality(known));
                self.set_info(room, cx);
                self.take_over(from, peers, cx);
            }
            LinkBody::State { peers, .. } => {
                self.links.insert(from);
                self.take_over(from, peers, cx);
            }
            LinkBody::Peer(info) => self.remote_peer(from, &info, cx),
            LinkBody::PeerLeft { peer, reason } => self.remote_left(from, peer, reason, cx),
            LinkBody::Bye => self.bye(from, cx),
            LinkBody::Room(info) => self.set_info(info, cx),
            LinkBody::Wanted { track, wants } => self.wanted_by(from, track, wants, cx),
            LinkBody::Keyframe { track, encoding } => {
                if self.tracks.get(&track).is_some_and(Track::is_local) {
                    self.ask_keyframe(track, encoding, cx);
                }
            }
            LinkBody::Packets(packets) => {
                for packet in packets {
                    cx.counters.link_packets_in += 1;
                    let id = packet.track;
                    if self.is_from(id, from) && self.take_in(packet, cx) {
                        touched.insert(id);
                    }
                }
            }
            LinkBody::Speakers(speakers) => {
                for peer in self.local_ids() {
                    cx.event(peer, Event::Speakers(speakers.clone()));
                }
            }
            LinkBody::Quality(reports) => self.tell_quality(&reports, cx),
            LinkBody::Data { from, message } => self.deliver(from, &message, cx),
            LinkBody::Allowance {
                publisher,
                allowance,
            } => self.set_allowance(publisher, allowance, cx),
            LinkBody::Watched(track) => self.watched_elsewhere(track, cx),
        }
        touched
    }

    fn is_from(&self, track: TrackId, shard: ShardId) -> bool {
        matches!(self.tracks.get(&track).map(|t| &t.origin), Some(Origin::Remote { shard: origin, .. }) if *origin == shard)
    }

    fn take_over(
        &mut self,
        from: ShardId,
        peers: Vec<(Arc<PeerInfo>, Arc<Allowance>)>,
        cx: &mut Context<'_>,
    ) {
        for (info, allowance) in peers {
            let publisher = info.id;
            self.remote_peer(from, &info, cx);
            self.set_allowance(publisher, allowance, cx);
        }
    }

    /// A peer of another shard is new or has changed; its publications come and go with that.
    fn remote_peer(&mut self, from: ShardId, info: &Arc<PeerInfo>, cx: &mut Context<'_>) {
        let peer = info.id;
        let before = match self.members.get(&peer) {
            Some(member) if matches!(member.seat, Seat::Local(_)) => return,
            Some(member) if member.info.version >= info.version => return,
            Some(member) => Some(Arc::clone(&member.info)),
            None => None,
        };
        let allowance = match self.members.get(&peer) {
            Some(member) => Arc::clone(&member.allowance),
            None => Arc::new(Allowance {
                everybody: true,
                ..Allowance::default()
            }),
        };
        self.members.insert(
            peer,
            Member {
                info: Arc::clone(info),
                allowance,
                seat: Seat::Remote(from),
            },
        );
        if before.is_some() {
            self.tell_others(peer, cx, &Event::PeerUpdated(Arc::clone(info)));
        } else {
            self.tell_others(peer, cx, &Event::PeerJoined(Arc::clone(info)));
        }
        let gone: Vec<TrackId> = before
            .iter()
            .flat_map(|before| before.publications.iter().map(|publication| publication.id))
            .filter(|id| info.publication(*id).is_none())
            .collect();
        for id in gone {
            self.drop_track(id, cx);
            self.tell_others(
                peer,
                cx,
                &Event::Unpublished {
                    peer: Arc::clone(info),
                    track: id,
                },
            );
        }
        for publication in &info.publications {
            self.remote_publication(from, peer, publication, cx);
        }
    }

    fn remote_publication(
        &mut self,
        from: ShardId,
        peer: PeerId,
        publication: &Arc<Publication>,
        cx: &mut Context<'_>,
    ) {
        if let Some(track) = self.tracks.get_mut(&publication.id) {
            track.publication = Arc::clone(publication);
            return;
        }
        let origin = Origin::Remote {
            shard: from,
            told: Wants::default(),
        };
        let track = Track::new(Arc::clone(publication), peer, origin, cx.now.instant);
        self.tracks.insert(publication.id, track);
        self.tell_published(peer, publication.id, cx);
        self.offer_track_to_all(publication.id, cx);
    }

    fn remote_left(
        &mut self,
        from: ShardId,
        peer: PeerId,
        reason: LeaveReason,
        cx: &mut Context<'_>,
    ) {
        if !matches!(self.members.get(&peer).map(|m| &m.seat), Some(Seat::Remote(shard)) if *shard == from)
        {
            return;
        }
        let tracks: Vec<TrackId> = self
            .tracks
            .values()
            .filter(|track| track.publisher == peer)
            .map(Track::id)
            .collect();
        for id in tracks {
            self.drop_track(id, cx);
        }
        self.forget_member(peer, reason, cx);
    }

    /// The other shard has no members any more.
    fn bye(&mut self, from: ShardId, cx: &mut Context<'_>) {
        self.links.remove(from);
        let gone: Vec<PeerId> = self
            .members
            .iter()
            .filter(|(_, member)| matches!(member.seat, Seat::Remote(shard) if shard == from))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in gone {
            self.remote_left(from, peer, LeaveReason::SignallingLost, cx);
        }
        let tracks: Vec<TrackId> = self.tracks.keys().copied().collect();
        for id in tracks {
            self.wanted_by(from, id, Wants::default(), cx);
        }
    }

    fn wanted_by(&mut self, shard: ShardId, id: TrackId, wanted: Wants, cx: &mut Context<'_>) {
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        let Origin::Local { wants, .. } = &mut track.origin else {
            return;
        };
        wants.retain(|(known, _)| *known != shard);
        if !wanted.are_none() {
            wants.push((shard, wanted));
        }
        self.tell_layers_wanted(id, cx);
    }
}
