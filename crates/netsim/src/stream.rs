//! What simulated publishers send, and what is checked of it at each receiver.
//!
//! Every payload says which packet of which encoding it is, so that a receiver knows what the server did to the
//! numbers around it.

use std::collections::{BTreeMap, BTreeSet};

/// VP8 payload descriptor with 15-bit picture id, TL0PICIDX and TID (RFC 7741 §4.2), then a frame tag.
const DESCRIPTOR_BYTES: usize = 6;
const FRAME_TAG_BYTES: usize = 10;
const MARK_BYTES: usize = 8 + 1 + 4 + 1 + 8;
pub(crate) const VIDEO_PAYLOAD_BYTES: usize = 220;

/// Which packet this is, from inside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) source: u64,
    pub(crate) encoding: u8,
    pub(crate) frame: u32,
    pub(crate) place: u8,
    pub(crate) seq: u64,
}

impl Mark {
    fn write(self, into: &mut Vec<u8>) {
        into.extend(self.source.to_be_bytes());
        into.push(self.encoding);
        into.extend(self.frame.to_be_bytes());
        into.push(self.place);
        into.extend(self.seq.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            source: u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?),
            encoding: *bytes.get(8)?,
            frame: u32::from_be_bytes(bytes.get(9..13)?.try_into().ok()?),
            place: *bytes.get(13)?,
            seq: u64::from_be_bytes(bytes.get(14..MARK_BYTES)?.try_into().ok()?),
        })
    }
}

pub(crate) fn video_payload(mark: Mark, keyframe: bool, picture_id: u16) -> Vec<u8> {
    let start = mark.place == 0;
    let [high, low] = picture_id.to_be_bytes();
    let mut payload = vec![
        0x80 | if start { 0x10 } else { 0 },
        0xe0,
        0x80 | high,
        low,
        0,
        0,
    ];
    // Frame tag: the lowest bit says "not a key frame" (RFC 6386 §9.1).
    payload.push(u8::from(!keyframe));
    payload.extend([0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
    mark.write(&mut payload);
    payload.resize(VIDEO_PAYLOAD_BYTES, 0xaa);
    payload
}

pub(crate) fn audio_payload(mark: Mark) -> Vec<u8> {
    let mut payload = Vec::with_capacity(MARK_BYTES + 40);
    mark.write(&mut payload);
    payload.resize(MARK_BYTES + 40, 0x55);
    payload
}

struct Seen {
    mark: Mark,
    time: u32,
    keyframe: bool,
    picture_id: u16,
}

/// Everything that one receiver got on one SSRC.
#[derive(Default)]
pub struct Stream {
    video: bool,
    seen: BTreeMap<u64, Seen>,
    sources: BTreeSet<u64>,
    pub(crate) faults: Vec<String>,
}

/// What a stream came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamReport {
    pub packets: usize,
    pub encodings: BTreeSet<u8>,
    pub last_encoding: Option<u8>,
    pub switches: usize,
    /// Numbers missing between the first and the last.
    pub missing: u64,
    pub faults: Vec<String>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("packets", &self.seen.len())
            .finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn new(video: bool) -> Self {
        Self {
            video,
            ..Self::default()
        }
    }

    pub(crate) fn take(&mut self, seq: u64, time: u32, payload: &[u8]) {
        let Some(seen) = self.read(time, payload) else {
            self.faults.push(format!("packet {seq} cannot be read"));
            return;
        };
        self.sources.insert(seen.mark.source);
        if let Some(before) = self.seen.get(&seq) {
            if before.mark != seen.mark {
                self.faults.push(format!(
                    "number {seq} stands for {:?} and {:?}",
                    before.mark, seen.mark
                ));
            }
            return;
        }
        self.seen.insert(seq, seen);
    }

    fn read(&self, time: u32, payload: &[u8]) -> Option<Seen> {
        if !self.video {
            return Some(Seen {
                mark: Mark::read(payload)?,
                time,
                keyframe: false,
                picture_id: 0,
            });
        }
        let picture_id = u16::from_be_bytes([*payload.get(2)? & 0x7f, *payload.get(3)?]);
        let keyframe = payload.get(DESCRIPTOR_BYTES)? & 1 == 0;
        let mark = Mark::read(payload.get(DESCRIPTOR_BYTES + FRAME_TAG_BYTES..)?)?;
        Some(Seen {
            mark,
            time,
            keyframe,
            picture_id,
        })
    }

    pub fn packets(&self) -> usize {
        self.seen.len()
    }

    /// Holds every pair of neighbours against the rules of forwarding.
    pub fn report(&self) -> StreamReport {
        let mut report = StreamReport {
            packets: self.seen.len(),
            faults: self.faults.clone(),
            ..StreamReport::default()
        };
        if self.sources.len() > 1 {
            report.faults.push(format!(
                "packets of {} sources on one stream",
                self.sources.len()
            ));
        }
        let mut before: Option<(u64, &Seen)> = None;
        for (seq, seen) in &self.seen {
            report.encodings.insert(seen.mark.encoding);
            report.last_encoding = Some(seen.mark.encoding);
            if let Some((last_seq, last)) = before {
                report.missing += seq - last_seq - 1;
                self.check_pair(*seq - last_seq, last, seen, &mut report);
            }
            before = Some((*seq, seen));
        }
        report
    }

    fn check_pair(&self, step: u64, last: &Seen, seen: &Seen, report: &mut StreamReport) {
        if seen.mark.encoding == last.mark.encoding {
            // Ours must step exactly as the publisher's own numbers do: no gap of ours, none closed over.
            if seen.mark.seq.wrapping_sub(last.mark.seq) != step && !seen.keyframe {
                report
                    .faults
                    .push(format!("{:?} follows {:?} by {step}", seen.mark, last.mark));
            }
        } else {
            report.switches += 1;
            // With nothing lost around it, a switch begins at the start of a key frame.
            if step == 1 && !(seen.keyframe && seen.mark.place == 0) {
                report
                    .faults
                    .push(format!("switched to {:?} without a key frame", seen.mark));
            }
        }
        let same_frame =
            (seen.mark.encoding, seen.mark.frame) == (last.mark.encoding, last.mark.frame);
        let forward = seen.time.wrapping_sub(last.time);
        if same_frame != (forward == 0) || forward > u32::MAX / 2 {
            report.faults.push(format!(
                "time steps by {forward} from {:?} to {:?}",
                last.mark, seen.mark
            ));
        }
        if self.video && step == 1 {
            let pictures = seen.picture_id.wrapping_sub(last.picture_id) & 0x7fff;
            if pictures != u16::from(!same_frame) {
                report.faults.push(format!(
                    "picture id steps by {pictures} from {:?} to {:?}",
                    last.mark, seen.mark
                ));
            }
        }
    }
}
