use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use madang_sfu::api::{
    ConnectionKey, Event, Grant, Identity, LayerInfo, LeaveReason, PeerId, PeerInfo, Refusal,
    Request, RequestKind, RoomName, RoomState, ShardSet, TrackId,
};
use serde_json::{Value, json};

use super::{Guest, Role, Whip};
use crate::Frame;
use crate::door::{Door as _, DoorOutput, EnterError, Entered, Place};
use crate::resource::{Ask, Told};
use crate::testing::{member, now, room, short};
use crate::ways::{RelayAccess, Ways};

const PUBLISHING: &str = "v=0\r\nm=video 9 X 96\r\na=mid:0\r\na=sendonly\r\na=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n";
const VIEWING: &str = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=recvonly\r\na=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\nm=video 9 X 96\r\na=mid:1\r\na=recvonly\r\n";
const TAKEN: &str = "v=0\r\nm=video 9 X 96\r\na=mid:0\r\na=recvonly\r\na=ice-ufrag:ours\r\na=ice-pwd:oooooooooooooooooooooo\r\n";
const GIVEN: &str = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=sendonly\r\nm=video 9 X 96\r\na=mid:1\r\na=sendonly\r\n";
const ETAG: &str = "\"0000000000000007-0\"";
const NEW: &str = "a=ice-ufrag:bbbb\r\na=ice-pwd:bbbbbbbbbbbbbbbbbbbbbb\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";

struct Session(Whip);

/// What came out: answers by status, notices by name, requests by name.
fn drained(whip: &mut Whip) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(output) = whip.poll_output() {
        all.push(match output {
            DoorOutput::Frame(Frame::Text(text)) => match serde_json::from_str(&text) {
                Ok(Told::Reply(reply)) => format!("{} {}", reply.status, reply.body),
                Ok(Told::Notice(notice)) => format!("notice {} {}", notice.event, notice.data),
                Err(error) => panic!("{error}: {text}"),
            },
            DoorOutput::Request(_, request) => short(&request),
            DoorOutput::Enter(_, entrance) => {
                format!("enter {} {}", entrance.room, entrance.identity)
            }
            DoorOutput::Ways(..) => {
                let relay = RelayAccess {
                    urls: ["stun:h:1", "turn:h:1?transport=tcp"]
                        .map(str::to_owned)
                        .to_vec(),
                    username: "u\"1".to_owned(),
                    credential: "p".to_owned(),
                };
                whip.handle_ways(
                    now(),
                    &Ways {
                        relay: Some(relay),
                        pass: None,
                        ttl: Duration::from_secs(60),
                    },
                );
                continue;
            }
            DoorOutput::Close => "close".to_owned(),
            DoorOutput::Frame(Frame::Binary(_)) | DoorOutput::Quit(_) | DoorOutput::Upload(_) => {
                panic!("not of this door")
            }
        });
    }
    all
}

impl Session {
    fn new(role: Role, query: &str) -> Self {
        let guest = Guest {
            room: RoomName::new("yard"),
            identity: Identity::new("me"),
            name: String::new(),
            metadata: String::new(),
        };
        Self(Whip::new(role, guest, query, 7).expect("a good query"))
    }

    /// With the answer read.
    fn open(role: Role, others: Vec<Arc<PeerInfo>>) -> Self {
        let mut session = Self::new(role, "");
        let (offer, answer) = match role {
            Role::Publisher => (PUBLISHING, TAKEN),
            Role::Viewer => (VIEWING, GIVEN),
        };
        session.post(offer);
        session.enter(Grant::everything());
        session.join(others);
        session.answer(answer);
        session
    }

    fn ask(&mut self, ask: &Ask) -> Vec<String> {
        let text = serde_json::to_string(ask).expect("plain data");
        self.0.handle_frame(now(), Frame::Text(text));
        drained(&mut self.0)
    }

    fn post(&mut self, sdp: &str) -> Vec<String> {
        self.ask(&Ask::Post {
            sdp: sdp.to_owned(),
        })
    }

