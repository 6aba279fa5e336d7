//! SRTP for the media that we send, with the keys of the DTLS handshake (RFC 3711, 5764, 6188, 7714).
//!
//! The engine that made the handshake seals with the same keys. That is sound as long as no SSRC is used by both, for
//! the nonce of a packet is made of its SSRC and its index:
//! - RTP is sealed here for SSRCs that the engine never hears of, each index of an SSRC once;
//! - RTCP is sealed here only as a report of such an SSRC, and its nonce has the SSRC of the first report in it. So
//!   the engine, whose reports are of its own SSRCs, may count its SRTCP indices from zero as we count ours.

mod cipher;
mod keys;
mod opener;
mod sealer;
#[cfg(test)]
mod tests;

pub(crate) use keys::{Keys, Profile};
pub(crate) use opener::Opener;
pub(crate) use sealer::Sealer;
