//! Connections on which we offer: one offer at a time, what is wished meanwhile goes into the next.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind as RtcKind, Mid};

use super::codecs::{CODECS, Payloads};
use super::egress::Ssrcs;
use super::sdp_text::{self, Flow, SECTIONS_MAX, SectionText, Sending};
use super::sections::{Entry, Shown};
use super::shared::ice_credentials;
use super::types::{DownKey, Output, RemoteSection, Section};
use super::{Connection, channels, egress, guarded};
use crate::api::{ChannelSpec, MediaKind, Now, Offerer, Refusal, SectionMap};
use crate::ufrag::Credentials;

const OFFER_DELAY: Duration = Duration::from_millis(10);
const OFFER_DELAY_BUSY: Duration = Duration::from_millis(150);
/// Offers that come that soon after one another are gathered for longer.
const BUSY: Duration = Duration::from_secs(1);
/// A client that does not answer within that is not there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
pub(super) struct ServerOffers {
    pub(super) channels: Vec<ChannelSpec>,
    outstanding: Option<Outstanding>,
    last_number: u32,
    last_at: Option<Instant>,
    due: Option<Instant>,
    /// Something changed since the last offer was made.
    wanted: bool,
    restart: Option<Credentials>,
    index_next: usize,
}

struct Outstanding {
    number: u32,
    pending: SdpPendingOffer,
    sdp: String,
    sections: SectionMap,
    plan: Plan,
    /// The mids of the m-lines.
    lines: Vec<String>,
    credentials: Option<Credentials>,
    expires: Option<Instant>,
}

impl fmt::Debug for Outstanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outstanding")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// What an offer changes.
#[derive(Debug, Default)]
struct Plan {
    idle: Vec<Mid>,
    again: Vec<Placed>,
    /// Sections to be made.
    new: Vec<Placed>,
}

/// A track, its section, and the stream that the client is told of.
#[derive(Debug, Clone, Copy)]
struct Placed {
    mid: Mid,
    key: DownKey,
    ssrcs: Ssrcs,
}

impl ServerOffers {
    pub(super) fn due(&self) -> Option<Instant> {
        let expires = self.outstanding.as_ref().and_then(|offer| offer.expires);
        [self.due, expires].into_iter().flatten().min()
    }
}

impl Connection {
    /// Our next offer carries an ICE restart.
    pub(crate) fn restart(&mut self, now: Now, credentials: Credentials) {
        self.touch(now);
        if self.offerer != Offerer::Server {
            return;
        }
        self.server.restart = Some(credentials);
        self.server.wanted = true;
        // The client may have lost the offer that is out, or we its answer: to hear it twice harms nobody.
        if let Some(offer) = &mut self.server.outstanding {
            offer.expires = Some(self.now + ANSWER_TIMEOUT);
            self.outputs.push_back(Output::Offer {
                sdp: offer.sdp.clone(),
                number: offer.number,
                sections: offer.sections.clone(),
            });
        } else {
            self.server.due = Some(self.now);
        }
    }

    /// The client's answer to our offer; a stale one gives an empty list.
    pub(crate) fn handle_answer(
        &mut self,
        now: Now,
        sdp: &str,
        number: u32,
    ) -> Result<Vec<RemoteSection>, Refusal> {
        self.touch(now);
        if self.offerer != Offerer::Server {
            return Err(Refusal::State("here the client offers"));
        }
        let Some(offer) = &self.server.outstanding else {
            return Ok(Vec::new());
        };
        if number != 0 && number != offer.number {
            return Ok(Vec::new());
        }
        let remote = sdp_text::read(sdp, self.shared.sdp_bytes_max())?;
        let mids = remote.sections.iter().map(|section| &section.mid);
        if !mids.eq(offer.lines.iter()) {
            return Err(Refusal::Sdp(
                "not the media sections of the offer".to_owned(),
            ));
        }
        let answer = SdpAnswer::from_sdp_string(&remote.text)
            .map_err(|error| Refusal::Sdp(sdp_text::short(&error)))?;
        self.settle();
        let Some(offer) = self.server.outstanding.take() else {
            return Ok(Vec::new());
        };
        let Outstanding {
            pending,
            plan,
            credentials,
            expires,
            ..
        } = offer;
        if let Err(refusal) = guarded(&mut self.rtc, |rtc| {
            rtc.sdp_api().accept_answer(pending, answer)
        }) {
            // The offer is spent, and what the client made of it is not known.
            self.outputs.push_back(Output::Disconnected);
            return Err(refusal);
        }
        if let Some(credentials) = credentials {
            self.credentials = credentials;
            let ours = ice_credentials(&self.credentials);
            self.rtc.direct_api().set_local_ice_credentials(ours);
        }
        self.ingress.renegotiated(&self.rtc);
        self.commit(plan);
        self.announce_ready();
        if expires.is_none() && self.link.told {
            // It was given up, and is there after all.
            self.outputs.push_back(Output::Connected);
        }
        if self.server.wanted {
            self.schedule_offer();
        }
        Ok(self.remote_sections())
    }

