use std::sync::Arc;
use std::time::Duration;

use str0m::media::{Direction, MediaKind as RtcKind};
use str0m::rtp::ExtensionValues;

use super::pair::{Adds, Pair, down, options, section, source, ssrcs};
use crate::api::{Codec, MediaKind, Offerer, Refusal, TrackId};
use crate::connection::{DownPacket, Extensions, Output, Said, Vp8Rewrite};

fn receivers(audio: usize, video: usize) -> Adds {
    let audio = std::iter::repeat_n((RtcKind::Audio, Direction::RecvOnly), audio);
    let video = std::iter::repeat_n((RtcKind::Video, Direction::RecvOnly), video);
    Adds {
        media: audio.chain(video).collect(),
        ..Adds::default()
    }
}

fn nothing() -> Adds {
    Adds::default()
}

fn publisher() -> Adds {
    Adds {
        media: vec![(RtcKind::Audio, Direction::SendOnly)],
        simulcast: vec![&["q", "h", "f"]],
        ..Adds::default()
    }
}

#[test]
fn sections_that_send_are_described() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let round = pair.negotiate(&publisher());
    let [audio, video] = round.mids[..] else {
        panic!("two sections")
    };
    assert_eq!(round.sections.len(), 2);
    assert_eq!(round.sections[0].codec, Some(Codec::Opus));
    assert_eq!(round.sections[0].track_id, "track0");
    assert_eq!(round.sections[0].stream_id, "stream");
    assert!(round.sections[0].sending && round.sections[1].sending);
    assert_eq!(round.sections[1].codec, Some(Codec::Vp8));
    let rids: Vec<&str> = round.sections[1]
        .rids
        .iter()
        .map(|rid| rid.as_str())
        .collect();
    assert_eq!(rids, ["q", "h", "f"]);
    assert!(section(&round.answer, &audio).contains(&"a=recvonly"));
    assert!(section(&round.answer, &video).contains(&"a=simulcast:recv q;h;f"));
    assert!(round.map.is_empty());
    pair.run_ms(500);
    assert_eq!(pair.count(|output| matches!(output, Output::Connected)), 1);
    assert_eq!(pair.count(|output| matches!(output, Output::Route(_))), 1);
}

#[test]
fn what_is_published_comes_out_with_section_and_encoding() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let round = pair.negotiate(&publisher());
    let [audio, video] = round.mids[..] else {
        panic!("two sections")
    };
    pair.run_ms(500);
    for seq in 1..=5 {
        let level = Extensions::default().with_audio_level(0x80 | 42).values();
        pair.client.write(audio, None, seq, level, b"sound");
        for rid in ["q", "h", "f"] {
            let mut values = Extensions::default()
                .with_descriptor(Arc::from([7_u8; 40]))
                .values();
            values.transport_cc = Some(9);
            pair.client
                .write(video, Some(rid), seq, values, rid.as_bytes());
        }
        pair.run_ms(20);
    }
    let packets = pair.packets();
    let sound: Vec<_> = packets
        .iter()
        .filter(|packet| packet.section.0 == audio)
        .collect();
    assert_eq!(sound.len(), 5);
    assert_eq!(sound[0].codec, Codec::Opus);
    assert_eq!(sound[0].rid, None);
    assert_eq!(&*sound[0].payload, b"sound");
    assert_eq!(sound[0].extensions.audio_level(), Some(-42));
    let seqs: Vec<u64> = sound.iter().map(|packet| packet.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    for rid in ["q", "h", "f"] {
        let layer: Vec<_> = packets
            .iter()
            .filter(|packet| packet.rid.is_some_and(|found| found.as_str() == rid))
            .collect();
        assert_eq!(layer.len(), 5, "{rid}");
        for packet in layer {
            assert_eq!(packet.section.0, video);
            assert_eq!(packet.codec, Codec::Vp8);
            assert_eq!(&*packet.payload, rid.as_bytes());
            assert!(packet.marker);
            let descriptor = packet.extensions.dependency_descriptor();
            assert_eq!(descriptor.map(|bytes: &Arc<[u8]>| bytes.len()), Some(40));
        }
    }

    let rid = round.sections[1].rids[1];
    pair.server
        .request_keyframe(round.sections[1].section, Some(rid));
    pair.server.handle_timeout(pair.now);
    pair.run_ms(50);
    assert_eq!(pair.client.keyframes_asked, [(video, Some("h".into()))]);
}

