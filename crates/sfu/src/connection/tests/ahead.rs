use str0m::media::{Direction, MediaKind as RtcKind};

use super::pair::{Adds, Pair, Round, down, options, section, source, ssrcs};
use crate::api::{Codec, MediaKind, Offerer};
use crate::connection::{DownKey, DownPacket, Extensions, Vp8Rewrite};

fn pair() -> Pair {
    let mut options = options(Offerer::Client);
    options.answers_ahead = true;
    Pair::new(&options)
}

fn viewer() -> Adds {
    Adds {
        media: vec![
            (RtcKind::Audio, Direction::RecvOnly),
            (RtcKind::Video, Direction::RecvOnly),
        ],
        ..Adds::default()
    }
}

fn camera(pair: &mut Pair, track: u64) -> DownKey {
    let track = down(track, MediaKind::Video, Some(Codec::Vp8));
    pair.server.attach(pair.now, track)
}

/// SSRCs of the picture's section, and the answer.
fn answered(pair: &mut Pair) -> (u32, u32, Round) {
    let round = pair.negotiate(&viewer());
    let (main, repair) = ssrcs(&section(&round.answer, &round.mids[1]));
    (main, repair, round)
}

#[test]
fn what_receives_is_answered_before_there_is_a_track() {
    let mut pair = pair();
    let (main, _, round) = answered(&mut pair);
    assert!(round.map.is_empty());
    let mut streams = Vec::new();
    for mid in &round.mids {
        let lines = section(&round.answer, mid);
        assert!(lines.contains(&"a=sendonly"), "{lines:?}");
        let msid = lines.iter().find_map(|line| line.strip_prefix("a=msid:"));
        let (stream, track) = msid.and_then(|msid| msid.split_once(' ')).expect("an msid");
        assert_eq!(track, format!("{stream}-{mid}"));
        streams.push(stream.to_owned());
    }
    assert_eq!(streams[0], streams[1], "they play together");
    pair.run_ms(500);
    assert!(pair.ready().is_empty());

    let key = camera(&mut pair, 7);
    pair.run_ms(50);
    assert_eq!(pair.ready(), [key], "without another word");
    assert!(pair.wishes().is_empty());
    assert!(pair.write(key, Codec::Vp8, 5, b"picture"));
    pair.run_ms(20);
    assert_eq!(*pair.client.packets[0].header.ssrc, main);
    assert_eq!(&*pair.client.packets[0].payload, b"picture");
}

#[test]
fn a_track_that_waits_is_carried_from_the_answer_on() {
    let mut pair = pair();
    let key = camera(&mut pair, 7);
    let (main, _, round) = answered(&mut pair);
    assert_eq!(round.map.len(), 1);
    let lines = section(&round.answer, &round.mids[1]);
    assert!(!lines.iter().any(|line| line.contains("PA_7")), "{lines:?}");
    pair.run_ms(500);
    assert_eq!(pair.ready(), [key]);
    assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.run_ms(20);
    assert_eq!(*pair.client.packets[0].header.ssrc, main);
}

