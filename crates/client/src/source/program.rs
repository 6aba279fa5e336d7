//! Programs that encode: FFmpeg for cameras and the test pattern, libcamera's for the cameras of a Raspberry Pi.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::SourceError;
use crate::Codec;

/// Of what it says when it fails.
const COMPLAINT_BYTES_MAX: usize = 600;
const FFMPEG_REMEDY: &str = "install FFmpeg (Debian: apt install ffmpeg) so that `ffmpeg` is on the PATH, or publish what is encoded already, by --file or from standard input";
const CSI_REMEDY: &str = "install libcamera's programs (Raspberry Pi OS: apt install rpicam-apps) so that `rpicam-vid` is on the PATH, or use --camera for a camera that is a /dev/video device";

/// What it shall make of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    pub codec: Codec,
    pub width: u16,
    pub height: u16,
    pub fps: u32,
    pub bitrate_kbps: u32,
}

/// A program, and how it is asked.
#[derive(Debug, Clone)]
pub struct Program {
    /// The first of these that is there.
    names: &'static [&'static str],
    arguments: Vec<OsString>,
    remedy: &'static str,
    device: Option<PathBuf>,
}

/// It runs; when this is dropped, it does not any more.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) output: ChildStdout,
    child: Child,
    name: String,
    complaint: JoinHandle<String>,
}

impl Program {
    /// A moving test pattern with a clock in it.
    pub fn test_pattern(encoding: Encoding) -> Self {
        let Encoding {
            width, height, fps, ..
        } = encoding;
        let pattern = format!("testsrc2=size={width}x{height}:rate={fps}");
        let input = ["-re", "-f", "lavfi", "-i", pattern.as_str()].map(OsString::from);
        Self::ffmpeg(input.to_vec(), encoding, None)
    }

    /// A camera that Linux knows, such as `/dev/video0`.
    pub fn camera(device: &Path, encoding: Encoding) -> Self {
        let Encoding {
            width, height, fps, ..
        } = encoding;
        let (size, fps) = (format!("{width}x{height}"), fps.to_string());
        let mut input: Vec<OsString> =
            ["-f", "v4l2", "-framerate", &fps, "-video_size", &size, "-i"]
                .map(OsString::from)
                .to_vec();
        input.push(device.into());
        Self::ffmpeg(input, encoding, Some(device.to_owned()))
    }

    fn ffmpeg(input: Vec<OsString>, encoding: Encoding, device: Option<PathBuf>) -> Self {
        let bitrate = format!("{}k", encoding.bitrate_kbps);
        let key_interval = encoding.fps.to_string();
        // libvpx's threads wait for each other by spinning: where one can do it, one is best.
        let threads = match u32::from(encoding.width) * u32::from(encoding.height) {
            ..900_000 => "1",
            900_000..2_000_000 => "2",
            _ => "4",
        };
        let quiet = [
            "-hide_banner",
            "-loglevel",
            "error",
            "-nostdin",
            "-fflags",
            "nobuffer",
        ];
        let mut arguments: Vec<OsString> = quiet.map(OsString::from).to_vec();
        arguments.extend(input);
        let mut ask = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        ask(&[
            "-an", "-pix_fmt", "yuv420p", "-b:v", &bitrate, "-maxrate", &bitrate,
        ]);
        ask(&["-bufsize", &bitrate, "-g", &key_interval]);
        match encoding.codec {
            Codec::H264 => {
                ask(&[
                    "-c:v",
                    "libx264",
                    "-profile:v",
                    "baseline",
                    "-preset",
                    "veryfast",
                ]);
                ask(&["-tune", "zerolatency", "-f", "h264"]);
            }
            Codec::Vp8 | Codec::Opus => {
                ask(&[
                    "-c:v",
                    "libvpx",
                    "-deadline",
                    "realtime",
                    "-threads",
                    threads,
                ]);
                // Negative: that fast always. Positive would use up a share of the processor, however little there is to do.
                ask(&["-cpu-used", "-8", "-lag-in-frames", "0"]);
                ask(&["-error-resilient", "1", "-f", "ivf"]);
            }
        }
        ask(&["-flush_packets", "1", "pipe:1"]);
        Self {
            names: &["ffmpeg"],
            arguments,
            remedy: FFMPEG_REMEDY,
            device,
        }
    }

