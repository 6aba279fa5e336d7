//! A WebRTC client: one connection over one UDP socket of its own. Signalling is the caller's. It sends RTP packets as
//! they are written and hands out RTP packets as they arrive; it neither encodes nor decodes.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use socket2::SockRef;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::Codec as RtcCodec;
use str0m::media::{Direction, KeyframeRequestKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc};
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;

/// The largest datagram that a path for WebRTC carries.
const DATAGRAM_BYTES_MAX: usize = 2_000;

#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
    #[error("the connection failed: {0}")]
    Connection(#[from] str0m::RtcError),
    #[error("the description cannot be read: {0}")]
    Sdp(#[from] str0m::error::SdpError),
    #[error("no offer is pending")]
    NoOffer,
    #[error("nothing can be sent on this section")]
    NotSending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Video,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Opus,
    Vp8,
    H264,
}

/// A media section by its mid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Section(Mid);

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A packet to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Extended: it does not wrap.
    pub seq: u64,
    pub time: u32,
    pub marker: bool,
    pub payload: Arc<[u8]>,
}

/// A packet that arrived.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub section: Section,
    /// Extended: it does not wrap.
    pub seq: u64,
    pub time: u32,
    pub marker: bool,
    pub payload: Arc<[u8]>,
}

#[derive(Debug)]
pub enum Happening {
    Connected,
    Packet(Incoming),
    /// The other side wants a picture that it can start with.
    KeyframeWanted(Section),
    Closed,
}

