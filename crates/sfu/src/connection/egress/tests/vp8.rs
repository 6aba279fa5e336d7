use super::super::vp8::patch;
use crate::connection::Vp8Rewrite;

const NEW: Vp8Rewrite = Vp8Rewrite {
    picture_id: 0x1abc,
    tl0_pic_idx: 0xdd,
    key_idx: Some(0x15),
};
const VP8: [u8; 3] = [0xf1, 0xf2, 0xf3];

/// A descriptor with those flags, before and after.
fn descriptor(flags: u8, long: bool, key_idx: bool) -> (Vec<u8>, Vec<u8>) {
    // Start of a partition, and a bit that is reserved.
    let mut old = vec![0x80 | 0x10 | 0x40, flags];
    let mut new = old.clone();
    if flags & 0x80 != 0 {
        old.extend(if long { &[0x92, 0x34][..] } else { &[0x56] });
        new.extend(if long { &[0x9a, 0xbc][..] } else { &[0x3c] });
    }
    if flags & 0x40 != 0 {
        old.push(0x77);
        new.push(0xdd);
    }
    if flags & 0x30 != 0 {
        // The layer and the bit Y stay.
        old.push(0xa0 | 0x03);
        let is_replaced = flags & 0x10 != 0 && key_idx;
        new.push(0xa0 | if is_replaced { 0x15 } else { 0x03 });
    }
    (old, new)
}

#[test]
fn every_combination_of_fields_is_found() {
    for flags in 0..=255 {
        for long in [false, true] {
            for key_idx in [false, true] {
                let (old, expected) = descriptor(flags, long, key_idx);
                let mut payload = [&old[..], &VP8].concat();
                let ids = Vp8Rewrite {
                    key_idx: NEW.key_idx.filter(|_| key_idx),
                    ..NEW
                };
                patch(&mut payload, ids);
                assert_eq!(payload, [&expected[..], &VP8].concat(), "{flags:#x} {long}");
            }
        }
    }
}

#[test]
fn without_an_extension_nothing_is_replaced() {
    for first in 0..0x80 {
        let mut payload = [first, 0xff, 0xff, 0xff, 0xff, 0xff];
        patch(&mut payload, NEW);
        assert_eq!(payload, [first, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
}

#[test]
fn what_is_cut_short_stays_as_it_is() {
    for flags in 0..=255 {
        for long in [false, true] {
            let (whole, _) = descriptor(flags, long, true);
            for length in 0..whole.len() {
                let mut payload = whole[..length].to_vec();
                patch(&mut payload, NEW);
                assert_eq!(payload, whole[..length], "{flags:#x} {long}");
            }
        }
    }
}
