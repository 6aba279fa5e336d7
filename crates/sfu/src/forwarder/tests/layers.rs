//! Temporal and spatial layers within one encoding, and what the dependency descriptor says of them.

use std::collections::BTreeSet;

use super::*;
use crate::codec::Inspector;
use crate::testing::{Rng, hex};

fn with_layers(spatial: u8, temporal: u8) -> Target {
    Target {
        encoding: LayerIndex(0),
        spatial,
        temporal,
    }
}

/// A packet of VP9 with three spatial layers: a whole layer frame.
fn layer(seq: u64, frame: u64, spatial: u8) -> TrackPacket {
    let mut packet = packet(0, seq, frame, epoch());
    packet.codec = Codec::Vp9;
    packet.marker = spatial == 2;
    packet.frame = FrameInfo {
        start: true,
        end: true,
        spatial,
        spatial_count: 3,
        ..FrameInfo::default()
    };
    packet
}

/// Sequence numbers (from 0) and markers of what is sent of a picture whose first layer has this number.
fn picture(forwarder: &mut Forwarder, number: u64, keyframe: bool) -> Vec<(u64, bool)> {
    (0..3_u8)
        .filter_map(|spatial| {
            let mut packet = layer(number * 3 + u64::from(spatial), number, spatial);
            packet.frame.keyframe = keyframe && spatial == 0;
            match forwarder.forward(&packet) {
                Verdict::Send(rewrite) => Some((rewrite.seq - 1_000, rewrite.marker)),
                Verdict::Unwanted | Verdict::Dropped => None,
            }
        })
        .collect()
}

#[test]
fn the_highest_spatial_layer_sent_has_the_marker() {
    let mut forwarder = forwarder(0);
    forwarder.set_target(Some(with_layers(1, 7)));
    assert_eq!(picture(&mut forwarder, 0, true), [(0, false), (1, true)]);
    assert_eq!(picture(&mut forwarder, 1, false), [(2, false), (3, true)]);
    // Down with the next picture.
    forwarder.set_target(Some(with_layers(0, 7)));
    assert_eq!(picture(&mut forwarder, 2, false), [(4, true)]);
    assert_eq!(forwarder.keyframe_wanted(), None);
    // Up with a key frame, which is asked for.
    forwarder.set_target(Some(with_layers(2, 7)));
    assert_eq!(forwarder.keyframe_wanted(), Some(LayerIndex(0)));
    assert_eq!(picture(&mut forwarder, 3, false), [(5, true)]);
    assert_eq!(
        picture(&mut forwarder, 4, true),
        [(6, false), (7, false), (8, true)]
    );
    assert_eq!(forwarder.keyframe_wanted(), None);
}

#[test]
fn no_key_frame_is_asked_for_a_layer_that_is_not_made() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    forwarder.set_target(Some(with_layers(0, 7)));
    assert_seq(forwarder.forward(&key(packet(0, 1, 1, at))), 1_000);
    forwarder.set_target(Some(with_layers(2, 7)));
    assert_eq!(forwarder.keyframe_wanted(), None);
}

#[test]
fn a_picture_of_fewer_layers_keeps_its_own_marker() {
    let mut forwarder = forwarder(0);
    forwarder.set_target(Some(with_layers(1, 7)));
    assert_eq!(picture(&mut forwarder, 0, true), [(0, false), (1, true)]);
    let mut only = layer(3, 1, 0);
    only.marker = true;
    assert!(sent(forwarder.forward(&only)).marker);
}

#[test]
fn spatial_layers_do_not_go_down_within_a_picture() {
    let mut forwarder = forwarder(0);
    let mut first = layer(0, 0, 0);
    first.frame.keyframe = true;
    assert_seq(forwarder.forward(&first), 1_000);
    forwarder.set_target(Some(with_layers(0, 7)));
    assert_seq(forwarder.forward(&layer(1, 0, 1)), 1_001);
    assert!(sent(forwarder.forward(&layer(2, 0, 2))).marker);
    assert_eq!(picture(&mut forwarder, 1, false), [(3, true)]);
}

#[test]
fn temporal_layers_go_down_at_once_and_up_where_they_can() {
    let at = epoch();
    let mut forwarder = forwarder(0);
    let mut number = 0;
    let mut push = |forwarder: &mut Forwarder, layer: u8, up: bool| {
        number += 1;
        let mut packet = temporal(layer, packet(0, number, number, at));
        packet.frame.switch_up = up;
        packet.frame.keyframe = number == 1;
        matches!(forwarder.forward(&packet), Verdict::Send(_))
    };
    for layer in [0, 2, 1, 2] {
        assert!(push(&mut forwarder, layer, false));
    }
    forwarder.set_target(Some(with_layers(7, 0)));
    assert!(push(&mut forwarder, 0, false));
    assert!(!push(&mut forwarder, 2, true));
    assert!(!push(&mut forwarder, 1, true));
    forwarder.set_target(Some(with_layers(7, 1)));
    assert!(push(&mut forwarder, 0, false));
    assert!(!push(&mut forwarder, 2, true), "above the target");
    assert!(push(&mut forwarder, 1, true));
    forwarder.set_target(Some(with_layers(7, 7)));
    assert!(
        !push(&mut forwarder, 2, false),
        "needs others that were not sent"
    );
    assert!(push(&mut forwarder, 0, false));
    assert!(push(&mut forwarder, 1, false), "was sent before");
    assert!(push(&mut forwarder, 2, true));
    assert!(push(&mut forwarder, 2, false));
}

/// A key frame's descriptor with a structure of two spatial layers (L2T1). Templates: S0 at key, S0, S1 at key, S1.
const L2T1_KEY: &str = "c0 0001 80 01 23 bb 22 45 04 60 00";

