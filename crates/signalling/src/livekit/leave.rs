//! How an end is said, by what the client's protocol version understands.

use livekit_protocol as proto;
use madang_sfu::api::LeaveReason;
use proto::DisconnectReason;
use proto::leave_request::Action;

/// From this version on `action` says what to do; before it, `can_reconnect`.
const PROTOCOL_ACTION: i32 = 13;

pub(crate) fn leave(
    protocol: i32,
    reason: DisconnectReason,
    action: Action,
) -> proto::LeaveRequest {
    if protocol >= PROTOCOL_ACTION {
        proto::LeaveRequest {
            reason: reason as i32,
            action: action as i32,
            ..proto::LeaveRequest::default()
        }
    } else {
        proto::LeaveRequest {
            can_reconnect: action != Action::Disconnect,
            reason: reason as i32,
            ..proto::LeaveRequest::default()
        }
    }
}

/// Why, as others and the one who left are told.
pub(crate) fn disconnect_reason(reason: LeaveReason) -> DisconnectReason {
    match reason {
        LeaveReason::Own => DisconnectReason::ClientInitiated,
        LeaveReason::Duplicate => DisconnectReason::DuplicateIdentity,
        LeaveReason::Removed => DisconnectReason::ParticipantRemoved,
        LeaveReason::RoomDeleted => DisconnectReason::RoomDeleted,
        LeaveReason::Shutdown => DisconnectReason::ServerShutdown,
        LeaveReason::SignallingLost => DisconnectReason::SignalClose,
        LeaveReason::ConnectionLost => DisconnectReason::ConnectionTimeout,
        LeaveReason::TooSlow | LeaveReason::Fault => DisconnectReason::StateMismatch,
    }
}

/// What the one who left should do: who was sent away stays away; who lost its session by no fault of its own may join
/// again.
pub(crate) fn action(reason: LeaveReason) -> Action {
    match reason {
        LeaveReason::Own
        | LeaveReason::Duplicate
        | LeaveReason::Removed
        | LeaveReason::RoomDeleted => Action::Disconnect,
        LeaveReason::Shutdown
        | LeaveReason::SignallingLost
        | LeaveReason::ConnectionLost
        | LeaveReason::TooSlow
        | LeaveReason::Fault => Action::Reconnect,
    }
}