/// The system's default holds a hundred packets: less than what arrives while a busy machine does not run us.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// One connection. Nothing moves but inside [`Peer::next`].
pub struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    pending: Option<SdpPendingOffer>,
    inbox: Box<[u8]>,
    happened: VecDeque<Happening>,
    written: bool,
    closed: bool,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// On a free port of that address, which is its one candidate.
    pub async fn bind(ip: IpAddr) -> Result<Self, PeerError> {
        let socket = UdpSocket::bind((ip, 0)).await?;
        // The system may give less; then a client that is not scheduled for a while loses more.
        SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        let local = socket.local_addr()?;
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(crypto)
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .build(Instant::now());
        let candidate = Candidate::host(local, "udp").map_err(str0m::RtcError::from)?;
        rtc.add_local_candidate(candidate);
        Ok(Self {
            rtc,
            socket,
            local,
            pending: None,
            inbox: vec![0; DATAGRAM_BYTES_MAX].into_boxed_slice(),
            happened: VecDeque::new(),
            written: false,
            closed: false,
        })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// An offer with a sending section for each of `tracks`: kind and track id.
    pub fn offer(&mut self, tracks: &[(Kind, &str)]) -> Result<(String, Vec<Section>), PeerError> {
        let mut changes = self.rtc.sdp_api();
        let mut sections = Vec::new();
        for (kind, track) in tracks {
            let kind = match kind {
                Kind::Audio => str0m::media::MediaKind::Audio,
                Kind::Video => str0m::media::MediaKind::Video,
            };
            let mid = changes.add_media(
                kind,
                Direction::SendOnly,
                Some("stream".to_owned()),
                Some((*track).to_owned()),
                None,
            );
            sections.push(Section(mid));
        }
        let (offer, pending) = changes.apply().ok_or(PeerError::NoOffer)?;
        self.pending = Some(pending);
        Ok((offer.to_sdp_string(), sections))
    }

    /// The answer to our offer.
    pub fn take_answer(&mut self, sdp: &str) -> Result<(), PeerError> {
        let answer = SdpAnswer::from_sdp_string(sdp)?;
        let pending = self.pending.take().ok_or(PeerError::NoOffer)?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        Ok(())
    }

    /// Our answer to their offer.
    pub fn answer(&mut self, offer: &str) -> Result<String, PeerError> {
        let offer = SdpOffer::from_sdp_string(offer)?;
        Ok(self.rtc.sdp_api().accept_offer(offer)?.to_sdp_string())
    }

    /// Sent by the next call of [`Peer::next`].
    pub fn write(
        &mut self,
        section: Section,
        codec: Codec,
        packet: Outgoing,
    ) -> Result<(), PeerError> {
        let wanted = match codec {
            Codec::Opus => RtcCodec::Opus,
            Codec::Vp8 => RtcCodec::Vp8,
            Codec::H264 => RtcCodec::H264,
        };
        let params = self.rtc.codec_config().params().iter();
        let payload_type = params
            .filter(|params| params.spec().codec == wanted)
            .map(|params| params.pt())
            .next();
        let payload_type = payload_type.ok_or(PeerError::NotSending)?;
        let mut direct = self.rtc.direct_api();
        let stream = direct
            .stream_tx_by_mid(section.0, None)
            .ok_or(PeerError::NotSending)?;
        let Outgoing {
            seq,
            time,
            marker,
            payload,
        } = packet;
        let write = RtpWrite::new(payload_type, seq.into(), time, Instant::now(), payload);
        stream.write_rtp(write.marker(marker).nackable(codec != Codec::Opus));
        self.written = true;
        Ok(())
    }

    pub fn request_keyframe(&mut self, section: Section) {
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(section.0, None) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Ends the association; [`Peer::next`] says goodbye.
    pub fn close(&mut self) {
        self.rtc.disconnect();
    }

    /// Drives the connection until something happens. Cancel safe.
    pub async fn next(&mut self) -> Result<Happening, PeerError> {
        loop {
            if std::mem::take(&mut self.written) {
                self.rtc.handle_input(Input::Timeout(Instant::now()))?;
            }
            let deadline = self.drain()?;
            if let Some(happening) = self.happened.pop_front() {
                return Ok(happening);
            }
            tokio::select! {
                received = self.socket.recv_from(&mut self.inbox) => {
                    let (length, source) = received?;
                    self.receive(length, source)?;
                }
                () = tokio::time::sleep_until(deadline.into()) => {
                    self.rtc.handle_input(Input::Timeout(Instant::now()))?;
                }
            }
        }
    }

    /// All that the connection has to say now; then its next deadline.
    fn drain(&mut self) -> Result<Instant, PeerError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => {
                    // What a full socket does not take is lost, as anywhere on the way.
                    self.socket
                        .try_send_to(&transmit.contents, transmit.destination)
                        .ok();
                }
                Output::Event(event) => {
                    let happening = self.happening(event);
                    self.happened.extend(happening);
                }
                Output::Timeout(deadline) => {
                    if !self.rtc.is_alive() && !self.closed {
                        self.closed = true;
                        self.happened.push_back(Happening::Closed);
                    }
                    return Ok(deadline);
                }
            }
        }
    }

    fn receive(&mut self, length: usize, source: SocketAddr) -> Result<(), PeerError> {
        let bytes = self.inbox.get(..length).unwrap_or_default();
        // What is no WebRTC is none of ours.
        if let Ok(receive) = Receive::new(Protocol::Udp, source, self.local, bytes) {
            let input = Input::Receive(Instant::now(), receive);
            if self.rtc.accepts(&input) {
                self.rtc.handle_input(input)?;
            }
        }
        Ok(())
    }

    fn happening(&mut self, event: str0m::Event) -> Option<Happening> {
        if let str0m::Event::RtpPacket(packet) = event {
            return self.incoming(packet).map(Happening::Packet);
        }
        if let str0m::Event::KeyframeRequest(request) = event {
            return Some(Happening::KeyframeWanted(Section(request.mid)));
        }
        if matches!(event, str0m::Event::Connected) {
            return Some(Happening::Connected);
        }
        if matches!(event, str0m::Event::Closed) {
            self.closed = true;
            return Some(Happening::Closed);
        }
        None
    }

    fn incoming(&mut self, packet: RtpPacket) -> Option<Incoming> {
        let ssrc: Ssrc = packet.header.ssrc;
        let section = Section(self.rtc.direct_api().stream_rx(&ssrc)?.mid());
        Some(Incoming {
            section,
            seq: *packet.seq_no,
            time: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
        })
    }
}
