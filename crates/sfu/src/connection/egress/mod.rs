//! Media to the client. str0m has no part in it: packets are written, sealed and recorded here, so that a viewer costs a few
//! cache lines and not a whole connection; what the client reports of them is read here, too. SSRCs of ours are never
//! known to str0m, so what it seals with the same keys (its own reports) never shares a nonce with us.

mod header;
mod keys;
mod sent;
mod stream;
#[cfg(test)]
mod tests;
mod vp8;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::media::Mid;

use super::codecs::Payloads;
use super::extensions::ntp_of_unix;
use super::sections::Binding;
use super::types::{DownKey, DownPacket, Output, Said, Vp8Rewrite};
use super::{Connection, Extensions};
use crate::api::{MediaKind, Now};
use crate::rtcp::{self, Feedback};
use crate::srtp::{Opener, Sealer};
use crate::{Local, Transmits};

#[cfg(test)]
pub(super) use keys::tapped;
pub(super) use keys::{KeySlot, provider, with_slot};
pub(crate) use sent::{REPAIR_AGE_MAX_MS, Sent};
pub(super) use stream::{Ssrcs, Stream};

/// Between sender reports (RFC 3550 §6.2 allows less than 5 s; browsers send one a second for video).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// The first one comes soon: before it the client cannot put sound and picture together.
const REPORT_FIRST: Duration = Duration::from_millis(100);
/// A compound packet that is longer is sent as it is.
const REPORT_BYTES_MAX: usize = 1_100;
/// STUN attribute (RFC 8445 §7.1.2).
const USE_CANDIDATE: u16 = 0x0025;
const STUN_HEADER_BYTES: usize = 20;
/// First bytes of STUN (RFC 7983 §7).
const STUN_FIRST_BYTE_MAX: u8 = 3;
/// Of RTCP, where RTP has its marker and payload type (RFC 5761 §4).
const RTCP_TYPES: std::ops::RangeInclusive<u8> = 192..=223;
/// Feedback that no receiver knows, so that each ignores it.
const PATH_PROBE: &[u8] = b"path";

/// Which of the client's addresses is sent to, from which of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    local: Local,
    remote: SocketAddr,
}

#[derive(Debug)]
pub(super) struct Egress {
    keys: KeySlot,
    sealer: Option<Sealer>,
    opener: Option<Opener>,
    path: Option<Path>,
    /// A client whose checks stopped wants nothing more (RFC 7675 §5.1), nor one that was told goodbye.
    up: bool,
    ssrcs: SsrcSequence,
    epoch: Instant,
    report_due: Option<Instant>,
    /// The owner must look at the deadline again.
    woken: bool,
    round_trip: Option<Duration>,
    plain: Vec<u8>,
}

/// Writes one track's packets for the client, one after the other, so that they can share a system call.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    way: Way<'a>,
    binding: &'a mut Binding,
    report_due: &'a mut Option<Instant>,
    woken: &'a mut bool,
}

impl Writer<'_> {
    /// False: it cannot be sent.
    pub(crate) fn write(&mut self, packet: &DownPacket<'_>, out: &mut Transmits) -> bool {
        let stream = &mut self.binding.stream;
        let written = match &mut self.binding.splice {
            None => stream.write(packet, &self.way, out),
            Some(splice) => match splice.apply(packet) {
                Some(packet) => stream.write(&packet, &self.way, out),
                None => false,
            },
        };
        if written && self.report_due.is_none() {
            *self.report_due = Some(self.way.now + REPORT_FIRST);
            *self.woken = true;
        }
        written
    }
}

/// All that a stream needs to send.
#[derive(Debug)]
pub(super) struct Way<'a> {
    sealer: &'a Sealer,
    path: Path,
    now: Instant,
    now_ms: u32,
}

impl Egress {
    pub(super) fn new(keys: KeySlot, now: Instant) -> Self {
        Self {
            keys,
            sealer: None,
            opener: None,
            path: None,
            up: false,
            ssrcs: SsrcSequence::default(),
            epoch: now,
            report_due: None,
            woken: false,
            round_trip: None,
            plain: Vec::new(),
        }
    }

    /// The handshake is done.
    pub(super) fn connected(&mut self) {
        let Some(keys) = self.keys.take() else {
            tracing::error!("a handshake without usable keys: no media can be sent");
            return;
        };
        let (sealer, opener) = keys.split();
        self.sealer = Some(sealer);
        self.opener = Some(opener);
    }

    /// str0m sends all but its checks where the client wants media.
    pub(super) fn observe(&mut self, local: Local, remote: SocketAddr, bytes: &[u8]) {
        if bytes
            .first()
            .is_some_and(|first| *first > STUN_FIRST_BYTE_MAX)
        {
            self.follow(local, remote);
        }
    }

