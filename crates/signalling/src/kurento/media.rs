//! Who gets whose media: connections between endpoints become subscriptions, and data goes from channel to channel.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use madang_sfu::api::{MediaKind, Now, PeerInfo, Recipients, Request, TrackId};
use serde_json::json;

use super::describe::Flow;
use super::objects::{Id, Stage};
use super::rpc::{Fault, Kind};
use super::{Kurento, MAIN};
use crate::door::{DoorOutput, plain_data};

/// Channels of one client by which data reaches it.
const LABELS_MAX: usize = 16;

impl Kurento {
    pub(super) fn connect(
        &mut self,
        now: Now,
        source: &Id,
        sink: &Id,
        flows: &[Flow],
    ) -> Result<(), Fault> {
        let pipeline = |id: &str| {
            let object = self.objects.get(id);
            object.and_then(|object| object.parent.clone())
        };
        if self.objects.endpoint(sink).is_none() || pipeline(source) != pipeline(sink) {
            let message = "Media elements do not share pipeline";
            return Err(Fault::new(Kind::Connect, message));
        }
        for flow in flows {
            let endpoint = self.objects.endpoint_mut(sink);
            let former =
                endpoint.and_then(|endpoint| endpoint.sources.insert(*flow, Arc::clone(source)));
            if let Some(former) = former {
                self.tell_element(now, "ElementDisconnected", &former, sink, *flow);
            }
            self.tell_element(now, "ElementConnected", source, sink, *flow);
        }
        self.follow(sink);
        Ok(())
    }

    pub(super) fn disconnect(&mut self, now: Now, source: &Id, sink: &Id, flows: &[Flow]) {
        for flow in flows {
            let Some(endpoint) = self.objects.endpoint_mut(sink) else {
                return;
            };
            if endpoint.sources.get(flow) == Some(source) {
                endpoint.sources.remove(flow);
                self.tell_element(now, "ElementDisconnected", source, sink, *flow);
            }
        }
        self.follow(sink);
    }

    fn tell_element(&mut self, now: Now, event: &str, source: &Id, sink: &Id, flow: Flow) {
        let data = json!({
            "mediaType": flow.name(),
            "sink": &**sink,
            "sinkMediaDescription": "default",
            "sourceMediaDescription": "default",
        });
        self.tell(now, source, event, data);
    }

    /// Asks the core for what the endpoint's sources have now, and no longer for what they had.
    pub(super) fn follow(&mut self, sink: &Id) {
        let Some(endpoint) = self.objects.endpoint(sink).filter(|sink| sink.is_open) else {
            return;
        };
        let mut wanted = BTreeSet::new();
        for (flow, source) in &endpoint.sources {
            let source = self.objects.endpoint(source);
            let tracks = source.into_iter().flat_map(|source| &source.tracks);
            wanted.extend(
                tracks
                    .filter(|(_, kind)| endpoint.gives && *flow == Flow::of(*kind))
                    .map(|(track, _)| *track),
            );
        }
        let missing: Vec<TrackId> = wanted.difference(&endpoint.subscribed).copied().collect();
        // A track that is over is no subscription any more.
        let left: Vec<TrackId> = endpoint
            .subscribed
            .difference(&wanted)
            .copied()
            .filter(|track| self.objects.has_track(*track))
            .collect();
        let place = endpoint.place;
        if let Some(endpoint) = self.objects.endpoint_mut(sink) {
            endpoint.subscribed = wanted;
        }
        if !left.is_empty() {
            self.request(place, Request::Unsubscribe { tracks: left });
        }
        if !missing.is_empty() {
            let connection = Some(MAIN);
            let tracks = missing;
            self.request(place, Request::Subscribe { tracks, connection });
        }
    }

    /// What the endpoint's own client sends, by the core.
    pub(super) fn published(&mut self, id: &Id, info: &PeerInfo) {
        let tracks: Vec<(TrackId, MediaKind)> = info
            .publications
            .iter()
            .map(|publication| (publication.id, publication.kind))
            .collect();
        self.set_tracks(id, tracks);
    }

