use std::time::{Duration, Instant};

use str0m::RtcConfig;
use str0m::media::{Mid, Pt};
use str0m::rtp::{Extension, ExtensionMap};

use super::super::stream::{Ssrcs, Stream};
use super::super::{Path, Sent, Way};
use crate::Transmits;
use crate::api::{Codec, MediaKind};
use crate::connection::codecs::Payloads;
use crate::connection::{DownPacket, Extensions, Source};
use crate::rtcp;
use crate::srtp::{Keys, Profile, Sealer};
use crate::testing::epoch;

const SSRCS: Ssrcs = Ssrcs {
    main: 0x1000_0001,
    repair: Some(0x2000_0002),
};
const TAG_BYTES: usize = 16;

struct Bench {
    stream: Stream,
    sealer: Sealer,
    now: Instant,
    now_ms: u32,
    out: Transmits,
}

fn payloads(kind: MediaKind) -> Payloads {
    let rtc = RtcConfig::new().build(epoch());
    let accepted: Vec<Pt> = rtc.codec_config().params().iter().map(|p| p.pt()).collect();
    Payloads::new(rtc.codec_config(), &accepted, kind)
}

fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    map.set(4, Extension::RtpMid);
    map
}

impl Bench {
    fn new(kind: MediaKind) -> Self {
        let keys = Keys::new(Profile::AeadAes128Gcm, &[7; 56], false).expect("of that length");
        Self {
            stream: Stream::new(Mid::from("0"), SSRCS, payloads(kind), &extensions()),
            sealer: keys.split().0,
            now: epoch(),
            now_ms: 0,
            out: Transmits::default(),
        }
    }

    fn wait(&mut self, ms: u32) {
        self.now += Duration::from_millis(ms.into());
        self.now_ms += ms;
    }

    fn way(&self) -> Way<'_> {
        Way {
            sealer: &self.sealer,
            path: Path {
                local: std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into(),
                remote: ([127, 0, 0, 2], 2).into(),
            },
            now: self.now,
            now_ms: self.now_ms,
        }
    }

    fn write(&mut self, codec: Codec, seq: u64, payload: &[u8], nackable: bool) -> bool {
        let packet = DownPacket {
            codec,
            seq,
            time: 77,
            marker: true,
            payload,
            source: Source {
                encoding: 0,
                seq: (seq & 0xffff_ffff) as u32,
            },
            extensions: &Extensions::default(),
            captured: self.now,
            nackable,
            vp8: None,
            descriptor: None,
        };
        let mut out = std::mem::take(&mut self.out);
        let mut stream = std::mem::replace(&mut self.stream, spare());
        let written = stream.write(&packet, &self.way(), &mut out);
        (self.stream, self.out) = (stream, out);
        written
    }

    fn resend(&mut self, sent: &Sent, payload: &[u8]) -> bool {
        let mut out = std::mem::take(&mut self.out);
        let mut stream = std::mem::replace(&mut self.stream, spare());
        let nothing = Extensions::default();
        let resent = stream.resend(sent, payload, &nothing, &self.way(), &mut out);
        (self.stream, self.out) = (stream, out);
        resent
    }

    fn missed(&mut self, numbers: impl Iterator<Item = u16>) -> Vec<Sent> {
        self.stream.missed(numbers, self.now_ms, None)
    }

    fn datagrams(&self) -> Vec<Vec<u8>> {
        let all = self.out.all().iter();
        all.map(|one| self.out.bytes(std::slice::from_ref(one)).to_vec())
            .collect()
    }
}

fn spare() -> Stream {
    Stream::new(
        Mid::from("x"),
        SSRCS,
        Payloads::default(),
        &ExtensionMap::empty(),
    )
}

fn seq_of(datagram: &[u8]) -> u16 {
    u16::from_be_bytes([datagram[2], datagram[3]])
}

fn ssrc_of(datagram: &[u8]) -> u32 {
    u32::from_be_bytes([datagram[8], datagram[9], datagram[10], datagram[11]])
}

