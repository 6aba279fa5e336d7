use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionKey, Event, LeaveReason, Now, PeerInfo, PlainData, Refusal, RequestKind, TrackId,
};

use super::One2Many;
use crate::door::{Door as _, EnterError, FORM_PLAIN, Place};
use crate::testing::{enter, member, now, said, tell, text};

const ANSWER: &str = "v=0\r\nm=audio 9 x\r\na=mid:a\r\na=candidate:1 1 udp 1 127.0.0.1 7882 typ host\r\nm=video 9 x\r\na=mid:b\r\n";

/// Of a viewer who takes a picture of two cameras; a description in earnest is the core's to read.
const TWO: &str = "m=video 9 x\r\na=recvonly\r\nm=video 9 x\r\na=recvonly\r\n";

fn viewer(sdp: &str) -> String {
    serde_json::json!({ "id": "viewer", "sdpOffer": sdp }).to_string()
}

fn node() -> One2Many {
    One2Many::node("", 7).expect("a door")
}

fn answer() -> Event {
    Event::Answer {
        connection: ConnectionKey(0),
        sdp: ANSWER.to_owned(),
        number: 0,
        sections: Vec::new(),
    }
}

#[test]
fn a_presenter_is_alone_and_gets_candidates_before_its_answer() {
    let mut door = node();
    let out = text(&mut door, r#"{"id":"presenter","sdpOffer":"OFFER"}"#);
    assert_eq!(out, ["enter 0 one2many presenter alone"]);
    let out = enter(&mut door, 0, "presenter", vec![]);
    assert_eq!(
        out,
        [
            "0 join",
            "0 open 0 publish=true subscribe=false",
            "0 offer 0 OFFER"
        ]
    );
    let out = tell(&mut door, 0, answer());
    assert_eq!(out.len(), 2);
    let candidate: serde_json::Value = serde_json::from_str(&out[0]).expect("JSON");
    assert_eq!(candidate["id"], "iceCandidate");
    assert_eq!(
        candidate["candidate"]["candidate"],
        "candidate:1 1 udp 1 127.0.0.1 7882 typ host"
    );
    assert_eq!(candidate["candidate"]["sdpMid"], "a");
    assert_eq!(candidate["candidate"]["__module__"], "kurento");
    let response: serde_json::Value = serde_json::from_str(&out[1]).expect("JSON");
    assert_eq!(response["id"], "presenterResponse");
    assert_eq!(response["response"], "accepted");
    assert_eq!(response["sdpAnswer"], ANSWER);
    assert_eq!(text(&mut door, r#"{"id":"stop"}"#), ["quit 0"]);
}

#[test]
fn each_flavour_refuses_in_its_own_words() {
    let sentences = [
        (
            One2Many::node("", 1),
            "Another user is currently acting as presenter. Try again later ...",
            "No active presenter. Try again later...",
        ),
        (
            One2Many::java("", 1),
            "Another user is currently acting as sender. Try again later ...",
            "No active sender now. Become sender or . Try again later ...",
        ),
    ];
    for (door, taken, nobody) in sentences {
        let mut door = door.expect("a door");
        text(&mut door, r#"{"id":"presenter","sdpOffer":"OFFER"}"#);
        door.handle_entered(now(), Place(0), Err(EnterError::Taken));
        let out = said(&mut door);
        assert!(
            out.len() == 1 && out[0].contains(taken) && out[0].contains("presenterResponse"),
            "{out:?}"
        );
        text(&mut door, r#"{"id":"viewer","sdpOffer":"OFFER"}"#);
        let out = enter(&mut door, 1, "viewer-x", vec![]);
        assert_eq!(out[0], "1 join");
        assert!(
            out[1].contains(nobody) && out[1].contains("viewerResponse"),
            "{out:?}"
        );
        assert_eq!(out[2], "quit 1");
    }
}

#[test]
fn a_viewer_waits_for_the_tracks_and_hears_of_the_end() {
    let mut door = One2Many::java("room=hall", 2).expect("a door");
    let out = text(&mut door, &viewer(TWO));
    assert_eq!(out, ["enter 0 hall viewer-0000000000000002-0 any"]);
    let out = enter(&mut door, 0, "viewer", vec![member(1, "presenter", &[])]);
    assert_eq!(out, ["0 join"]);
    // What is announced comes track by track; half of it is not answered.
    let published = |track: u64, tracks: &[u64]| Event::Published {
        peer: member(1, "presenter", tracks),
        track: TrackId(track),
    };
    assert_eq!(tell(&mut door, 0, published(5, &[5])), [""; 0]);
    let presenter = member(1, "presenter", &[5, 6]);
    let out = tell(&mut door, 0, published(6, &[5, 6]));
    let subscribe = format!("0 subscribe 0 {:?}", [TrackId(5), TrackId(6)]);
    assert_eq!(
        out,
        [
            "0 open 0 publish=false subscribe=true",
            subscribe.as_str(),
            &format!("0 offer 0 {TWO}"),
        ]
    );
    let out = tell(&mut door, 0, answer());
    assert!(
        out[0].contains("viewerResponse") && out[1].contains("iceCandidate"),
        "{out:?}"
    );
    assert!(
        !out[1].contains("__module__"),
        "Java's candidates are plain: {out:?}"
    );
    let out = text(&mut door, r#"{"id":"viewer","sdpOffer":"OFFER"}"#);
    assert!(
        out[0].contains("You are already viewing in this session."),
        "{out:?}"
    );
    let out = tell(
        &mut door,
        0,
        Event::PeerLeft {
            peer: presenter,
            reason: LeaveReason::Own,
        },
    );
    assert_eq!(out, [r#"{"id":"stopCommunication"}"#, "quit 0"]);
}

#[test]
fn data_goes_from_the_presenter_to_the_channels_of_viewers() {
    let mut presenter = node();
    text(&mut presenter, r#"{"id":"presenter","sdpOffer":"OFFER"}"#);
    enter(&mut presenter, 0, "presenter", vec![]);
    let payload = Bytes::from_static(b"hi");
    let event = Event::DataReceived {
        label: Arc::from("p1"),
        payload: payload.clone(),
        binary: false,
    };
    assert_eq!(
        tell(&mut presenter, 0, event),
        [r#"0 data p1 Others b"hi""#]
    );

    let mut viewer = node();
    text(&mut viewer, r#"{"id":"viewer","sdpOffer":"OFFER"}"#);
    enter(&mut viewer, 0, "viewer", vec![member(1, "presenter", &[5])]);
    tell(
        &mut viewer,
        0,
        Event::ChannelOpen {
            label: Arc::from("v1"),
        },
    );
    let event = Event::Data {
        from: madang_sfu::api::PeerId(1),
        identity: "presenter".into(),
        label: Arc::from("p1"),
        reliable: true,
        binary: false,
        form: FORM_PLAIN,
        payload: payload.clone(),
        plain: Some(PlainData {
            label: Arc::from("p1"),
            payload,
        }),
    };
    assert_eq!(tell(&mut viewer, 0, event), [r#"0 send v1 b"hi""#]);
    let event = Event::DataReceived {
        label: Arc::from("v1"),
        payload: Bytes::from_static(b"no"),
        binary: false,
    };
    assert!(
        tell(&mut viewer, 0, event).is_empty(),
        "viewers do not speak"
    );
}

#[test]
fn what_is_no_message_is_answered_and_harms_nobody() {
    let deep = "[".repeat(5_000);
    for noise in [
        "",
        "x",
        "null",
        "[]",
        "{}",
        r#"{"id":5}"#,
        r#"{"id":"subscribe"}"#,
        deep.as_str(),
    ] {
        assert_eq!(
            text(&mut node(), noise),
            [r#"{"id":"error","message":"Invalid message [object Object]"}"#],
            "{noise:.20}"
        );
        let mut java = One2Many::java("", 1).expect("a door");
        assert!(text(&mut java, noise).is_empty(), "{noise:.20}");
    }
    let out = text(&mut node(), r#"{"id":"presenter"}"#);
    assert!(out[0].contains("sdpOffer is missing"), "{out:?}");
    assert!(
        text(
            &mut node(),
            r#"{"id":"onIceCandidate","candidate":{"candidate":"candidate:1"}}"#
        )
        .is_empty()
    );
    assert!(One2Many::node(&format!("room={}", "r".repeat(300)), 1).is_err());
}

#[test]
fn a_refused_offer_is_a_rejection() {
    let mut door = node();
    text(&mut door, r#"{"id":"presenter","sdpOffer":"junk"}"#);
    enter(&mut door, 0, "presenter", vec![]);
    let request = RequestKind::Offer {
        connection: ConnectionKey(0),
        number: 0,
    };
    let out = tell(
        &mut door,
        0,
        Event::Refused {
            request,
            refusal: Refusal::Sdp("line 1".to_owned()),
        },
    );
    assert!(
        out[0].contains("rejected") && out[0].contains("line 1"),
        "{out:?}"
    );
    assert_eq!(out[1], "quit 0");
}

/// As this door's own members are known.
fn of_this_door(number: u64, role: &str) -> Arc<PeerInfo> {
    let identity = if role == "presenter" { role } else { "v" };
    let mut info = PeerInfo::clone(&member(number, identity, &[]));
    let attributes = [("door", "one2many"), ("role", role)];
    info.attributes = attributes
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    Arc::new(info)
}

#[test]
fn who_wishes_to_waits_and_is_answered_when_the_presenter_comes() {
    let mut door = One2Many::node("wait=1", 2).expect("a door");
    text(&mut door, &viewer(TWO));
    let out = enter(&mut door, 0, "viewer", vec![]);
    assert_eq!(out, ["0 join", r#"{"id":"waiting"}"#]);
    let joined = Event::PeerJoined(member(1, "presenter", &[]));
    assert_eq!(tell(&mut door, 0, joined), [""; 0]);
    let published = Event::Published {
        peer: member(1, "presenter", &[5]),
        track: TrackId(5),
    };
    assert_eq!(tell(&mut door, 0, published), [""; 0]);
    // There is only one track, although two are taken.
    let at = door.poll_timeout().expect("it waits for the second");
    door.handle_timeout(Now {
        instant: at,
        ..now()
    });
    let subscribe = format!("0 subscribe 0 {:?}", [TrackId(5)]);
    let offer = format!("0 offer 0 {TWO}");
    assert_eq!(
        said(&mut door),
        [
            "0 open 0 publish=false subscribe=true",
            subscribe.as_str(),
            offer.as_str()
        ]
    );
    assert_eq!(door.poll_timeout(), None);
    // He stops, and may come again: the page asks anew.
    let stopped = Event::Unpublished {
        peer: member(1, "presenter", &[]),
        track: TrackId(5),
    };
    assert_eq!(
        tell(&mut door, 0, stopped),
        [r#"{"id":"stopCommunication"}"#, "quit 0"]
    );
    text(&mut door, &viewer(TWO));
    let out = enter(&mut door, 1, "viewer", vec![]);
    assert_eq!(out, ["1 join", r#"{"id":"waiting"}"#]);
}

#[test]
fn who_wishes_to_hears_how_many_watch_at_most_once_a_second() {
    let mut door = One2Many::node("count=1", 2).expect("a door");
    text(&mut door, r#"{"id":"presenter","sdpOffer":"OFFER"}"#);
    let other = member(7, "somebody by another door", &[]);
    let out = enter(
        &mut door,
        0,
        "presenter",
        vec![of_this_door(1, "viewer"), other],
    );
    assert_eq!(
        out.last().map(String::as_str),
        Some(r#"{"count":1,"id":"viewers"}"#)
    );
    let start = now();
    let mut at = |ms: u64, event: Event| {
        let now = Now {
            instant: start.instant + Duration::from_millis(2_000 + ms),
            ..start
        };
        door.handle_event(now, Place(0), event);
        (said(&mut door), door.poll_timeout())
    };
    let joined = |number: u64| Event::PeerJoined(of_this_door(number, "viewer"));
    let left = |number: u64| Event::PeerLeft {
        peer: of_this_door(number, "viewer"),
        reason: LeaveReason::Own,
    };
    assert_eq!(
        at(0, joined(2)),
        (vec![r#"{"count":2,"id":"viewers"}"#.to_owned()], None)
    );
    let due_at = start.instant + Duration::from_millis(3_000);
    let due = Some(due_at);
    assert_eq!(at(100, joined(3)), (vec![], due));
    assert_eq!(at(200, joined(4)), (vec![], due));
    // As many as were told: nothing to tell.
    assert_eq!(at(300, left(3)).1, due);
    assert_eq!(at(300, left(4)), (vec![], None));
    assert_eq!(at(400, left(2)), (vec![], due));
    door.handle_timeout(Now {
        instant: due_at,
        ..start
    });
    assert_eq!(said(&mut door), [r#"{"count":1,"id":"viewers"}"#]);

    // A viewer counts itself.
    let mut door = One2Many::java("count=1&wait=1", 3).expect("a door");
    text(&mut door, &viewer(TWO));
    let out = enter(&mut door, 0, "viewer", vec![of_this_door(1, "viewer")]);
    assert_eq!(
        out.last().map(String::as_str),
        Some(r#"{"count":2,"id":"viewers"}"#)
    );
}

#[test]
fn a_presenter_with_a_seat_has_it_again_and_is_told_who_took_it() {
    let mut door = One2Many::node("seat=k1", 2).expect("a door");
    let out = text(&mut door, r#"{"id":"presenter","sdpOffer":"OFFER"}"#);
    assert_eq!(out, ["enter 0 one2many presenter alone with k1"]);
    enter(&mut door, 0, "presenter", vec![]);
    let reason = LeaveReason::Duplicate;
    let out = tell(&mut door, 0, Event::Closed { reason });
    assert_eq!(
        out,
        [
            r#"{"id":"presenterResponse","message":"somebody else took this place","response":"rejected"}"#
        ]
    );
    // A viewer needs none.
    let out = text(&mut door, &viewer(TWO));
    assert_eq!(out, ["enter 1 one2many viewer-0000000000000002-1 any"]);
    // The tutorials have no such word.
    let mut door = node();
    text(&mut door, r#"{"id":"presenter","sdpOffer":"OFFER"}"#);
    enter(&mut door, 0, "presenter", vec![]);
    assert_eq!(tell(&mut door, 0, Event::Closed { reason }), [""; 0]);
    assert!(One2Many::node(&format!("seat={}", "k".repeat(300)), 1).is_err());
}
