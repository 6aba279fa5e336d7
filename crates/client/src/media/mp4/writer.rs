//! MP4 in fragments (ISO/IEC 14496-12 §8.8): H.264 and Opus.

use std::time::Duration;

use crate::media::writing::{self, Picture, Sample, Tracks};
use crate::media::{avcc, ogg};
use crate::{Codec, Kind};

const PICTURE: u32 = 1;
const SOUND: u32 = 2;
const PICTURE_HZ: u32 = 90_000;
const SOUND_HZ: u32 = 48_000;
/// Of the last picture, if there is only one.
const PICTURE_DURATION: Duration = Duration::from_millis(33);
/// §8.8.3.1: others depend on it or not, and whether one can begin with it.
const KEY: u32 = 0x0200_0000;
const NOT_KEY: u32 = 0x0101_0000;
/// No turn and no scaling (§6.2.2).
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

#[derive(Debug, Default)]
pub struct Writer {
    sequence: u32,
    tracks: Vec<Track>,
}

#[derive(Debug)]
struct Track {
    id: u32,
    kind: Kind,
    hz: u32,
    /// How long the last one is, the next one tells: it waits.
    waiting: Vec<Sample>,
    duration: u32,
}

impl Writer {
    fn written(&mut self, is_end: bool) -> Vec<u8> {
        let mut runs = Vec::new();
        for track in &mut self.tracks {
            let samples = track.take(is_end);
            if !samples.is_empty() {
                runs.push((track.id, track.hz, samples));
            }
        }
        if runs.is_empty() {
            return Vec::new();
        }
        self.sequence += 1;
        // The lengths of what comes before do not depend on the offset in it.
        let length = moof(self.sequence, &runs, 0).len();
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let mut bytes = moof(self.sequence, &runs, length.saturating_add(8));
        let data = runs.iter().flat_map(|(_, _, samples)| samples);
        let data: Vec<_> = data.map(|sample| sample.data.as_slice()).collect();
        bytes.extend(boxed(b"mdat", &data));
        bytes
    }
}

impl writing::Writer for Writer {
    fn header(&mut self, tracks: &Tracks) -> Vec<u8> {
        let mut bytes = boxed(b"ftyp", &[b"iso5\0\0\x02\0iso5iso6mp41"]);
        let mut traks = Vec::new();
        let mut defaults = Vec::new();
        let mut add = |id, kind, hz, trak: Vec<u8>| {
            traks.push(trak);
            defaults.push(full(b"trex", 0, 0, &numbers(&[id, 1, 0, 0, 0])));
            self.tracks.push(Track {
                id,
                kind,
                hz,
                waiting: Vec::new(),
                duration: ticks(PICTURE_DURATION, hz).try_into().unwrap_or(1),
            });
        };
        if let Some(picture) = &tracks.picture {
            let size = (picture.width, picture.height);
            let entry = picture_entry(picture);
            let trak = trak(PICTURE, Kind::Video, PICTURE_HZ, size, &entry);
            add(PICTURE, Kind::Video, PICTURE_HZ, trak);
        }
        if tracks.has_sound {
            let trak = trak(SOUND, Kind::Audio, SOUND_HZ, (0, 0), &sound_entry());
            add(SOUND, Kind::Audio, SOUND_HZ, trak);
        }
        let mut head = numbers(&[0, 0, 1000, 0, 0x1_0000, 0x0100_0000, 0, 0]);
        head.extend(numbers(&MATRIX));
        head.extend(numbers(&[0, 0, 0, 0, 0, 0, SOUND + 1]));
        let head = full(b"mvhd", 0, 0, &head);
        let defaults = boxed(b"mvex", &[&defaults.concat()]);
        bytes.extend(boxed(b"moov", &[&head, &traks.concat(), &defaults]));
        bytes
    }

    fn fragment(&mut self, samples: Vec<Sample>) -> Vec<u8> {
        for sample in samples {
            let kind = sample.codec.kind();
            let mut tracks = self.tracks.iter_mut();
            if let Some(track) = tracks.find(|track| track.kind == kind) {
                track.waiting.push(sample);
            }
        }
        self.written(false)
    }

    fn end(&mut self) -> Vec<u8> {
        self.written(true)
    }
}

/// As it is written.
struct Timed {
    begin: u64,
    duration: u32,
    is_key: bool,
    data: Vec<u8>,
}

impl Track {
    fn take(&mut self, is_end: bool) -> Vec<Timed> {
        let mut taken = Vec::new();
        let last = self.waiting.pop();
        let ends = self.waiting.iter().chain(&last).skip(1);
        let ends: Vec<_> = ends.map(|sample| ticks(sample.time, self.hz)).collect();
        for (sample, end) in self.waiting.drain(..).zip(ends) {
            let begin = ticks(sample.time, self.hz);
            self.duration = u32::try_from(end.saturating_sub(begin)).unwrap_or(u32::MAX);
            taken.push(Timed::new(&sample, begin, self.duration));
        }
        match last {
            Some(sample) if is_end => {
                let own = ogg::opus_duration(&sample.data);
                let duration = match sample.codec {
                    Codec::Opus => u32::try_from(ticks(own, self.hz)).unwrap_or_default(),
                    Codec::Vp8 | Codec::H264 => self.duration,
                };
                taken.push(Timed::new(&sample, ticks(sample.time, self.hz), duration));
            }
            last => self.waiting.extend(last),
        }
        taken
    }
}

