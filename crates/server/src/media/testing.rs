//! What several tests of the packet path need.

use madang_sfu::Slot;
use madang_sfu::api::ShardId;

/// A binding request for a connection of ours, as far as demultiplexing reads it. Its integrity is wrong.
pub(super) fn stun_request(shard: ShardId, slot: Slot) -> Vec<u8> {
    let user = format!("{:02x}{:08x}abcdefghijkl:them", shard.0, slot.0);
    let padded = user.len().next_multiple_of(4);
    let mut bytes = vec![0, 1];
    bytes.extend(be16(padded + 4));
    bytes.extend([0x21, 0x12, 0xa4, 0x42]);
    bytes.extend([7; 12]);
    bytes.extend([0, 6]);
    bytes.extend(be16(user.len()));
    bytes.extend(user.as_bytes());
    bytes.resize(24 + padded, 0);
    bytes
}

fn be16(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("short").to_be_bytes()
}
