//! `madang subscribe`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::mpsc;

use super::data::{DataArgs, Outgoing, Printer, lines};
use super::publish::next_line;
use super::retry::{Retry, chance};
use super::status::Status;
use super::stop::Stop;
use super::{CliError, End, Server, VideoCodec, run};
use crate::Kind;
use crate::frames::{Received, Wish};
use crate::session::{Event, Options, Session};
use crate::spider::Role;

mod recorder;

use recorder::{Recorder, Taken};

/// A channel that was full is asked again.
const FULL_INTERVAL: Duration = Duration::from_millis(20);
/// Two wishes for a key frame are that far apart at least.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Watch a channel: write its pictures as they come, print its messages, or show how well it arrives.
#[derive(Debug, Args)]
#[command(after_help = concat!("Examples:\n  \
    madang subscribe --spider ws://localhost:7880 --channel yard\n  \
    madang subscribe --spider wss://robot.example.org:8267 --insecure -c yard --out drive.ivf --duration 1m\n  \
    madang subscribe --spider wss://… -c yard --out - | ffplay -\n  \
    madang subscribe --spider wss://… -c yard --data metric | tee metrics.jsonl\n\n\
    Exit codes: 0 ended by you or by the server's goodbye; 1 an error, said on standard error; 2 the command line is wrong."))]
pub struct Subscribe {
    #[command(flatten)]
    server: Server,
    /// Write the pictures as they come to this file: .ivf (VP8, H.264) or .h264; `-` is standard output. Without this and
    /// without --data, statistics are shown.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Of several pictures, take one in this codec.
    #[arg(long, value_name = "CODEC")]
    codec: Option<VideoCodec>,
    #[command(flatten)]
    data: DataArgs,
}

pub fn subscribe(args: Subscribe) -> ExitCode {
    run(subscribing(args))
}

async fn subscribing(args: Subscribe) -> Result<End, CliError> {
    let codec = args.codec.map(|codec| ("vcodec", codec.word().to_owned()));
    let options = args.server.options(Role::Subscriber, codec.as_slice())?;
    let stop = Stop::listen(args.server.duration)?;
    let has_data = !args.data.labels.is_empty();
    let recorder = match &args.out {
        Some(path) if path.as_os_str() == "-" && has_data => {
            let text = "standard output cannot be both the picture and the messages";
            return Err(CliError::Usage(text.to_owned()));
        }
        Some(path) => Some(Recorder::create(path)?),
        None => None,
    };
    let receive = match (&recorder, has_data) {
        (Some(_), _) => vec![Kind::Video],
        (None, true) => Vec::new(),
        (None, false) => vec![Kind::Video, Kind::Audio],
    };
    let lines = match &args.data.data_from {
        Some(from) => Some(lines(from, &args.data.labels).await?),
        None => None,
    };
    let is_only_shown = recorder.is_none() && !has_data;
    let mut subscriber = Subscriber {
        stop,
        status: Status::new("received", args.server.stats || is_only_shown),
        retry: Retry::new(args.server.reconnect),
        printer: Printer::new(&args.data),
        recorder,
        wish: Wish {
            send: Vec::new(),
            receive,
            channels: args.data.labels.clone(),
        },
        lines,
        unsent: None,
        keyframe_at: None,
        channel: args.server.channel.clone(),
    };
    let done = subscriber.run(&options).await;
    if let Some(recorder) = &mut subscriber.recorder {
        recorder.finish()?;
    }
    done
}

struct Subscriber {
    stop: Stop,
    status: Status,
    retry: Retry,
    printer: Printer,
    recorder: Option<Recorder>,
    wish: Wish,
    lines: Option<mpsc::Receiver<Result<Outgoing, CliError>>>,
    unsent: Option<Outgoing>,
    /// When a key frame was asked for.
    keyframe_at: Option<Instant>,
    channel: String,
}

impl Subscriber {
    async fn run(&mut self, options: &Options) -> Result<End, CliError> {
        loop {
            let done = self.session(options).await;
            let wait = match self.retry.after(done, chance()) {
                Ok((said, wait)) => {
                    self.status.say(&said);
                    wait
                }
                Err(done) => return done,
            };
            self.start_anew();
            tokio::select! {
                () = self.stop.next() => return Ok(End::User),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn session(&mut self, options: &Options) -> Result<End, CliError> {
        let mut session = tokio::select! {
            session = Session::open(options, self.wish.clone()) => session?,
            () = self.stop.next() => return Ok(End::User),
        };
        let end = self.converse(&mut session).await;
        session.close().await;
        end
    }

    async fn converse(&mut self, session: &mut Session) -> Result<End, CliError> {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            if let Some(Outgoing { label, text }) = &self.unsent
                && session.send(label, false, text.as_bytes())?
            {
                self.unsent = None;
            }
            let is_connected = session.is_connected();
            tokio::select! {
                () = self.stop.next() => return Ok(End::User),
                event = session.next() => if let Some(end) = self.event(session, event?)? {
                    return Ok(end);
                },
                line = next_line(&mut self.lines), if is_connected && self.unsent.is_none() => match line {
                    Some(line) => self.unsent = Some(line?),
                    None => self.lines = None,
                },
                _ = tick.tick() => self.status.tick(Instant::now()),
                () = tokio::time::sleep(FULL_INTERVAL), if is_connected && self.unsent.is_some() => {}
            }
        }
    }

    fn event(&mut self, session: &mut Session, event: Event) -> Result<Option<End>, CliError> {
        match event {
            Event::Connected => {
                self.retry.worked();
                self.status.say(&format!("connected to {}", self.channel));
            }
            Event::Frame(frame) => return self.frame(session, &frame),
            Event::Data(message) => {
                if !self.printer.print(&message)? {
                    return Ok(Some(End::User));
                }
            }
            Event::Statistics(statistics) => self.status.statistics = statistics,
            Event::PublisherChanged => {
                self.status.say("the publisher came or went");
                self.start_anew();
            }
            Event::Ended(why) => return Ok(Some(End::Server(why))),
            Event::KeyframeWanted(_) | Event::ChannelOpen(_) | Event::Viewers(_) => {}
        }
        Ok(None)
    }

    fn frame(&mut self, session: &mut Session, frame: &Received) -> Result<Option<End>, CliError> {
        let is_picture = frame.codec.kind() == Kind::Video;
        self.status.count(is_picture, frame.data.len());
        let Some(recorder) = &mut self.recorder else {
            return Ok(None);
        };
        match recorder.take(frame)? {
            Taken::Written | Taken::Other => {}
            Taken::NeedsKeyframe => {
                let now = Instant::now();
                let is_due = self
                    .keyframe_at
                    .is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAME_INTERVAL);
                if is_due {
                    self.keyframe_at = Some(now);
                    session.request_keyframe(frame.section);
                }
            }
            Taken::NobodyReads => return Ok(Some(End::User)),
        }
        Ok(None)
    }

    /// Another connection: its pictures have other sections and other times.
    fn start_anew(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.start_anew();
        }
    }
}
