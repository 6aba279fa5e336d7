use super::{Credentials, owner_of_stun, owner_of_ufrag};
use crate::api::{Entropy, ShardId};
use crate::io::Slot;

struct Counting(u8);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0;
            self.0 = self.0.wrapping_add(7);
        }
    }
}

fn binding_request(username: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x00, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    datagram.extend([9; 12]);
    // An attribute before it, of odd length, to be skipped with its padding.
    datagram.extend([0x80, 0x22, 0, 5, b'a', b'b', b'c', b'd', b'e', 0, 0, 0]);
    datagram.extend([0x00, 0x06]);
    datagram.extend(u16::try_from(username.len()).expect("short").to_be_bytes());
    datagram.extend(username);
    while datagram.len() % 4 != 0 {
        datagram.push(0);
    }
    datagram
}

#[test]
fn the_owner_is_read_back_from_a_stun_request() {
    let credentials = Credentials::new(ShardId(3), Slot(0x0012_3456), &mut Counting(1));
    assert_eq!(
        owner_of_ufrag(credentials.ufrag.as_bytes()),
        Some((ShardId(3), Slot(0x0012_3456)))
    );
    assert_eq!(credentials.password.len(), 32);
    let datagram = binding_request(format!("{}:their", credentials.ufrag).as_bytes());
    assert_eq!(
        owner_of_stun(&datagram),
        Some((ShardId(3), Slot(0x0012_3456)))
    );
}

#[test]
fn strangers_and_cut_messages_have_no_owner() {
    assert_eq!(owner_of_ufrag(b"abcd"), None);
    assert_eq!(owner_of_ufrag(b"zz00000001ABCDEFGHIJKL"), None);
    let whole = binding_request(b"0000000001ABCDEFGHIJKL:x");
    assert_eq!(owner_of_stun(&whole), Some((ShardId(0), Slot(1))));
    for end in 0..whole.len() - 2 {
        let _: Option<_> = owner_of_stun(whole.get(..end).expect("within"));
    }
    assert_eq!(owner_of_stun(whole.get(..40).expect("within")), None);
    let mut no_magic = whole;
    *no_magic.get_mut(4).expect("long enough") = 0;
    assert_eq!(owner_of_stun(&no_magic), None);
}
