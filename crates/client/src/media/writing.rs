//! Files that are written while they are recorded: a header, then fragment after fragment. Whatever was written can be played,
//! also when nothing more comes.

use std::sync::Arc;
use std::time::Duration;

use super::{avcc, ivf};
use crate::Codec;

/// What a file has, which its header says.
#[derive(Debug, Clone)]
pub struct Tracks {
    pub(super) picture: Option<Picture>,
    pub(super) has_sound: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) codec: Codec,
    pub(super) width: u16,
    pub(super) height: u16,
    /// Of H.264: an `AVCDecoderConfigurationRecord`.
    pub(super) record: Option<Vec<u8>>,
}

impl Tracks {
    pub fn sound() -> Self {
        Self {
            picture: None,
            has_sound: true,
        }
    }

    /// None if that is no key frame.
    pub fn of_key_frame(codec: Codec, data: &[u8], has_sound: bool) -> Option<Self> {
        let picture = match codec {
            Codec::Vp8 => {
                let (width, height) = ivf::vp8_size(data)?;
                Picture {
                    codec,
                    width,
                    height,
                    record: None,
                }
            }
            Codec::H264 => {
                let description = avcc::Description::of(data)?;
                Picture {
                    codec,
                    width: description.width,
                    height: description.height,
                    record: Some(description.record),
                }
            }
            Codec::Opus => return None,
        };
        Some(Self {
            picture: Some(picture),
            has_sound,
        })
    }
}

/// A picture or a packet of sound.
#[derive(Debug, Clone)]
pub struct Sample {
    pub codec: Codec,
    /// Since the start of the file. That of a track's next one is not earlier.
    pub time: Duration,
    pub is_key: bool,
    /// As in [`crate::frames::Frame`].
    pub data: Arc<[u8]>,
}

/// A kind of file.
pub trait Writer: std::fmt::Debug {
    /// What the file begins with.
    fn header(&mut self, tracks: &Tracks) -> Vec<u8>;

    /// Some seconds at most. Samples of tracks that the header does not say are left out.
    fn fragment(&mut self, samples: Vec<Sample>) -> Vec<u8>;

    /// What the file ends with.
    fn end(&mut self) -> Vec<u8>;
}
