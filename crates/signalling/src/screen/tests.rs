use std::sync::Arc;

use madang_sfu::api::{MediaKind, PeerInfo, TrackId};

use super::{Changes, Screen};
use crate::roster::Roster;
use crate::sdp::media;
use crate::testing::member;

const ONE_VIDEO: &str = "v=0\r\nm=video 9 X 96\r\na=mid:v\r\na=recvonly\r\n";

fn roster(members: Vec<Arc<PeerInfo>>) -> Roster {
    let mut roster = Roster::default();
    roster.set(members);
    roster
}

/// With a microphone only.
fn speaker(number: u64, track: u64) -> Arc<PeerInfo> {
    let mut info = member(number, "speaker", &[track]);
    let publications = &mut Arc::make_mut(&mut info).publications;
    for publication in publications {
        Arc::make_mut(publication).kind = MediaKind::Audio;
    }
    info
}

fn changes(off: &[u64], on: &[u64]) -> Changes {
    let ids = |ids: &[u64]| ids.iter().map(|id| TrackId(*id)).collect();
    Changes {
        off: ids(off),
        on: ids(on),
    }
}

#[test]
fn who_came_first_is_watched_until_he_stops() {
    let mut screen = Screen::new(&media(ONE_VIDEO));
    let mut late = member(1, "late", &[11]);
    Arc::make_mut(&mut late).joined_wall_ms = 9;
    let both = roster(vec![late, member(2, "early", &[21])]);
    assert_eq!(screen.update(&both, None), changes(&[], &[21]));
    assert_eq!(screen.update(&both, None), changes(&[], &[]));
    let silent = roster(vec![member(1, "late", &[11]), member(2, "early", &[])]);
    screen.take_off(TrackId(21));
    assert_eq!(screen.update(&silent, None), changes(&[], &[11]));
    let back = roster(vec![member(1, "late", &[11]), member(2, "early", &[22])]);
    assert_eq!(
        screen.update(&back, None),
        changes(&[], &[]),
        "nobody is put off who is watched"
    );
}

#[test]
fn the_one_of_that_name_is_watched_and_nobody_else() {
    let mut screen = Screen::new(&media(ONE_VIDEO));
    let others = roster(vec![member(1, "anna", &[11]), member(2, "bert", &[21])]);
    assert_eq!(screen.update(&others, Some("bert")), changes(&[], &[21]));
    assert_eq!(screen.update(&others, Some("nobody")), changes(&[21], &[]));
}

#[test]
fn a_picture_is_preferred_to_a_voice() {
    let sdp = format!("{ONE_VIDEO}m=audio 9 X 111\r\na=mid:a\r\na=recvonly\r\n");
    let mut screen = Screen::new(&media(&sdp));
    let alone = roster(vec![speaker(1, 11)]);
    assert_eq!(screen.update(&alone, None), changes(&[], &[11]));
    let both = roster(vec![speaker(1, 11), member(2, "anna", &[21])]);
    assert_eq!(screen.update(&both, None), changes(&[11], &[21]));
}

#[test]
fn as_many_are_watched_as_have_a_section() {
    let sdp = format!("{ONE_VIDEO}m=video 9 X 96\r\na=mid:w\r\na=recvonly\r\n");
    let mut screen = Screen::new(&media(&sdp));
    let three = [(1, "a"), (2, "b"), (3, "c")];
    let three = three.map(|(number, name)| member(number, name, &[number * 10]));
    let all = roster(three.to_vec());
    assert_eq!(screen.update(&all, None), changes(&[], &[10, 20]));
    let mids: Vec<_> = screen.videos().map(|s| (s.mid.as_str(), s.track)).collect();
    assert_eq!(mids, [("v", Some(TrackId(10))), ("w", Some(TrackId(20)))]);
}

#[test]
fn what_cannot_be_decoded_makes_room() {
    let mut screen = Screen::new(&media(ONE_VIDEO));
    let both = roster(vec![member(1, "a", &[10]), member(2, "b", &[20])]);
    assert_eq!(screen.update(&both, None), changes(&[], &[10]));
    screen.cannot_show(TrackId(10));
    assert!(!screen.is_active());
    assert_eq!(screen.update(&both, None), changes(&[], &[20]));
}
