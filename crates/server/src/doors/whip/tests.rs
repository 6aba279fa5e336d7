use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};

use super::{accepts_sdp, encoded};

#[test]
fn a_room_is_one_segment_of_the_path() {
    assert_eq!(encoded("yard-1.a_b~"), "yard-1.a_b~");
    assert_eq!(encoded("a/b c?마"), "a%2Fb%20c%3F%EB%A7%88");
}

#[test]
fn who_accepts_something_else_alone_is_not_answered_with_sdp() {
    let with = |accept: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        accepts_sdp(&headers)
    };
    assert!(accepts_sdp(&HeaderMap::new()));
    for accept in [
        "*/*",
        "application/sdp",
        "text/html, application/*;q=0.8",
        "Application/SDP;q=1",
    ] {
        assert!(with(accept), "{accept}");
    }
    assert!(!with("text/html, application/json"));
}
