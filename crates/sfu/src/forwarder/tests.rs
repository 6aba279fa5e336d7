mod layers;
mod model;
mod numbers;
mod random;

use std::time::{Duration, Instant};

use super::*;
use crate::api::TrackId;
use crate::connection::Extensions;
use crate::packet::{FrameInfo, Vp8Ids};
use crate::testing::epoch;

const START: Start = Start {
    seq: 1_000,
    time: 50_000,
    picture_id: 300,
    tl0_pic_idx: 40,
};

pub(super) fn forwarder(encoding: u8) -> Forwarder {
    let mut forwarder = Forwarder::new(MediaKind::Video, START);
    forwarder.set_target(Some(target(encoding)));
    forwarder
}

pub(super) fn target(encoding: u8) -> Target {
    Target {
        encoding: LayerIndex(encoding),
        spatial: 7,
        temporal: 7,
    }
}

/// A packet whose fields a test fills in as it needs.
pub(super) fn packet(encoding: u8, seq: u64, frame: u64, at: Instant) -> TrackPacket {
    TrackPacket {
        track: TrackId(1),
        encoding: LayerIndex(encoding),
        codec: Codec::Vp8,
        seq,
        time: frame * 3_000,
        marker: false,
        payload: Arc::from([0x11; 8]),
        extensions: Extensions::default(),
        frame: FrameInfo {
            start: true,
            spatial_count: 1,
            ..FrameInfo::default()
        },
        arrived: at,
        captured: at,
    }
}

pub(super) fn key(packet: TrackPacket) -> TrackPacket {
    TrackPacket {
        frame: FrameInfo {
            keyframe: true,
            start: true,
            switch_up: true,
            ..packet.frame
        },
        ..packet
    }
}

pub(super) fn temporal(layer: u8, packet: TrackPacket) -> TrackPacket {
    TrackPacket {
        frame: FrameInfo {
            temporal: layer,
            ..packet.frame
        },
        ..packet
    }
}

pub(super) fn vp8(picture_id: u16, tl0: u8, key_idx: u8, packet: TrackPacket) -> TrackPacket {
    TrackPacket {
        frame: FrameInfo {
            vp8: Some(Vp8Ids {
                picture_id: Some(picture_id),
                picture_id_is_15_bit: true,
                tl0_pic_idx: Some(tl0),
                key_idx: Some(key_idx),
            }),
            ..packet.frame
        },
        ..packet
    }
}

pub(super) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) fn sent(verdict: Verdict) -> Rewrite {
    match verdict {
        Verdict::Send(rewrite) => rewrite,
        Verdict::Unwanted | Verdict::Dropped => panic!("not sent: {verdict:?}"),
    }
}

#[track_caller]
pub(super) fn assert_seq(verdict: Verdict, seq: u64) {
    assert_eq!(sent(verdict).seq, seq);
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
pub(super) fn assert_unwanted(verdict: Verdict) {
    assert!(matches!(verdict, Verdict::Unwanted), "{verdict:?}");
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
pub(super) fn assert_dropped(verdict: Verdict) {
    assert!(matches!(verdict, Verdict::Dropped), "{verdict:?}");
}

#[test]
fn begins_at_a_key_frame_with_the_given_numbers() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    assert_eq!(forwarder.keyframe_wanted(), Some(LayerIndex(0)));
    assert_unwanted(forwarder.forward(&packet(0, 7, 0, at)));
    let first = sent(forwarder.forward(&vp8(20, 9, 3, key(packet(0, 8, 1, at)))));
    assert_eq!((first.seq, first.time), (1_000, 50_000));
    assert!(first.nackable);
    let ids = first.vp8.expect("VP8 ids");
    assert_eq!((ids.picture_id, ids.tl0_pic_idx), (300, 40));
    assert_eq!(forwarder.keyframe_wanted(), None);
    assert_eq!(forwarder.current(), Some(LayerIndex(0)));
}

#[test]
fn nothing_goes_on_without_a_target() {
    let at = epoch();
    let mut forwarder = Forwarder::new(MediaKind::Video, START);
    assert_unwanted(forwarder.forward(&key(packet(0, 1, 1, at))));
    assert_eq!(forwarder.keyframe_wanted(), None);
}

#[test]
fn the_old_encoding_goes_on_until_the_key_frame_of_the_new_one() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    forwarder.set_target(Some(target(2)));
    assert_eq!(forwarder.keyframe_wanted(), Some(LayerIndex(2)));
    assert_seq(forwarder.forward(&packet(0, 101, 2, at)), 1_001);
    assert_unwanted(forwarder.forward(&packet(2, 7_000, 900, at)));
    assert_seq(forwarder.forward(&packet(0, 102, 3, at)), 1_002);
    assert_seq(forwarder.forward(&key(packet(2, 7_001, 901, at))), 1_003);
    assert_eq!(forwarder.current(), Some(LayerIndex(2)));
    assert_unwanted(forwarder.forward(&packet(0, 103, 4, at)));
    assert_seq(forwarder.forward(&packet(2, 7_002, 901, at)), 1_004);
}

