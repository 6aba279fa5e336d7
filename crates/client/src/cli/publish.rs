//! `madang publish`.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::mpsc;

use super::conversation::{Conversation, Told, Way};
use super::data::{DataArgs, Outgoing, Printer, lines};
use super::retry::Retry;
use super::status::Status;
use super::stop::Stop;
use super::{CliError, End, Server, VideoCodec, run};
use crate::Kind;
use crate::backoff::chance;
use crate::frames::Wish;
use crate::source::{Camera, Delivery, Encoding, Origin, Pace, Program, Source};
use crate::spider::Role;

/// Frames between the sources and the connection.
const DELIVERIES_MAX: usize = 64;
/// For what is on its way, and for what has to be sent again.
const LINGER: Duration = Duration::from_millis(500);
/// A channel that was full is asked again.
const FULL_INTERVAL: Duration = Duration::from_millis(20);

/// Publish a file, standard input, a camera or a test pattern into a channel or to peers, and talk with those who watch.
#[derive(Debug, Args)]
#[command(after_help = concat!("Examples:\n  \
    madang publish --spider ws://localhost:7880 --channel yard --test\n  \
    madang publish --spider wss://robot.example.org:8267 --insecure -c yard --file drive.ivf --loop\n  \
    rpicam-vid -t 0 --inline -n -o - | madang publish --spider wss://… -c yard -\n  \
    sensors | madang publish --spider wss://… -c yard --camera --data metric --reconnect\n  \
    madang publish --peers http://localhost:3030 --token SIGNALING123 --name robot --test --data chat\n\n\
    Exit codes: 0 ended by you, by the end of the input or by the server's goodbye; 1 an error, said on standard error; \
    2 the command line is wrong."))]
pub struct Publish {
    #[command(flatten)]
    server: Server,
    /// With --spider: take the channel from the publisher that it has. Needs a token with the right to moderate, or a server in development mode.
    #[arg(long, help_heading = "Server")]
    takeover: bool,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    encoder: Encoder,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What to publish")]
struct Input {
    /// `-`: H.264 in annex B, or IVF with VP8 or H.264, from standard input, passed through as it is.
    #[arg(value_name = "-", value_parser = ["-"], group = "source")]
    stdin: Option<String>,
    /// An encoded file, passed through as it is: Matroska, WebM or MP4 (VP8, H.264, Opus), IVF (VP8, H.264), H.264 in annex B,
    /// Opus in Ogg. May be given several times: pictures and sound.
    #[arg(long, value_name = "FILE", group = "source")]
    file: Vec<PathBuf>,
    /// A moving test pattern with a clock. Needs FFmpeg.
    #[arg(long, group = "source")]
    test: bool,
    /// A V4L2 camera [default: /dev/video0]. Needs FFmpeg.
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, default_missing_value = "/dev/video0", group = "source")]
    camera: Option<PathBuf>,
    /// The CSI camera of a Raspberry Pi. Needs libcamera's `rpicam-vid`.
    #[arg(long, group = "source")]
    csi: bool,
    /// A camera that speaks RTSP, passed through as it is: H.264, and Opus. rtsp://NAME:PASSWORD@host:554/path
    #[arg(
        long,
        value_name = "URL",
        env = "MADANG_RTSP",
        hide_env_values = true,
        group = "source"
    )]
    rtsp: Option<String>,
    /// Play files again and again.
    #[arg(long = "loop")]
    repeat: bool,
    /// Standard input comes faster than it plays: send it at its own times.
    #[arg(long)]
    timed: bool,
}

/// For cameras and the test pattern.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encoding, for --test, --camera and --csi")]
struct Encoder {
    /// How pictures are encoded [default: vp8; --csi: h264].
    #[arg(long, value_name = "CODEC")]
    codec: Option<VideoCodec>,
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x360", value_parser = parse_size)]
    size: (u16, u16),
    /// Pictures per second; also of an H.264 file, which does not say it.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=240))]
    fps: u32,
    /// kbit/s of pictures; the server is told so, too.
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(10..=200_000))]
    bitrate: Option<u32>,
}

pub fn publish(args: Publish) -> ExitCode {
    run(publishing(args))
}

async fn publishing(args: Publish) -> Result<End, CliError> {
    let bitrate = args.encoder.bitrate.map(|kbps| ("brate", kbps.to_string()));
    let takeover = args.takeover.then(|| ("takeover", "1".to_owned()));
    let parameters: Vec<_> = bitrate.into_iter().chain(takeover).collect();
    let way = args.server.way(Role::Publisher, &parameters)?;
    if args.takeover && matches!(way, Way::Peers(_)) {
        return Err(CliError::Usage("--takeover is for --spider".to_owned()));
    }
    let origins = args.origins()?;
    let mut stop = Stop::listen(args.server.duration)?;
    let mut status = Status::new("published", args.server.stats);
    let mut retry = Retry::new(args.server.reconnect);
    let mut sources = Vec::new();
    for origin in origins {
        let opening = open(&origin, args.encoder.fps, &mut retry, &mut status);
        tokio::select! {
            source = opening => sources.push(source?),
            () = stop.next() => return Ok(End::User),
        }
    }
    retry.worked();
    let lines = match args.lines_from() {
        Some(from) => Some(lines(from, &args.data.labels).await?),
        None => None,
    };
    let (deliver, deliveries) = mpsc::channel(DELIVERIES_MAX);
    let mut publisher = Publisher {
        stop,
        status,
        retry,
        printer: Printer::new(&args.data),
        wish: Wish {
            send: sources.iter().flat_map(Source::kinds).copied().collect(),
            receive: Vec::new(),
            channels: args.data.labels.clone(),
            ..Wish::default()
        },
        is_data_only: sources.is_empty(),
        sources,
        deliver,
        deliveries,
        running: 0,
        lines,
        lines_sent: 0,
        unsent: None,
    };
    publisher.run(&way).await
}

