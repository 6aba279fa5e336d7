//! The program: a command line over [`madang_server`], and over [`madang_client`] for the verbs that are clients. The server's
//! library knows nothing of those.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use madang_client::cli::{Publish, Subscribe, publish, subscribe};
use madang_server::cli::{Command, Doctor, Ports, Serve, Token};
use madang_server::{
    App, Config, ConfigError, Flags, Helper, Language, LogFormat, Style, banner, commented_toml,
    examine, load, markdown, ports_json, ports_text, token,
};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What others' crates say below INFO: frames with tokens in them, descriptions with ICE passwords. Shown only to whoever
/// asks for the crate by name.
const TALKATIVE: [&str; 11] = [
    "dimpl",
    "hyper",
    "hyper_util",
    "is",
    "mio",
    "rustls",
    "sctp_proto",
    "str0m",
    "tokio_rustls",
    "tokio_tungstenite",
    "tungstenite",
];
/// What is left of tasks when everything was told to stop.
const RUNTIME_STOP_TIMEOUT: Duration = Duration::from_millis(300);
/// As a shell would report a program that Ctrl-C ended.
const INTERRUPTED_EXIT_CODE: i32 = 130;

/// A courtyard for people and media: rooms with audio, video, chat and data, in one program.
#[derive(Debug, Parser)]
#[command(name = "madang", version, propagate_version = true)]
#[command(after_help = "Start here:  madang serve      then open http://localhost:7880")]
struct Program {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Server(Command),
    Publish(Box<Publish>),
    Subscribe(Box<Subscribe>),
}

fn main() -> ExitCode {
    match Program::parse().verb {
        Verb::Server(command) => serve_or_print(command),
        Verb::Publish(flags) => publish(*flags),
        Verb::Subscribe(flags) => subscribe(*flags),
    }
}

fn serve_or_print(command: Command) -> ExitCode {
    let done = match command {
        Command::Serve(flags) => serve(flags),
        Command::Token(wish) => make_token(&wish),
        Command::Ports(wish) => print_ports(*wish),
        Command::Doctor(wish) => match see_doctor(*wish) {
            Ok(true) => return ExitCode::FAILURE,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        },
        Command::Config(print) => say(&if print.markdown {
            markdown()
        } else {
            commented_toml()
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("madang: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(serve: Serve) -> anyhow::Result<()> {
    let config = read_config(serve.config.as_deref(), serve.settings.into())?;
    start_log(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("control")
        .build()
        .context("cannot start threads")?;
    runtime
        .block_on(async {
            let mut stop_signals = StopSignals::listen()?;
            let app = tokio::select! {
                started = App::start(config) => started?,
                told = stop_signals.next() => return told,
            };
            say(&banner(&app, Style::of_process()))?;
            stop_signals.next().await?;
            tracing::info!("stopping");
            tokio::select! {
                () = app.stop() => Ok(()),
                told = stop_signals.next() => {
                    told?;
                    std::process::exit(INTERRUPTED_EXIT_CODE)
                }
            }
        })
        .inspect(|()| tracing::info!("stopped"))
        .map(|()| runtime.shutdown_timeout(RUNTIME_STOP_TIMEOUT))
}

fn make_token(wish: &Token) -> anyhow::Result<()> {
    let config = read_config(wish.config.as_deref(), Flags::default())?;
    let token = token(&config, wish)?;
    say(&format!("{token}\n"))
}

fn print_ports(wish: Ports) -> anyhow::Result<()> {
    let config = read_config(wish.config.as_deref(), wish.settings.into())?;
    let language = wish.output.language();
    say(&if wish.output.json {
        ports_json(&config, language)
    } else {
        ports_text(&config, language)
    })
}

/// True: there is something to mend.
fn see_doctor(asked: Doctor) -> anyhow::Result<bool> {
    let language = asked.output.language();
    if let Some(at) = asked.listen() {
        let helper = Helper::listen(at).context("cannot listen")?;
        say(&listening(&helper, language))?;
        helper.run(|line| eprintln!("{line}"));
        return Ok(false);
    }
    let wish = asked.wish();
    let config = load_config(asked.config.as_deref(), asked.settings.into());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let report = runtime.block_on(examine(config, wish));
    say(&if asked.output.json {
        report.json(language)
    } else {
        report.text(language, std::io::stdout().is_terminal())
    })?;
    Ok(report.has_faults())
}

fn listening(helper: &Helper, language: Language) -> String {
    let addresses = helper.addresses();
    let at: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let port = addresses.first().map_or(0, SocketAddr::port);
    let (at, next) = (at.join(", "), port.saturating_add(1));
    match language {
        Language::En => format!(
            "Helping other doctors at {at} ({port}/tcp, {port}/udp and {next}/udp must be open here).\n\
             Where the server is:  madang doctor --helper THIS-MACHINE:{port}\nCtrl-C ends it.\n"
        ),
        Language::Ko => format!(
            "{at}에서 다른 진단을 돕습니다({port}/tcp, {port}/udp, {next}/udp가 열려 있어야 합니다).\n\
             서버가 있는 곳에서:  madang doctor --helper 이-컴퓨터:{port}\n끝내려면 Ctrl-C.\n"
        ),
    }
}

fn read_config(file: Option<&Path>, flags: Flags) -> anyhow::Result<Config> {
    Ok(load_config(file, flags)?)
}

fn load_config(file: Option<&Path>, flags: Flags) -> Result<Config, ConfigError> {
    // A variable that is no text is none of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load(file, variables, flags)
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    let level = &config.log.level;
    let wrong = || format!("log.level: {level:?} is no level and no filter");
    let mut filter: EnvFilter = level.parse().with_context(wrong)?;
    for name in TALKATIVE.iter().filter(|name| !level.contains(**name)) {
        filter = filter.add_directive(format!("{name}=info").parse().with_context(wrong)?);
    }
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// Hears the signals that mean "stop" from the moment it is made, so that none that comes while the server starts, or
/// between two waits, ends the process by itself.
struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?,
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
        })
    }

    async fn next(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }
}

#[cfg(not(unix))]
impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) -> anyhow::Result<()> {
        tokio::signal::ctrl_c()
            .await
            .context("cannot listen for Ctrl-C")
    }
}

/// To standard output. Whoever closed it does not want to read on.
fn say(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
