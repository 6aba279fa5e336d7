//! The client gives another SSRC to what it sends.

use str0m::media::{Direction, MediaKind as RtcKind, Mid};
use str0m::rtp::ExtensionValues;

use super::pair::{Adds, Pair, options};
use crate::api::Offerer;
use crate::connection::Section;

fn publisher() -> (Pair, Mid, Section) {
    let mut pair = Pair::new(&options(Offerer::Client));
    let round = pair.negotiate(&Adds {
        media: vec![
            (RtcKind::Video, Direction::SendOnly),
            (RtcKind::Video, Direction::RecvOnly),
        ],
        ..Adds::default()
    });
    pair.run_ms(300);
    (pair, round.mids[0], round.sections[0].section)
}

fn send(pair: &mut Pair, mid: Mid, first: u64) {
    for seq in first..first + 3 {
        let values = ExtensionValues::default();
        pair.client.write(mid, None, seq, values, b"picture");
        pair.run_ms(20);
    }
}

fn change_ssrc(pair: &mut Pair, mid: Mid) {
    let mut api = pair.client.rtc.direct_api();
    let (ssrc, repair) = (api.new_ssrc(), api.new_ssrc());
    let before = api.stream_tx_by_mid(mid, None).expect("it sends").ssrc();
    api.remove_stream_tx(before);
    api.declare_stream_tx(ssrc, Some(repair), mid, None);
    // The client tells of it, and the engine keeps both.
    pair.negotiate(&Adds::default());
}

#[test]
fn key_frames_are_asked_of_the_ssrc_that_sends() {
    let (mut pair, mid, section) = publisher();
    assert!(
        !pair.server.request_keyframe(section, None),
        "nobody to ask yet"
    );
    for count in 1..=10 {
        send(&mut pair, mid, 100);
        assert!(pair.server.request_keyframe(section, None));
        pair.server.handle_timeout(pair.now);
        pair.run_ms(50);
        assert_eq!(pair.client.keyframes_asked.len(), count);
        change_ssrc(&mut pair, mid);
    }
}

#[test]
fn packets_of_another_ssrc_are_numbered_after_those_before() {
    let (mut pair, mid, _) = publisher();
    send(&mut pair, mid, 1_000);
    change_ssrc(&mut pair, mid);
    // Where they would be taken for repeated or late ones.
    send(&mut pair, mid, 999);
    let seqs: Vec<u64> = pair.packets().iter().map(|packet| packet.seq).collect();
    let [.., before, first, second, third] = seqs[..] else {
        panic!("{seqs:?}")
    };
    assert_eq!(seqs.len(), 6);
    assert!(first > before + 1_024, "too far for a gap: {seqs:?}");
    assert_eq!([second, third], [first + 1, first + 2]);
}
