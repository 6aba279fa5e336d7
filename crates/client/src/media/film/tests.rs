use std::collections::VecDeque;
use std::io::Cursor;
use std::sync::Arc;

use super::*;
use crate::media::writing::{Sample, Tracks, Writer};

/// Of 64×48, baseline and high profile, as x264 makes them.
const SETS: [&[&[u8]]; 2] = [
    &[
        b"\x67\x42\xc0\x0a\xd9\x04\x7b\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x01\x40\xf1\x22\x64\x80",
        b"\x68\xcb\x83\xcb\x20",
    ],
    &[
        b"\x67\x64\x00\x0a\xac\xb2\x08\xf6\x02\x20\x00\x00\x03\x00\x20\x00\x00\x03\x02\x81\xe2\x44\xc9",
        b"\x68\xeb\xc3\xcb\x22\xc0",
    ],
];
const VP8_KEY: &[u8] = &[0x10, 0, 0, 0x9d, 1, 0x2a, 64, 0, 48, 0, 7, 7];

fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    let parts = units.iter().map(|unit| [&[0, 0, 0, 1], *unit].concat());
    parts.collect::<Vec<_>>().concat()
}

fn h264(sets: &[&[u8]], n: u8) -> Vec<u8> {
    if n.is_multiple_of(10) {
        annex_b(&[sets, &[&[0x65, 0x88, n, 9]]].concat())
    } else {
        annex_b(&[&[0x41, 0x9a, n, 9], &[0x41, 0x40, n, 8]])
    }
}

fn vp8(_: &[&[u8]], n: u8) -> Vec<u8> {
    if n.is_multiple_of(10) {
        [VP8_KEY, &[n]].concat()
    } else {
        vec![1, n, 3]
    }
}

/// Pictures each 40 ms, and packets of sound each 20 ms, for a second.
fn samples(codec: Codec, picture: impl Fn(u8) -> Vec<u8>, has_sound: bool) -> Vec<Sample> {
    let mut samples = Vec::new();
    let sample = |codec, ms: u64, is_key, data: Vec<u8>| Sample {
        codec,
        time: Duration::from_millis(ms),
        is_key,
        data: Arc::from(data),
    };
    for n in 0..25 {
        let ms = 40 * u64::from(n);
        let data = picture(n);
        samples.push(sample(codec, ms, is_key(codec, &data), data));
        for half in (0..2).filter(|_| has_sound) {
            let sound = vec![0x78, n, u8::try_from(half).expect("small")];
            samples.push(sample(Codec::Opus, ms + 20 * half, true, sound));
        }
    }
    samples
}

fn writer(format: Format) -> Box<dyn Writer> {
    if format == Format::Mp4 {
        Box::new(mp4::Writer::default())
    } else {
        Box::new(matroska::Writer::matroska())
    }
}

/// In fragments of ten samples.
fn written(writer: &mut dyn Writer, tracks: &Tracks, samples: &[Sample]) -> Vec<u8> {
    let mut file = writer.header(tracks);
    for part in samples.chunks(10) {
        file.extend(writer.fragment(part.to_vec()));
    }
    file.extend(writer.end());
    file
}

fn read(format: Format, file: &[u8]) -> Result<Vec<Frame>, FormatError> {
    let mut reader = Reader::open(format, Cursor::new(file.to_vec()))?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        frames.push(frame);
    }
    Ok(frames)
}

fn of(codec: Codec, frames: &[Frame]) -> Vec<(u128, Vec<u8>)> {
    let frames = frames.iter().filter(|frame| frame.codec == codec);
    let seen = frames.map(|frame| (frame.time.as_millis(), frame.data.clone()));
    seen.collect()
}

fn sent(codec: Codec, samples: &[Sample]) -> Vec<(u128, Vec<u8>)> {
    let samples = samples.iter().filter(|sample| sample.codec == codec);
    let sent = samples.map(|sample| (sample.time.as_millis(), sample.data.to_vec()));
    sent.collect()
}

#[test]
fn what_is_written_is_read_again_byte_by_byte() {
    type Picture = fn(&[&[u8]], u8) -> Vec<u8>;
    type Case = (
        &'static str,
        Format,
        Codec,
        Picture,
        &'static [&'static [u8]],
    );
    let cases: [Case; 5] = [
        ("webm", Format::Matroska, Codec::Vp8, vp8, &[]),
        ("mkv", Format::Matroska, Codec::H264, h264, SETS[0]),
        ("mkv, high", Format::Matroska, Codec::H264, h264, SETS[1]),
        ("mp4", Format::Mp4, Codec::H264, h264, SETS[0]),
        ("mp4, high", Format::Mp4, Codec::H264, h264, SETS[1]),
    ];
    for (name, format, codec, picture, sets) in cases {
        for has_sound in [true, false] {
            let samples = samples(codec, |n| picture(sets, n), has_sound);
            let mut writer = writer(format);
            let tracks = Tracks::of_key_frame(codec, &samples[0].data, has_sound);
            let tracks = tracks.unwrap_or_else(|| panic!("{name}: a key frame"));
            let file = written(writer.as_mut(), &tracks, &samples);
            assert_eq!(Format::detect(&file), Ok(format), "{name}");
            let frames = read(format, &file).unwrap_or_else(|error| panic!("{name}: {error}"));
            for codec in [codec, Codec::Opus] {
                assert_eq!(of(codec, &frames), sent(codec, &samples), "{name}: {codec}");
            }
            let probed = Reader::open(format, Cursor::new(file)).and_then(Reader::probe);
            let kinds = [Kind::Video, Kind::Audio];
            assert_eq!(
                probed.as_deref(),
                Ok(&kinds[..1 + usize::from(has_sound)]),
                "{name}"
            );
        }
    }
}