#[test]
fn tracks_follow_one_another_as_one_stream() {
    let mut pair = pair();
    let first = camera(&mut pair, 1);
    let (main, _, _) = answered(&mut pair);
    pair.run_ms(500);
    for seq in 30_000..30_003 {
        assert!(pair.write(first, Codec::Vp8, seq, b"first"));
        pair.run_ms(20);
    }
    pair.server.detach(pair.now, first);
    assert!(!pair.write(first, Codec::Vp8, 30_003, b"gone"));
    pair.run_ms(2000);

    let second = camera(&mut pair, 2);
    let third = camera(&mut pair, 3);
    pair.run_ms(50);
    assert_eq!(pair.ready(), [first, second], "one at a time");
    // Its own numbers are far from the first one's.
    for seq in 7..10 {
        assert!(pair.write(second, Codec::Vp8, seq, b"second"));
        pair.run_ms(20);
    }
    assert!(!pair.write(second, Codec::Vp8, 6, b"from before"));
    pair.server.detach(pair.now, second);
    pair.server.detach(pair.now, third);
    let fourth = camera(&mut pair, 4);
    pair.run_ms(50);
    assert!(pair.write(fourth, Codec::Vp8, 60_000, b"fourth"));
    pair.run_ms(20);

    let packets = &pair.client.packets;
    assert!(packets.iter().all(|packet| *packet.header.ssrc == main));
    let seqs: Vec<u64> = packets.iter().map(|packet| *packet.seq_no).collect();
    let expected: Vec<u64> = (30_000..30_007).collect();
    assert_eq!(seqs, expected);
    let times: Vec<u32> = packets
        .iter()
        .map(|packet| packet.header.timestamp)
        .collect();
    let steps: Vec<u32> = times
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    // As its sender counts inside of a track; as time passed between two.
    assert_eq!(
        (steps[0], steps[1], steps[3], steps[4]),
        (3000, 3000, 3000, 3000)
    );
    assert!((180_000..190_000).contains(&steps[2]), "{steps:?}");
    assert!((3000..10_000).contains(&steps[5]), "{steps:?}");
}

#[test]
fn picture_ids_go_on_too() {
    let mut pair = pair();
    answered(&mut pair);
    pair.run_ms(500);
    let write = |pair: &mut Pair, key, seq, ids| {
        // X; I, L, T and K; a long picture id; TL0PICIDX; TID and KEYIDX; VP8.
        let payload = [0x90, 0xf0, 0x92, 0x34, 5, 0x43, 0xaa];
        let (picture_id, tl0_pic_idx, key_idx) = ids;
        let written = pair.server.write(
            pair.now,
            key,
            &DownPacket {
                codec: Codec::Vp8,
                seq,
                time: 1,
                marker: true,
                payload: &payload,
                source: source(seq),
                extensions: &Extensions::default(),
                captured: pair.now.instant,
                nackable: true,
                vp8: Some(Vp8Rewrite {
                    picture_id,
                    tl0_pic_idx,
                    key_idx: Some(key_idx),
                }),
                descriptor: None,
            },
            &mut pair.out,
        );
        pair.server.handle_timeout(pair.now);
        pair.run_ms(20);
        written
    };
    let first = camera(&mut pair, 1);
    assert!(write(&mut pair, first, 1, (0x7ffe, 255, 30)));
    assert!(write(&mut pair, first, 2, (0x7fff, 0, 30)));
    pair.server.detach(pair.now, first);
    let second = camera(&mut pair, 2);
    assert!(write(&mut pair, second, 900, (77, 9, 0)));
    assert!(write(&mut pair, second, 901, (78, 10, 1)));
    let ids: Vec<_> = pair
        .client
        .packets
        .iter()
        .map(|packet| {
            let bytes = &packet.payload;
            let picture_id = u16::from_be_bytes([bytes[2], bytes[3]]) & 0x7fff;
            (picture_id, bytes[4], bytes[5] & 0x1f)
        })
        .collect();
    assert_eq!(
        ids,
        [(0x7ffe, 255, 30), (0x7fff, 0, 30), (0, 1, 31), (1, 2, 0)]
    );
}

#[test]
fn a_section_that_the_client_closes_has_no_stream_any_more() {
    let mut pair = pair();
    let key = camera(&mut pair, 1);
    let (_, _, round) = answered(&mut pair);
    pair.run_ms(500);
    assert_eq!(pair.ready(), [key]);
    let (offer, pending, _) = pair.client.offer(&Adds::default());
    let mid = round.mids[1].to_string();
    let lines = section(&offer, &mid).join("\r\n");
    let offer = offer.replace(&lines, &lines.replace("a=recvonly", "a=inactive"));
    pair.try_offer(&offer).expect("a good offer");
    let (answer, map) = pair.server.answer(pair.now).expect("an answer");
    assert!(map.is_empty());
    let lines = section(&answer, &mid);
    assert!(lines.contains(&"a=inactive"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("a=ssrc")));
    assert!(!pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.client.take_answer(pending, &answer);
}
