//! One ICE/DTLS association with a client. The only place that knows str0m.
//!
//! `client_offer` and `server_offer` are the two ways to agree on sections; `sections` knows what is sent on which;
//! `sdp_text` reads and writes what str0m cannot be told.

mod ahead;
mod association;
mod channels;
mod client_offer;
mod codecs;
mod egress;
mod extensions;
mod ingress;
mod report;
mod sdp_text;
mod sections;
mod server_offer;
mod shared;
mod types;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::media::KeyframeRequestKind;
use str0m::net::{Protocol, Receive};
use str0m::{Event, IceConnectionState, Input, Rtc, RtcError};

use crate::api::{Codec, ConnectionOptions, Now, Offerer, Refusal};
use crate::ufrag::Credentials;
use crate::{Local, Transmits};

use channels::Channels;
use client_offer::ClientOffers;
use egress::Egress;
use ingress::Ingress;
use report::Meter;
use sdp_text::Opus;
use sections::Sections;
use server_offer::ServerOffers;

pub(crate) use egress::{REPAIR_AGE_MAX_MS, Sent};
pub use extensions::Extensions;
pub(crate) use shared::Shared;
pub(crate) use types::{
    DownKey, DownPacket, DownTrack, Output, RemoteSection, Report, RidName, Said, Section, Source,
    UpPacket, Vp8Rewrite,
};

/// Addresses that one client may send from in its connection's life. str0m keeps each as a candidate.
const ROUTES_MAX: usize = 256;

pub(crate) struct Connection {
    shared: Shared,
    rtc: Rtc,
    credentials: Credentials,
    offerer: Offerer,
    publish: bool,
    subscribe: bool,
    answers_ahead: bool,
    bitrate_max_bps: Option<u64>,
    sections: Sections,
    client: ClientOffers,
    server: ServerOffers,
    channels: Channels,
    ingress: Ingress,
    egress: Egress,
    meter: Meter,
    routes: BTreeSet<SocketAddr>,
    streams: BTreeSet<(SocketAddr, SocketAddr)>,
    link: Link,
    outputs: VecDeque<Output>,
    /// Fetched before anybody polled for them.
    transmits: Transmits,
    /// str0m had nothing more to say since it was last told something.
    drained: bool,
    rtc_deadline: Option<Instant>,
    now: Instant,
    /// Since 1970.
    wall: Duration,
    closing: bool,
    closed: bool,
}

/// Is there a way to the client?
#[derive(Debug, Default)]
struct Link {
    dtls: bool,
    ice: bool,
    /// The owner knows.
    told: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("offerer", &self.offerer)
            .field("link", &self.link)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(
        now: Now,
        shared: &Shared,
        credentials: Credentials,
        options: &ConnectionOptions,
    ) -> Self {
        let (rtc, keys) = shared.build(now.instant, &credentials);
        let ingress = Ingress::new(&rtc, now.instant);
        let mut server = ServerOffers::default();
        if options.offerer == Offerer::Server {
            server.channels.clone_from(&options.channels);
        }
        let mut connection = Self {
            shared: shared.clone(),
            rtc,
            credentials,
            offerer: options.offerer,
            publish: options.publish,
            subscribe: options.subscribe,
            answers_ahead: options.answers_ahead && options.offerer == Offerer::Client,
            bitrate_max_bps: options.bitrate_max_bps,
            sections: Sections::default(),
            client: ClientOffers::default(),
            server,
            channels: Channels::default(),
            ingress,
            egress: Egress::new(keys, now.instant),
            meter: Meter::default(),
            routes: BTreeSet::new(),
            streams: BTreeSet::new(),
            link: Link::default(),
            outputs: VecDeque::new(),
            transmits: Transmits::default(),
            drained: false,
            rtc_deadline: None,
            now: now.instant,
            wall: now.wall,
            closing: false,
            closed: false,
        };
        connection.first_offer();
        connection
    }

    /// Opus options for the answer of that section.
    pub(crate) fn set_opus(&mut self, section: Section, stereo: bool, no_dtx: bool) {
        if let Some(entry) = self.sections.entries.get_mut(&section.0) {
            entry.opus = Opus { stereo, no_dtx };
        }
    }

