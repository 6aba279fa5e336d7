//! All allocations: by flow, by port, by participant, and by when they end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use crate::allocation::Allocation;
use crate::api::{Config, Flow};
use crate::hashing::Keyed;
use crate::ports::{Free, Ports};

#[derive(Debug)]
pub(crate) struct Table {
    ports: Ports,
    free: Free,
    places: Vec<Option<Box<Allocation>>>,
    flows: HashMap<Flow, u16, Keyed>,
    participants: BTreeMap<u64, Vec<u16>>,
    deadlines: BTreeSet<(Instant, u16)>,
}

impl Table {
    pub(crate) fn new(config: &Config) -> Self {
        let ports = config.ports;
        let free = match &config.real_ports {
            Some(range) => Free::drawn(ports, range.clone(), &config.secret),
            None => Free::new(ports),
        };
        Self {
            ports,
            free,
            places: Vec::new(),
            flows: HashMap::with_hasher(Keyed::new(&config.secret)),
            participants: BTreeMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.flows.len()
    }

    /// Places that are there for allocations, used or not.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.places.capacity() + self.flows.capacity() + self.participants.len()
    }

    /// To be inserted with it, or given back.
    pub(crate) fn take_port(&mut self, must_be_even: bool) -> Option<u16> {
        self.free.take(must_be_even)
    }

    pub(crate) fn give_back(&mut self, port: u16) {
        self.free.give_back(port);
    }

    pub(crate) fn insert(&mut self, allocation: Allocation) {
        let Some(index) = self.ports.index(allocation.port) else {
            debug_assert!(false, "a port of ours");
            return;
        };
        if self.places.len() <= index {
            self.places.resize_with(index + 1, || None);
        }
        let port = allocation.port;
        self.flows.insert(allocation.flow, port);
        self.participants
            .entry(allocation.who.participant)
            .or_default()
            .push(port);
        self.deadlines.insert((allocation.expires, port));
        if let Some(place) = self.places.get_mut(index) {
            *place = Some(Box::new(allocation));
        }
    }

    pub(crate) fn remove(&mut self, port: u16) -> Option<Box<Allocation>> {
        let place = self.ports.index(port)?;
        let allocation = self.places.get_mut(place)?.take()?;
        self.flows.remove(&allocation.flow);
        self.deadlines.remove(&(allocation.expires, port));
        let participant = allocation.who.participant;
        if let Some(ports) = self.participants.get_mut(&participant) {
            ports.retain(|known| *known != port);
            if ports.is_empty() {
                self.participants.remove(&participant);
            }
        }
        self.free.give_back(port);
        Some(allocation)
    }

    pub(crate) fn of_flow(&self, flow: &Flow) -> Option<&Allocation> {
        self.of_port(*self.flows.get(flow)?)
    }

    pub(crate) fn of_flow_mut(&mut self, flow: &Flow) -> Option<&mut Allocation> {
        self.of_port_mut(*self.flows.get(flow)?)
    }

    pub(crate) fn of_port(&self, port: u16) -> Option<&Allocation> {
        self.places.get(self.ports.index(port)?)?.as_deref()
    }

    pub(crate) fn of_port_mut(&mut self, port: u16) -> Option<&mut Allocation> {
        self.places.get_mut(self.ports.index(port)?)?.as_deref_mut()
    }

    pub(crate) fn of_participant(&self, participant: u64) -> Vec<u16> {
        self.participants
            .get(&participant)
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn extend(&mut self, port: u16, expires: Instant) {
        let Some(allocation) = self.of_port_mut(port) else {
            return;
        };
        let before = std::mem::replace(&mut allocation.expires, expires);
        self.deadlines.remove(&(before, port));
        self.deadlines.insert((expires, port));
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(crate) fn due(&self, now: Instant) -> Option<u16> {
        let (at, port) = self.deadlines.first()?;
        (*at <= now).then_some(*port)
    }
}
