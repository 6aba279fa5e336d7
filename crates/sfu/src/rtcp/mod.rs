//! RTCP between us and a receiver of media that we send: what we read of it, and what we write to it.
//!
//! Compound packets are those of RFC 3550 §6.1; reduced-size ones (RFC 5506) need no other care, for nothing is asked
//! of the first packet.

mod read;
#[cfg(test)]
mod tests;
mod write;

#[cfg(test)]
pub(crate) use read::ReceiverReport;
pub(crate) use read::{Feedback, read, round_trip};
pub(crate) use write::{SenderReport, write_cname, write_sender_report};

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1).
mod kind {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const SOURCE_DESCRIPTION: u8 = 202;
    pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(super) const PAYLOAD_FEEDBACK: u8 = 206;
}

const VERSION: u8 = 2;
