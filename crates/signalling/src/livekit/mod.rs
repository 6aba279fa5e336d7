//! The LiveKit client protocol: its SDKs work unchanged against it.
//!
//! [`parse_v0_query`], [`parse_v1`] and [`admit`] check what comes in by HTTP; [`LiveKit`] is one session;
//! [`service`] is the administrators' API. LiveKit is a trademark of its owner; this project is not affiliated with it.

mod claims;
mod data;
mod data_tracks;
mod entry;
mod events;
mod info;
mod join;
mod leave;
mod publish;
mod resume;
pub mod service;
mod session;
mod signals;
mod wire;

pub use claims::{Claims, VideoClaims, admit};
pub use entry::{Entry, EntryError, Path, Reconnect, parse_v0_query, parse_v1, parse_v1_query};
pub use info::{Attendance, participant, room, track};
pub use resume::refuse_resume;
pub use session::{Dropped, IceServer, Limits, LiveKit, ServerInfo, Setup};

use madang_sfu::api::{ConnectionKey, DataForm};

/// How this dialect writes application data: `DataPacket`, or the frames of data tracks.
pub const FORM: DataForm = DataForm(1);

/// The connection on which the client offers: its publications, and everything on the one-connection path.
pub const PUBLISHER: ConnectionKey = ConnectionKey(0);
/// The connection on which we offer (two-connection path only).
pub const SUBSCRIBER: ConnectionKey = ConnectionKey(1);

pub const LABEL_RELIABLE: &str = "_reliable";
pub const LABEL_LOSSY: &str = "_lossy";
pub const LABEL_DATA_TRACK: &str = "_data_track";

/// Clients switch features by this number as if it were the version of another program: see the protocol's document
/// before touching it.
pub const SERVER_VERSION: &str = "1.13.5";
/// From 18 on clients of the one-connection path negotiate their data channels out of band, which we do not do.
pub const PROTOCOL: i32 = 17;

pub const IDENTITY_BYTES_MAX: usize = 256;
pub const ROOM_NAME_BYTES_MAX: usize = 256;
/// An update of a member's display name beyond it is refused; tokens may say more.
pub const NAME_BYTES_MAX: usize = 256;
pub const METADATA_BYTES_MAX: usize = 512 * 1024;
/// All keys and values together.
pub const ATTRIBUTES_BYTES_MAX: usize = 64 * 1024;
/// One message of the socket.
pub const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

const PING_INTERVAL_S: i32 = 5;
const PING_TIMEOUT_S: i32 = 15;