#[test]
fn a_track_goes_down_on_a_free_section() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    let round = pair.negotiate(&receivers(1, 2));
    let (mid, track) = round.map[0].clone();
    assert_eq!((round.map.len(), track), (1, TrackId(7)));
    let lines = section(&round.answer, &mid);
    assert!(lines.contains(&"a=sendonly"));
    assert!(lines.contains(&"a=msid:PA_7|TR_7 TR_7"));
    let (main, repair) = ssrcs(&lines);
    assert!(lines.contains(&format!("a=ssrc:{main} msid:PA_7|TR_7 TR_7").as_str()));
    assert!(lines.contains(&format!("a=ssrc:{repair} msid:PA_7|TR_7 TR_7").as_str()));
    for other in &round.mids {
        if **other != *mid {
            let lines = section(&round.answer, other);
            assert!(lines.contains(&"a=inactive"), "{lines:?}");
            assert!(!lines.iter().any(|line| line.starts_with("a=msid:")));
            assert!(!lines.iter().any(|line| line.starts_with("a=ssrc")));
        }
    }
    assert!(
        !pair.write(key, Codec::Vp8, 1, b"early"),
        "not connected yet"
    );
    pair.run_ms(500);
    assert_eq!(pair.ready(), [key]);
    for seq in 1..=3 {
        assert!(pair.write(key, Codec::Vp8, seq, b"picture"));
        pair.run_ms(20);
    }
    assert_eq!(pair.client.packets.len(), 3);
    let packet = &pair.client.packets[0];
    assert_eq!(*packet.header.ssrc, main);
    assert_eq!(&*packet.payload, b"picture");
    assert!(!pair.write(key, Codec::Av1, 4, b"x") || pair.server.can_send(Codec::Av1));
    assert!(
        !pair.write(key, Codec::Opus, 5, b"sound"),
        "not on a video section"
    );
}

#[test]
fn lost_packets_are_sent_again() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    pair.negotiate(&receivers(0, 1));
    pair.run_ms(500);
    pair.lose_every = Some(10);
    for seq in 1..=200_u64 {
        assert!(pair.write(key, Codec::Vp8, seq, &seq.to_be_bytes()));
        pair.run_ms(10);
    }
    pair.lose_every = None;
    pair.run_ms(500);
    let mut got: Vec<u64> = pair
        .client
        .packets
        .iter()
        .map(|packet| *packet.seq_no)
        .collect();
    got.sort_unstable();
    got.dedup();
    assert!(got.len() >= 198, "{}", got.len());
}

#[test]
fn sections_are_asked_for_and_used_again_with_new_ssrcs() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let first = pair
        .server
        .attach(pair.now, down(1, MediaKind::Video, Some(Codec::Vp8)));
    let round = pair.negotiate(&receivers(0, 1));
    let mid = round.mids[0];
    let before = ssrcs(&section(&round.answer, &mid));
    pair.run_ms(500);
    assert!(pair.wishes().is_empty());
    assert!(pair.write(first, Codec::Vp8, 1, b"one"));
    pair.run_ms(20);

    let second = pair
        .server
        .attach(pair.now, down(2, MediaKind::Video, Some(Codec::Vp8)));
    pair.run_ms(5);
    assert!(pair.wishes().is_empty(), "gathered for a moment");
    pair.run_ms(10);
    assert_eq!(pair.wishes(), [(0, 1)]);
    pair.server.detach(pair.now, first);
    assert!(!pair.write(first, Codec::Vp8, 2, b"gone"));
    pair.run_ms(1000);
    assert_eq!(pair.wishes(), [(0, 1)], "said once per answer");

    // The section must be seen inactive before it carries another track.
    let round = pair.negotiate(&nothing());
    assert!(round.map.is_empty());
    assert!(section(&round.answer, &mid).contains(&"a=inactive"));
    pair.run_ms(200);
    assert_eq!(pair.wishes(), [(0, 1), (0, 0)]);
    let round = pair.negotiate(&nothing());
    assert_eq!(round.map, [(mid.to_string(), TrackId(2))]);
    let lines = section(&round.answer, &mid);
    assert!(lines.contains(&"a=msid:PA_2|TR_2 TR_2"));
    let after = ssrcs(&lines);
    assert!(before.0 != after.0 && before.1 != after.1);
    pair.run_ms(100);
    assert_eq!(pair.ready(), [first, second]);
    // Numbers far on: the receiver starts to count anew.
    assert!(pair.write(second, Codec::Vp8, 1_000_000, b"two"));
    assert!(pair.write(second, Codec::Vp8, 1_000_001, b"three"));
    assert!(!pair.write(second, Codec::Vp8, 900_000, b"from before"));
    pair.run_ms(50);
    let last = pair.client.packets.last().expect("packets");
    assert_eq!(*last.header.ssrc, after.0);
    assert_eq!(&*last.payload, b"three");
    assert!(*last.seq_no < 0x8000);
    assert_eq!(pair.wishes().len(), 2);
}

