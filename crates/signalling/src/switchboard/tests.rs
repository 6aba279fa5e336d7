use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionKey, Event, Grant, Identity, LeaveReason, PeerId, Refusal, Request, RequestKind,
    RoomName, ShardSet, TrackId,
};

use super::{Happening, Output, Purpose, Switchboard};
use crate::door::{DoorOutput, EnterError, Entered, Place};
use crate::patchbay::{Medium, Name};
use crate::testing::{member, room, short};

const CONNECTION: ConnectionKey = ConnectionKey(0);
const ANSWER: &str =
    "v=0\r\nm=audio 9 x\r\na=mid:a\r\na=candidate:1 1 udp 1 127.0.0.1 7882 typ host\r\n";
const BOTH: Purpose = Purpose {
    takes: true,
    gives: true,
    has_data: true,
};

type Board = Switchboard<&'static str>;

fn name(name: &str) -> Name {
    Arc::from(name)
}

/// What came of it, in short words.
fn said(board: &mut Board) -> Vec<String> {
    std::iter::from_fn(|| board.poll_output())
        .map(|output| match output {
            Output::Door(DoorOutput::Enter(place, entrance)) => {
                format!("enter {} {}", place.0, entrance.room)
            }
            Output::Door(DoorOutput::Request(place, request)) => {
                format!("{} {}", place.0, shown(&request))
            }
            Output::Door(DoorOutput::Quit(place)) => format!("quit {}", place.0),
            Output::Door(other) => format!("{other:?}"),
            Output::Heard(who, news) => format!("{who} hears {news:?}"),
            Output::Made(name) => format!("made {name}"),
            Output::NotMade(name) => format!("not made {name}"),
            Output::Happened(name, Happening::Candidate { mid, candidate }) => {
                format!("{name} {mid} {candidate}")
            }
            Output::Happened(name, happening) => format!("{name} {happening:?}"),
        })
        .collect()
}

/// With the numbers of offers, and what is asked for with them.
fn shown(request: &Request) -> String {
    if let Request::Offer { sdp, number, .. } = request {
        return format!("offer {number} {sdp}");
    }
    if let Request::Open { options, .. } = request {
        return format!("open {:?}", options.bitrate_max_bps);
    }
    short(request)
}

fn enter(board: &mut Board, place: u32) -> Vec<String> {
    let entered = Entered {
        peer: PeerId(100 + u64::from(place)),
        room: room(),
        shards: ShardSet::default(),
        grant: Grant::everything(),
        attributes: BTreeMap::new(),
        hides_addresses: false,
    };
    board.handle_entered(Place(place), Ok(entered));
    said(board)
}

fn add(board: &mut Board, line: &str) -> Vec<String> {
    let identity = Identity::new(line);
    board.add(&name(line), RoomName::new("yard"), identity, BOTH, "maker");
    said(board)
}

/// A board with these lines, each in its room.
fn board(lines: &[&str], is_shared: bool) -> Board {
    let mut board = Board::new(None, is_shared);
    for (line, place) in lines.iter().zip(0..) {
        assert_eq!(add(&mut board, line), [format!("enter {place} yard")]);
        let made = [
            format!("{place} join"),
            format!("maker hears Made({line:?})"),
            format!("made {line}"),
        ];
        assert_eq!(enter(&mut board, place), made);
    }
    board
}

fn offer(board: &mut Board, line: &str, sdp: &str) -> Vec<String> {
    match board.offer(&name(line), sdp, "offerer") {
        Ok(()) => said(board),
        Err(news) => vec![format!("{news:?}")],
    }
}

fn tell(board: &mut Board, place: u32, event: Event) -> Vec<String> {
    board.handle_event(Place(place), event);
    said(board)
}

fn answer(board: &mut Board, place: u32) -> Vec<String> {
    let answer = Event::Answer {
        connection: CONNECTION,
        sdp: ANSWER.to_owned(),
        number: 0,
        sections: Vec::new(),
    };
    tell(board, place, answer)
}

fn refuse(board: &mut Board, request: RequestKind, refusal: Refusal) -> Vec<String> {
    tell(board, 0, Event::Refused { request, refusal })
}

#[test]
fn an_offer_is_answered_and_candidates_come_when_they_are_wanted() {
    let mut board = board(&["a"], false);
    board.line(&name("a")).expect("a line").bitrate_max_kbps = 500;
    assert_eq!(
        offer(&mut board, "a", "OFFER"),
        ["0 open Some(500000)", "0 offer 0 OFFER"]
    );
    board.gather(&name("a"));
    assert_eq!(said(&mut board), [""; 0]);
    assert_eq!(
        answer(&mut board, 0),
        [
            format!("offerer hears Answered({ANSWER:?})"),
            "a Started".to_owned(),
            "a a candidate:1 1 udp 1 127.0.0.1 7882 typ host".to_owned(),
            "a Gathered".to_owned(),
        ]
    );
    board.gather(&name("a"));
    assert_eq!(said(&mut board), [""; 0]);
    assert_eq!(offer(&mut board, "a", "AGAIN"), ["LateOffer"]);
}

#[test]
fn an_offer_waits_for_the_room() {
    let mut board = board(&[], false);
    add(&mut board, "a");
    assert_eq!(offer(&mut board, "a", "OFFER"), [""; 0]);
    let outputs = enter(&mut board, 0);
    assert_eq!(outputs[3..], ["0 open None", "0 offer 0 OFFER"]);
}

