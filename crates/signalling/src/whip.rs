//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): one offer by an HTTP request, one answer, and a resource that stands for
//! the session. Here is what a session is; who may open one, and where it is found, is the carrier's.

use std::collections::{BTreeMap, VecDeque};

use madang_sfu::api::{
    ConnectionKey, ConnectionOptions, Event, Identity, Now, PeerKind, Preference, Request,
    RequestKind, RoomName,
};
use serde_json::json;

use crate::Frame;
use crate::door::{
    Door, DoorOutput, EnterError, Entered, Entrance, Place, Stage, client_offers, farewell,
};
use crate::fragment::{self, IceSession, Patched};
use crate::json;
use crate::offering::{is_awaited, offered, unheard};
use crate::query::Query;
use crate::resource::{self, Ask, Notice, Reply, Told};
use crate::room::Topology;
use crate::roster::Roster;
use crate::screen::{Changes, Screen, preference};
use crate::sdp;
use crate::ways::{Ways, WaysWish};

mod words;

use words::LayerWish;
pub use words::{NOTICES, viewer_count};

const HERE: Place = Place(0);
const MAIN: ConnectionKey = ConnectionKey(0);
/// As the SDKs' protocol numbers its kinds of members: who comes in by a door for streams.
const INGRESS: PeerKind = PeerKind(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// WHIP.
    Publisher,
    /// WHEP.
    Viewer,
}

/// Who the carrier found out that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    pub room: RoomName,
    pub identity: Identity,
    pub name: String,
    pub metadata: String,
}

/// One session.
#[derive(Debug)]
pub struct Whip {
    role: Role,
    guest: Guest,
    /// Whom a viewer wants to watch; else whoever is there.
    wanted: Option<String>,
    /// A viewer that others may see.
    is_visible: bool,
    seed: u64,
    stage: Stage,
    ice: IceSession,
    awaited: Option<Awaited>,
    links: Vec<String>,
    roster: Roster,
    screen: Screen,
    told: BTreeMap<&'static str, Notice>,
    outputs: VecDeque<DoorOutput>,
}

/// What the core was asked for, and the client waits for.
#[derive(Debug)]
enum Awaited {
    Answer,
    Restart,
}

impl Whip {
    /// The error is a sentence for the client.
    pub fn new(role: Role, guest: Guest, query: &str, seed: u64) -> Result<Self, String> {
        let query = Query::parse(query);
        Ok(Self {
            role,
            guest,
            wanted: query.name("publisher")?,
            is_visible: role == Role::Publisher || query.is_set("visible"),
            seed,
            stage: Stage::Entering,
            ice: IceSession::default(),
            awaited: None,
            links: Vec::new(),
            roster: Roster::default(),
            screen: Screen::default(),
            told: BTreeMap::new(),
            outputs: VecDeque::new(),
        })
    }

    fn tell(&mut self, told: &Told) {
        let text = serde_json::to_string(told).expect("plain data");
        self.outputs.push_back(DoorOutput::Frame(Frame::Text(text)));
    }

    fn reply(&mut self, reply: Reply) {
        self.tell(&Told::Reply(reply));
    }

    fn request(&mut self, request: Request) {
        self.outputs.push_back(DoorOutput::Request(HERE, request));
    }

    /// The last words.
    fn end(&mut self, reply: Option<Reply>) {
        self.stage = Stage::Over;
        self.awaited = None;
        if let Some(reply) = reply {
            self.reply(reply);
        }
        self.outputs.push_back(DoorOutput::Close);
    }

    fn post(&mut self, sdp: String) {
        if !self.ice.offer.is_empty() {
            return self.reply(Reply::refused(409, "the session has its offer already"));
        }
        let media = sdp::media(&sdp);
        let (fits, missing) = match self.role {
            Role::Publisher => (
                media.iter().any(|media| media.sends),
                "nothing in this offer sends: a WHIP client offers sendonly",
            ),
            Role::Viewer => {
                self.screen = Screen::new(&media);
                let missing = "nothing in this offer receives: a WHEP client offers recvonly";
                (!self.screen.is_empty(), missing)
            }
        };
        if !sdp.starts_with("v=0") {
            let sentence = "this is no session description";
            return self.end(Some(Reply::refused(400, sentence)));
        }
        if !fits {
            return self.end(Some(Reply::refused(422, missing)));
        }
        self.ice = IceSession::new(sdp, self.seed);
        let entrance = Entrance {
            room: self.guest.room.clone(),
            identity: self.guest.identity.clone(),
            topology: Topology::Sfu,
            // Who comes again after his line broke has his place again.
            is_exclusive: false,
            takes_over: false,
            key: None,
            token: None,
        };
        self.outputs.push_back(DoorOutput::Enter(HERE, entrance));
    }

