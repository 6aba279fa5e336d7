//! Sequence numbers, picture ids and time around what is left out.

use super::*;
use crate::forwarder::map::{Map, Place};
use crate::testing::Rng;

const HIGH: u8 = 2;

fn base_only() -> Forwarder {
    let mut forwarder = forwarder(0);
    forwarder.set_target(Some(Target {
        temporal: 0,
        ..target(0)
    }));
    forwarder
}

#[test]
fn left_out_frames_leave_no_gap() {
    let at = epoch();
    let mut forwarder = base_only();
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    assert_unwanted(forwarder.forward(&temporal(HIGH, packet(0, 101, 2, at))));
    assert_unwanted(forwarder.forward(&temporal(HIGH, packet(0, 102, 2, at))));
    assert_seq(forwarder.forward(&packet(0, 103, 3, at)), 1_001);
    assert_unwanted(forwarder.forward(&temporal(HIGH, packet(0, 104, 4, at))));
    assert_seq(forwarder.forward(&packet(0, 105, 5, at)), 1_002);
}

#[test]
fn late_packets_find_their_place_between_left_out_ones() {
    let at = epoch();
    let mut forwarder = base_only();
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    // 101 is late.
    assert_seq(forwarder.forward(&packet(0, 102, 1, at)), 1_002);
    assert_unwanted(forwarder.forward(&temporal(HIGH, packet(0, 103, 2, at))));
    // 104 is late.
    assert_seq(forwarder.forward(&packet(0, 105, 3, at)), 1_004);
    assert_unwanted(forwarder.forward(&temporal(HIGH, packet(0, 106, 4, at))));
    assert_seq(forwarder.forward(&packet(0, 107, 5, at)), 1_005);
    assert_seq(forwarder.forward(&packet(0, 101, 1, at)), 1_001);
    assert_seq(forwarder.forward(&packet(0, 104, 3, at)), 1_003);
    // Each once.
    assert_dropped(forwarder.forward(&packet(0, 101, 1, at)));
    assert_dropped(forwarder.forward(&packet(0, 107, 5, at)));
    assert_dropped(forwarder.forward(&temporal(HIGH, packet(0, 106, 4, at))));
    // From before the beginning.
    assert_dropped(forwarder.forward(&packet(0, 99, 0, at)));
}

#[test]
fn what_is_missing_inside_a_left_out_frame_is_left_out() {
    let at = epoch();
    let mut forwarder = base_only();
    let rest = |packet: TrackPacket| TrackPacket {
        frame: FrameInfo {
            start: false,
            ..packet.frame
        },
        ..packet
    };
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    assert_unwanted(forwarder.forward(&temporal(HIGH, packet(0, 101, 2, at))));
    assert_unwanted(forwarder.forward(&rest(temporal(HIGH, packet(0, 104, 2, at)))));
    assert_seq(forwarder.forward(&packet(0, 105, 3, at)), 1_001);
    assert_unwanted(forwarder.forward(&rest(temporal(HIGH, packet(0, 102, 2, at)))));
    // The start of a left out frame did not come.
    assert_unwanted(forwarder.forward(&rest(temporal(HIGH, packet(0, 107, 4, at)))));
    assert_seq(forwarder.forward(&packet(0, 108, 5, at)), 1_002);
}

#[test]
fn a_place_that_was_kept_free_is_filled() {
    let at = epoch();
    let mut forwarder = base_only();
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    // 101 might have been of the base layer.
    assert_seq(forwarder.forward(&packet(0, 102, 3, at)), 1_002);
    assert_seq(
        forwarder.forward(&temporal(HIGH, packet(0, 101, 2, at))),
        1_001,
    );
}

/// What remains of a frame whose other packets were left out must not be taken for a whole one.
#[test]
fn a_place_is_filled_without_a_payload_if_the_frame_is_left_out() {
    let at = epoch();
    let mut forwarder = base_only();
    let part = |seq, start: bool, marker: bool| {
        let mut packet = temporal(HIGH, packet(0, seq, 2, at));
        packet.frame.start = start;
        packet.marker = marker;
        packet
    };
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    // Its first two packets are late: of the one before this it is known that it is of the same frame.
    assert_unwanted(forwarder.forward(&part(103, false, false)));
    assert_seq(forwarder.forward(&packet(0, 105, 3, at)), 1_003);
    assert_unwanted(forwarder.forward(&part(102, false, false)));
    let first = sent(forwarder.forward(&part(101, true, false)));
    assert_eq!((first.seq, first.empty), (1_001, true));
    let last = sent(forwarder.forward(&part(104, false, true)));
    assert_eq!((last.seq, last.empty, last.marker), (1_002, true, false));
}

#[test]
fn padding_takes_no_number_unless_one_was_kept_free_for_it() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    let padding = |seq| TrackPacket {
        payload: Arc::from([]),
        ..packet(0, seq, 1, at)
    };
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    assert_unwanted(forwarder.forward(&padding(101)));
    assert_unwanted(forwarder.forward(&padding(102)));
    assert_seq(forwarder.forward(&packet(0, 103, 2, at)), 1_001);
    assert_seq(forwarder.forward(&packet(0, 105, 3, at)), 1_003);
    let filling = sent(forwarder.forward(&padding(104)));
    assert_eq!((filling.seq, filling.empty), (1_002, true));
}