    pub(super) fn follow(&mut self, local: Local, remote: SocketAddr) {
        self.path = Some(Path { local, remote });
    }

    /// Does the client ask, with this check, for another path than the one in use?
    pub(super) fn is_moving(&self, local: Local, remote: SocketAddr, check: &[u8]) -> bool {
        self.sealer.is_some() && self.path != Some(Path { local, remote }) && nominates(check)
    }

    /// May something be sent?
    pub(super) fn set_up(&mut self, up: bool) {
        self.up = up;
    }

    /// New SSRCs for every track, also on a section that had some: libwebrtc decodes, but does not show, a track that
    /// comes with an SSRC it knows from an earlier one.
    pub(super) fn fresh_ssrcs(&mut self, rtc: &mut Rtc, kind: MediaKind) -> Ssrcs {
        Ssrcs {
            main: self.ssrcs.next(rtc),
            repair: (kind == MediaKind::Video).then(|| self.ssrcs.next(rtc)),
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.report_due
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(super) fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    fn now_ms(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.epoch);
        // Wraps after 49 days; only differences are looked at.
        let seconds = (passed.as_secs() & u64::from(u32::MAX)) as u32;
        seconds
            .wrapping_mul(1_000)
            .wrapping_add(passed.subsec_millis())
    }

    fn way(&self, now: Instant) -> Option<Way<'_>> {
        Some(Way {
            sealer: self.sealer.as_ref()?,
            path: self.path.filter(|_| self.up)?,
            now,
            now_ms: self.now_ms(now),
        })
    }
}

impl Connection {
    /// For the packets of one batch. None: nothing can be sent now.
    pub(crate) fn writer(&mut self, now: Now, key: DownKey) -> Option<Writer<'_>> {
        self.touch(now);
        let binding = self.sections.downs.get_mut(&key)?.binding.as_mut()?;
        let egress = &mut self.egress;
        let now_ms = egress.now_ms(self.now);
        Some(Writer {
            way: Way {
                sealer: egress.sealer.as_ref()?,
                path: egress.path.filter(|_| egress.up)?,
                now: self.now,
                now_ms,
            },
            binding: Some(binding).filter(|binding| binding.ready)?,
            report_due: &mut egress.report_due,
            woken: &mut egress.woken,
        })
    }

    #[cfg(test)]
    pub(crate) fn write(
        &mut self,
        now: Now,
        key: DownKey,
        packet: &DownPacket<'_>,
        out: &mut Transmits,
    ) -> bool {
        let writer = self.writer(now, key);
        writer.is_some_and(|mut writer| writer.write(packet, out))
    }

    /// Once more. False: there is no room for it, or nowhere to send it.
    pub(crate) fn resend(
        &mut self,
        now: Now,
        key: DownKey,
        sent: &Sent,
        payload: &[u8],
        extensions: &Extensions,
        out: &mut Transmits,
    ) -> bool {
        self.touch(now);
        let Some(way) = self.egress.way(self.now) else {
            return false;
        };
        let binding = self.sections.downs.get_mut(&key);
        binding
            .and_then(|down| down.binding.as_mut())
            .is_some_and(|binding| binding.stream.resend(sent, payload, extensions, &way, out))
    }

    /// What the client says of what we send: str0m, which gets it as well, knows nothing of it.
    pub(super) fn read_feedback(&mut self, datagram: &[u8]) {
        let Some(opener) = &mut self.egress.opener else {
            return;
        };
        let mut plain = std::mem::take(&mut self.egress.plain);
        if opener.open_rtcp(datagram, &mut plain) {
            rtcp::read(&plain, &mut |feedback| self.take_feedback(&feedback));
        }
        self.egress.plain = plain;
    }

    fn take_feedback(&mut self, feedback: &Feedback<'_>) {
        let ssrc = match feedback {
            Feedback::Nack { ssrc, .. } | Feedback::KeyFrame { ssrc } => *ssrc,
            Feedback::Report(report) => report.ssrc,
        };
        let now_ms = self.egress.now_ms(self.now);
        let Some((key, stream)) = self.sections.sent_as(ssrc) else {
            return;
        };
        match feedback {
            Feedback::Nack { lost, .. } => {
                let packets = stream.missed(lost.clone(), now_ms, self.egress.round_trip);
                if !packets.is_empty() {
                    self.outputs
                        .push_back(Output::OfTrack(key, Said::Missed(packets)));
                }
            }
            Feedback::KeyFrame { .. } => self
                .outputs
                .push_back(Output::OfTrack(key, Said::KeyframeWanted)),
            Feedback::Report(report) => {
                stream.lost(f32::from(report.fraction_lost) / 256.0);
                let middle = ((self.ntp() >> 16) & u64::from(u32::MAX)) as u32;
                let round_trip = rtcp::round_trip(report.last_sr, report.delay_since_sr, middle);
                self.egress.round_trip = round_trip.or(self.egress.round_trip);
            }
        }
    }

    /// Asks str0m to send something, which shows where the client wants media now.
    pub(super) fn probe_path(&mut self) {
        let nobody = self.egress.ssrcs.next(&mut self.rtc).into();
        let mut api = self.rtc.direct_api();
        api.send_app_specific_feedback(nobody, nobody, PATH_PROBE);
        self.drained = false;
    }

    /// Tells of all streams that have sent something since.
    pub(super) fn send_reports(&mut self, out: &mut Transmits) {
        self.egress.report_due = None;
        let ntp = self.ntp();
        let path = self.egress.path.filter(|_| self.egress.up);
        let (Some(sealer), Some(path)) = (&mut self.egress.sealer, path) else {
            return;
        };
        let mut reported = false;
        let mut start = out.begin();
        for down in self.sections.downs.values_mut() {
            let Some(binding) = &mut down.binding else {
                continue;
            };
            let entry = self.sections.entries.get(&binding.mid);
            let ahead = entry.and_then(|entry| entry.ahead.as_ref());
            let name = ahead.map_or(&down.track.stream_id, |ahead| &ahead.sending().stream_id);
            let bytes = out.bytes_mut();
            binding.stream.report(bytes, self.now, ntp, name);
            if bytes.len() - start > REPORT_BYTES_MAX {
                if sealer.seal_rtcp(bytes, start) {
                    out.commit(path.local, path.remote, start);
                    reported = true;
                }
                start = out.begin();
            }
        }
        let bytes = out.bytes_mut();
        if bytes.len() > start && sealer.seal_rtcp(bytes, start) {
            out.commit(path.local, path.remote, start);
            reported = true;
        }
        // Where nothing was sent, the next packet sets it.
        self.egress.report_due = reported.then_some(self.now + REPORT_INTERVAL);
    }

    /// For the report of the last seconds.
    pub(super) fn count_downs(&mut self) {
        for down in self.sections.downs.values_mut() {
            if let Some(binding) = &mut down.binding {
                let (packets, lost) = binding.stream.take_counts();
                self.meter.down(packets, lost);
            }
        }
        self.meter.round_trip(self.egress.round_trip());
    }

    fn ntp(&self) -> u64 {
        ntp_of_unix(self.wall)
    }
}

