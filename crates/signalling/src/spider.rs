//! The door of Spider RTCPub: one publisher and its subscribers in a channel, over `/live/ws/pub` and `/live/ws/sub`. See
//! `docs/protocols/spider.md`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use madang_sfu::api::{
    Codec, ConnectionKey, Event, Grant, Identity, Now, PeerInfo, PeerPhase, PlainData, Recipients,
    Refusal, Request, RequestKind, RoomName, TrackId,
};

use crate::Frame;
use crate::door::{
    Door, DoorOutput, Dropped, EnterError, Entered, Entrance, Place, Stage, client_offers,
    farewell, plain_data,
};
use crate::offering::{attributes, offered, wordless};
use crate::query::Query;
use crate::room::Topology;
use crate::roster::Roster;
use crate::sdp::Offer;
use crate::watching::Patience;

mod words;

use words::{Word, said};

/// Who may be it is decided by who comes first.
pub const PUBLISHER: &str = "publisher";

const PLACE: Place = Place(0);
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Candidates that came before their offer.
const EARLY_CANDIDATES_MAX: usize = 64;
/// Frames that cannot be read, before the conversation ends.
const MALFORMED_MAX: u64 = 32;
/// The channel that every rtcbot has: for data that comes without a label.
const LABEL_DEFAULT: &str = "default";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Publisher,
    Subscriber,
}

#[derive(Debug)]
struct Link {
    key: ConnectionKey,
    /// The client's name for its session (RFC 8866 §5.2): another one is another connection of the client.
    session: String,
    subscribed: BTreeSet<TrackId>,
}

/// A conversation.
#[derive(Debug)]
pub struct Spider {
    role: Role,
    identity: Identity,
    bitrate_max_bps: Option<u64>,
    codec: Option<Codec>,
    stage: Stage,
    roster: Roster,
    /// Waits for the room, or for what it asks to receive.
    offer: Option<Offer>,
    offers: u32,
    link: Option<Link>,
    early_candidates: Vec<String>,
    patience: Patience,
    ping_at: Option<Instant>,
    dropped: Dropped,
    outputs: VecDeque<DoorOutput>,
}

impl Spider {
    /// By the query of `/live/ws/pub`. The error is a sentence for the client.
    pub fn publisher(query: &str, _seed: u64) -> Result<Self, String> {
        Self::new(Role::Publisher, Identity::new(PUBLISHER), query)
    }

    /// By the query of `/live/ws/sub`.
    pub fn subscriber(query: &str, seed: u64) -> Result<Self, String> {
        let identity = Identity::new(&format!("viewer-{seed:016x}"));
        Self::new(Role::Subscriber, identity, query)
    }

    /// `ktime` is not acted upon: key frames are asked for when somebody needs one.
    fn new(role: Role, identity: Identity, query: &str) -> Result<Self, String> {
        let query = Query::parse(query);
        let channel = query.name("channel")?.ok_or("channel is missing")?;
        let entrance = Entrance {
            is_exclusive: role == Role::Publisher,
            takes_over: query.is_set("takeover"),
            token: query.secret("access_token"),
            ..Entrance::new(RoomName::new(&channel), identity.clone(), Topology::Sfu)
        };
        let bitrate_kbps: Option<u64> = query.text("brate").parse().ok();
        Ok(Self {
            role,
            identity,
            bitrate_max_bps: bitrate_kbps
                .filter(|kbps| *kbps > 0)
                .map(|kbps| kbps.saturating_mul(1000)),
            codec: match query.text("vcodec").to_ascii_lowercase().as_str() {
                "h264" => Some(Codec::H264),
                "vp8" => Some(Codec::Vp8),
                "vp9" => Some(Codec::Vp9),
                _ => None,
            },
            stage: Stage::Entering,
            roster: Roster::default(),
            offer: None,
            offers: 0,
            link: None,
            early_candidates: Vec::new(),
            patience: Patience::default(),
            ping_at: None,
            dropped: Dropped::default(),
            outputs: VecDeque::from([DoorOutput::Enter(PLACE, entrance)]),
        })
    }

    fn candidate(&mut self, candidate: String) {
        if candidate.is_empty() {
            return;
        }
        match &self.link {
            Some(link) if self.offer.is_none() => {
                let connection = link.key;
                self.request(Request::Candidate {
                    connection,
                    candidate,
                });
            }
            Some(_) | None if self.early_candidates.len() < EARLY_CANDIDATES_MAX => {
                self.early_candidates.push(candidate);
            }
            Some(_) | None => self.dropped.early += 1,
        }
    }

