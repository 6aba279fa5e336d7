//! Data channels on standard input and output: a message is a line.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use clap::Args;
use serde::Serialize;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

use super::CliError;
use crate::frames::{MESSAGE_BYTES_MAX, Message};

/// Lines that were read and not yet sent.
const WAITING_MAX: usize = 16;

/// Data channels.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(super) struct DataArgs {
    /// Open this data channel, of peers the first by its number and not by its label: its messages are printed as lines. May be given several times; then each line begins with the
    /// label and a tab, in both directions.
    #[arg(long = "data", value_name = "LABEL")]
    pub(super) labels: Vec<String>,
    /// Send the lines of this file as messages; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "labels")]
    pub(super) data_from: Option<PathBuf>,
    /// Print each message as a JSON object: {"channel", "text"}, or {"channel", "base64"} where it is no text; of peers with
    /// "from".
    #[arg(long, requires = "labels")]
    pub(super) json: bool,
}

impl DataArgs {
    pub(super) fn reads_stdin(&self) -> bool {
        self.data_from.as_deref() == Some(Path::new("-"))
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) label: String,
    pub(super) text: String,
}

/// Reads lines in a task of its own. It waits where lines come faster than they can be sent.
pub(super) async fn lines(
    from: &Path,
    labels: &[String],
) -> Result<mpsc::Receiver<Result<Outgoing, CliError>>, CliError> {
    let (send, receive) = mpsc::channel(WAITING_MAX);
    let labels = labels.to_vec();
    if from == Path::new("-") {
        let input = BufReader::new(tokio::io::stdin());
        tokio::spawn(read_lines("standard input".to_owned(), input, labels, send));
    } else {
        let name = from.display().to_string();
        let file = File::open(from).await;
        let file = file.map_err(|error| CliError::io(&name, &error))?;
        tokio::spawn(read_lines(name, BufReader::new(file), labels, send));
    }
    Ok(receive)
}

async fn read_lines(
    name: String,
    input: impl AsyncBufRead + Unpin,
    labels: Vec<String>,
    to: mpsc::Sender<Result<Outgoing, CliError>>,
) {
    let mut lines = input.lines();
    loop {
        let message = match lines.next_line().await {
            Ok(Some(line)) => outgoing(&line, &labels),
            Ok(None) => return,
            Err(error) => Err(CliError::io(&name, &error)),
        };
        let is_wrong = message.is_err();
        if to.send(message).await.is_err() || is_wrong {
            return;
        }
    }
}

/// With one channel the line is the message; with several it begins with the label of its own.
fn outgoing(line: &str, labels: &[String]) -> Result<Outgoing, CliError> {
    let (label, text) = match labels {
        [label] => (label.as_str(), line),
        labels => match line.split_once('\t') {
            Some((label, text)) if labels.iter().any(|known| known == label) => (label, text),
            Some(_) | None => {
                let shown: String = line.chars().take(40).collect();
                return Err(CliError::Io(format!(
                    "a line to send begins with the label of its channel ({}) and a tab, and this one does not: {shown:?}",
                    labels.join(", ")
                )));
            }
        },
    };
    if text.len() > MESSAGE_BYTES_MAX {
        let length = text.len();
        return Err(CliError::Io(format!(
            "a message has at most {MESSAGE_BYTES_MAX} bytes, and a line to send has {length}"
        )));
    }
    Ok(Outgoing {
        label: label.to_owned(),
        text: text.to_owned(),
    })
}

/// Writes messages to standard output.
#[derive(Debug)]
pub(super) struct Printer {
    labels: Vec<String>,
    is_json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Printer {
    pub(super) fn new(args: &DataArgs) -> Self {
        Self {
            labels: args.labels.clone(),
            is_json: args.json,
        }
    }

    /// Of the channels that were asked for. False when nobody reads any more.
    pub(super) fn print(&self, from: Option<&str>, message: &Message) -> Result<bool, CliError> {
        if !self.labels.contains(&message.label) {
            return Ok(true);
        }
        let mut line = self.line(from, message);
        line.push('\n');
        let mut out = std::io::stdout().lock();
        match out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(CliError::io("standard output", &error)),
        }
    }

    fn line(&self, from: Option<&str>, message: &Message) -> String {
        let text = std::str::from_utf8(&message.payload).ok();
        let base64 = |bytes| base64::engine::general_purpose::STANDARD.encode(bytes);
        if self.is_json {
            let line = Line {
                from,
                channel: &message.label,
                text,
                base64: text.is_none().then(|| base64(&message.payload)),
            };
            return serde_json::to_string(&line).expect("strings are JSON");
        }
        let shown = text.map_or_else(|| base64(&message.payload), one_line);
        match self.labels.as_slice() {
            [_] => shown,
            _ => format!("{}\t{shown}", message.label),
        }
    }
}

/// A message with line breaks stays one line; so do the controls of a terminal.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests;