    fn set_tracks(&mut self, id: &Id, tracks: Vec<(TrackId, MediaKind)>) {
        let Some(endpoint) = self.objects.endpoint_mut(id) else {
            return;
        };
        if endpoint.tracks == tracks {
            return;
        }
        let is_there = |track: &TrackId| tracks.iter().any(|(id, _)| id == track);
        endpoint.flowing.retain(is_there);
        endpoint.tracks = tracks;
        let sinks: BTreeSet<Id> = self
            .objects
            .sinks(id)
            .into_iter()
            .map(|(sink, _)| sink)
            .collect();
        for sink in sinks {
            self.follow(&sink);
        }
    }

    /// The endpoint's stay is over; what it was connected to stays as it is until it is released.
    pub(super) fn gone(&mut self, now: Now, id: &Id, reason: Option<&str>) {
        let Some(endpoint) = self.objects.endpoint_mut(id) else {
            return;
        };
        endpoint.stage = Stage::Gone;
        endpoint.is_open = false;
        endpoint.subscribed.clear();
        endpoint.labels.clear();
        let (creating, offering) = (endpoint.creating.take(), endpoint.offering.take());
        self.set_tracks(id, Vec::new());
        self.tell_flows(now);
        for ticket in [creating, offering].into_iter().flatten() {
            let message = reason.unwrap_or("the endpoint is over");
            self.answer(&ticket, &Err(Fault::new(Kind::Unexpected, message)));
        }
        self.link_changed(now, id, false);
        if let Some(reason) = reason {
            self.tell_error(now, id, Kind::Unexpected, reason);
        }
        self.tell(now, id, "MediaSessionTerminated", json!({}));
    }

    /// Of the object itself and of all that belong to it. What is gone already is no error.
    pub(super) fn release(&mut self, now: Now, id: &str) {
        for child in self.objects.children(id) {
            self.release(now, &child);
        }
        let is_manager = self
            .objects
            .get(id)
            .is_some_and(|object| object.is_manager());
        if is_manager {
            return;
        }
        let Ok((id, _)) = self.objects.find(id) else {
            return;
        };
        for (sink, flow) in self.objects.sinks(&id) {
            self.disconnect(now, &id, &sink, &[flow]);
        }
        let sources = self.objects.endpoint(&id).map(|own| own.sources.clone());
        for (flow, source) in sources.into_iter().flatten() {
            self.disconnect(now, &source, &id, &[flow]);
        }
        let endpoint = self.objects.endpoint_mut(&id).map(|endpoint| {
            let tickets = [endpoint.creating.take(), endpoint.offering.take()];
            (tickets, endpoint.place, endpoint.stage)
        });
        self.objects.remove(&id);
        if let Some((tickets, place, stage)) = endpoint {
            for ticket in tickets.into_iter().flatten() {
                self.answer(&ticket, &Err(Fault::not_found(&id)));
            }
            if stage != Stage::Gone {
                self.outputs.push_back(DoorOutput::Quit(place));
            }
        }
        self.tell_manager(now, "ObjectDestroyed", json!({ "objectId": &*id }));
    }

    pub(super) fn channel_open(&mut self, id: &Id, label: Arc<str>) {
        if let Some(endpoint) = self.objects.endpoint_mut(id)
            && endpoint.labels.len() < LABELS_MAX
        {
            endpoint.labels.insert(label);
        }
    }

    /// From the client's channels to all channels of those that are connected; and to a room that is shared with others.
    pub(super) fn data_received(&mut self, id: &Id, label: Arc<str>, payload: Bytes, binary: bool) {
        let source = self.objects.endpoint(id);
        let Some(place) = source.filter(|own| own.has_data).map(|own| own.place) else {
            return;
        };
        for (sink, _) in self
            .objects
            .sinks(id)
            .into_iter()
            .filter(|(_, flow)| *flow == Flow::Data)
        {
            let Some(sink) = self.objects.endpoint(&sink).filter(|sink| sink.has_data) else {
                continue;
            };
            let (place, labels) = (sink.place, sink.labels.clone());
            for label in labels {
                self.request(
                    place,
                    Request::Send {
                        label,
                        payload: payload.clone(),
                        binary,
                        reliable: true,
                    },
                );
            }
        }
        if self.room.is_some() {
            let mut message = plain_data(label, payload, binary, Recipients::Others);
            // Endpoints get theirs by their connections.
            message.translate = true;
            self.request(place, Request::Data(Box::new(message)));
        }
    }
}
