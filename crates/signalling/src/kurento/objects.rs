//! The objects of a session: one manager, pipelines, and their endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use madang_sfu::api::{Identity, MediaKind, Now, PeerId, RoomName, TrackId};
use serde_json::{Value, json};

use super::describe::{Flow, MANAGER, Type};
use super::rpc::{Fault, Kind, Ticket};
use crate::door::Place;

/// Objects besides the manager.
const OBJECTS_MAX: usize = 600;
const SUBSCRIPTIONS_PER_OBJECT_MAX: usize = 64;
const TAGS_PER_OBJECT_MAX: usize = 32;
/// Of a name, of a tag's key and of its value.
const TEXT_BYTES_MAX: usize = 256;

pub(super) type Id = Arc<str>;

#[derive(Debug)]
pub(super) struct Object {
    pub(super) parent: Option<Id>,
    pub(super) body: Body,
    name: Option<String>,
    tags: BTreeMap<String, String>,
    pub(super) sends_tags: bool,
    pub(super) created_s: u64,
    /// What the client wants to hear: the event's own name, and how the client calls it.
    subscriptions: BTreeMap<String, (&'static str, String)>,
}

#[derive(Debug)]
pub(super) enum Body {
    Manager,
    /// Where its endpoints meet.
    Pipeline(RoomName),
    Endpoint(Box<Endpoint>),
}

/// One side of a connection with a client, and one member of a room.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) place: Place,
    pub(super) identity: Identity,
    pub(super) peer: Option<PeerId>,
    pub(super) stage: Stage,
    /// Media from its client goes to the pipeline; media from the pipeline goes to its client.
    pub(super) takes: bool,
    pub(super) gives: bool,
    pub(super) has_data: bool,
    pub(super) bitrate_max_kbps: u64,
    /// Who waits for it to be made, and for the answer to an offer.
    pub(super) creating: Option<Ticket>,
    pub(super) offering: Option<Ticket>,
    pub(super) offers: u32,
    pub(super) is_open: bool,
    pub(super) remote_sdp: Option<String>,
    pub(super) local_sdp: Option<String>,
    pub(super) gathering: Gathering,
    pub(super) is_connected: bool,
    /// What its client sends.
    pub(super) tracks: Vec<(TrackId, MediaKind)>,
    /// Of these, those whose packets arrive.
    pub(super) flowing: BTreeSet<TrackId>,
    /// What was told last to flow from its client, and to it.
    pub(super) flows_out: BTreeSet<Flow>,
    pub(super) flows_in: BTreeSet<Flow>,
    /// Whose media goes to its client, and which of that was asked for.
    pub(super) sources: BTreeMap<Flow, Id>,
    pub(super) subscribed: BTreeSet<TrackId>,
    /// Of its client's open channels.
    pub(super) labels: BTreeSet<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Entering,
    Inside,
    /// The stay ended; the object is there until it is released.
    Gone,
}

/// Candidates are told when they were asked for, and known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gathering {
    No,
    Wished,
    Done,
}

#[derive(Debug)]
pub(super) struct Objects {
    all: BTreeMap<Id, Object>,
    places: BTreeMap<Place, Id>,
}

impl Object {
    pub(super) fn new(parent: Option<Id>, body: Body, now: Option<Now>) -> Self {
        Self {
            parent,
            body,
            name: None,
            tags: BTreeMap::new(),
            sends_tags: false,
            created_s: now.map_or(0, |now| now.wall.as_secs()),
            subscriptions: BTreeMap::new(),
        }
    }

    pub(super) fn kind(&self) -> Type {
        match self.body {
            Body::Manager => Type::Manager,
            Body::Pipeline(_) => Type::Pipeline,
            Body::Endpoint(_) => Type::Endpoint,
        }
    }

    pub(super) fn is_manager(&self) -> bool {
        self.kind() == Type::Manager
    }

