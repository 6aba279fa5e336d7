//! What it costs to decode and to encode a picture, and to make one picture of many: by FFmpeg, as child processes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::forward::{FRAMES_PER_SECOND, PACKETS_PER_FRAME, PAYLOAD_BYTES};

const WIDTH_PX: u32 = 1280;
const HEIGHT_PX: u32 = 720;

/// CPU time for each second of video: 1 is one core.
#[derive(Debug)]
pub(super) struct Codec {
    pub(super) encode: f64,
    pub(super) decode: f64,
    time: Duration,
    folder: PathBuf,
}

/// All decoded, set side by side, encoded once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mixing {
    pub(super) cpu: f64,
}

impl Codec {
    pub(super) fn measure(time: Duration) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("madang-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut codec = Self {
            encode: 0.0,
            decode: 0.0,
            time,
            folder,
        };
        let pattern = format!(
            "testsrc2=size={WIDTH_PX}x{HEIGHT_PX}:rate={FRAMES_PER_SECOND}:duration={}",
            time.as_secs()
        );
        let source = ["-f", "lavfi", "-i", pattern.as_str()];
        let drawing = codec.ffmpeg(&source, &["-f", "null", "-"])?;
        let file = codec.file();
        let file = file.to_str().context("a path in UTF-8")?;
        let mut encoder = encoder();
        encoder.push(file.to_owned());
        let encoder: Vec<&str> = encoder.iter().map(String::as_str).collect();
        codec.encode = codec.ffmpeg(&source, &encoder)? - drawing;
        codec.decode = codec.ffmpeg(&["-threads", "1", "-i", file], &["-f", "null", "-"])?;
        Ok(codec)
    }

    pub(super) fn mix(&self, participants: u32) -> anyhow::Result<Mixing> {
        let columns = (1..=participants)
            .find(|columns| columns * columns >= participants)
            .context("a number")?;
        let rows = participants.div_ceil(columns);
        // Codecs take even sizes.
        let (width, height) = (WIDTH_PX / columns / 2 * 2, HEIGHT_PX / rows / 2 * 2);
        let scaled: String = (0..participants)
            .map(|input| format!("[{input}:v]scale={width}:{height}[v{input}];"))
            .collect();
        let inputs: String = (0..participants)
            .map(|input| format!("[v{input}]"))
            .collect();
        let places: Vec<String> = (0..participants)
            .map(|input| {
                let (x, y) = (input % columns * width, input / columns * height);
                format!("{x}_{y}")
            })
            .collect();
        let graph = format!(
            "{scaled}{inputs}xstack=inputs={participants}:fill=black:layout={},scale={WIDTH_PX}:{HEIGHT_PX}",
            places.join("|")
        );
        let file = self.file();
        let file = file.to_str().context("a path in UTF-8")?;
        let input = ["-threads", "1", "-i", file];
        let sources: Vec<&str> = (0..participants).flat_map(|_| input).collect();
        let mut output = vec!["-filter_complex".to_owned(), graph];
        output.extend(encoder());
        output.extend(["-f", "null", "-"].map(str::to_owned));
        let output: Vec<&str> = output.iter().map(String::as_str).collect();
        Ok(Mixing {
            cpu: self.ffmpeg(&sources, &output)?,
        })
    }

    fn file(&self) -> PathBuf {
        self.folder.join("camera.webm")
    }

    /// CPU time of the child, for each second of video, as it says itself.
    fn ffmpeg(&self, input: &[&str], output: &[&str]) -> anyhow::Result<f64> {
        let done = Command::new("ffmpeg")
            .args(["-hide_banner", "-nostdin", "-y", "-benchmark"])
            .args(input)
            .args(output)
            .output()
            .context("FFmpeg is missing: `make setup` installs it")?;
        let said = String::from_utf8_lossy(&done.stderr);
        if !done.status.success() {
            let lines: Vec<&str> = said.lines().rev().take(5).collect();
            bail!("ffmpeg failed: {}", lines.join(" / "));
        }
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("bench: utime="));
        let line = line.context("ffmpeg did not say its CPU time")?;
        let mut cpu_s = 0.0;
        for part in line.split_whitespace().take(2) {
            let part = part.trim_start_matches("stime=").trim_end_matches('s');
            cpu_s += part.parse::<f64>().context("a time of ffmpeg")?;
        }
        Ok(cpu_s / self.time.as_secs_f64())
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        // It is a folder for temporary files.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// As for a call: at once, at the bit rate of the packets.
fn encoder() -> Vec<String> {
    let bps = u64::from(PACKETS_PER_FRAME * FRAMES_PER_SECOND) * 8 * PAYLOAD_BYTES as u64;
    let bps = bps.to_string();
    let words = [
        "-c:v",
        "libvpx",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-lag-in-frames",
        "0",
        "-error-resilient",
        "1",
        "-threads",
        "1",
        "-b:v",
        &bps,
    ];
    words.map(str::to_owned).to_vec()
}
