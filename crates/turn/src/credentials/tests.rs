use std::time::Duration;

use super::Mint;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn passwords_are_those_of_the_rest_api() {
    // openssl dgst -sha1 -hmac "secret" -binary <<< (without newline) | base64
    let minted = Mint::new(b"secret").mint("PA_x", Duration::from_secs(1_700_000_000));
    assert_eq!(minted.username, "1700000000:PA_x");
    assert_eq!(minted.password, EXPECTED);
    assert_ne!(Mint::new(b"other").password(b"1700000000:PA_x"), EXPECTED);
    assert!(!format!("{minted:?}").contains(EXPECTED), "never logged");
}

#[test]
fn names_end_by_themselves() {
    let name = b"7200:PA_x:y";
    assert_eq!(Mint::participant(HOUR, name), Some("PA_x:y"));
    assert_eq!(Mint::participant(2 * HOUR, name), None);
    for odd in [
        &b""[..],
        b"7200",
        b":PA_x",
        b"x:PA_x",
        b"-1:PA_x",
        b"\xff:x",
        b"99999999999999999999:x",
    ] {
        assert_eq!(Mint::participant(HOUR, odd), None);
    }
}

const EXPECTED: &str = "hGRbykIKGeoxGLzBGMhDb8AYud0=";
