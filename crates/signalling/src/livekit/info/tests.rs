use super::*;

#[test]
fn data_tracks_have_ids_that_read_back() {
    let id = TrackId(12345);
    let sid = data_track_sid(id);
    assert!(sid.starts_with("DTR_"));
    assert_eq!(data_track_of(&sid), Some(id));
    for junk in ["", "D", "TR_00000000001", "DTR_", "DTR_0000000000é"] {
        assert_eq!(data_track_of(junk), None, "{junk}");
    }
}

#[test]
fn a_publication_of_another_dialect_looks_sensible() {
    let publication = Publication {
        id: TrackId(1),
        client_id: "cid".to_owned(),
        kind: MediaKind::Video,
        source: Source::ScreenShare,
        name: "slides".to_owned(),
        stream: String::new(),
        muted: true,
        width_px: 640,
        height_px: 360,
        layers: Vec::new(),
        codec: Some(Codec::H264),
        mid: Some("3".to_owned()),
        annotation: Bytes::new(),
    };
    let track = track(&publication);
    assert_eq!(track.mime_type, "video/H264");
    assert_eq!((track.stream.as_str(), track.mid.as_str()), ("screen", "3"));
    assert_eq!(track.source, proto::TrackSource::ScreenShare as i32);
    assert_eq!(track.codecs.len(), 1);
    assert_eq!(track.codecs[0].mime_type, "video/H264");
    assert!(track.muted);
}

#[test]
fn a_template_that_cannot_be_read_is_none() {
    let mut publication = Publication {
        id: TrackId(1),
        client_id: String::new(),
        kind: MediaKind::Audio,
        source: Source::Microphone,
        name: String::new(),
        stream: String::new(),
        muted: false,
        width_px: 0,
        height_px: 0,
        layers: Vec::new(),
        codec: None,
        mid: None,
        annotation: Bytes::new(),
    };
    let plain = track(&publication);
    publication.annotation = Bytes::from_static(&[0xff, 0xff]);
    assert_eq!(track(&publication), plain);
}

#[test]
fn codecs_have_one_spelling() {
    assert_eq!(mime_of("vp8", true), "video/VP8");
    assert_eq!(mime_of("video/h264", true), "video/H264");
    assert_eq!(mime_of("RED", false), "audio/red");
    // What we do not take becomes what everybody has.
    assert_eq!(mime_of("h265", true), "video/VP8");
    assert_eq!(mime_of("g722", false), "audio/opus");
    assert_eq!(mime_of("", true), "");
}

#[test]
fn a_permission_keeps_what_it_cannot_say() {
    let admin = Grant {
        admin: true,
        ..Grant::everything()
    };
    let after = grant_of_permission(&permission(&admin), &admin);
    assert_eq!(after, admin);
}
