//! For the tests of doors: members of a room, and what a door puts out, in short words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use madang_sfu::api::{
    Codec, Event, Grant, Identity, MediaKind, Now, PeerId, PeerInfo, PeerKind, PeerPhase,
    Publication, Request, RoomId, RoomInfo, RoomName, RoomState, ShardId, ShardSet, Source,
    TrackId,
};

use crate::Frame;
use crate::door::{Door, DoorOutput, Entered, Place};

#[expect(
    clippy::disallowed_methods,
    reason = "an instant has to come from somewhere; all others are counted from it"
)]
pub(crate) fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall: Duration::from_secs(1_700_000_000),
    }
}

pub(crate) fn room() -> Arc<RoomInfo> {
    Arc::new(RoomInfo {
        id: RoomId(1),
        name: RoomName::new("yard"),
        metadata: String::new(),
        created_wall_ms: 0,
        peers_max: None,
        empty_timeout_s: 300,
        departure_timeout_s: 20,
    })
}

/// A member who publishes these tracks.
pub(crate) fn member(number: u64, identity: &str, tracks: &[u64]) -> Arc<PeerInfo> {
    let publication = |track: &u64| {
        Arc::new(Publication {
            id: TrackId(*track),
            client_id: String::new(),
            kind: MediaKind::Video,
            source: Source::Camera,
            name: String::new(),
            stream: String::new(),
            muted: false,
            width_px: 0,
            height_px: 0,
            layers: Vec::new(),
            codec: Some(Codec::Vp8),
            mid: None,
            annotation: Bytes::new(),
        })
    };
    Arc::new(PeerInfo {
        id: PeerId(number),
        identity: Identity::new(identity),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        kind: PeerKind(0),
        grant: Grant::everything(),
        phase: PeerPhase::Active,
        joined_wall_ms: 0,
        version: 1,
        shard: ShardId(0),
        publications: tracks.iter().map(publication).collect(),
        channels: Vec::new(),
        annotation: Bytes::new(),
    })
}

pub(crate) fn text(door: &mut dyn Door, message: &str) -> Vec<String> {
    door.handle_frame(now(), Frame::Text(message.to_owned()));
    said(door)
}

/// The place is given, the room joined; these others are there.
pub(crate) fn enter(
    door: &mut dyn Door,
    place: u32,
    own: &str,
    others: Vec<Arc<PeerInfo>>,
) -> Vec<String> {
    let entered = Entered {
        peer: PeerId(99),
        room: room(),
        shards: ShardSet::default(),
        grant: Grant::everything(),
        attributes: BTreeMap::new(),
        hides_addresses: false,
    };
    door.handle_entered(now(), Place(place), Ok(entered));
    let mut all = said(door);
    let state = RoomState {
        room: room(),
        own: member(99, own, &[]),
        others,
    };
    all.extend(tell(door, place, Event::Joined(Box::new(state))));
    all
}

pub(crate) fn tell(door: &mut dyn Door, place: u32, event: Event) -> Vec<String> {
    door.handle_event(now(), Place(place), event);
    said(door)
}

/// Frames as they are; everything else by its name and what matters of it.
pub(crate) fn said(door: &mut dyn Door) -> Vec<String> {
    std::iter::from_fn(|| door.poll_output())
        .map(|output| match output {
            DoorOutput::Frame(Frame::Text(text)) => text,
            DoorOutput::Frame(Frame::Binary(bytes)) => format!("binary {}", bytes.len()),
            DoorOutput::Enter(place, entrance) => {
                let how = if entrance.is_exclusive {
                    "alone"
                } else {
                    "any"
                };
                let key = entrance.key.map(|key| format!(" with {}", key.reveal()));
                format!(
                    "enter {} {} {} {how}{}",
                    place.0,
                    entrance.room,
                    entrance.identity,
                    key.unwrap_or_default()
                )
            }
            DoorOutput::Request(place, request) => format!("{} {}", place.0, short(&request)),
            DoorOutput::Quit(place) => format!("quit {}", place.0),
            DoorOutput::Upload(bytes) => format!("upload {}", bytes.len()),
            DoorOutput::Ways(place, _) => format!("ways {}", place.0),
            DoorOutput::Close => "close".to_owned(),
        })
        .collect()
}

pub(crate) fn short(request: &Request) -> String {
    if let Request::Open {
        connection,
        options,
    } = request
    {
        return format!(
            "open {} publish={} subscribe={}",
            connection.0, options.publish, options.subscribe
        );
    }
    if let Request::Offer {
        connection, sdp, ..
    } = request
    {
        return format!("offer {} {sdp}", connection.0);
    }
    if let Request::Subscribe { tracks, connection } = request {
        let on = connection.map_or("-".to_owned(), |key| key.0.to_string());
        return format!("subscribe {on} {tracks:?}");
    }
    if let Request::Candidate {
        connection,
        candidate,
    } = request
    {
        return format!("candidate {} {candidate}", connection.0);
    }
    if let Request::Close { connection } = request {
        return format!("close {}", connection.0);
    }
    if let Request::Data(message) = request {
        return format!(
            "data {} {:?} {:?}",
            message.label, message.to, message.payload
        );
    }
    if let Request::Send { label, payload, .. } = request {
        return format!("send {label} {payload:?}");
    }
    let name = format!("{request:?}");
    name.split(['(', ' ', '{'])
        .next()
        .unwrap_or_default()
        .to_lowercase()
}
