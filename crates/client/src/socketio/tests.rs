use serde_json::json;

use super::*;

fn said(client: &mut Client) -> Vec<String> {
    std::iter::from_fn(|| {
        let said = client.next_said().map(str::to_owned);
        client.pop_said();
        said
    })
    .collect()
}

#[test]
fn the_path_is_the_namespace() {
    for (text, at, namespace) in [
        ("http://a:3030", "ws://a:3030", "/"),
        ("http://a:3030/", "ws://a:3030", "/"),
        ("wss://a/signal", "wss://a:443", "/signal"),
        ("ws://a:7880/socket.io/?EIO=4", "ws://a:7880", "/"),
    ] {
        let url = Url::parse(text).expect("an address");
        let (url, found) = Client::address(&url);
        assert_eq!(found, namespace, "{text}");
        let wanted = format!("{at}/socket.io/?EIO=4&transport=websocket");
        assert_eq!(url.to_string(), wanted, "{text}");
    }
}

#[test]
fn a_conversation() {
    let now = Instant::now();
    let mut client = Client::new(now, "/", json!({"token": "T"}));
    assert_eq!(said(&mut client), Vec::<String>::new());
    let open = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    assert_eq!(client.handle_text(now, open), None);
    assert_eq!(said(&mut client), [r#"40{"token":"T"}"#]);
    let connected = client.handle_text(now, r#"40{"sid":"t"}"#);
    assert_eq!(connected, Some(Told::Connected));
    client.emit("ready", vec![json!("a"), Value::Null, json!(true)]);
    assert_eq!(said(&mut client), [r#"42["ready","a",null,true]"#]);
    let event = |arguments| {
        let name = "message".to_owned();
        Some(Told::Event { name, arguments })
    };
    let heard = client.handle_text(now, r#"42["message",{"from":"b"},2]"#);
    assert_eq!(heard, event(vec![json!({"from": "b"}), json!(2)]));
    let heard = client.handle_text(now, r#"4217["message"]"#);
    assert_eq!(
        heard,
        event(vec![]),
        "with the number of an acknowledgement"
    );
    assert_eq!(client.handle_text(now, "2"), None);
    assert_eq!(said(&mut client), ["3"]);
    assert_eq!(client.handle_text(now, "41"), Some(Told::Closed));
    assert_eq!(client.handle_text(now, "1"), Some(Told::Closed));
    client.disconnect();
    assert_eq!(said(&mut client), ["41"]);
}

#[test]
fn of_a_namespace_only_its_own_is_heard() {
    let now = Instant::now();
    let mut client = Client::new(now, "/signal", json!({}));
    assert_eq!(client.handle_text(now, "0{}"), None);
    client.emit("ready", vec![json!("a")]);
    client.disconnect();
    let wanted = ["40/signal,{}", r#"42/signal,["ready","a"]"#, "41/signal,"];
    assert_eq!(said(&mut client), wanted);
    for (text, told) in [
        ("40/signal,{\"sid\":\"t\"}", Some(Told::Connected)),
        ("41/signal,", Some(Told::Closed)),
        ("41/signal", Some(Told::Closed)),
        ("40{\"sid\":\"t\"}", None),
        ("42/other,[\"message\"]", None),
    ] {
        assert_eq!(client.handle_text(now, text), told, "{text}");
    }
}

#[test]
fn refusals_and_what_cannot_be_read() {
    let now = Instant::now();
    let mut client = Client::new(now, "/", json!({}));
    let refused = |sentence: &str| Some(Told::Refused(sentence.to_owned()));
    for (text, told) in [
        (
            r#"44{"message":"Authentication error"}"#,
            refused("Authentication error"),
        ),
        (r#"44"no""#, refused("no")),
        ("44", refused("null")),
        ("", None),
        ("4", None),
        ("42", None),
        ("42{}", None),
        ("42[]", None),
        ("42[7]", None),
        ("43[1]", None),
        ("451-[\"message\",{\"_placeholder\":true,\"num\":0}]", None),
        ("6", None),
        ("close", None),
        ("\u{1f600}", None),
    ] {
        assert_eq!(client.handle_text(now, text), told, "{text:?}");
    }
    assert_eq!(said(&mut client), Vec::<String>::new());
}

#[test]
fn silence() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut client = Client::new(start, "/", json!({}));
    assert!(!client.is_silent(after(19)));
    assert!(client.is_silent(after(20)));
    let open = r#"0{"pingInterval":25000,"pingTimeout":20000}"#;
    assert_eq!(client.handle_text(after(1), open), None);
    assert_eq!(client.poll_timeout(), after(46));
    assert_eq!(client.handle_text(after(40), "2"), None);
    assert!(!client.is_silent(after(84)));
    assert!(client.is_silent(after(85)));
    let endless = r#"0{"pingInterval":18446744073709551615,"pingTimeout":1}"#;
    assert_eq!(client.handle_text(after(100), endless), None);
    assert_eq!(client.poll_timeout(), after(700));
}
