//! Sealing what we send.

use std::fmt;

use super::cipher::Suite;

/// The last SRTCP index there is: 31 bits.
const RTCP_INDEX_MAX: u32 = (1 << 31) - 1;

/// Seals RTP and RTCP of SSRCs of ours for one connection. The key schedules are made once.
pub(crate) struct Sealer {
    rtp: Suite,
    rtcp: Suite,
    /// Of the last SRTCP packet; 0 before the first.
    pub(super) rtcp_index: u32,
}

impl Sealer {
    pub(super) fn new(rtp: Suite, rtcp: Suite) -> Sealer {
        Sealer {
            rtp,
            rtcp,
            rtcp_index: 0,
        }
    }

    /// Seals the RTP packet `packet[start..]` in place and appends its tag. `header_len` is the length of its header
    /// with CSRCs and extensions, `index` its rollover counter << 16 | its sequence number.
    ///
    /// No two packets may ever be sealed with the same `ssrc` and `index` unless they are equal in every byte: with
    /// AES-GCM that would give the authentication key away.
    ///
    /// False when the header is longer than the packet, or the index has more than 48 bits: a bug of the caller. Then
    /// the packet is taken off the buffer, so that nothing leaves in the clear.
    #[inline]
    #[must_use]
    pub(crate) fn seal_rtp(
        &self,
        packet: &mut Vec<u8>,
        start: usize,
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> bool {
        debug_assert!(
            is_header(packet.get(start..).unwrap_or_default(), ssrc, index),
            "the header says another sequence number or SSRC"
        );
        let is_sealed = self.rtp.seal_rtp(packet, start, header_len, ssrc, index);
        if !is_sealed {
            packet.truncate(start);
        }
        is_sealed
    }

    /// Seals the compound RTCP packet `packet[start..]` in place and appends its index and tag. Its first report must
    /// be of an SSRC of ours: see the head of this module.
    ///
    /// False when it is shorter than a header with an SSRC, or when this connection has sent as many as there are
    /// indices (RFC 3711 §9.2 then wants new keys). Then the packet is taken off the buffer.
    #[must_use]
    pub(crate) fn seal_rtcp(&mut self, packet: &mut Vec<u8>, start: usize) -> bool {
        let is_sealed = self.rtcp_index < RTCP_INDEX_MAX
            && self.rtcp.seal_rtcp(packet, start, self.rtcp_index + 1);
        if is_sealed {
            self.rtcp_index += 1;
        } else {
            packet.truncate(start);
        }
        is_sealed
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("rtcp_index", &self.rtcp_index)
            .finish_non_exhaustive()
    }
}

/// Does the header say what the nonce will be made of?
fn is_header(packet: &[u8], ssrc: u32, index: u64) -> bool {
    packet.len() < 12
        || (packet.get(2..4) == index.to_be_bytes().get(6..)
            && packet.get(8..12) == Some(&ssrc.to_be_bytes()))
}
