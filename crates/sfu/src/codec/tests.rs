use std::sync::Arc;

use super::bits::BitWriter;
use super::descriptor::{Descriptor, rewrite};
use super::*;
use crate::connection::Extensions;
use crate::packet::Vp8Ids;
use crate::testing::{Rng, hex, to_hex};

/// Of packets in order: one letter per property of the frame.
fn read(codec: Codec, packets: &[&str]) -> Vec<String> {
    let mut inspector = Inspector::default();
    packets
        .iter()
        .map(|packet| describe(&inspector.inspect(codec, &hex(packet), None)))
        .collect()
}

/// K key frame, B beginning, E end, U switch up, D discardable, then S<spatial>/<count> T<temporal>.
fn describe(frame: &FrameInfo) -> String {
    let flags = [
        (frame.keyframe, 'K'),
        (frame.start, 'B'),
        (frame.end, 'E'),
        (frame.switch_up, 'U'),
        (frame.discardable, 'D'),
    ];
    let flags: String = flags
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, c)| *c)
        .collect();
    format!(
        "{flags} S{}/{} T{}",
        frame.spatial, frame.spatial_count, frame.temporal
    )
}

#[test]
fn vp8_key_frames_and_layers() {
    let packets = [
        // X S, I(15) L T K: picture 0x1234, TL0 0x55, TID 0 Y 0 KEYIDX 7, P 0.
        "90 f0 9234 55 07 10",
        // The same, a continuation: no S.
        "80 f0 9234 55 07 10",
        // P 1.
        "90 f0 9235 56 07 11",
        // Partition 1 of a key frame is no start.
        "91 f0 9235 56 07 10",
        // N, TID 2 Y.
        "b0 f0 9236 56 a7 11",
        // TID 1, no Y.
        "90 f0 9237 56 47 11",
        // No X at all.
        "10 10",
        "10 11",
        // T without K, picture id of 7 bits.
        "90 a0 42 80 11",
    ];
    assert_eq!(
        read(Codec::Vp8, &packets),
        [
            "KBU S0/1 T0",
            " S0/1 T0",
            "B S0/1 T0",
            " S0/1 T0",
            "BUD S0/1 T2",
            "B S0/1 T1",
            "KBU S0/1 T0",
            "B S0/1 T0",
            "B S0/1 T2",
        ]
    );
}

#[test]
fn vp8_ids() {
    let ids = |packet| {
        Inspector::default()
            .inspect(Codec::Vp8, &hex(packet), None)
            .vp8
    };
    assert_eq!(
        ids("90 f0 9234 55 a7 11"),
        Some(Vp8Ids {
            picture_id: Some(0x1234),
            picture_id_is_15_bit: true,
            tl0_pic_idx: Some(0x55),
            key_idx: Some(7),
        })
    );
    assert_eq!(
        ids("90 80 42 11"),
        Some(Vp8Ids {
            picture_id: Some(0x42),
            ..Vp8Ids::default()
        })
    );
    assert_eq!(ids("10 11"), Some(Vp8Ids::default()));
    assert_eq!(ids("90 80"), None, "cut off");
}

#[test]
fn vp9_layers_of_a_superframe() {
    let packets = [
        // I L B V, picture 1, T0 U0 S0 D0, TL0 9, then the scalability structure: 3 layers, no sizes, no pictures.
        "aa 01 00 09 40",
        // The same frame goes on and ends.
        "a4 01 00 09",
        // Layers 1 and 2 depend on the layers below only (no P).
        "ac 01 03 09",
        "ac 01 05 09",
        // The next picture depends on the one before (P); nothing older than the key frame is needed from it on.
        "ec 02 40 09",
    ];
    assert_eq!(
        read(Codec::Vp9, &packets),
        [
            "KBU S0/3 T0",
            "E S0/3 T0",
            "BE S1/3 T0",
            "BE S2/3 T0",
            "BEU S0/3 T2",
        ]
    );
}

