//! Data tracks: numbered streams of frames that are passed on with the receiver's own number in them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use livekit_protocol as proto;
use madang_sfu::api::{ChannelInfo, DataMessage, Identity, PeerId, Recipients, Request, TrackId};
use prost::Message;
use proto::data_track_frame_encoding::Value as FrameEncoding;
use proto::data_track_schema_encoding::Value as SchemaEncoding;
use proto::data_track_subscriber_handles::PublishedDataTrack;
use proto::request_response::{Reason, Request as About};
use proto::signal_response::Message as Signal;

use super::session::LiveKit;
use super::{FORM, info, join};

const NAME_BYTES_MAX: usize = 256;
const CUSTOM_ENCODING_BYTES_MAX: usize = 32;
/// Version and flags, reserved, handle, sequence, frame, timestamp.
const HEADER_BYTES: usize = 12;
const HANDLE: std::ops::Range<usize> = 2..4;

/// The client's wishes for others' data tracks.
#[derive(Debug)]
pub(crate) struct DataSubscriptions {
    auto: bool,
    wanted: BTreeSet<TrackId>,
    /// Unsubscribed from what comes by itself.
    unwanted: BTreeSet<TrackId>,
    active: BTreeMap<TrackId, Subscription>,
    /// Of a publisher, by its own number.
    tracks: BTreeMap<(PeerId, u16), TrackId>,
    last_handle: u16,
}

#[derive(Debug)]
struct Subscription {
    publisher: PeerId,
    identity: Identity,
    publisher_handle: u16,
    handle: u16,
}

impl DataSubscriptions {
    pub(crate) fn new(auto: bool) -> Self {
        Self {
            auto,
            wanted: BTreeSet::new(),
            unwanted: BTreeSet::new(),
            active: BTreeMap::new(),
            tracks: BTreeMap::new(),
            last_handle: 0,
        }
    }

    fn wants(&self, track: TrackId) -> bool {
        self.wanted.contains(&track) || (self.auto && !self.unwanted.contains(&track))
    }

    /// 0 is no handle. There are fewer subscriptions than handles, so a free one is found.
    fn next_handle(&mut self) -> u16 {
        loop {
            self.last_handle = self.last_handle.wrapping_add(1);
            let handle = self.last_handle;
            let mut active = self.active.values();
            if handle != 0 && !active.any(|subscription| subscription.handle == handle) {
                return handle;
            }
        }
    }

    fn end(&mut self, track: TrackId) {
        if let Some(ended) = self.active.remove(&track) {
            self.tracks
                .remove(&(ended.publisher, ended.publisher_handle));
        }
    }
}

impl LiveKit {
    pub(crate) fn publish_data_track(&mut self, request: proto::PublishDataTrackRequest) {
        if let Err((reason, text)) = self.data_track_checked(&request) {
            self.respond(0, reason, text, About::PublishDataTrack(request));
            return;
        }
        let handle = u16::try_from(request.pub_handle).expect("checked above");
        self.channels_made += 1;
        // Ids are random as the peer's own is; a member makes few of them.
        let id = TrackId(join::mixed(self.peer.0 ^ join::mixed(self.channels_made)));
        let annotation = proto::DataTrackInfo {
            encryption: request.encryption,
            frame_encoding: request.frame_encoding,
            schema: request.schema,
            ..proto::DataTrackInfo::default()
        };
        let channel = ChannelInfo {
            id,
            name: request.name,
            handle,
            annotation: Bytes::from(annotation.encode_to_vec()),
        };
        let response = proto::PublishDataTrackResponse {
            info: Some(info::data_track(&channel)),
        };
        self.channels.push(channel);
        self.request(Request::Channels(self.channels.clone()));
        self.send(Signal::PublishDataTrackResponse(response));
    }

    fn data_track_checked(
        &self,
        request: &proto::PublishDataTrackRequest,
    ) -> Result<(), (Reason, &'static str)> {
        let may = self.own.as_ref().is_some_and(|own| own.grant.publish_data);
        if !may {
            return Err((
                Reason::NotAllowed,
                "does not have permission to publish data",
            ));
        }
        if !(1..=u32::from(u16::MAX)).contains(&request.pub_handle) {
            let text = "handle should be > 0 AND < 65536";
            return Err((Reason::InvalidHandle, text));
        }
        if request.name.is_empty() || request.name.len() > NAME_BYTES_MAX {
            let text = "name should not be empty and should not exceed 256 characters";
            return Err((Reason::InvalidName, text));
        }
        if !encodings_named(request) {
            let text = "encoding identifier is empty or exceeds the maximum length";
            return Err((Reason::InvalidRequest, text));
        }
        let mut known = self.channels.iter();
        if known.any(|channel| u32::from(channel.handle) == request.pub_handle) {
            let text = "a data track with same handle already exists";
            return Err((Reason::DuplicateHandle, text));
        }
        if self.channels.iter().any(|known| known.name == request.name) {
            let text = "a data track with same name already exists";
            return Err((Reason::DuplicateName, text));
        }
        if self.channels.len() >= self.limits.data_tracks_max {
            return Err((Reason::LimitExceeded, "too many data tracks"));
        }
        Ok(())
    }

    pub(crate) fn unpublish_data_track(&mut self, request: proto::UnpublishDataTrackRequest) {
        let mut known = self.channels.iter();
        let place = known.position(|channel| u32::from(channel.handle) == request.pub_handle);
        let Some(place) = place else {
            self.respond(0, Reason::NotFound, "", About::UnpublishDataTrack(request));
            return;
        };
        let channel = self.channels.remove(place);
        self.request(Request::Channels(self.channels.clone()));
        self.send(Signal::UnpublishDataTrackResponse(
            proto::UnpublishDataTrackResponse {
                info: Some(info::data_track(&channel)),
            },
        ));
    }

