use super::*;
use crate::Codec;
use crate::media::ivf;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("madang-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a temporary file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn video(times_ms: &[u64]) -> Vec<u8> {
    let mut bytes = ivf::header(Codec::Vp8, None);
    for ms in times_ms {
        bytes.extend(ivf::frame(Duration::from_millis(*ms), &[0, 1]));
    }
    bytes
}

async fn open(path: PathBuf, repeat: bool) -> Result<Source, SourceError> {
    Source::open(Origin::File { path, repeat }, 30).await
}

#[tokio::test]
async fn a_file_is_played_at_its_times_and_again() {
    let folder = Folder::new("loop");
    let source = open(folder.file("x.ivf", &video(&[0, 40])), true)
        .await
        .expect("a file");
    assert_eq!(source.kinds(), [Kind::Video]);
    let (to, mut from) = mpsc::channel(1);
    let running = tokio::spawn(source.run(3, to));
    let mut times = Vec::new();
    while times.len() < 5 {
        let (number, delivery) = from.recv().await.expect("it goes on");
        assert_eq!(number, 3);
        let Delivery::Frame(frame) = delivery else {
            panic!("{delivery:?}");
        };
        times.push(frame.time.as_millis());
    }
    assert_eq!(times, [0, 40, 73, 113, 146]);
    drop(from);
    running.await.expect("it ends when nobody listens");
}

#[tokio::test]
async fn a_file_ends_and_says_how() {
    let folder = Folder::new("end");
    let cut = video(&[0, 1]);
    let cut = &cut[..cut.len() - 1];
    for (bytes, frames, is_sound) in [
        (&video(&[0, 1])[..], 2, true),
        (cut, 1, false),
        (&video(&[])[..], 0, false),
    ] {
        let source = open(folder.file("x.ivf", bytes), false)
            .await
            .expect("a file");
        let (to, mut from) = mpsc::channel(8);
        source.run(0, to).await;
        let mut count = 0;
        let over = loop {
            match from.recv().await.expect("it says how it ends").1 {
                Delivery::Frame(_) => count += 1,
                Delivery::Said(said) => panic!("{said}"),
                Delivery::Over(over) => break over,
            }
        };
        assert_eq!((count, over.is_ok()), (frames, is_sound), "{over:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_before_anything_begins() {
    let folder = Folder::new("absent");
    let refused = open(folder.0.join("none.ivf"), false).await;
    assert!(
        matches!(refused, Err(SourceError::Io { .. })),
        "{refused:?}"
    );
    let refused = open(folder.file("x.ivf", b"RIFF"), false).await;
    assert!(
        matches!(refused, Err(SourceError::Format { .. })),
        "{refused:?}"
    );
}
