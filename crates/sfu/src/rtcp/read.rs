//! Reading.

use std::slice::ChunksExact;
use std::time::Duration;

use super::{VERSION, kind};

/// Of transport feedback (RFC 4585 §6.2).
const FORMAT_NACK: u8 = 1;
/// Of payload feedback (RFC 4585 §6.3.1, RFC 5104 §4.3.1).
const FORMAT_PICTURE_LOSS: u8 = 1;
const FORMAT_FULL_INTRA: u8 = 4;

const SENDER_INFO_LEN: usize = 20;
const REPORT_LEN: usize = 24;
const FULL_INTRA_ENTRY_LEN: usize = 8;
/// NTP time in 16.16 bits: how far below zero a round trip is still a short one, measured by two clocks that drift.
const SKEW_MAX: i64 = 65_536 / 10;

/// What a receiver tells.
#[derive(Debug, Clone)]
pub(crate) enum Feedback<'a> {
    /// Packets of `ssrc` did not come (RFC 4585 §6.2.1).
    Nack { ssrc: u32, lost: Lost<'a> },
    /// It cannot go on without a picture that stands alone: PLI (RFC 4585 §6.3.1), or an entry of a FIR (RFC 5104
    /// §4.3.1). A FIR may be repeated: its sequence number is not told.
    KeyFrame { ssrc: u32 },
    /// A report block of an SR or an RR (RFC 3550 §6.4).
    Report(ReceiverReport),
}

/// A report block (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReceiverReport {
    /// What is reported on.
    pub(crate) ssrc: u32,
    /// Since the last report, of 256.
    pub(crate) fraction_lost: u8,
    /// Since the beginning. Negative when packets came twice.
    pub(crate) lost: i32,
    /// With the count of cycles in the upper half.
    pub(crate) highest_seq: u32,
    /// In units of the RTP timestamp.
    pub(crate) jitter: u32,
    /// The middle of the NTP time of the last sender report that came; 0 when none did.
    pub(crate) last_sr: u32,
    /// How long ago that came, in 1/65536 s.
    pub(crate) delay_since_sr: u32,
}

/// Reads a plain compound packet to its end or to the first packet whose frame is wrong, and hands out what it says.
/// Packets of other kinds are passed over. It hands out at most one piece for each four bytes.
pub(crate) fn read(plain: &[u8], take: &mut impl FnMut(Feedback<'_>)) {
    let mut rest = plain;
    while let Some((packet, after)) = split_packet(rest) {
        read_packet(&packet, take);
        rest = after;
    }
}

/// The time of a datagram to the receiver and back, from a report of it: now − last_sr − delay_since_sr (RFC 3550
/// §6.4.1). None when no sender report had come, or when the numbers cannot be.
pub(crate) fn round_trip(
    last_sr: u32,
    delay_since_sr: u32,
    now_ntp_middle: u32,
) -> Option<Duration> {
    if last_sr == 0 {
        return None;
    }
    // A clock that was set, or more than nine hours, are a time below zero.
    let since_sr = i64::from(now_ntp_middle.wrapping_sub(last_sr).cast_signed());
    let units = since_sr - i64::from(delay_since_sr);
    if (-SKEW_MAX..0).contains(&units) {
        return Some(Duration::ZERO);
    }
    let units = u64::try_from(units).ok()?;
    Some(Duration::from_nanos((units * 1_000_000_000) >> 16))
}

/// Sequence numbers of lost packets: each entry names one and up to sixteen of those after it.
#[derive(Debug, Clone)]
pub(crate) struct Lost<'a> {
    entries: ChunksExact<'a, u8>,
    /// Of the entry being read.
    after: u16,
    following: u16,
}

impl<'a> Lost<'a> {
    fn new(entries: &'a [u8]) -> Lost<'a> {
        Lost {
            entries: entries.chunks_exact(4),
            after: 0,
            following: 0,
        }
    }
}

impl Iterator for Lost<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.following != 0 {
            // Bit 0 is the packet right after.
            let bit = self.following.trailing_zeros();
            self.following &= self.following - 1;
            let step = u16::try_from(bit).expect("a bit of sixteen") + 1;
            return Some(self.after.wrapping_add(step));
        }
        let entry: [u8; 4] = self.entries.next()?.try_into().ok()?;
        let [first, second, third, fourth] = entry;
        self.after = u16::from_be_bytes([first, second]);
        self.following = u16::from_be_bytes([third, fourth]);
        Some(self.after)
    }
}