    fn patch(&mut self, if_match: Option<&str>, fragment: &str) -> Vec<String> {
        self.ask(&Ask::Patch {
            if_match: if_match.map(str::to_owned),
            fragment: fragment.to_owned(),
        })
    }

    fn layer(&mut self, body: &Value) -> Vec<String> {
        self.ask(&Ask::Layer {
            body: body.to_string(),
        })
    }

    fn enter(&mut self, grant: Grant) -> Vec<String> {
        let entered = Entered {
            peer: PeerId(99),
            room: room(),
            shards: ShardSet::default(),
            grant,
            attributes: BTreeMap::new(),
            hides_addresses: false,
        };
        self.0.handle_entered(now(), Place(0), Ok(entered));
        drained(&mut self.0)
    }

    fn join(&mut self, others: Vec<Arc<PeerInfo>>) -> Vec<String> {
        self.tell(Event::Joined(Box::new(RoomState {
            room: room(),
            own: member(99, "me", &[]),
            others,
        })))
    }

    fn answer(&mut self, sdp: &str) -> Vec<String> {
        self.tell(Event::Answer {
            connection: ConnectionKey(0),
            sdp: sdp.to_owned(),
            number: 0,
            sections: Vec::new(),
        })
    }

    fn tell(&mut self, event: Event) -> Vec<String> {
        self.0.handle_event(now(), Place(0), event);
        drained(&mut self.0)
    }
}

fn with_layers(number: u64, track: u64) -> Arc<PeerInfo> {
    let mut info = member(number, "cam", &[track]);
    for publication in &mut Arc::make_mut(&mut info).publications {
        Arc::make_mut(publication).layers = ["q", "h", "f"]
            .into_iter()
            .zip(0_u8..)
            .map(|(rid, quality)| LayerInfo {
                quality,
                rid: Some(rid.to_owned()),
                width_px: 160 << quality,
                height_px: 90 << quality,
                bitrate_bps: 0,
            })
            .collect();
    }
    info
}

#[test]
fn a_publisher_enters_offers_and_is_answered() {
    let mut session = Session::new(Role::Publisher, "");
    assert_eq!(session.post(PUBLISHING), ["enter yard me"]);
    assert_eq!(session.enter(Grant::everything()), ["join"]);
    assert_eq!(
        session.join(Vec::new()),
        [
            "open 0 publish=true subscribe=false".to_owned(),
            format!("offer 0 {PUBLISHING}")
        ]
    );
    assert_eq!(session.answer(TAKEN), [format!("201 {TAKEN}")]);
    assert_eq!(session.ask(&Ask::Delete), ["200 ", "close"]);
    let late = session.tell(Event::Closed {
        reason: LeaveReason::Own,
    });
    assert!(late.is_empty(), "nothing after the end");
}

#[test]
fn the_answer_carries_tag_ways_and_what_may_be_patched() {
    let mut session = Session::new(Role::Publisher, "");
    session.post(PUBLISHING);
    session.enter(Grant::everything());
    session.join(Vec::new());
    let answer = Event::Answer {
        connection: ConnectionKey(0),
        sdp: TAKEN.to_owned(),
        number: 0,
        sections: Vec::new(),
    };
    session.0.handle_event(now(), Place(0), answer);
    let Some(DoorOutput::Frame(Frame::Text(text))) = session.0.poll_output() else {
        panic!("an answer");
    };
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        told["headers"],
        json!([
            ["content-type", "application/sdp"],
            ["etag", ETAG],
            ["accept-patch", "application/trickle-ice-sdpfrag"],
            ["link", "<stun:h:1>; rel=\"ice-server\""],
            [
                "link",
                "<turn:h:1?transport=tcp>; rel=\"ice-server\"; username=\"u\\\"1\"; credential=\"p\"; credential-type=\"password\""
            ],
        ])
    );
}

