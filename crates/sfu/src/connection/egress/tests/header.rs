use str0m::media::Mid;
use str0m::rtp::{Extension, ExtensionMap};

use super::super::header::{Common, ExtensionIds, Header};
use crate::connection::Extensions;
use crate::connection::extensions::{DESCRIPTOR_URI, DescriptorSerializer};

const HEADER: Header = Header {
    payload_type: 96,
    marker: false,
    seq: 0x1234,
    time: 0x0102_0304,
    ssrc: 0xa1a2_a3a4,
};
const FIXED_BYTES: usize = 12;

fn ids(wanted: &[(u8, Extension)]) -> ExtensionIds {
    let mut map = ExtensionMap::empty();
    for (id, extension) in wanted {
        map.set(*id, extension.clone());
    }
    ExtensionIds::new(&map)
}

fn descriptor() -> Extension {
    Extension::with_serializer(DESCRIPTOR_URI, DescriptorSerializer)
}

fn all() -> ExtensionIds {
    ids(&[
        (1, Extension::AudioLevel),
        (4, Extension::RtpMid),
        (5, Extension::AbsoluteCaptureTime),
        (12, descriptor()),
        (14, Extension::VideoOrientation),
    ])
}

/// RFC 8285 read by its text: which form, and the elements; padding between them is passed over.
fn read(header: &[u8]) -> (u16, Vec<(u8, Vec<u8>)>) {
    assert_eq!(
        header[0], 0x90,
        "version 2, extensions, no padding, no CSRC"
    );
    let form = u16::from_be_bytes([header[12], header[13]]);
    let words = usize::from(u16::from_be_bytes([header[14], header[15]]));
    assert_eq!(header.len(), FIXED_BYTES + 4 + 4 * words, "whole words");
    let mut rest = &header[16..];
    let mut elements = Vec::new();
    while let [first, after @ ..] = rest {
        if *first == 0 {
            rest = after;
            continue;
        }
        let (id, length, values) = if form == 0xbede {
            (first >> 4, usize::from(first & 0x0f) + 1, after)
        } else {
            (*first, usize::from(after[0]), &after[1..])
        };
        elements.push((id, values[..length].to_vec()));
        rest = &values[length..];
    }
    (form, elements)
}

fn write(mid: &str, ids: &ExtensionIds, values: &Extensions, descriptor: Option<&[u8]>) -> Vec<u8> {
    // Behind something else, which stays.
    let mut out = vec![0xee; 5];
    let common = Common::new(&Mid::from(mid), *ids);
    HEADER.write(&mut out, &common, values, descriptor);
    assert_eq!(out[..5], [0xee; 5]);
    out.split_off(5)
}

#[test]
fn the_fixed_part_is_as_rfc_3550_has_it() {
    let bytes = write("0", &ids(&[]), &Extensions::default(), None);
    let expected = [0x80, 96, 0x12, 0x34, 1, 2, 3, 4, 0xa1, 0xa2, 0xa3, 0xa4];
    assert_eq!(bytes, expected, "no extensions at all");
    let marked = Header {
        marker: true,
        payload_type: 127,
        ..HEADER
    };
    let mut out = Vec::new();
    let common = Common::new(&Mid::from("0"), ids(&[]));
    marked.write(&mut out, &common, &Extensions::default(), None);
    assert_eq!(out[1], 0xff);
}

#[test]
fn short_values_take_the_one_byte_form() {
    let mut values = Extensions::default().with_audio_level(0x80 | 33);
    values.orientation = Some(3);
    values.capture_time = Some((0x1122_3344_5566_7788, None));
    let bytes = write("12", &all(), &values, Some(&[9; 16]));
    let (form, elements) = read(&bytes);
    assert_eq!(form, 0xbede);
    let expected = vec![
        (4, b"12".to_vec()),
        (1, vec![0x80 | 33]),
        (14, vec![3]),
        (5, 0x1122_3344_5566_7788_u64.to_be_bytes().to_vec()),
        (12, vec![9; 16]),
    ];
    assert_eq!(elements, expected);
}

#[test]
fn a_long_descriptor_takes_all_to_the_two_byte_form() {
    let mut values = Extensions::default().with_audio_level(5);
    values.capture_time = Some((7, Some(-2)));
    for length in [17, 40, 255] {
        let long = vec![9; length];
        let (form, elements) = read(&write("a", &all(), &values, Some(&long)));
        assert_eq!(form, 0x1000);
        let time = [7_u64.to_be_bytes(), (-2_i64).to_be_bytes()].concat();
        let expected = vec![(4, b"a".to_vec()), (1, vec![5]), (5, time), (12, long)];
        assert_eq!(elements, expected, "{length}");
    }
    // More than an element can say: the others are still there.
    let (_, elements) = read(&write("a", &all(), &values, Some(&[9; 256])));
    assert_eq!(elements.len(), 3);
}

#[test]
fn only_what_the_receiver_numbered_is_written() {
    let mut values = Extensions::default().with_audio_level(5);
    values.orientation = Some(1);
    values.capture_time = Some((7, None));
    let wanted = ids(&[(3, Extension::VideoOrientation)]);
    let (_, elements) = read(&write("0", &wanted, &values, Some(&[1, 2])));
    assert_eq!(elements, [(3, vec![1])]);
    let none = write("0", &wanted, &Extensions::default(), Some(&[9; 60]));
    assert_eq!(none.len(), FIXED_BYTES, "the long one is not wanted either");
    assert_eq!(none[0], 0x80);
}

#[test]
fn mids_of_every_length_fill_whole_words() {
    for length in 1..=16 {
        let mid = "m".repeat(length);
        for descriptor in [None, Some(&[1; 20][..])] {
            let bytes = write(&mid, &all(), &Extensions::default(), descriptor);
            let (_, elements) = read(&bytes);
            assert_eq!(elements[0], (4, mid.clone().into_bytes()));
            assert_eq!(elements.len(), 1 + usize::from(descriptor.is_some()));
        }
    }
}
