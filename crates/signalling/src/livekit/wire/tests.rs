use super::*;

#[test]
fn fields_are_found_where_they_stand() {
    // 1: varint 150; 2: "hi"; 3: fixed 32; 4: fixed 64; 2: "" again.
    let message = [
        0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8,
        0x12, 0x00,
    ];
    let fields = fields(&message).expect("a message");
    let numbers: Vec<_> = fields.iter().map(|field| field.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 2]);
    assert_eq!(fields[0].value, Value::Varint(150));
    assert_eq!(fields[1].text(&message), Some("hi"));
    assert_eq!(fields[3].all, 12..21);
    assert_eq!(fields[4].bytes(&message), Some(&b""[..]));
}

#[test]
fn what_is_left_is_left_as_it_was() {
    // The varint is written in more bytes than it needs: it must come out like that.
    let message = [0x08, 0x81, 0x00, 0x12, 0x01, b'x', 0xf8, 0x7f, 0x05];
    let fields = fields(&message).expect("a message");
    assert_eq!(
        without(&message, &fields, &[2]),
        [0x08, 0x81, 0x00, 0xf8, 0x7f, 0x05]
    );
}

#[test]
fn what_is_no_message_is_refused() {
    for junk in [
        &[0x08][..],
        &[0x12, 0x05, b'x'],
        &[0x0b, 0x0c],
        &[0x0e],
        &[0x00, 0x01],
        &[0x1d, 1, 2],
        &[
            0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ],
        &[
            0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ],
    ] {
        assert_eq!(fields(junk), None, "{junk:?}");
    }
}

#[test]
fn what_is_put_is_read_again() {
    let mut message = Vec::new();
    put_varint(&mut message, 6, u64::MAX);
    put_bytes(&mut message, 2000, &[7; 300]);
    let fields = fields(&message).expect("a message");
    assert_eq!(fields[0].value, Value::Varint(u64::MAX));
    assert_eq!(fields[1].number, 2000);
    assert_eq!(fields[1].bytes(&message), Some(&[7; 300][..]));
}
