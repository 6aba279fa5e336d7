use super::*;

const ID: Transaction = Transaction([
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
]);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn what_is_answered_is_what_is_read() {
    for remote in [
        "192.0.2.1:32853",
        "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
    ] {
        let remote = address(remote);
        let answered = answer(&request(ID), remote).expect("a plain request");
        assert_eq!(mapped(&answered, ID), Some(remote));
        assert_eq!(
            mapped(&answered, Transaction([0; 12])),
            None,
            "another's answer"
        );
        assert!(answered.len() <= 44);
    }
    let over_v4 = answer(&request(ID), address("192.0.2.1:1")).expect("plain");
    assert!(over_v4.len() * 10 <= request(ID).len() * 16);
}

/// RFC 5769 §2.2 and §2.3, without what needs the password.
#[test]
fn the_published_vectors() {
    let v4 = [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
    assert_eq!(unxored(&v4, ID), Some(address("192.0.2.1:32853")));
    assert_eq!(xored(address("192.0.2.1:32853"), ID), v4);
    let v6 = [
        0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4,
        0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
    ];
    let text = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
    assert_eq!(unxored(&v6, ID), Some(address(text)));
}

#[test]
fn old_servers_answer_in_the_clear() {
    let value = [0, 1, 0x80, 0x55, 192, 0, 2, 1];
    let old = message(BINDING_SUCCESS, ID, &[(MAPPED_ADDRESS, &value)]);
    assert_eq!(mapped(&old, ID), Some(address("192.0.2.1:32853")));
}

#[test]
fn only_plain_requests_are_answered() {
    let remote = address("192.0.2.1:1");
    let named = message(BINDING_REQUEST, ID, &[(USERNAME, b"a:b")]);
    assert_eq!(answer(&named, remote), None, "a check of a connection");
    let answered = answer(&request(ID), remote).expect("a plain request");
    assert_eq!(answer(&answered, remote), None, "an answer: no loops");
    let allocate = message(0x0003, ID, &[]);
    assert_eq!(answer(&allocate, remote), None);
    let mut long = request(ID);
    long.push(0);
    assert_eq!(answer(&long, remote), None, "longer than it says");
    for length in 0..HEADER_BYTES {
        let cut = request(ID);
        assert_eq!(answer(cut.get(..length).expect("shorter"), remote), None);
    }
}

#[test]
fn requests_of_a_size() {
    let remote = address("192.0.2.1:1");
    for bytes in [24, 1_200, 1_472] {
        let request = request_of_size(ID, bytes);
        assert_eq!(request.len(), bytes);
        assert!(answer(&request, remote).is_some());
    }
}

#[test]
fn hostile_answers_are_no_addresses() {
    for value in [
        &[][..],
        &[0, 1],
        &[0, 3, 0, 1, 1, 1, 1, 1],
        &[0, 2, 0, 1, 1, 1, 1, 1],
    ] {
        let answer = message(BINDING_SUCCESS, ID, &[(XOR_MAPPED_ADDRESS, value)]);
        assert_eq!(mapped(&answer, ID), None, "{value:?}");
    }
    assert_eq!(mapped(&message(BINDING_SUCCESS, ID, &[]), ID), None);
}
