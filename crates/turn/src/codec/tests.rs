use std::net::SocketAddr;

use super::{ChannelData, Class, Integrity, Message, Method, Writer, attribute, channel_data};
use crate::credentials::{Algorithm, Key, user_hash};

/// Hexadecimal digits; spaces do not count.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| {
            let pair: String = pair.iter().collect();
            u8::from_str_radix(&pair, 16).expect("hexadecimal")
        })
        .collect()
}

/// RFC 5769 §2.1 to §2.4.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae
    802200105354554e207465737420636c69656e74 002400046e0001ff 80290008932ff9b151263b36
    000600096576746a3a68367659202020 000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004e57a3bcf";
const RESPONSE_IPV4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae
    8022000b7465737420766563746f7220 002000080001a147e112a643
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004c07d4c96";
const RESPONSE_IPV6: &str = "010100482112a442b7e7a701bc34d686fa87dfae
    8022000b7465737420766563746f7220 002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9
    00080014a382954e4be67bf11784c97c8292c275bfe3ed41 80280004c8fb0b4c";
const REQUEST_LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e
    00060012e3839ee38388e383aae38383e382afe382b90000
    0015001c662f2f3439396b393534643 64f4c33346f4c39465354767936347341
    0014000b6578616d706c652e6f726700 00080014f67024656dd64a3e02b8e0712e85c9a28ca89666";
/// RFC 8489 §B.1, with erratum 6268.
const REQUEST_SHA256: &str = "000100902112a44278ad3433c6ad72c029da412e
    001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704
    001500296f624d61744a6f7332414141 43662f2f3439396b393534643 64f4c33346f4c39465354767936347341000000
    0014000b6578616d706c652e6f726700 001d000400020000
    001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65";
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const NAME: &str = "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}";
const LONG_TERM_PASSWORD: &str = "TheMatrIX";

fn matrix(algorithm: Algorithm) -> Key {
    let (realm, password) = (b"example.org", LONG_TERM_PASSWORD.as_bytes());
    Key::long_term(algorithm, NAME.as_bytes(), realm, password)
}