    /// Something changed that the client must be told of.
    pub(super) fn wish_offer(&mut self) {
        if self.offerer == Offerer::Server {
            self.server.wanted = true;
            self.schedule_offer();
        }
    }

    /// Makes an offer that is due, and gives up one that nobody answers.
    pub(super) fn server_timeout(&mut self) {
        if let Some(offer) = &mut self.server.outstanding
            && offer.expires.is_some_and(|at| at <= self.now)
        {
            offer.expires = None;
            self.outputs.push_back(Output::Disconnected);
        }
        if self.server.due.is_some_and(|due| due <= self.now) {
            self.server.due = None;
            self.make_offer();
        }
    }

    /// The first offer opens the channels, so it does not wait for tracks.
    pub(super) fn first_offer(&mut self) {
        if !self.server.channels.is_empty() {
            self.server.wanted = true;
            self.server.due = Some(self.now);
        }
    }

    fn schedule_offer(&mut self) {
        if self.server.outstanding.is_some() || self.server.due.is_some() {
            return;
        }
        let busy = self
            .server
            .last_at
            .is_some_and(|at| self.now.saturating_duration_since(at) < BUSY);
        let delay = if busy { OFFER_DELAY_BUSY } else { OFFER_DELAY };
        self.server.due = Some(self.now + delay);
    }

    fn make_offer(&mut self) {
        if self.server.outstanding.is_some() || !self.server.wanted {
            return;
        }
        self.server.wanted = false;
        let mut plan = self.plan();
        let restart = self.server.restart.take();
        let mut api = self.rtc.sdp_api();
        if restart.is_some() {
            // str0m makes its own, which are replaced in the text and when the answer is there.
            let _made_up = api.ice_restart(true);
        }
        for spec in self.server.channels.drain(..) {
            let _id = api.add_channel_with_config(channels::config(&spec));
        }
        for mid in &plan.idle {
            api.set_direction(*mid, Direction::Inactive);
        }
        for placed in &plan.again {
            api.set_direction(placed.mid, Direction::SendOnly);
        }
        for Placed { mid, key, .. } in &mut plan.new {
            let Some(down) = self.sections.downs.get(key) else {
                continue;
            };
            let kind = match down.track.kind {
                MediaKind::Audio => RtcKind::Audio,
                MediaKind::Video => RtcKind::Video,
            };
            *mid = api.add_media(
                kind,
                Direction::SendOnly,
                Some(down.track.stream_id.clone()),
                Some(down.track.track_id.clone()),
                None,
            );
        }
        let Some((offer, pending)) = api.apply() else {
            return;
        };
        self.say_offer(&offer.to_sdp_string(), pending, plan, restart);
    }

    fn say_offer(
        &mut self,
        text: &str,
        pending: SdpPendingOffer,
        plan: Plan,
        restart: Option<Credentials>,
    ) {
        self.drained = false;
        let credentials = restart.as_ref().unwrap_or(&self.credentials);
        let sdp = sdp_text::write(text, credentials, &self.offer_texts(&plan));
        let lines: Vec<String> = sdp
            .lines()
            .filter_map(|line| line.strip_prefix("a=mid:"))
            .map(str::to_owned)
            .collect();
        let sections = self.offer_map(&plan);
        self.server.last_number = self.server.last_number.wrapping_add(1).max(1);
        self.server.last_at = Some(self.now);
        let number = self.server.last_number;
        self.outputs.push_back(Output::Offer {
            sdp: sdp.clone(),
            number,
            sections: sections.clone(),
        });
        self.server.outstanding = Some(Outstanding {
            number,
            pending,
            sdp,
            sections,
            plan,
            lines,
            credentials: restart,
            expires: Some(self.now + ANSWER_TIMEOUT),
        });
    }

    /// Which tracks go where. A section never carries the same stream twice: some clients announce a pair of section
    /// and stream once in their lives.
    fn plan(&mut self) -> Plan {
        let mut plan = Plan::default();
        let entries = &self.sections.entries;
        for (mid, entry) in entries {
            if entry.carries.is_none() && entry.shown != Shown::Nothing && !entry.stopped {
                plan.idle.push(*mid);
            }
        }
        for key in self.sections.waiting() {
            let Some(down) = self.sections.downs.get(&key) else {
                continue;
            };
            let recycled = entries.iter().find(|(mid, entry)| {
                entry.ready()
                    && entry.fits(&down.track)
                    && !entry.streams.contains(&down.track.stream_id)
                    && !plan.again.iter().any(|taken| taken.mid == **mid)
            });
            let ssrcs = self.egress.fresh_ssrcs(&mut self.rtc, down.track.kind);
            let placed = |mid| Placed { mid, key, ssrcs };
            if let Some((mid, _)) = recycled {
                plan.again.push(placed(*mid));
            } else if entries.len() + plan.new.len() + 1 < SECTIONS_MAX {
                // The mid is given by str0m.
                plan.new.push(placed(Mid::from("new")));
            } else {
                tracing::debug!(?key, "no section is left for a track");
            }
        }
        plan
    }

