use std::time::Instant;

use madang_sfu::api::RoomId;
use madang_signalling::door::UploadError;

use super::{KEPT, OVERHEAD_BYTES, PICTURE_BYTES_MAX, ROOM_BYTES_MAX, STORE_BYTES_MAX, Uploads};

const ROOM: RoomId = RoomId(1);

fn png(bytes: usize) -> Vec<u8> {
    let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
    picture.resize(bytes, 0);
    picture
}

#[test]
fn only_pictures() {
    let (uploads, now) = (Uploads::default(), Instant::now());
    for (start, extension) in [
        (&b"\x89PNG\r\n\x1a\n"[..], "png"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"GIF89a", "gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
    ] {
        let name = uploads.keep(now, ROOM, start.to_vec()).expect("a picture");
        assert!(
            name.ends_with(&format!(".{extension}")) && name.len() > 24,
            "{name}"
        );
        assert!(uploads.find(now, &name).is_some());
    }
    for other in [
        &b""[..],
        b"<svg onload=alert(1)>",
        b"<html>",
        b"RIFF\0\0\0\0WAVE",
        b"%PDF-",
        b"PK\x03\x04",
    ] {
        assert_eq!(
            uploads.keep(now, ROOM, other.to_vec()),
            Err(UploadError::Kind)
        );
    }
    assert!(uploads.find(now, "../etc/passwd").is_none());
}

#[test]
fn caps_are_exact() {
    let (uploads, now) = (Uploads::default(), Instant::now());
    assert!(uploads.keep(now, ROOM, png(PICTURE_BYTES_MAX)).is_ok());
    let refused = uploads.keep(now, ROOM, png(PICTURE_BYTES_MAX + 1));
    assert_eq!(refused, Err(UploadError::TooLarge));
}

#[test]
fn the_oldest_of_a_room_go_first() {
    let (uploads, now) = (Uploads::default(), Instant::now());
    let other = uploads.keep(now, RoomId(2), png(100)).expect("space");
    let size = PICTURE_BYTES_MAX - OVERHEAD_BYTES;
    let fitting = ROOM_BYTES_MAX / PICTURE_BYTES_MAX;
    let names: Vec<_> = (0..=fitting)
        .map(|_| uploads.keep(now, ROOM, png(size)).expect("space"))
        .collect();
    let found: Vec<_> = names
        .iter()
        .map(|name| uploads.find(now, name).is_some())
        .collect();
    assert!(!found[0] && found[1..].iter().all(|found| *found));
    assert!(uploads.find(now, &other).is_some());
}

#[test]
fn the_store_has_an_end_and_pictures_their_time() {
    let (uploads, now) = (Uploads::default(), Instant::now());
    let size = PICTURE_BYTES_MAX - OVERHEAD_BYTES;
    let fitting = STORE_BYTES_MAX / PICTURE_BYTES_MAX;
    let rooms = (0_u64..).map(RoomId).take(fitting);
    for room in rooms {
        uploads.keep(now, room, png(size)).expect("space");
    }
    let one_more = |at| uploads.keep(at, RoomId(999), png(size));
    assert_eq!(one_more(now), Err(UploadError::Full));
    let name = one_more(now + KEPT).expect("the others had their time");
    assert!(uploads.find(now + KEPT + (KEPT / 2), &name).is_some());
    assert!(uploads.find(now + KEPT + KEPT, &name).is_none());
    let store = uploads.lock();
    assert_eq!(
        (store.bytes, store.order.len(), store.bytes_by_room.len()),
        (0, 0, 0)
    );
}
