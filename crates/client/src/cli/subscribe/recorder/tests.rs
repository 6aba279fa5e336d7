use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use str0m::media::Mid;

use super::*;
use crate::media::{Format, Reader, film};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn frame(section: &str, ms: u64, is_key: bool, is_next: bool) -> Received {
    Received {
        section: Section(Mid::from(section)),
        codec: Codec::Vp8,
        time: Duration::from_millis(ms),
        arrived: Instant::now(),
        is_key,
        is_next,
        data: Arc::from([u8::from(!is_key), 2, 3]),
    }
}

fn recorder(container: Option<Container>) -> (Recorder, Shared) {
    let shared = Shared::default();
    let recorder = Recorder::new("test".to_owned(), Box::new(shared.clone()), container);
    (recorder, shared)
}

#[test]
fn every_written_picture_can_be_decoded() {
    let (mut recorder, file) = recorder(None);
    let mut take = |frame: Received| recorder.take(None, &frame).expect("it is VP8");
    assert_eq!(take(frame("0", 900, false, true)), Taken::NeedsKeyframe);
    assert_eq!(take(frame("0", 1000, true, true)), Taken::Written);
    assert_eq!(take(frame("1", 1001, true, true)), Taken::Other);
    assert_eq!(take(frame("0", 1033, false, true)), Taken::Written);
    assert_eq!(take(frame("0", 1100, false, false)), Taken::NeedsKeyframe);
    assert_eq!(take(frame("0", 1133, false, true)), Taken::NeedsKeyframe);
    assert_eq!(take(frame("0", 1166, true, false)), Taken::Written);
    recorder.start_anew().expect("it can be written");
    let mut take = |frame: Received| recorder.take(None, &frame).expect("it is VP8");
    assert_eq!(take(frame("1", 5, false, true)), Taken::NeedsKeyframe);
    assert_eq!(take(frame("1", 10, true, true)), Taken::Written);

    let mut reader = Reader::new(Format::Ivf, Duration::ZERO).expect("a stream");
    reader.push(&file.0.lock().expect("no panic"));
    let mut times = Vec::new();
    while let Some(frame) = reader.next_frame().expect("a sound file") {
        times.push(frame.time.as_millis());
    }
    assert_eq!(times, [0, 33, 166, 199]);
    assert_eq!(reader.finish(), Ok(None));
}

#[test]
fn of_several_peers_one_is_written_until_it_is_gone() {
    let (mut recorder, _) = recorder(None);
    let mut steps = [
        (Some("a"), false, Taken::NeedsKeyframe),
        (Some("b"), true, Taken::Written),
        (Some("a"), true, Taken::Other),
        (Some("b"), false, Taken::Written),
    ];
    for (from, is_key, wanted) in steps {
        let taken = recorder.take(from, &frame("0", 0, is_key, true));
        assert_eq!(taken.expect("it is VP8"), wanted, "{from:?}");
    }
    recorder.changed(Some("a")).expect("it can be written");
    steps = [
        (Some("a"), true, Taken::Other),
        (Some("b"), false, Taken::Written),
        (Some("a"), true, Taken::Other),
        (Some("b"), true, Taken::Written),
    ];
    for (from, is_key, wanted) in steps {
        let taken = recorder.take(from, &frame("0", 0, is_key, true));
        assert_eq!(taken.expect("it is VP8"), wanted, "{from:?}");
    }
    recorder.changed(Some("b")).expect("it can be written");
    let taken = recorder.take(Some("a"), &frame("0", 0, false, true));
    assert_eq!(taken.expect("it is VP8"), Taken::NeedsKeyframe);
    let taken = recorder.take(Some("a"), &frame("0", 0, true, true));
    assert_eq!(taken.expect("it is VP8"), Taken::Written);
}

#[test]
fn a_file_of_h264_takes_no_vp8() {
    let (mut recorder, file) = recorder(Some(Container::AnnexB));
    assert!(recorder.take(None, &frame("0", 0, true, true)).is_err());
    assert!(file.0.lock().expect("no panic").is_empty());
}

#[test]
fn names() {
    for wrong in ["x", "x.avi", "x.wav", "dir/"] {
        let refused = Recorder::create(Path::new(wrong));
        assert!(matches!(refused, Err(CliError::Usage(_))), "{wrong}");
    }
}

