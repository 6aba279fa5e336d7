//! Dialects: each turns one protocol's words into the requests of [`madang_sfu::api`] and the events back into its
//! own words. Sans-IO: frames in, frames and requests out, time handed in.

pub mod door;
pub mod ertc;
mod fragment;
mod hiding;
mod json;
mod jsonrpc;
pub mod kurento;
pub mod livekit;
pub mod many;
mod objects;
mod offering;
pub mod one2many;
mod patchbay;
pub mod peers;
mod query;
pub mod resource;
pub mod room;
mod roster;
mod screen;
mod sdp;
pub mod spider;
mod switchboard;
mod uuid;
mod watching;
pub mod ways;
pub mod whip;

#[cfg(test)]
mod testing;

use std::time::Instant;

use madang_sfu::api::{Event, Now, Request};

/// One message of a carrier, as the wire frames it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

/// What a dialect wants done. Drained to the end after every `handle_` call.
#[derive(Debug)]
pub enum Output {
    /// To the client. Kept by the session while there is no carrier, if the dialect says so by not having closed.
    Frame(Frame),
    /// To the core, for this session's peer.
    Request(Request),
    /// A fresh access token for this client, with the present rights: the session signs it and hands it back by
    /// [`Dialect::handle_token`].
    TokenWanted(TokenClaims),
    /// Close the carrier; the session goes on and may be resumed.
    CloseCarrier,
    /// The session is over (the peer has been told, and the core is asked to let it go).
    End,
}

/// What a refreshed token must say.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenClaims {
    pub identity: String,
    pub name: String,
    pub metadata: String,
    pub attributes: std::collections::BTreeMap<String, String>,
    pub grant: madang_sfu::api::Grant,
}

/// A protocol's side of one session.
pub trait Dialect: Send {
    fn handle_frame(&mut self, now: Now, frame: Frame);
    fn handle_event(&mut self, now: Now, event: Event);
    fn handle_timeout(&mut self, now: Now);
    /// The carrier broke or closed without a goodbye.
    fn handle_carrier_lost(&mut self, now: Now);
    fn handle_token(&mut self, now: Now, token: String);
    fn poll_output(&mut self) -> Option<Output>;
    fn poll_timeout(&self) -> Option<Instant>;
}