    /// Passes the client's offer on as soon as its answer can carry what it asks for: these clients offer once.
    fn advance(&mut self, now: Now) {
        if self.stage != Stage::Present {
            return;
        }
        let Some(offer) = &self.offer else {
            return;
        };
        let tracks = match self.role {
            Role::Publisher => Some(Vec::new()),
            Role::Subscriber => {
                let publisher = self.roster.by_identity(PUBLISHER);
                let is_up = publisher.is_some_and(|info| info.phase == PeerPhase::Active);
                let sources = self.roster.sources(PUBLISHER);
                let patience = &mut self.patience;
                patience.tracks_for(now, &sources, offer, self.codec, is_up)
            }
        };
        if let Some(tracks) = tracks
            && let Some(offer) = self.offer.take()
        {
            self.pass_on(offer, tracks);
        }
    }

    fn pass_on(&mut self, offer: Offer, tracks: Vec<TrackId>) {
        if let Some(old) = self.link.take_if(|link| link.session != offer.session) {
            self.request(Request::Close {
                connection: old.key,
            });
        }
        self.offers += 1;
        let options = client_offers(self.role == Role::Publisher, self.bitrate_max_bps);
        let open = self.link.is_none().then_some(options);
        let link = self.link.get_or_insert_with(|| Link {
            key: ConnectionKey(self.offers),
            session: offer.session,
            subscribed: BTreeSet::new(),
        });
        let connection = link.key;
        let new = |track: &TrackId| link.subscribed.insert(*track);
        let tracks = tracks.into_iter().filter(new).collect();
        for request in offered(connection, open, tracks, offer.sdp, self.offers) {
            self.request(request);
        }
        for candidate in std::mem::take(&mut self.early_candidates) {
            self.request(Request::Candidate {
                connection,
                candidate,
            });
        }
    }

    /// How many watch, to a publisher at every change, to a subscriber when its publisher comes or goes.
    fn tell_joins(&mut self) {
        let count = self.roster.count_without(PUBLISHER);
        let own = usize::from(self.role == Role::Subscriber);
        self.tell("joins", &(count + own).to_string());
    }

    fn membership_changed(&mut self, now: Now, info: &PeerInfo) {
        let is_publisher = info.identity.as_str() == PUBLISHER;
        if is_publisher == (self.role == Role::Subscriber) {
            self.tell_joins();
        }
        self.advance(now);
    }

    /// From a publisher to all, from a subscriber to whom it watches.
    fn relay(&mut self, label: Arc<str>, payload: Bytes, binary: bool) {
        let to = match self.role {
            Role::Publisher => Recipients::Others,
            Role::Subscriber => {
                let sources: Vec<_> = self
                    .roster
                    .sources(PUBLISHER)
                    .iter()
                    .map(|info| info.id)
                    .collect();
                if sources.is_empty() {
                    self.dropped.nobody += 1;
                    return;
                }
                Recipients::Peers(sources)
            }
        };
        let message = plain_data(label, payload, binary, to);
        self.request(Request::Data(Box::new(message)));
    }

    /// What members of other doors say, on the channel of that label.
    fn pass_back(&mut self, plain: PlainData, reliable: bool, binary: bool) {
        let label = match &*plain.label {
            "" => Arc::from(LABEL_DEFAULT),
            _ => plain.label,
        };
        self.request(Request::Send {
            label,
            payload: plain.payload,
            binary,
            reliable,
        });
    }

    fn request(&mut self, request: Request) {
        self.outputs.push_back(DoorOutput::Request(PLACE, request));
    }

    fn tell(&mut self, kind: &str, data: &str) {
        let frame = Frame::Text(said(kind, data));
        self.outputs.push_back(DoorOutput::Frame(frame));
    }

    fn end(&mut self, sentence: Option<&str>) {
        if self.stage == Stage::Over {
            return;
        }
        if let Some(sentence) = sentence {
            self.tell("error", sentence);
        }
        self.stage = Stage::Over;
        self.outputs.push_back(DoorOutput::Close);
    }

    fn may_enter(&self, grant: &Grant) -> bool {
        match self.role {
            Role::Publisher => grant.publish,
            Role::Subscriber => grant.subscribe,
        }
    }

