use std::time::{Duration, Instant, SystemTime};

use str0m::media::{Direction, KeyframeRequestKind, MediaKind as RtcKind};

use super::pair::{Adds, Pair, Wire, down, options, section, source, ssrcs};
use crate::api::{Codec, MediaKind, Offerer};
use crate::connection::{DownKey, DownPacket, Extensions, Output, Said};

fn viewer() -> Adds {
    Adds {
        media: vec![
            (RtcKind::Audio, Direction::RecvOnly),
            (RtcKind::Video, Direction::RecvOnly),
        ],
        ..Adds::default()
    }
}

fn camera(pair: &mut Pair) -> DownKey {
    let track = down(7, MediaKind::Video, Some(Codec::Vp8));
    pair.server.attach(pair.now, track)
}

fn microphone(pair: &mut Pair) -> DownKey {
    let track = down(8, MediaKind::Audio, Some(Codec::Opus));
    pair.server.attach(pair.now, track)
}

fn write(pair: &mut Pair, key: DownKey, codec: Codec, seq: u64, time: u32, late: Duration) {
    let packet = DownPacket {
        codec,
        seq,
        time,
        marker: true,
        payload: b"media",
        source: source(seq),
        extensions: &Extensions::default(),
        captured: pair.now.instant.checked_sub(late).expect("long after zero"),
        nackable: codec == Codec::Vp8,
        vp8: None,
        descriptor: None,
    };
    assert!(pair.write_packet(key, &packet));
}

fn report_times(wire: &[Wire], start: Instant) -> Vec<u128> {
    let reports = wire.iter().filter(|one| one.is_sender_report());
    reports
        .map(|report| (report.at - start).as_millis())
        .collect()
}

#[test]
fn sender_reports_come_soon_and_then_each_second() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let (picture, sound) = (camera(&mut pair), microphone(&mut pair));
    let round = pair.negotiate(&viewer());
    pair.run_ms(500);
    assert!(report_times(&pair.wire, pair.now.instant).is_empty());
    let start = pair.now.instant;
    // The picture was captured 100 ms before the sound that comes with it.
    let late = Duration::from_millis(100);
    for step in 0..150_u32 {
        let seq = u64::from(step);
        write(
            &mut pair,
            sound,
            Codec::Opus,
            seq,
            5_000 + step * 960,
            Duration::ZERO,
        );
        write(
            &mut pair,
            picture,
            Codec::Vp8,
            300 + seq,
            (step * 1_800).wrapping_sub(900),
            late,
        );
        pair.run_ms(20);
    }
    let times = report_times(&pair.wire, start);
    let expected = [100, 1_100, 2_100];
    assert_eq!(times.len(), 3, "{times:?}");
    for (time, expected) in times.iter().zip(expected) {
        assert!((expected..expected + 20).contains(time), "{times:?}");
    }
    for (place, hz, first_time, delay) in [
        (0, 48_000.0, 5_000.0, 0.0),
        (1, 90_000.0, -900.0, late.as_secs_f64()),
    ] {
        let mut newest_first = pair.client.packets.iter().rev();
        let packet =
            newest_first.find(|packet| packet.header.ext_vals.mid == Some(round.mids[place]));
        let info = packet.and_then(|packet| packet.last_sender_info);
        let info = info.expect("a report of it");
        let wall = SystemTime::UNIX_EPOCH + pair.now.wall - (pair.now.instant - start);
        let since = info.ntp_time.duration_since(wall).expect("after the start");
        let said = i32::try_from(info.rtp_time.numer()).expect("it began near zero");
        let ought = first_time + (since.as_secs_f64() + delay) * hz;
        assert!(
            (f64::from(said) - ought).abs() < hz / 500.0,
            "{said} {ought}"
        );
    }
    pair.wire.clear();
    pair.run_ms(10_000);
    assert!(
        report_times(&pair.wire, start).len() <= 1,
        "nothing to tell of"
    );
    pair.wire.clear();
    let again = pair.now.instant;
    write(&mut pair, sound, Codec::Opus, 150, 77, Duration::ZERO);
    pair.run_ms(500);
    assert_eq!(report_times(&pair.wire, again), [100]);
}

