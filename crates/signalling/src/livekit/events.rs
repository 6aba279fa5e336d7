//! What the core says, and what the client is told of it.

use std::sync::Arc;
use std::time::Duration;

use livekit_protocol as proto;
use madang_sfu::api::{
    Codec, ConnectionKey, Event, LayerWish, Now, PeerId, PeerInfo, Quality, QualityReport, Refusal,
    RequestKind, RoomState, SectionMap, Speaker, TrackId,
};
use proto::leave_request::Action;
use proto::signal_response::Message as Signal;

use super::entry::Path;
use super::publish::reason_of;
use super::session::{LiveKit, Phase};
use super::{info, join};

impl LiveKit {
    pub(crate) fn event(&mut self, now: Now, event: Event) {
        match event {
            Event::Joined(state) => self.state(now, *state),
            Event::RoomUpdated(room) => {
                self.room = room;
                self.send_room();
            }
            Event::PeerJoined(peer) | Event::PeerUpdated(peer) => self.peer_updated(now, peer),
            Event::PeerLeft { peer, reason } => self.peer_left(now, &peer, reason),
            Event::Announced { publication } => self.announced(&publication),
            // The update of the peer says so too; whichever comes first is passed on.
            Event::Published { peer, track: _ } => self.peer_updated(now, peer),
            Event::Unpublished { peer, track } => {
                self.subscribed.remove(&track);
                self.peer_updated(now, peer);
            }
            Event::OwnUnpublished { track } => self.own_unpublished(track),
            Event::Offer {
                sdp,
                number,
                sections,
                ..
            } => self.send(Signal::Offer(description("offer", sdp, number, &sections))),
            Event::Answer {
                sdp,
                number,
                sections,
                ..
            } => self.send(Signal::Answer(description(
                "answer", sdp, number, &sections,
            ))),
            Event::SectionsWanted { audio, video, .. } => self.send_sections(audio, video),
            Event::Connected { connection } => _ = self.connected.insert(connection),
            Event::Disconnected { connection } => self.disconnected(now, connection),
            Event::Subscribed { track } => _ = self.subscribed.insert(track),
            Event::Unsubscribed { track } => _ = self.subscribed.remove(&track),
            Event::Watched { track } => self.watched(track),
            Event::Flowing { .. } => {}
            Event::Allowed {
                publisher,
                track,
                allowed,
            } => self.send_allowed(publisher, track, allowed),
            Event::Speakers(speakers) => self.speakers(&speakers),
            Event::Quality(reports) => self.quality(&reports),
            Event::LayersWanted {
                track,
                codec,
                wishes,
            } => self.layers_wanted(track, codec, &wishes),
            Event::Streaming {
                publisher,
                track,
                active,
            } => self.streaming(publisher, track, active),
            Event::ChannelOpen { label } => self.channel_open(&label),
            Event::DataReceived { label, payload, .. } => self.data_received(&label, &payload),
            Event::Data {
                from,
                identity,
                label,
                reliable,
                form,
                payload,
                ..
            } => self.data(from, &identity, &label, reliable, form, &payload),
            Event::MuteAsked { track, muted } => self.send(mute(track, muted)),
            Event::Refused { request, refusal } => self.refused(&request, &refusal),
            Event::Closed { reason } => self.closed(reason),
        }
    }

    fn disconnected(&mut self, now: Now, connection: ConnectionKey) {
        self.connected.remove(&connection);
        self.absence.media_lost(now.instant);
    }

    /// Everything as it is now: the answer to a join, or to a wish to hear it again.
    fn state(&mut self, now: Now, state: RoomState) {
        let first = self.phase == Phase::Joining;
        let others = state.others.into_iter().filter(|peer| !is_hidden(peer));
        if first {
            self.room = state.room;
            self.own = Some(state.own);
            self.members = others.map(|peer| (peer.id, peer)).collect();
            self.joined(now);
            self.data_tracks_changed();
            return;
        }
        if self.room != state.room {
            self.room = state.room;
            self.send_room();
        }
        self.peer_updated(now, state.own);
        let others: Vec<_> = others.collect();
        let gone: Vec<_> = self
            .members
            .values()
            .filter(|known| !others.iter().any(|peer| peer.id == known.id))
            .cloned()
            .collect();
        for peer in others {
            self.peer_updated(now, peer);
        }
        for peer in gone {
            self.peer_left(now, &peer, madang_sfu::api::LeaveReason::Own);
        }
    }

    /// A member is new, or something of it changed. Its versions only ever grow for the client.
    fn peer_updated(&mut self, now: Now, peer: Arc<PeerInfo>) {
        if peer.id == self.peer {
            self.own_updated(now, peer);
            return;
        }
        if is_hidden(&peer) {
            return;
        }
        let known = self.members.get(&peer.id);
        if known.is_some_and(|known| known.version > peer.version || *known == peer) {
            return;
        }
        if known.is_none_or(|known| counts_otherwise(known, &peer)) {
            self.attendance_changed(now);
        }
        self.members.insert(peer.id, peer.clone());
        self.send_update(&peer);
        self.data_tracks_changed();
    }

