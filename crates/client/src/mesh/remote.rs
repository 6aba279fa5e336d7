//! Another peer, and the connection to it, if there is one.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::frames::{Frame, MESSAGE_BYTES_MAX, Peer, Statistics, Wish};
use crate::{PeerError, Section};

/// From the answer to the first datagram that passes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// From the loss of a connection to the next offer.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Candidates that came before the description.
const EARLY_CANDIDATES_MAX: usize = 64;

/// What is to be said.
#[derive(Debug)]
pub(super) enum Step {
    Offer(String),
    Answer(String),
}

#[derive(Debug)]
pub(super) struct Remote {
    /// The other one offers, and where two offers meet, ours is taken back.
    be_polite: bool,
    link: Option<Link>,
    early: Vec<String>,
    /// When a connection is tried again.
    again_at: Option<Instant>,
    pub(super) statistics: Statistics,
}

#[derive(Debug)]
struct Link {
    peer: Peer,
    /// Of what we send, in the order of the wish. None: the other side has no place for it.
    sections: Vec<Option<Section>>,
    /// Whose descriptions these are.
    fingerprint: Option<String>,
    /// When both descriptions were there.
    agreed_at: Option<Instant>,
    is_connected: bool,
    /// Sections that the other side had no place for are still to be offered.
    wants_more: bool,
}

impl Remote {
    pub(super) fn new(be_polite: bool) -> Self {
        Self {
            be_polite,
            link: None,
            early: Vec::new(),
            again_at: None,
            statistics: Statistics::default(),
        }
    }

    /// A new connection, and its offer.
    pub(super) async fn offer(&mut self, local: IpAddr, wish: &Wish) -> Result<String, PeerError> {
        self.again_at = None;
        self.early.clear();
        let mut link = Link::bind(local).await?;
        let (sdp, sections) = link.peer.offer(wish)?;
        link.sections = sections.into_iter().map(Some).collect();
        self.link = Some(link);
        Ok(sdp)
    }

    /// They offer: a new connection, or a change of the one there is.
    pub(super) async fn offered(
        &mut self,
        sdp: &str,
        local: IpAddr,
        wish: &Wish,
    ) -> Result<Option<Step>, PeerError> {
        let is_offering = self
            .link
            .as_ref()
            .is_some_and(|link| link.peer.is_offering());
        if is_offering && !self.be_polite {
            return Ok(None);
        }
        let fingerprint = fingerprint(sdp);
        let same = self.link.take();
        let same =
            same.filter(|link| link.fingerprint == fingerprint || link.fingerprint.is_none());
        let mut link = match same {
            Some(link) => link,
            None => Link::bind(local).await?,
        };
        let (answer, sections) = link.peer.answer(sdp, wish)?;
        link.wants_more = sections.contains(&None);
        link.sections = sections;
        link.described(sdp, &mut self.early);
        self.again_at = None;
        self.link = Some(link);
        Ok(Some(Step::Answer(answer)))
    }

    /// They answer our offer. Answers that nobody waits for are passed over.
    pub(super) fn answered(&mut self, sdp: &str) -> Result<(), PeerError> {
        let Some(link) = self.link.as_mut().filter(|link| link.peer.is_offering()) else {
            return Ok(());
        };
        link.peer.take_answer(sdp)?;
        link.described(sdp, &mut self.early);
        Ok(())
    }

    pub(super) fn candidate(&mut self, line: String) {
        match &mut self.link {
            Some(link) if link.fingerprint.is_some() => link.peer.take_candidate(&line),
            Some(_) | None => {
                if self.early.len() < EARLY_CANDIDATES_MAX {
                    self.early.push(line);
                }
            }
        }
    }

    pub(super) fn connected(&mut self) {
        if let Some(link) = &mut self.link {
            link.is_connected = true;
        }
    }