/// The words of a piece of a packet.
fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let words = bytes.chunks_exact(4);
    words.filter_map(|word| Some(u32::from_be_bytes(word.try_into().ok()?)))
}

/// One packet of a compound, without its padding.
struct Packet<'a> {
    kind: u8,
    /// The five bits after version and padding: a count or a format.
    count: u8,
    /// After the first word.
    body: &'a [u8],
}

/// RFC 3550 §6.4.1: version, padding, count, type, length in words less one. With what comes after it.
fn split_packet(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let ([first, kind, length @ ..], _) = bytes.split_first_chunk::<4>()?;
    if first >> 6 != VERSION {
        return None;
    }
    let len = 4 + 4 * usize::from(u16::from_be_bytes(*length));
    let (packet, after) = bytes.split_at_checked(len)?;
    let mut body = packet.get(4..)?;
    if first & 0b0010_0000 != 0 {
        // The last byte counts the padding with itself.
        let padding = usize::from(*body.last()?);
        body = body.get(..body.len().checked_sub(padding.max(1))?)?;
    }
    let packet = Packet {
        kind: *kind,
        count: first & 0b0001_1111,
        body,
    };
    Some((packet, after))
}

fn read_packet(packet: &Packet<'_>, take: &mut impl FnMut(Feedback<'_>)) {
    match packet.kind {
        kind::SENDER_REPORT => read_reports(packet, 4 + SENDER_INFO_LEN, take),
        kind::RECEIVER_REPORT => read_reports(packet, 4, take),
        kind::TRANSPORT_FEEDBACK | kind::PAYLOAD_FEEDBACK => {
            // The SSRCs of who tells and of the media, then what the format says (RFC 4585 §6.1).
            if let Some((&[_, _, _, _, ssrc @ ..], rest)) = packet.body.split_first_chunk::<8>() {
                read_feedback(packet, u32::from_be_bytes(ssrc), rest, take);
            }
        }
        _ => {}
    }
}

fn read_feedback(packet: &Packet<'_>, ssrc: u32, rest: &[u8], take: &mut impl FnMut(Feedback<'_>)) {
    match (packet.kind, packet.count) {
        (kind::TRANSPORT_FEEDBACK, FORMAT_NACK) => {
            let lost = Lost::new(rest);
            take(Feedback::Nack { ssrc, lost });
        }
        (kind::PAYLOAD_FEEDBACK, FORMAT_PICTURE_LOSS) => take(Feedback::KeyFrame { ssrc }),
        (kind::PAYLOAD_FEEDBACK, FORMAT_FULL_INTRA) => {
            for entry in rest.chunks_exact(FULL_INTRA_ENTRY_LEN) {
                if let Some(ssrc) = words(entry).next() {
                    take(Feedback::KeyFrame { ssrc });
                }
            }
        }
        _ => {}
    }
}

fn read_reports(packet: &Packet<'_>, head_len: usize, take: &mut impl FnMut(Feedback<'_>)) {
    let blocks = packet.body.get(head_len..).unwrap_or_default();
    for block in blocks
        .chunks_exact(REPORT_LEN)
        .take(usize::from(packet.count))
    {
        if let Some(report) = read_report(block) {
            take(Feedback::Report(report));
        }
    }
}

fn read_report(block: &[u8]) -> Option<ReceiverReport> {
    let mut words = words(block);
    let ssrc = words.next()?;
    let [fraction_lost, high, middle, low] = words.next()?.to_be_bytes();
    Some(ReceiverReport {
        ssrc,
        fraction_lost,
        // 24 bits with a sign.
        lost: i32::from_be_bytes([high, middle, low, 0]) >> 8,
        highest_seq: words.next()?,
        jitter: words.next()?,
        last_sr: words.next()?,
        delay_since_sr: words.next()?,
    })
}