    /// Somebody's data tracks are others than before, or the wishes are.
    pub(crate) fn data_tracks_changed(&mut self) {
        let wishes = &self.data_subscriptions;
        if !wishes.auto && wishes.wanted.is_empty() && wishes.active.is_empty() {
            return;
        }
        let may = self.own.as_ref().is_some_and(|own| own.grant.subscribe);
        let mut there = BTreeMap::new();
        for member in self.members.values().filter(|_| may) {
            for channel in &member.channels {
                there.insert(channel.id, (member, channel));
            }
        }
        let wishes = &mut self.data_subscriptions;
        let ended: Vec<_> = wishes
            .active
            .keys()
            .filter(|track| !(there.contains_key(track) && wishes.wants(**track)))
            .copied()
            .collect();
        for track in &ended {
            wishes.end(*track);
        }
        let mut changed = !ended.is_empty();
        for (track, (member, channel)) in there {
            let room = wishes.active.len() < self.limits.data_subscriptions_max;
            if !wishes.wants(track) || !room || wishes.active.contains_key(&track) {
                continue;
            }
            let subscription = Subscription {
                publisher: member.id,
                identity: member.identity.clone(),
                publisher_handle: channel.handle,
                handle: wishes.next_handle(),
            };
            wishes.tracks.insert((member.id, channel.handle), track);
            wishes.active.insert(track, subscription);
            changed = true;
        }
        if changed {
            self.send_handles();
        }
    }

    /// All of them every time: clients replace what they know.
    fn send_handles(&mut self) {
        let active = &self.data_subscriptions.active;
        let sub_handles = active
            .iter()
            .map(|(track, subscription)| {
                let published = PublishedDataTrack {
                    publisher_identity: subscription.identity.as_str().to_owned(),
                    publisher_sid: subscription.publisher.to_string(),
                    track_sid: info::data_track_sid(*track),
                };
                (u32::from(subscription.handle), published)
            })
            .collect();
        self.send(Signal::DataTrackSubscriberHandles(
            proto::DataTrackSubscriberHandles { sub_handles },
        ));
    }
}

pub(crate) fn update_subscription(session: &mut LiveKit, request: &proto::UpdateDataSubscription) {
    let wishes_max = session.limits.data_subscriptions_max;
    for update in &request.updates {
        let Some(track) = info::data_track_of(&update.track_sid) else {
            session.dropped.unused += 1;
            continue;
        };
        let wishes = &mut session.data_subscriptions;
        let (to, from) = if update.subscribe {
            (&mut wishes.wanted, &mut wishes.unwanted)
        } else {
            (&mut wishes.unwanted, &mut wishes.wanted)
        };
        from.remove(&track);
        if to.len() < wishes_max {
            to.insert(track);
        } else {
            session.dropped.unused += 1;
        }
    }
    session.data_tracks_changed();
}

/// A frame from the own client.
pub(crate) fn received(session: &mut LiveKit, payload: &Bytes) {
    let handle = handle_of(payload);
    let mut channels = session.channels.iter();
    if !handle.is_some_and(|handle| channels.any(|channel| channel.handle == handle)) {
        session.dropped.data_unwanted += 1;
        return;
    }
    let label = session.labels.data_track.clone();
    session.request(Request::Data(Box::new(DataMessage {
        label,
        reliable: false,
        binary: true,
        form: FORM,
        translate: true,
        plain: None,
        payload: payload.clone(),
        to: Recipients::Others,
        from_peer: true,
    })));
}

/// A frame from somebody else, for the own client if it wants it.
pub(crate) fn forward(session: &mut LiveKit, from: PeerId, payload: &Bytes) {
    let wishes = &session.data_subscriptions;
    let handle = handle_of(payload)
        .and_then(|handle| wishes.tracks.get(&(from, handle)))
        .and_then(|track| wishes.active.get(track))
        .map(|subscription| subscription.handle);
    let Some(handle) = handle else {
        session.dropped.data_unwanted += 1;
        return;
    };
    let mut frame = BytesMut::from(payload.as_ref());
    if let Some(place) = frame.get_mut(HANDLE) {
        place.copy_from_slice(&handle.to_be_bytes());
    }
    let label = session.labels.data_track.clone();
    session.request(Request::Send {
        label,
        payload: frame.freeze(),
        binary: true,
        reliable: false,
    });
}

fn handle_of(frame: &[u8]) -> Option<u16> {
    let handle = frame.get(..HEADER_BYTES)?.get(HANDLE)?;
    Some(u16::from_be_bytes(handle.try_into().ok()?))
}

fn encodings_named(request: &proto::PublishDataTrackRequest) -> bool {
    let custom = |name: &str| (1..=CUSTOM_ENCODING_BYTES_MAX).contains(&name.len());
    let frames = request
        .frame_encoding
        .as_ref()
        .is_none_or(|encoding| match &encoding.value {
            Some(FrameEncoding::Custom(name)) => custom(name),
            Some(FrameEncoding::WellKnown(_)) | None => true,
        });
    let schema = request.schema.as_ref().is_none_or(|schema| {
        let encoding = schema.encoding.as_ref().and_then(|e| e.value.as_ref());
        let encoded = match encoding {
            Some(SchemaEncoding::Custom(name)) => custom(name),
            Some(SchemaEncoding::WellKnown(_)) | None => true,
        };
        encoded && (1..=NAME_BYTES_MAX).contains(&schema.name.len())
    });
    frames && schema
}
