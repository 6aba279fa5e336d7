use super::*;

#[test]
fn paths_stay_in_the_folder() {
    assert_eq!(relative("assets/a.js"), Some("assets/a.js".into()));
    for path in ["../a", "a/../../b", "/etc/passwd", "./a"] {
        assert_eq!(relative(path), None, "{path}");
    }
}

#[test]
fn encodings() {
    let check = |value: &'static str, expected: bool| {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        assert_eq!(accepts_gzip(&headers), expected, "{value}");
    };
    check("gzip, deflate, br", true);
    check("br;q=1.0, gzip;q=0.8", true);
    check("gzip;q=0", false);
    check("br", false);
}

#[test]
fn what_is_packed_unpacks_to_the_same() {
    use std::io::Read as _;
    let text = "courtyard ".repeat(1000);
    let file = File::new("a.js", Bytes::from(text.clone()));
    let packed = file.gzipped().expect("worth it");
    assert!(packed.len() < text.len());
    let mut unpacked = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
    decoder.read_to_string(&mut unpacked).expect("ours");
    assert_eq!(unpacked, text);
    assert!(File::new("a.png", Bytes::from(text)).gzipped().is_none());
}

#[test]
fn what_pages_of_others_may_use() {
    let header = |path: &str, name: &str| {
        let file = File::new(path, Bytes::from_static(b"x"));
        let response = answer(&file, &HeaderMap::new());
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    for path in ["embed/watch.js", "embed/watch.d.ts"] {
        assert_eq!(
            header(path, "access-control-allow-origin").as_deref(),
            Some("*")
        );
        assert_eq!(
            header(path, "cross-origin-resource-policy").as_deref(),
            Some("cross-origin")
        );
        assert_eq!(header(path, "cache-control").as_deref(), Some(FOR_A_WHILE));
        assert!(header(path, "etag").is_some());
    }
    for path in ["index.html", "assets/a.js", "embedded.js"] {
        assert_eq!(header(path, "access-control-allow-origin"), None, "{path}");
        assert_ne!(header(path, "cache-control").as_deref(), Some(FOR_A_WHILE));
    }
}