#[test]
fn the_samples_of_rfc_5769_are_read() {
    let key = Key::short_term(PASSWORD);
    for (sample, class, address) in [
        (REQUEST, Class::Request, None),
        (RESPONSE_IPV4, Class::Success, Some("192.0.2.1:32853")),
        (
            RESPONSE_IPV6,
            Class::Success,
            Some("[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
        ),
    ] {
        let whole = bytes(sample);
        let message = Message::parse(&whole).expect("sound");
        assert_eq!(
            (message.method, message.class),
            (Some(Method::Binding), class)
        );
        assert_eq!(message.integrity(), Some(Integrity::Sha1));
        assert!(message.is_sealed_with(&key));
        assert!(!message.is_sealed_with(&Key::short_term("another")));
        let address: Option<SocketAddr> = address.map(|text| text.parse().expect("an address"));
        assert_eq!(message.address(attribute::XOR_MAPPED_ADDRESS), address);
        // All but the kind of the last attribute: something else there need not be understood.
        let last = whole.len() - 8;
        for place in (20..last).chain(last + 2..whole.len()) {
            let mut broken = whole.clone();
            broken[place] ^= 1;
            let is_taken = Message::parse(&broken).is_some_and(|m| m.is_sealed_with(&key));
            assert!(!is_taken, "byte {place} counts");
        }
    }
}

#[test]
fn long_term_credentials_are_those_of_the_samples() {
    let whole = bytes(REQUEST_LONG_TERM);
    let message = Message::parse(&whole).expect("sound");
    assert_eq!(message.get(attribute::USERNAME), Some(NAME.as_bytes()));
    assert_eq!(message.get(attribute::REALM), Some(&b"example.org"[..]));
    assert!(message.is_sealed_with(&matrix(Algorithm::Md5)));
    assert!(!message.is_sealed_with(&matrix(Algorithm::Sha256)));

    let whole = bytes(REQUEST_SHA256);
    let message = Message::parse(&whole).expect("sound");
    let hash = user_hash(NAME.as_bytes(), b"example.org");
    assert_eq!(message.get(attribute::USERHASH), Some(&hash[..]));
    assert_eq!(message.integrity(), Some(Integrity::Sha256));
    assert!(message.is_sealed_with(&matrix(Algorithm::Sha256)));
    assert!(!message.is_sealed_with(&matrix(Algorithm::Md5)));
}

#[test]
fn what_is_written_is_the_sample() {
    let mut out = vec![9, 9];
    let transaction = bytes("78ad3433c6ad72c029da412e");
    let transaction = transaction.as_slice().try_into().expect("12 bytes");
    let mut writer = Writer::new(&mut out, Method::Binding, Class::Request, transaction);
    writer
        .attribute(attribute::USERNAME, NAME.as_bytes())
        .attribute(attribute::NONCE, b"f//499k954d6OL34oL9FSTvy64sA")
        .attribute(attribute::REALM, b"example.org")
        .seal_sha1(&matrix(Algorithm::Md5));
    assert_eq!(out.split_off(2), bytes(REQUEST_LONG_TERM));

    let mut writer = Writer::new(&mut out, Method::Allocate, Class::Request, transaction);
    writer.attribute(attribute::DATA, b"x");
    writer.seal_sha256(&matrix(Algorithm::Sha256));
    writer.fingerprint();
    let whole = out.split_off(2);
    let message = Message::parse(&whole).expect("its fingerprint is right");
    assert!(message.is_sealed_with(&matrix(Algorithm::Sha256)));
    assert_eq!(whole[24..28], [b'x', 0, 0, 0], "padding is zero");
}

#[test]
fn addresses_go_there_and_back() {
    let transaction = [7; 12];
    for text in ["192.0.0.8:1024", "[100::8]:65535"] {
        let address: SocketAddr = text.parse().expect("an address");
        let mut out = Vec::new();
        Writer::new(&mut out, Method::Send, Class::Indication, transaction)
            .xor_address(attribute::XOR_PEER_ADDRESS, address);
        let message = Message::parse(&out).expect("sound");
        assert_eq!(message.address(attribute::XOR_PEER_ADDRESS), Some(address));
    }
    for odd in [
        &[][..],
        &[0, 1],
        &[0, 3, 0, 0, 0, 0, 0, 0],
        &[0, 2, 0, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(super::xor_address(odd, &transaction), None);
    }
}

#[test]
fn the_first_of_several_counts_and_nothing_after_the_integrity_does() {
    let mut out = Vec::new();
    let key = matrix(Algorithm::Md5);
    let mut writer = Writer::new(&mut out, Method::Send, Class::Request, [0; 12]);
    writer
        .attribute(attribute::DATA, b"first")
        .attribute(attribute::DATA, b"second")
        .seal_sha1(&key);
    writer
        .attribute(attribute::LIFETIME, &[0; 4])
        .attribute(0x7001, &[]);
    let message = Message::parse(&out).expect("sound");
    assert_eq!(message.get(attribute::DATA), Some(&b"first"[..]));
    assert!(message.is_sealed_with(&key));
    assert!(!message.has(attribute::LIFETIME));
    assert_eq!(message.not_understood().count(), 0);
}

#[test]
fn what_does_not_fit_is_no_message() {
    let sound = bytes("000100082112a44200000000000000000000000000060002616200 00");
    assert!(Message::parse(&sound).is_some());
    for broken in [
        "",
        "0001",
        // Shorter and longer than it says; not a multiple of four.
        "000100042112a442000000000000000000000000",
        "000100002112a44200000000000000000000000000000000",
        "000100022112a4420000000000000000000000000000",
        // Another cookie; the first two bits.
        "000100002112a443000000000000000000000000",
        "400100002112a442000000000000000000000000",
        // An attribute that ends after the message, by its value or by its padding.
        "000100042112a44200000000000000000000000000060001",
        "000100082112a4420000000000000000000000000006000561626300",
        "000100042112a4420000000000000000000000000006ffff",
        // A fingerprint that is wrong, of another size, or not the last.
        "000100082112a4420000000000000000000000008028000400000000",
        "000100042112a44200000000000000000000000080280000",
    ] {
        assert!(Message::parse(&bytes(broken)).is_none(), "{broken}");
    }
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, Method::Binding, Class::Request, [0; 12]);
    writer.fingerprint();
    assert!(Message::parse(&out).is_some());
    Writer::new(&mut Vec::new(), Method::Binding, Class::Request, [0; 12]);
    out.extend([0x80, 0x22, 0, 0]);
    out[3] += 4;
    assert!(Message::parse(&out).is_none(), "something after it");
}

#[test]
fn channel_data_is_as_long_as_it_says() {
    let mut out = Vec::new();
    channel_data(&mut out, 0x4000, b"hello", false);
    assert_eq!(out, *b"\x40\x00\x00\x05hello");
    let read = ChannelData::parse(&out).expect("sound");
    assert_eq!((read.number, read.payload), (0x4000, &b"hello"[..]));
    out.clear();
    channel_data(&mut out, 0x4001, b"hello", true);
    assert_eq!(out, *b"\x40\x01\x00\x05hello\0\0\0");
    assert_eq!(ChannelData::parse(&out).expect("sound").payload, b"hello");
    for broken in [
        &b""[..],
        b"\x40",
        b"\x40\0\0",
        b"\x40\0\0\x01",
        b"\x40\0\xff\xffx",
    ] {
        assert!(ChannelData::parse(broken).is_none());
    }
    assert_eq!(
        ChannelData::parse(b"\x40\0\0\0").expect("empty").payload,
        b""
    );
}