impl Timed {
    fn new(sample: &Sample, begin: u64, duration: u32) -> Self {
        Self {
            begin,
            duration,
            is_key: sample.is_key,
            data: match sample.codec {
                Codec::H264 => avcc::with_lengths(&sample.data),
                Codec::Vp8 | Codec::Opus => sample.data.to_vec(),
            },
        }
    }
}

fn ticks(time: Duration, hz: u32) -> u64 {
    let ticks = (time.as_micros() * u128::from(hz) + 500_000) / 1_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

fn moof(sequence: u32, runs: &[(u32, u32, Vec<Timed>)], data_at: u32) -> Vec<u8> {
    let mut parts = full(b"mfhd", 0, 0, &sequence.to_be_bytes());
    let mut data_at = data_at;
    for (id, _, samples) in runs {
        let begin = samples.first().map_or(0, |sample| sample.begin);
        // Places are counted from the beginning of this box.
        let head = full(b"tfhd", 0, 0x02_0000, &id.to_be_bytes());
        let time = full(b"tfdt", 1, 0, &begin.to_be_bytes());
        let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let mut run = numbers(&[count, data_at]);
        for sample in samples {
            let length = u32::try_from(sample.data.len()).unwrap_or(u32::MAX);
            let flags = if sample.is_key { KEY } else { NOT_KEY };
            run.extend(numbers(&[sample.duration, length, flags]));
            data_at = data_at.saturating_add(length);
        }
        // Where the data is; then of each sample its duration, size and flags.
        let run = full(b"trun", 0, 0x701, &run);
        parts.extend(boxed(b"traf", &[&head, &time, &run]));
    }
    boxed(b"moof", &[&parts])
}

fn trak(id: u32, kind: Kind, hz: u32, (width, height): (u16, u16), entry: &[u8]) -> Vec<u8> {
    let volume = match kind {
        Kind::Audio => 0x0100_0000,
        Kind::Video => 0,
    };
    let mut head = numbers(&[0, 0, id, 0, 0, 0, 0, 0, volume]);
    head.extend(numbers(&MATRIX));
    head.extend(numbers(&[u32::from(width) << 16, u32::from(height) << 16]));
    // Enabled, and part of the presentation.
    let head = full(b"tkhd", 0, 3, &head);
    // `und`, in five bits a letter.
    let media_head = full(b"mdhd", 0, 0, &numbers(&[0, 0, hz, 0, 0x55c4_0000]));
    let (handler, about) = match kind {
        Kind::Video => (b"vide", full(b"vmhd", 0, 1, &[0; 8])),
        Kind::Audio => (b"soun", full(b"smhd", 0, 0, &[0; 4])),
    };
    let mut named = vec![0; 4];
    named.extend_from_slice(handler);
    named.extend_from_slice(&[0; 13]);
    let handler = full(b"hdlr", 0, 0, &named);
    let mut here = numbers(&[1]);
    here.extend(full(b"url ", 0, 1, &[]));
    let here = boxed(b"dinf", &[&full(b"dref", 0, 0, &here)]);
    let mut entries = numbers(&[1]);
    entries.extend_from_slice(entry);
    let table = [
        full(b"stsd", 0, 0, &entries),
        full(b"stts", 0, 0, &[0; 4]),
        full(b"stsc", 0, 0, &[0; 4]),
        full(b"stsz", 0, 0, &[0; 8]),
        full(b"stco", 0, 0, &[0; 4]),
    ];
    let table = boxed(b"stbl", &[&table.concat()]);
    let information = boxed(b"minf", &[&about, &here, &table]);
    let media = boxed(b"mdia", &[&media_head, &handler, &information]);
    boxed(b"trak", &[&head, &media])
}

fn picture_entry(picture: &Picture) -> Vec<u8> {
    let mut entry = vec![0, 0, 0, 0, 0, 0, 0, 1];
    entry.extend_from_slice(&[0; 16]);
    entry.extend_from_slice(&picture.width.to_be_bytes());
    entry.extend_from_slice(&picture.height.to_be_bytes());
    // 72 dpi, one frame in a sample, no name, 24 bits.
    entry.extend(numbers(&[0x48_0000, 0x48_0000, 0]));
    entry.extend_from_slice(&[0, 1]);
    entry.extend_from_slice(&[0; 32]);
    entry.extend_from_slice(&[0, 0x18, 0xff, 0xff]);
    entry.extend(boxed(
        b"avcC",
        &[picture.record.as_deref().unwrap_or_default()],
    ));
    boxed(b"avc1", &[&entry])
}

fn sound_entry() -> Vec<u8> {
    let mut entry = vec![0, 0, 0, 0, 0, 0, 0, 1];
    entry.extend_from_slice(&[0; 8]);
    // Two channels of 16 bits, as decoded.
    entry.extend_from_slice(&[0, 2, 0, 16, 0, 0, 0, 0]);
    entry.extend(numbers(&[SOUND_HZ << 16]));
    // Version, channels, nothing left out at the beginning, rate, gain, mapping.
    let mut about = vec![0, 2, 0, 0];
    about.extend(numbers(&[SOUND_HZ]));
    about.extend_from_slice(&[0; 3]);
    entry.extend(boxed(b"dOps", &[&about]));
    boxed(b"Opus", &[&entry])
}

fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn full(kind: &[u8; 4], version: u8, flags: u32, content: &[u8]) -> Vec<u8> {
    let head = u32::from(version) << 24 | flags;
    boxed(kind, &[&head.to_be_bytes(), content])
}

fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + 8;
    let mut bytes = Vec::with_capacity(length);
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(kind);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}
