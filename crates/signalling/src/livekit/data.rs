//! Application data: `DataPacket`s, which are passed on field by field, so that what is newer than we are or encrypted
//! for others comes out as it went in.

use std::sync::Arc;

use bytes::Bytes;
use livekit_protocol as proto;
use madang_sfu::api::{DataForm, DataMessage, Identity, PeerId, PlainData, Recipients, Request};
use prost::Message;

use super::session::LiveKit;
use super::wire::{self, Field, Value};
use super::{FORM, LABEL_DATA_TRACK, LABEL_LOSSY, LABEL_RELIABLE, data_tracks};

/// Fields of `DataPacket`.
mod packet {
    pub(super) const KIND: u32 = 1;
    pub(super) const USER: u32 = 2;
    pub(super) const IDENTITY: u32 = 4;
    pub(super) const DESTINATIONS: u32 = 5;
    pub(super) const TRANSCRIPTION: u32 = 7;
    pub(super) const METRICS: u32 = 8;
    pub(super) const CHAT: u32 = 9;
    pub(super) const STREAM_HEADER: u32 = 13;
    pub(super) const SEQUENCE: u32 = 16;
    pub(super) const SID: u32 = 17;
}

/// Fields of `UserPacket`.
mod user {
    pub(super) const SID: u32 = 1;
    pub(super) const DESTINATION_SIDS: u32 = 3;
    pub(super) const IDENTITY: u32 = 5;
    pub(super) const DESTINATIONS: u32 = 6;
}

/// `ChatMessage.generated`, `DataStream.Header.text_header` and `TextHeader.generated`.
const CHAT_GENERATED: u32 = 6;
const TEXT_HEADER: u32 = 9;
const TEXT_GENERATED: u32 = 5;

/// A number past this many receivers is a mistake or an attack.
const DESTINATIONS_MAX: usize = 10_000;

/// The client's reliable messages are numbered by itself.
#[derive(Debug, Default)]
pub(crate) struct Reliable {
    last: u32,
}

impl Reliable {
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// Whether a message of that number is new. 0: from clients that do not number.
    fn accept(&mut self, sequence: u32) -> bool {
        if sequence == 0 {
            return true;
        }
        let new = sequence > self.last;
        self.last = self.last.max(sequence);
        new
    }
}

/// What a packet may say about who sent it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) identity: &'a str,
    pub(crate) sid: &'a str,
    pub(crate) hidden: bool,
    /// May speak in the name of others, as who transcribes them does.
    pub(crate) agent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    /// Empty: everybody else.
    pub(crate) identities: Vec<String>,
    pub(crate) sids: Vec<String>,
    pub(crate) sequence: u32,
    pub(crate) content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Plain,
    Transcription,
    /// Only for those with the right to it.
    Metrics,
}

impl LiveKit {
    /// The own client sent something.
    pub(crate) fn data_received(&mut self, label: &str, payload: &Bytes) {
        let Some(own) = self.own.clone() else { return };
        if !own.grant.publish_data {
            self.dropped.data_refused += 1;
            return;
        }
        match label {
            LABEL_RELIABLE => self.packet_received(payload, true),
            LABEL_LOSSY => self.packet_received(payload, false),
            LABEL_DATA_TRACK => data_tracks::received(self, payload),
            _ => self.dropped.data_unwanted += 1,
        }
    }

    fn packet_received(&mut self, payload: &[u8], reliable: bool) {
        let Some(own) = self.own.clone() else { return };
        let sid = self.peer.to_string();
        let agent = own.grant.agent;
        let sender = Sender {
            identity: self.identity.as_str(),
            sid: &sid,
            hidden: own.grant.hidden,
            agent,
        };
        let Some(packet) = rewritten(payload, reliable, sender) else {
            self.dropped.data_malformed += 1;
            return;
        };
        if reliable && !self.reliable.accept(packet.sequence) {
            self.dropped.data_repeated += 1;
            return;
        }
        if packet.content == Content::Transcription && !agent {
            self.dropped.data_refused += 1;
            return;
        }
        let to = self.recipients(&packet);
        let label = if reliable {
            self.labels.reliable.clone()
        } else {
            self.labels.lossy.clone()
        };
        self.request(Request::Data(Box::new(DataMessage {
            label,
            reliable,
            binary: true,
            form: FORM,
            translate: false,
            plain: plain(&packet.bytes),
            payload: Bytes::from(packet.bytes),
            to,
            from_peer: true,
        })));
    }