#[test]
fn vp9_switching_up_points_are_told_at_the_picture_that_may_be_the_first() {
    let picture = |id: u8, temporal: u8, up: bool| {
        // I P L B E
        format!("ec {id:02x} {:02x} 00", temporal << 5 | u8::from(up) << 4)
    };
    let packets = [
        picture(1, 0, true),
        picture(2, 2, false),
        picture(3, 1, false),
        picture(4, 2, false),
        picture(5, 0, false),
        picture(6, 2, false),
        // Layers above 1 depend on nothing older from here.
        picture(7, 1, true),
        picture(8, 2, false),
    ];
    let packets: Vec<&str> = packets.iter().map(String::as_str).collect();
    assert_eq!(
        read(Codec::Vp9, &packets),
        [
            "BE S0/1 T0",
            "BEU S0/1 T2",
            "BEU S0/1 T1",
            "BE S0/1 T2",
            "BE S0/1 T0",
            "BE S0/1 T2",
            "BE S0/1 T1",
            "BEU S0/1 T2",
        ]
    );
}

#[test]
fn vp9_flexible_mode_and_long_ids() {
    // I P L F B E, picture of 15 bits, no TL0, two references (the first says that another follows).
    assert_eq!(read(Codec::Vp9, &["fc 8123 20 03 04 aa"]), ["BE S0/1 T1"]);
    assert_eq!(
        read(Codec::Vp9, &["fc 8123 20 03"]),
        [" S0/1 T0"],
        "cut off"
    );
}

#[test]
fn h264_units() {
    let packets = [
        // STAP-A of SPS and PPS.
        "78 0003 67 42c0 0002 68 ce",
        // FU-A of an IDR picture: its start, and its end.
        "7c 85 88 84",
        "7c 45 11 22",
        // A picture that others need, and one that none needs.
        "61 9a 00",
        "01 9a 00",
        // Second slice of a picture.
        "61 4a 00",
    ];
    assert_eq!(
        read(Codec::H264, &packets),
        [
            "KBU S0/1 T0",
            "B S0/1 T0",
            " S0/1 T0",
            "B S0/1 T0",
            "BD S0/1 T0",
            " S0/1 T0"
        ]
    );
    // All in one packet.
    assert_eq!(
        read(Codec::H264, &["78 0002 67 42 0002 68 ce 0003 65 88 84"]),
        ["KBU S0/1 T0"]
    );
}

#[test]
fn h264_idr_pictures_without_parameter_sets() {
    let idr = "65 88 84";
    let sps = "67 42 c0";
    // Never any in this stream: they were told otherwise.
    assert_eq!(
        read(Codec::H264, &[idr, idr]),
        ["KBU S0/1 T0", "KBU S0/1 T0"]
    );
    // Their packet is lost: nothing can start at the IDR picture alone. If that goes on, they do not come any more.
    assert_eq!(
        read(Codec::H264, &[sps, idr, idr, idr, sps, idr]),
        [
            "KBU S0/1 T0",
            "B S0/1 T0",
            "B S0/1 T0",
            "KBU S0/1 T0",
            "KBU S0/1 T0",
            "B S0/1 T0"
        ]
    );
}

#[test]
fn av1_aggregation_header() {
    let packets = [
        // N, one element: a sequence header.
        "18 0a 0b",
        // Goes on.
        "90 11 22",
        // A frame with an extension: temporal layer 2; its continuation is of the same.
        "10 34 40 aa",
        "90 aa bb",
        // Elements with lengths.
        "00 02 34 20 01 aa",
    ];
    assert_eq!(
        read(Codec::Av1, &packets),
        [
            "KBU S0/1 T0",
            " S0/1 T0",
            "B S0/1 T2",
            " S0/1 T2",
            "B S0/1 T1"
        ]
    );
}

#[test]
fn audio_can_be_started_anywhere() {
    for codec in [Codec::Opus, Codec::Red, Codec::Pcmu, Codec::Pcma] {
        let frame = Inspector::default().inspect(codec, &[1, 2], None);
        assert!(frame.keyframe && frame.start, "{codec:?}");
    }
}

/// The structure of two spatial and two temporal layers, where the upper spatial layer needs the lower one at key frames
/// only (L2T2_KEY). Templates: S0T0 key, S0T0, S0T1, S1T0 at key, S1T0, S1T1. Targets: S0T0, S0T1, S1T0, S1T1.
fn structure(bits: &mut BitWriter, sizes: bool) {
    bits.put(10, 6);
    bits.put(4 - 1, 5);
    // Same, same, next temporal, next spatial, same … see `next_layer_idc`.
    for next in [0, 1, 2, 0, 1, 3] {
        bits.put(next, 2);
    }
    let indications = [
        [3, 3, 3, 3],
        [2, 2, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 3, 3],
        [0, 0, 2, 2],
        [0, 0, 0, 1],
    ];
    for indication in indications.as_flattened() {
        bits.put(*indication, 2);
    }
    for differences in [&[][..], &[4], &[2], &[1], &[4], &[2]] {
        for difference in differences {
            bits.put(1, 1);
            bits.put(difference - 1, 4);
        }
        bits.put(0, 1);
    }
    // Two chains of up to four: ns(5), as 010; targets protected by 0 0 1 1: ns(2).
    bits.put(0b10, 2);
    bits.put(0b0011, 4);
    for _ in 0..6 * 2 {
        bits.put(4, 4);
    }
    bits.flag(sizes);
    if sizes {
        for (width, height) in [(320, 180), (640, 360)] {
            bits.put(width - 1, 16);
            bits.put(height - 1, 16);
        }
    }
}

