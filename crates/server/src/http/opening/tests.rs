use super::*;

#[test]
fn the_first_byte_tells() {
    for (byte, expected) in [
        (b'G', Opening::Http),
        (b'P', Opening::Http),
        (b'\r', Opening::Http),
        (0x16, Opening::Tls),
        (0x00, Opening::Stun),
        (0x01, Opening::Stun),
        (0x03, Opening::Stun),
        // TURN's channels, DTLS that lost its way, SSLv2.
        (0x04, Opening::Unknown),
        (0x40 | 0x80, Opening::Unknown),
        (0x80, Opening::Unknown),
        (0x7f, Opening::Unknown),
    ] {
        assert_eq!(Opening::of(byte), expected, "{byte:#x}");
    }
}