    fn not_entered(&mut self, error: EnterError) {
        let sentence = match (error, self.role) {
            (EnterError::Taken, _) => "the channel has a publisher already",
            (EnterError::NotAllowed, Role::Publisher) => "not allowed to publish to this channel",
            (EnterError::NotAllowed, Role::Subscriber) => {
                "not allowed to subscribe to this channel"
            }
            (error, _) => return self.end(Some(&error.to_string())),
        };
        self.end(Some(sentence));
    }

    fn refused(&mut self, request: &RequestKind, refusal: &Refusal) {
        let is_open = matches!(request, RequestKind::Open(_));
        if is_open {
            self.link = None;
        }
        if is_open || matches!(request, RequestKind::Offer { number, .. } if *number == self.offers)
        {
            self.tell("error", &refusal.to_string());
        } else {
            // A track that just ended, a candidate, data without the right to it.
            self.dropped.refused += 1;
        }
    }
}

impl Door for Spider {
    fn handle_frame(&mut self, now: Now, frame: Frame) {
        if self.stage == Stage::Over {
            return;
        }
        match words::read(&frame) {
            Ok(Word::Offer(sdp)) => {
                self.offer = Some(Offer::read(sdp, self.codec));
                self.advance(now);
            }
            Ok(Word::Candidate(candidate)) => self.candidate(candidate),
            Ok(Word::Ping) => self.tell("pong", ""),
            Ok(Word::Other) => {}
            Err(error) => {
                self.dropped.malformed += 1;
                self.tell("error", &error.to_string());
                if self.dropped.malformed >= MALFORMED_MAX {
                    self.end(Some("too many messages that cannot be read"));
                }
            }
        }
    }

    fn handle_entered(&mut self, now: Now, place: Place, entered: Result<Entered, EnterError>) {
        match entered {
            Ok(entered) if self.may_enter(&entered.grant) => {
                let role = match self.role {
                    Role::Publisher => "publisher",
                    Role::Subscriber => "subscriber",
                };
                let own = attributes([("door", "spider"), ("role", role)]);
                let join = entered.join(&self.identity, "", own);
                let request = Request::Join(Box::new(join));
                self.outputs.push_back(DoorOutput::Request(place, request));
                self.ping_at = Some(now.instant + PING_INTERVAL);
            }
            Ok(_) => self.not_entered(EnterError::NotAllowed),
            Err(error) => self.not_entered(error),
        }
    }

    fn handle_event(&mut self, now: Now, _place: Place, event: Event) {
        match event {
            Event::Joined(state) => {
                self.stage = Stage::Present;
                self.roster.set(state.others);
                if self.role == Role::Publisher && self.roster.count_without(PUBLISHER) > 0 {
                    self.tell_joins();
                }
                self.advance(now);
            }
            Event::PeerJoined(info) => {
                self.roster.put(Arc::clone(&info));
                self.membership_changed(now, &info);
            }
            Event::PeerLeft { peer, .. } => {
                self.roster.remove(peer.id);
                self.membership_changed(now, &peer);
            }
            Event::PeerUpdated(peer)
            | Event::Published { peer, .. }
            | Event::Unpublished { peer, .. } => {
                if peer.identity != self.identity {
                    self.roster.put(peer);
                    self.advance(now);
                }
            }
            Event::Answer { sdp, number, .. } => {
                if number == self.offers {
                    self.tell("answer", &sdp);
                }
            }
            Event::Unsubscribed { track } => {
                if let Some(link) = &mut self.link {
                    link.subscribed.remove(&track);
                }
            }
            Event::DataReceived {
                label,
                payload,
                binary,
            } => self.relay(label, payload, binary),
            Event::Data {
                plain: Some(plain),
                reliable,
                binary,
                ..
            } => self.pass_back(plain, reliable, binary),
            Event::Refused { request, refusal } => self.refused(&request, &refusal),
            Event::Closed { reason } => self.end(farewell(reason)),
            // These clients know of one camera, and of data.
            Event::Data { plain: None, .. } | Event::ChannelOpen { .. } | wordless!() => {}
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.ping_at.is_some_and(|at| at <= now.instant) {
            self.ping_at = Some(now.instant + PING_INTERVAL);
            self.tell("ping", "");
        }
        self.advance(now);
    }

    fn poll_output(&mut self) -> Option<DoorOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.stage == Stage::Over {
            return None;
        }
        let timeouts = [self.ping_at, self.patience.poll_timeout()];
        timeouts.into_iter().flatten().min()
    }

    fn dropped(&self) -> Dropped {
        self.dropped
    }
}