    /// May send what the offer would.
    fn may(&self, entered: &Entered) -> bool {
        let grant = &entered.grant;
        match self.role {
            Role::Viewer => grant.subscribe,
            Role::Publisher => {
                let media = sdp::media(&self.ice.offer);
                let mut sent = media.iter().filter(|media| media.sends);
                sent.all(|media| grant.may_publish(media.source()))
            }
        }
    }

    /// Inside: the offer is answered with whatever there is.
    fn begin(&mut self) {
        self.stage = Stage::Present;
        let ways = DoorOutput::Ways(HERE, WaysWish::to_server());
        self.outputs.push_back(ways);
        let options = match self.role {
            Role::Publisher => client_offers(true, None),
            Role::Viewer => ConnectionOptions {
                answers_ahead: true,
                ..client_offers(false, None)
            },
        };
        let changes = self.screen.update(&self.roster, self.wanted.as_deref());
        self.awaited = Some(Awaited::Answer);
        for request in offered(MAIN, Some(options), changes.on, self.ice.offer.clone(), 0) {
            self.request(request);
        }
        self.tell_changes();
    }

    /// Somebody came, went, or publishes something else.
    fn follow(&mut self) {
        if self.role != Role::Viewer || self.stage != Stage::Present {
            return;
        }
        let Changes { off, on } = self.screen.update(&self.roster, self.wanted.as_deref());
        if !off.is_empty() {
            self.request(Request::Unsubscribe { tracks: off });
        }
        if !on.is_empty() {
            self.request(Request::Subscribe {
                tracks: on.clone(),
                connection: Some(MAIN),
            });
        }
        for track in on {
            let wish = self.screen.wish_for(track);
            if let Some(preference) = wish.and_then(|rid| preference(&self.roster, track, rid)) {
                self.request(Request::Prefer { track, preference });
            }
        }
        self.tell_changes();
    }

    /// What is new of it, to who listens.
    fn tell_changes(&mut self) {
        if self.role != Role::Viewer {
            return;
        }
        let state = if self.screen.is_active() {
            "active"
        } else {
            "inactive"
        };
        let sections = self.screen.videos().map(|section| {
            let publication = section
                .track
                .and_then(|track| self.roster.publication(track));
            (section.mid.as_str(), publication)
        });
        let layers = Notice::new("layers", &words::layers(sections));
        for (key, notice) in [
            ("state", Notice::new(state, &json!({}))),
            ("layers", layers),
        ] {
            if self.told.get(key) != Some(&notice) {
                self.told.insert(key, notice.clone());
                self.tell(&Told::Notice(notice));
            }
        }
    }

    fn answered(&mut self, sdp: String) {
        match self.awaited.take() {
            Some(Awaited::Answer) => {
                let media = sdp::media(&sdp);
                let flows = media.iter().any(|media| match self.role {
                    Role::Publisher => media.receives,
                    Role::Viewer => media.sends,
                });
                if !flows {
                    let sentence = "no codec of this offer is known here";
                    return self.end(Some(Reply::refused(422, sentence)));
                }
                let reply = Reply::answered(sdp, &self.ice.etag(), &self.links);
                self.reply(reply);
            }
            Some(Awaited::Restart) => {
                self.ice.restarted();
                let reply = Reply::restarted(fragment::of_answer(&sdp), &self.ice.etag());
                self.reply(reply);
            }
            None => {}
        }
    }

    fn patch(&mut self, condition: Option<&str>, text: &str) {
        match self.ice.patch(condition, text) {
            Ok(Patched::Candidates(candidates)) => {
                self.candidates(candidates);
                self.reply(Reply::empty(204));
            }
            Ok(Patched::Restart { offer, candidates }) => {
                self.awaited = Some(Awaited::Restart);
                for request in offered(MAIN, None, Vec::new(), offer, 0) {
                    self.request(request);
                }
                self.candidates(candidates);
            }
            Err(reply) => self.reply(reply),
        }
    }

    fn candidates(&mut self, candidates: Vec<String>) {
        for candidate in candidates {
            self.request(Request::Candidate {
                connection: MAIN,
                candidate,
            });
        }
    }

    fn layer(&mut self, body: &str) {
        let Ok(wish) = json::read::<LayerWish>(body) else {
            let sentence = "send {\"mediaId\", \"encodingId\"}";
            return self.reply(Reply::refused(400, sentence));
        };
        let rid = wish.encoding_id.filter(|rid| !rid.is_empty());
        let section = self.screen.video_mut(wish.media_id.as_deref());
        let Some(section) = section else {
            let sentence = "the session has no picture of that mediaId";
            return self.reply(Reply::refused(422, sentence));
        };
        let chosen = match (section.track, &rid) {
            (None, _) => None,
            (Some(track), None) => Some((track, Preference::default())),
            (Some(track), Some(rid)) => {
                let Some(preference) = preference(&self.roster, track, rid) else {
                    let sentence = "there is no such encodingId now";
                    return self.reply(Reply::refused(422, sentence));
                };
                Some((track, preference))
            }
        };
        section.wish = rid;
        if let Some((track, preference)) = chosen {
            self.request(Request::Prefer { track, preference });
        }
        self.reply(Reply::empty(200));
    }

