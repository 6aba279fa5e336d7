//! A camera that speaks RTSP, over one TCP connection: H.264 and Opus as they come, on the camera's own clock.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use retina::client::{
    Credentials, InitialTimestampPolicy, PacketItem, PlayOptions, Session, SessionOptions,
    SetupOptions, Stream,
};
use retina::codec::ParametersRef;
use url::Url;

use super::{Delivery, Run, SourceError, Stop};
use crate::backoff::Backoff;
use crate::frames::Frame;
use crate::media::parameter_sets;
use crate::{Codec, Kind};

mod depacketizer;

use depacketizer::Depacketizer;

/// For each step of beginning, and between two packets.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Where a camera is, and how one gets in.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Without name and password.
    url: Url,
    credentials: Option<Credentials>,
    /// When the connection breaks, another one is made.
    reconnects: bool,
}

impl Camera {
    /// `rtsp://NAME:PASSWORD@host:554/path`. Or in words why it is none.
    pub fn parse(text: &str, reconnects: bool) -> Result<Self, String> {
        let wrong = |why: &str| format!("{why}: write rtsp://NAME:PASSWORD@host:554/path");
        // What is wrong in it is not repeated: there may be a password in it.
        let mut url = Url::parse(text).map_err(|_| wrong("this is no address of a camera"))?;
        if url.scheme() != "rtsp" {
            return Err(wrong("a camera's address begins with rtsp://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("a camera's address has a host"));
        }
        let credentials = (!url.username().is_empty()).then(|| Credentials {
            username: percent_decoded(url.username()),
            password: percent_decoded(url.password().unwrap_or_default()),
        });
        url.set_username("")
            .and_then(|()| url.set_password(None))
            .map_err(|()| wrong("a camera's address has a host"))?;
        Ok(Self {
            url,
            credentials,
            reconnects,
        })
    }

    pub(super) fn name(&self) -> String {
        self.url.to_string()
    }

    /// What it has: its tracks, and what is said about what is left out.
    pub(super) async fn probe(&self) -> Result<Vec<Kind>, SourceError> {
        let session = self.describe().await?;
        let tracks = self.tracks(&session)?;
        Ok(tracks.iter().map(|track| track.kind()).collect())
    }

    async fn describe(&self) -> Result<Session<retina::client::Described>, SourceError> {
        let options = SessionOptions::default()
            .creds(self.credentials.clone())
            .user_agent("madang".to_owned());
        let asking = Session::describe(self.url.clone(), options);
        let asked = tokio::time::timeout(SILENCE_MAX, asking).await;
        asked
            .map_err(|_| self.away("it does not answer"))?
            .map_err(|error| self.failed(&error))
    }

    fn tracks<T: retina::client::State>(
        &self,
        session: &Session<T>,
    ) -> Result<Vec<Track>, SourceError> {
        let mut tracks: Vec<Track> = Vec::new();
        for (number, stream) in session.streams().iter().enumerate() {
            let media = match stream.encoding_name() {
                "h264" => Media::Pictures(Depacketizer::new(&sets(stream))),
                "opus" => Media::Sound,
                _ => continue,
            };
            let hz = stream.clock_rate_hz().max(1);
            let track = Track::new(number, media, hz);
            if tracks.iter().all(|other| other.kind() != track.kind()) {
                tracks.push(track);
            }
        }
        let has_pictures = tracks.iter().any(|track| track.kind() == Kind::Video);
        if has_pictures {
            return Ok(tracks);
        }
        let offered = session.streams().iter();
        let offered: Vec<_> = offered.map(|stream| stream.encoding_name()).collect();
        Err(SourceError::Unfit {
            name: self.name(),
            what: format!(
                "the camera offers {}, and no H.264: set its stream to H.264, baseline profile",
                offered.join(", ")
            ),
        })
    }

    fn away(&self, why: &str) -> SourceError {
        SourceError::Away {
            name: self.name(),
            why: why.to_owned(),
        }
    }

    fn failed(&self, error: &retina::Error) -> SourceError {
        let unfit = |what: &str| SourceError::Unfit {
            name: self.name(),
            what: what.to_owned(),
        };
        match error.status_code() {
            Some(401 | 403) if self.credentials.is_none() => {
                unfit("the camera wants a name and a password: rtsp://NAME:PASSWORD@host/path")
            }
            Some(401 | 403) => unfit("the camera takes neither this name nor this password"),
            Some(404) => unfit("the camera has no stream of that path"),
            Some(status @ 400..500) => unfit(&format!("the camera refuses with status {status}")),
            _ => {
                let text = error.to_string();
                self.away(text.lines().next().unwrap_or_default())
            }
        }
    }
}

#[derive(Debug)]
enum Media {
    Pictures(Depacketizer),
    Sound,
}

#[derive(Debug)]
struct Track {
    /// In the camera's description.
    number: usize,
    media: Media,
    hz: u32,
    /// Its clock when its first packet came, and how long after the source's start that was.
    first: Option<(i64, Duration)>,
    last: Duration,
}

impl Track {
    fn new(number: usize, media: Media, hz: u32) -> Self {
        Self {
            number,
            media,
            hz,
            first: None,
            last: Duration::ZERO,
        }
    }

    fn kind(&self) -> Kind {
        match self.media {
            Media::Pictures(_) => Kind::Video,
            Media::Sound => Kind::Audio,
        }
    }

    /// Whole frames, by the camera's clock.
    fn push(&mut self, now: Duration, packet: &retina::rtp::ReceivedPacket) -> Vec<Frame> {
        let time = packet.timestamp().timestamp();
        let first = *self.first.get_or_insert((time, now));
        let (codec, whole) = match &mut self.media {
            Media::Pictures(depacketizer) => {
                let is_after_loss = packet.loss() > 0;
                let payload = packet.payload();
                let whole = depacketizer.push(time, packet.mark(), is_after_loss, payload);
                (Codec::H264, whole)
            }
            Media::Sound => (Codec::Opus, vec![(time, packet.payload().to_vec())]),
        };
        let frame = |(time, data): (i64, Vec<u8>)| {
            let passed = u64::try_from(time.saturating_sub(first.0)).unwrap_or_default();
            let micros = u128::from(passed) * 1_000_000 / u128::from(self.hz);
            let passed = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
            self.last = self.last.max(first.1 + passed);
            Frame {
                codec,
                time: self.last,
                data,
            }
        };
        whole.into_iter().map(frame).collect()
    }
}

fn sets(stream: &Stream) -> Vec<Vec<u8>> {
    match stream.parameters() {
        Some(ParametersRef::Video(video)) => parameter_sets(video.extra_data()),
        Some(ParametersRef::Audio(_) | ParametersRef::Message(_)) | None => Vec::new(),
    }
}

/// What stands as `%3A` in an address.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Run<'_> {
    /// Until nobody listens, or the camera ends it and is not to be asked again.
    pub(super) async fn camera(&mut self, camera: &Camera) -> Result<(), Stop> {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            let delivered = std::mem::take(&mut self.delivered);
            let done = self.play(camera, start).await;
            if self.delivered {
                backoff.worked();
            }
            self.delivered |= delivered;
            let error = match done {
                Err(Stop::Error(error @ SourceError::Away { .. })) if camera.reconnects => error,
                done => return done,
            };
            let wait = backoff.next(crate::backoff::chance());
            let seconds = wait.as_secs_f64();
            self.say(format!("{error}; trying again in {seconds:.1} s"))
                .await?;
            tokio::time::sleep(wait).await;
        }
    }

