use super::{DEPTH_MAX, JsonError, Members, TEXT_BYTES_MAX, check};

fn set(text: &str) -> Option<String> {
    Members::read(text).map(|members| members.with("from", "me"))
}

#[test]
fn depth_is_counted_outside_of_strings() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(check(&nested(DEPTH_MAX)), Ok(()));
    assert_eq!(check(&nested(DEPTH_MAX + 1)), Err(JsonError::TooDeep));
    let in_a_string = format!(r#"["{}\"{}"]"#, "[".repeat(60), "{".repeat(60));
    assert_eq!(check(&in_a_string), Ok(()));
    assert_eq!(check(&"[]".repeat(1000)), Ok(()));
    assert_eq!(check(&"[".repeat(100_000)), Err(JsonError::TooDeep));
}

#[test]
fn length_is_limited_to_the_byte() {
    assert_eq!(check(&" ".repeat(TEXT_BYTES_MAX)), Ok(()));
    assert_eq!(
        check(&" ".repeat(TEXT_BYTES_MAX + 1)),
        Err(JsonError::TooLong)
    );
}

#[test]
fn one_member_is_set_and_the_others_stay_as_they_were_written() {
    let check = |text: &str, expected: &str| assert_eq!(set(text).as_deref(), Some(expected));
    check("{}", r#"{"from":"me"}"#);
    check(
        r#"{"z":1.50, "from":"you" ,"a":{"b": [1e2]}}"#,
        r#"{"z":1.50,"from":"me","a":{"b": [1e2]}}"#,
    );
    check(r#"{"a":1}"#, r#"{"from":"me","a":1}"#);
    check(r#"{"fr\u006fm":1,"from":2}"#, r#"{"from":"me"}"#);
    check(r#"{"\"":"é"}"#, r#"{"from":"me","\"":"é"}"#);
    check(r#"{"n":1e400}"#, r#"{"from":"me","n":1e400}"#);
}

#[test]
fn only_objects_have_members() {
    for text in ["null", "[]", "\"from\"", "1", "", "{", "{\"a\"}", "{} x"] {
        assert_eq!(set(text), None, "{text}");
    }
}

#[test]
fn the_last_of_equal_names_counts() {
    let members = Members::read(r#"{"target":"a","target":"b"}"#).expect("an object");
    assert_eq!(members.string("target").as_deref(), Some("b"));
    let members = Members::read(r#"{"target":7}"#).expect("an object");
    assert_eq!(members.string("target"), None);
}
