//! The lines of a conversation whose client makes them one by one, offers each of them one connection, and plugs them into
//! each other. A line is a member of a room. Outputs are drained to the end after every call.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionKey, ConnectionOptions, Event, Identity, PeerId, Recipients, Refusal, Request,
    RequestKind, RoomName,
};

use crate::door::{
    DoorOutput, EnterError, Entered, Entrance, Place, Secret, Stage, client_offers, farewell,
    plain_data,
};
use crate::offering::{is_awaited, offered, unheard};
use crate::patchbay::{self, Cord, Medium, Name, Patchbay, Way};
use crate::room::Topology;
use crate::sdp;

const MAIN: ConnectionKey = ConnectionKey(0);
/// An offer is kept as long as its line.
const OFFER_BYTES_MAX: usize = 64 * 1024;

/// `W` is who waits for something, and is handed back with what it waited for.
pub(crate) struct Switchboard<W> {
    token: Option<Secret>,
    /// Others are in these rooms too, and get what is sent as data.
    is_shared: bool,
    lines: BTreeMap<Name, Line<W>>,
    names: BTreeMap<Place, Name>,
    places: u32,
    /// By which lines are connected.
    pub(crate) patchbay: Patchbay,
    outputs: VecDeque<Output<W>>,
}

/// What a line is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    /// Media from its client goes to the room; media from the room goes to its client.
    pub(crate) takes: bool,
    pub(crate) gives: bool,
    pub(crate) has_data: bool,
}

/// One side of a connection with a client, and one member of a room.
#[derive(Debug)]
pub(crate) struct Line<W> {
    place: Place,
    identity: Identity,
    purpose: Purpose,
    stage: Stage,
    peer: Option<PeerId>,
    /// Who waits for it to be made, and for the answer to an offer.
    entering: Option<W>,
    offering: Option<W>,
    offers: u32,
    /// Of use for the offer that follows. 0: none.
    pub(crate) bitrate_max_kbps: u64,
    pub(crate) remote_sdp: Option<String>,
    pub(crate) local_sdp: Option<String>,
    pub(crate) is_connected: bool,
    /// Candidates are told when they were asked for, and known.
    wants_candidates: bool,
}

#[derive(Debug)]
pub(crate) enum Output<W> {
    Door(DoorOutput),
    Heard(W, News),
    Made(Name),
    /// There is no such line.
    NotMade(Name),
    Happened(Name, Happening),
}

/// What somebody hears who waited.
#[derive(Debug)]
pub(crate) enum News {
    Made(Name),
    NotMade(EnterError),
    Answered(String),
    /// The offer is empty.
    NoOffer,
    /// An offer was made before, or the stay is over.
    LateOffer,
    /// Another offer may follow.
    OfferRefused(Refusal),
    Removed(Name),
    /// The stay ended, for a reason or by itself.
    Over(Option<String>),
}

/// What is told of a line, to whoever wants to hear it.
#[derive(Debug)]
pub(crate) enum Happening {
    Started,
    /// One of the server's, of the first section.
    Candidate {
        mid: String,
        candidate: String,
    },
    Gathered,
    Linked(bool),
    /// It is the source of this cord.
    Plugged(Cord),
    Unplugged(Cord),
    Flow(Way, Medium, bool),
    /// It gets nothing of a track that it is connected to.
    Unheard(Refusal),
    Over(Option<String>),
}