    pub(super) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.name.as_deref().unwrap_or(id)
    }

    pub(super) fn set_name(&mut self, name: &str) -> Result<(), Fault> {
        self.name = Some(checked(name)?.to_owned());
        Ok(())
    }

    pub(super) fn add_tag(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        let (key, value) = (checked(key)?, checked(value)?);
        if self.tags.len() >= TAGS_PER_OBJECT_MAX && !self.tags.contains_key(key) {
            return Err(Fault::new(Kind::NotEnoughResources, "Too many tags"));
        }
        self.tags.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    pub(super) fn remove_tag(&mut self, key: &str) {
        self.tags.remove(key);
    }

    pub(super) fn tag(&self, key: &str) -> Result<&str, Fault> {
        let value = self.tags.get(key).map(String::as_str);
        value.ok_or_else(|| Fault::new(Kind::TagKeyNotFound, "Tag key not found"))
    }

    pub(super) fn tags(&self) -> Value {
        let tag = |(key, value): (&String, &String)| json!({ "__module__": "kurento", "__type__": "Tag", "key": key, "value": value });
        self.tags.iter().map(tag).collect()
    }

    pub(super) fn subscribe(&mut self, subscription: &str, name: &str) -> Result<(), Fault> {
        let own = self.kind().event(name)?;
        if self.subscriptions.len() >= SUBSCRIPTIONS_PER_OBJECT_MAX {
            let message = "Too many subscriptions";
            return Err(Fault::new(Kind::NotEnoughResources, message));
        }
        self.subscriptions
            .insert(subscription.to_owned(), (own, name.to_owned()));
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, subscription: &str) {
        self.subscriptions.remove(subscription);
    }

    /// How those who want to hear of an event call it, once for each.
    pub(super) fn heard(&self, event: &str) -> Vec<String> {
        let all = self.subscriptions.values();
        all.filter(|(own, _)| *own == event)
            .map(|(_, name)| name.clone())
            .collect()
    }

    fn endpoint(&self) -> Option<&Endpoint> {
        match &self.body {
            Body::Endpoint(endpoint) => Some(endpoint),
            Body::Manager | Body::Pipeline(_) => None,
        }
    }

    fn endpoint_mut(&mut self) -> Option<&mut Endpoint> {
        match &mut self.body {
            Body::Endpoint(endpoint) => Some(endpoint),
            Body::Manager | Body::Pipeline(_) => None,
        }
    }
}

impl Endpoint {
    pub(super) fn new(place: Place, identity: Identity, creating: Ticket) -> Self {
        Self {
            place,
            identity,
            peer: None,
            stage: Stage::Entering,
            takes: true,
            gives: true,
            has_data: false,
            bitrate_max_kbps: 0,
            creating: Some(creating),
            offering: None,
            offers: 0,
            is_open: false,
            remote_sdp: None,
            local_sdp: None,
            gathering: Gathering::No,
            is_connected: false,
            tracks: Vec::new(),
            flowing: BTreeSet::new(),
            flows_out: BTreeSet::new(),
            flows_in: BTreeSet::new(),
            sources: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            labels: BTreeSet::new(),
        }
    }
}

impl Objects {
    pub(super) fn new() -> Self {
        let manager = Object::new(None, Body::Manager, None);
        Self {
            all: BTreeMap::from([(Id::from(MANAGER), manager)]),
            places: BTreeMap::new(),
        }
    }

