//! What somebody gets who offers once and says only how much he takes; and how many they are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use madang_sfu::api::{Codec, MediaKind, Now, PeerInfo, Publication, Source, TrackId};

use crate::sdp::Offer;

/// Whoever is heard of may announce more in the same breath.
const SETTLE_TIME: Duration = Duration::from_millis(250);

/// Between two counts that are told.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// Holds an offer back until its answer can carry what it asks for.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    settled_at: Option<Instant>,
}

impl Patience {
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.settled_at
    }

    /// What to subscribe to, when it is time to answer. With `is_enough` even nothing will do.
    pub(crate) fn tracks_for(
        &mut self,
        now: Now,
        sources: &[&Arc<PeerInfo>],
        offer: &Offer,
        wished: Option<Codec>,
        is_enough: bool,
    ) -> Option<Vec<TrackId>> {
        let tracks = tracks_for(sources, offer, wished);
        let is_full = tracks.len() == offer.sections();
        if !is_full && tracks.is_empty() && !is_enough {
            self.settled_at = None;
            return None;
        }
        if !is_full && now.instant < *self.settled_at.get_or_insert(now.instant + SETTLE_TIME) {
            return None;
        }
        self.settled_at = None;
        Some(tracks)
    }
}

/// How many watch, told to who wants to know: not more often than once a second, as each who comes would else be told to
/// all of many.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    told: Option<(usize, Instant)>,
    due: Option<Instant>,
}

impl Audience {
    /// What to tell now.
    pub(crate) fn tell(&mut self, now: Now, count: usize) -> Option<usize> {
        if let Some((told, at)) = self.told {
            if told == count {
                self.due = None;
                return None;
            }
            if now.instant < at + COUNT_PAUSE {
                self.due = Some(at + COUNT_PAUSE);
                return None;
            }
        }
        self.told = Some((count, now.instant));
        self.due = None;
        Some(count)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

/// As many of these members' tracks as the offer takes: the wished codec first, cameras before screens.
fn tracks_for(sources: &[&Arc<PeerInfo>], offer: &Offer, wished: Option<Codec>) -> Vec<TrackId> {
    let tracks = sources.iter().flat_map(|info| &info.publications);
    let mut tracks: Vec<&Arc<Publication>> = tracks.collect();
    tracks.sort_by_key(|track| {
        let is_wished = wished.is_some() && track.codec == wished;
        let is_screen = matches!(track.source, Source::ScreenShare | Source::ScreenShareAudio);
        (!is_wished, is_screen)
    });
    let of = |kind: MediaKind, count: usize| {
        let tracks = tracks.iter().filter(move |track| track.kind == kind);
        tracks.map(|track| track.id).take(count)
    };
    of(MediaKind::Video, offer.video)
        .chain(of(MediaKind::Audio, offer.audio))
        .collect()
}