/// A key frame of 64×48 and what follows, with sound on a clock of its own; sound takes longer to arrive, now and then.
fn talking(start: Instant, ms: u64, clocks: (u64, u64)) -> [Received; 2] {
    let key = [0x10, 0, 0, 0x9d, 1, 0x2a, 64, 0, 48, 0];
    let is_key = ms == 0;
    let late = if ms.is_multiple_of(100) { 0 } else { 30 };
    let picture = Received {
        arrived: start + Duration::from_millis(ms),
        data: if is_key {
            Arc::from(key)
        } else {
            Arc::from([1, 2])
        },
        ..frame("0", clocks.0 + ms, is_key, true)
    };
    let sound = Received {
        codec: Codec::Opus,
        arrived: start + Duration::from_millis(ms + late),
        data: Arc::from([0x78, 1]),
        ..frame("1", clocks.1 + ms, true, true)
    };
    [picture, sound]
}

#[test]
fn pictures_and_sound_are_on_one_clock_and_another_publisher_goes_on() {
    let (mut recorder, file) = recorder(Some(Container::WebM));
    let start = Instant::now();
    let take = |recorder: &mut Recorder, from: Instant, clocks| {
        for ms in (0..2000).step_by(20) {
            for frame in talking(from, ms, clocks) {
                let taken = recorder.take(None, &frame);
                assert_eq!(taken.expect("it is VP8 and Opus"), Taken::Written);
            }
        }
    };
    take(&mut recorder, start, (7_000_000, 123));
    recorder.changed(None).expect("it can be written");
    take(&mut recorder, start + Duration::from_secs(9), (5, 9_000));
    assert_eq!(recorder.finish().expect("it can be written"), None);

    let bytes = file.0.lock().expect("no panic").clone();
    let mut reader = film::Reader::open(Format::Matroska, Cursor::new(bytes)).expect("a film");
    let mut times = [Vec::new(), Vec::new()];
    while let Some(frame) = reader.next_frame().expect("a film") {
        let kind = usize::from(frame.codec == Codec::Opus);
        times[kind].push(u64::try_from(frame.time.as_millis()).expect("short"));
    }
    let wanted: Vec<u64> = (0..2000).step_by(20).collect();
    let later = wanted.iter().map(|ms| ms + 1980 + 33);
    let wanted: Vec<u64> = wanted.iter().copied().chain(later).collect();
    assert_eq!(times, [wanted.clone(), wanted]);
}

#[test]
fn sound_alone_is_written_to_ogg_and_nothing_else_is() {
    let (mut recorder, file) = recorder(Some(Container::Ogg));
    for ms in (0..1500).step_by(20) {
        let [picture, sound] = talking(Instant::now(), ms, (0, 50));
        assert_eq!(recorder.take(None, &picture).ok(), Some(Taken::Other));
        let sound = recorder.take(None, &sound);
        assert_eq!(sound.expect("it is Opus"), Taken::Written);
    }
    assert_eq!(recorder.finish().expect("it can be written"), None);
    let mut reader = Reader::new(Format::Ogg, Duration::ZERO).expect("a stream");
    reader.push(&file.0.lock().expect("no panic"));
    let mut count = 0;
    while let Some(frame) = reader.next_frame().expect("a sound file") {
        assert_eq!(frame.data, [0x78, 1]);
        count += 1;
    }
    assert_eq!((count, reader.finish()), (75, Ok(None)));
}

#[test]
fn what_a_file_cannot_hold_is_refused_and_an_empty_one_is_said() {
    let key = talking(Instant::now(), 0, (0, 0)).into_iter().next();
    let (mut mp4, _) = recorder(Some(Container::Mp4));
    let refused = mp4
        .take(None, &key.expect("a picture"))
        .map_err(|error| error.to_string());
    assert_eq!(
        refused,
        Err(
            "test: the channel sends VP8, which such a file cannot hold: write .mkv, .webm or .ivf"
                .to_owned()
        )
    );
    let said = recorder(Some(Container::Matroska)).0.finish();
    let said = said.expect("it can be written").unwrap_or_default();
    assert!(said.contains("write .ogg for sound alone"), "{said}");
}