#[test]
fn picture_ids_follow_what_is_sent() {
    let at = epoch();
    let mut forwarder = base_only();
    let ids = |verdict| {
        let ids = sent(verdict).vp8.expect("VP8 ids");
        (ids.picture_id, ids.tl0_pic_idx)
    };
    let first = vp8(0x7ffe, 255, 31, key(packet(0, 100, 1, at)));
    assert_eq!(ids(forwarder.forward(&first)), (300, 40));
    let next = temporal(HIGH, vp8(0x7fff, 255, 31, packet(0, 101, 2, at)));
    assert_unwanted(forwarder.forward(&next));
    // Wraps.
    assert_eq!(
        ids(forwarder.forward(&vp8(0, 0, 31, packet(0, 102, 3, at)))),
        (301, 41)
    );
    // Picture 1 is lost and may come later.
    assert_eq!(
        ids(forwarder.forward(&vp8(2, 2, 31, packet(0, 104, 5, at)))),
        (303, 43)
    );
    assert_eq!(
        ids(forwarder.forward(&vp8(1, 1, 31, packet(0, 103, 4, at)))),
        (302, 42)
    );
}

#[test]
fn outgoing_ids_wrap() {
    let at = epoch();
    let start = Start {
        seq: 65_535,
        time: u32::MAX - 1_000,
        picture_id: 0x7fff,
        tl0_pic_idx: 255,
    };
    let mut forwarder = Forwarder::new(MediaKind::Video, start);
    forwarder.set_target(Some(target(0)));
    let first = sent(forwarder.forward(&vp8(5, 5, 5, key(packet(0, 1, 1, at)))));
    let next = sent(forwarder.forward(&vp8(6, 6, 5, packet(0, 2, 2, at))));
    assert_eq!((first.seq, next.seq), (65_535, 65_536));
    assert_eq!(next.time, 1_999);
    let (first, next) = (first.vp8.expect("ids"), next.vp8.expect("ids"));
    assert_eq!((first.picture_id, next.picture_id), (0x7fff, 0));
    assert_eq!((first.tl0_pic_idx, next.tl0_pic_idx), (255, 0));
}

#[test]
fn short_picture_ids_stay_short() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    for (number, picture_id) in (120..400_u64).enumerate() {
        let number = number as u64;
        let mut packet = vp8(
            (picture_id & 0x7f) as u16,
            0,
            0,
            packet(0, number, number, at),
        );
        if let Some(ids) = &mut packet.frame.vp8 {
            ids.picture_id_is_15_bit = false;
        }
        packet.frame.keyframe = number == 0;
        let ids = sent(forwarder.forward(&packet)).vp8.expect("ids");
        assert_eq!(u64::from(ids.picture_id), (300 + number) & 0x7f);
    }
}

#[test]
fn time_goes_on_over_a_switch_by_the_time_of_capture() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    let first = sent(forwarder.forward(&key(packet(0, 1, 1_000, at))));
    let second = sent(forwarder.forward(&packet(0, 2, 1_001, at + ms(33))));
    assert_eq!(second.time, first.time + 3_000);
    forwarder.set_target(Some(target(1)));
    // Another clock altogether: 100 ms later.
    let third = sent(forwarder.forward(&key(packet(1, 1, 7, at + ms(133)))));
    assert_eq!(third.time, second.time + 9_000);
    // Back, with a frame captured no later than the last one sent: still a frame ahead.
    forwarder.set_target(Some(target(0)));
    let fourth = sent(forwarder.forward(&key(packet(0, 3, 1_004, at + ms(133)))));
    assert_eq!(fourth.time, third.time + 3_000);
    // That is made up for at the next switch.
    forwarder.set_target(Some(target(1)));
    let fifth = sent(forwarder.forward(&key(packet(1, 2, 10, at + ms(233)))));
    assert_eq!(fifth.time, third.time + 9_000);
}

#[test]
fn time_survives_a_pause_of_days() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    let first = sent(forwarder.forward(&key(packet(0, 1, 1, at))));
    forwarder.set_target(Some(target(1)));
    let days = Duration::from_secs(3 * 24 * 3_600);
    let next = sent(forwarder.forward(&key(packet(1, 1, 1, at + days))));
    let expected = days.as_secs() * 90_000;
    assert_eq!(next.time, first.time.wrapping_add(expected as u32));
}

/// The map against a plain list of what was kept.
#[test]
fn a_map_agrees_with_counting() {
    for seed in 1..=50 {
        let mut rng = Rng::new(seed);
        let mut map = Map::<2>::new(1_000, 77);
        // Per number from 1,000 on: left out?
        let mut fates: Vec<bool> = Vec::new();
        let number_of = |fates: &[bool], number: u64| {
            77 + fates[..(number - 1_000) as usize]
                .iter()
                .filter(|left_out| !**left_out)
                .count() as u64
        };
        for _ in 0..2_000 {
            let ahead = 1_000 + fates.len() as u64;
            let number = if rng.percent(60) {
                ahead + if rng.percent(90) { 0 } else { rng.below(127) }
            } else {
                ahead.saturating_sub(rng.below(140))
            };
            match map.place(number) {
                Place::New { gap } => {
                    assert_eq!(gap, number - ahead);
                    fates.resize(fates.len() + gap as usize, false);
                    if rng.percent(50) {
                        fates.push(false);
                        assert_eq!(map.keep(number), number_of(&fates, number), "seed {seed}");
                    } else {
                        let before = rng.below(gap + 1);
                        let length = fates.len();
                        fates[length - before as usize..].fill(true);
                        fates.push(true);
                        map.leave_out(number, before);
                    }
                }
                Place::Late => {
                    assert!(!fates[(number - 1_000) as usize]);
                    assert_eq!(
                        map.keep_late(number),
                        number_of(&fates, number),
                        "seed {seed}"
                    );
                    assert_eq!(map.place(number), Place::Duplicate);
                }
                Place::LeftOut => assert!(fates[(number - 1_000) as usize]),
                Place::Duplicate => {}
                Place::Old => assert!(number < 1_000 || ahead - number > 128),
                Place::Jump => panic!("not so far"),
            }
        }
    }
}