#[test]
fn no_wishes_before_the_first_answer_or_for_what_the_client_cannot_decode() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.server
        .attach(pair.now, down(1, MediaKind::Audio, Some(Codec::Opus)));
    pair.run_ms(500);
    assert!(pair.wishes().is_empty());
    let (offer, pending, _) = pair.client.offer(&receivers(1, 1));
    let without: String = offer
        .lines()
        .filter(|line| !line.contains("AV1"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let without = without.replace(" 45 46", "");
    pair.try_offer(&without).expect("a good offer");
    pair.server
        .attach(pair.now, down(2, MediaKind::Audio, Some(Codec::Opus)));
    pair.run_ms(500);
    assert!(pair.wishes().is_empty(), "not while an offer is open");
    let (answer, map) = pair.server.answer(pair.now).expect("an answer");
    assert_eq!(map.len(), 1);
    pair.client.take_answer(pending, &answer);
    assert!(!pair.server.can_send(Codec::Av1));
    assert!(pair.server.can_send(Codec::Vp8) && pair.server.can_send(Codec::Red));
    pair.server
        .attach(pair.now, down(3, MediaKind::Video, Some(Codec::Av1)));
    pair.run_ms(500);
    assert_eq!(pair.wishes(), [(1, 0)]);
}

#[test]
fn no_more_sections_are_asked_for_than_an_offer_may_have() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.negotiate(&receivers(2, 1));
    pair.run_ms(500);
    for track in 0..600 {
        pair.server
            .attach(pair.now, down(track, MediaKind::Video, Some(Codec::Vp8)));
    }
    pair.run_ms(20);
    assert_eq!(pair.wishes(), [(0, 509)]);
}

#[test]
fn a_sendrecv_camera_can_also_receive() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let round = pair.negotiate(&Adds {
        media: vec![(RtcKind::Video, Direction::SendRecv)],
        ..Adds::default()
    });
    assert!(round.sections[0].sending);
    assert!(section(&round.answer, &round.mids[0]).contains(&"a=recvonly"));
    let mut both = options(Offerer::Client);
    both.publish = false;
    let mut pair = Pair::new(&both);
    let key = pair
        .server
        .attach(pair.now, down(1, MediaKind::Video, None));
    let round = pair.negotiate(&Adds {
        media: vec![(RtcKind::Video, Direction::SendRecv)],
        ..Adds::default()
    });
    assert!(!round.sections[0].sending);
    assert!(section(&round.answer, &round.mids[0]).contains(&"a=sendonly"));
    pair.run_ms(500);
    assert_eq!(pair.ready(), [key]);
}

#[test]
fn without_subscribing_receiving_sections_stay_inactive() {
    let mut publisher = options(Offerer::Client);
    publisher.subscribe = false;
    let mut pair = Pair::new(&publisher);
    pair.server
        .attach(pair.now, down(1, MediaKind::Audio, None));
    let mut adds = receivers(3, 3);
    adds.media.push((RtcKind::Audio, Direction::SendOnly));
    let round = pair.negotiate(&adds);
    assert!(round.map.is_empty());
    for (place, mid) in round.mids.iter().enumerate() {
        let flow = if place == 6 {
            "a=recvonly"
        } else {
            "a=inactive"
        };
        assert!(section(&round.answer, mid).contains(&flow));
        assert_eq!(round.sections[place].sending, place == 6);
    }
    pair.run_ms(500);
    assert!(pair.wishes().is_empty());
}

#[test]
fn the_answer_asks_the_opus_encoder() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let (offer, _pending, mids) = pair.client.offer(&Adds {
        media: vec![(RtcKind::Audio, Direction::SendOnly); 2],
        ..Adds::default()
    });
    let sections = pair.try_offer(&offer).expect("a good offer");
    pair.server.set_opus(sections[1].section, true, true);
    let (answer, _) = pair.server.answer(pair.now).expect("an answer");
    let format = |mid: &str| {
        section(&answer, mid)
            .iter()
            .find(|line| line.starts_with("a=fmtp:111"))
            .map(|line| (*line).to_owned())
            .expect("a format")
    };
    assert!(format(&mids[0]).contains(";usedtx=1"));
    assert!(!format(&mids[0]).contains("stereo"));
    assert!(!format(&mids[1]).contains("usedtx"));
    assert!(format(&mids[1]).contains(";stereo=1;sprop-stereo=1;maxaveragebitrate=510000"));
}

