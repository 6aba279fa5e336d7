//! Writing.

use super::{VERSION, kind};

/// Of SDES items (RFC 3550 §6.5.1).
const ITEM_CNAME: u8 = 1;
const TEXT_LEN_MAX: usize = 255;

/// What we tell of a stream that we send (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SenderReport {
    pub(crate) ssrc: u32,
    /// Seconds since 1900 in the upper half, their fraction in the lower.
    pub(crate) ntp: u64,
    /// The same moment in units of the RTP timestamp.
    pub(crate) rtp_time: u32,
    pub(crate) packets: u32,
    /// Of payload: neither headers nor padding.
    pub(crate) octets: u32,
}

/// Appends a sender report without report blocks.
pub(crate) fn write_sender_report(out: &mut Vec<u8>, report: &SenderReport) {
    out.extend([VERSION << 6, kind::SENDER_REPORT, 0, 6]);
    out.extend(report.ssrc.to_be_bytes());
    out.extend(report.ntp.to_be_bytes());
    out.extend(report.rtp_time.to_be_bytes());
    out.extend(report.packets.to_be_bytes());
    out.extend(report.octets.to_be_bytes());
}

/// Appends a source description of one chunk with the canonical name alone (RFC 3550 §6.5). Of a name, the first 255
/// bytes are told, cut between two characters.
pub(crate) fn write_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let len = (0..=cname.len().min(TEXT_LEN_MAX))
        .rev()
        .find(|len| cname.is_char_boundary(*len))
        .unwrap_or_default();
    let text = cname.as_bytes().get(..len).unwrap_or_default();
    // The SSRC, the item's two bytes and its text, and zeros to the next word: at least one ends the items.
    let words = 1 + (2 + len) / 4 + 1;
    let [high, low] = u16::try_from(words)
        .expect("66 words at most")
        .to_be_bytes();
    out.extend([VERSION << 6 | 1, kind::SOURCE_DESCRIPTION, high, low]);
    let start = out.len();
    out.extend(ssrc.to_be_bytes());
    out.extend([
        ITEM_CNAME,
        u8::try_from(len).expect("cut to what a byte says"),
    ]);
    out.extend(text);
    out.resize(start + 4 * words, 0);
}
