use std::sync::Arc;

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionKey, Event, LeaveReason, PlainData, Refusal, RequestKind, TrackId,
};

use super::One2Many;
use crate::door::{Door as _, EnterError, FORM_PLAIN, Place};
use crate::testing::{enter, member, now, said, tell, text};

const ANSWER: &str = "v=0\r\nm=audio 9 x\r\na=mid:a\r\na=candidate:1 1 udp 1 127.0.0.1 7882 typ host\r\nm=video 9 x\r\na=mid:b\r\n";

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
    let out = text(&mut door, r#"{"id":"viewer","sdpOffer":"OFFER"}"#);
    assert_eq!(out, ["enter 0 hall viewer-0000000000000002-0 any"]);
    let out = enter(&mut door, 0, "viewer", vec![member(1, "presenter", &[])]);
    assert_eq!(out, ["0 join"]);
    let presenter = member(1, "presenter", &[5, 6]);
    let out = tell(
        &mut door,
        0,
        Event::Published {
            peer: Arc::clone(&presenter),
            track: TrackId(6),
        },
    );
    let subscribe = format!("0 subscribe 0 {:?}", [TrackId(5), TrackId(6)]);
    assert_eq!(
        out,
        [
            "0 open 0 publish=false subscribe=true",
            subscribe.as_str(),
            "0 offer 0 OFFER"
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