    async fn play(&mut self, camera: &Camera, start: Instant) -> Result<(), Stop> {
        let failed = |error: retina::Error| Stop::Error(camera.failed(&error));
        let late = |_| Stop::Error(camera.away("it does not answer"));
        let mut session = camera.describe().await.map_err(Stop::Error)?;
        let mut tracks = camera.tracks(&session).map_err(Stop::Error)?;
        self.say_left_out(&session, &tracks).await?;
        for track in &tracks {
            let setup = session.setup(track.number, SetupOptions::default());
            let set_up = tokio::time::timeout(SILENCE_MAX, setup).await;
            set_up.map_err(late)?.map_err(failed)?;
        }
        let options = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
        let play = tokio::time::timeout(SILENCE_MAX, session.play(options)).await;
        let mut session = play.map_err(late)?.map_err(failed)?;
        loop {
            let next = tokio::time::timeout(SILENCE_MAX, session.next()).await;
            let silent = |_| Stop::Error(camera.away("it sends nothing any more"));
            let packet = match next.map_err(silent)? {
                None => return Err(Stop::Error(camera.away("it ended the stream"))),
                Some(Ok(PacketItem::Rtp(packet))) => packet,
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(failed(error)),
            };
            let now = Instant::now().saturating_duration_since(start);
            let mut of = tracks.iter_mut();
            let Some(track) = of.find(|track| track.number == packet.stream_id()) else {
                continue;
            };
            for frame in track.push(now, &packet) {
                self.deliver(frame, super::Pace::Live, true).await?;
            }
        }
    }

    /// Sound in other codecs.
    async fn say_left_out(
        &self,
        session: &Session<retina::client::Described>,
        tracks: &[Track],
    ) -> Result<(), Stop> {
        for (number, stream) in session.streams().iter().enumerate() {
            let is_taken = tracks.iter().any(|track| track.number == number);
            if stream.media() == "audio" && !is_taken {
                let codec = match stream.encoding_name() {
                    "mpeg4-generic" | "mp4a-latm" => "AAC",
                    "pcma" | "pcmu" => "G.711",
                    other => other,
                };
                let name = self.name;
                self.say(format!(
                    "{name}: its sound is left out: it is in {codec}, and only Opus can be published"
                ))
                .await?;
            }
        }
        Ok(())
    }

    async fn say(&self, text: String) -> Result<(), Stop> {
        let said = self.to.send((self.number, Delivery::Said(text))).await;
        said.map_err(|_| Stop::NobodyListens)
    }
}

#[cfg(test)]
mod tests;