    /// The answer of that section lists the codec first. False: the section does not have it.
    pub(crate) fn prefer_codec(&mut self, section: Section, codec: Codec) -> bool {
        let entry = self.sections.entries.get_mut(&section.0);
        let Some(entry) = entry.filter(|entry| entry.payloads.get(codec).is_some()) else {
            return false;
        };
        entry.preferred = Some(codec);
        true
    }

    /// A remote candidate is read and put aside: we are ice-lite, and learn the client's addresses from its checks.
    pub(crate) fn add_candidate(&mut self, now: Now, candidate: &str) -> Result<(), Refusal> {
        self.touch(now);
        let line = candidate.strip_prefix("a=").unwrap_or(candidate);
        if line.is_empty() || line.starts_with("candidate:") {
            Ok(())
        } else {
            Err(Refusal::Sdp("not a candidate".to_owned()))
        }
    }

    /// The track waits for a section, and is sent from its `Ready` on.
    pub(crate) fn attach(&mut self, now: Now, down: DownTrack) -> DownKey {
        self.touch(now);
        let key = self.sections.attach(down);
        self.bind_ahead();
        self.wish_sections();
        self.wish_offer();
        key
    }

    pub(crate) fn detach(&mut self, now: Now, key: DownKey) {
        self.touch(now);
        if self.sections.detach(key) {
            self.wish_offer();
        }
    }

    /// Has the client a decoder for it? Taken as true until it said.
    pub(crate) fn can_send(&self, codec: Codec) -> bool {
        self.sections.can_send(codec)
    }

    /// Must its deadline be looked at again, after packets were written?
    pub(crate) fn take_woken(&mut self) -> bool {
        self.egress.take_woken()
    }

    /// False: there is no such stream yet. Asked for is the one whose packets come: str0m can have several by that name,
    /// after the client changed its SSRC.
    pub(crate) fn request_keyframe(&mut self, section: Section, rid: Option<RidName>) -> bool {
        let mut api = self.rtc.direct_api();
        let sender = self.ingress.sender(section, rid);
        let Some(stream) = sender.and_then(|ssrc| api.stream_rx(&ssrc)) else {
            return false;
        };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.drained = false;
        true
    }

    /// False: there is no such open channel, or it has no room now.
    pub(crate) fn send_data(&mut self, label: &str, binary: bool, payload: &Bytes) -> bool {
        let sent = self.channels.send(&mut self.rtc, label, binary, payload);
        self.drained &= !sent;
        sent
    }

    #[cfg(test)]
    pub(crate) fn data_writable(&self, label: &str) -> bool {
        self.channels.writable(label)
    }

    /// Messages lost since the last call: too large for the client, or on channels beyond the limit.
    pub(crate) fn take_data_dropped(&mut self) -> u64 {
        self.channels.take_dropped()
    }

