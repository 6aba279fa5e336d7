//! Who gets whose media, where a client connects what it made: the tracks of a jack's client are subscribed to at the jacks
//! that it is plugged into, data goes from channel to channel. Outputs are drained to the end after every call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use madang_sfu::api::{ConnectionKey, MediaKind, Request, TrackId};
use serde::{Deserialize, Serialize};

/// Channels of one client by which data reaches it.
const LABELS_MAX: usize = 16;

/// Of a jack.
pub(crate) type Name = Arc<str>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Medium {
    Audio,
    Video,
    Data,
}

/// Seen from the room: out of the client of a jack, or in to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    In,
}

/// From whom to whom a medium goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cord {
    pub(crate) source: Name,
    pub(crate) sink: Name,
    pub(crate) medium: Medium,
}

#[derive(Debug)]
pub(crate) enum Output {
    Request(Name, Request),
    Plugged(Cord),
    Unplugged(Cord),
    /// Packets of this medium go that way there, or do so no more.
    Flow(Name, Way, Medium, bool),
}

#[derive(Debug, Default)]
pub(crate) struct Patchbay {
    jacks: BTreeMap<Name, Jack>,
    outputs: VecDeque<Output>,
}

/// Where the media of one client come and go.
#[derive(Debug, Default)]
struct Jack {
    /// Whether its client gets tracks, and whether it gets data and gives them.
    receives: bool,
    has_data: bool,
    /// Tracks are asked for where there is one.
    connection: Option<ConnectionKey>,
    /// What its client sends.
    tracks: Vec<(TrackId, MediaKind)>,
    /// Of these, those whose packets arrive.
    flowing: BTreeSet<TrackId>,
    /// What was told last to flow from its client, and to it.
    told_out: BTreeSet<Medium>,
    told_in: BTreeSet<Medium>,
    /// Whose media goes to its client, and which of that was asked for.
    sources: BTreeMap<Medium, Name>,
    subscribed: BTreeSet<TrackId>,
    /// Of its client's open channels.
    labels: BTreeSet<Arc<str>>,
}

impl Medium {
    fn meant(only: Option<Self>) -> impl Iterator<Item = Self> {
        let all = [Self::Audio, Self::Video, Self::Data].into_iter();
        all.filter(move |each| only.is_none_or(|only| only == *each))
    }

    fn of(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
        }
    }
}

impl Patchbay {
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn add(&mut self, name: Name, receives: bool, has_data: bool) {
        let jack = Jack {
            receives,
            has_data,
            ..Jack::default()
        };
        self.jacks.insert(name, jack);
    }

    /// With all that is plugged into it.
    pub(crate) fn remove(&mut self, name: &Name) {
        for cord in self.cords_from(name).into_iter().chain(self.cords_to(name)) {
            self.disconnect(&cord.source, &cord.sink, Some(cord.medium));
        }
        self.jacks.remove(name);
    }

    pub(crate) fn cords_from(&self, name: &Name) -> Vec<Cord> {
        let sinks = self.jacks.iter();
        let cords = sinks.flat_map(|(sink, jack)| {
            let sources = jack.sources.iter().filter(|(_, source)| *source == name);
            sources.map(|(medium, source)| cord(source, sink, *medium))
        });
        cords.collect()
    }

    pub(crate) fn cords_to(&self, name: &Name) -> Vec<Cord> {
        let sources = self
            .jacks
            .get(name)
            .into_iter()
            .flat_map(|jack| &jack.sources);
        sources
            .map(|(medium, source)| cord(source, name, *medium))
            .collect()
    }

    /// By one medium, or by all. A jack has one source of each: another one takes its place.
    pub(crate) fn connect(&mut self, source: &Name, sink: &Name, medium: Option<Medium>) {
        for medium in Medium::meant(medium) {
            let Some(jack) = self.jacks.get_mut(sink) else {
                return;
            };
            if let Some(former) = jack.sources.insert(medium, Arc::clone(source)) {
                let cord = cord(&former, sink, medium);
                self.outputs.push_back(Output::Unplugged(cord));
            }
            let cord = cord(source, sink, medium);
            self.outputs.push_back(Output::Plugged(cord));
        }
        self.follow(sink);
    }

    pub(crate) fn disconnect(&mut self, source: &Name, sink: &Name, medium: Option<Medium>) {
        for medium in Medium::meant(medium) {
            let Some(jack) = self.jacks.get_mut(sink) else {
                return;
            };
            if jack.sources.get(&medium) == Some(source) {
                jack.sources.remove(&medium);
                let cord = cord(source, sink, medium);
                self.outputs.push_back(Output::Unplugged(cord));
            }
        }
        self.follow(sink);
    }

    /// What is to be subscribed to with the first offer: from here on there is a connection.
    pub(crate) fn open(&mut self, name: &Name, connection: ConnectionKey) -> Vec<TrackId> {
        let wanted = self.wanted(name);
        if let Some(jack) = self.jacks.get_mut(name) {
            jack.connection = Some(connection);
            jack.subscribed.clone_from(&wanted);
        }
        wanted.into_iter().collect()
    }

    /// The client is gone; what it was connected to stays as it is.
    pub(crate) fn close(&mut self, name: &Name) {
        if let Some(jack) = self.jacks.get_mut(name) {
            jack.connection = None;
            jack.subscribed.clear();
            jack.labels.clear();
        }
        self.publish(name, Vec::new());
        self.settle();
    }

