use super::{Credentials, Fragment, FragmentError, of_answer, restarted};

/// RFC 9725 §4.3.2, shortened.
const TRICKLE: &str = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
    a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
    a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
    a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 ufrag Else network-id 2\r\n\
    a=end-of-candidates\r\n\r\n";

fn credentials() -> Credentials {
    Credentials {
        ufrag: "EsAw".to_owned(),
        password: "P2uYro0UCOQ4zxjKXaWCBui1".to_owned(),
    }
}

#[test]
fn candidates_of_other_credentials_are_left_out() {
    let fragment = Fragment::read(TRICKLE).expect("a fragment");
    assert_eq!(fragment.credentials, Some(credentials()));
    assert_eq!(
        fragment.candidates,
        [
            "candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1"
        ]
    );
}

#[test]
fn without_credentials_all_candidates_count() {
    let text = "m=audio 9 X 0\na=mid:0\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\n";
    let fragment = Fragment::read(text).expect("a fragment");
    assert_eq!(fragment.credentials, None);
    assert_eq!(fragment.candidates.len(), 1, "the same twice is one");
}

#[test]
fn what_is_none_is_refused() {
    let line = Err(FragmentError::Line);
    for text in [
        "",
        "\r\n",
        "hello",
        "{\"candidate\":\"\"}",
        "a=",
        "ab=c\r\n",
    ] {
        assert_eq!(Fragment::read(text), line, "{text:?}");
    }
    let password = "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n";
    for text in [
        "a=ice-ufrag:EsAw\r\n".to_owned(),
        password.to_owned(),
        format!("a=ice-ufrag:x\r\n{password}"),
        "a=ice-ufrag:EsAw\r\na=ice-pwd:short\r\n".to_owned(),
        format!("a=ice-ufrag:Es Aw\r\n{password}"),
        format!("a=ice-ufrag:EsAw\r\na=ice-ufrag:Else\r\n{password}"),
    ] {
        let refused = Err(FragmentError::Credentials);
        assert_eq!(Fragment::read(&text), refused, "{text:?}");
    }
    let many: String = (0..129)
        .map(|port| format!("a=candidate:1 1 udp 1 192.0.2.1 {port} typ host\r\n"))
        .collect();
    assert_eq!(Fragment::read(&many), Err(FragmentError::TooMany));
}

#[test]
fn a_restarted_offer_has_the_new_credentials_and_no_old_candidate() {
    let offer = "v=0\r\nm=audio 9 X 0\r\na=ice-ufrag:old1\r\na=ice-pwd:old-password-of-22-chars\r\n\
        a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\na=end-of-candidates\r\na=mid:0\r\n\
        m=video 9 X 1\r\na=ice-ufrag:old1\r\na=ice-pwd:old-password-of-22-chars\r\na=mid:1\r\n";
    assert_eq!(
        restarted(offer, &credentials()),
        "v=0\r\nm=audio 9 X 0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=mid:0\r\n\
         m=video 9 X 1\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=mid:1\r\n"
    );
}

#[test]
fn of_an_answer_only_what_ice_needs_is_told() {
    let answer = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\na=fingerprint:sha-256 AA\r\n\
        m=audio 9 X 0\r\na=mid:0\r\na=ice-ufrag:ours\r\na=ice-pwd:our-password-of-22-chars\r\n\
        a=candidate:1 1 udp 1 192.0.2.9 7882 typ host\r\na=end-of-candidates\r\na=recvonly\r\n\
        m=video 9 X 1\r\na=mid:1\r\na=ice-ufrag:ours\r\na=candidate:1 1 udp 1 192.0.2.9 7882 typ host\r\n";
    assert_eq!(
        of_answer(answer),
        "a=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 X 0\r\na=mid:0\r\na=ice-ufrag:ours\r\n\
         a=ice-pwd:our-password-of-22-chars\r\na=candidate:1 1 udp 1 192.0.2.9 7882 typ host\r\na=end-of-candidates\r\n"
    );
}
