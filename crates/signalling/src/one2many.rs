//! The door of Kurento's one2many-call tutorial: one presenter, any number of viewers. The Node and the Java tutorial
//! differ in their sentences and in what they make of unknown messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use madang_sfu::api::{
    ConnectionKey, Event, Identity, LeaveReason, Now, PeerId, PeerInfo, PlainData, Recipients,
    Request, RoomName,
};
use serde_json::{Value, json};

use crate::Frame;
use crate::door::{
    Door, DoorOutput, EnterError, Entered, Entrance, Place, Secret, client_offers, farewell,
    plain_data,
};
use crate::json;
use crate::offering::{attributes, is_awaited, offered, wordless};
use crate::query::Query;
use crate::room::Topology;
use crate::roster::Roster;
use crate::sdp::Offer;
use crate::watching::{Audience, Patience};

mod words;

use words::{CandidateLine, JAVA, Message, NODE, Role, Tutorial};

const ROOM_DEFAULT: &str = "one2many";
const PRESENTER: &str = "presenter";
const MAIN: ConnectionKey = ConnectionKey(0);
/// By which this door knows its own members.
const DOOR: (&str, &str) = ("door", "one2many");
const ROLE: &str = "role";
const STOP: &str = "stopCommunication";

/// A conversation.
#[derive(Debug)]
pub struct One2Many {
    tutorial: &'static Tutorial,
    room: RoomName,
    token: Option<Secret>,
    /// Beyond the tutorials: to hear how many watch; to wait for the presenter instead of being rejected; to have the
    /// presenter's place again after its line broke.
    counts: bool,
    waits: bool,
    seat: Option<Secret>,
    seed: u64,
    places: u32,
    call: Option<Call>,
    outputs: VecDeque<DoorOutput>,
}

/// A place that is held or asked for.
#[derive(Debug)]
struct Call {
    place: Place,
    role: Role,
    identity: Identity,
    /// Until its publisher's tracks are known.
    offer: Option<Offer>,
    patience: Patience,
    audience: Audience,
    is_inside: bool,
    /// A viewer was told that it waits.
    is_waiting: bool,
    /// Whom a viewer watches.
    watched: Option<PeerId>,
    roster: Roster,
    channel: Option<Arc<str>>,
}

impl One2Many {
    /// As the Node tutorial, at `/one2many`. The error is a sentence for the client.
    pub fn node(query: &str, seed: u64) -> Result<Self, String> {
        Self::new(&NODE, query, seed)
    }

    /// As the Java tutorial, at `/call`.
    pub fn java(query: &str, seed: u64) -> Result<Self, String> {
        Self::new(&JAVA, query, seed)
    }

    fn new(tutorial: &'static Tutorial, query: &str, seed: u64) -> Result<Self, String> {
        let query = Query::parse(query);
        Ok(Self {
            tutorial,
            room: RoomName::new(query.name("room")?.as_deref().unwrap_or(ROOM_DEFAULT)),
            token: query.secret("access_token"),
            counts: query.is_set("count"),
            waits: query.is_set("wait"),
            seat: query.name("seat")?.map(Secret::from),
            seed,
            places: 0,
            call: None,
            outputs: VecDeque::new(),
        })
    }

    fn send(&mut self, message: &Value) {
        self.outputs
            .push_back(DoorOutput::Frame(Frame::Text(message.to_string())));
    }

    fn request(&mut self, place: Place, request: Request) {
        self.outputs.push_back(DoorOutput::Request(place, request));
    }

    fn reject(&mut self, role: Role, sentence: &str) {
        self.send(&role.rejected(sentence));
    }

