use std::sync::{Arc, Mutex};

use str0m::media::Mid;

use super::*;
use crate::media::{Format, Reader};

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
    recorder.start_anew();
    let mut take = |frame: Received| recorder.take(None, &frame).expect("it is VP8");
    assert_eq!(take(frame("1", 5, false, true)), Taken::NeedsKeyframe);
    assert_eq!(take(frame("1", 10, true, true)), Taken::Written);

    let mut reader = Reader::new(Format::Ivf, Duration::ZERO);
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
    recorder.changed(Some("a"));
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
    recorder.changed(Some("b"));
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
    for wrong in ["x", "x.mp4", "x.ogg", "dir/"] {
        let refused = Recorder::create(Path::new(wrong));
        assert!(matches!(refused, Err(CliError::Usage(_))), "{wrong}");
    }
}
