use super::*;

#[test]
fn a_channel_is_written_into_the_query() {
    let url = Url::parse("ws://a:1/base").expect("an address");
    let url = url.channel(Role::Publisher, "마당 &1", &[("brate", "800")]);
    assert_eq!(
        url.to_string(),
        "ws://a:1/base/live/ws/pub?channel=%EB%A7%88%EB%8B%B9%20%261&brate=800"
    );
}

#[test]
fn what_a_server_says() {
    let now = Instant::now();
    let mut client = Client::new(now);
    let mut told = |text: &str| client.handle_text(now, text);
    assert_eq!(
        told(r#"{"type":"answer","data":"v=0\r\n"}"#),
        Some(Told::Answer("v=0\r\n".to_owned()))
    );
    assert_eq!(
        told(r#"{"type":"joins","data":"3"}"#),
        Some(Told::Joins("3".to_owned()))
    );
    assert_eq!(
        told(r#"{"type":"error","data":"no"}"#),
        Some(Told::Error("no".to_owned()))
    );
    assert_eq!(
        told(r#"{"type":"error","data":"the server is stopping"}"#),
        Some(Told::Goodbye("the server is stopping".to_owned()))
    );
    let candidate = Some(Told::Candidate(
        "candidate:1 1 udp 1 192.0.2.1 9 typ host".to_owned(),
    ));
    assert_eq!(
        told(r#"{"type":"candidate","data":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}"#),
        candidate
    );
    assert_eq!(
        told(
            r#"{"type":"candidate2","data":"{\"candidate\":\"candidate:1 1 udp 1 192.0.2.1 9 typ host\",\"sdpMid\":\"\"}"}"#
        ),
        candidate
    );
    for other in [
        r#"{"type":"ping","data":""}"#,
        r#"{"type":"pong"}"#,
        "close",
        "",
        "[]",
        "null",
        r#"{"type":7}"#,
        r#"{"type":"joins","data":3}"#,
        "{\"type\":\"answer\"",
    ] {
        assert_eq!(told(other), None, "{other:?}");
    }
}

#[test]
fn an_offer_is_two_strings() {
    assert_eq!(
        Client::offer("v=0\r\n"),
        r#"{"type":"offer","data":"v=0\r\n"}"#
    );
}

#[test]
fn pings_and_silence() {
    let start = Instant::now();
    let mut client = Client::new(start);
    let after = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(client.poll_timeout(), after(30));
    assert_eq!(client.handle_timeout(after(29)), None);
    assert_eq!(
        client.handle_timeout(after(30)).as_deref(),
        Some(r#"{"type":"ping","data":""}"#)
    );
    assert_eq!(client.handle_timeout(after(31)), None);
    assert!(!client.is_silent(after(74)));
    assert!(client.is_silent(after(75)));
    assert_eq!(
        client.handle_text(after(75), r#"{"type":"ping","data":""}"#),
        None
    );
    assert!(!client.is_silent(after(149)));
    assert!(client.is_silent(after(150)));
}