#[test]
fn a_repair_says_which_packet_it_is() {
    let mut bench = Bench::new(MediaKind::Video);
    assert!(bench.write(Codec::Vp8, 0x1_2345, b"picture", true));
    let number = seq_of(&bench.datagrams()[0]);
    assert_eq!(number, 0x2345, "what is above 15 bits is taken off");
    bench.wait(30);
    let missed = bench.missed([number].into_iter());
    assert_eq!(missed.len(), 1);
    assert!(bench.resend(&missed[0], b"picture"));
    let [first, again] = &bench.datagrams()[..] else {
        panic!("two")
    };
    assert_eq!(ssrc_of(first), SSRCS.main);
    assert_eq!(Some(ssrc_of(again)), SSRCS.repair);
    assert_eq!(first[4..8], again[4..8], "the same time");
    assert_ne!(first[1] & 0x7f, again[1] & 0x7f, "another payload type");
    assert_eq!(first[1] & 0x80, again[1] & 0x80);
    assert_eq!(again.len(), first.len() + 2, "and the number it had");
}

#[test]
fn what_was_not_negotiated_with_repairs_is_not_sent_again() {
    let mut sound = Bench::new(MediaKind::Audio);
    assert_eq!(sound.stream.ssrcs().repair, None, "nothing to tell of");
    assert!(sound.write(Codec::Opus, 1, b"sound", true));
    assert!(sound.missed(0..100).is_empty());
    assert!(!sound.resend(&Sent::default(), b"sound"));

    let mut picture = Bench::new(MediaKind::Video);
    assert!(picture.write(Codec::Vp8, 1, b"picture", false));
    assert!(picture.missed(0..100).is_empty(), "not to be asked for");
    assert!(picture.write(Codec::Vp8, 2, b"picture", true));
    let missed = picture.missed(0..100);
    assert_eq!(missed.len(), 1);
    picture
        .stream
        .redescribe(Payloads::default(), &extensions());
    assert!(!picture.resend(&missed[0], b"picture"), "not any more");
    assert_eq!(picture.datagrams().len(), 2);
}

#[test]
fn under_new_payload_types_nothing_old_is_sent_again() {
    let mut bench = Bench::new(MediaKind::Video);
    assert!(bench.write(Codec::Vp8, 1, b"picture", true));
    bench
        .stream
        .redescribe(payloads(MediaKind::Video), &extensions());
    bench.wait(20);
    assert_eq!(bench.missed(1..2).len(), 1, "they are the same ones");
    bench
        .stream
        .redescribe(payloads(MediaKind::Audio), &extensions());
    bench
        .stream
        .redescribe(payloads(MediaKind::Video), &extensions());
    bench.wait(20);
    assert!(bench.missed(1..2).is_empty());
    assert!(
        !bench.write(Codec::Vp8, 1, b"another", true),
        "but its number"
    );
    assert!(bench.write(Codec::Vp8, 2, b"another", true));
}

#[test]
fn headers_follow_a_new_description() {
    let mut bench = Bench::new(MediaKind::Video);
    assert!(bench.write(Codec::Vp8, 1, b"picture", true));
    let mut map = ExtensionMap::empty();
    map.set(7, Extension::RtpMid);
    bench.stream.redescribe(payloads(MediaKind::Video), &map);
    assert!(bench.write(Codec::Vp8, 2, b"picture", true));
    let none = ExtensionMap::empty();
    bench.stream.redescribe(payloads(MediaKind::Video), &none);
    assert!(bench.write(Codec::Vp8, 3, b"picture", true));
    let datagrams = bench.datagrams();
    assert_eq!(datagrams[0][12..18], [0xbe, 0xde, 0, 1, 4 << 4, b'0']);
    assert_eq!(datagrams[1][12..18], [0xbe, 0xde, 0, 1, 7 << 4, b'0']);
    assert_eq!((datagrams[1][0], datagrams[2][0]), (0x90, 0x80));
    assert_eq!(datagrams[2].len() + 8, datagrams[1].len());
}

