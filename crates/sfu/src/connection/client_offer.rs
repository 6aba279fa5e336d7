//! Connections on which the client offers. Tracks go down on the sections that the client made for receiving; when they
//! do not suffice, it is asked to offer again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::Mid;

use super::codecs::{CODECS, Payloads};
use super::sdp_text::{self, RemoteLines, SECTIONS_MAX, SectionText, Sending};
use super::sections::{Entry, Shown};
use super::shared::{ice_credentials, restarted};
use super::types::{Output, RemoteSection, RidName, Section};
use super::{Connection, egress, guarded};
use crate::api::{MediaKind, Now, Offerer, Refusal, SectionMap};

const WISH_DELAY: Duration = Duration::from_millis(10);
const WISH_DELAY_BUSY: Duration = Duration::from_millis(150);
/// Wishes that come that soon after one another are gathered for longer.
const BUSY: Duration = Duration::from_secs(1);
/// A client that does not offer again within that has read our answer by then, or never will.
const HELD_MAX: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct ClientOffers {
    /// What str0m would answer to the offer that is not answered yet.
    open: Option<String>,
    /// Mid and kind of the m-lines so far, and whether they were given up.
    lines: Vec<(String, Option<MediaKind>, bool)>,
    answered: bool,
    /// What all sections that are answered ahead of their tracks are a part of.
    pub(super) ahead_stream: Option<String>,
    /// The client was asked for sections since the last answer.
    told: bool,
    told_at: Option<Instant>,
    due: Option<Instant>,
    /// Tracks of the last answer are not sent before the client has read it, or before that.
    held_until: Option<Instant>,
}

impl ClientOffers {
    pub(super) fn due(&self) -> Option<Instant> {
        [self.due, self.held_until].into_iter().flatten().min()
    }

    /// The client knows of all sections.
    pub(super) fn is_settled(&self) -> bool {
        self.answered && self.open.is_none()
    }

    fn check_order(&self, sections: &[RemoteLines]) -> Result<(), Refusal> {
        if sections.len() < self.lines.len() {
            return Err(Refusal::Sdp("media sections are missing".to_owned()));
        }
        for ((mid, kind, given_up), section) in self.lines.iter().zip(sections) {
            let same = *mid == section.mid && *kind == section.kind;
            if !same && !given_up {
                return Err(Refusal::Sdp("media sections changed places".to_owned()));
            }
        }
        Ok(())
    }
}

impl Connection {
    /// The client's offer. After an `Err` the connection goes on as before. Gives all of the client's media sections.
    pub(crate) fn handle_offer(
        &mut self,
        now: Now,
        sdp: &str,
        _number: u32,
    ) -> Result<Vec<RemoteSection>, Refusal> {
        self.touch(now);
        if self.offerer != Offerer::Client {
            return Err(Refusal::State("here the server offers"));
        }
        let remote = sdp_text::read(sdp, self.shared.sdp_bytes_max())?;
        self.client.check_order(&remote.sections)?;
        let offer = SdpOffer::from_sdp_string(&remote.text)
            .map_err(|error| Refusal::Sdp(sdp_text::short(&error)))?;
        self.settle();
        let accepted = guarded(&mut self.rtc, |rtc| rtc.sdp_api().accept_offer(offer));
        let answer = match accepted {
            Ok(answer) => answer.to_sdp_string(),
            Err(refusal) => {
                self.offer_failed();
                return Err(refusal);
            }
        };
        // Whoever offers again has read the answer before.
        self.release_held();
        self.follow_restart();
        self.client.lines = remote
            .sections
            .iter()
            .map(|section| (section.mid.clone(), section.kind, section.rejected))
            .collect();
        self.client.open = Some(answer);
        self.client.due = None;
        self.ingress.renegotiated(&self.rtc);
        Ok(self.note_sections(&remote.sections))
    }

    /// The answer to the last handled offer.
    pub(crate) fn answer(&mut self, now: Now) -> Result<(String, SectionMap), Refusal> {
        self.touch(now);
        let Some(text) = self.client.open.take() else {
            return Err(Refusal::State("no offer to answer"));
        };
        let lone = [MediaKind::Audio, MediaKind::Video].map(|kind| self.sections.shows_one(kind));
        self.prepare_ahead();
        self.bind_waiting();
        let texts = self.section_texts();
        let answer = sdp_text::write(&text, &self.credentials, &texts);
        for entry in self.sections.entries.values_mut() {
            entry.shown = entry.carries.map_or(Shown::Nothing, Shown::Track);
        }
        self.client.answered = true;
        self.client.told = false;
        self.let_go_or_hold(lone);
        self.wish_sections();
        Ok((answer, self.sections.map()))
    }

