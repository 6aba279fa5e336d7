//! The client's own tracks: announced, muted, changed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use livekit_protocol as proto;
use madang_sfu::api::{
    MediaKind, PeerInfo, Publication, Publish, Refusal, Request, TrackId, UpdatePublication,
};
use proto::request_response::{Reason, Request as About};
use proto::signal_response::Message as Signal;

use super::info;
use super::session::LiveKit;

/// A track's name, its client id and stream: texts that every member is sent.
const TEXT_BYTES_MAX: usize = 256;

/// What was asked and is not settled.
#[derive(Debug, Default)]
pub(crate) struct Publishing {
    /// By client id: asked of the core, not announced yet.
    asked: BTreeMap<String, proto::AddTrackRequest>,
    /// Announced; the core has it, the room perhaps not yet.
    announced: BTreeMap<TrackId, Arc<Publication>>,
    /// A client id that is still in use: published when that is gone.
    queued: VecDeque<proto::AddTrackRequest>,
}

impl Publishing {
    fn pending(&self) -> usize {
        let announced = self.announced.values();
        let unmatched = announced.filter(|publication| publication.mid.is_none());
        self.asked.len() + self.queued.len() + unmatched.count()
    }

    fn uses(&self, client_id: &str) -> bool {
        let mut announced = self.announced.values();
        self.asked.contains_key(client_id)
            || announced.any(|publication| publication.client_id == client_id)
    }
}

impl LiveKit {
    pub(crate) fn add_track(&mut self, request: proto::AddTrackRequest) {
        let kind = match proto::TrackType::try_from(request.r#type) {
            Ok(proto::TrackType::Audio) => MediaKind::Audio,
            Ok(proto::TrackType::Video) => MediaKind::Video,
            Ok(proto::TrackType::Data) | Err(_) => {
                self.respond(0, Reason::UnsupportedType, "", About::AddTrack(request));
                return;
            }
        };
        let source = info::source_of(request.source);
        let allowed = self
            .own
            .as_ref()
            .is_some_and(|own| own.grant.may_publish(source));
        if !allowed {
            self.respond(0, Reason::NotAllowed, "", About::AddTrack(request));
            return;
        }
        if !request.sid.is_empty() {
            self.add_codecs(request);
            return;
        }
        let texts = [&request.cid, &request.name, &request.stream];
        if texts.iter().any(|text| text.len() > TEXT_BYTES_MAX)
            || self.publishing.pending() >= self.limits.pending_tracks_max
        {
            self.respond(0, Reason::LimitExceeded, "", About::AddTrack(request));
            return;
        }
        if self.is_in_use(&request.cid) {
            self.respond(0, Reason::Queued, "", About::AddTrack(request.clone()));
            self.publishing.queued.push_back(request);
            return;
        }
        self.publish(kind, request);
    }

