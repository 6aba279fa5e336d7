use super::*;

fn told(name: &str, argument: &str) -> Option<Told> {
    let argument = serde_json::from_str(argument).expect("JSON");
    read(name, &[argument])
}

#[test]
fn what_we_say() {
    assert_eq!(
        Value::from(ready("robot", Some("vehicle"))).to_string(),
        r#"["robot","vehicle",true]"#
    );
    assert_eq!(
        Value::from(ready("robot", None)).to_string(),
        r#"["robot",null,true]"#
    );
    assert_eq!(
        description("a", "b", true, "v=0\r\n"),
        json!({"from": "a", "target": "b", "payload": {"action": "sdp", "sdp": {"type": "offer", "sdp": "v=0\r\n"}}})
    );
}

#[test]
fn what_we_are_told() {
    let introduced = r#"{"from":"all","target":"a","payload":{"action":"open","connections":[{"socketId":"s","peerId":"b","peerType":"admin"}],"bePolite":false}}"#;
    assert_eq!(
        told("message", introduced),
        Some(Told::Introduced {
            names: vec!["b".to_owned()],
            be_polite: false
        })
    );
    let left = r#"{"from":"b","target":"all","payload":{"action":"close","message":"Peer has left the signaling server"}}"#;
    assert_eq!(told("message", left), Some(Told::Left("b".to_owned())));
    let answer = r#"{"from":"b","target":"a","payload":{"action":"sdp","sdp":{"sdp":"v=0\r\n","type":"answer"}}}"#;
    assert_eq!(
        told("message", answer),
        Some(Told::Description {
            from: "b".to_owned(),
            is_offer: false,
            sdp: "v=0\r\n".to_owned()
        })
    );
    let ice = r#"{"from":"b","target":"a","payload":{"action":"ice","ice":{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMid":"0","sdpMLineIndex":0}}}"#;
    assert_eq!(
        told("message", ice),
        Some(Told::Candidate {
            from: "b".to_owned(),
            line: "candidate:1 1 udp 1 192.0.2.1 9 typ host".to_owned()
        })
    );
    assert_eq!(
        told("uniquenessError", r#"{"message":"a is already connected"}"#),
        Some(Told::Refused("a is already connected".to_owned()))
    );
}

#[test]
fn what_nobody_knows_is_passed_over() {
    for argument in [
        "null",
        "7",
        "[]",
        "{}",
        r#"{"from":"b"}"#,
        r#"{"from":7,"payload":{"action":"close"}}"#,
        r#"{"from":"b","message":{"n":1}}"#,
        r#"{"from":"b","payload":{"action":"ice","ice":null}}"#,
        r#"{"from":"b","payload":{"action":"ice","ice":{"candidate":""}}}"#,
        r#"{"from":"b","payload":{"action":"sdp","sdp":{"type":"rollback","sdp":""}}}"#,
        r#"{"from":"b","payload":{"action":"open","connections":{},"bePolite":true}}"#,
        r#"{"from":"b","payload":{"action":"dance"}}"#,
    ] {
        assert_eq!(told("message", argument), None, "{argument}");
    }
    assert_eq!(told("other", "{}"), None);
    assert_eq!(read("message", &[]), None);
}
