//! The vectors that are printed in the documents.

use zeroize::Zeroizing;

use super::super::cipher::Suite;
use super::super::keys::{Kind, Master, Session};
use super::{Opener, Profile, hex};

#[test]
fn session_keys_are_derived_as_in_rfc_3711_b_3() {
    let master = Master::new(
        Profile::Aes128CmSha1_80,
        &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
        &hex("0EC675AD498AFEEBB6960B3AABE6"),
    )
    .expect("lengths");
    let session = master.session(Kind::Rtp);
    assert_eq!(session.key[..16], hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(session.salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
    // The document derives 94 bytes of it, so that the counter is seen to count.
    let mut auth_key = [0xff; 94];
    master.derive(1, &mut auth_key);
    assert_eq!(
        auth_key[..],
        hex(
            "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE \
             E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25 \
             6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2"
        )
    );
    assert_eq!(session.auth_key[..], auth_key[..20]);
}

#[test]
fn session_keys_are_derived_as_in_rfc_6188_7() {
    let master = Master::new(
        Profile::AeadAes256Gcm,
        &hex("f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6"),
        &hex("3b04803de51ee7c96423ab5b78d2"),
    )
    .expect("lengths");
    let (mut key, mut auth_key, mut salt) = ([0; 32], [0; 20], [0; 14]);
    master.derive(0, &mut key);
    master.derive(1, &mut auth_key);
    master.derive(2, &mut salt);
    assert_eq!(
        key[..],
        hex("5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4")
    );
    assert_eq!(
        auth_key[..],
        hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
    );
    assert_eq!(salt[..], hex("fa31791685ca444a9e07c6c64e93"));
}

fn suite(profile: Profile, key: &[u8], salt: &[u8], auth_key: &[u8]) -> Suite {
    let mut session = Session {
        profile,
        key: Zeroizing::default(),
        salt: [0; 14],
        auth_key: Zeroizing::default(),
    };
    session.key[..key.len()].copy_from_slice(key);
    session.salt[..salt.len()].copy_from_slice(salt);
    session.auth_key[..auth_key.len()].copy_from_slice(auth_key);
    Suite::new(&session)
}

/// The key stream of RFC 3711 B.2: zeros, encrypted.
#[test]
fn counter_mode_is_that_of_rfc_3711_b_2() {
    let suite = suite(
        Profile::Aes128CmSha1_80,
        &hex("2B7E151628AED2A6ABF7158809CF4F3C"),
        &hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
        &[0; 20],
    );
    let mut packet = vec![0; 12 + 48];
    assert!(suite.seal_rtp(&mut packet, 0, 12, 0, 0));
    assert_eq!(
        packet[12..60],
        hex(
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB \
             41E95B3BB0A2E8DD477901E4FCA894C0"
        )
    );
}

/// The packets with which libsrtp checks itself, sealed with the master key of RFC 3711 B.3.
#[test]
fn counter_mode_with_sha1_seals_as_libsrtp_does() {
    let master = Master::new(
        Profile::Aes128CmSha1_80,
        &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
        &hex("0EC675AD498AFEEBB6960B3AABE6"),
    )
    .expect("lengths");
    let mut rtp = hex("800f1234decafbadcafebabe abababababababababababababababab");
    let suite = Suite::new(&master.session(Kind::Rtp));
    assert!(suite.seal_rtp(&mut rtp, 0, 12, 0xcafe_babe, 0x1234));
    assert_eq!(
        rtp,
        hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb")
    );
    let mut rtcp = hex("81c8000bcafebabe abababababababababababababababab");
    let suite = Suite::new(&master.session(Kind::Rtcp));
    assert!(suite.seal_rtcp(&mut rtcp, 0, 1));
    assert_eq!(
        rtcp,
        hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798")
    );
}

struct Rfc7714 {
    profile: Profile,
    key: &'static str,
    rtp: &'static str,
    rtcp: &'static str,
    rtcp_tag: &'static str,
}

const SALT: &str = "51756964 2070726f 2071756f";
const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 \
                   696e2070 61727465 73207472 6573";
const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 \
                    deadbeef deadbeef deadbeef deadbeef deadbeef";
const RTCP_INDEX: u32 = 0x5d4;

/// RFC 7714 §16.1.1, §17.1 and §17.3; and the same with 256 bits, §16.2.1, §17.5 and §17.7.
const RFC_7714: [Rfc7714; 2] = [
    Rfc7714 {
        profile: Profile::AeadAes128Gcm,
        key: "000102030405060708090a0b0c0d0e0f",
        rtp: "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f \
              42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        rtcp: "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 \
               730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        rtcp_tag: "841dd968 3dd78ec9 2ae58790 125f62b3",
    },
    Rfc7714 {
        profile: Profile::AeadAes256Gcm,
        key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        rtp: "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 \
              b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        rtcp: "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 \
               110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        rtcp_tag: "91db4afb feee5a97 8fab4393 ed2615fe",
    },
];

#[test]
fn gcm_seals_and_opens_as_in_rfc_7714_16_and_17() {
    for vector in RFC_7714 {
        let suite = || suite(vector.profile, &hex(vector.key), &hex(SALT), &[]);
        let mut rtp = hex(RTP);
        assert!(suite().seal_rtp(&mut rtp, 0, 12, 0x5501_a0b2, 0xf17b));
        assert_eq!(rtp, hex(vector.rtp), "{:?}", vector.profile);

        let mut rtcp = hex(RTCP);
        assert!(suite().seal_rtcp(&mut rtcp, 0, RTCP_INDEX));
        assert_eq!(rtcp, hex(vector.rtcp), "{:?}", vector.profile);

        let mut plain = vec![1, 2, 3];
        assert!(Opener::new(suite()).open_rtcp(&rtcp, &mut plain));
        assert_eq!(plain, hex(RTCP), "{:?}", vector.profile);

        // Authenticated alone.
        let word = RTCP_INDEX.to_be_bytes();
        let tagged = [hex(RTCP), hex(vector.rtcp_tag), word.to_vec()].concat();
        assert!(Opener::new(suite()).open_rtcp(&tagged, &mut plain));
        assert_eq!(plain, hex(RTCP), "{:?}", vector.profile);
    }
}
