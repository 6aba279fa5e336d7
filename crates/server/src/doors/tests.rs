use super::{host_name, query_value, same_secret};

#[test]
fn names_of_hosts() {
    for (authority, name) in [
        ("a.example", "a.example"),
        ("a.example:8443", "a.example"),
        ("[::1]", "[::1]"),
        ("[::1]:80", "[::1]"),
    ] {
        assert_eq!(host_name(authority), name);
    }
}

#[test]
fn values_of_queries() {
    let query = "EIO=4&transport=polling&EIO=3&sid=";
    assert_eq!(query_value(query, "EIO").as_deref(), Some("4"));
    assert_eq!(query_value(query, "sid").as_deref(), Some(""));
    assert_eq!(query_value(query, "t"), None);
}

#[test]
fn secrets_are_compared_whole() {
    assert!(same_secret("abc", "abc") && same_secret("", ""));
    assert!(!same_secret("abc", "ab") && !same_secret("abc", "abcd") && !same_secret("abc", "abd"));
}
