use std::time::Duration;

use str0m::rtp::rtcp::{Rtcp, SdesType};

use super::{
    Feedback, ReceiverReport, SenderReport, read, round_trip, write_cname, write_sender_report,
};

/// Feedback that outlives the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Nack(u32, Vec<u16>),
    KeyFrame(u32),
    Report(ReceiverReport),
}

fn heard(plain: &[u8]) -> Vec<Heard> {
    let mut all = Vec::new();
    read(plain, &mut |feedback| {
        all.push(match feedback {
            Feedback::Nack { ssrc, lost } => Heard::Nack(ssrc, lost.collect()),
            Feedback::KeyFrame { ssrc } => Heard::KeyFrame(ssrc),
            Feedback::Report(report) => Heard::Report(report),
        });
    });
    all
}

/// A packet of that first byte and type, with the length that its words have.
fn packet(first: u8, kind: u8, words: &[u32]) -> Vec<u8> {
    let length = u16::try_from(words.len()).expect("short").to_be_bytes();
    let mut packet = vec![first, kind];
    packet.extend(length);
    packet.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    packet
}

const BLOCK: [u32; 6] = [
    0xaaaa,
    0x80ff_fffe,
    0x0001_0203,
    77,
    0x1234_5678,
    0x0001_0000,
];

fn block() -> ReceiverReport {
    ReceiverReport {
        ssrc: 0xaaaa,
        fraction_lost: 128,
        lost: -2,
        highest_seq: 0x0001_0203,
        jitter: 77,
        last_sr: 0x1234_5678,
        delay_since_sr: 65_536,
    }
}

/// One packet of each kind that we read.
fn all_kinds() -> Vec<(Vec<u8>, Vec<Heard>)> {
    let mut second = block();
    second.ssrc = 0xbbbb;
    second.lost = 0x007f_ffff;
    let mut second_words = BLOCK;
    second_words[0] = 0xbbbb;
    second_words[1] = 0x807f_ffff;
    vec![
        (
            packet(0x81, 200, &[&[1, 2, 3, 4, 5, 6], BLOCK.as_slice()].concat()),
            vec![Heard::Report(block())],
        ),
        (
            packet(0x82, 201, &[&[1], BLOCK.as_slice(), &second_words].concat()),
            vec![Heard::Report(block()), Heard::Report(second)],
        ),
        // 65535 and two after it, around the end; 7 alone.
        (
            packet(0x81, 205, &[1, 0xcccc, 0xffff_8001, 0x0007_0000]),
            vec![Heard::Nack(0xcccc, vec![65_535, 0, 15, 7])],
        ),
        (
            packet(0x81, 206, &[1, 0xdddd]),
            vec![Heard::KeyFrame(0xdddd)],
        ),
        (
            packet(0x84, 206, &[1, 0, 0xeeee, 0x0500_0000, 0xffff, 0x0600_0000]),
            vec![Heard::KeyFrame(0xeeee), Heard::KeyFrame(0xffff)],
        ),
    ]
}

/// What is passed over: SDES, APP, XR, transport-wide feedback, REMB of another name, formats nobody knows.
fn strangers() -> Vec<Vec<u8>> {
    vec![
        packet(0x81, 202, &[1, 0x0102_6162, 0]),
        packet(0x80, 204, &[1, 0x6e61_6d65, 5]),
        packet(0x80, 207, &[1, 0x0400_0002, 1, 2]),
        packet(0x8f, 205, &[1, 2, 0x0001_0001, 0x0000_0100, 0x2000_0000]),
        packet(0x8f, 206, &[1, 0, 0x5245_4d43, 0x010b_0001, 21]),
        packet(0x9e, 206, &[1, 2]),
        packet(0x81, 99, &[1, 2]),
        packet(0x81, 199, &[]),
        packet(0x80, 201, &[1]),
    ]
}

