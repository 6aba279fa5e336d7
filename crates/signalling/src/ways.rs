//! By which ways a member's media may go, for clients that cannot know by themselves: relays, and the server's own way.

use std::time::{Duration, Instant};

use madang_sfu::api::{Identity, Now};
use serde::Serialize;

use crate::door::{DoorOutput, Entered, Place};

/// Of the name of the same person where media goes through the server.
const MEDIA_SUFFIX: &str = "-media";

/// A member asks for it. `pass`: also for a place by which his media goes through the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaysWish {
    pub pass: Option<Pass>,
    /// Media goes to the server itself, not to other members.
    pub is_to_server: bool,
}

impl WaysWish {
    pub(crate) fn to_server() -> Self {
        Self {
            pass: None,
            is_to_server: true,
        }
    }
}

/// Who the same person is where media goes through the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub identity: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ways {
    /// None: nothing is relayed here.
    pub relay: Option<RelayAccess>,
    /// A token for the door of LiveKit's SDKs. None: nobody asked, or the room's members are connected to each other alone.
    pub pass: Option<String>,
    /// For how long all of it is good.
    pub ttl: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelayAccess {
    pub urls: Vec<String>,
    pub username: String,
    pub credential: String,
}

/// The first two members are those of a browser's `RTCConfiguration`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    ice_servers: Vec<&'a RelayAccess>,
    ice_transport_policy: &'static str,
    #[serde(rename = "ttl_s")]
    ttl_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Server<'a>>,
}

#[derive(Serialize)]
struct Server<'a> {
    token: &'a str,
}

/// What a conversation in one place keeps of it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    is_wanted: bool,
    /// Nobody in the room is to learn another's address.
    pub(crate) hides_addresses: bool,
    wish: Option<(Place, WaysWish)>,
    renewal: Option<Instant>,
}

impl Asked {
    /// `is_wanted`: the client wants to hear of it.
    pub(crate) fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            ..Self::default()
        }
    }

    /// After `Join`: heard before anything of anybody else is.
    pub(crate) fn entered(
        &mut self,
        place: Place,
        entered: &Entered,
        pass: Option<Pass>,
    ) -> Option<DoorOutput> {
        self.hides_addresses = entered.hides_addresses;
        self.wish = self.is_wanted.then_some((
            place,
            WaysWish {
                pass,
                is_to_server: false,
            },
        ));
        self.ask()
    }

    /// For the client.
    pub(crate) fn told(&mut self, now: Now, ways: &Ways) -> String {
        // Well before it is good no longer.
        self.renewal = now.instant.checked_add(ways.ttl / 4 * 3);
        ways.json(self.hides_addresses)
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) -> Option<DoorOutput> {
        self.renewal.take_if(|at| *at <= now.instant)?;
        self.ask()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.renewal
    }

    fn ask(&self) -> Option<DoorOutput> {
        let (place, wish) = self.wish.clone()?;
        Some(DoorOutput::Ways(place, wish))
    }
}

impl Pass {
    /// Of somebody who is in the room already.
    pub(crate) fn of(identity: &Identity, name: &str) -> Self {
        Self {
            identity: format!("{identity}{MEDIA_SUFFIX}"),
            name: name.to_owned(),
        }
    }
}

impl Ways {
    /// `hides_addresses`: nobody here is to learn another's address.
    pub(crate) fn json(&self, hides_addresses: bool) -> String {
        let said = Said {
            ice_servers: self.relay.iter().collect(),
            ice_transport_policy: if hides_addresses { "relay" } else { "all" },
            ttl_s: self.ttl.as_secs(),
            server: self.pass.as_deref().map(|token| Server { token }),
        };
        serde_json::to_string(&said).expect("strings and numbers only")
    }
}