/// Nothing but media is ever sent to it, which says nothing of its path to us.
#[test]
fn media_goes_where_the_client_wants_it_at_once() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let better = pair.client.address;
    let worse = "10.0.0.3:5000".parse().expect("an address");
    pair.client.add_address(worse);
    pair.blocked = Some(better);
    let key = camera(&mut pair);
    pair.negotiate(&viewer());
    pair.run_ms(1_000);
    assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.exchange();
    assert_eq!(pair.nominated.last(), Some(&worse));
    pair.blocked = None;
    let mut waited_ms = 0;
    while pair.nominated.last() == Some(&worse) {
        pair.run_ms(1);
        waited_ms += 1;
        assert!(waited_ms < 10_000, "it finds out that the better one works");
    }
    assert!(pair.write(key, Codec::Vp8, 2, b"picture"));
    pair.exchange();
    let media = pair.wire.iter().filter(|one| one.is_rtp());
    let remotes: Vec<_> = media.map(|one| one.remote).collect();
    assert_eq!(remotes, [worse, better]);
    assert_eq!(pair.client.packets.len(), 2);
    // Checks still come from the other one, and nominate it as well: the one of higher priority stays.
    pair.wire.clear();
    let checks = pair.nominated.len();
    pair.run_ms(10_000);
    let probes = pair
        .wire
        .iter()
        .filter(|one| one.bytes.get(1) == Some(&206));
    assert!(probes.count() <= pair.nominated.len() - checks);
    pair.wire.clear();
    assert!(pair.write(key, Codec::Vp8, 3, b"picture"));
    pair.exchange();
    assert!(pair.wire.iter().all(|one| one.remote == better));
    assert_eq!(pair.client.packets.len(), 3);
}

#[test]
fn who_is_gone_or_leaves_gets_nothing_more() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = camera(&mut pair);
    pair.negotiate(&viewer());
    pair.run_ms(500);
    assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.cut = true;
    pair.run_ms(40_000);
    assert_eq!(
        pair.count(|output| matches!(output, Output::Disconnected)),
        1
    );
    pair.wire.clear();
    assert!(!pair.write(key, Codec::Vp8, 2, b"picture"));
    pair.run_ms(2_000);
    assert!(
        !pair
            .wire
            .iter()
            .any(|one| one.is_rtp() || one.is_sender_report())
    );
    pair.cut = false;
    pair.negotiate(&Adds {
        restart: true,
        ..Adds::default()
    });
    pair.run_ms(2_000);
    assert!(pair.write(key, Codec::Vp8, 3, b"picture"));
    pair.server.close(pair.now);
    assert!(!pair.write(key, Codec::Vp8, 4, b"picture"));
    pair.exchange();
    assert!(!pair.write(key, Codec::Vp8, 5, b"picture"));
}

/// In the clear, as headers are: which id the mid has.
fn mid_id(wire: &Wire) -> Option<u8> {
    let has_extensions = wire.bytes[0] & 0x10 != 0;
    has_extensions.then(|| wire.bytes[16] >> 4)
}

#[test]
fn a_stream_goes_on_in_the_words_of_a_new_description() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = camera(&mut pair);
    let round = pair.negotiate(&viewer());
    let (main, _) = ssrcs(&section(&round.answer, &round.mids[1]));
    pair.run_ms(500);
    for seq in 1..=3 {
        assert!(pair.write(key, Codec::Vp8, seq, b"picture"));
        pair.run_ms(20);
    }
    let (offer, pending, _) = pair.client.offer(&Adds::default());
    let mid = "urn:ietf:params:rtp-hdrext:sdes:mid";
    assert!(offer.contains(&format!("a=extmap:4 {mid}")));
    let renumbered = offer.replace(&format!("a=extmap:4 {mid}"), &format!("a=extmap:9 {mid}"));
    pair.try_offer(&renumbered).expect("a good offer");
    let (answer, _) = pair.server.answer(pair.now).expect("an answer");
    assert_eq!(ssrcs(&section(&answer, &round.mids[1])).0, main);
    // What the engine makes of it is what the client reads of.
    let lines = section(&answer, &round.mids[1]);
    let told = lines
        .iter()
        .find_map(|line| line.strip_prefix("a=extmap:")?.strip_suffix(mid));
    let told: Option<u8> = told.map(|id| id.trim().parse().expect("a number"));
    assert_ne!(told, Some(4));
    pair.client.take_answer(pending, &answer);
    for seq in 4..=6 {
        assert!(pair.write(key, Codec::Vp8, seq, b"picture"));
        pair.run_ms(20);
    }
    let media: Vec<&Wire> = pair.wire.iter().filter(|one| one.is_rtp()).collect();
    let seen: Vec<(u32, u16, Option<u8>)> = media
        .iter()
        .map(|one| (one.ssrc(), one.seq(), mid_id(one)))
        .collect();
    let expected: Vec<_> = (1..=6)
        .map(|seq| (main, seq, if seq < 4 { Some(4) } else { told }))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(pair.client.packets.len(), 6);
}