    fn own_updated(&mut self, now: Now, own: Arc<PeerInfo>) {
        let Some(before) = self.own.clone() else {
            self.own = Some(own);
            return;
        };
        if before.version > own.version || before == own {
            return;
        }
        self.own = Some(own.clone());
        self.send_update(&own);
        self.settle_updates(&own);
        let claims = |peer: &PeerInfo| {
            (
                peer.name.clone(),
                peer.metadata.clone(),
                peer.attributes.clone(),
                peer.grant.clone(),
            )
        };
        if claims(&before) != claims(&own) {
            self.want_token(now);
        }
        if counts_otherwise(&before, &own) {
            self.attendance_changed(now);
        }
        self.own_tracks_changed(&before, &own);
    }

    fn send_update(&mut self, peer: &PeerInfo) {
        self.send(Signal::Update(proto::ParticipantUpdate {
            participants: vec![info::participant(peer)],
        }));
    }

    pub(crate) fn send_room(&mut self) {
        let Some(own) = &self.own else { return };
        let others = self.members.values().map(Arc::as_ref);
        self.attendance.told = join::attendance(own, others);
        let room = info::room(&self.room, self.attendance.told);
        self.send(Signal::RoomUpdate(proto::RoomUpdate { room: Some(room) }));
    }

    /// Somebody came, went, began or ceased to publish: the client is told the numbers, but not with each of many.
    pub(crate) fn attendance_changed(&mut self, now: Now) {
        let at = now.instant + ATTENDANCE_DELAY;
        self.attendance.at.get_or_insert(at);
    }

    pub(crate) fn send_attendance(&mut self) {
        let Some(own) = &self.own else { return };
        let others = self.members.values().map(Arc::as_ref);
        if self.attendance.told != join::attendance(own, others) {
            self.send_room();
        }
    }

    /// Only clients that make all the offers know this message.
    pub(crate) fn send_sections(&mut self, audio: u32, video: u32) {
        match self.entry.path {
            Path::V0 => self.dropped.unused += 1,
            Path::V1 => self.send(Signal::MediaSectionsRequirement(
                proto::MediaSectionsRequirement {
                    num_audios: audio,
                    num_videos: video,
                },
            )),
        }
    }

    fn send_allowed(&mut self, publisher: PeerId, track: TrackId, allowed: bool) {
        self.send(Signal::SubscriptionPermissionUpdate(
            proto::SubscriptionPermissionUpdate {
                participant_sid: publisher.to_string(),
                track_sid: track.to_string(),
                allowed,
            },
        ));
    }

    /// A client hears of those that it hears, and of itself; and of whoever it believes to be speaking.
    fn speakers(&mut self, speakers: &[Speaker]) {
        let mut told = Vec::new();
        for speaker in speakers {
            let known = self.speaking.contains(&speaker.peer);
            if !(known || self.concerns(speaker.peer)) {
                continue;
            }
            if speaker.active {
                self.speaking.insert(speaker.peer);
            } else {
                self.speaking.remove(&speaker.peer);
            }
            told.push(proto::SpeakerInfo {
                sid: speaker.peer.to_string(),
                level: speaker.level,
                active: speaker.active,
            });
        }
        if !told.is_empty() {
            self.send(Signal::SpeakersChanged(proto::SpeakersChanged {
                speakers: told,
            }));
        }
    }

    fn quality(&mut self, reports: &[QualityReport]) {
        if self.entry.protocol < PROTOCOL_QUALITY {
            return;
        }
        let updates: Vec<_> = reports
            .iter()
            .filter(|report| self.concerns(report.peer))
            .map(|report| proto::ConnectionQualityInfo {
                participant_sid: report.peer.to_string(),
                quality: self.quality_number(report.quality),
                score: report.score,
            })
            .collect();
        if !updates.is_empty() {
            self.send(Signal::ConnectionQuality(proto::ConnectionQualityUpdate {
                updates,
            }));
        }
    }

    fn quality_number(&self, quality: Quality) -> i32 {
        (match quality {
            Quality::Lost if self.entry.protocol >= PROTOCOL_QUALITY_LOST => {
                proto::ConnectionQuality::Lost
            }
            Quality::Lost | Quality::Poor => proto::ConnectionQuality::Poor,
            Quality::Good => proto::ConnectionQuality::Good,
            Quality::Excellent => proto::ConnectionQuality::Excellent,
        }) as i32
    }

    /// The client itself, or somebody whose track it is subscribed to.
    fn concerns(&self, peer: PeerId) -> bool {
        let subscribed = |member: &Arc<PeerInfo>| {
            let mut publications = member.publications.iter();
            publications.any(|publication| self.subscribed.contains(&publication.id))
        };
        peer == self.peer || self.members.get(&peer).is_some_and(subscribed)
    }

