//! The door of Kurento's one2many-call tutorial: one presenter, any number of viewers. The Node and the Java tutorial
//! differ in their sentences and in what they make of unknown messages.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionKey, DataMessage, Event, Identity, LeaveReason, Now, PeerId, PeerInfo, PlainData,
    Recipients, Request, RequestKind, RoomName,
};
use serde_json::Value;

use crate::Frame;
use crate::door::{
    Door, DoorOutput, EnterError, Entered, Entrance, Place, client_offers, farewell, plain_data,
};
use crate::json;
use crate::offering::wordless;
use crate::query::Query;
use crate::roster::Roster;

mod audience;
mod call;
mod words;

use call::{Call, Wishes};
use words::{CandidateLine, Flavour, Message, Role};

const ROOM_DEFAULT: &str = "one2many";
const PRESENTER: &str = "presenter";
const MAIN: ConnectionKey = ConnectionKey(0);
const NAME_BYTES_MAX: usize = 256;
/// By which this door knows its own members.
const DOOR: (&str, &str) = ("door", "one2many");
const ROLE: &str = "role";

/// A conversation.
#[derive(Debug)]
pub struct One2Many {
    flavour: Flavour,
    room: RoomName,
    token: Option<String>,
    wishes: Wishes,
    seed: u64,
    places: u32,
    call: Option<Call>,
    outputs: VecDeque<DoorOutput>,
}

impl One2Many {
    /// As the Node tutorial, at `/one2many`. The error is a sentence for the client.
    pub fn node(query: &str, seed: u64) -> Result<Self, String> {
        Self::new(Flavour::Node, query, seed)
    }

    /// As the Java tutorial, at `/call`.
    pub fn java(query: &str, seed: u64) -> Result<Self, String> {
        Self::new(Flavour::Java, query, seed)
    }

