use std::net::SocketAddr;
use std::time::Duration;

use super::{NONCE_BYTES, Nonces};

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn a_nonce_is_good_for_ten_minutes_at_its_address() {
    let nonces = Nonces::new(&[3; 32]);
    let client = address("192.0.2.1:5000");
    let nonce = nonces.make(NOW, client);
    assert!(nonce.starts_with(b"obMatJos2wAAA"));
    assert_eq!(nonce.len(), NONCE_BYTES);
    for (age_s, is_good) in [
        (0, true),
        (300, true),
        (600, true),
        (640, false),
        (65_536, false),
    ] {
        let wall = NOW + Duration::from_secs(age_s);
        assert_eq!(
            nonces.is_good(wall, client, &nonce),
            is_good,
            "after {age_s} s"
        );
    }
    assert!(
        !nonces.is_good(NOW.saturating_sub(Duration::from_secs(60)), client, &nonce),
        "of the future"
    );
    for other in ["192.0.2.1:5001", "192.0.2.2:5000", "[::1]:5000"] {
        assert!(!nonces.is_good(NOW, address(other), &nonce), "{other}");
    }
    assert!(!Nonces::new(&[4; 32]).is_good(NOW, client, &nonce));
}

#[test]
fn what_we_did_not_make_is_not_good() {
    let nonces = Nonces::new(&[3; 32]);
    let client = address("[2001:db8::1]:5000");
    let nonce = nonces.make(NOW, client);
    for place in 0..nonce.len() {
        let mut other = nonce;
        other[place] = if other[place] == b'A' { b'B' } else { b'A' };
        assert!(!nonces.is_good(NOW, client, &other), "byte {place} counts");
    }
    for odd in [&b""[..], b"obMatJos2", &nonce[1..], &[0; NONCE_BYTES]] {
        assert!(!nonces.is_good(NOW, client, odd));
    }
}