    /// What the client sends now.
    pub(crate) fn publish(&mut self, name: &Name, tracks: Vec<(TrackId, MediaKind)>) {
        let Some(jack) = self.jacks.get_mut(name) else {
            return;
        };
        if jack.tracks == tracks {
            return;
        }
        let is_there = |track: &TrackId| tracks.iter().any(|(id, _)| id == track);
        jack.flowing.retain(is_there);
        jack.tracks = tracks;
        let cords = self.cords_from(name).into_iter();
        let sinks: BTreeSet<Name> = cords.map(|cord| cord.sink).collect();
        for sink in sinks {
            self.follow(&sink);
        }
    }

    /// Packets of a track that the client sends arrive, or do so no more.
    pub(crate) fn flow(&mut self, name: &Name, track: TrackId, flowing: bool) {
        if let Some(jack) = self.jacks.get_mut(name) {
            jack.flowing.remove(&track);
            jack.flowing.extend(flowing.then_some(track));
        }
        self.settle();
    }

    pub(crate) fn is_flowing(&self, name: &Name, way: Way, medium: Medium) -> bool {
        let told = self.jacks.get(name).map(|jack| match way {
            Way::Out => &jack.told_out,
            Way::In => &jack.told_in,
        });
        told.is_some_and(|told| told.contains(&medium))
    }

    /// Tells where media began to flow or ended since the last time.
    pub(crate) fn settle(&mut self) {
        let tracks = self.jacks.values().flat_map(|jack| {
            let tracks = jack.tracks.iter();
            tracks.filter(|(track, _)| jack.flowing.contains(track))
        });
        let flowing: BTreeMap<TrackId, Medium> = tracks
            .map(|(track, kind)| (*track, Medium::of(*kind)))
            .collect();
        let of = |track: &TrackId| flowing.get(track).copied();
        for (name, jack) in &mut self.jacks {
            let out: BTreeSet<Medium> = jack.tracks.iter().filter_map(|(id, _)| of(id)).collect();
            let into: BTreeSet<Medium> = jack.subscribed.iter().filter_map(of).collect();
            for (way, told, flows) in [
                (Way::Out, &mut jack.told_out, out),
                (Way::In, &mut jack.told_in, into),
            ] {
                let differ = told.symmetric_difference(&flows);
                let change = |medium: &Medium| {
                    Output::Flow(Arc::clone(name), way, *medium, flows.contains(medium))
                };
                self.outputs.extend(differ.map(change));
                *told = flows;
            }
        }
    }

    pub(crate) fn open_channel(&mut self, name: &Name, label: Arc<str>) {
        if let Some(jack) = self.jacks.get_mut(name)
            && jack.labels.len() < LABELS_MAX
        {
            jack.labels.insert(label);
        }
    }

    /// From a channel of the client to all channels of those that are connected. False: there are no data.
    pub(crate) fn send(&mut self, name: &Name, payload: &Bytes, binary: bool) -> bool {
        if !self.jacks.get(name).is_some_and(|jack| jack.has_data) {
            return false;
        }
        let sinks = self.jacks.iter().filter(|(_, jack)| jack.has_data);
        for (sink, jack) in sinks.filter(|(_, jack)| jack.sources.get(&Medium::Data) == Some(name))
        {
            let requests = jack.labels.iter().map(|label| Request::Send {
                label: Arc::clone(label),
                payload: payload.clone(),
                binary,
                reliable: true,
            });
            let requests = requests.map(|request| Output::Request(Arc::clone(sink), request));
            self.outputs.extend(requests);
        }
        true
    }

    /// Asks the core for what the sources of a jack have now, and no longer for what they had.
    fn follow(&mut self, sink: &Name) {
        let wanted = self.wanted(sink);
        let is_there = |track: &TrackId| {
            let mut jacks = self.jacks.values();
            jacks.any(|jack| jack.tracks.iter().any(|(id, _)| id == track))
        };
        let jack = self.jacks.get(sink);
        let Some((jack, connection)) = jack.and_then(|jack| Some((jack, jack.connection?))) else {
            return;
        };
        let missing: Vec<TrackId> = wanted.difference(&jack.subscribed).copied().collect();
        // A track that is over is no subscription any more.
        let left = jack.subscribed.difference(&wanted).copied();
        let left: Vec<TrackId> = left.filter(is_there).collect();
        let unsubscribe = (!left.is_empty()).then_some(Request::Unsubscribe { tracks: left });
        let subscribe = (!missing.is_empty()).then_some(Request::Subscribe {
            tracks: missing,
            connection: Some(connection),
        });
        let requests = unsubscribe.into_iter().chain(subscribe);
        let requests = requests.map(|request| Output::Request(Arc::clone(sink), request));
        self.outputs.extend(requests);
        if let Some(jack) = self.jacks.get_mut(sink) {
            jack.subscribed = wanted;
        }
    }

    fn wanted(&self, sink: &Name) -> BTreeSet<TrackId> {
        let jack = self.jacks.get(sink).filter(|jack| jack.receives);
        let sources = jack.into_iter().flat_map(|jack| &jack.sources);
        let tracks = sources.flat_map(|(medium, source)| {
            let tracks = self.jacks.get(source).into_iter();
            let tracks = tracks.flat_map(|source| &source.tracks);
            tracks.filter(|(_, kind)| Medium::of(*kind) == *medium)
        });
        tracks.map(|(track, _)| *track).collect()
    }
}

fn cord(source: &Name, sink: &Name, medium: Medium) -> Cord {
    Cord {
        source: Arc::clone(source),
        sink: Arc::clone(sink),
        medium,
    }
}

#[cfg(test)]
mod tests;