#[test]
fn what_was_written_when_it_was_cut_is_read() {
    for format in [Format::Matroska, Format::Mp4] {
        let samples = samples(Codec::H264, |n| h264(SETS[0], n), true);
        let mut writer = writer(format);
        let tracks = Tracks::of_key_frame(Codec::H264, &samples[0].data, true).expect("a key");
        let mut file = writer.header(&tracks);
        file.extend(writer.fragment(samples[..50].to_vec()));
        let whole = read(format, &file).expect("nothing is cut yet").len();
        assert!(whole >= 48, "{format:?}: {whole}");
        file.extend(writer.fragment(samples[50..].to_vec()));
        let mut reader = Reader::open(format, Cursor::new(file[..file.len() - 1].to_vec()));
        let reader = reader.as_mut().expect("its beginning is there");
        let mut count = 0;
        let end = loop {
            match reader.next_frame() {
                Ok(Some(_)) => count += 1,
                end => break end,
            }
        };
        assert!(count >= whole, "{format:?}: {count}");
        assert_eq!(end, Err(FormatError::Cut), "{format:?}");
    }
}

#[test]
fn damaged_files_end_in_words() {
    let samples = samples(Codec::H264, |n| h264(SETS[0], n), true);
    let tracks = Tracks::of_key_frame(Codec::H264, &samples[0].data, true).expect("a key");
    let files = [
        (
            Format::Matroska,
            written(&mut matroska::Writer::matroska(), &tracks, &samples),
        ),
        (
            Format::Mp4,
            written(&mut mp4::Writer::default(), &tracks, &samples),
        ),
    ];
    for (format, file) in files {
        for at in 0..1200.min(file.len()) {
            for byte in [0, 0x7f, 0xff] {
                let mut damaged = file.clone();
                damaged[at] = byte;
                // Whatever it says: it ends, and without taking all memory.
                if let Ok(frames) = read(format, &damaged) {
                    assert!(frames.len() <= 4 * samples.len(), "{format:?} {at}");
                }
            }
            assert!(
                read(format, &file[..at]).is_ok_and(|frames| frames.len() < 75)
                    || read(format, &file[..at]).is_err()
            );
        }
    }
}

/// A file as its demuxer tells it.
struct Told(VecDeque<Packet>);

impl Demuxer for Told {
    fn codecs(&self) -> Vec<Codec> {
        vec![Codec::Vp8, Codec::Opus]
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, FormatError> {
        Ok(self.0.pop_front())
    }
}

fn told(packets: &[(Codec, i64, bool)]) -> Result<Vec<(Codec, u128)>, FormatError> {
    let packets = packets.iter().map(|(codec, ms, is_key)| Packet {
        codec: *codec,
        time_us: ms * 1000,
        // Of sound, 20 ms.
        data: match codec {
            Codec::Opus => vec![0x78, 1],
            Codec::Vp8 | Codec::H264 => vec![u8::from(!is_key), 1],
        },
    });
    let mut reader = Reader::new(Box::new(Told(packets.collect())));
    let mut seen = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        seen.push((frame.codec, frame.time.as_millis()));
    }
    Ok(seen)
}

#[test]
fn it_begins_with_a_key_frame_and_both_tracks_keep_their_distance() {
    use Codec::{Opus, Vp8};
    let seen = told(&[
        (Opus, -7, true),
        (Vp8, 0, false),
        (Opus, 13, true),
        (Vp8, 40, true),
        (Opus, 53, true),
        // Two that the file keeps as one.
        (Opus, 53, true),
        (Vp8, 80, false),
        (Opus, 93, true),
    ]);
    let wanted = [(Vp8, 0), (Opus, 13), (Opus, 33), (Vp8, 40), (Opus, 53)];
    assert_eq!(seen, Ok(wanted.to_vec()));
}

#[test]
fn what_browsers_cannot_show_is_refused_with_a_remedy() {
    use Codec::{Opus, Vp8};
    let refusals = [
        told(&[(Vp8, 0, true), (Vp8, 80, false), (Vp8, 40, false)]),
        told(&[(Vp8, 0, false), (Opus, 10, true), (Vp8, 40, false)]),
        told(&[(Vp8, 0, false); 700]),
        Err(foreign(Kind::Video, "VP9")),
        Err(foreign(Kind::Audio, "AAC")),
    ];
    let words = ["B-frames", "no key frame", "no key frame", "VP9", "AAC"];
    for (refusal, word) in refusals.into_iter().zip(words) {
        let error = refusal.expect_err(word).to_string();
        assert!(
            error.contains(word) && error.contains("ffmpeg -i FILE "),
            "{error}"
        );
    }
}
