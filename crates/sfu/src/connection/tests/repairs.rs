use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use str0m::media::{Direction, MediaKind as RtcKind};

use super::pair::{Adds, Pair, down, options, section, source, ssrcs};
use crate::api::{Codec, MediaKind, Offerer};
use crate::connection::{DownKey, DownPacket, Extensions, Output, Said, Vp8Rewrite};

fn receivers(count: usize) -> Adds {
    Adds {
        media: vec![(RtcKind::Video, Direction::RecvOnly); count],
        ..Adds::default()
    }
}

fn camera(pair: &mut Pair, track: u64) -> DownKey {
    let track = down(track, MediaKind::Video, Some(Codec::Vp8));
    pair.server.attach(pair.now, track)
}

fn missed(pair: &Pair) -> usize {
    pair.count(|output| matches!(output, Output::OfTrack(_, Said::Missed(_))))
}

#[test]
fn a_lost_packet_comes_back_as_it_was_written() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = camera(&mut pair, 7);
    let round = pair.negotiate(&receivers(1));
    let (main, repair) = ssrcs(&section(&round.answer, &round.mids[0]));
    pair.run_ms(500);
    // X; I, L, T and K; a long picture id; TL0PICIDX; TID and KEYIDX; VP8.
    let payload = [0x90, 0xf0, 0x92, 0x34, 5, 0x43, 0xaa];
    let mut extensions = Extensions::default().with_descriptor(Arc::from([1_u8; 9]));
    extensions.capture_time = Some((0xe900_0000_8000_0000, None));
    for seq in 0..20_u16 {
        pair.lose_next = u32::from((9..12).contains(&seq));
        let number = u64::from(seq);
        let packet = DownPacket {
            codec: Codec::Vp8,
            seq: number,
            time: 3000 * u32::from(seq),
            marker: seq % 2 == 0,
            payload: &payload,
            source: source(number),
            extensions: &extensions,
            captured: pair.now.instant,
            nackable: true,
            vp8: Some(Vp8Rewrite {
                picture_id: 0x0100 + seq,
                tl0_pic_idx: 200 + seq.to_be_bytes()[1],
                key_idx: Some(seq.to_be_bytes()[1]),
            }),
            // Some have another descriptor than the track's, some of them long.
            descriptor: (seq % 3 != 0).then(|| Arc::from(vec![2; 10 + usize::from(seq)])),
        };
        assert!(pair.write_packet(key, &packet));
        pair.run_ms(33);
    }
    pair.run_ms(200);
    let repairs = pair
        .wire
        .iter()
        .filter(|one| one.is_rtp() && one.ssrc() == repair);
    assert_eq!(repairs.count(), 3);
    assert_eq!(pair.client.packets.len(), 20);
    for packet in &pair.client.packets {
        let seq = u16::try_from(*packet.seq_no).expect("few");
        let low = seq.to_be_bytes()[1];
        assert_eq!(*packet.header.ssrc, main);
        assert_eq!(packet.header.timestamp, 3000 * u32::from(seq));
        assert_eq!(packet.header.marker, seq % 2 == 0);
        let expected = [0x90, 0xf0, 0x81, low, 200 + low, 0x40 | low, 0xaa];
        assert_eq!(&*packet.payload, expected);
        let got = Extensions::forwarded(&packet.header.ext_vals);
        assert_eq!(got.capture_time, extensions.capture_time);
        assert_eq!(packet.header.ext_vals.mid, Some(round.mids[0]));
        let descriptor = got.dependency_descriptor().map(|bytes| bytes.to_vec());
        let expected = match seq % 3 {
            0 => vec![1; 9],
            _ => vec![2; 10 + usize::from(seq)],
        };
        assert_eq!(descriptor, Some(expected), "{seq}");
    }
}

#[test]
fn two_tracks_of_a_connection_are_repaired_each_by_itself() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let keys = [camera(&mut pair, 1), camera(&mut pair, 2)];
    let round = pair.negotiate(&receivers(2));
    pair.run_ms(500);
    for seq in 1..=60_u64 {
        for (place, key) in keys.iter().enumerate() {
            // Not the same ones.
            let lost = seq % 10 == if place == 0 { 3 } else { 7 };
            pair.lose_next = u32::from(lost);
            // Numbers that say what they are, also to the history.
            let number = seq + 1000 * u64::from(place == 1);
            assert!(pair.write(*key, Codec::Vp8, number, &number.to_be_bytes()));
            pair.exchange();
        }
        pair.run_ms(20);
    }
    pair.run_ms(300);
    for (place, mid) in round.mids.iter().enumerate() {
        let (main, _) = ssrcs(&section(&round.answer, mid));
        let offset = 1000 * u64::from(place == 1);
        let of_it = pair.client.packets.iter();
        let of_it = of_it.filter(|packet| *packet.header.ssrc == main);
        let got: BTreeMap<u64, Vec<u8>> = of_it
            .map(|packet| (*packet.seq_no, packet.payload.to_vec()))
            .collect();
        let expected = (1..=60).map(|seq| (seq + offset, (seq + offset).to_be_bytes().to_vec()));
        assert_eq!(got, expected.collect());
    }
    assert!(missed(&pair) >= 12);
}

