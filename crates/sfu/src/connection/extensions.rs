//! Header extensions: which ones are carried from publishers to subscribers, and the dependency descriptor, which str0m
//! does not know.

use std::sync::Arc;

use str0m::rtp::{ExtensionSerializer, ExtensionValues};

/// AV1 RTP specification, appendix A.
pub(super) const DESCRIPTOR_URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
/// RFC 8285 §4.2: more needs the two-byte form.
const ONE_BYTE_FORM_BYTES: usize = 16;

/// Header extensions of a packet, carried unread from the publisher to the subscribers.
#[derive(Debug, Clone, Default)]
pub struct Extensions(pub(crate) ExtensionValues);

/// The raw bytes of a dependency descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Descriptor(Arc<[u8]>);

impl Extensions {
    /// What may travel on: never the publisher's own mid, rid and congestion control numbers.
    pub(super) fn forwarded(values: ExtensionValues) -> Self {
        Self(ExtensionValues {
            audio_level: values.audio_level,
            // str0m writes a level only together with the voice bit.
            voice_activity: values.voice_activity,
            video_orientation: values.video_orientation,
            abs_capture_time: values.abs_capture_time,
            user_values: values.user_values,
            ..ExtensionValues::default()
        })
    }

    /// Level in dBov (0 loudest … -127 silent) and whether it is voice, where the sender knows (RFC 6464).
    pub(crate) fn audio_level(&self) -> Option<(i8, Option<bool>)> {
        self.0
            .audio_level
            .map(|level| (level, self.0.voice_activity))
    }

    /// As it came.
    pub(crate) fn dependency_descriptor(&self) -> Option<&Arc<[u8]>> {
        self.0
            .user_values
            .get::<Descriptor>()
            .map(|descriptor| &descriptor.0)
    }

    #[cfg(test)]
    pub(crate) fn from_audio_level(level: i8, voice: Option<bool>) -> Self {
        Self(ExtensionValues {
            audio_level: Some(level),
            voice_activity: voice,
            ..ExtensionValues::default()
        })
    }

    /// Without the dependency descriptor, where it would not survive a switch of encodings.
    pub(crate) fn without_descriptor(mut self) -> Self {
        self.0.user_values = str0m::rtp::UserExtensionValues::default();
        self
    }

    pub(crate) fn with_descriptor(mut self, descriptor: Arc<[u8]>) -> Self {
        self.0.user_values.set(Descriptor(descriptor));
        self
    }
}

/// Copies the descriptor as it is.
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
