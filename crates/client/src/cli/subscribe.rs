//! `madang subscribe`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::mpsc;

use super::conversation::{Conversation, Told, Way};
use super::data::{DataArgs, Outgoing, Printer, lines};
use super::publish::next_line;
use super::retry::Retry;
use super::status::Status;
use super::stop::Stop;
use super::{CliError, End, Server, VideoCodec, run};
use crate::Kind;
use crate::backoff::chance;
use crate::frames::{Received, Wish};
use crate::spider::Role;

mod recorder;

use recorder::{Recorder, Taken};

/// A channel that was full is asked again.
const FULL_INTERVAL: Duration = Duration::from_millis(20);
/// Two wishes for a key frame are that far apart at least.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Watch a channel or peers: write its pictures as they come, print its messages, or show how well it arrives.
#[derive(Debug, Args)]
#[command(after_help = concat!("Examples:\n  \
    madang subscribe --spider ws://localhost:7880 --channel yard\n  \
    madang subscribe --spider wss://robot.example.org:8267 --insecure -c yard --out drive.ivf --duration 1m\n  \
    madang subscribe --spider wss://… -c yard --out - | ffplay -\n  \
    madang subscribe --spider wss://… -c yard --data metric | tee metrics.jsonl\n  \
    madang subscribe --peers http://localhost:3030 --token SIGNALING123 --name desk --with robot --out drive.ivf\n\n\
    Exit codes: 0 ended by you or by the server's goodbye; 1 an error, said on standard error; 2 the command line is wrong."))]
pub struct Subscribe {
    #[command(flatten)]
    server: Server,
    /// Write pictures and sound as they come to this file: .mkv, .webm (VP8) or .mp4 (H.264); pictures alone: .ivf or .h264; sound
    /// alone: .ogg. `-` is standard output. Without this and without --data, statistics are shown.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// With --spider: of several pictures, take one in this codec.
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
    let way = args.server.way(Role::Subscriber, codec.as_slice())?;
    if codec.is_some() && matches!(way, Way::Peers(_)) {
        return Err(CliError::Usage("--codec is for --spider".to_owned()));
    }
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
        (Some(recorder), _) => recorder.kinds().to_vec(),
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
            ..Wish::default()
        },
        lines,
        unsent: None,
        keyframe_at: None,
    };
    let done = subscriber.run(&way).await;
    if let Some(recorder) = &mut subscriber.recorder {
        let empty = recorder.finish()?;
        if let Some(said) = empty.filter(|_| done.is_ok()) {
            subscriber.status.say(&said);
        }
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
}

impl Subscriber {
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
            if let Some(recorder) = &mut self.recorder {
                recorder.start_anew()?;
            }
            tokio::select! {
                () = self.stop.next() => return Ok(End::User),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn session(&mut self, way: &Way) -> Result<End, CliError> {
        let mut session = tokio::select! {
            session = Conversation::open(way, self.wish.clone()) => session?,
            () = self.stop.next() => return Ok(End::User),
        };
        let end = self.converse(&mut session).await;
        session.close().await;
        end
    }

    async fn converse(&mut self, session: &mut Conversation) -> Result<End, CliError> {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            if let Some(Outgoing { label, text }) = &self.unsent
                && session.send(label, text)?
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

    fn event(&mut self, session: &mut Conversation, told: Told) -> Result<Option<End>, CliError> {
        match told {
            Told::Entered(said) => {
                self.retry.worked();
                self.status.say(&said);
            }
            Told::Connected(to) => {
                self.retry.worked();
                self.status.say(&format!("connected to {to}"));
            }
            Told::Frame { from, frame } => return self.frame(session, from.as_deref(), &frame),
            Told::Data { from, message } => {
                if !self.printer.print(from.as_deref(), &message)? {
                    return Ok(Some(End::User));
                }
            }
            Told::Statistics(statistics) => self.status.statistics = statistics,
            Told::Changed { from, said } => {
                self.status.say(&said);
                if let Some(recorder) = &mut self.recorder {
                    recorder.changed(from.as_deref())?;
                }
            }
            Told::Said(said) => self.status.say(&said),
            Told::Ended(why) => return Ok(Some(End::Server(why))),
            Told::Viewers(_) | Told::Nothing => {}
        }
        Ok(None)
    }

    fn frame(
        &mut self,
        session: &mut Conversation,
        from: Option<&str>,
        frame: &Received,
    ) -> Result<Option<End>, CliError> {
        let is_picture = frame.codec.kind() == Kind::Video;
        self.status.count(is_picture, frame.data.len());
        let Some(recorder) = &mut self.recorder else {
            return Ok(None);
        };
        match recorder.take(from, frame)? {
            Taken::Written | Taken::Other => {}
            Taken::NeedsKeyframe => {
                let now = Instant::now();
                let is_due = self
                    .keyframe_at
                    .is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAME_INTERVAL);
                if is_due {
                    self.keyframe_at = Some(now);
                    session.request_keyframe(from, frame.section);
                }
            }
            Taken::NobodyReads => return Ok(Some(End::User)),
        }
        Ok(None)
    }
}