    /// False: it was none of ours, or damaged.
    pub(crate) fn handle_packet(
        &mut self,
        now: Now,
        remote: SocketAddr,
        local: impl Into<Local>,
        bytes: &[u8],
    ) -> bool {
        let local = local.into();
        self.touch(now);
        // str0m holds one media packet; the one before must be fetched first.
        self.settle();
        let protocol = match local {
            Local::Udp(_) => Protocol::Udp,
            Local::Tcp(_) => Protocol::Tcp,
        };
        let Ok(received) = Receive::new(protocol, remote, local.address(), bytes) else {
            return false;
        };
        let input = Input::Receive(self.now, received);
        let is_stun = bytes.first().is_some_and(|first| *first < 2);
        let is_let_in = match local {
            _ if is_stun => self.admits(remote, local, &input),
            // Addresses are looked at before it comes here.
            Local::Udp(_) => true,
            Local::Tcp(local) => self.streams.contains(&(local, remote)),
        };
        if !is_let_in {
            return false;
        }
        self.drained = false;
        if egress::is_rtcp(bytes) {
            self.read_feedback(bytes);
        }
        let moving = is_stun && self.egress.is_moving(local, remote, bytes);
        match self.rtc.handle_input(input) {
            Ok(()) => {
                if moving {
                    self.probe_path();
                }
                true
            }
            Err(error) => {
                // Whoever can guess the address can send rubbish: the connection goes on.
                tracing::trace!(%error, "datagram refused");
                false
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.touch(now);
        self.drained = false;
        if let Err(error) = self.rtc.handle_input(Input::Timeout(self.now)) {
            self.fail(&error);
        }
    }

    /// To be called until it gives nothing, after anything else was called. Datagrams go to `transmits` at once: they are
    /// many, and each would be moved several times.
    pub(crate) fn poll(&mut self, now: Now, transmits: &mut Transmits) -> Option<Output> {
        self.touch(now);
        transmits.append(&mut self.transmits);
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if self.closed {
                return None;
            }
            if !self.drained {
                self.pump(transmits);
                continue;
            }
            if self.egress.due().is_some_and(|due| due <= self.now) {
                self.send_reports(transmits);
                continue;
            }
            if self.client.due().is_some_and(|due| due <= self.now) {
                self.client_timeout();
                continue;
            }
            if self.server.due().is_some_and(|due| due <= self.now) {
                self.server_timeout();
                continue;
            }
            return None;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        if !self.drained || !self.outputs.is_empty() || self.transmits.len() > 0 {
            return Some(self.now);
        }
        [
            self.rtc_deadline,
            self.egress.due(),
            self.client.due(),
            self.server.due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Says goodbye; `poll` gives the last datagrams, and then `Closed`.
    pub(crate) fn close(&mut self, now: Now) {
        self.touch(now);
        self.settle();
        self.closing = true;
        self.egress.set_up(false);
        self.drained = false;
        if let Err(error) = self.rtc.close() {
            self.fail(&error);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_alive(&self) -> bool {
        !self.closed && self.rtc.is_alive()
    }

    fn touch(&mut self, now: Now) {
        self.now = self.now.max(now.instant);
        self.wall = now.wall;
    }

    /// A check with our fragment and password; its address may send media from then on.
    fn admits(&mut self, remote: SocketAddr, local: Local, input: &Input<'_>) -> bool {
        if !self.rtc.accepts(input) {
            return false;
        }
        let is_known = match local {
            Local::Udp(_) => self.routes.contains(&remote),
            Local::Tcp(local) => self.streams.contains(&(local, remote)),
        };
        if is_known {
            return true;
        }
        if self.routes.len() + self.streams.len() >= ROUTES_MAX {
            return false;
        }
        match local {
            Local::Udp(_) => {
                self.routes.insert(remote);
                self.outputs.push_back(Output::Route(remote));
            }
            Local::Tcp(local) => {
                self.streams.insert((local, remote));
                self.outputs.push_back(Output::Stream { local, remote });
            }
        }
        true
    }

    /// Fetches all that str0m has to say.
    fn settle(&mut self) {
        let mut transmits = std::mem::take(&mut self.transmits);
        while !self.drained && !self.closed {
            self.pump(&mut transmits);
        }
        self.transmits = transmits;
        // What comes next changes str0m's state.
        self.drained = self.closed;
    }

    /// Fetches one thing from str0m.
    fn pump(&mut self, transmits: &mut Transmits) {
        match self.rtc.poll_output() {
            Ok(str0m::Output::Timeout(at)) => {
                self.drained = true;
                self.rtc_deadline = Some(at);
                self.channels.refresh(&mut self.rtc);
                if self.meter.is_due() {
                    self.count_downs();
                }
                if let Some(report) = self.meter.report() {
                    self.outputs.push_back(Output::Report(report));
                    self.limit();
                }
                if self.closing || !self.rtc.is_alive() {
                    self.end();
                }
            }
            Ok(str0m::Output::Transmit(transmit)) => {
                let local = over(transmit.proto, transmit.source);
                let remote = transmit.destination;
                self.egress.observe(local, remote, &transmit.contents);
                transmits.push(local, remote, &transmit.contents);
            }
            Ok(str0m::Output::Event(event)) => self.handle_event(event),
            Err(error) => self.fail(&error),
        }
    }

    /// Repeated with every report, as a sender forgets it or begins anew.
    fn limit(&mut self) {
        if let Some(bitrate_max_bps) = self.bitrate_max_bps {
            self.ingress.limit(&mut self.rtc, bitrate_max_bps);
            self.drained = false;
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::RtpPacket(packet) => {
                if self.publish
                    && let Some(packet) = self.ingress.packet(&mut self.rtc, packet)
                {
                    self.meter.count_up();
                    self.outputs.push_back(Output::Packet(packet));
                }
            }
            Event::Connected => {
                self.egress.connected();
                self.link.dtls = true;
                self.link_changed();
            }
            Event::IceConnectionStateChange(state) => match state {
                IceConnectionState::Connected | IceConnectionState::Completed => {
                    self.link.ice = true;
                    self.link_changed();
                }
                IceConnectionState::Disconnected => {
                    self.link.ice = false;
                    self.link_changed();
                }
                // Also in the middle of a restart, when the old way still carries.
                IceConnectionState::New | IceConnectionState::Checking => {}
            },
            Event::ChannelOpen(id, label) => {
                let label = self.channels.opened(&mut self.rtc, id, &label);
                self.outputs
                    .extend(label.map(|label| Output::ChannelOpen { label }));
            }
            Event::ChannelData(data) => {
                if let Some(label) = self.channels.label(data.id) {
                    self.outputs.push_back(Output::ChannelData {
                        label,
                        binary: data.binary,
                        payload: Bytes::from(data.data),
                    });
                }
            }
            Event::ChannelClose(id) => {
                let label = self.channels.closed(id);
                self.outputs
                    .extend(label.map(|label| Output::ChannelClosed { label }));
            }
            Event::PeerStats(stats) => {
                self.meter.peer(&stats);
                if let Some(pair) = &stats.selected_candidate_pair {
                    let local = over(pair.protocol, pair.local.addr);
                    self.egress.follow(local, pair.remote.addr);
                }
            }
            Event::MediaIngressStats(stats) => self.meter.ingress(&stats),
            // Of no use here: what changed is read from the descriptions, pauses are the forwarders' business, and what is sent
            // str0m knows nothing of.
            Event::KeyframeRequest(_)
            | Event::MediaEgressStats(_)
            | Event::MediaAdded(_)
            | Event::MediaData(_)
            | Event::MediaChanged(_)
            | Event::ChannelBufferedAmountLow(_)
            | Event::EgressBitrateEstimate(_)
            | Event::StreamPaused(_)
            | Event::SenderFeedback(_)
            | Event::AppSpecificFeedback(_)
            | Event::Closed
            | Event::RawPacket(_)
            | _ => {}
        }
    }

    fn link_changed(&mut self) {
        let up = self.link.dtls && self.link.ice;
        if up == self.link.told {
            return;
        }
        self.link.told = up;
        self.egress.set_up(up && !self.closing);
        if up {
            self.outputs.push_back(Output::Connected);
            self.announce_ready();
        } else {
            self.outputs.push_back(Output::Disconnected);
        }
    }

    fn announce_ready(&mut self) {
        if !self.link.told {
            return;
        }
        for (key, down) in &mut self.sections.downs {
            if let Some(binding) = &mut down.binding
                && binding.negotiated
                && !binding.ready
            {
                binding.ready = true;
                self.outputs.push_back(Output::OfTrack(*key, Said::Ready));
            }
        }
    }

    /// Nothing came of the first offer, perhaps half of it.
    fn rebuild(&mut self) {
        let (rtc, keys) = self.shared.build(self.now, &self.credentials);
        self.rtc = rtc;
        self.egress = Egress::new(keys, self.now);
        self.ingress = Ingress::new(&self.rtc, self.now);
        self.drained = false;
    }

    fn fail(&mut self, error: &RtcError) {
        tracing::debug!(%error, "connection failed");
        self.rtc.disconnect();
        self.end();
    }

    fn end(&mut self) {
        if !self.closed {
            self.closed = true;
            self.egress.set_up(false);
            self.rtc.disconnect();
            self.outputs.push_back(Output::Closed);
        }
    }
}

/// Our candidates are of these two.
fn over(protocol: Protocol, address: SocketAddr) -> Local {
    if protocol == Protocol::Udp {
        Local::Udp(address)
    } else {
        Local::Tcp(address)
    }
}

/// What a client wrote must not end more than its own connection, also where str0m trips over it.
fn guarded<T>(
    rtc: &mut Rtc,
    apply: impl FnOnce(&mut Rtc) -> Result<T, RtcError>,
) -> Result<T, Refusal> {
    match catch_unwind(AssertUnwindSafe(|| apply(rtc))) {
        Ok(result) => result.map_err(|error| Refusal::Sdp(sdp_text::short(&error))),
        Err(_) => {
            rtc.disconnect();
            Err(Refusal::Sdp("cannot be applied".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
