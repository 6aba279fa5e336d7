mod reference;
mod vectors;

use super::{Keys, Opener, Profile, Sealer};
use reference::Reference;

const PROFILES: [Profile; 3] = [
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
    Profile::Aes128CmSha1_80,
];
const SSRC: u32 = 0xdead_beef;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit).expect("a digit"))
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// Repeatable noise.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_be_bytes()[7]).collect()
    }
}

/// We are the server of the handshake here.
struct Pair {
    profile: Profile,
    sealer: Sealer,
    opener: Opener,
    /// What the other side does with our packets, and with its own.
    of_ours: Reference,
    of_theirs: Reference,
}

fn tag_len(profile: Profile) -> usize {
    if profile == Profile::Aes128CmSha1_80 {
        10
    } else {
        16
    }
}

fn pair(profile: Profile) -> Pair {
    let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
    let material = Noise(7).bytes(2 * (key_len + salt_len));
    let (keys, salts) = material.split_at(2 * key_len);
    let (client_key, server_key) = keys.split_at(key_len);
    let (client_salt, server_salt) = salts.split_at(salt_len);
    let (sealer, opener) = Keys::new(profile, &material, false)
        .expect("material of that length")
        .split();
    Pair {
        profile,
        sealer,
        opener,
        of_ours: Reference::new(profile, server_key, server_salt),
        of_theirs: Reference::new(profile, client_key, client_salt),
    }
}