    fn refused(&mut self, request: &RequestKind, reply: Reply) {
        if let RequestKind::Subscribe(track) = request {
            self.screen.cannot_show(*track);
            return self.follow();
        }
        if !is_awaited(request) {
            return;
        }
        match self.awaited.take() {
            // The session goes on as it was (RFC 9725 §4.3.3).
            Some(Awaited::Restart) => self.reply(reply),
            Some(Awaited::Answer) | None => self.end(Some(reply)),
        }
    }
}

impl Door for Whip {
    fn handle_frame(&mut self, _now: Now, frame: Frame) {
        let Frame::Text(text) = frame else { return };
        // Written by our own carrier.
        let Ok(ask) = serde_json::from_str::<Ask>(&text) else {
            return self.reply(Reply::refused(400, "the request cannot be read"));
        };
        match (self.stage, ask) {
            (Stage::Over, _) => {}
            (Stage::Entering, Ask::Post { sdp }) => self.post(sdp),
            (_, Ask::Delete) => self.end(Some(Reply::empty(200))),
            (Stage::Present, Ask::Patch { if_match, fragment }) => {
                self.patch(if_match.as_deref(), &fragment);
            }
            (Stage::Present, Ask::Layer { body }) => self.layer(&body),
            (Stage::Present, Ask::Notices) => {
                let notices: Vec<Notice> = self.told.values().cloned().collect();
                self.reply(Reply::notices(&notices));
            }
            (Stage::Present, Ask::Post { .. }) | (Stage::Entering, _) => {
                self.reply(Reply::refused(409, "the session is not in that state"));
            }
        }
    }

    fn handle_entered(&mut self, _now: Now, _place: Place, entered: Result<Entered, EnterError>) {
        let entered = match entered {
            Ok(entered) => entered,
            Err(error) => return self.end(Some(Reply::not_entered(error))),
        };
        if !self.may(&entered) {
            let sentence = "the token does not allow what this offer asks for";
            return self.end(Some(Reply::refused(403, sentence)));
        }
        let attributes = entered.attributes.clone();
        let mut join = entered.join(&self.guest.identity, &self.guest.name, attributes);
        join.metadata.clone_from(&self.guest.metadata);
        match self.role {
            Role::Publisher => {
                join.kind = INGRESS;
                join.grant.subscribe = false;
            }
            Role::Viewer => {
                join.grant.publish = false;
                join.grant.hidden |= !self.is_visible;
            }
        }
        self.request(Request::Join(Box::new(join)));
    }

    fn handle_event(&mut self, _now: Now, _place: Place, event: Event) {
        if self.stage == Stage::Over {
            return;
        }
        match event {
            Event::Joined(state) => {
                self.roster.set(state.others);
                self.begin();
            }
            Event::PeerJoined(info) | Event::PeerUpdated(info) => {
                if info.identity != self.guest.identity {
                    self.roster.put(info);
                    self.follow();
                }
            }
            Event::Published { peer, .. } | Event::Unpublished { peer, .. } => {
                self.roster.put(peer);
                self.follow();
            }
            Event::PeerLeft { peer, .. } => {
                self.roster.remove(peer.id);
                self.follow();
            }
            Event::Unsubscribed { track } => {
                self.screen.take_off(track);
                self.tell_changes();
            }
            Event::Answer { sdp, .. } => self.answered(sdp),
            Event::Refused { request, refusal } => {
                self.refused(&request, Reply::not_done(&refusal));
            }
            Event::Closed { reason } => {
                let sentence = farewell(reason).unwrap_or("the session is over");
                let waits = self.awaited.is_some();
                self.end(waits.then(|| Reply::refused(503, sentence)));
            }
            // No words for these: there is one connection, no data, and the client sees for itself whether it is up.
            Event::Data { .. }
            | Event::DataReceived { .. }
            | Event::ChannelOpen { .. }
            | Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Flowing { .. }
            | unheard!() => {}
        }
    }

    fn handle_ways(&mut self, _now: Now, ways: &Ways) {
        self.links = resource::ice_links(ways.relay.as_ref());
    }

    fn poll_output(&mut self) -> Option<DoorOutput> {
        self.outputs.pop_front()
    }
}

#[cfg(test)]
mod tests;
