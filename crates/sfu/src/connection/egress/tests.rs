mod header;
mod sent;
mod stream;
mod vp8;

use std::collections::BTreeSet;

use str0m::RtcConfig;

use super::{SsrcSequence, is_rtcp, nominates};
use crate::testing::epoch;

/// Of that type, with those attributes.
fn check(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut check = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    check.resize(super::STUN_HEADER_BYTES, 7);
    for (kind, value) in attributes {
        check.extend(kind.to_be_bytes());
        let length = u16::try_from(value.len()).expect("short");
        check.extend(length.to_be_bytes());
        check.extend_from_slice(value);
        check.resize(check.len().next_multiple_of(4), 0);
    }
    check
}

#[test]
fn a_check_that_nominates_is_known_by_its_attribute() {
    let user: (u16, &[u8]) = (0x0006, b"abcde:fgh");
    let nominate: (u16, &[u8]) = (0x0025, b"");
    // The number of the attribute as the value of another one.
    let decoy: (u16, &[u8]) = (0x8022, &[0x00, 0x25, 0, 0, 0x00, 0x25]);
    assert!(nominates(&check(&[nominate])));
    assert!(nominates(&check(&[user, decoy, nominate])));
    assert!(nominates(&check(&[nominate, user])));
    assert!(!nominates(&check(&[])));
    assert!(!nominates(&check(&[user, decoy])));
    let whole = check(&[user, nominate]);
    for length in 0..whole.len() {
        assert!(!nominates(&whole[..length]), "{length}");
    }
    // A length that lies.
    let mut lying = check(&[user, nominate]);
    lying[22..24].copy_from_slice(&[0xff, 0xff]);
    assert!(!nominates(&lying));
}

#[test]
fn rtcp_is_told_from_all_else_that_comes() {
    for kind in [200, 201, 202, 204, 205, 206, 207] {
        assert!(is_rtcp(&[0x80, kind]), "{kind}");
        assert!(is_rtcp(&[0xbf, kind, 0]), "{kind}");
        // DTLS, STUN, TURN channels.
        assert!(!is_rtcp(&[22, kind]) && !is_rtcp(&[1, kind]) && !is_rtcp(&[0x40, kind]));
        assert!(!is_rtcp(&[0xc0, kind]));
    }
    // RTP: any payload type but those that RFC 5761 keeps free, with and without a marker.
    for payload_type in (0..64).chain(96..128) {
        assert!(!is_rtcp(&[0x80, payload_type]), "{payload_type}");
        assert!(!is_rtcp(&[0x90, payload_type | 0x80]), "{payload_type}");
    }
    assert!(!is_rtcp(&[]) && !is_rtcp(&[0x80]));
}

#[test]
fn no_ssrc_is_given_twice() {
    let mut rtc = RtcConfig::new().build(epoch());
    let mut ssrcs = SsrcSequence::default();
    let mut given = BTreeSet::from([0]);
    for _ in 0..200_000 {
        assert!(given.insert(ssrcs.next(&mut rtc)));
    }
}