    /// An offer of what theirs had no place for. Only of a connection that is up: then they have taken our answer.
    pub(super) fn offer_more(&mut self, wish: &Wish) -> Result<Option<Step>, PeerError> {
        let link = self.link.as_mut();
        let Some(link) = link.filter(|link| link.wants_more && link.is_connected) else {
            return Ok(None);
        };
        if link.peer.is_offering() {
            return Ok(None);
        }
        let missing = link.sections.iter().zip(&wish.send);
        let missing = missing.filter(|(section, _)| section.is_none());
        let kinds: Vec<_> = missing.map(|(_, kind)| *kind).collect();
        let (sdp, sections) = link.peer.offer_more(&kinds)?;
        let places = link.sections.iter_mut().filter(|section| section.is_none());
        for (place, section) in places.zip(sections) {
            *place = Some(section);
        }
        link.wants_more = false;
        Ok(Some(Step::Offer(sdp)))
    }

    pub(super) fn write(&mut self, track: usize, frame: &Frame) -> Result<(), PeerError> {
        let Some(link) = self.link.as_mut().filter(|link| link.is_connected) else {
            return Ok(());
        };
        // A section that was just offered is there when it was answered.
        if link.peer.is_offering() {
            return Ok(());
        }
        let Some(place) = link.sections.get_mut(track) else {
            return Ok(());
        };
        let Some(section) = *place else {
            return Ok(());
        };
        let done = link.peer.write(section, frame);
        if matches!(done, Err(PeerError::NotSending)) {
            *place = None;
        }
        done
    }

    /// Whether that many bytes fit into the channel. None: it is not open.
    pub(super) fn room_for(&mut self, label: &str, length: usize) -> Option<bool> {
        let link = self.link.as_mut().filter(|link| link.peer.is_open(label))?;
        Some(link.peer.waiting_bytes() + length <= MESSAGE_BYTES_MAX)
    }

    /// Where the channel is open.
    pub(super) fn send(
        &mut self,
        label: &str,
        is_binary: bool,
        bytes: &[u8],
    ) -> Result<(), PeerError> {
        if let Some(link) = &mut self.link {
            link.peer.send(label, is_binary, bytes)?;
        }
        Ok(())
    }

    pub(super) fn waiting_bytes(&mut self) -> usize {
        let link = self.link.as_mut();
        link.map_or(0, |link| link.peer.waiting_bytes())
    }

    pub(super) fn request_keyframe(&mut self, section: Section) {
        if let Some(link) = &mut self.link {
            link.peer.request_keyframe(section);
        }
    }

    /// The connection is over; where offering is ours, it is tried again if it ever was agreed on. Why, if there was one.
    pub(super) fn lose(&mut self, now: Instant, why: &str) -> Option<String> {
        let mut link = self.link.take()?;
        link.peer.close();
        if !self.be_polite && link.agreed_at.is_some() {
            self.again_at = Some(now + AGAIN_AFTER);
        }
        Some(why.to_owned())
    }

    pub(super) fn close(&mut self) {
        if let Some(link) = &mut self.link {
            link.peer.close();
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let link = self.link.as_ref().filter(|link| !link.is_connected);
        let agreed_at = link.and_then(|link| link.agreed_at);
        agreed_at.map(|at| at + CONNECT_TIMEOUT).or(self.again_at)
    }

    /// It has a connection that is not up yet.
    pub(super) fn is_connecting(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.is_connected)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_connected)
    }

    pub(super) fn track(&self, section: Section) -> Option<usize> {
        let sections = &self.link.as_ref()?.sections;
        sections.iter().position(|place| *place == Some(section))
    }

    pub(super) fn peer(&mut self) -> Option<&mut Peer> {
        self.link.as_mut().map(|link| &mut link.peer)
    }
}

impl Link {
    async fn bind(local: IpAddr) -> Result<Self, PeerError> {
        Ok(Self {
            peer: Peer::bind(local).await?,
            sections: Vec::new(),
            fingerprint: None,
            agreed_at: None,
            is_connected: false,
            wants_more: false,
        })
    }

    /// Their description is there, and with it both are.
    fn described(&mut self, sdp: &str, early: &mut Vec<String>) {
        self.fingerprint = Some(fingerprint(sdp).unwrap_or_default());
        self.agreed_at.get_or_insert_with(Instant::now);
        for line in early.drain(..) {
            self.peer.take_candidate(&line);
        }
    }
}

/// A connection keeps its key for life: another one is another connection.
fn fingerprint(sdp: &str) -> Option<String> {
    let mut lines = sdp.lines();
    lines.find_map(|line| line.strip_prefix("a=fingerprint:").map(str::to_owned))
}