#[test]
fn the_answer_lists_the_announced_codec_first() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let (offer, _pending, mids) = pair.client.offer(&Adds {
        media: vec![(RtcKind::Video, Direction::SendOnly); 2],
        ..Adds::default()
    });
    let sections = pair.try_offer(&offer).expect("a good offer");
    let preferred = sections[1].section;
    assert!(pair.server.prefer_codec(preferred, Codec::H264));
    assert!(!pair.server.prefer_codec(preferred, Codec::Opus));
    let (answer, _) = pair.server.answer(pair.now).expect("an answer");
    let first = |mid: &str| {
        let lines = section(&answer, mid);
        let payload_type = lines[0].split(' ').nth(3).expect("a payload type");
        let start = format!("a=rtpmap:{payload_type} ");
        let named = lines.iter().find_map(|line| line.strip_prefix(&start));
        named.expect("a name").to_owned()
    };
    assert_eq!(first(&mids[0]), "VP8/90000");
    assert_eq!(first(&mids[1]), "H264/90000");
}

#[test]
fn picture_ids_and_descriptors_are_replaced() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    pair.negotiate(&receivers(0, 1));
    pair.run_ms(500);
    // X; I, L, T and K; a long picture id; TL0PICIDX; TID and KEYIDX; VP8.
    let payload = [0x90, 0xf0, 0x92, 0x34, 5, 0x43, 0xaa];
    let extensions = Extensions::default().with_descriptor(Arc::from([1_u8; 9]));
    assert!(pair.server.write(
        pair.now,
        key,
        &DownPacket {
            codec: Codec::Vp8,
            seq: 1,
            time: 1,
            marker: false,
            payload: &payload,
            source: source(1),
            extensions: &extensions,
            captured: pair.now.instant,
            nackable: true,
            vp8: Some(Vp8Rewrite {
                picture_id: 0x0102,
                tl0_pic_idx: 9,
                key_idx: Some(1),
            }),
            descriptor: Some(Arc::from([2_u8; 60])),
        },
        &mut pair.out,
    ));
    pair.server.handle_timeout(pair.now);
    pair.run_ms(50);
    let packet = &pair.client.packets[0];
    assert_eq!(&*packet.payload, [0x90, 0xf0, 0x81, 0x02, 9, 0x41, 0xaa]);
    let got = Extensions::forwarded(&packet.header.ext_vals);
    assert_eq!(
        got.dependency_descriptor()
            .map(|bytes: &Arc<[u8]>| bytes.to_vec()),
        Some(vec![2; 60])
    );
}

#[test]
fn the_client_asks_for_a_keyframe() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    let round = pair.negotiate(&receivers(0, 1));
    pair.run_ms(500);
    assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.run_ms(50);
    let mut api = pair.client.rtc.direct_api();
    let stream = api
        .stream_rx_by_mid(round.mids[0], None)
        .expect("it receives");
    stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    pair.run_ms(50);
    assert_eq!(
        pair.count(
            |output| matches!(output, Output::OfTrack(asked, Said::KeyframeWanted) if *asked == key)
        ),
        1
    );
}

#[test]
fn rubbish_is_refused_and_the_connection_goes_on() {
    let mut pair = Pair::new(&options(Offerer::Client));
    for rubbish in [
        "",
        "v=0",
        "nonsense\r\n\r\n",
        "m=audio\r\na=mid:0",
        "\u{0}\u{ff}",
    ] {
        assert!(
            matches!(pair.try_offer(rubbish), Err(Refusal::Sdp(_))),
            "{rubbish:?}"
        );
    }
    assert!(matches!(
        pair.server.answer(pair.now),
        Err(Refusal::State(_))
    ));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    pair.negotiate(&receivers(0, 1));
    pair.run_ms(500);

    let huge = "a".repeat(300_001);
    assert!(matches!(pair.try_offer(&huge), Err(Refusal::TooLarge(_))));
    let many = "m=audio 9 x 0\r\na=mid:0\r\n".repeat(600);
    assert!(matches!(pair.try_offer(&many), Err(Refusal::Limit(_))));
    let (good, _, _) = pair.client.offer(&nothing());
    for end in (0..good.len()).step_by(7) {
        let result = pair.try_offer(&good[..end]);
        assert!(result.is_err() || end > good.len() / 2, "cut at {end}");
        assert!(pair.server.is_alive(), "cut at {end}");
    }
    let moved = good
        .replace("a=mid:", "a=mid:x")
        .replace("BUNDLE ", "BUNDLE x");
    assert!(matches!(pair.try_offer(&moved), Err(Refusal::Sdp(_))));
    pair.run_ms(200);
    assert!(pair.write(key, Codec::Vp8, 1, b"still"));
    pair.run_ms(50);
    assert_eq!(pair.client.packets.len(), 1);
}

