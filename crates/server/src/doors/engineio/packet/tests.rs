use super::{Message, PACKETS_MAX, Protocol, Verb, message};

fn event_of(text: &str) -> Option<&str> {
    Message::parse(text)?.event()
}

#[test]
fn payloads_come_back_as_they_went() {
    let packets: Vec<String> = ["0{}", "40", "2", "42[\"é\u{1f600}\"]"]
        .map(str::to_owned)
        .into();
    for protocol in [Protocol::V3, Protocol::V4] {
        let payload = protocol.payload(&packets);
        assert_eq!(protocol.packets(&payload), Some(packets.clone()));
    }
    assert_eq!(
        Protocol::V3.payload(&packets),
        "3:0{}2:401:29:42[\"é\u{1f600}\"]"
    );
    assert_eq!(Protocol::V4.payload(&packets[..2]), "0{}\u{1e}40");
}

#[test]
fn malformed_payloads() {
    for payload in [
        "",
        ":",
        "0:",
        "-1:a",
        "2:a",
        "99999999:a",
        "a:b",
        "1:ab",
        "1:a5:b",
        "1",
        "18446744073709551616:a",
        // A length that ends within a character of two units.
        "1:\u{1f600}",
    ] {
        assert_eq!(Protocol::V3.packets(payload), None, "{payload:?}");
    }
    for payload in ["", "\u{1e}", "2\u{1e}", "\u{1e}2"] {
        assert_eq!(Protocol::V4.packets(payload), None, "{payload:?}");
    }
    let packets = |count: usize| vec!["2".to_owned(); count];
    for protocol in [Protocol::V3, Protocol::V4] {
        let most = protocol.payload(&packets(PACKETS_MAX));
        assert!(protocol.packets(&most).is_some());
        let more = protocol.payload(&packets(PACKETS_MAX + 1));
        assert_eq!(protocol.packets(&more), None);
    }
}

#[test]
fn messages() {
    let parsed = Message::parse("0/signal?token=a,{\"token\":\"b\"}").expect("good");
    assert_eq!(
        (parsed.verb, parsed.namespace, parsed.query, parsed.data),
        (Verb::Connect, "/signal", "token=a", "{\"token\":\"b\"}")
    );
    assert_eq!(event_of("2[\"a\",null]"), Some("[\"a\",null]"));
    assert_eq!(event_of("2/sfu,12[\"a\"]"), Some("[\"a\"]"));
    assert_eq!(message('2', "/", "[\"a\"]"), "42[\"a\"]");
    assert_eq!(message('0', "/sfu", ""), "40/sfu,");
}

#[test]
fn malformed_messages() {
    for text in [
        "",
        "5",
        "51-[\"a\",{\"_placeholder\":true,\"num\":0}]",
        "9",
        "x",
        "é",
    ] {
        assert!(Message::parse(text).is_none(), "{text:?}");
    }
    let deep = |depth| format!("2[\"a\",{}{}]", "[".repeat(depth), "]".repeat(depth));
    for text in [
        "2",
        "2[]",
        "2{}",
        "2[1]",
        "2null",
        "2[\"a\"",
        "2[\"a\",]",
        "2[\"a\"]]",
        "2[\"a\",NaN]",
    ] {
        assert_eq!(event_of(text), None, "{text:?}");
    }
    assert!(event_of(&deep(31)).is_some());
    assert!(event_of(&deep(32)).is_none());
    assert!(event_of(&deep(100_000)).is_none());
    assert!(event_of("2[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"]").is_some());
}
