use super::*;

#[test]
fn leading_slashes_are_one() {
    let check = |from: &str, to: &str| {
        let mut uri: Uri = Uri::builder().path_and_query(from).build().expect("valid");
        collapse_slashes(&mut uri);
        assert_eq!(uri.to_string(), to);
    };
    check("//rtc?a=//b", "/rtc?a=//b");
    check("///rtc/v1", "/rtc/v1");
    check("/rtc//v1", "/rtc//v1");
    check("/", "/");
    check("//", "/");
}
