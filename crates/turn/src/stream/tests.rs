use super::{Frame, frame};

#[test]
fn each_frame_tells_its_length() {
    let message = [&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &[0; 20]].concat();
    let whole = Frame::Complete {
        content: 28,
        whole: 28,
    };
    assert_eq!(frame(&message), whole);
    assert_eq!(frame(&[&message[..], b"more"].concat()), whole);
    let channel = *b"\x40\x00\x00\x05hello\0\0\0";
    let padded = Frame::Complete {
        content: 9,
        whole: 12,
    };
    assert_eq!(frame(&channel), padded);
    for length in 0..message.len() {
        assert_eq!(frame(&message[..length]), Frame::Partial, "{length}");
    }
    for length in 0..channel.len() {
        assert_eq!(frame(&channel[..length]), Frame::Partial, "{length}");
    }
}

#[test]
fn what_is_neither_breaks_the_stream() {
    for first in (4..=63).chain(128..=255) {
        assert_eq!(frame(&[first]), Frame::Broken, "{first}");
        assert_eq!(frame(&[first, 0, 0, 0, 0]), Frame::Broken, "{first}");
    }
    assert_eq!(
        frame(&[0, 1, 0, 7]),
        Frame::Broken,
        "a message of an odd length"
    );
}
