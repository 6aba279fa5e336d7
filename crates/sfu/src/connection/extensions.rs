//! Header extensions: which ones are carried from publishers to subscribers, and the dependency descriptor, which str0m
//! does not know.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use str0m::rtp::{AbsCaptureTime, ExtensionSerializer, ExtensionValues};

/// AV1 RTP specification, appendix A.
pub(super) const DESCRIPTOR_URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
/// RFC 8285 §4.2: more needs the two-byte form.
pub(super) const ONE_BYTE_FORM_BYTES: usize = 16;
/// From 1900 to 1970 (RFC 5905 §6).
pub(super) const NTP_UNIX_S: u64 = 2_208_988_800;
const VOICE: u8 = 0x80;

/// Header extensions of a packet, carried from the publisher to the subscribers as they came. Never the publisher's own
/// mid, rid and congestion control numbers.
#[derive(Debug, Clone, Default)]
pub struct Extensions {
    /// RFC 6464: voice in the highest bit, then -dBov.
    pub(super) audio_level: Option<u8>,
    /// 3GPP TS 26.114 §7.4.5.
    pub(super) orientation: Option<u8>,
    /// NTP time, and what the sender knows of the offset of the clock that gave it.
    pub(super) capture_time: Option<(u64, Option<i64>)>,
    descriptor: Option<Arc<[u8]>>,
}

/// The raw bytes of a dependency descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Descriptor(Arc<[u8]>);

impl Extensions {
    /// What may travel on.
    pub(super) fn forwarded(values: &ExtensionValues) -> Self {
        let voice = values.voice_activity;
        Self {
            audio_level: values.audio_level.map(|level| {
                level.unsigned_abs() & !VOICE | if voice == Some(true) { VOICE } else { 0 }
            }),
            orientation: values.video_orientation.map(|turned| turned as u8),
            capture_time: values.abs_capture_time.as_ref().map(capture_time),
            descriptor: values
                .user_values
                .get::<Descriptor>()
                .map(|descriptor| Arc::clone(&descriptor.0)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self {
            audio_level,
            orientation,
            capture_time,
            descriptor,
        } = self;
        audio_level.is_none()
            && orientation.is_none()
            && capture_time.is_none()
            && descriptor.is_none()
    }

    /// In dBov (0 loudest … -127 silent), where the sender tells (RFC 6464).
    pub(crate) fn audio_level(&self) -> Option<i8> {
        let level = self.audio_level? & !VOICE;
        i8::try_from(level).ok().map(|level| -level)
    }

    /// As it came.
    pub(crate) fn dependency_descriptor(&self) -> Option<&Arc<[u8]>> {
        self.descriptor.as_ref()
    }

    /// Without the dependency descriptor, where it would not survive a switch of encodings.
    pub(crate) fn without_descriptor(mut self) -> Self {
        self.descriptor = None;
        self
    }

    #[cfg(test)]
    pub(crate) fn with_audio_level(mut self, wire: u8) -> Self {
        self.audio_level = Some(wire);
        self
    }

    /// For str0m as the client.
    #[cfg(test)]
    pub(crate) fn values(&self) -> ExtensionValues {
        let mut values = ExtensionValues::default();
        if let Some(wire) = self.audio_level {
            values.audio_level = self.audio_level();
            values.voice_activity = Some(wire & VOICE != 0);
        }
        if let Some(descriptor) = &self.descriptor {
            values.user_values.set(Descriptor(Arc::clone(descriptor)));
        }
        values
    }

    #[cfg(test)]
    pub(crate) fn with_descriptor(mut self, descriptor: Arc<[u8]>) -> Self {
        self.descriptor = Some(descriptor);
        self
    }
}

fn capture_time(time: &AbsCaptureTime) -> (u64, Option<i64>) {
    (ntp(time.capture_time), time.clock_offset)
}

/// 32.32 fixed point, as in sender reports (RFC 3550 §4).
fn ntp(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    ntp_of_unix(since)
}

pub(super) fn ntp_of_unix(since: std::time::Duration) -> u64 {
    let seconds = since.as_secs().wrapping_add(NTP_UNIX_S);
    // Rounded up, so that what was read as nanoseconds is written as it was.
    let fraction = (u64::from(since.subsec_nanos()) << 32).div_ceil(1_000_000_000);
    (seconds << 32) + fraction
}

/// Lets str0m read the descriptor; we write it ourselves.
#[derive(Debug)]
pub(super) struct DescriptorSerializer;

impl ExtensionSerializer for DescriptorSerializer {
    fn write_to(&self, buf: &mut [u8], values: &ExtensionValues) -> usize {
        let Some(Descriptor(bytes)) = values.user_values.get::<Descriptor>() else {
            return 0;
        };
        let Some(room) = buf.get_mut(..bytes.len()) else {
            return 0;
        };
        room.copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buf: &[u8], values: &mut ExtensionValues) -> bool {
        if buf.is_empty() {
            return false;
        }
        values.user_values.set(Descriptor(Arc::from(buf)));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, values: &ExtensionValues) -> bool {
        values
            .user_values
            .get::<Descriptor>()
            .is_some_and(|Descriptor(bytes)| bytes.len() > ONE_BYTE_FORM_BYTES)
    }
}