#[test]
fn packets_have_the_payload_type_that_the_client_gave_the_codec() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = camera(&mut pair);
    let (offer, pending, mids) = pair.client.offer(&viewer());
    let main = offer
        .lines()
        .find_map(|line| line.strip_prefix("a=rtpmap:")?.strip_suffix(" VP8/90000"))
        .expect("VP8");
    let renumber = |line: &str| {
        let media = line.starts_with("m=video");
        let words = line.split(' ').enumerate().map(|(at, word)| match word {
            _ if media && at > 2 && word == main => "118".to_owned(),
            _ => word
                .replace(&format!("rtpmap:{main}"), "rtpmap:118")
                .replace(&format!("rtcp-fb:{main}"), "rtcp-fb:118")
                .replace(&format!("apt={main}"), "apt=118"),
        });
        words.collect::<Vec<_>>().join(" ") + "\r\n"
    };
    let renumbered: String = offer.lines().map(renumber).collect();
    pair.try_offer(&renumbered).expect("a good offer");
    let (answer, _) = pair.server.answer(pair.now).expect("an answer");
    assert!(section(&answer, &mids[1]).contains(&"a=rtpmap:118 VP8/90000"));
    // As far as this client is concerned, it was the offer that it made.
    let answer = answer
        .replace("apt=118", &format!("apt={main}"))
        .replace("rtpmap:118", &format!("rtpmap:{main}"))
        .replace("rtcp-fb:118", &format!("rtcp-fb:{main}"))
        .replace("SAVPF 118 ", &format!("SAVPF {main} "));
    pair.client.take_answer(pending, &answer);
    pair.run_ms(500);
    assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.run_ms(20);
    let media = pair.wire.iter().filter(|one| one.is_rtp());
    let types: Vec<u8> = media.map(Wire::payload_type).collect();
    assert_eq!(types, [118]);
}

#[test]
fn what_the_client_says_of_a_stream_is_said_of_the_track_on_it() {
    let mut ahead = options(Offerer::Client);
    ahead.answers_ahead = true;
    let mut pair = Pair::new(&ahead);
    let first = camera(&mut pair);
    let round = pair.negotiate(&Adds {
        media: vec![(RtcKind::Video, Direction::RecvOnly); 2],
        ..Adds::default()
    });
    pair.run_ms(500);
    let second = camera(&mut pair);
    let ask = |pair: &mut Pair, place: usize| {
        pair.said.clear();
        let mut api = pair.client.rtc.direct_api();
        let stream = api.stream_rx_by_mid(round.mids[place], None);
        let stream = stream.expect("it receives");
        stream.request_keyframe(KeyframeRequestKind::Pli);
        pair.run_ms(50);
        let asked = pair.said.iter().filter_map(|output| {
            if let Output::OfTrack(key, Said::KeyframeWanted) = output {
                Some(*key)
            } else {
                None
            }
        });
        asked.collect::<Vec<_>>()
    };
    for key in [first, second] {
        assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    }
    pair.run_ms(20);
    assert_eq!(ask(&mut pair, 0), [first]);
    assert_eq!(ask(&mut pair, 1), [second]);
    pair.server.detach(pair.now, first);
    assert_eq!(ask(&mut pair, 0), []);
    let third = camera(&mut pair);
    pair.run_ms(20);
    assert_eq!(ask(&mut pair, 0), [third]);
    assert_eq!(ask(&mut pair, 1), [second]);
}
