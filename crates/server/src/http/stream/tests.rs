use super::whole_frames;
use crate::media::Framing;

/// Like a message with so many bytes after its header.
fn message(length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut bytes = vec![0, 1, high, low];
    bytes.resize(20 + usize::from(length), 0);
    bytes
}

#[test]
fn whole_frames_go_on_and_the_rest_is_kept() {
    let one = message(8);
    let two = [message(8), vec![0x40, 0, 0, 3, 1, 2, 3, 0]].concat();
    assert_eq!(whole_frames(Framing::Turn, &[], 2_048), Some(0));
    assert_eq!(whole_frames(Framing::Turn, &one, 2_048), Some(28));
    assert_eq!(whole_frames(Framing::Turn, &two, 2_048), Some(36));
    for cut in 28..36 {
        assert_eq!(
            whole_frames(Framing::Turn, &two[..cut], 2_048),
            Some(28),
            "{cut}"
        );
    }
}

#[test]
fn what_is_no_frame_or_longer_than_it_may_be_ends_it() {
    assert_eq!(
        whole_frames(Framing::Turn, b"\x16\x03\x01\x00\x05", 2_048),
        None
    );
    assert_eq!(
        whole_frames(Framing::Turn, &[message(8), vec![0x16]].concat(), 2_048),
        None
    );
    let long = message(2_048);
    assert_eq!(
        whole_frames(Framing::Turn, &long[..2_048], 2_048),
        Some(0),
        "as yet"
    );
    assert_eq!(whole_frames(Framing::Turn, &long[..2_049], 2_048), None);
    assert_eq!(whole_frames(Framing::Turn, &long, 2_048), None);
    assert_eq!(whole_frames(Framing::Turn, &long, usize::MAX), Some(2_068));
}

#[test]
fn frames_after_their_length_go_on_as_a_whole_as_well() {
    let all = [&[0, 2, 1, 1][..], &[0, 0], &[0, 3, 1, 1]].concat();
    assert_eq!(whole_frames(Framing::Ice, &all, 2_048), Some(6));
    assert_eq!(whole_frames(Framing::Ice, &all[..3], 2_048), Some(0));
    assert_eq!(whole_frames(Framing::Ice, &[255; 2_050], 2_048), None);
}