#[test]
fn what_cannot_be_is_told_by_its_status() {
    let ends = |status: &str, said: Vec<String>| {
        assert!(said[0].starts_with(status), "{said:?}");
        assert_eq!(said.last().map(String::as_str), Some("close"));
    };
    ends("400", Session::new(Role::Publisher, "").post("hello"));
    ends("422", Session::new(Role::Publisher, "").post(VIEWING));
    ends("422", Session::new(Role::Viewer, "").post(PUBLISHING));
    for (error, status) in [
        (EnterError::NotAllowed, "403"),
        (EnterError::NoSuchRoom, "404"),
        (EnterError::Mesh, "409"),
        (EnterError::RoomFull, "503"),
        (EnterError::Stopping, "503"),
    ] {
        let mut session = Session::new(Role::Viewer, "");
        session.post(VIEWING);
        session.0.handle_entered(now(), Place(0), Err(error));
        ends(status, drained(&mut session.0));
    }
    for (refusal, status) in [
        (Refusal::Sdp("odd".to_owned()), "400"),
        (Refusal::TooLarge("session description"), "413"),
        (Refusal::Limit("connections of this server"), "503"),
    ] {
        let mut session = Session::new(Role::Publisher, "");
        session.post(PUBLISHING);
        session.enter(Grant::everything());
        session.join(Vec::new());
        let request = RequestKind::Offer {
            connection: ConnectionKey(0),
            number: 0,
        };
        ends(status, session.tell(Event::Refused { request, refusal }));
    }
    let mut session = Session::new(Role::Publisher, "");
    session.post(PUBLISHING);
    session.enter(Grant::everything());
    session.join(Vec::new());
    ends(
        "422",
        session.answer("v=0\r\nm=video 0 X 96\r\na=inactive\r\n"),
    );
}

#[test]
fn rights_decide_what_may_be_offered() {
    let mute = Grant {
        publish: false,
        ..Grant::everything()
    };
    let mut session = Session::new(Role::Publisher, "");
    session.post(PUBLISHING);
    assert!(session.enter(mute.clone())[0].starts_with("403"));
    let mut session = Session::new(Role::Viewer, "");
    session.post(VIEWING);
    assert_eq!(session.enter(mute), ["join"]);
}

#[test]
fn viewers_are_hidden_and_publishers_are_seen() {
    for (role, query, offer, hidden) in [
        (Role::Publisher, "", PUBLISHING, false),
        (Role::Viewer, "", VIEWING, true),
        (Role::Viewer, "visible=1", VIEWING, false),
    ] {
        let mut session = Session::new(role, query);
        session.post(offer);
        let entered = Entered {
            peer: PeerId(99),
            room: room(),
            shards: ShardSet::default(),
            grant: Grant::everything(),
            attributes: BTreeMap::new(),
            hides_addresses: false,
        };
        session.0.handle_entered(now(), Place(0), Ok(entered));
        let Some(DoorOutput::Request(_, Request::Join(join))) = session.0.poll_output() else {
            panic!("a join");
        };
        assert_eq!(join.grant.hidden, hidden, "{role:?} {query}");
        assert_eq!(join.kind.0, u8::from(role == Role::Publisher));
    }
}

#[test]
fn a_viewer_is_answered_before_anybody_sends_and_follows_who_does() {
    let mut session = Session::new(Role::Viewer, "");
    session.post(VIEWING);
    session.enter(Grant::everything());
    assert_eq!(
        session.join(Vec::new()),
        [
            "open 0 publish=false subscribe=true".to_owned(),
            format!("offer 0 {VIEWING}"),
            "notice inactive {}".to_owned(),
            "notice layers {\"1\":{\"active\":[],\"inactive\":[],\"layers\":[]}}".to_owned(),
        ]
    );
    assert_eq!(session.answer(GIVEN), [format!("201 {GIVEN}")]);
    let published = Event::Published {
        peer: member(5, "cam", &[50]),
        track: TrackId(50),
    };
    assert_eq!(
        session.tell(published),
        [
            format!("subscribe 0 [{:?}]", TrackId(50)),
            "notice active {}".to_owned()
        ]
    );
    let gone = Event::Unsubscribed { track: TrackId(50) };
    assert_eq!(session.tell(gone), ["notice inactive {}"]);
    let left = Event::PeerLeft {
        peer: member(5, "cam", &[]),
        reason: LeaveReason::Own,
    };
    assert!(session.tell(left).is_empty());
}

