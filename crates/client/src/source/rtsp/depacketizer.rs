//! H.264 out of RTP (RFC 6184, packetization modes 0 and 1), unit by unit as it was sent.

use crate::media::{FRAME_BYTES_MAX, annexb};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const SEQUENCE: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// An access unit in annex B, and its time by the sender's clock.
pub(super) type Access = (i64, Vec<u8>);

#[derive(Debug, Default)]
pub(super) struct Depacketizer {
    /// Parameter sets that are said outside of the stream, with start codes.
    sets: Vec<u8>,
    time: Option<i64>,
    access: Vec<u8>,
    /// Of a unit in several packets, what came of it.
    fragment: Option<Vec<u8>>,
    is_key: bool,
    has_sets: bool,
    is_broken: bool,
    /// Something was lost: nothing can be shown until then.
    waits_for_key: bool,
}

impl Depacketizer {
    pub(super) fn new(sets: &[Vec<u8>]) -> Self {
        let parts = sets
            .iter()
            .map(|set| [&START_CODE, set.as_slice()].concat());
        Self {
            sets: parts.collect::<Vec<_>>().concat(),
            waits_for_key: true,
            ..Self::default()
        }
    }

    /// What is whole by this packet. `is_last` is its marker, which not every camera sets.
    pub(super) fn push(
        &mut self,
        time: i64,
        is_last: bool,
        is_after_loss: bool,
        payload: &[u8],
    ) -> Vec<Access> {
        let mut whole = Vec::new();
        if self.time.is_some_and(|before| before != time) {
            whole.extend(self.take());
        }
        self.time = Some(time);
        if is_after_loss {
            self.is_broken = true;
            self.fragment = None;
        }
        self.packet(payload);
        if self.access.len() > FRAME_BYTES_MAX {
            self.is_broken = true;
            self.access.clear();
        }
        if is_last {
            whole.extend(self.take());
        }
        whole
    }

    fn packet(&mut self, payload: &[u8]) {
        match annexb::kind(payload) {
            STAP_A => {
                let mut rest = payload.get(1..).unwrap_or_default();
                while let Some((length, after)) = rest.split_first_chunk() {
                    let length = usize::from(u16::from_be_bytes(*length));
                    let Some((unit, after)) = after.split_at_checked(length) else {
                        self.is_broken = true;
                        return;
                    };
                    self.unit(unit);
                    rest = after;
                }
            }
            FU_A => self.part(payload),
            1..=23 => self.unit(payload),
            // Of interleaved mode, or of none.
            _ => self.is_broken = true,
        }
    }

    /// §5.8: indicator, header, and the unit without its first byte.
    fn part(&mut self, payload: &[u8]) {
        let [indicator, header, rest @ ..] = payload else {
            self.is_broken = true;
            return;
        };
        if header & 0x80 != 0 {
            self.fragment = Some(vec![(indicator & 0xe0) | (header & 0x1f)]);
        }
        let Some(fragment) = &mut self.fragment else {
            self.is_broken = true;
            return;
        };
        fragment.extend_from_slice(rest);
        if fragment.len() > FRAME_BYTES_MAX {
            self.fragment = None;
            self.is_broken = true;
        } else if header & 0x40 != 0
            && let Some(unit) = self.fragment.take()
        {
            self.unit(&unit);
        }
    }

    fn unit(&mut self, unit: &[u8]) {
        self.is_key |= annexb::kind(unit) == annexb::IDR;
        self.has_sets |= annexb::kind(unit) == SEQUENCE;
        if !unit.is_empty() {
            self.access.extend_from_slice(&START_CODE);
            self.access.extend_from_slice(unit);
        }
    }

    fn take(&mut self) -> Option<Access> {
        let mut access = std::mem::take(&mut self.access);
        let is_key = std::mem::take(&mut self.is_key);
        let has_sets = std::mem::take(&mut self.has_sets);
        let is_cut = self.fragment.take().is_some();
        let is_broken = std::mem::take(&mut self.is_broken) || is_cut;
        let time = self.time.take()?;
        self.waits_for_key = is_broken || (self.waits_for_key && !is_key);
        if access.is_empty() || self.waits_for_key {
            return None;
        }
        if is_key && !has_sets {
            access.splice(..0, self.sets.iter().copied());
        }
        Some((time, access))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(accesses: &[Access]) -> Vec<(i64, Vec<&[u8]>)> {
        let each = accesses.iter();
        each.map(|(time, bytes)| (*time, annexb::units(bytes).collect()))
            .collect()
    }

    #[test]
    fn units_come_out_as_they_went_in() {
        let sets = [vec![0x67, 1], vec![0x68, 2]];
        let mut depacketizer = Depacketizer::new(&sets);
        let mut push = |time, is_last, is_after_loss, payload: &[u8]| {
            depacketizer.push(time, is_last, is_after_loss, payload)
        };
        // Before the first key frame, nothing.
        assert!(push(0, true, false, &[0x41, 9]).is_empty());
        // A key frame in three packets, its sets known from elsewhere.
        assert!(push(1, false, false, &[0x7c, 0x85, 0xaa]).is_empty());
        assert!(push(1, false, false, &[0x7c, 0x05, 0xbb]).is_empty());
        let key = push(1, true, false, &[0x7c, 0x45, 0xcc]);
        let wanted: Vec<&[u8]> = vec![&[0x67, 1], &[0x68, 2], &[0x65, 0xaa, 0xbb, 0xcc]];
        assert_eq!(units(&key), [(1, wanted)]);
        // Two slices in one packet, without a marker: the next picture ends it.
        assert!(push(2, false, false, &[0x78, 0, 2, 0x41, 1, 0, 2, 0x41, 2]).is_empty());
        let wanted: Vec<&[u8]> = vec![&[0x41, 1], &[0x41, 2]];
        assert_eq!(units(&push(3, false, false, &[0x41, 3])), [(2, wanted)]);
        // A loss: that picture and those that need it are left out, until a key frame with its own sets.
        assert!(push(4, true, true, &[0x41, 4]).len() == 1);
        assert!(push(5, true, false, &[0x41, 5]).is_empty());
        let key = push(6, true, false, &[0x78, 0, 2, 0x67, 7, 0, 2, 0x65, 8]);
        let wanted: Vec<&[u8]> = vec![&[0x67, 7], &[0x65, 8]];
        assert_eq!(units(&key), [(6, wanted)]);
    }

    #[test]
    fn what_is_no_packet_gives_no_picture() {
        for payload in [
            &[][..],
            &[0x7c],
            &[0x7c, 0x05, 1],
            &[0x78, 0],
            &[0x78, 0, 9, 0x65],
            &[0x7d, 1],
            &[0],
        ] {
            let mut depacketizer = Depacketizer::new(&[]);
            assert!(
                depacketizer.push(0, true, false, payload).is_empty(),
                "{payload:?}"
            );
        }
    }
}