#[test]
fn repairs_are_a_part_of_what_is_sent() {
    let payload = [1; 1_000];
    for carried in [0, 1_000] {
        let mut bench = Bench::new(MediaKind::Video);
        for seq in 0..1_000 {
            assert!(bench.write(Codec::Vp8, seq, &payload[..carried], true));
        }
        let before: usize = bench.datagrams().iter().map(Vec::len).sum();
        let count = bench.datagrams().len();
        let mut refused = 0;
        // All of it again, as often as may be asked.
        for _ in 0..60 {
            bench.wait(10);
            for sent in bench.missed(0..1_000) {
                refused += u32::from(!bench.resend(&sent, &payload[..carried]));
            }
        }
        let all: usize = bench.datagrams().iter().map(Vec::len).sum();
        assert!(bench.datagrams().len() > count, "some are");
        assert!(refused > 50_000, "{refused}");
        let limit = 64 * 1024 + 1_000 * carried / 4;
        assert!(all - before <= limit, "{}", all - before);
    }
}

#[test]
fn what_is_spent_on_repairs_comes_back_with_what_is_sent() {
    let mut bench = Bench::new(MediaKind::Video);
    let payload = [1; 1_000];
    let mut seq = 0;
    let mut repaired = [0; 2];
    for round in &mut repaired {
        for _ in 0..400 {
            assert!(bench.write(Codec::Vp8, seq, &payload, true));
            seq += 1;
        }
        bench.wait(10);
        let newest = u16::try_from(seq).expect("few");
        for sent in bench.missed(newest - 400..newest) {
            *round += u32::from(bench.resend(&sent, &payload));
        }
    }
    let [first, second] = repaired;
    assert!(
        first < 200 && second >= 90 && second < first,
        "{repaired:?}"
    );
}

#[test]
fn no_number_is_sealed_twice_and_none_from_before_the_first() {
    let mut bench = Bench::new(MediaKind::Video);
    assert!(bench.write(Codec::Vp8, 0x8_7ffe, b"first", true));
    assert!(!bench.write(Codec::Vp8, 0x8_7ffe, b"other", true));
    assert!(!bench.write(Codec::Vp8, 0x7_ffff, b"from before", true));
    assert!(bench.write(Codec::Vp8, 0x8_7f00, b"late", true));
    for seq in 0x8_7fff..0x8_8010 {
        assert!(bench.write(Codec::Vp8, seq, b"next", true));
        assert!(!bench.write(Codec::Vp8, seq, b"twice", true));
    }
    assert!(!bench.write(Codec::Vp8, 0x8_7f00, b"twice", true));
    assert!(!bench.write(Codec::Vp8, 0x8_0001, b"too late", true));
    let mut seqs: Vec<u16> = bench.datagrams().iter().map(|one| seq_of(one)).collect();
    let all = seqs.len();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!((seqs.len(), all), (19, 19));
}

#[test]
fn a_codec_that_was_not_negotiated_leaves_no_datagram() {
    let mut bench = Bench::new(MediaKind::Audio);
    assert!(!bench.write(Codec::Vp8, 1, b"picture", true));
    assert!(!bench.write(Codec::Red, 2, &[], true), "no block in it");
    assert!(bench.write(Codec::Opus, 2, b"sound", true));
    let sizes: Vec<usize> = bench.datagrams().iter().map(Vec::len).collect();
    // The header, a word of extensions with its head, the payload, the tag.
    assert_eq!(sizes, [12 + 8 + 5 + TAG_BYTES]);
}

#[test]
fn reports_count_what_was_sent_and_map_its_time() {
    let mut bench = Bench::new(MediaKind::Video);
    let mut report = Vec::new();
    bench.stream.report(&mut report, bench.now, 5, "name");
    assert!(report.is_empty(), "nothing was sent");
    for seq in 1..=3 {
        assert!(bench.write(Codec::Vp8, seq, b"picture", true));
    }
    bench.wait(40);
    bench.stream.report(&mut report, bench.now, 5, "name");
    let word = |at: usize| u32::from_be_bytes(report[at..at + 4].try_into().expect("four"));
    assert_eq!((word(4), word(8), word(12)), (SSRCS.main, 0, 5));
    assert_eq!(word(16), 77 + 40 * 90, "as far as the clock went on since");
    assert_eq!((word(20), word(24)), (3, 21));
    let mut heard = 0;
    rtcp::read(&report, &mut |_| heard += 1);
    assert_eq!(heard, 0, "no report blocks");
    report.clear();
    bench.stream.report(&mut report, bench.now, 6, "name");
    assert!(report.is_empty(), "nothing new");
}
