//! The line of figures, and what is said about it.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::frames::Statistics;

/// Counts what passes, and tells each second.
#[derive(Debug)]
pub(super) struct Status {
    what: &'static str,
    is_terminal: bool,
    is_wanted: bool,
    started_at: Instant,
    told_at: Instant,
    frames: u32,
    bytes: u64,
    pub(super) statistics: Statistics,
    /// How many watch, as the server says.
    pub(super) viewers: Option<u64>,
    has_line: bool,
}

impl Status {
    pub(super) fn new(what: &'static str, is_wanted: bool) -> Self {
        let now = Instant::now();
        Self {
            what,
            is_terminal: std::io::stderr().is_terminal(),
            is_wanted,
            started_at: now,
            told_at: now,
            frames: 0,
            bytes: 0,
            statistics: Statistics::default(),
            viewers: None,
            has_line: false,
        }
    }

    /// A picture counts as a frame, sound does not.
    pub(super) fn count(&mut self, is_picture: bool, bytes: usize) {
        self.frames += u32::from(is_picture);
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// Something that happens once: a line of its own.
    pub(super) fn say(&mut self, text: &str) {
        let mut out = std::io::stderr().lock();
        let clear = if std::mem::take(&mut self.has_line) {
            "\r\x1b[K"
        } else {
            ""
        };
        // Whoever closed standard error does not want to know.
        writeln!(out, "{clear}{text}").ok();
    }

    /// Each second.
    pub(super) fn tick(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.told_at).as_secs_f64();
        let line = self.line(now.saturating_duration_since(self.started_at), passed);
        self.told_at = now;
        self.frames = 0;
        self.bytes = 0;
        let mut out = std::io::stderr().lock();
        if self.is_terminal {
            self.has_line = true;
            write!(out, "\r\x1b[K{line}").ok();
            out.flush().ok();
        } else if self.is_wanted {
            writeln!(out, "{line}").ok();
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "bits of a second are far from 2 to the 53rd"
    )]
    fn line(&self, running: Duration, passed: f64) -> String {
        let seconds = running.as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let per_second = |count: f64| count / passed.max(0.001);
        let kbps = per_second(self.bytes as f64 * 8.0 / 1000.0);
        let fps = per_second(f64::from(self.frames));
        let mut line = format!(
            "{} {hours:02}:{minutes:02}:{seconds:02}  {kbps:.0} kbit/s  {fps:.1} fps",
            self.what
        );
        let Statistics { loss, round_trip } = self.statistics;
        if let Some(loss) = loss {
            line.push_str(&format!("  loss {:.1} %", loss * 100.0));
        }
        if let Some(round_trip) = round_trip {
            line.push_str(&format!(
                "  rtt {:.0} ms",
                round_trip.as_secs_f64() * 1000.0
            ));
        }
        if let Some(viewers) = self.viewers {
            line.push_str(&format!("  {viewers} watching"));
        }
        line
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        if self.has_line {
            eprintln!();
        }
    }
}
