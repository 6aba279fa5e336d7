//! Packets come by another way than the answer that tells of them, and may come first.

use str0m::media::{Direction, MediaKind as RtcKind};

use super::pair::{Adds, Pair, down, options};
use crate::api::{Codec, MediaKind, Offerer};
use crate::connection::DownKey;

fn receivers(audio: usize, video: usize) -> Adds {
    let audio = std::iter::repeat_n((RtcKind::Audio, Direction::RecvOnly), audio);
    let video = std::iter::repeat_n((RtcKind::Video, Direction::RecvOnly), video);
    Adds {
        media: audio.chain(video).collect(),
        ..Adds::default()
    }
}

fn camera(pair: &mut Pair, track: u64) -> DownKey {
    let down = down(track, MediaKind::Video, Some(Codec::Vp8));
    pair.server.attach(pair.now, down)
}

/// A client with room for more, connected, that was told of so many cameras.
fn watching(cameras: u64) -> (Pair, Vec<DownKey>) {
    let mut pair = Pair::new(&options(Offerer::Client));
    let keys = (0..cameras).map(|track| camera(&mut pair, track)).collect();
    pair.negotiate(&receivers(3, 4));
    pair.run_ms(300);
    assert_eq!(pair.ready(), keys, "with the first answer");
    (pair, keys)
}

#[test]
fn beside_a_single_track_another_waits_until_the_client_has_read_of_it() {
    let (mut pair, mut keys) = watching(1);
    let second = camera(&mut pair, 7);
    pair.run_ms(20);
    assert_eq!(pair.wishes(), [(0, 0)]);
    let round = pair.negotiate(&Adds::default());
    assert_eq!(round.map.len(), 2, "the answer tells of it");
    assert_eq!(pair.ready(), keys);
    assert!(!pair.write(second, Codec::Vp8, 1, b"too early"));
    pair.run_ms(20);
    assert_eq!(pair.ready(), keys);
    assert_eq!(pair.wishes(), [(0, 0), (0, 0)], "asked for a sign of life");
    assert!(pair.write(keys[0], Codec::Vp8, 1, b"goes on"));

    let (offer, pending, _) = pair.client.offer(&Adds::default());
    pair.try_offer(&offer).expect("a good offer");
    keys.push(second);
    pair.exchange();
    assert_eq!(pair.ready(), keys, "who offers again has read the answer");
    let (answer, _) = pair.server.answer(pair.now).expect("an answer");
    pair.client.take_answer(pending, &answer);
    assert!(pair.write(second, Codec::Vp8, 2, b"picture"));
    pair.run_ms(1_000);
    assert_eq!(pair.client.packets.len(), 2);
    assert_eq!(pair.wishes().len(), 2, "once is enough");
}

#[test]
fn a_track_of_the_other_kind_does_not_wait() {
    let (mut pair, _) = watching(1);
    let sound = pair
        .server
        .attach(pair.now, down(8, MediaKind::Audio, Some(Codec::Opus)));
    pair.negotiate(&Adds::default());
    pair.exchange();
    assert!(pair.ready().contains(&sound));
}

#[test]
fn beside_several_tracks_another_does_not_wait() {
    let (mut pair, mut keys) = watching(2);
    keys.push(camera(&mut pair, 7));
    pair.negotiate(&Adds::default());
    pair.exchange();
    assert_eq!(pair.ready(), keys);
    pair.run_ms(1_000);
    assert!(pair.wishes().is_empty(), "nothing is to be asked");
}

#[test]
fn a_client_that_does_not_offer_again_is_not_waited_for() {
    let (mut pair, mut keys) = watching(1);
    let second = camera(&mut pair, 7);
    pair.negotiate(&Adds::default());
    pair.run_ms(490);
    assert_eq!(pair.ready(), keys);
    pair.run_ms(20);
    keys.push(second);
    assert_eq!(pair.ready(), keys);
    assert!(pair.write(second, Codec::Vp8, 1, b"picture"));
}

#[test]
fn a_track_that_ends_while_it_waits_is_gone() {
    let (mut pair, keys) = watching(1);
    let second = camera(&mut pair, 7);
    pair.negotiate(&Adds::default());
    pair.run_ms(5);
    pair.server.detach(pair.now, second);
    pair.run_ms(1_000);
    assert_eq!(pair.ready(), keys);
    pair.negotiate(&Adds::default());
    pair.run_ms(1_000);
    assert_eq!(pair.ready(), keys);
}
