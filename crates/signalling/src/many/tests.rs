use std::sync::Arc;

use madang_sfu::api::{ConnectionKey, Event, LeaveReason, TrackId};

use super::Many;
use crate::door::{Door as _, EnterError, Place};
use crate::testing::{enter, member, now, said, tell, text};

fn door() -> Many {
    Many::new("abc", None)
}

/// Inside, with the list asked for.
fn inside(others: Vec<Arc<madang_sfu::api::PeerInfo>>) -> Many {
    let mut door = door();
    text(&mut door, r#"["joinRoom",{"id":"abc","roomID":"1234"}]"#);
    enter(&mut door, 0, "abc", others);
    door
}

#[test]
fn an_offer_from_before_the_room_is_handled_inside() {
    let mut door = door();
    let out = text(
        &mut door,
        r#"["senderOffer",{"sdp":{"type":"offer","sdp":"UP"},"senderSocketID":"forged","roomID":"7"}]"#,
    );
    assert_eq!(out, ["enter 0 7 abc any"]);
    let out = text(&mut door, r#"["joinRoom",{"id":"forged","roomID":"7"}]"#);
    assert!(out.is_empty());
    let out = enter(
        &mut door,
        0,
        "abc",
        vec![member(1, "old", &[5]), member(2, "silent", &[])],
    );
    assert_eq!(
        out,
        [
            "0 join",
            "0 open 0 publish=true subscribe=false",
            "0 offer 0 UP",
            r#"["allUsers",{"users":[{"id":"old"}]}]"#
        ]
    );
    let answer = Event::Answer {
        connection: ConnectionKey(0),
        sdp: "DOWN".into(),
        number: 0,
        sections: Vec::new(),
    };
    assert_eq!(
        tell(&mut door, 0, answer),
        [r#"["getSenderAnswer",{"sdp":{"sdp":"DOWN","type":"answer"}}]"#]
    );
}

#[test]
fn every_watched_member_has_a_connection_of_its_own() {
    let mut door = inside(vec![member(1, "one", &[5, 6]), member(2, "two", &[7])]);
    for (sender, key, tracks) in [
        ("one", 1, vec![TrackId(5), TrackId(6)]),
        ("two", 2, vec![TrackId(7)]),
    ] {
        let offer = format!(
            r#"["receiverOffer",{{"sdp":{{"type":"offer","sdp":"O"}},"receiverSocketID":"x","senderSocketID":"{sender}"}}]"#
        );
        let out = text(&mut door, &offer);
        let subscribe = format!("0 subscribe {key} {tracks:?}");
        assert_eq!(
            out,
            [
                format!("0 open {key} publish=false subscribe=true"),
                subscribe,
                format!("0 offer {key} O")
            ]
        );
        let answer = Event::Answer {
            connection: ConnectionKey(key),
            sdp: "A".into(),
            number: 0,
            sections: Vec::new(),
        };
        let expected = format!(
            r#"["getReceiverAnswer",{{"id":"{sender}","sdp":{{"sdp":"A","type":"answer"}}}}]"#
        );
        assert_eq!(tell(&mut door, 0, answer), [expected]);
    }
    let out = text(
        &mut door,
        r#"["receiverCandidate",{"candidate":{"candidate":"candidate:1"},"senderSocketID":"two"}]"#,
    );
    assert_eq!(out, ["0 candidate 2 candidate:1"]);
    let left = Event::PeerLeft {
        peer: member(1, "one", &[]),
        reason: LeaveReason::Own,
    };
    assert_eq!(
        tell(&mut door, 0, left),
        ["0 close 1", r#"["userExit",{"id":"one"}]"#]
    );
}

#[test]
fn newcomers_are_announced_once_when_they_publish() {
    let mut door = inside(vec![]);
    assert!(tell(&mut door, 0, Event::PeerJoined(member(1, "new", &[]))).is_empty());
    let published = |tracks: &[u64]| Event::Published {
        peer: member(1, "new", tracks),
        track: TrackId(5),
    };
    assert_eq!(
        tell(&mut door, 0, published(&[5])),
        [r#"["userEnter",{"id":"new"}]"#]
    );
    assert!(tell(&mut door, 0, published(&[5, 6])).is_empty());
    let unpublished = Event::Unpublished {
        peer: member(1, "new", &[]),
        track: TrackId(5),
    };
    assert_eq!(
        tell(&mut door, 0, unpublished),
        [r#"["userExit",{"id":"new"}]"#]
    );
}

#[test]
fn what_is_no_message_is_answered_and_harms_nobody() {
    let deep = "[".repeat(5_000);
    let noises = [
        "",
        "x",
        "null",
        "{}",
        "[]",
        "[5]",
        r#"["senderOffer"]"#,
        r#"["senderOffer",null]"#,
        r#"["senderOffer",{"sdp":null}]"#,
        r#"["senderOffer",{"sdp":{"type":"offer"}}]"#,
        r#"["joinRoom",5]"#,
        r#"["joinRoom",{"roomID":5}]"#,
        r#"["joinRoom",{"roomID":""}]"#,
        r#"["receiverOffer",{"sdp":{"sdp":"x"}}]"#,
        r#"["__proto__",{}]"#,
        deep.as_str(),
    ];
    for noise in noises {
        let out = text(&mut door(), noise);
        assert!(
            out.len() == 1 && out[0].starts_with(r#"["error",{"message":""#),
            "{noise:.40}: {out:?}"
        );
    }
    let out = text(
        &mut inside(vec![]),
        r#"["receiverOffer",{"sdp":{"sdp":"x"},"senderSocketID":"constructor"}]"#,
    );
    assert_eq!(out, [r#"["error",{"message":"there is no such member"}]"#]);
}

#[test]
fn a_full_room_is_said_and_another_may_be_tried() {
    let mut door = door();
    text(&mut door, r#"["joinRoom",{"roomID":"a"}]"#);
    door.handle_entered(now(), Place(0), Err(EnterError::RoomFull));
    assert_eq!(said(&mut door), [r#"["error",{"message":"room is full"}]"#]);
    assert_eq!(
        text(&mut door, r#"["joinRoom",{"roomID":"b"}]"#),
        ["enter 0 b abc any"]
    );
}