#[test]
fn candidates_come_under_the_tag_of_their_session() {
    let mut session = Session::open(Role::Publisher, Vec::new());
    let own = "a=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    assert_eq!(
        session.patch(Some(ETAG), own),
        [
            "candidate 0 candidate:1 1 udp 1 192.0.2.1 9 typ host",
            "204 "
        ]
    );
    for (condition, fragment, status) in [
        (None, own, "428"),
        (Some("\"other\""), own, "412"),
        (Some("W/\"0000000000000007-0\""), own, "412"),
        (Some(ETAG), NEW, "422"),
        (Some(ETAG), "hello", "400"),
    ] {
        let said = session.patch(condition, fragment);
        assert!(said[0].starts_with(status), "{condition:?}: {said:?}");
        assert_eq!(said.len(), 1, "nothing is done: {said:?}");
    }
    let several = format!("\"other\", {ETAG}");
    assert_eq!(
        session
            .patch(Some(&several), own)
            .last()
            .map(String::as_str),
        Some("204 ")
    );
}

#[test]
fn ice_restarts_by_an_offer_of_the_same_sections() {
    let mut session = Session::open(Role::Publisher, Vec::new());
    let said = session.patch(Some("*"), NEW);
    assert_eq!(said.len(), 2, "the offer and the candidate: {said:?}");
    assert!(said[0].contains("a=ice-ufrag:bbbb"), "{said:?}");
    assert_eq!(
        session.answer(TAKEN),
        [
            "200 m=video 9 X 96\r\na=mid:0\r\na=ice-ufrag:ours\r\na=ice-pwd:oooooooooooooooooooooo\r\n"
        ]
    );
    assert!(
        session.patch(Some(ETAG), NEW)[0].starts_with("412"),
        "the old tag is over"
    );
    let again = "\"0000000000000007-1\"";
    assert_eq!(
        session.patch(Some(again), NEW).last().map(String::as_str),
        Some("204 ")
    );
}

#[test]
fn a_restart_that_fails_changes_nothing() {
    let mut session = Session::open(Role::Publisher, Vec::new());
    session.patch(Some("*"), NEW);
    let refused = Event::Refused {
        request: RequestKind::Offer {
            connection: ConnectionKey(0),
            number: 0,
        },
        refusal: Refusal::State("working"),
    };
    assert_eq!(session.tell(refused), ["422 not in this state: working"]);
    let own = "a=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n";
    assert_eq!(session.patch(Some(ETAG), own), ["204 "]);
}

#[test]
fn a_viewer_chooses_its_layer() {
    let mut session = Session::open(Role::Viewer, vec![with_layers(5, 50)]);
    let chosen = session.layer(&json!({"mediaId": "1", "encodingId": "h"}));
    assert_eq!(chosen, ["prefer", "200 "]);
    assert_eq!(session.layer(&json!({"mediaId": "1"})), ["prefer", "200 "]);
    let unknown = session.layer(&json!({"mediaId": "0", "encodingId": "h"}));
    assert!(
        unknown[0].starts_with("422"),
        "that is the sound: {unknown:?}"
    );
    assert!(session.layer(&json!({"encodingId": "x"}))[0].starts_with("422"));
    assert!(session.layer(&json!("h"))[0].starts_with("400"));
    let notices = session.ask(&Ask::Notices);
    assert!(
        notices[0].contains("\\\"encodingId\\\":\\\"f\\\""),
        "{notices:?}"
    );
    assert!(notices[0].contains("\"event\":\"active\""), "{notices:?}");
}

#[test]
fn what_cannot_be_decoded_is_passed_over() {
    let others = vec![member(5, "cam", &[50]), member(6, "dog", &[60])];
    let mut session = Session::open(Role::Viewer, others);
    let refused = Event::Refused {
        request: RequestKind::Subscribe(TrackId(50)),
        refusal: Refusal::Codec,
    };
    assert_eq!(
        session.tell(refused),
        [format!("subscribe 0 [{:?}]", TrackId(60))]
    );
}