struct Packet {
    edges: u32,
    template: u32,
    number: u32,
    structure: bool,
    active: Option<u32>,
    custom_indications: Option<[u32; 4]>,
    custom_differences: Option<u32>,
}

impl Packet {
    fn new(edges: &str, template: u32, number: u32) -> Self {
        let edges = u32::from(edges.contains('B')) * 2 + u32::from(edges.contains('E'));
        Self {
            edges,
            template: (template + 10) % 64,
            number,
            structure: false,
            active: None,
            custom_indications: None,
            custom_differences: None,
        }
    }

    fn with_structure(self) -> Self {
        Self {
            structure: true,
            ..self
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bits = BitWriter::default();
        bits.put(self.edges, 2);
        bits.put(self.template, 6);
        bits.put(self.number, 16);
        let flags = [
            self.structure,
            self.active.is_some(),
            self.custom_indications.is_some(),
            self.custom_differences.is_some(),
            false,
        ];
        if flags.contains(&true) {
            for flag in flags {
                bits.flag(flag);
            }
            if self.structure {
                structure(&mut bits, true);
            }
            if let Some(active) = self.active {
                bits.put(active, 4);
            }
            for indication in self.custom_indications.iter().flatten() {
                bits.put(*indication, 2);
            }
            if let Some(difference) = self.custom_differences {
                bits.put(1, 2);
                bits.put(difference - 1, 4);
                bits.put(0, 2);
            }
        }
        bits.into_bytes()
    }
}

fn read_descriptors(packets: &[Packet]) -> Vec<String> {
    let mut inspector = Inspector::default();
    packets
        .iter()
        // The payload is encrypted.
        .map(|packet| {
            describe(&inspector.inspect(Codec::Av1, &[0x80, 9, 9], Some(&packet.bytes())))
        })
        .collect()
}

#[test]
fn descriptor_layers() {
    let packets = [
        Packet::new("B", 0, 1).with_structure(),
        Packet::new("E", 0, 1),
        Packet::new("BE", 3, 2),
        Packet::new("BE", 2, 3),
        Packet::new("BE", 5, 4),
        Packet::new("BE", 1, 5),
        Packet::new("BE", 4, 6),
        Packet::new("BE", 2, 7),
    ];
    assert_eq!(
        read_descriptors(&packets),
        [
            "KBU S0/2 T0",
            "E S0/2 T0",
            "BE S1/2 T0",
            "BEUD S0/2 T1",
            "BEUD S1/2 T1",
            "BE S0/2 T0",
            "BE S1/2 T0",
            "BEUD S0/2 T1",
        ]
    );
}

#[test]
fn descriptor_active_targets_tell_how_many_layers_there_are() {
    let packets = [
        Packet {
            active: Some(0b0011),
            ..Packet::new("BE", 0, 1).with_structure()
        },
        Packet::new("BE", 1, 2),
        Packet {
            active: Some(0b1111),
            ..Packet::new("BE", 1, 3)
        },
        Packet::new("BE", 1, 4),
    ];
    let counts: Vec<String> = read_descriptors(&packets)
        .iter()
        .map(|text| text.split(' ').nth(1).expect("three words").to_owned())
        .collect();
    assert_eq!(counts, ["S0/1", "S0/1", "S0/2", "S0/2"]);
}

/// What looks like a key frame in an encrypted VP8 payload is none; its ids are never encrypted.
#[test]
fn descriptor_against_an_encrypted_payload() {
    let mut inspector = Inspector::default();
    let mut read = |payload: &str, packet: Packet| {
        let frame = inspector.inspect(Codec::Vp8, &hex(payload), Some(&packet.bytes()));
        assert_eq!(frame.vp8.and_then(|ids| ids.picture_id), Some(5));
        describe(&frame)
    };
    let (looks_key, looks_delta) = ("90 80 05 10", "90 80 05 11");
    let key = Packet::new("BE", 0, 1).with_structure();
    assert_eq!(read(looks_delta, key), "KBEU S0/2 T0");
    assert_eq!(read(looks_key, Packet::new("BE", 1, 2)), "BE S0/2 T0");
    // A key frame that does not repeat the structure.
    assert_eq!(read(looks_key, Packet::new("BE", 0, 3)), "KBEU S0/2 T0");
}

#[test]
fn descriptors_are_left_out_where_they_are_not_needed() {
    let described = Extensions::default().with_descriptor(Arc::from([1, 2, 3]));
    assert!(described.dependency_descriptor().is_some());
    assert!(
        described
            .without_descriptor()
            .dependency_descriptor()
            .is_none()
    );
    assert!(needs_descriptor(Codec::Av1) && !needs_descriptor(Codec::Vp8));
}

#[test]
fn descriptor_without_a_structure_tells_the_edges() {
    assert_eq!(read_descriptors(&[Packet::new("B", 1, 1)]), ["B S0/1 T0"]);
}

#[test]
fn descriptor_custom_fields() {
    // Not a key frame: it depends on another one, whatever its template says.
    let packets = [Packet {
        custom_indications: Some([2, 2, 2, 2]),
        custom_differences: Some(3),
        ..Packet::new("BE", 0, 1).with_structure()
    }];
    assert_eq!(read_descriptors(&packets), ["BE S0/2 T0"]);
}

#[test]
fn descriptor_rewritten() {
    let key = Packet::new("BE", 0, 0x1234).with_structure();
    let known = Descriptor::parse(&key.bytes(), None)
        .and_then(|read| read.structure)
        .expect("a structure");
    assert_eq!(known.targets.count(), 4);
    assert_eq!(known.targets.up_to(0, 7), 0b0011);
    assert_eq!(known.targets.up_to(1, 0), 0b0101);
    let others = [
        key,
        Packet {
            active: Some(0b1111),
            ..Packet::new("B", 0, 7).with_structure()
        },
        Packet::new("E", 4, 8),
        Packet {
            active: Some(0b1111),
            ..Packet::new("E", 4, 8)
        },
        Packet {
            custom_indications: Some([0, 1, 2, 3]),
            ..Packet::new("E", 4, 8)
        },
        Packet {
            custom_differences: Some(3),
            ..Packet::new("E", 4, 8)
        },
    ];
    for packet in others {
        let bytes = packet.bytes();
        for active in [None, Some(0b0011)] {
            let rewritten = rewrite(&bytes, 0xabcd, active, 4).expect("well-formed");
            let expected = Packet {
                number: 0xabcd,
                active: active.or(packet.active),
                ..packet
            };
            let expected = expected.bytes();
            // Padding behind may be longer.
            let (same, rest) = rewritten.split_at(expected.len());
            assert_eq!(to_hex(same), to_hex(&expected));
            assert!(rest.iter().all(|byte| *byte == 0), "{rest:?}");
        }
    }
}

#[test]
fn hostile_bytes() {
    let codecs = [
        Codec::Opus,
        Codec::Red,
        Codec::Pcmu,
        Codec::Pcma,
        Codec::Vp8,
        Codec::Vp9,
        Codec::H264,
        Codec::Av1,
    ];
    let mut rng = Rng::new(1);
    let mut inspector = Inspector::default();
    let good = Packet::new("BE", 0, 1).with_structure().bytes();
    for round in 0..100_000_u32 {
        if round % 1_000 == 0 {
            inspector = Inspector::default();
        }
        let payload = rng.bytes(40);
        let mut descriptor = match rng.below(3) {
            0 => rng.bytes(60),
            _ => good.clone(),
        };
        for _ in 0..rng.below(6) {
            let length = descriptor.len() as u64;
            if let Some(byte) = descriptor.get_mut(rng.below(length + 1) as usize) {
                *byte = rng.next().to_le_bytes()[2];
            }
        }
        for codec in codecs {
            let given = rng.percent(50).then_some(&descriptor[..]);
            inspector.inspect(codec, &payload, given);
        }
        let targets = (rng.below(33)) as u32;
        let active = rng.percent(80).then_some(rng.next() as u32);
        rewrite(&descriptor, 7, active, targets);
    }
}
