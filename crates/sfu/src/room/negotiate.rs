//! Offers and answers: which section of a client carries which publication.

use crate::api::{ConnectionKey, Event, PeerId, Refusal, RequestKind};
use crate::connection::RemoteSection;
use crate::context::Context;
use crate::io::Slot;

use super::Room;

impl Room {
    pub(crate) fn offer(
        &mut self,
        peer: PeerId,
        key: ConnectionKey,
        sdp: &str,
        number: u32,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let request = RequestKind::Offer {
            connection: key,
            number,
        };
        let Some(slot) = self.slot(peer, key) else {
            return Err((request, Refusal::NotFound("connection")));
        };
        if sdp.len() > cx.config.sdp_bytes_max {
            return Err((request, Refusal::TooLarge("session description")));
        }
        let now = cx.now;
        let Some(entry) = cx.connections.get_mut(slot) else {
            return Err((request, Refusal::NotFound("connection")));
        };
        let sections = match entry.guard(|connection| connection.handle_offer(now, sdp, number)) {
            Some(Ok(sections)) => sections,
            Some(Err(refusal)) => return Err((request, refusal)),
            None => return Err((request, Refusal::State("working"))),
        };
        cx.connections.mark(slot);
        self.sections_changed(slot, sections, cx);
        self.claim(peer, cx);
        let Some(entry) = cx.connections.get_mut(slot) else {
            return Ok(());
        };
        match entry.guard(|connection| connection.answer(now)) {
            Some(Ok((sdp, sections))) => {
                cx.event(
                    peer,
                    Event::Answer {
                        connection: key,
                        sdp,
                        number,
                        sections,
                    },
                );
                Ok(())
            }
            Some(Err(refusal)) => Err((request, refusal)),
            None => Err((request, Refusal::State("working"))),
        }
    }

    pub(crate) fn answer(
        &mut self,
        peer: PeerId,
        key: ConnectionKey,
        sdp: &str,
        number: u32,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let request = RequestKind::Answer {
            connection: key,
            number,
        };
        let Some(slot) = self.slot(peer, key) else {
            return Err((request, Refusal::NotFound("connection")));
        };
        if sdp.len() > cx.config.sdp_bytes_max {
            return Err((request, Refusal::TooLarge("session description")));
        }
        let now = cx.now;
        let Some(entry) = cx.connections.get_mut(slot) else {
            return Err((request, Refusal::NotFound("connection")));
        };
        match entry.guard(|connection| connection.handle_answer(now, sdp, number)) {
            Some(Ok(sections)) => {
                cx.connections.mark(slot);
                if !sections.is_empty() {
                    self.sections_changed(slot, sections, cx);
                    self.claim(peer, cx);
                }
                Ok(())
            }
            Some(Err(refusal)) => Err((request, refusal)),
            None => Err((request, Refusal::State("working"))),
        }
    }

    pub(crate) fn candidate(
        &mut self,
        peer: PeerId,
        key: ConnectionKey,
        candidate: &str,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let now = cx.now;
        let slot = self.slot(peer, key);
        let Some((slot, entry)) = slot.and_then(|slot| Some((slot, cx.connections.get_mut(slot)?)))
        else {
            return Err((RequestKind::Candidate(key), Refusal::NotFound("connection")));
        };
        match entry.guard(|connection| connection.add_candidate(now, candidate)) {
            Some(Err(refusal)) => Err((RequestKind::Candidate(key), refusal)),
            Some(Ok(())) | None => {
                cx.connections.mark(slot);
                Ok(())
            }
        }
    }

    pub(crate) fn restart(&mut self, peer: PeerId, key: ConnectionKey, cx: &mut Context<'_>) {
        let Some(slot) = self.slot(peer, key) else {
            return;
        };
        let now = cx.now;
        let credentials = crate::ufrag::Credentials::new(cx.config.shard, slot, cx.entropy);
        if let Some(entry) = cx.connections.get_mut(slot) {
            entry.guard(|connection| connection.restart(now, credentials));
            cx.connections.mark(slot);
        }
    }

    pub(super) fn slot(&self, peer: PeerId, key: ConnectionKey) -> Option<Slot> {
        self.local(peer)?.connections.get(&key).copied()
    }

    /// Holds what the client's sections say against what they carried so far: a section that stopped sending, or that
    /// was given to another track of the client, ends its publication.
    fn sections_changed(&mut self, slot: Slot, sections: Vec<RemoteSection>, cx: &mut Context<'_>) {
        let Some(entry) = cx.connections.get_mut(slot) else {
            return;
        };
        if !entry.options.publish {
            return;
        }
        let peer = entry.peer;
        let announced = |client_id: &str| {
            self.local(peer).is_some_and(|local| {
                local
                    .announced
                    .iter()
                    .any(|(_, publication)| publication.client_id == client_id)
            })
        };
        let mut ended = Vec::new();
        let mut unclaimed = Vec::new();
        for section in sections {
            let carried = entry
                .ups
                .iter()
                .find(|up| up.section == section.section)
                .map(|up| up.track);
            match carried {
                Some(track) if !section.sending => ended.push(track),
                Some(track) => {
                    let same = self
                        .tracks
                        .get(&track)
                        .is_some_and(|t| t.publication.client_id == section.track_id);
                    if !same && announced(&section.track_id) {
                        ended.push(track);
                        unclaimed.push(section);
                    }
                }
                None if section.sending
                    && (!entry.is_retired(&section) || announced(&section.track_id)) =>
                {
                    unclaimed.push(section);
                }
                None => {}
            }
        }
        entry.unclaimed = unclaimed;
        for track in ended {
            self.end_track(track, cx);
        }
    }
}
