//! What a room is made with, by whichever door its first member comes.

/// Which way the media of a room goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// From member to member; the server carries their words alone.
    Mesh,
    /// Through the server.
    Sfu,
}

impl Topology {
    /// As the API and tokens say it; nothing said is nothing asked for.
    pub fn named(name: &str) -> Result<Option<Self>, &'static str> {
        match name {
            "" => Ok(None),
            "mesh" => Ok(Some(Self::Mesh)),
            "sfu" => Ok(Some(Self::Sfu)),
            _ => Err("no such room preset: there are `mesh` and `sfu`"),
        }
    }
}

/// What a token asks of a room that does not exist yet. 0 and empty: the server's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomSettings {
    pub metadata: String,
    pub peers_max: Option<u32>,
    pub empty_timeout_s: Option<u32>,
    pub departure_timeout_s: Option<u32>,
    /// None: as the server has it for that name, or both.
    pub topology: Option<Topology>,
}

impl RoomSettings {
    /// As they are said: members, and how long it is kept empty and left, in seconds; 0 is the server's default.
    pub(crate) fn said(metadata: String, limits: [u32; 3], topology: Option<Topology>) -> Self {
        let [peers_max, empty_timeout_s, departure_timeout_s] =
            limits.map(|value| (value > 0).then_some(value));
        Self {
            metadata,
            peers_max,
            empty_timeout_s,
            departure_timeout_s,
            topology,
        }
    }
}
