//! From what was observed to what is said of it. Nothing here touches the system, so every judgement can be tested.

mod addresses;
mod certificate;
mod ports;
mod reach;
mod system;

pub(super) use addresses::{Seen, Told, addresses, nat, public_address};
pub(super) use certificate::{CertificateSeen, CertificateState, certificate, names};
pub(super) use ports::{Owner, PortSeen, PortState, ports};
pub(super) use reach::{Answer, Outcome, Probed, mtu, reach};
pub(super) use system::{Buffers, Clock, Descriptors, buffers, clock, descriptors};

#[cfg(test)]
mod tests;

fn joined<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    texts.join(", ")
}
