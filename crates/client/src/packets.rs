//! A WebRTC connection of bare RTP packets: it sends packets as they are written and hands out packets as they arrive. Signalling
//! is the caller's. For tests and for measuring.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use str0m::RtcConfig;
use str0m::format::Codec as RtcCodec;
use str0m::media::{Direction, KeyframeRequestKind};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc};

use crate::line::Line;
use crate::{Codec, Kind, PeerError, Section};

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

/// One connection. Nothing moves but inside [`Peer::next`].
#[derive(Debug)]
pub struct Peer {
    line: Line,
}

impl Peer {
    /// On a free port of that address, which is its one candidate.
    pub async fn bind(ip: IpAddr) -> Result<Self, PeerError> {
        let config = RtcConfig::new().set_rtp_mode(true).set_stats_interval(None);
        let line = Line::bind(ip, config).await?;
        Ok(Self { line })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.line.local_addr()
    }

    /// An offer with a sending section for each of `tracks`: kind and track id.
    pub fn offer(&mut self, tracks: &[(Kind, &str)]) -> Result<(String, Vec<Section>), PeerError> {
        let mut changes = self.line.rtc.sdp_api();
        let mut sections = Vec::new();
        for (kind, track) in tracks {
            let mid = changes.add_media(
                kind.media(),
                Direction::SendOnly,
                Some("stream".to_owned()),
                Some((*track).to_owned()),
                None,
            );
            sections.push(Section(mid));
        }
        let (offer, pending) = changes.apply().ok_or(PeerError::NoOffer)?;
        self.line.pending = Some(pending);
        Ok((offer.to_sdp_string(), sections))
    }

    /// The answer to our offer.
    pub fn take_answer(&mut self, sdp: &str) -> Result<(), PeerError> {
        self.line.take_answer(sdp)
    }

    /// Our answer to their offer.
    pub fn answer(&mut self, offer: &str) -> Result<String, PeerError> {
        self.line.answer(offer)
    }

    /// Sent by the next call of [`Peer::next`].
    pub fn write(
        &mut self,
        section: Section,
        codec: Codec,
        packet: Outgoing,
    ) -> Result<(), PeerError> {
        let wanted = RtcCodec::from(codec);
        let params = self.line.rtc.codec_config().params().iter();
        let payload_type = params
            .filter(|params| params.spec().codec == wanted)
            .map(|params| params.pt())
            .next();
        let payload_type = payload_type.ok_or(PeerError::NotSending)?;
        let mut direct = self.line.rtc.direct_api();
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
        self.line.written = true;
        Ok(())
    }

    pub fn request_keyframe(&mut self, section: Section) {
        if let Some(stream) = self.line.rtc.direct_api().stream_rx_by_mid(section.0, None) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Ends the association; [`Peer::next`] says goodbye.
    pub fn close(&mut self) {
        self.line.rtc.disconnect();
    }

    /// Drives the connection until something happens. Cancel safe.
    pub async fn next(&mut self) -> Result<Happening, PeerError> {
        loop {
            let event = self.line.next().await?;
            if let Some(happening) = self.happening(event) {
                return Ok(happening);
            }
        }
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
            return Some(Happening::Closed);
        }
        None
    }

    fn incoming(&mut self, packet: RtpPacket) -> Option<Incoming> {
        let ssrc: Ssrc = packet.header.ssrc;
        let section = Section(self.line.rtc.direct_api().stream_rx(&ssrc)?.mid());
        Some(Incoming {
            section,
            seq: *packet.seq_no,
            time: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
        })
    }
}