    /// The answer's tracks may be sent, but not yet those that come beside a single section of their kind (`lone`).
    ///
    /// Packets overtake the answer: they go by another way, and the client takes its time to apply it. Most clients drop
    /// what they know nothing of. Firefox gives it to the only section that has its payload type, as long as nothing came
    /// on that one (a muted camera, say); and when it has read whose the packets are, it fails to give them to the right
    /// one, for good: `RtpStreamReceiverController: Sink could not be added`. With none or with several such sections it
    /// drops them too. An offer is the only sign that an answer was read, so the client is asked for one.
    fn let_go_or_hold(&mut self, lone: [bool; 2]) {
        let [lone_audio, lone_video] = lone;
        let mut holds = false;
        for down in self.sections.downs.values_mut() {
            let held = match down.track.kind {
                MediaKind::Audio => lone_audio,
                MediaKind::Video => lone_video,
            };
            if let Some(binding) = &mut down.binding {
                binding.negotiated |= !held;
                holds |= !binding.negotiated;
            }
        }
        self.client.held_until = holds.then(|| self.now + HELD_MAX);
        self.announce_ready();
    }

    fn release_held(&mut self) {
        if self.client.held_until.take().is_none() {
            return;
        }
        for down in self.sections.downs.values_mut() {
            if let Some(binding) = &mut down.binding {
                binding.negotiated = true;
            }
        }
        self.announce_ready();
    }

    /// Asks for an offer that is due, and waits no longer for one that does not come.
    pub(super) fn client_timeout(&mut self) {
        if self.client.held_until.is_some_and(|at| at <= self.now) {
            self.release_held();
        }
        if self.client.due.is_some_and(|due| due <= self.now) {
            self.tell_wish();
        }
    }

    /// Asks the client for sections, soon, when there are tracks without one, or with one that it may not know of yet.
    pub(super) fn wish_sections(&mut self) {
        let client = &mut self.client;
        let holds = client.held_until.is_some();
        let possible = self.offerer == Offerer::Client
            && self.subscribe
            && client.answered
            && client.open.is_none()
            && !client.told
            && client.due.is_none();
        if !possible || !holds && self.sections.waiting_counts().is_zero() {
            return;
        }
        let busy = !holds
            && client
                .told_at
                .is_some_and(|at| self.now.saturating_duration_since(at) < BUSY);
        let delay = if busy { WISH_DELAY_BUSY } else { WISH_DELAY };
        client.due = Some(self.now + delay);
    }

    fn tell_wish(&mut self) {
        self.client.due = None;
        let holds = self.client.held_until.is_some();
        let waiting = self.sections.waiting_counts();
        if waiting.is_zero() && !holds {
            return;
        }
        let free = self.sections.free_counts();
        let room = SECTIONS_MAX.saturating_sub(self.client.lines.len());
        let missing = waiting.beyond(free).at_most(room);
        if missing.is_zero() && free.is_zero() && !holds {
            tracing::debug!(?waiting, "tracks without a section, and no room for more");
            return;
        }
        self.client.told = true;
        self.client.told_at = Some(self.now);
        self.outputs.push_back(Output::SectionsWanted {
            audio: missing.audio,
            video: missing.video,
        });
    }

    /// The restarting client gave itself new credentials, and str0m made up some for us.
    fn follow_restart(&mut self) {
        let ours = ice_credentials(&self.credentials);
        if self.rtc.direct_api().local_ice_credentials() == ours {
            return;
        }
        if let Some(credentials) = restarted(&self.credentials, self.shared.crypto()) {
            self.credentials = credentials;
        }
        let ours = ice_credentials(&self.credentials);
        self.rtc.direct_api().set_local_ice_credentials(ours);
    }

    /// What was checked before keeps str0m from failing half-way; where it does so at the first offer, there is nothing
    /// to lose by starting over.
    fn offer_failed(&mut self) {
        if self.client.lines.is_empty() {
            self.rebuild();
        }
    }