    fn recipients(&self, packet: &Packet) -> Recipients {
        if packet.content == Content::Metrics {
            let watchers = self.members.values();
            let watchers = watchers.filter(|member| member.grant.subscribe_metrics);
            return Recipients::Peers(watchers.map(|member| member.id).collect());
        }
        if packet.identities.is_empty() && packet.sids.is_empty() {
            return Recipients::Others;
        }
        let named = packet.identities.iter().map(|text| Identity::new(text));
        let by_sid = packet.sids.iter().filter_map(|sid| {
            let member = self.members.get(&sid.parse().ok()?)?;
            Some(member.identity.clone())
        });
        let all = named.chain(by_sid);
        Recipients::Identities(all.filter(|identity| *identity != self.identity).collect())
    }

    /// Somebody else sent something that we must translate.
    pub(crate) fn data(
        &mut self,
        from: PeerId,
        identity: &Identity,
        label: &str,
        reliable: bool,
        form: DataForm,
        payload: &Bytes,
    ) {
        if form == FORM && label == LABEL_DATA_TRACK {
            data_tracks::forward(self, from, payload);
            return;
        }
        let payload = if form == FORM {
            payload.clone()
        } else {
            Bytes::from(user_packet(from, identity, label, reliable, payload).encode_to_vec())
        };
        let label = if reliable {
            self.labels.reliable.clone()
        } else {
            self.labels.lossy.clone()
        };
        self.request(Request::Send {
            label,
            payload,
            binary: true,
            reliable,
        });
    }
}

/// For members who speak another protocol: a user's packet is its bytes under its topic. The rest means nothing to them.
fn plain(packet: &[u8]) -> Option<PlainData> {
    let packet = proto::DataPacket::decode(packet).ok()?;
    let Some(proto::data_packet::Value::User(user)) = packet.value else {
        return None;
    };
    Some(PlainData {
        label: Arc::from(user.topic.unwrap_or_default()),
        payload: Bytes::from(user.payload),
    })
}

/// The packet as receivers get it: sender, kind and receivers are ours to say, everything else stays. None: not a packet.
pub(crate) fn rewritten(payload: &[u8], reliable: bool, sender: Sender<'_>) -> Option<Packet> {
    let fields = wire::fields(payload)?;
    let mut given_identity = "";
    let mut identities = Vec::new();
    let mut sids = Vec::new();
    let mut sequence = 0;
    let mut content = Content::Plain;
    let mut user_packet = None;
    for field in &fields {
        match field.number {
            packet::IDENTITY => given_identity = field.text(payload)?,
            packet::DESTINATIONS => identities.push(field.text(payload)?.to_owned()),
            packet::SEQUENCE => sequence = number(field)?,
            packet::TRANSCRIPTION => content = Content::Transcription,
            packet::METRICS => content = Content::Metrics,
            packet::USER => user_packet = Some(field.bytes(payload)?),
            _ => {}
        }
    }
    if let Some(user_packet) = user_packet {
        let inner = wire::fields(user_packet)?;
        sids = texts(user_packet, &inner, user::DESTINATION_SIDS)?;
        if identities.is_empty() {
            identities = texts(user_packet, &inner, user::DESTINATIONS)?;
        }
    }
    if identities.len() + sids.len() > DESTINATIONS_MAX {
        return None;
    }
    let foreign = sender.agent && !given_identity.is_empty() && given_identity != sender.identity;
    let generated = foreign
        .then(|| marked_generated(payload, &fields))
        .flatten();
    let identity = match &generated {
        Some(_) => given_identity,
        None if sender.hidden => "",
        None => sender.identity,
    };
    let mut replaced = vec![
        packet::KIND,
        packet::IDENTITY,
        packet::DESTINATIONS,
        packet::SID,
        packet::USER,
    ];
    replaced.extend(generated.as_ref().map(|(number, _)| *number));
    let mut bytes = wire::without(payload, &fields, &replaced);
    if !reliable {
        wire::put_varint(&mut bytes, packet::KIND, 1);
    }
    if let Some(user_packet) = user_packet {
        let user_packet = user_rewritten(user_packet, identity, sender, &identities)?;
        wire::put_bytes(&mut bytes, packet::USER, &user_packet);
    }
    if let Some((number, value)) = &generated {
        wire::put_bytes(&mut bytes, *number, value);
    }
    put_text(&mut bytes, packet::IDENTITY, identity);
    for destination in &identities {
        wire::put_bytes(&mut bytes, packet::DESTINATIONS, destination.as_bytes());
    }
    if !sender.hidden {
        put_text(&mut bytes, packet::SID, sender.sid);
    }
    Some(Packet {
        bytes,
        identities,
        sids,
        sequence,
        content,
    })
}