#[test]
fn a_key_frame_that_comes_after_its_own_later_packets_is_not_begun_with() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    assert_unwanted(forwarder.forward(&packet(0, 11, 1, at)));
    assert_unwanted(forwarder.forward(&key(packet(0, 10, 1, at))));
    assert_eq!(forwarder.keyframe_wanted(), Some(LayerIndex(0)));
    assert_seq(forwarder.forward(&key(packet(0, 20, 2, at))), 1_000);
}

#[test]
fn a_pause_leaves_no_gap_and_ends_at_a_key_frame() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    let first = sent(forwarder.forward(&vp8(10, 1, 1, key(packet(0, 100, 1, at)))));
    forwarder.set_target(None);
    assert_unwanted(forwarder.forward(&vp8(11, 2, 1, packet(0, 101, 2, at + ms(33)))));
    assert_eq!(forwarder.current(), None);
    forwarder.set_target(Some(target(0)));
    assert_unwanted(forwarder.forward(&vp8(12, 3, 1, packet(0, 102, 3, at + ms(66)))));
    let next = sent(forwarder.forward(&vp8(13, 4, 2, key(packet(0, 103, 4, at + ms(100))))));
    assert_eq!(next.seq, first.seq + 1);
    // The same clock goes on.
    assert_eq!(next.time, first.time + 9_000);
    let (before, after) = (first.vp8.expect("ids"), next.vp8.expect("ids"));
    assert_eq!(after.picture_id, before.picture_id + 1);
    assert_eq!(after.tl0_pic_idx, before.tl0_pic_idx + 1);
    assert_eq!(after.key_idx, before.key_idx.map(|key| (key + 1) & 31));
}

#[test]
fn a_rebuilt_way_starts_over() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    forwarder.restart(Start {
        seq: 5,
        time: 6,
        picture_id: 7,
        tl0_pic_idx: 8,
    });
    assert_eq!(forwarder.keyframe_wanted(), Some(LayerIndex(0)));
    assert_unwanted(forwarder.forward(&packet(0, 101, 2, at)));
    let first = sent(forwarder.forward(&vp8(1, 1, 1, key(packet(0, 102, 3, at)))));
    assert_eq!((first.seq, first.time), (5, 6));
    assert_eq!(
        first.vp8.map(|ids| (ids.picture_id, ids.tl0_pic_idx)),
        Some((7, 8))
    );
}

#[test]
fn a_sender_that_numbers_anew_is_followed() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    assert_seq(forwarder.forward(&key(packet(0, 90_000, 1, at))), 1_000);
    for seq in 10..10 + u64::from(OLD_IN_A_ROW_MAX) {
        assert!(!matches!(
            forwarder.forward(&packet(0, seq, seq, at)),
            Verdict::Send(_)
        ));
    }
    assert_eq!(forwarder.keyframe_wanted(), Some(LayerIndex(0)));
    assert_seq(forwarder.forward(&key(packet(0, 500, 500, at))), 1_001);
    // Far ahead: so much was missed that only a key frame helps.
    assert_unwanted(forwarder.forward(&packet(0, 90_000, 9_000, at)));
    assert_eq!(forwarder.keyframe_wanted(), Some(LayerIndex(0)));
    assert_seq(forwarder.forward(&key(packet(0, 90_001, 9_001, at))), 1_002);
}

#[test]
fn another_codec_needs_a_key_frame() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    assert_seq(forwarder.forward(&key(packet(0, 100, 1, at))), 1_000);
    let h264 = |packet| TrackPacket {
        codec: Codec::H264,
        ..packet
    };
    assert_unwanted(forwarder.forward(&h264(packet(0, 101, 2, at))));
    assert_seq(forwarder.forward(&h264(key(packet(0, 102, 3, at)))), 1_001);
}

#[test]
fn audio_goes_on_at_once_and_through_silence() {
    let at = epoch();
    let mut forwarder = Forwarder::new(MediaKind::Audio, START);
    let opus = |seq: u64, time: u64, at| TrackPacket {
        codec: Codec::Opus,
        time,
        ..key(packet(0, seq, 0, at))
    };
    assert_unwanted(forwarder.forward(&opus(1, 960, at)));
    forwarder.set_target(Some(target(0)));
    assert_eq!(forwarder.keyframe_wanted(), None);
    let first = sent(forwarder.forward(&opus(2, 1_920, at)));
    assert_eq!(
        (first.seq, first.time, first.nackable),
        (1_000, 50_000, false)
    );
    // Nothing for 400 ms (DTX), then one more.
    let next = sent(forwarder.forward(&opus(3, 1_920 + 19_200, at + ms(400))));
    assert_eq!((next.seq, next.time), (1_001, 50_000 + 19_200));
    // RED packets come between plain ones.
    let red = TrackPacket {
        codec: Codec::Red,
        ..opus(4, 1_920 + 20_160, at + ms(420))
    };
    let next = sent(forwarder.forward(&red));
    assert_eq!((next.seq, next.time), (1_002, 50_000 + 20_160));
    // Muted for the receiver for a second.
    forwarder.set_target(None);
    assert_unwanted(forwarder.forward(&opus(5, 0, at)));
    forwarder.set_target(Some(target(0)));
    let next = sent(forwarder.forward(&opus(55, 1_920 + 68_160, at + ms(1_420))));
    assert_eq!((next.seq, next.time), (1_003, 50_000 + 68_160));
}