    #[expect(
        deprecated,
        reason = "older clients write the fields that newer ones replaced"
    )]
    fn publish(&mut self, kind: MediaKind, request: proto::AddTrackRequest) {
        use proto::AudioTrackFeature as Feature;
        let has = |feature: Feature| request.audio_features.contains(&(feature as i32));
        let publish = Publish {
            client_id: request.cid.clone(),
            kind,
            source: info::source_of(request.source),
            name: request.name.clone(),
            stream: request.stream.clone(),
            muted: request.muted,
            width_px: request.width,
            height_px: request.height,
            layers: info::layers_asked(&request),
            annotation: info::track_annotation(&request),
            codec: info::codec_asked(&request),
            stereo: request.stereo || has(Feature::TfStereo),
            no_dtx: request.disable_dtx || has(Feature::TfNoDtx),
        };
        self.publishing.asked.insert(request.cid.clone(), request);
        self.request(Request::Publish(Box::new(publish)));
    }

    /// A further codec for a track that is there: noted for the others to see; the core forwards the first one.
    fn add_codecs(&mut self, request: proto::AddTrackRequest) {
        let known = info::track_of(&request.sid).and_then(|track| self.own_publication(track));
        let Some(publication) = known else {
            self.respond(0, Reason::NotFound, "", About::AddTrack(request));
            return;
        };
        let annotation = info::with_codecs(&publication.annotation, &request);
        let mut changed = Publication::clone(&publication);
        changed.annotation = annotation.clone();
        self.request(Request::UpdatePublication(Box::new(UpdatePublication {
            track: publication.id,
            size_px: None,
            annotation: Some(annotation),
        })));
        self.send(Signal::TrackPublished(proto::TrackPublishedResponse {
            cid: request.cid,
            track: Some(info::track(&changed)),
        }));
    }

    pub(crate) fn announced(&mut self, publication: &Arc<Publication>) {
        self.publishing.asked.remove(&publication.client_id);
        self.publishing
            .announced
            .insert(publication.id, publication.clone());
        self.send(Signal::TrackPublished(proto::TrackPublishedResponse {
            cid: publication.client_id.clone(),
            track: Some(info::track(publication)),
        }));
    }

    pub(crate) fn publish_refused(&mut self, client_id: &str, refusal: &Refusal) {
        let Some(request) = self.publishing.asked.remove(client_id) else {
            return;
        };
        let reason = reason_of(refusal);
        self.respond(0, reason, &refusal.to_string(), About::AddTrack(request));
        self.publish_queued();
    }

    /// The room's view of the own tracks changed. What it once had and has no more is gone.
    pub(crate) fn own_tracks_changed(&mut self, before: &PeerInfo, own: &PeerInfo) {
        for publication in &before.publications {
            if own.publication(publication.id).is_none() {
                self.publishing.announced.remove(&publication.id);
            }
        }
        for publication in &own.publications {
            self.publishing
                .announced
                .insert(publication.id, publication.clone());
        }
        self.publish_queued();
    }

    pub(crate) fn own_unpublished(&mut self, track: TrackId) {
        self.publishing.announced.remove(&track);
        if self.entry.protocol >= PROTOCOL_UNPUBLISHED {
            self.send(Signal::TrackUnpublished(proto::TrackUnpublishedResponse {
                track_sid: track.to_string(),
            }));
        }
        self.publish_queued();
    }

    fn publish_queued(&mut self) {
        for request in std::mem::take(&mut self.publishing.queued) {
            if self.is_in_use(&request.cid) {
                self.publishing.queued.push_back(request);
            } else {
                let audio = request.r#type == proto::TrackType::Audio as i32;
                let kind = if audio {
                    MediaKind::Audio
                } else {
                    MediaKind::Video
                };
                self.publish(kind, request);
            }
        }
    }

    pub(crate) fn mute(&mut self, request: proto::MuteTrackRequest) {
        match info::track_of(&request.sid).filter(|track| self.is_own(*track)) {
            Some(track) => self.request(Request::Mute {
                track,
                muted: request.muted,
            }),
            None => self.respond(0, Reason::NotFound, "", About::Mute(request)),
        }
    }

    pub(crate) fn update_audio_track(&mut self, request: proto::UpdateLocalAudioTrack) {
        let known =
            info::track_of(&request.track_sid).and_then(|track| self.own_publication(track));
        let Some(publication) = known.filter(|publication| publication.kind == MediaKind::Audio)
        else {
            self.respond(0, Reason::NotFound, "", About::UpdateAudioTrack(request));
            return;
        };
        let annotation = info::with_features(&publication.annotation, &request.features);
        self.request(Request::UpdatePublication(Box::new(UpdatePublication {
            track: publication.id,
            size_px: None,
            annotation: Some(annotation),
        })));
        self.respond(0, Reason::Ok, "", About::UpdateAudioTrack(request));
    }

    pub(crate) fn update_video_track(&mut self, request: proto::UpdateLocalVideoTrack) {
        let known =
            info::track_of(&request.track_sid).and_then(|track| self.own_publication(track));
        let Some(publication) = known.filter(|publication| publication.kind == MediaKind::Video)
        else {
            self.respond(0, Reason::NotFound, "", About::UpdateVideoTrack(request));
            return;
        };
        self.request(Request::UpdatePublication(Box::new(UpdatePublication {
            track: publication.id,
            size_px: Some((request.width, request.height)),
            annotation: None,
        })));
        self.respond(0, Reason::Ok, "", About::UpdateVideoTrack(request));
    }

    pub(crate) fn is_own(&self, track: TrackId) -> bool {
        self.own_publication(track).is_some()
    }

    pub(crate) fn own_publication(&self, track: TrackId) -> Option<Arc<Publication>> {
        let in_room = self.own.as_ref().and_then(|own| own.publication(track));
        in_room
            .or_else(|| self.publishing.announced.get(&track))
            .cloned()
    }

    fn is_in_use(&self, client_id: &str) -> bool {
        let own = self.own.iter().flat_map(|own| &own.publications);
        let mut client_ids = own.map(|publication| publication.client_id.as_str());
        self.publishing.uses(client_id) || client_ids.any(|known| known == client_id)
    }

    /// An answer to a request, if the client's program understands such answers.
    pub(crate) fn respond(&mut self, request_id: u32, reason: Reason, text: &str, about: About) {
        let rust = self.entry.client.sdk() == proto::client_info::Sdk::Rust;
        let understood = !rust || self.entry.protocol >= PROTOCOL_RUST_UNKNOWN;
        let wanted = reason != Reason::Ok || self.entry.protocol >= PROTOCOL_OK;
        if understood && wanted {
            self.send(Signal::RequestResponse(proto::RequestResponse {
                request_id,
                reason: reason as i32,
                message: text.to_owned(),
                request: Some(about),
            }));
        }
    }

    /// The first subscriber of an own track.
    pub(crate) fn watched(&mut self, track: TrackId) {
        let rust = self.entry.client.sdk() == proto::client_info::Sdk::Rust;
        if !rust || self.entry.protocol >= PROTOCOL_RUST_UNKNOWN {
            self.send(Signal::TrackSubscribed(proto::TrackSubscribed {
                track_sid: track.to_string(),
            }));
        }
    }
}

const PROTOCOL_UNPUBLISHED: i32 = 7;
/// Before it the Rust SDK fails at a message that it does not know.
const PROTOCOL_RUST_UNKNOWN: i32 = 10;
const PROTOCOL_OK: i32 = 15;

pub(crate) fn reason_of(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::NotAllowed => Reason::NotAllowed,
        Refusal::NotFound(_) => Reason::NotFound,
        Refusal::Limit(_) | Refusal::TooLarge(_) => Reason::LimitExceeded,
        Refusal::Codec => Reason::UnsupportedType,
        Refusal::Sdp(_) | Refusal::State(_) => Reason::UnclassifiedError,
    }
}