fn rtp(index: u64, ssrc: u32, payload_len: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(&index.to_be_bytes()[6..]);
    packet.extend([1, 2, 3, 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(Noise(index).bytes(payload_len));
    packet
}

/// A report of `ssrc` with a body.
fn rtcp(ssrc: u32, body_len: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet.extend(Noise(3).bytes(body_len));
    packet
}

#[test]
fn the_engine_opens_the_rtp_that_we_seal_wherever_it_stands_in_a_batch() {
    for profile in PROFILES {
        let pair = pair(profile);
        let mut batch = b"others".to_vec();
        let mut places = Vec::new();
        // The last sequence number, the first after it, and the last index of all.
        for index in [
            0,
            1,
            0xffff,
            0x1_0000,
            0x1_0001,
            0x00ab_cdef_0123,
            (1 << 48) - 1,
        ] {
            for payload_len in [0, 1, 15, 16, 17, 1180] {
                let plain = rtp(index, SSRC, payload_len);
                let start = batch.len();
                batch.extend(&plain);
                assert!(pair.sealer.seal_rtp(&mut batch, start, 12, SSRC, index));
                assert_eq!(batch.len(), start + plain.len() + tag_len(profile));
                places.push((start..batch.len(), index, plain));
            }
        }
        assert_eq!(batch[..6], *b"others");
        for (place, index, plain) in places {
            let opened = pair.of_ours.open_rtp(&batch[place], 12, SSRC, index);
            assert_eq!(opened, Some(plain), "{profile:?} {index}");
        }
    }
}

#[test]
fn extensions_and_csrcs_stay_readable_and_are_authentic() {
    for profile in PROFILES {
        let pair = pair(profile);
        let plain = rtp(5, SSRC, 100);
        let mut packet = plain.clone();
        assert!(pair.sealer.seal_rtp(&mut packet, 0, 32, SSRC, 5));
        assert_eq!(packet[..32], plain[..32]);
        assert_ne!(packet[32..112], plain[32..112]);
        let opened = pair.of_ours.open_rtp(&packet, 32, SSRC, 5);
        assert_eq!(opened, Some(plain), "{profile:?}");
        packet[20] ^= 1;
        assert_eq!(pair.of_ours.open_rtp(&packet, 32, SSRC, 5), None);
    }
}

#[test]
fn another_rollover_counter_is_another_packet() {
    for profile in PROFILES {
        let pair = pair(profile);
        let mut first = rtp(9, SSRC, 50);
        let mut second = first.clone();
        assert!(pair.sealer.seal_rtp(&mut first, 0, 12, SSRC, 9));
        assert!(
            pair.sealer
                .seal_rtp(&mut second, 0, 12, SSRC, 9 + (1 << 16))
        );
        assert_ne!(first[12..62], second[12..62], "{profile:?}");
        let opened = pair.of_ours.open_rtp(&second, 12, SSRC, 9);
        assert_eq!(opened, None, "{profile:?}");
    }
}

#[test]
fn what_cannot_be_sealed_leaves_the_batch() {
    for profile in PROFILES {
        let mut pair = pair(profile);
        let whole = [b"others".to_vec(), rtp(0, SSRC, 4)].concat();
        let cases = [(6, 17, 0), (6, 12, 1 << 48), (6, usize::MAX, 0)];
        for (start, header_len, index) in cases {
            let mut batch = whole.clone();
            let is_sealed = pair
                .sealer
                .seal_rtp(&mut batch, start, header_len, SSRC, index);
            assert!(!is_sealed, "{profile:?} {header_len} {index}");
            assert_eq!(batch, b"others");
        }
        let mut batch = b"others1234567".to_vec();
        assert!(!pair.sealer.seal_rtcp(&mut batch, 6));
        assert_eq!(batch, b"others");
        assert!(!pair.sealer.seal_rtcp(&mut batch, 60));
        assert_eq!(batch, b"others");
    }
}

#[test]
fn the_engine_opens_the_rtcp_that_we_seal_and_it_is_counted_from_one() {
    for profile in PROFILES {
        let mut pair = pair(profile);
        for index in 1..=5 {
            let plain = rtcp(SSRC + index, 8 * index as usize);
            let mut batch = [b"others".to_vec(), plain.clone()].concat();
            assert!(pair.sealer.seal_rtcp(&mut batch, 6));
            let opened = pair.of_ours.open_rtcp(&batch[6..]);
            assert_eq!(opened, Some((index, plain)), "{profile:?}");
        }
    }
}

#[test]
fn rtcp_ends_with_its_indices() {
    for profile in PROFILES {
        let mut pair = pair(profile);
        pair.sealer.rtcp_index = 0x7fff_fffe;
        let plain = rtcp(SSRC, 20);
        let mut packet = plain.clone();
        assert!(pair.sealer.seal_rtcp(&mut packet, 0));
        let opened = pair.of_ours.open_rtcp(&packet);
        assert_eq!(opened, Some((0x7fff_ffff, plain.clone())), "{profile:?}");
        for _ in 0..2 {
            let mut packet = plain.clone();
            assert!(!pair.sealer.seal_rtcp(&mut packet, 0));
            assert_eq!(packet, b"");
        }
    }
}

#[test]
fn we_open_the_rtcp_of_the_engine_encrypted_or_not_and_once() {
    for profile in PROFILES {
        let mut pair = pair(profile);
        let mut plain = Vec::new();
        for (index, body_len) in [(0, 0), (1, 1), (2, 24), (3, 1000), (0x7fff_ffff, 5)] {
            for is_encrypted in [true, false] {
                let ssrc = SSRC + u32::from(is_encrypted);
                let sent = rtcp(ssrc, body_len);
                let sealed = pair.of_theirs.seal_rtcp(&sent, index, is_encrypted);
                assert!(pair.opener.open_rtcp(&sealed, &mut plain), "{profile:?}");
                assert_eq!(plain, sent, "{profile:?}");
                assert!(!pair.opener.open_rtcp(&sealed, &mut plain), "a replay");
                assert_eq!(plain, b"");
            }
        }
    }
}

#[test]
fn the_window_holds_sixty_four_of_each_sender() {
    let mut pair = pair(Profile::AeadAes128Gcm);
    let mut plain = Vec::new();
    let mut come = |ssrc, index| {
        let sealed = pair.of_theirs.seal_rtcp(&rtcp(ssrc, 4), index, true);
        pair.opener.open_rtcp(&sealed, &mut plain)
    };
    assert!(come(1, 1000));
    assert!(come(1, 937), "63 behind");
    assert!(!come(1, 937));
    assert!(!come(1, 936), "64 behind: too old to know");
    assert!(come(1, 999));
    assert!(come(1, 1001));
    assert!(!come(1, 1000));
    assert!(!come(1, 999));
    assert!(!come(1, 937), "now out of the window");
    assert!(come(1, 998));
    assert!(come(1, 1100), "all of the window is new");
    assert!(!come(1, 1001));
    assert!(come(1, 1099));
    assert!(come(2, 5), "another sender counts for itself");
    assert!(!come(2, 5));
    // The first of them is forgotten when there are 64 others, but not one that is still heard.
    for ssrc in 3..=65 {
        assert!(come(1, 1100 + ssrc));
        assert!(come(ssrc, 5));
    }
    assert!(!come(1, 1165));
    assert!(!come(65, 5));
    assert!(come(2, 5));
}

#[test]
fn no_truncated_or_flipped_datagram_is_opened() {
    for profile in PROFILES {
        for is_encrypted in [true, false] {
            let mut pair = pair(profile);
            let sent = rtcp(SSRC, 24);
            let sealed = pair.of_theirs.seal_rtcp(&sent, 77, is_encrypted);
            let mut plain = Vec::new();
            for len in 0..sealed.len() {
                assert!(!pair.opener.open_rtcp(&sealed[..len], &mut plain));
                assert!(!pair.opener.open_rtcp(&sealed[len + 1..], &mut plain));
            }
            for bit in 0..sealed.len() * 8 {
                let mut flipped = sealed.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let is_open = pair.opener.open_rtcp(&flipped, &mut plain);
                assert!(!is_open, "{:?} bit {bit}", pair.profile);
                assert_eq!(plain, b"");
            }
            let longer = [sealed.as_slice(), &[0]].concat();
            assert!(!pair.opener.open_rtcp(&longer, &mut plain));
            assert!(
                pair.opener.open_rtcp(&sealed, &mut plain),
                "nothing of that counted as seen"
            );
            assert_eq!(plain, sent);
        }
    }
}

#[test]
fn noise_is_not_opened() {
    let mut noise = Noise(1);
    for profile in PROFILES {
        let mut pair = pair(profile);
        let mut plain = Vec::new();
        for len in 0..600 {
            let datagram = noise.bytes(len % 150);
            assert!(!pair.opener.open_rtcp(&datagram, &mut plain));
        }
        assert!(format!("{:?}", pair.opener).contains("senders: []"));
    }
}

#[test]
fn our_side_is_the_one_that_the_handshake_gave_us() {
    for profile in PROFILES {
        let material = Noise(9).bytes(2 * (profile.key_len() + profile.salt_len()));
        let split = |active| {
            Keys::new(profile, &material, active)
                .expect("material of that length")
                .split()
        };
        let ((mut client, mut from_server), (mut server, mut from_client)) =
            (split(true), split(false));
        let mut plain = Vec::new();
        let mut to_server = rtcp(1, 4);
        assert!(client.seal_rtcp(&mut to_server, 0));
        assert!(!from_server.open_rtcp(&to_server, &mut plain));
        assert!(from_client.open_rtcp(&to_server, &mut plain));
        assert_eq!(plain, rtcp(1, 4));
        let mut to_client = rtcp(2, 4);
        assert!(server.seal_rtcp(&mut to_client, 0));
        assert!(!from_client.open_rtcp(&to_client, &mut plain));
        assert!(from_server.open_rtcp(&to_client, &mut plain));
        assert_eq!(plain, rtcp(2, 4));
    }
}

#[test]
fn material_of_another_length_makes_no_keys() {
    for profile in PROFILES {
        let len = 2 * (profile.key_len() + profile.salt_len());
        for other in (0..len).chain([len + 1, len + 32]) {
            assert!(Keys::new(profile, &vec![1; other], true).is_none());
        }
        let keys = Keys::new(profile, &vec![1; len], true).expect("that length");
        assert_eq!(format!("{keys:?}"), "Keys { .. }");
    }
}

#[test]
fn a_connection_may_move_to_another_thread() {
    fn check<T: Send + Sync>() {}
    check::<(Keys, Sealer, Opener)>();
}