    fn note_sections(&mut self, lines: &[RemoteLines]) -> Vec<RemoteSection> {
        let mut known: Vec<Mid> = Vec::new();
        let mut sections = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let Some(kind) = line.kind else { continue };
            let mid = Mid::from(line.mid.as_str());
            known.push(mid);
            sections.extend(self.note_section(mid, kind, index, line));
        }
        let gone: Vec<Mid> = self
            .sections
            .entries
            .keys()
            .copied()
            .filter(|mid| !known.contains(mid))
            .collect();
        for mid in gone {
            self.sections.unbind(mid);
            self.sections.entries.remove(&mid);
        }
        sections
    }

    fn note_section(
        &mut self,
        mid: Mid,
        kind: MediaKind,
        index: usize,
        line: &RemoteLines,
    ) -> Option<RemoteSection> {
        let media = self.rtc.media(mid)?;
        let stopped = media.stopped() || line.rejected;
        let payloads = Payloads::new(self.rtc.codec_config(), media.remote_pts(), kind);
        let (sends, receives) = line
            .flow
            .map_or((true, true), |flow| (flow.sends(), flow.receives()));
        let section = Section(mid);
        let entry = self
            .sections
            .entries
            .entry(mid)
            .or_insert_with(|| Entry::new(section, kind, index));
        entry.index = index;
        entry.stopped = stopped;
        entry.takes = self.subscribe && receives && !stopped;
        entry.gives = self.publish && sends && !stopped;
        entry.payloads = payloads;
        entry.order.clone_from(&line.payloads);
        let gives = entry.gives;
        let usable = entry.usable();
        if !usable {
            entry.shown = Shown::Nothing;
            entry.ahead = None;
            self.sections.unbind(mid);
        }
        if usable {
            let offered = CODECS.into_iter().filter(|codec| codec.kind() == kind);
            self.sections.learn_codecs(offered, &payloads);
        }
        egress::silence(&mut self.rtc, mid);
        self.redescribe(mid, payloads);
        let (stream_id, track_id) = line.msid.clone().unwrap_or_default();
        Some(RemoteSection {
            section,
            kind,
            stream_id,
            track_id,
            rids: line
                .rids
                .iter()
                .map(|rid| RidName(rid.as_str().into()))
                .collect(),
            sending: gives,
            codec: sdp_text::first_codec(&line.payloads, |codec| payloads.get(codec).is_some()),
        })
    }

    pub(super) fn bind_waiting(&mut self) {
        let order = self.sections.in_order();
        for key in self.sections.waiting() {
            let Some(down) = self.sections.downs.get(&key) else {
                continue;
            };
            // Better one that does nothing else.
            let fitting = |gives: bool| {
                order.iter().copied().find(|mid| {
                    self.sections.entries.get(mid).is_some_and(|entry| {
                        entry.ready() && entry.gives == gives && entry.fits(&down.track)
                    })
                })
            };
            let Some(mid) = fitting(false).or_else(|| fitting(true)) else {
                continue;
            };
            self.bind(key, mid);
        }
    }

    fn bind(&mut self, key: super::DownKey, mid: Mid) {
        let Some(entry) = self.sections.entries.get_mut(&mid) else {
            return;
        };
        let stream = match &mut entry.ahead {
            Some(ahead) => ahead.lend(),
            None => {
                let ssrcs = self.egress.fresh_ssrcs(&mut self.rtc, entry.kind);
                egress::stream(&self.rtc, mid, ssrcs, entry.payloads)
            }
        };
        if let Some(stream) = stream {
            self.sections.bind(key, egress::binding(mid, stream));
        }
    }

    /// What is sent on the section goes on in the client's present words.
    fn redescribe(&mut self, mid: Mid, payloads: Payloads) {
        let (Some(entry), Some(media)) = (self.sections.entries.get_mut(&mid), self.rtc.media(mid))
        else {
            return;
        };
        let down = entry
            .carries
            .and_then(|key| self.sections.downs.get_mut(&key));
        let bound = down.and_then(|down| down.binding.as_mut());
        let stream = match (bound, &mut entry.ahead) {
            (Some(binding), _) => Some(&mut binding.stream),
            (None, Some(ahead)) => ahead.stream_mut(),
            (None, None) => None,
        };
        if let Some(stream) = stream {
            stream.redescribe(payloads, media.remote_extmap());
        }
    }

    fn section_texts(&self) -> BTreeMap<String, SectionText> {
        let mut texts = BTreeMap::new();
        for entry in self.sections.entries.values() {
            if entry.stopped {
                continue;
            }
            let down = entry.carries.and_then(|key| self.sections.downs.get(&key));
            let sending = down.and_then(|down| {
                let binding = down.binding.as_ref()?;
                Some(Sending {
                    stream_id: down.track.stream_id.clone(),
                    track_id: down.track.track_id.clone(),
                    ssrcs: binding.stream.ssrcs(),
                })
            });
            let ahead = entry.ahead.as_ref().map(|ahead| ahead.sending().clone());
            let opus = (entry.gives && entry.kind == MediaKind::Audio).then_some(entry.opus);
            texts.insert(
                entry.section.to_string(),
                SectionText {
                    flow: entry.flow(),
                    sending: ahead.or(sending),
                    order: entry.written_order(),
                    only: None,
                    opus,
                },
            );
        }
        texts
    }
}
