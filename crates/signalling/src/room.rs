//! What a room is made with, by whichever door its first member comes.

/// Which way the media of a room goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// From member to member; the server carries their words alone.
    Mesh,
    /// Through the server.
    Sfu,
}

/// What a room is bound to for its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// None: both ways are open.
    pub topology: Option<Topology>,
    /// Those who connect to each other do so by way of a relay alone, and nobody learns another's address.
    pub hides_addresses: bool,
}

impl Bounds {
    /// As the API and tokens say it; nothing said is nothing asked for.
    pub fn named(name: &str) -> Result<Self, &'static str> {
        let (topology, hides_addresses) = match name {
            "" => (None, false),
            "mesh" => (Some(Topology::Mesh), false),
            "sfu" => (Some(Topology::Sfu), false),
            "relay" => (None, true),
            "mesh-relay" => (Some(Topology::Mesh), true),
            _ => {
                return Err(
                    "no such room preset: there are `mesh`, `sfu`, `relay` and `mesh-relay`",
                );
            }
        };
        Ok(Self {
            topology,
            hides_addresses,
        })
    }
}

/// What a token asks of a room that does not exist yet. 0 and empty: the server's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomSettings {
    pub metadata: String,
    pub peers_max: Option<u32>,
    pub empty_timeout_s: Option<u32>,
    pub departure_timeout_s: Option<u32>,
    /// Where nothing is asked for, it is as the server has it for that name.
    pub bounds: Bounds,
}

impl RoomSettings {
    /// As they are said: members, and how long it is kept empty and left, in seconds; 0 is the server's default.
    pub(crate) fn said(metadata: String, limits: [u32; 3], bounds: Bounds) -> Self {
        let [peers_max, empty_timeout_s, departure_timeout_s] =
            limits.map(|value| (value > 0).then_some(value));
        Self {
            metadata,
            peers_max,
            empty_timeout_s,
            departure_timeout_s,
            bounds,
        }
    }
}
