//! Data channels by their label. All of a connection share one send buffer in str0m, so each kind keeps to its part of
//! it: what is lossy never waits for what is reliable.

use std::sync::Arc;

use bytes::Bytes;
use str0m::Rtc;
use str0m::channel::{ChannelConfig, ChannelId, Reliability};

use crate::api::ChannelSpec;

/// More open channels than that are not listened to.
const CHANNELS_MAX: usize = 64;
const RELIABLE_BYTES_MAX: usize = 192 * 1024;
const LOSSY_BYTES_MAX: usize = 64 * 1024;
/// A channel that was full is writable again below that.
const LOW_BYTES: usize = 32 * 1024;

#[derive(Debug)]
struct Channel {
    label: Arc<str>,
    id: ChannelId,
    reliable: bool,
    full: bool,
}

#[derive(Debug, Default)]
pub(super) struct Channels {
    open: Vec<Channel>,
    /// Messages that can never be sent, those of channels beyond the limit, and such channels.
    dropped: u64,
}

pub(super) fn config(spec: &ChannelSpec) -> ChannelConfig {
    ChannelConfig {
        label: spec.label.to_string(),
        ordered: spec.ordered,
        reliability: spec
            .retransmits_max
            .map_or(Reliability::Reliable, |retransmits| {
                Reliability::MaxRetransmits { retransmits }
            }),
        ..ChannelConfig::default()
    }
}

impl Channels {
    pub(super) fn opened(&mut self, rtc: &mut Rtc, id: ChannelId, label: &str) -> Option<Arc<str>> {
        let mut channel = rtc.channel(id)?;
        channel.set_buffered_amount_low_threshold(LOW_BYTES);
        let reliable = channel
            .config()
            .is_none_or(|config| config.reliability == Reliability::Reliable);
        // A second one of the same label takes the place of the first.
        self.open.retain(|channel| *channel.label != *label);
        if self.open.len() >= CHANNELS_MAX {
            self.dropped += 1;
            return None;
        }
        let label: Arc<str> = Arc::from(label);
        self.open.push(Channel {
            label: Arc::clone(&label),
            id,
            reliable,
            full: false,
        });
        Some(label)
    }

    /// Its label, unless another one has taken its place.
    pub(super) fn closed(&mut self, id: ChannelId) -> Option<Arc<str>> {
        let place = self.open.iter().position(|channel| channel.id == id)?;
        Some(self.open.remove(place).label)
    }

    pub(super) fn label(&mut self, id: ChannelId) -> Option<Arc<str>> {
        let found = self.open.iter().find(|channel| channel.id == id);
        if found.is_none() {
            self.dropped += 1;
        }
        found.map(|channel| Arc::clone(&channel.label))
    }

    #[cfg(test)]
    pub(super) fn writable(&self, label: &str) -> bool {
        self.open
            .iter()
            .any(|channel| *channel.label == *label && !channel.full)
    }

    /// Messages too large for the client count as sent, and so do empty ones, of which str0m 0.25 sends nothing: waiting
    /// would not help.
    pub(super) fn send(
        &mut self,
        rtc: &mut Rtc,
        label: &str,
        binary: bool,
        payload: &Bytes,
    ) -> bool {
        let Some(open) = self
            .open
            .iter_mut()
            .find(|channel| *channel.label == *label)
        else {
            return false;
        };
        let Some(mut channel) = rtc.channel(open.id) else {
            return false;
        };
        let bytes_max = if open.reliable {
            RELIABLE_BYTES_MAX
        } else {
            LOSSY_BYTES_MAX
        };
        let buffered = channel.buffered_amount();
        if buffered > 0 && buffered + payload.len() > bytes_max {
            open.full = true;
            return false;
        }
        if payload.is_empty() {
            self.dropped += 1;
            return true;
        }
        match channel.write(binary, payload) {
            Ok(true) => true,
            Ok(false) => {
                open.full = true;
                false
            }
            Err(error) => {
                tracing::debug!(%error, bytes = payload.len(), "message cannot be sent");
                self.dropped += 1;
                true
            }
        }
    }

    /// Looks whether full ones have room again.
    pub(super) fn refresh(&mut self, rtc: &mut Rtc) {
        if !self.open.iter().any(|channel| channel.full) {
            return;
        }
        for open in &mut self.open {
            if open.full
                && let Some(mut channel) = rtc.channel(open.id)
                && channel.buffered_amount() <= LOW_BYTES
            {
                open.full = false;
            }
        }
    }

    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}