#[test]
fn each_kind_is_read() {
    for (bytes, expected) in all_kinds() {
        assert_eq!(heard(&bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn a_compound_is_read_to_its_end_with_strangers_in_it() {
    let kinds = all_kinds();
    let expected: Vec<Heard> = kinds.iter().flat_map(|(_, heard)| heard.clone()).collect();
    let mut compound: Vec<u8> = kinds.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    assert_eq!(heard(&compound), expected);
    compound.clear();
    let strangers = strangers();
    for (place, (bytes, _)) in kinds.iter().enumerate() {
        compound.extend(&strangers[place]);
        compound.extend(bytes);
    }
    compound.extend(strangers.concat());
    assert_eq!(heard(&compound), expected);
    assert_eq!(heard(&strangers.concat()), []);
}

#[test]
fn the_engine_reads_the_same() {
    for (bytes, expected) in all_kinds() {
        let theirs = Rtcp::try_from(bytes.as_slice());
        let matches = match (theirs.expect("the engine reads it"), &expected[0]) {
            (Rtcp::SenderReport(sr), Heard::Report(report)) => sr
                .reports
                .iter()
                .all(|block| *block.ssrc == report.ssrc && block.jitter == report.jitter),
            (Rtcp::ReceiverReport(rr), Heard::Report(report)) => {
                let block = rr.reports.iter().next().expect("a block");
                block.fraction_lost == report.fraction_lost
                    && block.max_seq == report.highest_seq
                    && block.last_sr_time == report.last_sr
                    && block.last_sr_delay == report.delay_since_sr
            }
            (Rtcp::Nack(nack), Heard::Nack(ssrc, lost)) => {
                let entry = nack.reports.iter().next().expect("an entry");
                *nack.ssrc == *ssrc && entry.pid == lost[0]
            }
            (Rtcp::Pli(pli), Heard::KeyFrame(ssrc)) => *pli.ssrc == *ssrc,
            (Rtcp::Fir(fir), Heard::KeyFrame(ssrc)) => {
                fir.reports.iter().next().is_some_and(|e| *e.ssrc == *ssrc)
            }
            (theirs, ours) => panic!("{theirs:?} and {ours:?}"),
        };
        assert!(matches, "{expected:?}");
    }
}

#[test]
fn padding_is_no_content() {
    // A whole entry of padding behind the last.
    let nack = packet(0xa1, 205, &[1, 2, 0x0009_0000, 0x0000_0004]);
    assert_eq!(heard(&nack), [Heard::Nack(2, vec![9])]);
    // Padding that is longer than the packet, or counts not even itself.
    assert_eq!(heard(&packet(0xa1, 206, &[1, 255])), []);
    assert_eq!(
        heard(&packet(0xa1, 205, &[1, 2, 0x0009_0000])),
        [Heard::Nack(2, vec![])]
    );
    assert_eq!(heard(&packet(0xa1, 201, &[])), []);
}

#[test]
fn counts_that_lie_are_held_to_what_is_there() {
    let nine_blocks = packet(0x89, 201, &[&[1], BLOCK.as_slice()].concat());
    assert_eq!(heard(&nine_blocks), [Heard::Report(block())]);
    let no_blocks = packet(0x80, 201, &[&[1], BLOCK.as_slice()].concat());
    assert_eq!(heard(&no_blocks), []);
    let half_a_block = packet(0x81, 201, &[&[1], &BLOCK[..5]].concat());
    assert_eq!(heard(&half_a_block), []);
}

#[test]
fn every_truncation_says_what_came_whole() {
    let kinds = all_kinds();
    let compound: Vec<u8> = kinds.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    for len in 0..compound.len() {
        let mut expected = Vec::new();
        let mut end = 0;
        for (bytes, heard) in &kinds {
            end += bytes.len();
            if end <= len {
                expected.extend(heard.clone());
            }
        }
        assert_eq!(heard(&compound[..len]), expected, "{len}");
    }
}

/// It neither panics nor goes on for ever, and says no more than there are words; a NACK's word says 17 numbers.
#[test]
fn flipped_and_made_up_bytes_say_no_more_than_they_hold() {
    let check = |bytes: &[u8]| {
        let mut pieces = 0;
        for piece in heard(bytes) {
            pieces += 1;
            if let Heard::Nack(_, lost) = piece {
                assert!(lost.len() <= 17 * bytes.len() / 4);
            }
        }
        assert!(pieces <= bytes.len() / 4);
    };
    let kinds = all_kinds();
    let compound: Vec<u8> = kinds.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    for place in 0..compound.len() {
        for value in 0..=255 {
            let mut flipped = compound.clone();
            flipped[place] = value;
            check(&flipped);
        }
    }
    let mut state = 1_u32;
    for round in 0..20_000 {
        let mut bytes = Vec::new();
        while bytes.len() < 16 + round % 90 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [noise, kind, length, ..] = state.to_be_bytes();
            bytes.extend([0x80 | noise & 0x3f, 199 + kind % 9, 0, length % 12]);
            bytes.extend(state.rotate_left(7).to_be_bytes());
        }
        check(&bytes);
    }
}

#[test]
fn the_engine_reads_the_reports_that_we_write() {
    let names = ["", "a", "ab", "abc", "madang", "0123456789abcdef"];
    let mut compound = Vec::new();
    for (ssrc, name) in (100..).zip(names) {
        let report = SenderReport {
            ssrc,
            ntp: 0xe000_0000_8000_0000,
            rtp_time: 90_000 + ssrc,
            packets: 3,
            octets: 3000,
        };
        write_sender_report(&mut compound, &report);
        write_cname(&mut compound, ssrc, name);
    }
    let mut rest = compound.as_slice();
    for (ssrc, name) in (100..).zip(names) {
        let Ok(Rtcp::SenderReport(report)) = Rtcp::try_from(&rest[..28]) else {
            panic!("a sender report");
        };
        let info = report.sender_info;
        assert_eq!(*info.ssrc, ssrc);
        assert_eq!(info.rtp_time.numer(), u64::from(90_000 + ssrc));
        assert_eq!(
            (info.sender_packet_count, info.sender_octet_count),
            (3, 3000)
        );
        // Half a second after a second of 2019; the engine counts from 1970.
        let since_1970 = info
            .ntp_time
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        let expected = Duration::from_millis((0xe000_0000 - 2_208_988_800) * 1000 + 500);
        assert!(since_1970.abs_diff(expected) < Duration::from_micros(1));
        assert_eq!(report.reports.len(), 0);

        let len = 4 + 4 * usize::from(u16::from_be_bytes([rest[30], rest[31]]));
        let Ok(Rtcp::SourceDescription(description)) = Rtcp::try_from(&rest[28..28 + len]) else {
            panic!("a source description");
        };
        let chunk = description.reports.iter().next().expect("a chunk");
        assert_eq!(*chunk.ssrc, ssrc);
        let values: Vec<_> = chunk.values.iter().cloned().collect();
        assert_eq!(values, [(SdesType::CNAME, name.to_owned())]);
        rest = &rest[28 + len..];
    }
    assert_eq!(rest, b"");
    assert_eq!(heard(&compound), [], "there are no blocks in it");
}

#[test]
fn a_sender_report_is_byte_for_byte_that_of_rfc_3550() {
    let mut out = vec![9];
    let report = SenderReport {
        ssrc: 0x0102_0304,
        ntp: 0x1112_1314_2122_2324,
        rtp_time: 0x3132_3334,
        packets: 0x4142_4344,
        octets: 0x5152_5354,
    };
    write_sender_report(&mut out, &report);
    write_cname(&mut out, 0x0102_0304, "ab");
    let expected = [
        &[9, 0x80, 200, 0, 6, 1, 2, 3, 4],
        [0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23, 0x24].as_slice(),
        &[0x31, 0x32, 0x33, 0x34, 0x41, 0x42, 0x43, 0x44],
        &[0x51, 0x52, 0x53, 0x54],
        &[0x81, 202, 0, 3, 1, 2, 3, 4, 1, 2, b'a', b'b', 0, 0, 0, 0],
    ]
    .concat();
    assert_eq!(out, expected);
}

#[test]
fn a_long_name_is_cut_between_characters() {
    for (name, len) in [
        ("x".repeat(255), 255),
        ("x".repeat(256), 255),
        ("마".repeat(90), 255),
        (format!("x{}", "마".repeat(90)), 253),
    ] {
        let mut out = Vec::new();
        write_cname(&mut out, 1, &name);
        assert_eq!(out[9], u8::try_from(len).expect("a byte"));
        assert_eq!(out[10..10 + len], name.as_bytes()[..len]);
        let zeros = &out[10 + len..];
        assert!((1..=4).contains(&zeros.len()) && zeros.iter().all(|byte| *byte == 0));
        let words = usize::from(u16::from_be_bytes([out[2], out[3]]));
        assert_eq!(out.len(), 4 + 4 * words);
    }
}

#[test]
fn a_round_trip_is_what_the_delay_leaves() {
    // The example of RFC 3550 §6.4.1, figure 2.
    let trip = round_trip(0xb705_2000, 0x0005_4000, 0xb710_8000).expect("a round trip");
    assert_eq!(trip, Duration::from_millis(6_125));
    assert_eq!(round_trip(0, 0, 0x1000), None, "no report had come");
    let around = round_trip(0xffff_ff00, 0x100, 0x8000);
    assert_eq!(around, Some(Duration::from_millis(500)));
    assert_eq!(round_trip(5000, 0, 5000), Some(Duration::ZERO));
    let rounded = round_trip(5000, 20, 5000);
    assert_eq!(rounded, Some(Duration::ZERO));
    for delay_since_sr in [100_000, 1 << 31, u32::MAX] {
        let longer_than_it_is_since = round_trip(5000, delay_since_sr, 5000);
        assert_eq!(longer_than_it_is_since, None, "{delay_since_sr}");
    }
    assert_eq!(round_trip(500_000, 0, 5000), None, "a report to come");
}