    fn offer_texts(&self, plan: &Plan) -> BTreeMap<String, SectionText> {
        let mut texts = BTreeMap::new();
        let carried = self
            .sections
            .entries
            .values()
            .filter(|entry| !entry.stopped)
            .map(|entry| (entry.section, entry.carries, None));
        let planned = plan.again.iter().chain(&plan.new);
        let planned =
            planned.map(|placed| (Section(placed.mid), Some(placed.key), Some(placed.ssrcs)));
        for (section, key, planned) in carried.chain(planned) {
            let down = key.and_then(|key| self.sections.downs.get(&key));
            let sending = down.and_then(|down| {
                let bound = down.binding.as_ref().map(|binding| binding.stream.ssrcs());
                Some(Sending {
                    stream_id: down.track.stream_id.clone(),
                    track_id: down.track.track_id.clone(),
                    ssrcs: planned.or(bound)?,
                })
            });
            let only = down
                .and_then(|down| down.track.codec)
                .filter(|codec| codec.kind() == MediaKind::Video);
            texts.insert(
                section.to_string(),
                SectionText {
                    flow: Flow::new(sending.is_some(), false),
                    sending,
                    order: Vec::new(),
                    only,
                    opus: None,
                },
            );
        }
        texts
    }

    fn offer_map(&self, plan: &Plan) -> SectionMap {
        let mut map = self.sections.map();
        for placed in plan.again.iter().chain(&plan.new) {
            if let Some(track) = self.sections.track_of(placed.key) {
                map.push((Section(placed.mid).to_string(), track));
            }
        }
        map
    }

    /// The client agreed.
    fn commit(&mut self, plan: Plan) {
        for mid in plan.idle {
            if let Some(entry) = self.sections.entries.get_mut(&mid) {
                entry.shown = Shown::Nothing;
            }
        }
        for placed in plan.new {
            let mid = placed.mid;
            let Some(kind) = self.rtc.media(mid).map(|media| media.kind()) else {
                continue;
            };
            let kind = match kind {
                RtcKind::Audio => MediaKind::Audio,
                RtcKind::Video => MediaKind::Video,
            };
            let index = self.server.index_next;
            self.server.index_next += 1;
            let entry = Entry::new(Section(mid), kind, index);
            self.sections.entries.insert(mid, entry);
            self.commit_section(placed);
        }
        for placed in plan.again {
            self.commit_section(placed);
        }
        let mids: Vec<Mid> = self.sections.entries.keys().copied().collect();
        for mid in mids {
            egress::silence(&mut self.rtc, mid);
        }
    }

    fn commit_section(&mut self, Placed { mid, key, ssrcs }: Placed) {
        let (Some(entry), Some(media)) = (self.sections.entries.get_mut(&mid), self.rtc.media(mid))
        else {
            return;
        };
        let kind = entry.kind;
        let payloads = Payloads::new(self.rtc.codec_config(), media.remote_pts(), kind);
        entry.stopped = media.stopped();
        entry.takes = !entry.stopped && media.direction().is_sending();
        entry.refused = !entry.takes;
        entry.payloads = payloads;
        entry.shown = Shown::Track(key);
        let track = self.sections.downs.get(&key).map(|down| &down.track);
        let only = track
            .and_then(|track| track.codec)
            .filter(|codec| codec.kind() == MediaKind::Video);
        let offered = CODECS
            .into_iter()
            .filter(|codec| codec.kind() == kind && only.is_none_or(|only| only == *codec));
        let detached = track.is_none();
        self.sections.learn_codecs(offered, &payloads);
        if let Some(stream) = egress::stream(&self.rtc, mid, ssrcs, payloads)
            && !detached
        {
            let mut binding = egress::binding(mid, stream);
            binding.negotiated = self.sections.entries.get(&mid).is_some_and(Entry::usable);
            self.sections.bind(key, binding);
        } else {
            self.server.wanted = true;
        }
    }

    /// None of them sends: we offer only to send.
    fn remote_sections(&self) -> Vec<RemoteSection> {
        self.sections
            .in_order()
            .into_iter()
            .filter_map(|mid| self.sections.entries.get(&mid))
            .map(|entry| RemoteSection {
                section: entry.section,
                kind: entry.kind,
                stream_id: String::new(),
                track_id: String::new(),
                rids: Vec::new(),
                sending: false,
                codec: None,
            })
            .collect()
    }
}
