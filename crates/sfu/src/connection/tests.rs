//! Two ends in virtual time: a connection of ours, and a client made of str0m with full ICE.

mod ahead;
mod client_offers;
mod data;
mod media;
mod overtaking;
mod pair;
mod paths;
mod profiles;
mod repairs;
mod server_offers;
mod sources;