    fn new(flavour: Flavour, query: &str, seed: u64) -> Result<Self, String> {
        let query = Query::parse(query);
        let room = match query.text("room") {
            "" => ROOM_DEFAULT,
            room if room.len() > NAME_BYTES_MAX => return Err("room: at most 256 bytes".to_owned()),
            room => room,
        };
        Ok(Self {
            flavour,
            room: RoomName::new(room),
            token: query.given("access_token"),
            wishes: Wishes::read(&query)?,
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
            self.reject(role, "sdpOffer is missing");
            return;
        };
        if let Some(call) = &self.call {
            let refusal = match (call.role, role) {
                (Role::Viewer, Role::Viewer) => self.flavour.views_already(),
                (Role::Presenter, Role::Presenter) => Some(self.flavour.taken()),
                (Role::Viewer, Role::Presenter) | (Role::Presenter, Role::Viewer) => None,
            };
            if let Some(sentence) = refusal {
                self.reject(role, sentence);
                return;
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
            room: self.room.clone(),
            identity: identity.clone(),
            is_exclusive: is_presenter,
            takes_over: false,
            key: self.wishes.seat.clone().filter(|_| is_presenter),
            token: self.token.clone(),
        };
        self.call = Some(Call::new(place, role, identity, offer));
        self.outputs.push_back(DoorOutput::Enter(place, entrance));
    }

    fn hang_up(&mut self) {
        if let Some(call) = self.call.take() {
            self.outputs.push_back(DoorOutput::Quit(call.place));
        }
    }

    /// The watched one is gone.
    fn stop_communication(&mut self) {
        self.send(&words::stop_communication());
        self.hang_up();
    }

    fn candidate(&mut self, candidate: Option<CandidateLine>) {
        let Some(call) = self.call.as_ref().filter(|call| call.is_open) else {
            return;
        };
        let line = candidate.map(|line| line.candidate).unwrap_or_default();
        if !line.is_empty() {
            self.request(
                call.place,
                Request::Candidate {
                    connection: MAIN,
                    candidate: line,
                },
            );
        }
    }

    fn unknown(&mut self) {
        if let Some(message) = self.flavour.unknown() {
            self.send(&message);
        }
    }

    /// Inside: a presenter offers at once, a viewer when it is known what it will get.
    fn proceed(&mut self, now: Now) {
        let (nobody, waits) = (self.flavour.nobody(), self.wishes.wait);
        let Some(call) = self.call.as_mut().filter(|call| call.is_inside) else {
            return;
        };
        let Some(offer) = &call.offer else { return };
        let tracks = match call.role {
            Role::Presenter => Vec::new(),
            Role::Viewer => match whom(&call.roster) {
                None if waits => {
                    if !std::mem::replace(&mut call.is_waiting, true) {
                        self.send(&words::waiting());
                    }
                    return;
                }
                None => {
                    self.reject(Role::Viewer, nobody);
                    self.hang_up();
                    return;
                }
                // What is announced comes track by track.
                Some(presenter) => {
                    let tracks = call
                        .patience
                        .tracks_for(now, &[presenter], offer, None, false);
                    let Some(tracks) = tracks else { return };
                    call.watched = Some(presenter.id);
                    tracks
                }
            },
        };
        let Some(offer) = call.offer.take() else {
            return;
        };
        call.is_open = true;
        let (place, role) = (call.place, call.role);
        self.request(
            place,
            Request::Open {
                connection: MAIN,
                options: client_offers(role == Role::Presenter, None),
            },
        );
        if role == Role::Viewer {
            // Before the offer, so that its answer carries them.
            self.request(
                place,
                Request::Subscribe {
                    tracks,
                    connection: Some(MAIN),
                },
            );
        }
        self.request(
            place,
            Request::Offer {
                connection: MAIN,
                sdp: offer.sdp,
                number: 0,
            },
        );
    }

    fn answered(&mut self, sdp: &str) {
        let Some(role) = self.call.as_ref().map(|call| call.role) else {
            return;
        };
        let mut messages = self.flavour.candidates(sdp);
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
        if !self.wishes.count {
            return;
        }
        let Some(call) = self.call.as_mut().filter(|call| call.is_inside) else {
            return;
        };
        let own = usize::from(call.role == Role::Viewer);
        let others = call.roster.all().filter(|info| is_viewer(info)).count();
        if let Some(count) = call.audience.tell(now, own + others) {
            self.send(&words::viewers(count));
        }
    }

    /// From the presenter's channel to all viewers; Kurento connects data one way, as the media.
    fn data_received(&mut self, label: Arc<str>, payload: Bytes, binary: bool) {
        let Some(call) = self
            .call
            .as_ref()
            .filter(|call| call.role == Role::Presenter)
        else {
            return;
        };
        let message = DataMessage {
            // Every viewer's channel has a name of its own.
            translate: true,
            ..plain_data(label, payload, binary, Recipients::Others)
        };
        self.request(call.place, Request::Data(Box::new(message)));
    }

    fn data(&mut self, plain: Option<PlainData>, reliable: bool, binary: bool) {
        let Some(call) = self.call.as_ref() else {
            return;
        };
        if let (Some(label), Some(plain)) = (call.channel.clone(), plain) {
            self.request(
                call.place,
                Request::Send {
                    label,
                    payload: plain.payload,
                    binary,
                    reliable,
                },
            );
        }
    }

    fn gone(&mut self, peer: PeerId) {
        let Some(call) = &mut self.call else { return };
        call.roster.remove(peer);
        if call.watched == Some(peer) {
            self.stop_communication();
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

    fn closed(&mut self, reason: LeaveReason) {
        let role = self.call.take().map(|call| call.role);
        match (role, farewell(reason)) {
            (Some(Role::Viewer), _) => self.send(&words::stop_communication()),
            // The tutorials have no word for it.
            (Some(Role::Presenter), Some(sentence)) if self.wishes.seat.is_some() => {
                self.reject(Role::Presenter, sentence);
            }
            (Some(Role::Presenter), _) | (None, _) => {}
        }
    }

    fn refused(&mut self, request: &RequestKind, sentence: &str) {
        let Some(role) = self.call.as_ref().map(|call| call.role) else {
            return;
        };
        match request {
            RequestKind::Offer { .. } | RequestKind::Open(_) | RequestKind::Join => {
                self.reject(role, sentence);
                self.hang_up();
            }
            RequestKind::Answer { .. }
            | RequestKind::Candidate(_)
            | RequestKind::Publish { .. }
            | RequestKind::Unpublish(_)
            | RequestKind::Mute(_)
            | RequestKind::UpdatePublication(_)
            | RequestKind::Subscribe(_)
            | RequestKind::Prefer(_)
            | RequestKind::Data
            | RequestKind::Update => {}
        }
    }

    fn is_current(&self, place: Place) -> bool {
        self.call.as_ref().is_some_and(|call| call.place == place)
    }
}

impl Door for One2Many {
    fn handle_frame(&mut self, _now: Now, frame: Frame) {
        let Frame::Text(text) = frame else {
            self.unknown();
            return;
        };
        let Ok(message) = json::read::<Message>(&text) else {
            self.unknown();
            return;
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
        let Some((role, identity)) = self
            .call
            .as_ref()
            .filter(|call| call.place == place)
            .map(|call| (call.role, call.identity.clone()))
        else {
            return;
        };
        match entered {
            Ok(entered) => {
                let attributes = [DOOR, (ROLE, role.name())];
                let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
                let attributes = BTreeMap::from(attributes);
                let join = entered.join(&identity, role.name(), attributes);
                self.request(place, Request::Join(Box::new(join)));
            }
            Err(error) => {
                self.call = None;
                let sentence = match error {
                    EnterError::Taken => self.flavour.taken().to_owned(),
                    EnterError::NoSuchRoom
                    | EnterError::RoomFull
                    | EnterError::ServerFull
                    | EnterError::NotAllowed
                    | EnterError::Stopping => error.to_string(),
                };
                self.reject(role, &sentence);
            }
        }
    }

    fn handle_event(&mut self, now: Now, place: Place, event: Event) {
        // Of a place that was given up.
        if !self.is_current(place) {
            return;
        }
        match event {
            Event::Joined(state) => {
                if let Some(call) = &mut self.call {
                    call.roster.set(state.others);
                    call.is_inside = true;
                }
                self.proceed(now);
            }
            Event::PeerJoined(info) | Event::PeerUpdated(info) => self.seen(now, info),
            Event::Published { peer, .. } | Event::Unpublished { peer, .. } => self.seen(now, peer),
            Event::PeerLeft { peer, .. } => self.gone(peer.id),
            Event::Answer { sdp, .. } => self.answered(&sdp),
            Event::Refused { request, refusal } => self.refused(&request, &refusal.to_string()),
            Event::ChannelOpen { label } => {
                if let Some(call) = &mut self.call {
                    call.channel = Some(label);
                }
            }
            Event::DataReceived {
                label,
                payload,
                binary,
            } => self.data_received(label, payload, binary),
            Event::Data {
                plain,
                reliable,
                binary,
                ..
            } => self.data(plain, reliable, binary),
            Event::Closed { reason } => self.closed(reason),
            // No words for these: one presenter, one answer, no layers.
            Event::Unsubscribed { .. } | wordless!() => {}
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

/// The presenter; in a room shared with other doors, else whoever publishes.
fn whom(roster: &Roster) -> Option<&Arc<PeerInfo>> {
    roster
        .by_identity(PRESENTER)
        .or_else(|| roster.publishers().next())
}

/// Of this door.
fn is_viewer(info: &PeerInfo) -> bool {
    let is = |(key, value): (&str, &str)| info.attributes.get(key).is_some_and(|is| is == value);
    is(DOOR) && is((ROLE, Role::Viewer.name()))
}

#[cfg(test)]
mod tests;