    /// The camera of a Raspberry Pi, encoded by its own hardware where it has some.
    pub fn csi(encoding: Encoding) -> Self {
        let Encoding {
            width, height, fps, ..
        } = encoding;
        let bitrate = u64::from(encoding.bitrate_kbps) * 1000;
        let (width, height, fps) = (width.to_string(), height.to_string(), fps.to_string());
        let bitrate = bitrate.to_string();
        let arguments = [
            ["--timeout", "0"],
            ["--codec", "h264"],
            ["--profile", "baseline"],
            ["--width", &width],
            ["--height", &height],
            ["--framerate", &fps],
            ["--intra", &fps],
            ["--bitrate", &bitrate],
        ];
        let mut arguments: Vec<_> = arguments
            .as_flattened()
            .iter()
            .map(OsString::from)
            .collect();
        let rest = ["--inline", "--flush", "--nopreview", "--output", "-"];
        arguments.extend(rest.map(OsString::from));
        Self {
            names: &["rpicam-vid", "libcamera-vid"],
            arguments,
            remedy: CSI_REMEDY,
            device: None,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// Whether the program and the device are there.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        self.find()?;
        if let Some(device) = self.device.as_deref().filter(|device| !device.exists()) {
            return Err(SourceError::Missing {
                name: device.display().to_string(),
                remedy: "is a camera plugged in? `ls /dev/video*` shows what there is".to_owned(),
            });
        }
        Ok(())
    }

    fn find(&self) -> Result<PathBuf, SourceError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<_> = std::env::split_paths(&path).collect();
        let places = self.names.iter().flat_map(|name| {
            let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            folders.iter().map(move |folder| folder.join(&name))
        });
        let mut places = places.filter(|place| place.is_file());
        places.next().ok_or_else(|| SourceError::Missing {
            name: self.name().to_owned(),
            remedy: self.remedy.to_owned(),
        })
    }

    pub(super) fn start(&self) -> Result<Running, SourceError> {
        let name = self.name().to_owned();
        let failed = |error| SourceError::Io {
            name: self.name().to_owned(),
            error,
        };
        let mut child = Command::new(self.find()?)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let output = child.stdout.take().expect("it was asked for");
        let mut errors = child.stderr.take().expect("it was asked for");
        let complaint = tokio::spawn(async move {
            let mut kept = Vec::new();
            let mut bytes = [0; 1024];
            while let Ok(length @ 1..) = errors.read(&mut bytes).await {
                kept.extend_from_slice(bytes.get(..length).unwrap_or_default());
                let surplus = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
                kept.drain(..surplus);
            }
            String::from_utf8_lossy(&kept).trim().to_owned()
        });
        Ok(Running {
            output,
            child,
            name,
            complaint,
        })
    }
}

impl Running {
    /// Its output is over: how did it end?
    pub(super) async fn end(mut self) -> Result<(), SourceError> {
        let status = self.child.wait().await.map_err(|error| SourceError::Io {
            name: self.name.clone(),
            error,
        })?;
        if status.success() {
            return Ok(());
        }
        let complaint = self.complaint.await.unwrap_or_default();
        let colon = if complaint.is_empty() { "" } else { ": " };
        Err(SourceError::Failed {
            name: self.name,
            how: format!(" ({status}){colon}{complaint}"),
        })
    }

    /// Its output is of no use: if it ended by itself, it may have said why.
    pub(super) async fn end_now(mut self) -> Result<(), SourceError> {
        match self.child.try_wait() {
            Ok(Some(_)) => self.end().await,
            Ok(None) | Err(_) => Ok(()),
        }
    }
}
