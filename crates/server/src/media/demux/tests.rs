use std::net::SocketAddr;

use madang_sfu::Slot;
use madang_sfu::api::ShardId;

use super::{Demux, Full, Owner, Unowned};
use crate::media::testing::stun_request;

const OWN: ShardId = ShardId(1);
const OTHER: ShardId = ShardId(0);
const RTP: [u8; 3] = [0x80, 96, 0];
const DTLS: [u8; 3] = [22, 254, 253];

fn remote(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn owner(shard: ShardId, slot: u32) -> Owner {
    Owner {
        shard,
        slot: Slot(slot),
    }
}

fn demux() -> Demux {
    Demux::new(OWN, 2, 2)
}

#[test]
fn stun_goes_by_its_user_fragment_from_anywhere() {
    let demux = demux();
    for (shard, slot) in [(OWN, 7), (OTHER, 0xffff_ffff)] {
        let found = demux.whose(remote(1), &stun_request(shard, Slot(slot)));
        assert_eq!(found, Ok(owner(shard, slot)));
    }
}

#[test]
fn stun_for_nobody_is_unowned() {
    let demux = demux();
    assert_eq!(
        demux.whose(remote(1), &stun_request(ShardId(2), Slot(1))),
        Err(Unowned::Stun)
    );
    assert_eq!(demux.whose(remote(1), &[1, 1, 0, 0]), Err(Unowned::Stun));
    assert_eq!(demux.len(), 0);
}

#[test]
fn requests_that_name_none_of_our_connections_are_for_the_relay_whoever_asks() {
    let mut demux = demux();
    demux.add(remote(1), Slot(4)).expect("room");
    for client in [remote(1), remote(2)] {
        // Binding, Allocate, Refresh, CreatePermission, ChannelBind, Send.
        for kind in [0x0001_u16, 0x0003, 0x0004, 0x0008, 0x0009, 0x0016] {
            let [high, low] = kind.to_be_bytes();
            let stun = [high, low, 0, 0, 0x21, 0x12, 0xa4, 0x42];
            assert_eq!(demux.whose(client, &stun), Err(Unowned::Turn), "{kind:x}");
        }
    }
    // An indication that a connection is alive (RFC 8445 §11), and an error.
    for kind in [0x0011_u16, 0x0111] {
        assert_eq!(
            demux.whose(remote(1), &kind.to_be_bytes()),
            Ok(owner(OWN, 4))
        );
        assert_eq!(
            demux.whose(remote(2), &kind.to_be_bytes()),
            Err(Unowned::Stun)
        );
    }
}

#[test]
fn all_else_only_from_known_addresses() {
    let mut demux = demux();
    for bytes in [RTP, DTLS] {
        assert_eq!(demux.whose(remote(1), &bytes), Err(Unowned::Route));
    }
    assert_eq!(demux.len(), 0, "nothing is kept of strangers");
    demux.add(remote(1), Slot(4)).expect("room");
    for bytes in [RTP, DTLS] {
        assert_eq!(demux.whose(remote(1), &bytes), Ok(owner(OWN, 4)));
        assert_eq!(demux.whose(remote(2), &bytes), Err(Unowned::Route));
    }
    // An answer to our own check names nobody.
    assert_eq!(demux.whose(remote(1), &[1, 1, 0, 0]), Ok(owner(OWN, 4)));
}

#[test]
fn first_bytes_as_in_rfc_7983() {
    let mut demux = demux();
    demux.add(remote(1), Slot(4)).expect("room");
    for first in 0..=255_u8 {
        let expected = match first {
            1 | 3 | 20..=63 | 128..=191 => Ok(owner(OWN, 4)),
            // Requests that do not name a connection of ours.
            0 | 2 => Err(Unowned::Turn),
            64..=127 => Err(Unowned::Turn),
            4..=19 | 192..=255 => Err(Unowned::Kind),
        };
        assert_eq!(demux.whose(remote(1), &[first, 0, 0]), expected, "{first}");
    }
    assert_eq!(demux.whose(remote(1), &[]), Err(Unowned::Kind));
}

#[test]
fn the_newest_connection_of_an_address_wins_and_the_old_one_cannot_remove_it() {
    let mut demux = demux();
    demux.add(remote(1), Slot(4)).expect("room");
    demux.add(remote(1), Slot(5)).expect("room");
    demux.remove(remote(1), Slot(4));
    assert_eq!(demux.whose(remote(1), &RTP), Ok(owner(OWN, 5)));
    demux.remove(remote(1), Slot(5));
    assert_eq!(demux.whose(remote(1), &RTP), Err(Unowned::Route));
}

#[test]
fn the_shard_at_whose_socket_an_address_arrives_is_told_once_and_told_when_it_is_gone() {
    let mut demux = demux();
    assert!(!demux.tell(remote(1), Slot(4), OTHER), "not valid yet");
    demux.add(remote(1), Slot(4)).expect("room");
    assert!(
        !demux.tell(remote(1), Slot(9), OTHER),
        "somebody else's check"
    );
    assert!(demux.tell(remote(1), Slot(4), OTHER));
    assert!(!demux.tell(remote(1), Slot(4), OTHER));
    demux
        .add(remote(1), Slot(4))
        .expect("known, and stays told");
    assert!(!demux.tell(remote(1), Slot(4), OTHER));
    assert!(demux.remove(remote(1), Slot(4)).contains(OTHER));
}

#[test]
fn what_others_told_routes_to_them() {
    let mut demux = demux();
    demux.told(OTHER, remote(1), Slot(4), true).expect("room");
    assert_eq!(demux.whose(remote(1), &RTP), Ok(owner(OTHER, 4)));
    demux
        .told(OTHER, remote(1), Slot(3), false)
        .expect("nothing of that");
    assert_eq!(demux.whose(remote(1), &RTP), Ok(owner(OTHER, 4)));
    demux
        .told(OTHER, remote(1), Slot(4), false)
        .expect("removed");
    assert_eq!(demux.whose(remote(1), &RTP), Err(Unowned::Route));
}

#[test]
fn the_table_is_bounded() {
    let mut demux = demux();
    demux.add(remote(1), Slot(1)).expect("room");
    demux.told(OTHER, remote(2), Slot(2), true).expect("room");
    assert_eq!(demux.add(remote(3), Slot(3)), Err(Full));
    assert_eq!(demux.told(OTHER, remote(3), Slot(3), true), Err(Full));
    assert_eq!(
        demux.add(remote(2), Slot(3)),
        Ok(()),
        "a known address changes hands"
    );
    demux.remove(remote(1), Slot(1));
    assert_eq!(demux.add(remote(3), Slot(3)), Ok(()));
}
