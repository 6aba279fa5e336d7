//! What a viewer sees: which of the room's tracks is on which of his sections.

use std::collections::BTreeSet;
use std::sync::Arc;

use madang_sfu::api::{MediaKind, PeerId, PeerInfo, Preference, Publication, Source, TrackId};

use crate::roster::Roster;
use crate::sdp::Media;

/// Tracks change places here in the order in which the core changes them: a free section takes the next of its kind.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    sections: Vec<Section>,
    /// One publisher for each section of the more numerous kind.
    publishers_max: usize,
    watched: Vec<PeerId>,
    /// The viewer has no decoder for them.
    undecodable: BTreeSet<TrackId>,
}

#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) mid: String,
    pub(crate) kind: MediaKind,
    pub(crate) track: Option<TrackId>,
    /// The encoding that the viewer asked for, by name.
    pub(crate) wish: Option<String>,
}

/// What to ask the core for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) off: Vec<TrackId>,
    pub(crate) on: Vec<TrackId>,
}

impl Screen {
    pub(crate) fn new(media: &[Media<'_>]) -> Self {
        let sections: Vec<Section> = media
            .iter()
            .filter(|media| media.receives)
            .map(|media| Section {
                mid: media.mid.to_owned(),
                kind: media.kind,
                track: None,
                wish: None,
            })
            .collect();
        let count = |kind| {
            let of = sections.iter().filter(|section| section.kind == kind);
            of.count()
        };
        Self {
            publishers_max: count(MediaKind::Audio).max(count(MediaKind::Video)),
            sections,
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.sections.iter().any(|section| section.track.is_some())
    }

    pub(crate) fn videos(&self) -> impl Iterator<Item = &Section> {
        let sections = self.sections.iter();
        sections.filter(|section| section.kind == MediaKind::Video)
    }

    /// By its name; without one the first with a picture.
    pub(crate) fn video_mut(&mut self, mid: Option<&str>) -> Option<&mut Section> {
        let mut sections = self.sections.iter_mut();
        sections.find(|section| {
            section.kind == MediaKind::Video && mid.is_none_or(|mid| mid == section.mid)
        })
    }

    pub(crate) fn wish_for(&self, track: TrackId) -> Option<&str> {
        let mut sections = self.sections.iter();
        let section = sections.find(|section| section.track == Some(track))?;
        section.wish.as_deref()
    }

    pub(crate) fn cannot_show(&mut self, track: TrackId) {
        self.undecodable.insert(track);
        self.take_off(track);
    }

    pub(crate) fn take_off(&mut self, track: TrackId) {
        for section in &mut self.sections {
            if section.track == Some(track) {
                section.track = None;
            }
        }
    }

    /// Whom to watch, by name; else those who came first and have what the viewer can show.
    pub(crate) fn update(&mut self, roster: &Roster, wanted: Option<&str>) -> Changes {
        let mut publishers: Vec<&Arc<PeerInfo>> = match wanted {
            Some(name) => roster.by_identity(name).into_iter().collect(),
            None => roster.publishers().collect(),
        };
        publishers.retain(|info| self.sections.iter().any(|s| self.has(info, s.kind)));
        let wants_video = self.videos().next().is_some();
        publishers.sort_by_key(|info| {
            let lacks_video = wants_video && !self.has(info, MediaKind::Video);
            let is_new = !self.watched.contains(&info.id);
            (lacks_video, is_new, info.joined_wall_ms, info.id)
        });
        publishers.truncate(self.publishers_max);
        self.watched = publishers.iter().map(|info| info.id).collect();
        let tracks = self.tracks_of(&publishers);
        let mut changes = Changes::default();
        for section in &mut self.sections {
            if let Some(track) = section
                .track
                .take_if(|of| !tracks.iter().any(|t| t.id == *of))
            {
                changes.off.push(track);
            }
        }
        for track in tracks {
            if self.sections.iter().any(|s| s.track == Some(track.id)) {
                continue;
            }
            let mut sections = self.sections.iter_mut();
            let free = sections.find(|s| s.kind == track.kind && s.track.is_none());
            if let Some(section) = free {
                section.track = Some(track.id);
                changes.on.push(track.id);
            }
        }
        changes
    }

    fn has(&self, info: &PeerInfo, kind: MediaKind) -> bool {
        let mut publications = info.publications.iter();
        publications.any(|of| of.kind == kind && !self.undecodable.contains(&of.id))
    }

    /// Cameras before screens.
    fn tracks_of(&self, publishers: &[&Arc<PeerInfo>]) -> Vec<Arc<Publication>> {
        let tracks = publishers.iter().flat_map(|info| &info.publications);
        let mut tracks: Vec<Arc<Publication>> = tracks
            .filter(|track| !self.undecodable.contains(&track.id))
            .map(Arc::clone)
            .collect();
        tracks.sort_by_key(|track| {
            matches!(track.source, Source::ScreenShare | Source::ScreenShareAudio)
        });
        tracks
    }
}

/// What to ask for to get that encoding. None: there is none of that name.
pub(crate) fn preference(roster: &Roster, track: TrackId, rid: &str) -> Option<Preference> {
    let mut layers = roster.publication(track)?.layers.iter();
    let layer = layers.find(|layer| layer.rid.as_deref() == Some(rid))?;
    Some(Preference {
        quality: Some(layer.quality),
        ..Preference::default()
    })
}

#[cfg(test)]
mod tests;
