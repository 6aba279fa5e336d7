use super::*;

#[test]
fn an_address_has_its_secrets_taken_out() {
    let camera = Camera::parse("rtsp://admin:p%40ss%3aw@cam.lan:8554/main?x=1", false);
    let camera = camera.expect("an address");
    assert_eq!(camera.name(), "rtsp://cam.lan:8554/main?x=1");
    let credentials = camera.credentials.expect("they were given");
    assert_eq!(
        (credentials.username.as_str(), credentials.password.as_str()),
        ("admin", "p@ss:w")
    );
    let open = Camera::parse("rtsp://10.0.0.7/", false).expect("an address");
    assert!(open.credentials.is_none());
    for wrong in [
        "",
        "cam.lan",
        "http://cam.lan/",
        "rtsp://",
        "rtsp://a:secret@",
    ] {
        let said = Camera::parse(wrong, false).expect_err(wrong);
        assert!(
            said.contains("write rtsp://") && !said.contains("secret"),
            "{said}"
        );
    }
}

#[test]
fn percent_signs_that_are_none_stay() {
    for (text, wanted) in [
        ("a%20b", "a b"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("%e2%82%ac", "€"),
    ] {
        assert_eq!(percent_decoded(text), wanted);
    }
}
