use std::collections::VecDeque;
use std::sync::Arc;

use super::{find, low};
use crate::api::{Codec, TrackId};
use crate::connection::Extensions;
use crate::packet::{FrameInfo, LayerIndex, TrackPacket};
use crate::testing::{Rng, epoch};

fn history(seqs: impl IntoIterator<Item = u64>) -> VecDeque<TrackPacket> {
    let now = epoch();
    let packet = |seq| TrackPacket {
        track: TrackId(1),
        encoding: LayerIndex(0),
        codec: Codec::Vp8,
        seq,
        time: 0,
        marker: false,
        payload: Arc::from([]),
        extensions: Extensions::default(),
        frame: FrameInfo::default(),
        arrived: now,
        captured: now,
    };
    seqs.into_iter().map(packet).collect()
}

#[test]
fn each_packet_of_the_history_is_found_by_its_number() {
    let mut dice = Rng::new(7);
    let start = (1 << 32) - 150;
    let mut late: Vec<u64> = (start..start + 300).filter(|_| !dice.percent(20)).collect();
    let in_order = late.clone();
    for _ in 0..60 {
        let from = usize::try_from(dice.below(200)).expect("few");
        let packet = late.remove(from);
        late.insert(from + usize::try_from(dice.below(30)).expect("few"), packet);
    }
    for seqs in [in_order, late] {
        let history = history(seqs.clone());
        for seq in start - 400..start + 700 {
            let found = find(&history, low(seq)).map(|packet| packet.seq);
            assert_eq!(found, seqs.contains(&seq).then_some(seq));
        }
    }
    assert!(find(&history([]), 0).is_none());
}