    pub(super) fn check_room(&self) -> Result<(), Fault> {
        if self.all.len() > OBJECTS_MAX {
            let message = "Limit of objects reached";
            return Err(Fault::new(Kind::NotEnoughResources, message));
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, id: Id, object: Object) {
        if let Some(endpoint) = object.endpoint() {
            self.places.insert(endpoint.place, Arc::clone(&id));
        }
        self.all.insert(id, object);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Object> {
        let object = self.all.remove(id)?;
        if let Some(endpoint) = object.endpoint() {
            self.places.remove(&endpoint.place);
        }
        Some(object)
    }

    pub(super) fn find(&self, id: &str) -> Result<(Id, Type), Fault> {
        let found = self.all.get_key_value(id);
        let (id, object) = found.ok_or_else(|| Fault::not_found(id))?;
        Ok((Arc::clone(id), object.kind()))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Object> {
        self.all.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Object> {
        self.all.get_mut(id)
    }

    pub(super) fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.all.get(id)?.endpoint()
    }

    pub(super) fn endpoint_mut(&mut self, id: &str) -> Option<&mut Endpoint> {
        self.all.get_mut(id)?.endpoint_mut()
    }

    pub(super) fn at(&self, place: Place) -> Option<Id> {
        self.places.get(&place).map(Arc::clone)
    }

    pub(super) fn room_of(&self, pipeline: &str) -> Option<RoomName> {
        match &self.all.get(pipeline)?.body {
            Body::Pipeline(room) => Some(room.clone()),
            Body::Manager | Body::Endpoint(_) => None,
        }
    }

    pub(super) fn pipelines(&self) -> Vec<Id> {
        let all = self.all.iter();
        all.filter(|(_, object)| object.kind() == Type::Pipeline)
            .map(|(id, _)| Arc::clone(id))
            .collect()
    }

    pub(super) fn children(&self, parent: &str) -> Vec<Id> {
        let all = self.all.iter();
        all.filter(|(_, object)| object.parent.as_deref() == Some(parent))
            .map(|(id, _)| Arc::clone(id))
            .collect()
    }

    /// Endpoints that get something of this one's media, and what.
    pub(super) fn sinks(&self, source: &str) -> Vec<(Id, Flow)> {
        let mut sinks = Vec::new();
        for (id, object) in &self.all {
            let Some(endpoint) = object.endpoint() else {
                continue;
            };
            let flows = endpoint.sources.iter();
            let flows = flows.filter(|(_, from)| ***from == *source);
            sinks.extend(flows.map(|(flow, _)| (Arc::clone(id), *flow)));
        }
        sinks
    }

    /// Where media began to flow or ended since this was asked last: which event it is, of what, and whether it flows.
    pub(super) fn flow_changes(&mut self) -> Vec<(Id, &'static str, Flow, bool)> {
        let endpoints = self.all.values().filter_map(Object::endpoint);
        let tracks = endpoints.flat_map(|own| own.tracks.iter().map(move |track| (own, track)));
        let flowing = tracks.filter(|(own, (track, _))| own.flowing.contains(track));
        let flowing: BTreeMap<_, _> = flowing
            .map(|(_, (id, kind))| (*id, Flow::of(*kind)))
            .collect();
        let mut changes = Vec::new();
        for (id, object) in &mut self.all {
            let Some(own) = object.endpoint_mut() else {
                continue;
            };
            let of = |track: &TrackId| flowing.get(track).copied();
            let out: BTreeSet<_> = own
                .tracks
                .iter()
                .filter_map(|(track, _)| of(track))
                .collect();
            let into: BTreeSet<_> = own.subscribed.iter().filter_map(of).collect();
            for (event, told, flows) in [
                ("MediaFlowOutStateChanged", &mut own.flows_out, out),
                ("MediaFlowInStateChanged", &mut own.flows_in, into),
            ] {
                let differ = told.symmetric_difference(&flows);
                let change = |flow: &Flow| (Arc::clone(id), event, *flow, flows.contains(flow));
                changes.extend(differ.map(change));
                *told = flows;
            }
        }
        changes
    }

    /// Is it a track of any endpoint's client?
    pub(super) fn has_track(&self, track: TrackId) -> bool {
        self.all
            .values()
            .filter_map(Object::endpoint)
            .any(|endpoint| endpoint.tracks.iter().any(|(id, _)| *id == track))
    }
}

fn checked(text: &str) -> Result<&str, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Fault::new(Kind::NotEnoughResources, "The text is too long"));
    }
    Ok(text)
}
