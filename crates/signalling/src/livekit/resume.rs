//! A client whose socket broke comes back with another one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use madang_sfu::api::{LeaveReason, Now, PeerInfo, PeerPhase, Preference, Request};
use proto::leave_request::Action;
use proto::signal_response::Message as Signal;

use super::claims::Claims;
use super::entry::{Entry, Path};
use super::session::{Carrier, LiveKit, Phase, frame};
use super::{PUBLISHER, SUBSCRIBER, data_tracks, info, join, leave};
use crate::{Dialect, Frame, Output};

/// Messages kept for an absent client.
const KEPT_MAX: usize = 256;
/// Members who left meanwhile.
const LEFT_MAX: usize = 1024;
/// A message that was sent this long before the client was heard has reached it.
const HEARD_LATEST: Duration = Duration::from_secs(10);
/// After media broke, or for a session that never was active.
const GRACE: Duration = Duration::from_secs(5);
/// From this version on clients take goodbyes of others at a resume.
const PROTOCOL_DEPARTED: i32 = 9;

/// What a client is told that wants a session back which we do not have. The socket is closed after it.
pub fn refuse_resume() -> Vec<Frame> {
    let leave = proto::LeaveRequest {
        // Both ways of saying it: we do not know the client's version.
        can_reconnect: true,
        reason: proto::DisconnectReason::StateMismatch as i32,
        action: Action::Reconnect as i32,
        ..proto::LeaveRequest::default()
    };
    vec![frame(
        &proto::SignalResponse {
            message: Some(Signal::Leave(leave)),
        },
        false,
    )]
}

/// The time without a carrier.
#[derive(Debug, Default)]
pub(crate) struct Absence {
    since: Option<Instant>,
    media_lost: Option<Instant>,
    kept: VecDeque<Signal>,
    /// Also while there is a carrier: it may be dead without our knowing.
    left: VecDeque<(Instant, proto::ParticipantInfo)>,
    /// Wished for by a client that tests itself: its next resume fails.
    pub(crate) sabotage: Option<Sabotage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    BeforeMessages,
    AfterMessages,
}

impl Absence {
    pub(crate) fn begin(&mut self, now: Instant) {
        self.since = Some(now);
        self.media_lost = None;
    }

    /// Whether the message will be said at the client's return. What a resume says anyway is not kept.
    pub(crate) fn keep(&mut self, message: Signal) -> bool {
        let wanted = match &message {
            Signal::TrackPublished(_)
            | Signal::Mute(_)
            | Signal::StreamStateUpdate(_)
            | Signal::SubscribedQualityUpdate(_)
            | Signal::SubscriptionPermissionUpdate(_)
            | Signal::TrackUnpublished(_)
            | Signal::SubscriptionResponse(_)
            | Signal::RequestResponse(_)
            | Signal::TrackSubscribed(_)
            | Signal::MediaSectionsRequirement(_)
            | Signal::PublishDataTrackResponse(_)
            | Signal::UnpublishDataTrackResponse(_)
            | Signal::DataTrackSubscriberHandles(_) => true,
            Signal::Join(_)
            | Signal::Answer(_)
            | Signal::Offer(_)
            | Signal::Trickle(_)
            | Signal::Update(_)
            | Signal::Leave(_)
            | Signal::SpeakersChanged(_)
            | Signal::RoomUpdate(_)
            | Signal::ConnectionQuality(_)
            | Signal::RefreshToken(_)
            | Signal::Pong(_)
            | Signal::Reconnect(_)
            | Signal::PongResp(_)
            | Signal::RoomMoved(_)
            | Signal::SubscribedAudioCodecUpdate(_)
            | Signal::StoreDataBlobResponse(_)
            | Signal::GetDataBlobResponse(_) => false,
        };
        if wanted && self.kept.len() < KEPT_MAX {
            self.kept.push_back(message);
            return true;
        }
        false
    }

    pub(crate) fn left(&mut self, now: Instant, peer: proto::ParticipantInfo) {
        if self.left.len() >= LEFT_MAX {
            self.left.pop_front();
        }
        self.left.push_back((now, peer));
    }

    /// The client is alive: what it was told a while ago has arrived.
    pub(crate) fn heard(&mut self, now: Instant) {
        while let Some((at, _)) = self.left.front() {
            if *at + HEARD_LATEST > now {
                return;
            }
            self.left.pop_front();
        }
    }

    pub(crate) fn media_lost(&mut self, now: Instant) {
        self.media_lost = Some(now);
    }
}

impl LiveKit {
    /// The session has a new carrier; the server closed the old one. `claims` are those of the token it came with:
    /// they let it in, but the rights of the session stay what they are.
    pub fn resume(&mut self, now: Now, entry: Entry, _claims: &Claims) {
        if self.phase == Phase::Over {
            return;
        }
        self.carrier = Carrier::Up { text: false };
        if self.phase == Phase::Joining {
            // The join was never answered, so there is nothing yet to go on with: the answer will be its first message.
            return;
        }
        if entry.path != self.entry.path {
            // Its connections are of the other kind.
            self.full_reconnect();
            return;
        }
        let sabotage = self.absence.sabotage.take();
        if sabotage == Some(Sabotage::BeforeMessages) {
            self.drop_carrier(now);
            return;
        }
        self.entry.client = entry.client;
        self.say_everything();
        if sabotage == Some(Sabotage::AfterMessages) {
            self.drop_carrier(now);
            return;
        }
        self.absence.since = None;
        self.want_token(now);
        self.request(Request::Resync);
        if self.entry.path == Path::V0 {
            self.request(Request::Restart {
                connection: SUBSCRIBER,
            });
        }
        if let Some(offer) = entry.publisher_offer {
            self.request(Request::Offer {
                connection: PUBLISHER,
                sdp: offer.sdp,
                number: offer.id,
            });
        }
        if let Some(state) = entry.sync_state {
            self.sync_state(&state);
        }
    }