/// Takes out, doubles and bends lines.
fn damaged(sdp: &str, seed: &mut u64) -> String {
    let mut next = |below: u64| {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed % below
    };
    let mut text = String::new();
    for line in sdp.lines() {
        let line = match next(40) {
            0 => continue,
            1 => format!("{line}\r\n{line}"),
            2 => line.replace(|c: char| c.is_ascii_digit(), "7"),
            3 => line.chars().rev().collect(),
            4 => line.replace(' ', ""),
            5 => line.replace([':', '/'], " "),
            6 => line.chars().take(5).collect(),
            _ => line.to_owned(),
        };
        text.push_str(&line);
        text.push_str("\r\n");
    }
    text
}

#[test]
fn damaged_first_offers_leave_nothing_behind() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut refused = 0;
    for _ in 0..40 {
        let mut pair = Pair::new(&options(Offerer::Client));
        let key = pair
            .server
            .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
        let mut adds = receivers(1, 1);
        adds.channels = vec!["data"];
        let (good, pending, _) = pair.client.offer(&adds);
        let accepted = loop {
            match pair.try_offer(&damaged(&good, &mut seed)) {
                Ok(_) => break true,
                Err(_) if refused % 5 == 4 => break false,
                Err(_) => refused += 1,
            }
        };
        refused += 1;
        if accepted {
            continue;
        }
        pair.try_offer(&good).expect("a good offer");
        let (answer, _) = pair.server.answer(pair.now).expect("an answer");
        pair.client.take_answer(pending, &answer);
        pair.run_ms(500);
        assert_eq!(pair.ready(), [key]);
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn damaged_later_offers_do_not_end_the_connection() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.negotiate(&receivers(1, 1));
    pair.run_ms(500);
    let mut seed = 0x1234_5678_9abc_def1;
    let mut refused = 0;
    for _ in 0..300 {
        let (good, _, _) = pair.client.offer(&receivers(1, 0));
        pair.client.receivers.truncate(2);
        if pair.try_offer(&damaged(&good, &mut seed)).is_err() {
            refused += 1;
        }
        assert!(pair.server.is_alive(), "after {refused}");
        pair.run_ms(1);
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn audio_and_video_of_one_client_stay_in_step() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let round = pair.negotiate(&Adds {
        media: vec![
            (RtcKind::Audio, Direction::SendOnly),
            (RtcKind::Video, Direction::SendOnly),
        ],
        ..Adds::default()
    });
    pair.run_ms(500);
    let [audio, video] = round.mids[..] else {
        panic!("two sections")
    };
    // The camera takes 200 ms longer than the microphone.
    for seq in 1..=500 {
        pair.client.delay = Duration::ZERO;
        pair.client
            .write(audio, None, seq, ExtensionValues::default(), b"sound");
        pair.client.delay = Duration::from_millis(200);
        pair.client
            .write(video, None, seq, ExtensionValues::default(), b"picture");
        pair.run_ms(20);
    }
    let packets = pair.packets();
    assert_eq!(packets.len(), 1_000);
    assert!(
        packets
            .iter()
            .all(|packet| packet.captured <= packet.arrived)
    );
    let last = |wanted| {
        packets
            .iter()
            .rfind(|packet| packet.section.0 == wanted)
            .map(|packet| packet.captured)
            .expect("packets")
    };
    let apart = last(audio) - last(video);
    assert!(
        (Duration::from_millis(195)..Duration::from_millis(205)).contains(&apart),
        "{apart:?}"
    );
}

#[test]
fn red_is_unwrapped_for_who_knows_opus_alone() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(1, MediaKind::Audio, Some(Codec::Red)));
    // The client has no RED.
    pair.negotiate(&receivers(1, 0));
    pair.run_ms(500);
    assert_eq!(pair.ready(), [key]);
    let red = [0x80 | 111, 0, 0, 3, 111, b'o', b'l', b'd', b'n', b'e', b'w'];
    assert!(pair.write(key, Codec::Red, 1, &red));
    assert!(!pair.write(key, Codec::Red, 2, &[0x80]));
    pair.run_ms(50);
    assert_eq!(pair.client.packets.len(), 1);
    assert_eq!(&*pair.client.packets[0].payload, b"new");
}
