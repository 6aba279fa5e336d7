//! Who publishes what in a room, as a door needs to know it.

use std::collections::BTreeMap;
use std::sync::Arc;

use madang_sfu::api::{PeerId, PeerInfo, Publication, TrackId};

#[derive(Debug, Default)]
pub(crate) struct Roster {
    others: BTreeMap<PeerId, Arc<PeerInfo>>,
}

impl Roster {
    pub(crate) fn set(&mut self, others: Vec<Arc<PeerInfo>>) {
        self.others = others.into_iter().map(|info| (info.id, info)).collect();
    }

    /// New, or changed.
    pub(crate) fn put(&mut self, info: Arc<PeerInfo>) {
        self.others.insert(info.id, info);
    }

    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.others.remove(&peer);
    }

    pub(crate) fn by_identity(&self, identity: &str) -> Option<&Arc<PeerInfo>> {
        self.others
            .values()
            .find(|info| info.identity.as_str() == identity)
    }

    /// How many there are but for that one.
    pub(crate) fn count_without(&self, identity: &str) -> usize {
        let others = self.others.values();
        let others = others.filter(|info| info.identity.as_str() != identity);
        others.count()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<PeerInfo>> {
        self.others.values()
    }

    /// Whom to watch: the one of that name; where there is none, everybody who sends.
    pub(crate) fn sources(&self, identity: &str) -> Vec<&Arc<PeerInfo>> {
        match self.by_identity(identity) {
            Some(publisher) => vec![publisher],
            None => self.publishers().collect(),
        }
    }

    pub(crate) fn publication(&self, track: TrackId) -> Option<&Publication> {
        let mut members = self.others.values();
        members.find_map(|info| info.publication(track).map(AsRef::as_ref))
    }

    /// Those who publish anything.
    pub(crate) fn publishers(&self) -> impl Iterator<Item = &Arc<PeerInfo>> {
        self.others
            .values()
            .filter(|info| !info.publications.is_empty())
    }
}

pub(crate) fn tracks_of(info: &PeerInfo) -> Vec<TrackId> {
    info.publications
        .iter()
        .map(|publication| publication.id)
        .collect()
}
