//! H.264 payloads (RFC 6184).

use crate::packet::FrameInfo;

const NAL_TYPE: u8 = 0x1f;
const NAL_REFERENCE: u8 = 0x60;
const SLICE: u8 = 1;
const SLICE_IDR: u8 = 5;
const SPS: u8 = 7;
const DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const FU_A: u8 = 28;
const FU_B: u8 = 29;
const FU_START: u8 = 0x80;
/// After so many IDR pictures without parameter sets their sender is taken to have sent them otherwise.
const BARE_IDR_MAX: u8 = 1;

/// What is remembered of a stream.
#[derive(Debug, Default)]
pub(super) struct H264 {
    /// Parameter sets come in front of IDR pictures, in packets of their own: an IDR picture alone cannot be started at.
    has_parameters: bool,
    /// They came, and the IDR picture did not yet.
    parameters_fresh: bool,
    bare_idrs: u8,
}

/// What was found in a packet.
#[derive(Debug, Default)]
struct Found {
    parameters: bool,
    delimiter: bool,
    idr_start: bool,
    slice_start: bool,
    slice: bool,
    reference: bool,
}

impl H264 {
    pub(super) fn inspect(&mut self, payload: &[u8]) -> Option<FrameInfo> {
        let mut found = Found::default();
        let first = *payload.first()?;
        match first & NAL_TYPE {
            STAP_A => found.aggregate(payload.get(1..)?),
            // Behind a decoding order number.
            STAP_B => found.aggregate(payload.get(3..)?),
            fragment @ (FU_A | FU_B) => {
                let header = *payload.get(1)?;
                found.reference = first & NAL_REFERENCE != 0;
                found.slice = true;
                if header & FU_START != 0 {
                    let body = payload.get(if fragment == FU_A { 2 } else { 4 }..)?;
                    found.unit(first & NAL_REFERENCE | header & NAL_TYPE, body);
                }
            }
            _ => found.unit(first, payload.get(1..)?),
        }
        let keyframe = self.is_keyframe(&found);
        Some(FrameInfo {
            keyframe,
            start: keyframe || found.delimiter || found.parameters || found.slice_start,
            spatial_count: 1,
            switch_up: keyframe,
            discardable: found.slice && !found.reference,
            ..FrameInfo::default()
        })
    }

    fn is_keyframe(&mut self, found: &Found) -> bool {
        if found.parameters {
            self.has_parameters = true;
            self.parameters_fresh = !found.idr_start;
            self.bare_idrs = 0;
            return true;
        }
        if !found.idr_start {
            return false;
        }
        if self.parameters_fresh {
            // The same picture: the packet with the parameters was its start.
            self.parameters_fresh = false;
            return false;
        }
        self.bare_idrs = self.bare_idrs.saturating_add(1);
        self.has_parameters &= self.bare_idrs <= BARE_IDR_MAX;
        !self.has_parameters
    }
}

impl Found {
    fn aggregate(&mut self, mut rest: &[u8]) {
        while let Some((size, tail)) = rest.split_at_checked(2) {
            let size = size
                .iter()
                .fold(0, |size, byte| size << 8 | usize::from(*byte));
            let Some((unit, next)) = tail.split_at_checked(size) else {
                return;
            };
            if let Some((header, body)) = unit.split_first() {
                self.unit(*header, body);
            }
            rest = next;
        }
    }

    fn unit(&mut self, header: u8, body: &[u8]) {
        // first_mb_in_slice is 0 (§7.3.3 of the codec): one set bit in front.
        let is_first_slice = body.first().is_some_and(|byte| byte & 0x80 != 0);
        self.reference |= header & NAL_REFERENCE != 0;
        match header & NAL_TYPE {
            SLICE => {
                self.slice = true;
                self.slice_start |= is_first_slice;
            }
            SLICE_IDR => {
                self.slice = true;
                self.slice_start |= is_first_slice;
                self.idr_start |= is_first_slice;
            }
            SPS => self.parameters = true,
            DELIMITER => self.delimiter = true,
            _ => {}
        }
    }
}