#[test]
fn after_an_offer_that_is_refused_another_may_follow() {
    let mut board = board(&["a"], false);
    assert_eq!(offer(&mut board, "a", ""), ["NoOffer"]);
    let long = offer(&mut board, "a", &"a".repeat(70_000));
    assert_eq!(long, ["OfferRefused(TooLarge(\"offer\"))"]);
    offer(&mut board, "a", "BAD");
    assert_eq!(offer(&mut board, "a", "AGAIN"), ["LateOffer"]);
    let request = RequestKind::Offer {
        connection: CONNECTION,
        number: 0,
    };
    let refused = refuse(&mut board, request, Refusal::Limit("x"));
    assert_eq!(refused, ["offerer hears OfferRefused(Limit(\"x\"))"]);
    assert_eq!(offer(&mut board, "a", "BETTER"), ["0 offer 1 BETTER"]);
}

#[test]
fn who_may_not_enter_has_no_line() {
    let mut board = board(&[], false);
    add(&mut board, "a");
    board.handle_entered(Place(0), Err(EnterError::RoomFull));
    assert_eq!(
        said(&mut board),
        ["not made a", "maker hears NotMade(RoomFull)"]
    );
    assert!(board.line(&name("a")).is_none());
    assert_eq!(offer(&mut board, "a", "OFFER"), ["LateOffer"]);
}

#[test]
fn what_is_removed_quits_and_tells_who_waits() {
    let mut board = board(&["a", "b"], false);
    offer(&mut board, "b", "OFFER");
    let plugged = |board: &mut Board| {
        board
            .patchbay
            .connect(&name("a"), &name("b"), Some(Medium::Audio));
        said(board).len()
    };
    assert_eq!(plugged(&mut board), 1);
    board.remove(&name("b"));
    let outputs = said(&mut board);
    assert!(outputs[0].starts_with("a Unplugged"), "{outputs:?}");
    assert_eq!(outputs[1..], ["offerer hears Removed(\"b\")", "quit 1"]);
    board.remove(&name("b"));
    assert_eq!(said(&mut board), [""; 0]);
    add(&mut board, "c");
    board.remove(&name("c"));
    assert_eq!(said(&mut board), ["maker hears Removed(\"c\")", "quit 2"]);
    // The place is given all the same.
    assert_eq!(enter(&mut board, 2), ["quit 2"]);
}

#[test]
fn the_way_to_the_client_is_told_when_it_changes() {
    let mut board = board(&["a"], false);
    let (up, down) = (
        Event::Connected {
            connection: CONNECTION,
        },
        Event::Disconnected {
            connection: CONNECTION,
        },
    );
    assert_eq!(tell(&mut board, 0, down.clone()), [""; 0]);
    assert_eq!(tell(&mut board, 0, up.clone()), ["a Linked(true)"]);
    assert_eq!(tell(&mut board, 0, up.clone()), [""; 0]);
    assert_eq!(tell(&mut board, 0, down), ["a Linked(false)"]);
    tell(&mut board, 0, up);
    offer(&mut board, "a", "OFFER");
    let reason = LeaveReason::ConnectionLost;
    assert_eq!(
        tell(&mut board, 0, Event::Closed { reason }),
        [
            "offerer hears Over(Some(\"the media connection was lost\"))",
            "a Linked(false)",
            "a Over(Some(\"the media connection was lost\"))",
        ]
    );
    assert_eq!(offer(&mut board, "a", "OFFER"), ["LateOffer"]);
    board.remove(&name("a"));
    assert_eq!(said(&mut board), [""; 0]);
}

#[test]
fn of_what_the_core_refuses_only_some_is_told() {
    let mut board = board(&["a"], false);
    let track = || RequestKind::Subscribe(TrackId(7));
    let codec = refuse(&mut board, track(), Refusal::Codec);
    assert_eq!(codec, ["a Unheard(Codec)"]);
    let late = refuse(&mut board, track(), Refusal::NotFound("track"));
    assert_eq!(late, [""; 0]);
    let data = refuse(&mut board, RequestKind::Data, Refusal::NotAllowed);
    assert_eq!(data, [""; 0]);
    let join = refuse(&mut board, RequestKind::Join, Refusal::NotAllowed);
    assert_eq!(join, ["a Over(Some(\"not allowed by the token\"))"]);
}

#[test]
fn what_the_own_client_sends_goes_where_it_is_connected_to() {
    let mut board = board(&["a", "b"], false);
    offer(&mut board, "b", "OFFER");
    board.patchbay.connect(&name("a"), &name("b"), None);
    assert_eq!(said(&mut board).len(), 3);
    let other = Event::PeerUpdated(member(5, "other", &[9]));
    assert_eq!(tell(&mut board, 0, other), [""; 0]);
    let own = Event::PeerUpdated(member(100, "a", &[7]));
    assert_eq!(
        tell(&mut board, 0, own),
        [format!("1 subscribe 0 {:?}", [TrackId(7)])]
    );
}

#[test]
fn data_reach_a_room_that_is_shared() {
    let data = || Event::DataReceived {
        label: Arc::from("x"),
        payload: Bytes::from_static(b"hello"),
        binary: false,
    };
    for (is_shared, last) in [(false, None), (true, Some("0 data x Others b\"hello\""))] {
        let mut board = board(&["a", "b"], is_shared);
        let label = Arc::from("y");
        tell(&mut board, 1, Event::ChannelOpen { label });
        board
            .patchbay
            .connect(&name("a"), &name("b"), Some(Medium::Data));
        said(&mut board);
        let outputs = tell(&mut board, 0, data());
        let expected: Vec<&str> = ["1 send y b\"hello\""].into_iter().chain(last).collect();
        assert_eq!(outputs, expected);
    }
}