    /// `reconnect` comes first: clients drop whatever precedes it. Then everybody, the client itself included: some
    /// clients take who is not mentioned for gone, others need to be told who left.
    fn say_everything(&mut self) {
        let reconnect = join::reconnect_response(
            &self.entry,
            &self.server,
            &self.ice_servers,
            self.reliable.last(),
        );
        self.send(Signal::Reconnect(reconnect));
        let left: Vec<_> = std::mem::take(&mut self.absence.left)
            .into_iter()
            .map(|(_, peer)| peer)
            // By its identity a goodbye would hit whoever has it now.
            .filter(|left| {
                let mut members = self.members.values();
                !members.any(|member| member.identity.as_str() == left.identity)
            })
            .collect();
        let own: Option<&PeerInfo> = self.own.as_deref();
        let participants = own
            .into_iter()
            .chain(self.members.values().map(Arc::as_ref))
            .map(info::participant);
        let participants: Vec<_> = participants.collect();
        self.send(Signal::Update(proto::ParticipantUpdate { participants }));
        if !left.is_empty() && self.entry.protocol >= PROTOCOL_DEPARTED {
            self.send(Signal::Update(proto::ParticipantUpdate {
                participants: left,
            }));
        }
        self.send_room();
        for message in std::mem::take(&mut self.absence.kept) {
            self.send(message);
        }
    }

    fn drop_carrier(&mut self, now: Now) {
        self.push(Output::CloseCarrier);
        self.handle_carrier_lost(now);
    }

    /// The client must make everything anew.
    pub(crate) fn full_reconnect(&mut self) {
        self.request(Request::Leave);
        self.end(proto::DisconnectReason::StateMismatch, Action::Reconnect);
    }

    /// When to stop waiting for a new carrier.
    pub(crate) fn absence_ends(&self) -> Option<Instant> {
        let since = self.absence.since?;
        let hard = since + self.limits.absence_max;
        if !self.was_active() {
            return Some((since + GRACE).min(hard));
        }
        if !self.connected.is_empty() {
            return Some(hard);
        }
        let soft = since + self.limits.absence;
        let after_media = self.absence.media_lost.map(|lost| lost + GRACE);
        Some(after_media.map_or(soft, |after| after.max(soft)).min(hard))
    }

    /// What the client believes about itself, after a resume.
    pub(crate) fn sync_state(&mut self, state: &proto::SyncState) {
        let tracks_known = state.publish_tracks.iter().all(|published| {
            let sid = published.track.as_ref().map(|track| track.sid.as_str());
            sid.is_some_and(|sid| info::track_of(sid).is_some_and(|track| self.is_own(track)))
        });
        let data_known = state.publish_data_tracks.iter().all(|published| {
            let sid = published.info.as_ref().map(|info| info.sid.as_str());
            let track = sid.and_then(info::data_track_of);
            track.is_some_and(|track| self.channels.iter().any(|channel| channel.id == track))
        });
        if !tracks_known || !data_known {
            tracing::debug!(peer = %self.peer, "the client has tracks that we do not know: it must join anew");
            self.full_reconnect();
            return;
        }
        for sid in &state.track_sids_disabled {
            if let Some(track) = info::track_of(sid) {
                self.request(Request::Prefer {
                    track,
                    preference: Preference {
                        enabled: false,
                        ..Preference::default()
                    },
                });
            }
        }
        if let Some(subscription) = &state.subscription {
            self.subscription(subscription);
        }
        if let Some(subscription) = &state.data_subscription {
            data_tracks::update_subscription(self, subscription);
        }
    }

    /// Another member is gone.
    pub(crate) fn peer_left(&mut self, now: Now, peer: &PeerInfo, reason: LeaveReason) {
        self.speaking.remove(&peer.id);
        let Some(known) = self.members.remove(&peer.id) else {
            return;
        };
        for publication in &known.publications {
            self.subscribed.remove(&publication.id);
        }
        self.data_tracks_changed();
        self.attendance_changed(now);
        // Whoever replaced this member has its identity, by which clients know it: a goodbye would hit the new one.
        let replaced = self
            .members
            .values()
            .any(|other| other.identity == known.identity);
        if replaced || peer.grant.hidden {
            return;
        }
        let gone = info::departed(peer, reason);
        self.absence.left(now.instant, gone.clone());
        self.send(Signal::Update(proto::ParticipantUpdate {
            participants: vec![gone],
        }));
    }

    /// The core says that the stay is over.
    pub(crate) fn closed(&mut self, reason: LeaveReason) {
        if reason == LeaveReason::ConnectionLost && !self.was_active() {
            // Media never came up, and would not do so next time: to join again would go on for ever.
            self.end(proto::DisconnectReason::JoinFailure, Action::Disconnect);
            return;
        }
        self.end(leave::disconnect_reason(reason), leave::action(reason));
    }

    fn was_active(&self) -> bool {
        let own = self.own.as_ref();
        own.is_some_and(|own| own.phase == PeerPhase::Active)
    }
}
