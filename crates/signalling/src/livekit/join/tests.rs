use super::*;

fn client(browser: &str, version: &str, os: &str) -> proto::ClientInfo {
    proto::ClientInfo {
        browser: browser.to_owned(),
        browser_version: version.to_owned(),
        os: os.to_owned(),
        ..proto::ClientInfo::default()
    }
}

fn missing(client: &proto::ClientInfo) -> Vec<Codec> {
    let codecs = publish_codecs(client);
    let all = ROOM_CODECS.into_iter();
    all.filter(|codec| !codecs.contains(codec)).collect()
}

#[test]
fn browsers_defects_are_known() {
    assert_eq!(missing(&client("chrome", "142", "linux")), []);
    assert_eq!(missing(&client("Safari", "17.5", "mac os x")), [Codec::Av1]);
    assert_eq!(missing(&client("safari", "18.3", "mac os x")), [Codec::Av1]);
    assert_eq!(
        missing(&client("safari", "18.4", "mac os x")),
        [Codec::Vp9, Codec::Av1]
    );
    assert_eq!(missing(&client("firefox", "140", "Linux")), [Codec::H264]);
    assert_eq!(missing(&client("firefox", "140", "windows")), []);
}

#[test]
fn the_first_codec_is_the_one_that_clients_fall_back_to() {
    assert_eq!(publish_codecs(&client("", "", ""))[0], Codec::Vp8);
}

#[test]
fn mixed_numbers_differ() {
    let numbers: BTreeSet<u64> = (0..10_000).map(mixed).collect();
    assert_eq!(numbers.len(), 10_000);
}