#[test]
fn who_takes_no_repairs_gets_none() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = camera(&mut pair, 7);
    let (offer, pending, mids) = pair.client.offer(&receivers(1));
    let rtx: Vec<&str> = offer
        .lines()
        .filter_map(|line| line.strip_prefix("a=rtpmap:")?.strip_suffix(" rtx/90000"))
        .collect();
    assert!(!rtx.is_empty());
    let without: String = offer
        .lines()
        .filter(|line| {
            let of_rtx = |kind: &str| {
                rtx.iter()
                    .any(|id| line.starts_with(&format!("a={kind}:{id} ")))
            };
            !of_rtx("rtpmap") && !of_rtx("fmtp") && !of_rtx("rtcp-fb")
        })
        .map(|line| {
            let words = line.split(' ');
            let kept = words.filter(|word| !line.starts_with("m=video") || !rtx.contains(word));
            kept.collect::<Vec<_>>().join(" ") + "\r\n"
        })
        .collect();
    pair.try_offer(&without).expect("a good offer");
    let (answer, _) = pair.server.answer(pair.now).expect("an answer");
    let lines = section(&answer, &mids[0]);
    assert!(!lines.iter().any(|line| line.contains("FID")), "{lines:?}");
    pair.client.take_answer(pending, &answer);
    pair.run_ms(500);
    for seq in 1..=50 {
        pair.lose_next = u32::from(seq % 10 == 0);
        assert!(pair.write(key, Codec::Vp8, seq, b"picture"));
        pair.run_ms(20);
    }
    assert_eq!(missed(&pair), 0);
    let media = pair.wire.iter().filter(|one| one.is_rtp());
    assert_eq!(media.count(), 50, "each once");
}

#[test]
fn what_was_lost_of_the_last_track_does_not_come_from_the_next() {
    let mut ahead = options(Offerer::Client);
    ahead.answers_ahead = true;
    let mut pair = Pair::new(&ahead);
    let first = camera(&mut pair, 1);
    pair.negotiate(&receivers(1));
    pair.run_ms(500);
    for seq in 1..=10 {
        pair.lose_next = u32::from(seq == 9);
        assert!(pair.write(first, Codec::Vp8, seq, b"first"));
        pair.exchange();
    }
    pair.server.detach(pair.now, first);
    let second = camera(&mut pair, 2);
    // The same numbers, as the next track may have them.
    for seq in 1..=10 {
        assert!(pair.write(second, Codec::Vp8, seq, b"second"));
    }
    pair.run_ms(500);
    assert_eq!(missed(&pair), 0);
    let all: Vec<(u64, &[u8])> = pair
        .client
        .packets
        .iter()
        .map(|packet| (*packet.seq_no, &*packet.payload))
        .collect();
    assert_eq!(all.len(), 19);
    assert!(all.iter().all(|(seq, payload)| match seq {
        1..=10 => payload == b"first",
        _ => payload == b"second",
    }));
}

/// Whatever tracks come and go on it, whatever is lost or written twice.
#[test]
fn no_number_of_a_stream_is_ever_sent_twice() {
    let mut ahead = options(Offerer::Client);
    ahead.answers_ahead = true;
    let mut pair = Pair::new(&ahead);
    pair.negotiate(&receivers(1));
    pair.run_ms(500);
    let mut dice = crate::testing::Rng::new(5);
    for track in 1..=30 {
        let key = camera(&mut pair, track);
        pair.run_ms(2);
        let start = dice.below(1 << 20);
        let mut written = 0;
        for _ in 0..40 {
            pair.lose_next = u32::from(dice.percent(10));
            // Forwards, sometimes backwards or once more.
            written = match dice.below(10) {
                0 => written - dice.below(written + 1).min(5),
                1 => written + 1 + dice.below(4),
                _ => written + 1,
            };
            let payload = dice.next().to_be_bytes();
            pair.write(key, Codec::Vp8, start + written, &payload);
            pair.run_ms(dice.below(8));
        }
        pair.server.detach(pair.now, key);
    }
    let media: Vec<_> = pair.wire.iter().filter(|one| one.is_rtp()).collect();
    assert!(media.len() > 800, "{}", media.len());
    let mut seen = BTreeMap::new();
    for one in media {
        let before = seen.insert((one.ssrc(), one.seq()), &one.bytes);
        assert!(before.is_none(), "{:x} {}", one.ssrc(), one.seq());
    }
    let ssrcs: std::collections::BTreeSet<u32> = seen.keys().map(|(ssrc, _)| *ssrc).collect();
    assert_eq!(ssrcs.len(), 2, "media and repairs");
}

/// A connection that only watches is not asked for anything between two of its deadlines, and packets are written meanwhile.
#[test]
fn a_packet_is_as_old_as_its_writing() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = camera(&mut pair, 7);
    pair.negotiate(&receivers(1));
    pair.run_ms(500);
    assert!(pair.write(key, Codec::Vp8, 1, b"first"));
    pair.run_ms(20);
    pair.set_now(pair.now.instant + Duration::from_millis(1_500));
    let (payload, extensions) = (b"picture", Extensions::default());
    pair.lose_next = 1;
    for seq in 2..=4 {
        let packet = DownPacket {
            codec: Codec::Vp8,
            seq,
            time: 3000,
            marker: true,
            payload,
            source: source(seq),
            extensions: &extensions,
            captured: pair.now.instant,
            nackable: true,
            vp8: None,
            descriptor: None,
        };
        pair.history.insert(
            packet.source.seq,
            (Arc::from(&payload[..]), extensions.clone()),
        );
        let written = pair.server.write(pair.now, key, &packet, &mut pair.out);
        assert!(written);
    }
    pair.run_ms(100);
    let mut got: Vec<u64> = pair.client.packets.iter().map(|p| *p.seq_no).collect();
    got.sort_unstable();
    assert_eq!(got, [1, 2, 3, 4]);
}
