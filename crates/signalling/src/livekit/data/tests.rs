use super::*;

const SENDER: Sender<'_> = Sender {
    identity: "anna",
    sid: "PA_anna",
    hidden: false,
    agent: false,
};

/// A field that no version of the protocol has.
const NEWER: u32 = 999;

#[test]
fn what_is_newer_than_we_are_passes() {
    let mut payload = Vec::new();
    wire::put_bytes(&mut payload, NEWER, b"newer");
    let mut user = Vec::new();
    wire::put_bytes(&mut user, 2, b"hi");
    wire::put_bytes(&mut user, NEWER, b"inner");
    wire::put_bytes(&mut payload, packet::USER, &user);

    let packet = rewritten(&payload, true, SENDER).expect("a packet");
    let fields = wire::fields(&packet.bytes).expect("a message");
    let newer = fields.iter().find(|field| field.number == NEWER);
    assert_eq!(
        newer.and_then(|field| field.text(&packet.bytes)),
        Some("newer")
    );
    let user = fields.iter().find(|field| field.number == packet::USER);
    let user = user
        .and_then(|field| field.bytes(&packet.bytes))
        .expect("is there");
    let inner = wire::fields(user).expect("a message");
    let newer = inner.iter().find(|field| field.number == NEWER);
    assert_eq!(newer.and_then(|field| field.text(user)), Some("inner"));
}

#[test]
fn a_sender_cannot_be_somebody_else() {
    // Said twice, and in a field that is repeated: the last one counts for readers, so none may stay.
    let mut payload = Vec::new();
    for _ in 0..2 {
        wire::put_bytes(&mut payload, packet::IDENTITY, b"eve");
        wire::put_bytes(&mut payload, packet::SID, b"PA_eve");
    }
    wire::put_varint(&mut payload, packet::KIND, 1);
    wire::put_bytes(&mut payload, packet::CHAT, b"");
    let packet = rewritten(&payload, true, SENDER).expect("a packet");
    let read = proto::DataPacket::decode(packet.bytes.as_slice()).expect("a packet");
    assert_eq!(read.participant_identity, "anna");
    assert_eq!(read.participant_sid, "PA_anna");
    assert!(!packet.bytes.windows(3).any(|three| three == b"eve"));
    #[expect(deprecated, reason = "older clients read it")]
    let kind = read.kind;
    assert_eq!(kind, proto::data_packet::Kind::Reliable as i32);
}

#[test]
fn what_cannot_be_read_is_no_packet() {
    let mut bad_identity = Vec::new();
    wire::put_bytes(&mut bad_identity, packet::IDENTITY, &[0xff, 0xfe]);
    let mut bad_user = Vec::new();
    wire::put_bytes(&mut bad_user, packet::USER, &[0x12, 0x7f]);
    let mut huge_sequence = Vec::new();
    wire::put_varint(&mut huge_sequence, packet::SEQUENCE, u64::MAX);
    for payload in [bad_identity, bad_user, huge_sequence] {
        assert_eq!(rewritten(&payload, true, SENDER), None);
    }
}

#[test]
fn numbers_of_reliable_messages_only_grow() {
    let mut reliable = Reliable::default();
    let accepted: Vec<_> = [1, 2, 2, 1, 5, 0, 4, 6, u32::MAX, 7]
        .into_iter()
        .filter(|number| reliable.accept(*number))
        .collect();
    assert_eq!(accepted, [1, 2, 5, 0, 6, u32::MAX]);
    assert_eq!(reliable.last(), u32::MAX);
}
