//! What the client says, and what is asked of the core for it.

use std::collections::BTreeMap;
use std::time::Duration;

use livekit_protocol as proto;
use madang_sfu::api::{Allowance, Identity, Now, PeerInfo, Preference, Request, Update};
use proto::leave_request::Action;
use proto::request_response::{Reason, Request as About};
use proto::signal_request::Message as Asked;
use proto::signal_response::Message as Signal;
use proto::simulate_scenario::Scenario;

use super::entry::Path;
use super::resume::Sabotage;
use super::session::{AwaitedUpdate, LiveKit};
use super::{
    ATTRIBUTES_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX, PUBLISHER, SUBSCRIBER, data_tracks,
    info,
};

/// After this an update counts as done, though the room shows something else: a later one has replaced it.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(5);
const UPDATES_MAX: usize = 64;
const SIDS_MAX: usize = 4096;
const LEVEL_SIMULATED: f32 = 0.9;
const SILENCE_MAX_S: i32 = 60;

impl LiveKit {
    #[expect(deprecated, reason = "every kind of message is decided here")]
    pub(crate) fn signal(&mut self, now: Now, message: Asked) {
        match message {
            Asked::Offer(offer) => self.request(Request::Offer {
                connection: PUBLISHER,
                sdp: offer.sdp,
                number: offer.id,
            }),
            Asked::Answer(answer) => self.answer(answer),
            Asked::Trickle(trickle) => self.trickle(&trickle),
            Asked::AddTrack(request) => self.add_track(request),
            Asked::Mute(request) => self.mute(request),
            Asked::Subscription(request) => self.subscription(&request),
            Asked::TrackSetting(request) => self.track_setting(&request),
            Asked::Leave(_) => {
                self.request(Request::Leave);
                self.end(proto::DisconnectReason::ClientInitiated, Action::Disconnect);
            }
            // Sizes of layers come by `update_video_track` today.
            Asked::UpdateLayers(_) => self.dropped.unused += 1,
            Asked::SubscriptionPermission(request) => self.allow(&request),
            Asked::SyncState(state) => self.sync_state(&state),
            Asked::Simulate(request) => self.simulate(now, request),
            Asked::Ping(_) => self.send(Signal::Pong(info::signed(now.wall_ms()))),
            Asked::UpdateMetadata(request) => self.update_metadata(now, request),
            Asked::PingReq(ping) => self.send(Signal::PongResp(proto::Pong {
                last_ping_timestamp: ping.timestamp,
                timestamp: info::signed(now.wall_ms()),
            })),
            Asked::UpdateAudioTrack(request) => self.update_audio_track(request),
            Asked::UpdateVideoTrack(request) => self.update_video_track(request),
            Asked::PublishDataTrackRequest(request) => self.publish_data_track(request),
            Asked::UnpublishDataTrackRequest(request) => self.unpublish_data_track(request),
            Asked::UpdateDataSubscription(request) => {
                data_tracks::update_subscription(self, &request);
            }
            Asked::StoreDataBlobRequest(request) => self.no_blobs(request.request_id),
            Asked::GetDataBlobRequest(request) => self.no_blobs(request.request_id),
        }
    }

    fn answer(&mut self, answer: proto::SessionDescription) {
        match self.entry.path {
            Path::V0 => self.request(Request::Answer {
                connection: SUBSCRIBER,
                sdp: answer.sdp,
                number: answer.id,
            }),
            // Nobody asked: we do not offer here.
            Path::V1 => self.dropped.unused += 1,
        }
    }

