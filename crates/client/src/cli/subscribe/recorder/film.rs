//! Pictures and sound in one file, on one clock. Each track's times are the sender's, from an arbitrary start: how far two tracks
//! are apart is judged by when they arrived, of each by what arrived with the least delay.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Container;
use crate::Kind;
use crate::frames::Received;
use crate::media::writing::{Sample, Tracks, Writer};
use crate::media::{matroska, mp4, ogg};

/// So long is listened before anything is written: which tracks there are, and how they lie to each other.
const GATHERED: Duration = Duration::from_secs(1);
/// What is lost when the program is killed.
const FRAGMENT: Duration = Duration::from_secs(1);
/// Whatever times the sender says.
const FRAGMENT_SAMPLES_MAX: usize = 2000;
const FRAGMENT_BYTES_MAX: usize = 32 * 1024 * 1024;

pub(super) struct Film {
    writer: Box<dyn Writer>,
    is_sound_alone: bool,
    has_header: bool,
    /// Counts time from here.
    epoch: Option<Instant>,
    /// Of this connection, when the first came.
    since: Option<Instant>,
    /// By kind, the sender's clock less the one of arrivals, in microseconds; once they are settled.
    clocks: Option<BTreeMap<u8, i64>>,
    gathered: Vec<Received>,
    waiting: Vec<Sample>,
    waiting_bytes: usize,
    /// Where this connection's first sample is, in the file and on the clock of arrivals.
    begins: (Duration, i64),
    last: BTreeMap<u8, Duration>,
}

impl Film {
    pub(super) fn of(container: Container) -> Option<Self> {
        let writer: Box<dyn Writer> = match container {
            Container::Ivf | Container::AnnexB => return None,
            Container::Matroska => Box::new(matroska::Writer::matroska()),
            Container::WebM => Box::new(matroska::Writer::web_m()),
            Container::Mp4 => Box::new(mp4::Writer::default()),
            Container::Ogg => Box::new(ogg::Writer::default()),
        };
        Some(Self {
            writer,
            is_sound_alone: container == Container::Ogg,
            has_header: false,
            epoch: None,
            since: None,
            clocks: None,
            gathered: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            begins: (Duration::ZERO, 0),
            last: BTreeMap::new(),
        })
    }

    /// What is to be written now. Pictures begin with a key frame.
    pub(super) fn take(&mut self, frame: &Received) -> Result<Vec<u8>, String> {
        self.epoch.get_or_insert(frame.arrived);
        let since = *self.since.get_or_insert(frame.arrived);
        if self.clocks.is_some() {
            self.put(frame);
        } else {
            self.gathered.push(frame.clone());
            let is_full = self.gathered.len() >= FRAGMENT_SAMPLES_MAX;
            if !is_full && frame.arrived.saturating_duration_since(since) < GATHERED {
                return Ok(Vec::new());
            }
            return self.settle();
        }
        let first = self.waiting.first().map(|sample| sample.time);
        let last = self.waiting.last().map(|sample| sample.time);
        let span = last.unwrap_or_default().abs_diff(first.unwrap_or_default());
        let is_due = span >= FRAGMENT
            || self.waiting.len() >= FRAGMENT_SAMPLES_MAX
            || self.waiting_bytes >= FRAGMENT_BYTES_MAX;
        Ok(if is_due { self.fragment() } else { Vec::new() })
    }

    /// Another connection follows, so long after what was there.
    pub(super) fn start_anew(&mut self, gap: Duration) -> Vec<u8> {
        let bytes = self.rest();
        self.since = None;
        self.clocks = None;
        let last = self.last.values().max();
        self.begins.0 = last.map_or(Duration::ZERO, |last| *last + gap);
        bytes
    }

    pub(super) fn end(&mut self) -> Vec<u8> {
        let mut bytes = self.rest();
        if self.has_header {
            bytes.extend(self.writer.end());
        }
        bytes
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.gathered.is_empty() {
            // What cannot be begun with is not worth an error any more.
            bytes = self.settle().unwrap_or_default();
        }
        bytes.extend(self.fragment());
        bytes
    }

    fn settle(&mut self) -> Result<Vec<u8>, String> {
        let gathered = std::mem::take(&mut self.gathered);
        let mut clocks: BTreeMap<u8, i64> = BTreeMap::new();
        for frame in &gathered {
            let clock = micros(frame.time) - self.arrival(frame);
            let known = clocks.entry(number(frame.codec.kind()));
            // The greatest difference is the least delay.
            let known = known.or_insert(clock);
            *known = clock.max(*known);
        }
        let mut bytes = Vec::new();
        if !self.has_header {
            let has_sound = clocks.contains_key(&number(Kind::Audio));
            let mut pictures = gathered.iter();
            let picture = pictures.find(|frame| frame.codec.kind() == Kind::Video);
            let tracks = match picture {
                _ if self.is_sound_alone => Tracks::sound(),
                Some(frame) => Tracks::of_key_frame(frame.codec, &frame.data, has_sound)
                    .ok_or("the first key frame does not say how large its pictures are")?,
                None => return Ok(bytes),
            };
            bytes = self.writer.header(&tracks);
            self.has_header = true;
        }
        let clock = |frame: &Received| {
            let kind = number(frame.codec.kind());
            clocks.get(&kind).copied().unwrap_or_default()
        };
        let sent = |frame: &Received| micros(frame.time) - clock(frame);
        // Pictures say when it begins, where there are some: sound is heard as soon as it comes.
        let leading = gathered
            .iter()
            .find(|frame| self.is_sound_alone || frame.codec.kind() == Kind::Video);
        self.begins.1 = leading.or(gathered.first()).map(sent).unwrap_or_default();
        self.clocks = Some(clocks);
        for frame in &gathered {
            self.put(frame);
        }
        Ok(bytes)
    }

    fn put(&mut self, frame: &Received) {
        let kind = number(frame.codec.kind());
        let arrival = self.arrival(frame);
        let clocks = self.clocks.get_or_insert_default();
        let clock = *clocks
            .entry(kind)
            .or_insert_with(|| micros(frame.time) - arrival);
        let passed = micros(frame.time) - clock - self.begins.1;
        // Sound from before the first picture has no place.
        let Ok(passed) = u64::try_from(passed) else {
            return;
        };
        let time = self.begins.0 + Duration::from_micros(passed);
        let last = self.last.entry(kind).or_insert(time);
        *last = time.max(*last);
        self.waiting_bytes += frame.data.len();
        self.waiting.push(Sample {
            codec: frame.codec,
            time: *last,
            is_key: frame.is_key,
            data: frame.data.clone(),
        });
    }

    fn fragment(&mut self) -> Vec<u8> {
        self.waiting_bytes = 0;
        let mut samples = std::mem::take(&mut self.waiting);
        if samples.is_empty() || !self.has_header {
            return Vec::new();
        }
        samples.sort_by_key(|sample| sample.time);
        self.writer.fragment(samples)
    }

    fn arrival(&self, frame: &Received) -> i64 {
        let epoch = self.epoch.unwrap_or(frame.arrived);
        micros(frame.arrived.saturating_duration_since(epoch))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Video => 0,
        Kind::Audio => 1,
    }
}