/// A camera that is not there may come.
async fn open(
    origin: &Origin,
    fps: u32,
    retry: &mut Retry,
    status: &mut Status,
) -> Result<Source, CliError> {
    loop {
        let error = match Source::open(origin.clone(), fps).await {
            Ok(source) => return Ok(source),
            Err(error) => error,
        };
        match retry.after(Err(error.into()), chance()) {
            Ok((said, wait)) => {
                status.say(&said);
                tokio::time::sleep(wait).await;
            }
            Err(done) => done.map(|_| ())?,
        }
    }
}

impl Publish {
    fn origins(&self) -> Result<Vec<Origin>, CliError> {
        let Input {
            stdin,
            file,
            test,
            camera,
            csi,
            rtsp,
            repeat,
            timed,
        } = &self.input;
        let encoding = |default| Encoding {
            codec: self.encoder.codec.unwrap_or(default).into(),
            width: self.encoder.size.0,
            height: self.encoder.size.1,
            fps: self.encoder.fps,
            bitrate_kbps: self.encoder.bitrate.unwrap_or(1_000),
        };
        let usage = |text: &str| Err(CliError::Usage(text.to_owned()));
        if self.data.reads_stdin() && stdin.is_some() {
            return usage("standard input cannot be both the picture and the messages");
        }
        if *repeat && file.is_empty() {
            return usage("--loop is for --file");
        }
        if *timed && stdin.is_none() {
            return usage("--timed is for standard input: -");
        }
        if *csi && self.encoder.codec == Some(VideoCodec::Vp8) {
            return usage("--csi encodes H.264: leave out --codec vp8");
        }
        if let Some(address) = rtsp {
            let camera = Camera::parse(address, self.server.reconnect);
            return Ok(vec![Origin::Camera(camera.map_err(CliError::Usage)?)]);
        }
        Ok(match camera {
            Some(device) => {
                let encoding = encoding(VideoCodec::Vp8);
                vec![Origin::Program(Program::camera(device, encoding))]
            }
            None if *test => {
                let encoding = encoding(VideoCodec::Vp8);
                vec![Origin::Program(Program::test_pattern(encoding))]
            }
            None if *csi => vec![Origin::Program(Program::csi(encoding(VideoCodec::H264)))],
            None if stdin.is_some() => {
                vec![Origin::Stdin(if *timed { Pace::Timed } else { Pace::Live })]
            }
            None if file.is_empty() && self.data.labels.is_empty() => {
                return usage(
                    "nothing to publish: give --file, --test, --camera, --rtsp, --csi or - (standard input), or --data for messages alone",
                );
            }
            None => {
                let file = |path: &PathBuf| Origin::File {
                    path: path.clone(),
                    repeat: *repeat,
                };
                self.input.file.iter().map(file).collect()
            }
        })
    }

    /// Where lines come from: standard input, if nothing else was said and it is free.
    fn lines_from(&self) -> Option<&Path> {
        let is_free = self.input.stdin.is_none();
        let default = (!self.data.labels.is_empty() && is_free).then_some(Path::new("-"));
        self.data.data_from.as_deref().or(default)
    }
}

struct Publisher {
    stop: Stop,
    status: Status,
    retry: Retry,
    printer: Printer,
    wish: Wish,
    is_data_only: bool,
    /// Until the first connection is up.
    sources: Vec<Source>,
    deliver: mpsc::Sender<(usize, Delivery)>,
    deliveries: mpsc::Receiver<(usize, Delivery)>,
    /// Sources that are not over.
    running: usize,
    lines: Option<mpsc::Receiver<Result<Outgoing, CliError>>>,
    lines_sent: u64,
    unsent: Option<Outgoing>,
}

impl Publisher {
    async fn run(&mut self, way: &Way) -> Result<End, CliError> {
        loop {
            let done = self.session(way).await;
            let wait = match self.retry.after(done, chance()) {
                Ok((said, wait)) => {
                    self.status.say(&said);
                    wait
                }
                Err(done) => return done,
            };
            if let Ended::Early(end) = self.meanwhile(tokio::time::sleep(wait)).await? {
                return Ok(end);
            }
        }
    }

