use super::*;

#[test]
fn addresses() {
    let parsed = |text: &str| Url::parse(text).map(|url| url.to_string());
    assert_eq!(
        parsed("wss://a.example:8267").as_deref(),
        Ok("wss://a.example:8267")
    );
    assert_eq!(
        parsed("https://a.example/").as_deref(),
        Ok("wss://a.example:443")
    );
    assert_eq!(
        parsed("http://[::1]:7880").as_deref(),
        Ok("ws://[::1]:7880")
    );
    assert_eq!(parsed("ws://[::1]").as_deref(), Ok("ws://[::1]:80"));
    assert_eq!(
        parsed("wss://a/b/live/ws/pub?channel=old").as_deref(),
        Ok("wss://a:443/b")
    );
    for wrong in [
        "",
        "localhost:7880",
        "ftp://a",
        "wss://",
        "wss://a:b",
        "wss://a:70000",
        "wss://a b",
        "wss://u@a",
    ] {
        assert!(parsed(wrong).is_err(), "{wrong:?}");
    }
}
