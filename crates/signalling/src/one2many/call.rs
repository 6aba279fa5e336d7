//! A place of this door, and what its holder wished for.

use std::sync::Arc;

use madang_sfu::api::{Identity, PeerId};

use super::NAME_BYTES_MAX;
use super::audience::Audience;
use super::words::Role;
use crate::door::Place;
use crate::query::Query;
use crate::roster::Roster;
use crate::sdp::Offer;
use crate::watching::Patience;

/// A place that is held or asked for.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) place: Place,
    pub(super) role: Role,
    pub(super) identity: Identity,
    /// Until its publisher's tracks are known.
    pub(super) offer: Option<Offer>,
    pub(super) patience: Patience,
    pub(super) audience: Audience,
    pub(super) is_inside: bool,
    pub(super) is_open: bool,
    /// A viewer was told that it waits.
    pub(super) is_waiting: bool,
    /// Whom a viewer watches.
    pub(super) watched: Option<PeerId>,
    pub(super) roster: Roster,
    pub(super) channel: Option<Arc<str>>,
}

/// What a page asks for beyond the tutorials, by its query.
#[derive(Debug)]
pub(super) struct Wishes {
    /// To hear how many watch.
    pub(super) count: bool,
    /// As a viewer, to wait for the presenter instead of being rejected.
    pub(super) wait: bool,
    /// As a presenter, to have the place again after its line broke.
    pub(super) seat: Option<String>,
}

impl Call {
    pub(super) fn new(place: Place, role: Role, identity: Identity, offer: String) -> Self {
        Self {
            place,
            role,
            identity,
            offer: Some(Offer::read(offer, None)),
            patience: Patience::default(),
            audience: Audience::default(),
            is_inside: false,
            is_open: false,
            is_waiting: false,
            watched: None,
            roster: Roster::default(),
            channel: None,
        }
    }
}

impl Wishes {
    /// The error is a sentence for the client.
    pub(super) fn read(query: &Query) -> Result<Self, String> {
        let seat = query.given("seat");
        if seat
            .as_ref()
            .is_some_and(|seat| seat.len() > NAME_BYTES_MAX)
        {
            return Err("seat: at most 256 bytes".to_owned());
        }
        Ok(Self {
            count: query.is_set("count"),
            wait: query.is_set("wait"),
            seat,
        })
    }
}