    async fn session(&mut self, way: &Way) -> Result<End, CliError> {
        let opening = Conversation::open(way, self.wish.clone());
        let mut session = match self.meanwhile(opening).await? {
            Ended::Done(session) => session?,
            Ended::Early(end) => return Ok(end),
        };
        let end = self.converse(&mut session).await;
        session.close().await;
        end
    }

    /// While there is no connection, live sources go on, and nobody sees it.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<Ended<T>, CliError> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(Ended::Done(done)),
                () = self.stop.next() => return Ok(Ended::Early(End::User)),
                Some((_, delivery)) = self.deliveries.recv() => match delivery {
                    Delivery::Frame(_) => {}
                    Delivery::Said(said) => self.status.say(&said),
                    Delivery::Over(how) => {
                        how?;
                        self.running -= 1;
                        if self.running == 0 {
                            return Ok(Ended::Early(End::Input));
                        }
                    }
                },
            }
        }
    }

    async fn converse(&mut self, session: &mut Conversation) -> Result<End, CliError> {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut ends_at = None;
        loop {
            self.send_unsent(session)?;
            if ends_at.is_none() && self.is_over(session) {
                ends_at = Some(tokio::time::Instant::now() + LINGER);
            }
            let is_connected = session.is_connected();
            let end = async {
                match ends_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.next() => return Ok(End::User),
                event = session.next() => if let Some(end) = self.event(event?)? {
                    return Ok(end);
                },
                Some((track, delivery)) = self.deliveries.recv() => {
                    self.pass_on(session, track, delivery)?;
                }
                line = next_line(&mut self.lines), if is_connected && self.unsent.is_none() => match line {
                    Some(line) => self.unsent = Some(line?),
                    None => self.lines = None,
                },
                _ = tick.tick() => {
                    self.status.viewers = session.viewers().or(self.status.viewers);
                    self.status.tick(Instant::now());
                }
                () = tokio::time::sleep(FULL_INTERVAL), if is_connected && self.unsent.is_some() => {}
                () = end => return Ok(End::Input),
            }
        }
    }

    /// An input that never had a line, such as /dev/null, ends nothing.
    fn is_over(&self, session: &mut Conversation) -> bool {
        let media_is_over = self.sources.is_empty() && self.running == 0;
        let lines_are_over = self.lines.is_none() && self.unsent.is_none() && self.lines_sent > 0;
        if self.is_data_only {
            lines_are_over && session.waiting_bytes() == 0
        } else {
            media_is_over
        }
    }

    fn send_unsent(&mut self, session: &mut Conversation) -> Result<(), CliError> {
        if let Some(Outgoing { label, text }) = &self.unsent
            && session.send(label, text)?
        {
            self.status.count(false, text.len());
            self.lines_sent += 1;
            self.unsent = None;
        }
        Ok(())
    }

    fn pass_on(
        &mut self,
        session: &mut Conversation,
        track: usize,
        delivery: Delivery,
    ) -> Result<(), CliError> {
        match delivery {
            Delivery::Frame(frame) => {
                let is_picture = frame.codec.kind() == Kind::Video;
                self.status.count(is_picture, frame.data.len());
                session.write(track, &frame)
            }
            Delivery::Said(said) => {
                self.status.say(&said);
                Ok(())
            }
            Delivery::Over(how) => {
                self.running -= 1;
                Ok(how?)
            }
        }
    }

    fn event(&mut self, told: Told) -> Result<Option<End>, CliError> {
        match told {
            Told::Entered(said) => {
                self.retry.worked();
                self.status.say(&said);
            }
            Told::Connected(to) => {
                self.retry.worked();
                self.status.say(&format!("connected to {to}"));
                let mut number = 0;
                for source in self.sources.drain(..) {
                    self.running += 1;
                    let tracks = source.kinds().len();
                    tokio::spawn(source.run(number, self.deliver.clone()));
                    number += tracks;
                }
            }
            Told::Data { from, message } => {
                if !self.printer.print(from.as_deref(), &message)? {
                    return Ok(Some(End::User));
                }
            }
            Told::Statistics(statistics) => self.status.statistics = statistics,
            Told::Viewers(count) => self.status.viewers = Some(count),
            // A channel has one publisher, and that is us.
            Told::Changed { from: None, .. } => {}
            Told::Changed { said, .. } | Told::Said(said) => self.status.say(&said),
            Told::Ended(why) => return Ok(Some(End::Server(why))),
            Told::Frame { .. } | Told::Nothing => {}
        }
        Ok(None)
    }
}

enum Ended<T> {
    Done(T),
    Early(End),
}

/// Cancel safe.
pub(super) async fn next_line(
    lines: &mut Option<mpsc::Receiver<Result<Outgoing, CliError>>>,
) -> Option<Result<Outgoing, CliError>> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("{text:?} is no size; write 640x360, both even");
    let (width, height) = text.split_once('x').ok_or_else(wrong)?;
    let side = |text: &str| {
        let side = text.parse().ok();
        side.filter(|side| (16..=8192).contains(side) && side % 2 == 0)
    };
    side(width).zip(side(height)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
