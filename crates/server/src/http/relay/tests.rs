use super::whole_frames;

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
    assert_eq!(whole_frames(&[], 2_048), Some(0));
    assert_eq!(whole_frames(&one, 2_048), Some(28));
    assert_eq!(whole_frames(&two, 2_048), Some(36));
    for cut in 28..36 {
        assert_eq!(whole_frames(&two[..cut], 2_048), Some(28), "{cut}");
    }
}

#[test]
fn what_is_no_frame_or_longer_than_it_may_be_ends_it() {
    assert_eq!(whole_frames(b"\x16\x03\x01\x00\x05", 2_048), None);
    assert_eq!(
        whole_frames(&[message(8), vec![0x16]].concat(), 2_048),
        None
    );
    let long = message(2_048);
    assert_eq!(whole_frames(&long[..2_048], 2_048), Some(0), "as yet");
    assert_eq!(whole_frames(&long[..2_049], 2_048), None);
    assert_eq!(whole_frames(&long, 2_048), None);
    assert_eq!(whole_frames(&long, usize::MAX), Some(2_068));
}