    fn begin(&mut self, role: Role, offer: Option<String>) {
        let Some(offer) = offer else {
            return self.reject(role, "sdpOffer is missing");
        };
        if let Some(call) = &self.call {
            let refusal = match role {
                Role::Viewer => self.tutorial.views_already,
                Role::Presenter => Some(self.tutorial.taken),
            };
            if let Some(sentence) = refusal.filter(|_| call.role == role) {
                return self.reject(role, sentence);
            }
            self.hang_up();
        }
        let place = Place(self.places);
        self.places += 1;
        let identity = match role {
            Role::Presenter => Identity::new(PRESENTER),
            Role::Viewer => Identity::new(&format!("viewer-{:016x}-{}", self.seed, place.0)),
        };
        let is_presenter = role == Role::Presenter;
        let entrance = Entrance {
            is_exclusive: is_presenter,
            key: self.seat.clone().filter(|_| is_presenter),
            token: self.token.clone(),
            ..Entrance::new(self.room.clone(), identity.clone(), Topology::Sfu)
        };
        self.call = Some(Call {
            place,
            role,
            identity,
            offer: Some(Offer::read(offer, None)),
            patience: Patience::default(),
            audience: Audience::default(),
            is_inside: false,
            is_waiting: false,
            watched: None,
            roster: Roster::default(),
            channel: None,
        });
        self.outputs.push_back(DoorOutput::Enter(place, entrance));
    }

    fn hang_up(&mut self) {
        if let Some(call) = self.call.take() {
            self.outputs.push_back(DoorOutput::Quit(call.place));
        }
    }

    /// The watched one is gone.
    fn stop_communication(&mut self) {
        self.send(&json!({ "id": STOP }));
        self.hang_up();
    }

    fn candidate(&mut self, candidate: Option<CandidateLine>) {
        let candidate = candidate.map(|line| line.candidate).unwrap_or_default();
        // Before the offer was passed on there is nothing that it could belong to.
        let call = self.call.as_ref().filter(|call| call.offer.is_none());
        if let Some(place) = call.map(|call| call.place)
            && !candidate.is_empty()
        {
            let candidate = Request::Candidate {
                connection: MAIN,
                candidate,
            };
            self.request(place, candidate);
        }
    }

    fn unknown(&mut self) {
        if let Some(sentence) = self.tutorial.unknown {
            self.send(&json!({ "id": "error", "message": sentence }));
        }
    }

    /// Inside: a presenter offers at once, a viewer when it is known what it will get.
    fn proceed(&mut self, now: Now) {
        let call = self.call.as_mut().filter(|call| call.is_inside);
        let Some(call) = call else { return };
        let Some(offer) = &call.offer else { return };
        let sources = call.roster.sources(PRESENTER);
        let tracks = match (call.role, sources.first()) {
            (Role::Presenter, _) => Vec::new(),
            (Role::Viewer, None) if self.waits => {
                if !std::mem::replace(&mut call.is_waiting, true) {
                    self.send(&json!({ "id": "waiting" }));
                }
                return;
            }
            (Role::Viewer, None) => {
                self.reject(Role::Viewer, self.tutorial.nobody);
                self.hang_up();
                return;
            }
            // What is announced comes track by track.
            (Role::Viewer, Some(presenter)) => {
                let patience = &mut call.patience;
                let tracks = patience.tracks_for(now, &[presenter], offer, None, false);
                let Some(tracks) = tracks else { return };
                call.watched = Some(presenter.id);
                tracks
            }
        };
        let Some(offer) = call.offer.take() else {
            return;
        };
        let place = call.place;
        let open = client_offers(call.role == Role::Presenter, None);
        for request in offered(MAIN, Some(open), tracks, offer.sdp, 0) {
            self.request(place, request);
        }
    }

    fn answered(&mut self, role: Role, sdp: &str) {
        let mut messages = self.tutorial.candidates(sdp);
        match role {
            Role::Presenter => messages.push(role.accepted(sdp)),
            Role::Viewer => messages.insert(0, role.accepted(sdp)),
        }
        for message in messages {
            self.send(&message);
        }
    }

    /// Who came or went may have changed how many watch.
    fn count(&mut self, now: Now) {
        let (call, counts) = (self.call.as_mut(), self.counts);
        let call = call.filter(|call| counts && call.is_inside);
        let Some(call) = call else { return };
        let own = usize::from(call.role == Role::Viewer);
        let others = call.roster.all().filter(|info| is_viewer(info)).count();
        if let Some(count) = call.audience.tell(now, own + others) {
            self.send(&json!({ "id": "viewers", "count": count }));
        }
    }

    fn seen(&mut self, now: Now, info: Arc<PeerInfo>) {
        let Some(call) = &mut self.call else { return };
        if info.identity == call.identity {
            return;
        }
        let is_over = call.watched == Some(info.id) && info.publications.is_empty();
        call.roster.put(info);
        if is_over {
            self.stop_communication();
        } else {
            self.proceed(now);
        }
    }