    fn trickle(&mut self, trickle: &proto::TrickleRequest) {
        #[derive(serde::Deserialize)]
        struct Init {
            #[serde(default)]
            candidate: Option<String>,
        }
        let init = serde_json::from_str::<Init>(&trickle.candidate_init).ok();
        let candidate = init.and_then(|init| init.candidate).unwrap_or_default();
        if candidate.is_empty() {
            // The end of candidates, or nothing that we can read.
            self.dropped.unused += u64::from(!trickle.r#final);
            return;
        }
        let to_subscriber =
            self.entry.path == Path::V0 && trickle.target() == proto::SignalTarget::Subscriber;
        self.request(Request::Candidate {
            connection: if to_subscriber { SUBSCRIBER } else { PUBLISHER },
            candidate,
        });
    }

    pub(crate) fn subscription(&mut self, request: &proto::UpdateSubscription) {
        let of_participants = request.participant_tracks.iter();
        let sids = of_participants
            .flat_map(|of_one| &of_one.track_sids)
            .chain(&request.track_sids);
        let mut tracks = Vec::new();
        for sid in sids.take(SIDS_MAX) {
            match info::track_of(sid) {
                Some(track) => tracks.push(track),
                None if request.subscribe => self.subscription_failed(sid),
                None => {}
            }
        }
        if tracks.is_empty() {
            return;
        }
        self.request(if request.subscribe {
            Request::Subscribe {
                tracks,
                connection: None,
            }
        } else {
            Request::Unsubscribe { tracks }
        });
    }

    fn subscription_failed(&mut self, sid: &str) {
        self.send(Signal::SubscriptionResponse(proto::SubscriptionResponse {
            track_sid: sid.to_owned(),
            err: proto::SubscriptionError::SeTrackNotfound as i32,
        }));
    }

    fn track_setting(&mut self, request: &proto::UpdateTrackSettings) {
        let off = request.quality() == proto::VideoQuality::Off;
        let sized = request.width > 0 && request.height > 0;
        let preference = Preference {
            enabled: !request.disabled && !off,
            quality: (!sized)
                .then(|| u8::try_from(request.quality.clamp(0, 2)).expect("at most 2")),
            size_px: sized.then_some((request.width, request.height)),
            fps: (request.fps > 0).then_some(request.fps),
            priority: request.priority,
        };
        for sid in request.track_sids.iter().take(SIDS_MAX) {
            match info::track_of(sid) {
                Some(track) => self.request(Request::Prefer { track, preference }),
                None => self.dropped.unused += 1,
            }
        }
    }

    fn allow(&mut self, request: &proto::SubscriptionPermission) {
        let mut peers: BTreeMap<Identity, Option<Vec<_>>> = BTreeMap::new();
        for permission in request.track_permissions.iter().take(SIDS_MAX) {
            let identity = if permission.participant_identity.is_empty() {
                let peer = permission.participant_sid.parse().ok();
                let member = peer.and_then(|peer| self.members.get(&peer));
                member.map(|member| member.identity.clone())
            } else {
                Some(Identity::new(&permission.participant_identity))
            };
            let Some(identity) = identity else {
                self.dropped.unused += 1;
                continue;
            };
            let tracks = permission.track_sids.iter().take(SIDS_MAX);
            let tracks = tracks.filter_map(|sid| info::track_of(sid)).collect();
            let given = (!permission.all_tracks).then_some(tracks);
            peers
                .entry(identity)
                .and_modify(|known| match (known.as_mut(), &given) {
                    (Some(known), Some(more)) => known.extend(more),
                    (_, None) => *known = None,
                    (None, _) => {}
                })
                .or_insert(given);
        }
        self.request(Request::Allow(Allowance {
            everybody: request.all_participants,
            peers,
        }));
    }

    fn update_metadata(&mut self, now: Now, request: proto::UpdateParticipantMetadata) {
        let Some(own) = self.own.clone() else { return };
        let refusal = update_refusal(&request, &own).or_else(|| {
            (self.updates.len() >= UPDATES_MAX)
                .then_some((Reason::LimitExceeded, "too many updates at once"))
        });
        let id = request.request_id;
        if let Some((reason, text)) = refusal {
            self.respond(id, reason, text, About::UpdateMetadata(request));
            return;
        }
        if self.updates.is_empty() && reflects(&own, &request) {
            // Nothing changes, so no event would tell us when to answer.
            self.respond(id, Reason::Ok, "", About::UpdateMetadata(request));
            return;
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.request(Request::Update(Box::new(Update {
            name: given(&request.name),
            metadata: given(&request.metadata),
            attributes: request.attributes.clone().into_iter().collect(),
            grant: None,
            annotation: None,
            own: true,
        })));
        self.updates.push_back(AwaitedUpdate {
            request,
            deadline: now.instant + UPDATE_TIMEOUT,
        });
    }

    /// The client was told the room's state; now it may be told that its update is part of it. Not before: one SDK
    /// writes back the state that it knows together with its next change.
    pub(crate) fn settle_updates(&mut self, own: &PeerInfo) {
        while let Some(awaited) = self.updates.pop_front() {
            if !reflects(own, &awaited.request) {
                self.updates.push_front(awaited);
                return;
            }
            self.update_done(awaited, Reason::Ok, "");
        }
    }

    pub(crate) fn overdue_updates(&mut self, now: Now) {
        while let Some(awaited) = self.updates.pop_front() {
            if awaited.deadline > now.instant {
                self.updates.push_front(awaited);
                return;
            }
            self.update_done(awaited, Reason::Ok, "");
        }
    }

    pub(crate) fn update_refused(&mut self, reason: Reason, text: &str) {
        if let Some(awaited) = self.updates.pop_front() {
            self.update_done(awaited, reason, text);
        }
    }

    fn update_done(&mut self, awaited: AwaitedUpdate, reason: Reason, text: &str) {
        let id = awaited.request.request_id;
        self.respond(id, reason, text, About::UpdateMetadata(awaited.request));
    }

    fn no_blobs(&mut self, request_id: u32) {
        self.send(Signal::RequestResponse(proto::RequestResponse {
            request_id,
            reason: Reason::NotAllowed as i32,
            message: "data blobs are not kept here".to_owned(),
            request: None,
        }));
    }

    /// Clients test themselves with these.
    fn simulate(&mut self, now: Now, request: proto::SimulateScenario) {
        match request.scenario {
            Some(Scenario::SpeakerUpdate(seconds)) => {
                let seconds = u64::try_from(seconds.clamp(0, SILENCE_MAX_S)).expect("not negative");
                self.silence_at = Some(now.instant + Duration::from_secs(seconds));
                self.simulated_speaker(true);
            }
            // As if this server had died: no word, and no such session when the client is back.
            Some(Scenario::NodeFailure(_) | Scenario::Migration(_)) => {
                self.request(Request::Leave);
                self.finish();
            }
            Some(Scenario::ServerLeave(_)) => {
                self.request(Request::Leave);
                self.end(proto::DisconnectReason::ServerShutdown, Action::Disconnect);
            }
            Some(Scenario::LeaveRequestFullReconnect(_)) => self.full_reconnect(),
            Some(Scenario::SwitchCandidateProtocol(_)) => match self.entry.path {
                Path::V0 => self.request(Request::Restart {
                    connection: SUBSCRIBER,
                }),
                Path::V1 => self.send_sections(0, 0),
            },
            Some(Scenario::DisconnectSignalOnResume(_)) => {
                self.absence.sabotage = Some(Sabotage::AfterMessages);
            }
            Some(Scenario::DisconnectSignalOnResumeNoMessages(_)) => {
                self.absence.sabotage = Some(Sabotage::BeforeMessages);
            }
            Some(Scenario::SubscriberBandwidth(_)) | None => self.dropped.unused += 1,
        }
    }

    pub(crate) fn simulated_speaker(&mut self, active: bool) {
        self.send(Signal::SpeakersChanged(proto::SpeakersChanged {
            speakers: vec![proto::SpeakerInfo {
                sid: self.peer.to_string(),
                level: if active { LEVEL_SIMULATED } else { 0.0 },
                active,
            }],
        }));
    }
}

fn update_refusal(
    request: &proto::UpdateParticipantMetadata,
    own: &PeerInfo,
) -> Option<(Reason, &'static str)> {
    let limit = |text| Some((Reason::LimitExceeded, text));
    if !own.grant.update_own_metadata {
        let text = "does not have permission to update own metadata";
        return Some((Reason::NotAllowed, text));
    }
    if request.name.len() > NAME_BYTES_MAX {
        return limit("exceeds name length limit");
    }
    if request.metadata.len() > METADATA_BYTES_MAX {
        return limit("exceeds metadata size limit");
    }
    let mut after = own.attributes.clone();
    let given: BTreeMap<_, _> = request.attributes.clone().into_iter().collect();
    after.extend(given);
    let bytes: usize = after
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > ATTRIBUTES_BYTES_MAX {
        return limit("exceeds attributes size limit");
    }
    None
}

/// Whether the member is as the update would have it.
fn reflects(own: &PeerInfo, request: &proto::UpdateParticipantMetadata) -> bool {
    let given: BTreeMap<_, _> = request.attributes.clone().into_iter().collect();
    let same = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
    same(&request.name, &own.name)
        && same(&request.metadata, &own.metadata)
        && given.iter().all(|(key, value)| {
            let is = own.attributes.get(key).map_or("", String::as_str);
            is == value
        })
}