    #[expect(deprecated, reason = "older clients read the list without codecs")]
    fn layers_wanted(&mut self, track: TrackId, codec: Option<Codec>, wishes: &[LayerWish]) {
        let known = self.own_publication(track);
        let codec = codec.or_else(|| known.and_then(|publication| publication.codec));
        let mime = codec.map_or("", Codec::mime);
        let name = mime.rsplit('/').next().unwrap_or(mime).to_ascii_lowercase();
        let qualities: Vec<_> = wishes
            .iter()
            .map(|wish| proto::SubscribedQuality {
                quality: i32::from(wish.quality.min(2)),
                enabled: wish.wanted,
            })
            .collect();
        self.send(Signal::SubscribedQualityUpdate(
            proto::SubscribedQualityUpdate {
                track_sid: track.to_string(),
                subscribed_qualities: qualities.clone(),
                subscribed_codecs: vec![proto::SubscribedCodec {
                    codec: name,
                    qualities,
                }],
            },
        ));
    }

    fn streaming(&mut self, publisher: PeerId, track: TrackId, active: bool) {
        let state = if active {
            proto::StreamState::Active
        } else {
            proto::StreamState::Paused
        };
        self.send(Signal::StreamStateUpdate(proto::StreamStateUpdate {
            stream_states: vec![proto::StreamStateInfo {
                participant_sid: publisher.to_string(),
                track_sid: track.to_string(),
                state: state as i32,
            }],
        }));
    }

    fn refused(&mut self, request: &RequestKind, refusal: &Refusal) {
        tracing::debug!(peer = %self.peer, ?request, %refusal, "refused");
        match request {
            RequestKind::Join | RequestKind::Open(_) => {
                self.request(madang_sfu::api::Request::Leave);
                self.end(proto::DisconnectReason::JoinFailure, Action::Disconnect);
            }
            RequestKind::Answer { .. } => self.full_reconnect(),
            RequestKind::Publish { client_id } => self.publish_refused(client_id, refusal),
            RequestKind::Mute(track) => {
                let request = proto::MuteTrackRequest {
                    sid: track.to_string(),
                    muted: false,
                };
                let about = proto::request_response::Request::Mute(request);
                self.respond(0, reason_of(refusal), "", about);
            }
            RequestKind::Subscribe(track) => self.subscription_refused(*track, refusal),
            RequestKind::Update => self.update_refused(reason_of(refusal), &refusal.to_string()),
            RequestKind::Data => self.dropped.data_refused += 1,
            // Clients do not expect an answer to these.
            RequestKind::Offer { .. }
            | RequestKind::Candidate(_)
            | RequestKind::Unpublish(_)
            | RequestKind::UpdatePublication(_)
            | RequestKind::Prefer(_) => self.dropped.unused += 1,
        }
    }

    fn subscription_refused(&mut self, track: TrackId, refusal: &Refusal) {
        let publisher = self
            .members
            .values()
            .find(|member| member.publication(track).is_some())
            .map(|member| member.id);
        let err = match (refusal, publisher) {
            (Refusal::NotAllowed, Some(publisher)) => {
                self.send_allowed(publisher, track, false);
                return;
            }
            (Refusal::Codec, _) => proto::SubscriptionError::SeCodecUnsupported,
            (Refusal::NotFound(_), _) => proto::SubscriptionError::SeTrackNotfound,
            (
                Refusal::NotAllowed
                | Refusal::Sdp(_)
                | Refusal::Limit(_)
                | Refusal::TooLarge(_)
                | Refusal::State(_),
                _,
            ) => proto::SubscriptionError::SeUnknown,
        };
        self.send(Signal::SubscriptionResponse(proto::SubscriptionResponse {
            track_sid: track.to_string(),
            err: err as i32,
        }));
    }

    fn channel_open(&self, label: &str) {
        tracing::trace!(peer = %self.peer, label, "a channel is open");
    }
}

const PROTOCOL_QUALITY: i32 = 5;
const PROTOCOL_QUALITY_LOST: i32 = 11;

const ATTENDANCE_DELAY: Duration = Duration::from_secs(2);

fn counts_otherwise(before: &PeerInfo, after: &PeerInfo) -> bool {
    before.publications.is_empty() != after.publications.is_empty()
}

fn is_hidden(peer: &PeerInfo) -> bool {
    peer.grant.hidden
}

fn mute(track: TrackId, muted: bool) -> Signal {
    Signal::Mute(proto::MuteTrackRequest {
        sid: track.to_string(),
        muted,
    })
}

fn description(
    kind: &str,
    sdp: String,
    number: u32,
    sections: &SectionMap,
) -> proto::SessionDescription {
    proto::SessionDescription {
        r#type: kind.to_owned(),
        sdp,
        id: number,
        mid_to_track_id: sections
            .iter()
            .map(|(mid, track)| (mid.clone(), track.to_string()))
            .collect(),
    }
}