impl<W> Switchboard<W> {
    pub(crate) fn new(token: Option<Secret>, is_shared: bool) -> Self {
        Self {
            token,
            is_shared,
            lines: BTreeMap::new(),
            names: BTreeMap::new(),
            places: 0,
            patchbay: Patchbay::default(),
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output<W>> {
        self.take_patches();
        self.outputs.pop_front()
    }

    pub(crate) fn line(&mut self, name: &Name) -> Option<&mut Line<W>> {
        self.lines.get_mut(name)
    }

    /// A new line, to be entered by that identity.
    pub(crate) fn add(
        &mut self,
        name: &Name,
        room: RoomName,
        identity: Identity,
        purpose: Purpose,
        waiting: W,
    ) {
        let place = Place(self.places);
        self.places += 1;
        let line = Line {
            place,
            identity: identity.clone(),
            purpose,
            stage: Stage::Entering,
            peer: None,
            entering: Some(waiting),
            offering: None,
            offers: 0,
            bitrate_max_kbps: 0,
            remote_sdp: None,
            local_sdp: None,
            is_connected: false,
            wants_candidates: false,
        };
        self.lines.insert(Arc::clone(name), line);
        self.names.insert(place, Arc::clone(name));
        let jack = Arc::clone(name);
        self.patchbay.add(jack, purpose.gives, purpose.has_data);
        let entrance = Entrance {
            is_exclusive: true,
            token: self.token.clone(),
            ..Entrance::new(room, identity, Topology::Sfu)
        };
        self.door(DoorOutput::Enter(place, entrance));
    }

    pub(crate) fn remove(&mut self, name: &Name) {
        self.patchbay.remove(name);
        self.take_patches();
        let Some(line) = self.lines.remove(name) else {
            return;
        };
        self.names.remove(&line.place);
        for waiting in [line.entering, line.offering].into_iter().flatten() {
            self.hears(waiting, News::Removed(Arc::clone(name)));
        }
        if line.stage != Stage::Over {
            self.door(DoorOutput::Quit(line.place));
        }
    }

    /// If that is an error there is nothing to wait for.
    pub(crate) fn offer(&mut self, name: &Name, sdp: &str, waiting: W) -> Result<(), News> {
        if sdp.is_empty() {
            return Err(News::NoOffer);
        }
        if sdp.len() > OFFER_BYTES_MAX {
            return Err(News::OfferRefused(Refusal::TooLarge("offer")));
        }
        let line = self.lines.get_mut(name);
        let line = line.filter(|line| line.stage != Stage::Over);
        let line = line.filter(|line| line.offering.is_none() && line.local_sdp.is_none());
        let line = line.ok_or(News::LateOffer)?;
        line.offering = Some(waiting);
        line.remote_sdp = Some(sdp.to_owned());
        self.pass_on(name);
        Ok(())
    }

    /// Candidates are wanted: at once if they are known.
    pub(crate) fn gather(&mut self, name: &Name) {
        let line = self.lines.get_mut(name);
        if line.is_some_and(|line| !mem::replace(&mut line.wants_candidates, true)) {
            self.tell_candidates(name);
        }
    }

    pub(crate) fn handle_entered(&mut self, place: Place, entered: Result<Entered, EnterError>) {
        let name = self.names.get(&place).map(Arc::clone);
        let line = name.and_then(|name| Some((self.lines.get_mut(&name)?, name)));
        let Some((line, name)) = line else {
            // Removed meanwhile.
            return self.door(DoorOutput::Quit(place));
        };
        let Some(waiting) = line.entering.take() else {
            return;
        };
        match entered {
            Ok(entered) => {
                line.stage = Stage::Present;
                line.peer = Some(entered.peer);
                let join = entered.join(&line.identity, "", BTreeMap::new());
                self.request(place, Request::Join(Box::new(join)));
                self.hears(waiting, News::Made(Arc::clone(&name)));
                self.outputs.push_back(Output::Made(Arc::clone(&name)));
                self.pass_on(&name);
            }
            Err(error) => {
                line.stage = Stage::Over;
                self.remove(&name);
                self.outputs.push_back(Output::NotMade(name));
                self.hears(waiting, News::NotMade(error));
            }
        }
    }

    pub(crate) fn handle_event(&mut self, place: Place, event: Event) {
        let Some(name) = self.names.get(&place).map(Arc::clone) else {
            return;
        };
        match event {
            Event::PeerUpdated(info) => {
                let own = self.lines.get(&name).and_then(|own| own.peer);
                if own == Some(info.id) {
                    let tracks = info.publications.iter().map(|own| (own.id, own.kind));
                    self.patchbay.publish(&name, tracks.collect());
                    self.patchbay.settle();
                }
            }
            Event::Answer { sdp, .. } => self.answered(&name, sdp),
            Event::Refused { request, refusal } => self.refused(&name, &request, refusal),
            Event::Connected { .. } => self.link_changed(&name, true),
            Event::Disconnected { .. } => self.link_changed(&name, false),
            Event::ChannelOpen { label } => self.patchbay.open_channel(&name, label),
            Event::DataReceived {
                label,
                payload,
                binary,
            } => self.data_received(place, &name, label, payload, binary),
            Event::Flowing { track, flowing } => self.patchbay.flow(&name, track, flowing),
            Event::Closed { reason } => self.over(&name, farewell(reason).map(str::to_owned)),
            // What others in the room do is nothing to a line: it has what it is connected to.
            Event::Joined(_)
            | Event::PeerJoined(_)
            | Event::PeerLeft { .. }
            | Event::Published { .. }
            | Event::Unpublished { .. }
            | Event::Unsubscribed { .. }
            | Event::Data { .. }
            | unheard!() => {}
        }
    }

    fn door(&mut self, output: DoorOutput) {
        self.outputs.push_back(Output::Door(output));
    }

    fn request(&mut self, place: Place, request: Request) {
        self.door(DoorOutput::Request(place, request));
    }

    fn hears(&mut self, waiting: W, news: News) {
        self.outputs.push_back(Output::Heard(waiting, news));
    }

    fn happened(&mut self, name: &Name, happening: Happening) {
        let happened = Output::Happened(Arc::clone(name), happening);
        self.outputs.push_back(happened);
    }

    /// What came of connections between lines so far.
    fn take_patches(&mut self) {
        while let Some(output) = self.patchbay.poll_output() {
            match output {
                patchbay::Output::Request(name, request) => {
                    if let Some(line) = self.lines.get(&name) {
                        self.request(line.place, request);
                    }
                }
                patchbay::Output::Plugged(cord) => {
                    self.happened(&Arc::clone(&cord.source), Happening::Plugged(cord));
                }
                patchbay::Output::Unplugged(cord) => {
                    self.happened(&Arc::clone(&cord.source), Happening::Unplugged(cord));
                }
                patchbay::Output::Flow(name, way, medium, is_flowing) => {
                    self.happened(&name, Happening::Flow(way, medium, is_flowing));
                }
            }
        }
    }

    /// Where the line is in its room, and has an offer: on to the core with it.
    fn pass_on(&mut self, name: &Name) {
        let line = self.lines.get_mut(name);
        let Some(line) = line.filter(|line| line.stage == Stage::Present) else {
            return;
        };
        let Some(sdp) = line.remote_sdp.clone().filter(|_| line.offering.is_some()) else {
            return;
        };
        let (place, number) = (line.place, line.offers);
        line.offers += 1;
        let bitrate_max_bps = line.bitrate_max_kbps.checked_mul(1000);
        let options = ConnectionOptions {
            publish: line.purpose.takes,
            subscribe: line.purpose.gives,
            answers_ahead: true,
            ..client_offers(true, bitrate_max_bps.filter(|bps| *bps > 0))
        };
        let (open, tracks) = match number {
            0 => (Some(options), self.patchbay.open(name, MAIN)),
            _ => (None, Vec::new()),
        };
        for request in offered(MAIN, open, tracks, sdp, number) {
            self.request(place, request);
        }
    }

    fn answered(&mut self, name: &Name, sdp: String) {
        let Some(line) = self.lines.get_mut(name) else {
            return;
        };
        let is_first = line.local_sdp.replace(sdp.clone()).is_none();
        let wants_candidates = is_first && line.wants_candidates;
        if let Some(waiting) = line.offering.take() {
            self.hears(waiting, News::Answered(sdp));
        }
        self.happened(name, Happening::Started);
        if wants_candidates {
            self.tell_candidates(name);
        }
    }

    fn tell_candidates(&mut self, name: &Name) {
        let line = self.lines.get(name);
        let Some(answer) = line.and_then(|line| line.local_sdp.clone()) else {
            return;
        };
        let (mid, candidates) = sdp::candidates(&answer);
        for candidate in candidates {
            let (mid, candidate) = (mid.to_owned(), candidate.to_owned());
            self.happened(name, Happening::Candidate { mid, candidate });
        }
        self.happened(name, Happening::Gathered);
    }

    fn link_changed(&mut self, name: &Name, is_connected: bool) {
        let line = self.lines.get_mut(name);
        let was_connected = line.map(|line| mem::replace(&mut line.is_connected, is_connected));
        if was_connected == Some(!is_connected) {
            self.happened(name, Happening::Linked(is_connected));
        }
    }

    fn refused(&mut self, name: &Name, request: &RequestKind, refusal: Refusal) {
        if *request == RequestKind::Join {
            self.over(name, Some(refusal.to_string()));
        } else if is_awaited(request) {
            let Some(line) = self.lines.get_mut(name) else {
                return;
            };
            line.remote_sdp = None;
            if let Some(waiting) = line.offering.take() {
                self.hears(waiting, News::OfferRefused(refusal));
            }
        } else if let (RequestKind::Subscribe(_), false) =
            // What is not found is on its way from another thread, or over by now.
            (request, matches!(refusal, Refusal::NotFound(_)))
        {
            self.happened(name, Happening::Unheard(refusal));
        }
    }

    fn data_received(
        &mut self,
        place: Place,
        name: &Name,
        label: Arc<str>,
        payload: Bytes,
        binary: bool,
    ) {
        let has_data = self.patchbay.send(name, &payload, binary);
        self.take_patches();
        if has_data && self.is_shared {
            let mut message = plain_data(label, payload, binary, Recipients::Others);
            // Lines get theirs by their connections.
            message.translate = true;
            self.request(place, Request::Data(Box::new(message)));
        }
    }

    /// The stay is over; what the line is connected to stays as it is until it is removed.
    fn over(&mut self, name: &Name, reason: Option<String>) {
        let Some(line) = self.lines.get_mut(name) else {
            return;
        };
        line.stage = Stage::Over;
        let waiting = [line.entering.take(), line.offering.take()];
        self.patchbay.close(name);
        self.take_patches();
        for waiting in waiting.into_iter().flatten() {
            self.hears(waiting, News::Over(reason.clone()));
        }
        self.link_changed(name, false);
        self.happened(name, Happening::Over(reason));
    }
}

#[cfg(test)]
mod tests;