/// The SSRCs of one connection, none of them twice: the numbers of a second stream would repeat the nonces of the first.
#[derive(Debug, Default)]
struct SsrcSequence {
    mask: Option<u32>,
    issued: u32,
}

/// Odd: its multiples come to each number once before the first comes again.
const SSRC_STEP: u32 = 0x9e37_79b1;

impl SsrcSequence {
    fn next(&mut self, rtc: &mut Rtc) -> u32 {
        let mut api = rtc.direct_api();
        let mask = *self.mask.get_or_insert_with(|| *api.new_ssrc());
        loop {
            self.issued = self.issued.wrapping_add(1);
            let ssrc = mask ^ self.issued.wrapping_mul(SSRC_STEP);
            let known =
                api.stream_rx(&ssrc.into()).is_some() || api.stream_tx(&ssrc.into()).is_some();
            // Zero is none to many.
            if ssrc != 0 && !known {
                return ssrc;
            }
        }
    }
}

/// str0m makes a stream for whatever could send; it would report of it for ever.
pub(super) fn silence(rtc: &mut Rtc, mid: Mid) {
    let mut api = rtc.direct_api();
    let made = api.stream_tx_by_mid(mid, None).map(|stream| stream.ssrc());
    if let Some(made) = made {
        api.remove_stream_tx(made);
    }
}

/// What is needed to send on the section. None: it is not there.
pub(super) fn stream(rtc: &Rtc, mid: Mid, ssrcs: Ssrcs, payloads: Payloads) -> Option<Stream> {
    let media = rtc.media(mid)?;
    Some(Stream::new(mid, ssrcs, payloads, media.remote_extmap()))
}

pub(super) fn binding(mid: Mid, stream: Stream) -> Binding {
    Binding {
        mid,
        stream,
        ready: false,
        negotiated: false,
        splice: None,
    }
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

/// RTCP among what is not STUN.
pub(super) fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [128..=191, kind, ..] if RTCP_TYPES.contains(kind))
}

/// Has the check the attribute? It was authenticated before.
pub(super) fn nominates(check: &[u8]) -> bool {
    let mut attributes = check.get(STUN_HEADER_BYTES..).unwrap_or_default();
    while let [a, b, c, d, rest @ ..] = attributes {
        if u16::from_be_bytes([*a, *b]) == USE_CANDIDATE {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([*c, *d])).next_multiple_of(4);
        attributes = rest.get(length..).unwrap_or_default();
    }
    false
}