    fn closed(&mut self, role: Role, reason: LeaveReason) {
        self.call = None;
        match (role, farewell(reason)) {
            (Role::Viewer, _) => self.send(&json!({ "id": STOP })),
            // The tutorials have no word for it.
            (Role::Presenter, Some(sentence)) if self.seat.is_some() => {
                self.reject(role, sentence);
            }
            (Role::Presenter, _) => {}
        }
    }
}

impl Door for One2Many {
    fn handle_frame(&mut self, _now: Now, frame: Frame) {
        let message = match frame {
            Frame::Text(text) => json::read::<Message>(&text).ok(),
            Frame::Binary(_) => None,
        };
        let Some(message) = message else {
            return self.unknown();
        };
        match message.id.as_str() {
            "presenter" => self.begin(Role::Presenter, message.sdp_offer),
            "viewer" => self.begin(Role::Viewer, message.sdp_offer),
            "onIceCandidate" => self.candidate(message.candidate),
            "stop" => self.hang_up(),
            _ => self.unknown(),
        }
    }

    fn handle_entered(&mut self, _now: Now, place: Place, entered: Result<Entered, EnterError>) {
        let Some(call) = self.call.take_if(|call| call.place == place) else {
            return;
        };
        match entered {
            Ok(entered) => {
                let name = call.role.name();
                let join = entered.join(&call.identity, name, attributes([DOOR, (ROLE, name)]));
                self.request(place, Request::Join(Box::new(join)));
                self.call = Some(call);
            }
            Err(EnterError::Taken) => self.reject(call.role, self.tutorial.taken),
            Err(error) => self.reject(call.role, &error.to_string()),
        }
    }

    fn handle_event(&mut self, now: Now, place: Place, event: Event) {
        // Else it is of a place that was given up.
        let Some(call) = self.call.as_mut().filter(|call| call.place == place) else {
            return;
        };
        let role = call.role;
        match event {
            Event::Joined(state) => {
                call.roster.set(state.others);
                call.is_inside = true;
                self.proceed(now);
            }
            Event::PeerJoined(info) | Event::PeerUpdated(info) => self.seen(now, info),
            Event::Published { peer, .. } | Event::Unpublished { peer, .. } => self.seen(now, peer),
            Event::PeerLeft { peer, .. } => {
                call.roster.remove(peer.id);
                if call.watched == Some(peer.id) {
                    self.stop_communication();
                }
            }
            Event::Answer { sdp, .. } => self.answered(role, &sdp),
            Event::Refused { request, refusal } => {
                if is_awaited(&request) {
                    self.reject(role, &refusal.to_string());
                    self.hang_up();
                }
            }
            Event::ChannelOpen { label } => call.channel = Some(label),
            // From the presenter's channel to those of all viewers; Kurento connects data one way, as the media.
            Event::DataReceived {
                label,
                payload,
                binary,
            } => {
                if role == Role::Presenter {
                    let mut message = plain_data(label, payload, binary, Recipients::Others);
                    // Every viewer's channel has a name of its own.
                    message.translate = true;
                    self.request(place, Request::Data(Box::new(message)));
                }
            }
            Event::Data {
                plain: Some(PlainData { payload, .. }),
                reliable,
                binary,
                ..
            } => {
                if let Some(label) = call.channel.clone() {
                    let send = Request::Send {
                        label,
                        payload,
                        binary,
                        reliable,
                    };
                    self.request(place, send);
                }
            }
            Event::Closed { reason } => self.closed(role, reason),
            // No words for these: one presenter, one answer, no layers.
            Event::Data { plain: None, .. } | Event::Unsubscribed { .. } | wordless!() => {}
        }
        self.count(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.proceed(now);
        self.count(now);
    }

    fn poll_output(&mut self) -> Option<DoorOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let call = self.call.as_ref()?;
        let timeouts = [call.patience.poll_timeout(), call.audience.poll_timeout()];
        timeouts.into_iter().flatten().min()
    }
}

/// Of this door.
fn is_viewer(info: &PeerInfo) -> bool {
    let is = |(key, value): (&str, &str)| info.attributes.get(key).is_some_and(|is| is == value);
    is(DOOR) && is((ROLE, Role::Viewer.name()))
}

#[cfg(test)]
mod tests;
