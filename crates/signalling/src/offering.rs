//! What the doors have in common whose clients offer, and what none of them has a word for.

use std::collections::BTreeMap;

use madang_sfu::api::{ConnectionKey, ConnectionOptions, Request, RequestKind, TrackId};

/// The events that a door passes over, as a pattern: these clients know one connection, offer it themselves, and learn of
/// neither layers nor volumes. A new event is in no door's match before it is decided here, or in each.
macro_rules! unheard {
    () => {
        Event::RoomUpdated(_)
            | Event::Announced { .. }
            | Event::OwnUnpublished { .. }
            | Event::Offer { .. }
            | Event::SectionsWanted { .. }
            | Event::Subscribed { .. }
            | Event::Watched { .. }
            | Event::Allowed { .. }
            | Event::Speakers(_)
            | Event::Quality(_)
            | Event::LayersWanted { .. }
            | Event::Streaming { .. }
            | Event::MuteAsked { .. }
    };
}
pub(crate) use unheard;

/// The same for the doors that do not tell of the way to the client either.
macro_rules! wordless {
    () => {
        $crate::offering::unheard!()
            | Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Flowing { .. }
    };
}
pub(crate) use wordless;

/// The same for the doors that only carry words: nothing of media.
macro_rules! media {
    () => {
        Event::Published { .. }
            | Event::Unpublished { .. }
            | Event::Answer { .. }
            | Event::Unsubscribed { .. }
            | Event::ChannelOpen { .. }
            | Event::DataReceived { .. }
    };
}
pub(crate) use media;

/// A client's offer, on a connection that may have to be opened for it. Subscriptions come before it, so that its answer
/// carries them.
pub(crate) fn offered(
    connection: ConnectionKey,
    open: Option<ConnectionOptions>,
    tracks: Vec<TrackId>,
    sdp: String,
    number: u32,
) -> impl Iterator<Item = Request> {
    let open = open.map(|options| Request::Open {
        connection,
        options,
    });
    let subscribe = (!tracks.is_empty()).then_some(Request::Subscribe {
        tracks,
        connection: Some(connection),
    });
    let offer = Request::Offer {
        connection,
        sdp,
        number,
    };
    open.into_iter().chain(subscribe).chain([offer])
}

/// Whether the client waits for what was refused; everything else it would not notice.
pub(crate) fn is_awaited(request: &RequestKind) -> bool {
    match request {
        RequestKind::Offer { .. } | RequestKind::Open(_) | RequestKind::Join => true,
        RequestKind::Answer { .. }
        | RequestKind::Candidate(_)
        | RequestKind::Publish { .. }
        | RequestKind::Unpublish(_)
        | RequestKind::Mute(_)
        | RequestKind::UpdatePublication(_)
        | RequestKind::Subscribe(_)
        | RequestKind::Prefer(_)
        | RequestKind::Data
        | RequestKind::Update => false,
    }
}

/// Of a member, as others see them; what is empty is not said.
pub(crate) fn attributes<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