fn described(
    seq: u64,
    frame: u64,
    encoding: u8,
    descriptor: &str,
    inspector: &mut Inspector,
) -> TrackPacket {
    let bytes = hex(descriptor);
    let mut packet = packet(encoding, seq, frame, epoch());
    packet.codec = Codec::Av1;
    packet.frame = inspector.inspect(Codec::Av1, &packet.payload, Some(&bytes));
    packet.extensions = Extensions::default().with_descriptor(bytes.into());
    packet
}

#[test]
fn receivers_are_told_which_targets_are_left() {
    let mut inspector = Inspector::default();
    let mut forwarder = forwarder(0);
    forwarder.set_target(Some(with_layers(0, 7)));
    let keyframe = described(1, 1, 0, L2T1_KEY, &mut inspector);
    assert!(keyframe.frame.keyframe, "{:?}", keyframe.frame);
    assert_eq!(keyframe.frame.spatial_count, 2);
    let told = sent(forwarder.forward(&keyframe))
        .descriptor
        .expect("rewritten");
    let mut reader = Inspector::default();
    let seen = reader.inspect(Codec::Av1, &[], Some(&told));
    assert!(seen.keyframe);
    assert_eq!(seen.spatial_count, 1);
    // It lasts.
    let next = described(3, 2, 0, "c1 0003", &mut inspector);
    assert!(sent(forwarder.forward(&next)).descriptor.is_none());
    // What the sender says of it is limited likewise.
    let next = described(4, 3, 0, "c1 0005 46", &mut inspector);
    let told = sent(forwarder.forward(&next))
        .descriptor
        .expect("rewritten");
    assert_eq!(
        reader.inspect(Codec::Av1, &[], Some(&told)).spatial_count,
        1
    );
}

#[test]
fn frame_numbers_go_on_over_a_switch_of_encodings() {
    let mut inspectors = [Inspector::default(), Inspector::default()];
    let [low, high] = &mut inspectors;
    let mut forwarder = forwarder(0);
    let number = |verdict| {
        sent(verdict)
            .descriptor
            .map(|bytes| u16::from_be_bytes([bytes[1], bytes[2]]))
    };
    let with_number = |number: u16| L2T1_KEY.replace("0001", &format!("{number:04x}"));
    // Of the first encoding nothing is changed.
    let packet = described(1, 1, 0, &with_number(65_534), low);
    assert_eq!(number(forwarder.forward(&packet)), None);
    assert_eq!(
        number(forwarder.forward(&described(2, 2, 0, "c1 ffff", low))),
        None
    );
    forwarder.set_target(Some(target(1)));
    let packet = described(1, 1, 1, &with_number(500), high);
    assert_eq!(number(forwarder.forward(&packet)), Some(0));
    assert_eq!(
        number(forwarder.forward(&described(2, 2, 1, "81 01f5", high))),
        Some(1)
    );
    assert_eq!(
        number(forwarder.forward(&described(3, 2, 1, "41 01f5", high))),
        Some(1)
    );
}

/// Temporal layer of each picture in turn, and how far back the picture is that it needs.
const PATTERN: [(u8, u64); 4] = [(0, 4), (2, 1), (1, 2), (2, 1)];

/// Three spatial layers of which the upper ones need the lower ones at key frames only.
#[test]
fn whatever_is_wished_what_is_sent_can_be_decoded() {
    for seed in 1..=20 {
        let mut rng = Rng::new(seed);
        let mut forwarder = forwarder(0);
        let mut seq = rng.below(1 << 20);
        let (mut next_seq, mut since_key) = (1_000, 0);
        // Layer frames that were sent.
        let mut had = BTreeSet::new();
        for number in 0..500 {
            if rng.percent(8) {
                let (spatial, temporal) = (rng.below(3) as u8, rng.below(3) as u8);
                forwarder.set_target((!rng.percent(10)).then(|| with_layers(spatial, temporal)));
            }
            let keyframe = number == 0 || forwarder.keyframe_wanted().is_some() && rng.percent(10);
            since_key = if keyframe { 0 } else { since_key + 1 };
            let place = (since_key % 4) as usize;
            let (temporal, back) = PATTERN[place];
            let mut markers = Vec::new();
            for spatial in 0..3_u8 {
                let count = 1 + rng.below(3);
                for part in 0..count {
                    seq += 1;
                    let mut packet = layer(seq, number, spatial);
                    packet.frame.start = part == 0;
                    packet.frame.end = part + 1 == count;
                    packet.marker = packet.frame.end && spatial == 2;
                    packet.frame.keyframe = keyframe && spatial == 0 && part == 0;
                    packet.frame.temporal = temporal;
                    packet.frame.switch_up = packet.frame.keyframe || place == 1 || place == 2;
                    let Verdict::Send(rewrite) = forwarder.forward(&packet) else {
                        continue;
                    };
                    assert_eq!(rewrite.seq, next_seq);
                    next_seq += 1;
                    markers.push(rewrite.marker);
                    let needed = match (keyframe, spatial) {
                        (true, 0) => None,
                        (true, _) => Some((number, spatial - 1)),
                        (false, _) => Some((number - back, spatial)),
                    };
                    assert!(
                        needed.is_none_or(|needed| had.contains(&needed)),
                        "{needed:?} by {number}"
                    );
                    if packet.frame.end {
                        had.insert((number, spatial));
                    }
                }
            }
            if let Some((last, others)) = markers.split_last() {
                assert!(
                    *last && !others.contains(&true),
                    "{markers:?} in picture {number}"
                );
            }
        }
        assert!(had.len() > 200);
    }
}