fn user_rewritten(
    packet: &[u8],
    identity: &str,
    sender: Sender<'_>,
    destinations: &[String],
) -> Option<Vec<u8>> {
    let fields = wire::fields(packet)?;
    let replaced = [user::SID, user::IDENTITY, user::DESTINATIONS];
    let mut bytes = wire::without(packet, &fields, &replaced);
    if !sender.hidden {
        put_text(&mut bytes, user::SID, sender.sid);
    }
    put_text(&mut bytes, user::IDENTITY, identity);
    for destination in destinations {
        wire::put_bytes(&mut bytes, user::DESTINATIONS, destination.as_bytes());
    }
    Some(bytes)
}

/// The field with which an agent speaks for somebody else, marked as made by a machine. None: not such a packet.
fn marked_generated(payload: &[u8], fields: &[Field]) -> Option<(u32, Vec<u8>)> {
    let last = |number: u32| fields.iter().rfind(|field| field.number == number);
    if let Some(chat) = last(packet::CHAT) {
        let mut value = chat.bytes(payload)?.to_vec();
        wire::put_varint(&mut value, CHAT_GENERATED, 1);
        return Some((packet::CHAT, value));
    }
    let header = last(packet::STREAM_HEADER)?.bytes(payload)?;
    let inner = wire::fields(header)?;
    let text = inner.iter().rfind(|field| field.number == TEXT_HEADER)?;
    let mut text = text.bytes(header)?.to_vec();
    wire::put_varint(&mut text, TEXT_GENERATED, 1);
    let mut value = wire::without(header, &inner, &[TEXT_HEADER]);
    wire::put_bytes(&mut value, TEXT_HEADER, &text);
    Some((packet::STREAM_HEADER, value))
}

/// Data of another form, or of the server itself, as this protocol's user packet; the label is its topic.
pub(crate) fn user_packet(
    from: PeerId,
    identity: &Identity,
    label: &str,
    reliable: bool,
    payload: &[u8],
) -> proto::DataPacket {
    let topic = (!label.is_empty()).then(|| label.to_owned());
    packet_of(
        reliable,
        &from.to_string(),
        identity.as_str(),
        proto::UserPacket {
            payload: payload.to_vec(),
            topic,
            ..proto::UserPacket::default()
        },
    )
}

#[expect(
    deprecated,
    reason = "older clients read the fields that newer ones replaced"
)]
pub(crate) fn packet_of(
    reliable: bool,
    sid: &str,
    identity: &str,
    user: proto::UserPacket,
) -> proto::DataPacket {
    proto::DataPacket {
        kind: if reliable {
            proto::data_packet::Kind::Reliable
        } else {
            proto::data_packet::Kind::Lossy
        } as i32,
        participant_identity: identity.to_owned(),
        participant_sid: sid.to_owned(),
        destination_identities: user.destination_identities.clone(),
        sequence: 0,
        value: Some(proto::data_packet::Value::User(proto::UserPacket {
            participant_sid: sid.to_owned(),
            participant_identity: identity.to_owned(),
            ..user
        })),
    }
}

fn put_text(bytes: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        wire::put_bytes(bytes, number, text.as_bytes());
    }
}

fn texts(message: &[u8], fields: &[Field], number: u32) -> Option<Vec<String>> {
    fields
        .iter()
        .filter(|field| field.number == number)
        .map(|field| field.text(message).map(str::to_owned))
        .collect()
}

fn number(field: &Field) -> Option<u32> {
    match field.value {
        Value::Varint(value) => u32::try_from(value).ok(),
        Value::Bytes(_) | Value::Fixed => None,
    }
}

#[cfg(test)]
mod tests;
