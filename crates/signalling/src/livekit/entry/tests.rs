use std::io::Write as _;

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

fn wrapped(compression: i32, join_request: Vec<u8>) -> Vec<u8> {
    proto::WrappedJoinRequest {
        compression,
        join_request,
    }
    .encode_to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

fn refused(bytes: &[u8]) -> EntryError {
    parse_v1(&URL_SAFE.encode(bytes)).expect_err("is refused")
}

#[test]
fn a_query_says_everything() {
    let entry = parse_v0_query(
        "access_token=x&auto_subscribe=0&adaptive_stream=1&protocol=17&client_protocol=2\
         &capabilities=CAP_PACKET_TRAILER,CAP_NEWER,%20CAP_COMPRESSION_DEFLATE_RAW&sdk=python\
         &version=1.2.0&os=Mac+OS&reconnect=1&sid=PA_1&reconnect_reason=3\
         &attributes=eyJhIjoiYiJ9&auto_subscribe_data_track=true",
    )
    .expect("can be read");
    assert_eq!(entry.path, Path::V0);
    assert_eq!((entry.protocol, entry.client_protocol), (17, 2));
    assert_eq!(entry.capabilities, [1, 2]);
    assert!(!entry.auto_subscribe && entry.adaptive_stream && entry.auto_subscribe_data);
    assert_eq!(entry.client.os, "Mac OS");
    assert_eq!(entry.program(), "python 1.2.0");
    assert_eq!(entry.attributes["a"], "b");
    let reconnect = Reconnect {
        participant_sid: "PA_1".to_owned(),
        reason: 3,
    };
    assert_eq!(entry.reconnect, Some(reconnect));
}

#[test]
fn an_empty_query_has_defaults() {
    let entry = parse_v0_query("").expect("can be read");
    assert!(entry.auto_subscribe && !entry.auto_subscribe_data);
    assert_eq!((entry.protocol, entry.reconnect), (0, None));
}

#[test]
fn a_join_request_in_the_query_opens_the_other_door() {
    let request = proto::JoinRequest {
        metadata: "m".to_owned(),
        ..proto::JoinRequest::default()
    };
    let bytes = wrapped(0, request.encode_to_vec());
    let query = format!("join_request={}", URL_SAFE.encode(bytes));
    assert_eq!(parse_v0_query(&query).expect("is read").path, Path::V1);
    assert_eq!(parse_v1_query(&query).expect("is read").path, Path::V1);
}

#[test]
fn base64_of_any_kind_is_read() {
    let request = proto::JoinRequest {
        metadata: "~~~???>>>".to_owned(),
        ..proto::JoinRequest::default()
    };
    let bytes = wrapped(1, gzip(&request.encode_to_vec()));
    for text in [
        URL_SAFE.encode(&bytes),
        URL_SAFE_NO_PAD.encode(&bytes),
        STANDARD.encode(&bytes),
        STANDARD_NO_PAD.encode(&bytes),
        STANDARD
            .encode(&bytes)
            .replace('+', " ")
            .replace('=', "%3D"),
    ] {
        let entry = parse_v1(&text).expect("can be read");
        assert_eq!(entry.metadata, "~~~???>>>", "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_text() {
    assert_eq!(
        parse_v1("").expect_err("is refused"),
        EntryError::JoinRequestMissing
    );
    assert_eq!(parse_v1("!!!").expect_err("is refused"), EntryError::Base64);
    assert_eq!(refused(&[0xff]), EntryError::Wrapped);
    assert_eq!(refused(&wrapped(0, vec![0xff])), EntryError::JoinRequest);
    assert_eq!(refused(&wrapped(1, b"no gzip".to_vec())), EntryError::Gzip);
}

#[test]
fn a_bomb_does_not_go_off() {
    let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    assert_eq!(refused(&wrapped(1, bomb)), EntryError::TooLarge);
    let large = vec![0; JOIN_REQUEST_BYTES_MAX + 1];
    assert_eq!(refused(&wrapped(0, large)), EntryError::TooLarge);
}

#[test]
fn browsers_are_known_by_their_user_agent() {
    let check = |agent: &str, browser: &str, version: &str, os: &str| {
        let entry = parse_v0_query("sdk=js")
            .expect("is read")
            .with_user_agent(agent);
        let client = entry.client;
        let found = (
            client.browser.as_str(),
            client.browser_version.as_str(),
            client.os.as_str(),
        );
        assert_eq!(found, (browser, version, os), "{agent}");
    };
    check(
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "firefox",
        "140.0",
        "linux",
    );
    check(
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "chrome",
        "142.0.0.0",
        "linux",
    );
    check(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
        "safari",
        "18.4",
        "mac os x",
    );
    check("python-websockets/12", "", "", "");
}
