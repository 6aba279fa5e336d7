//! One connection over one UDP socket of its own, whatever it carries.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use socket2::SockRef;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;

/// The largest datagram that a path for WebRTC carries.
const DATAGRAM_BYTES_MAX: usize = 2_000;
/// The system's default holds a hundred packets: less than what arrives while a busy machine does not run us, and less than
/// a large key frame that is sent at once.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Why a connection cannot go on.
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

pub(crate) struct Line {
    pub(crate) rtc: Rtc,
    pub(crate) pending: Option<SdpPendingOffer>,
    socket: UdpSocket,
    local: SocketAddr,
    inbox: Box<[u8]>,
    events: VecDeque<Event>,
    /// Something was written that the connection has not seen yet.
    pub(crate) written: bool,
    closed: bool,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

impl Line {
    /// On a free port of that address, which is its one candidate.
    pub(crate) async fn bind(ip: IpAddr, config: RtcConfig) -> Result<Self, PeerError> {
        let socket = UdpSocket::bind((ip, 0)).await?;
        // The system may give less; then a client that is not scheduled for a while loses more.
        SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
        let local = socket.local_addr()?;
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let mut rtc = config.set_crypto_provider(crypto).build(Instant::now());
        let candidate = Candidate::host(local, "udp").map_err(str0m::RtcError::from)?;
        rtc.add_local_candidate(candidate);
        Ok(Self {
            rtc,
            pending: None,
            socket,
            local,
            inbox: vec![0; DATAGRAM_BYTES_MAX].into_boxed_slice(),
            events: VecDeque::new(),
            written: false,
            closed: false,
        })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The answer to our offer.
    pub(crate) fn take_answer(&mut self, sdp: &str) -> Result<(), PeerError> {
        let answer = SdpAnswer::from_sdp_string(sdp)?;
        let pending = self.pending.take().ok_or(PeerError::NoOffer)?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.written = true;
        Ok(())
    }

    /// Our answer to their offer. An offer of ours that waits for its answer is taken back.
    pub(crate) fn answer(&mut self, sdp: &str) -> Result<String, PeerError> {
        let offer = SdpOffer::from_sdp_string(sdp)?;
        self.pending = None;
        let answer = self.rtc.sdp_api().accept_offer(offer)?;
        self.written = true;
        Ok(answer.to_sdp_string())
    }

    /// Drives the connection until something happens. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Event, PeerError> {
        loop {
            if self.written {
                self.pass_time()?;
            }
            let deadline = self.drain()?;
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            tokio::select! {
                received = self.socket.recv_from(&mut self.inbox) => {
                    let (length, source) = received?;
                    self.receive(length, source)?;
                }
                () = tokio::time::sleep_until(deadline.into()) => self.pass_time()?,
            }
        }
    }

    /// What was written goes out now.
    pub(crate) fn flush(&mut self) -> Result<(), PeerError> {
        self.pass_time()?;
        self.drain().map(|_| ())
    }

    fn pass_time(&mut self) -> Result<(), PeerError> {
        self.written = false;
        Ok(self.rtc.handle_input(Input::Timeout(Instant::now()))?)
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
                    self.closed |= matches!(event, Event::Closed);
                    self.events.push_back(event);
                }
                Output::Timeout(deadline) => {
                    if !self.rtc.is_alive() && !self.closed {
                        self.closed = true;
                        self.events.push_back(Event::Closed);
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
}
