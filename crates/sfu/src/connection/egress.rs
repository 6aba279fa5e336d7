//! Packets to the client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::media::{Mid, Pt};
use str0m::rtp::{RtpWrite, SeqNo, Vp8Descriptor, Vp8Patch};

use super::codecs::Payloads;
use super::sections::Binding;
use super::types::{DownPacket, Vp8Rewrite};
use crate::api::{Codec, MediaKind};

/// What can be sent again: enough for two requests over a way of 250 ms there and back; older pictures have been shown. str0m
/// keeps three seconds by itself, which costs more memory (and cache misses) than everything else of a viewer.
const REPAIR_PACKETS_MAX: usize = 512;
const REPAIR_AGE_MAX: Duration = Duration::from_millis(600);
/// No more than that part of what is sent may be repairs: a client that asks for everything twice is no amplifier.
const REPAIR_PART_MAX: f32 = 0.25;
/// The first sequence number stays below that, so that no loss near it can be taken for a roll-over.
const FIRST_SEQ_MASK: u64 = 0x7fff;
const SHORT_PICTURE_ID_MASK: u16 = 0x7f;

/// Nothing is sent on the section from now on, not even reports.
pub(super) fn remove_stream(rtc: &mut Rtc, mid: Mid) {
    let mut api = rtc.direct_api();
    let old = api.stream_tx_by_mid(mid, None).map(|stream| stream.ssrc());
    if let Some(old) = old {
        api.remove_stream_tx(old);
    }
}

/// New SSRCs for every track, also on a section that had some: libwebrtc decodes, but does not show, a track that
/// comes with an SSRC it knows from an earlier one.
pub(super) fn fresh_stream(rtc: &mut Rtc, mid: Mid) {
    remove_stream(rtc, mid);
    let accepted = rtc.media(mid).map_or(&[][..], |media| media.remote_pts());
    let repaired = rtc
        .codec_config()
        .params()
        .iter()
        .any(|params| params.resend().is_some() && accepted.contains(&params.pt()));
    let mut api = rtc.direct_api();
    let main = api.new_ssrc();
    let repair = repaired.then(|| api.new_ssrc());
    api.declare_stream_tx(main, repair, mid, None);
}

/// What is needed to send on the section. None: it has no stream.
pub(super) fn binding(
    rtc: &mut Rtc,
    mid: Mid,
    kind: MediaKind,
    payloads: Payloads,
) -> Option<Binding> {
    let mut api = rtc.direct_api();
    let stream = api.stream_tx_by_mid(mid, None)?;
    if kind == MediaKind::Video {
        stream.set_rtx_cache(REPAIR_PACKETS_MAX, REPAIR_AGE_MAX, Some(REPAIR_PART_MAX));
    }
    Some(Binding {
        mid,
        ssrc: stream.ssrc(),
        repair: stream.rtx(),
        payloads,
        ready: false,
        negotiated: false,
        seq_base: None,
        splice: None,
    })
}

pub(super) fn write(
    rtc: &mut Rtc,
    binding: &mut Binding,
    packet: &DownPacket<'_>,
    now: Instant,
) -> bool {
    let Some((payload_type, payload)) = payload(binding, packet) else {
        return false;
    };
    let base = *binding.seq_base.get_or_insert(packet.seq & !FIRST_SEQ_MASK);
    // From before the first one: the client could not place it.
    let Some(seq) = packet.seq.checked_sub(base) else {
        return false;
    };
    let mut api = rtc.direct_api();
    let Some(stream) = api.stream_tx(&binding.ssrc) else {
        return false;
    };
    let mut values = packet.extensions.0.clone();
    if let Some(descriptor) = &packet.descriptor {
        values = super::Extensions(values)
            .with_descriptor(Arc::clone(descriptor))
            .0;
    }
    let mut rtp = RtpWrite::new(
        payload_type,
        SeqNo::from(seq),
        packet.time,
        // A sender report must not come from the future.
        packet.captured.min(now),
        payload,
    )
    .marker(packet.marker)
    .nackable(packet.nackable)
    .ext_vals(values);
    if let Some(patch) = packet.vp8.and_then(|new| vp8_patch(packet.payload, new)) {
        rtp = rtp.vp8_patch(patch);
    }
    stream.write_rtp(rtp);
    true
}

fn payload(binding: &Binding, packet: &DownPacket<'_>) -> Option<(Pt, Arc<[u8]>)> {
    if let Some(payload_type) = binding.payload_type(packet.codec) {
        return Some((payload_type, Arc::clone(packet.payload)));
    }
    if packet.codec != Codec::Red {
        return None;
    }
    let payload_type = binding.payload_type(Codec::Opus)?;
    let primary = red_primary(packet.payload)?;
    Some((payload_type, Arc::from(primary)))
}

/// The newest block (RFC 2198 §3).
pub(super) fn red_primary(payload: &[u8]) -> Option<&[u8]> {
    let mut headers = payload;
    let mut skipped = 0;
    loop {
        let (first, rest) = headers.split_first()?;
        if first & 0x80 == 0 {
            return rest.get(skipped..).filter(|primary| !primary.is_empty());
        }
        let length = u16::from_be_bytes([*rest.get(1)? & 0x03, *rest.get(2)?]);
        skipped += usize::from(length);
        headers = rest.get(3..)?;
    }
}

/// What the descriptor has of the ids is replaced; an id that is not there stays so.
fn vp8_patch(payload: &[u8], new: Vp8Rewrite) -> Option<Vp8Patch> {
    let descriptor = Vp8Descriptor::parse(payload).ok()?;
    let mut patch = descriptor.patch();
    for picture_id in [new.picture_id, new.picture_id & SHORT_PICTURE_ID_MASK] {
        let with = patch.picture_id(picture_id);
        if with.build().is_ok() {
            patch = with;
            break;
        }
    }
    let with = patch.tl0_pic_idx(new.tl0_pic_idx);
    if with.build().is_ok() {
        patch = with;
    }
    if let Some(key_idx) = new.key_idx {
        let with = patch.key_idx(key_idx);
        if with.build().is_ok() {
            patch = with;
        }
    }
    patch.build().ok()
}
