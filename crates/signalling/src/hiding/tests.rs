use super::{candidate, description, message};

const RELAYED: &str = "candidate:4 1 udp 41886207 192.0.0.8 40001 typ relay raddr 203.0.113.7 rport 51000 generation 0 ufrag a network-id 1";

#[test]
fn only_relayed_candidates_pass_and_what_is_behind_them_stays() {
    let passed = "candidate:4 1 udp 41886207 192.0.0.8 40001 typ relay raddr 0.0.0.0 rport 0 generation 0 ufrag a network-id 1";
    assert_eq!(candidate(RELAYED).as_deref(), Some(passed));
    assert_eq!(
        candidate(&format!("a={RELAYED}")),
        Some(format!("a={passed}"))
    );
    assert_eq!(candidate("").as_deref(), Some(""));
    for own in [
        "candidate:1 1 udp 2122260223 192.168.0.7 51000 typ host generation 0",
        "candidate:1 1 udp 2122260223 ab12.local 51000 typ host",
        "candidate:2 1 udp 1686052607 203.0.113.7 51000 typ srflx raddr 192.168.0.7 rport 51000",
        "candidate:3 1 tcp 1518280447 192.168.0.7 9 typ host tcptype active",
        // Not where the type stands.
        "candidate:1 1 udp 1 192.168.0.7 51000 typ host x relay typ relay",
        "candidate:1 1 udp typ relay",
        "192.168.0.7",
    ] {
        assert_eq!(candidate(own), None, "{own}");
    }
}

#[test]
fn a_description_keeps_everything_but_addresses() {
    let lines = [
        ("v=0\r\n", "v=0\r\n"),
        (
            "o=- 46117 2 IN IP4 192.168.0.7\r\n",
            "o=- 46117 2 IN IP4 0.0.0.0\r\n",
        ),
        ("s=-\r\n", "s=-\r\n"),
        (
            "m=audio 51000 UDP/TLS/RTP/SAVPF 111\r\n",
            "m=audio 51000 UDP/TLS/RTP/SAVPF 111\r\n",
        ),
        ("c=IN IP6 2001:db8::7\r\n", "c=IN IP4 0.0.0.0\r\n"),
        (
            "a=rtcp:51000 IN IP4 192.168.0.7\n",
            "a=rtcp:51000 IN IP4 0.0.0.0\n",
        ),
        ("a=rtcp:9\r\n", "a=rtcp:9\r\n"),
        ("a=rtcp-mux\r\n", "a=rtcp-mux\r\n"),
        ("a=candidate:1 1 udp 1 192.168.0.7 51000 typ host\r\n", ""),
        ("a=remote-candidates:1 192.168.0.7 51000\r\n", ""),
        (
            "a=candidate:4 1 udp 1 192.0.0.8 4 typ relay raddr 10.0.0.7 rport 5\r\n",
            "a=candidate:4 1 udp 1 192.0.0.8 4 typ relay raddr 0.0.0.0 rport 0\r\n",
        ),
        ("a=end-of-candidates", "a=end-of-candidates"),
    ];
    let whole: String = lines.iter().map(|(line, _)| *line).collect();
    let expected: String = lines.iter().map(|(_, line)| *line).collect();
    assert_eq!(description(&whole), expected);
    assert_eq!(description(&expected), expected);
}

#[test]
fn messages_of_any_form_are_looked_through() {
    let host = "candidate:1 1 udp 1 192.168.0.7 51000 typ host";
    let packed = serde_json::json!({ "ice": { "candidate": host } }).to_string();
    for dropped in [
        serde_json::json!({ "payload": { "action": "ice", "ice": { "candidate": host } } }),
        serde_json::json!({ "payload": [1, [format!("a={host}")]] }),
        serde_json::json!({ "payload": packed }),
    ] {
        assert_eq!(message(&dropped.to_string()), None, "{dropped}");
    }
    let sdp = format!("v=0\r\na={host}\r\n");
    for (said, passed) in [
        (
            serde_json::json!({ "payload": { "sdp": { "sdp": sdp } } }),
            r#"{"payload":{"sdp":{"sdp":"v=0\r\n"}}}"#,
        ),
        (
            serde_json::json!({ "payload": { "ice": null, "n": 1.5 }, "text": "candidates: 3" }),
            r#"{"payload":{"ice":null,"n":1.5},"text":"candidates: 3"}"#,
        ),
    ] {
        assert_eq!(message(&said.to_string()).as_deref(), Some(passed));
    }
    // As it was written.
    let untouched = r#"{ "b":1, "a":{"candidate":""} }"#;
    assert_eq!(message(untouched).as_deref(), Some(untouched));
    assert_eq!(message("no JSON").as_deref(), Some("no JSON"));
}
