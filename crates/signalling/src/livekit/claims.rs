//! What an access token says. Signatures are none of our business: the server checks them and hands the claims in.

use std::collections::BTreeMap;

use livekit_protocol as proto;
use madang_sfu::api::{Grant, PeerKind, Source, SourceSet};
use serde::{Deserialize, Deserializer, Serialize};

use crate::room::{Bounds, RoomSettings};

use super::{
    ATTRIBUTES_BYTES_MAX, Entry, EntryError, IDENTITY_BYTES_MAX, METADATA_BYTES_MAX,
    ROOM_NAME_BYTES_MAX,
};

/// The claims of a token, as its JSON has them. Unknown claims are ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Claims {
    /// The API key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub iss: String,
    /// The identity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub: String,
    /// Seconds since the Unix epoch.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "numeric_date"
    )]
    pub nbf: Option<u64>,
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "numeric_date"
    )]
    pub exp: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_null")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_null")]
    pub metadata: String,
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "or_null"
    )]
    pub attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_null")]
    pub kind: String,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_null")]
    pub kind_details: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoClaims>,
    /// Of the body of a request that is signed by the token (webhooks): base64 of SHA-256.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_null")]
    pub sha256: String,
    /// Settings for the room, should this peer be its first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_config: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_null")]
    pub room_preset: String,
}

/// The `video` claim. What is an `Option` has a default that depends on the right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a claim of its own on the wire"
)]
pub struct VideoClaims {
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub room_create: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub room_list: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub room_record: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub room_admin: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub room_join: bool,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_null")]
    pub room: String,
    /// Absent: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<bool>,
    /// Absent: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    /// Absent: as `can_publish`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// Empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_null")]
    pub can_publish_sources: Vec<String>,
    /// Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_update_own_metadata: Option<bool>,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub ingress_admin: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub hidden: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub recorder: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_null")]
    pub agent: bool,
    /// Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe_metrics: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_manage_agent_session: Option<bool>,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_null")]
    pub destination_room: String,
}

/// Checks what a join needs, and lays what the client brought over what its token says. The result is what a session
/// is made with. `entry` is handed in as it was parsed: its failure is told between two checks of the token, as clients
/// of this protocol have come to expect.
pub fn admit(
    claims: Claims,
    entry: Result<Entry, EntryError>,
) -> Result<(Entry, Claims), EntryError> {
    let mut claims = claims;
    let video = claims.video.as_mut().ok_or(EntryError::NoRight)?;
    let entry = entry?;
    if !video.room_join {
        return Err(EntryError::MayNotJoin);
    }
    if claims.sub.is_empty() {
        return Err(EntryError::NoIdentity);
    }
    if claims.sub.len() > IDENTITY_BYTES_MAX {
        return Err(EntryError::IdentityTooLong);
    }
    if video.room.is_empty() {
        return Err(EntryError::NoRoom);
    }
    if video.room.len() > ROOM_NAME_BYTES_MAX {
        return Err(EntryError::RoomTooLong);
    }
    if !entry.publish.is_empty() {
        if !video.can_publish.unwrap_or(true) {
            return Err(EntryError::NoRight);
        }
        video.can_subscribe = Some(false);
        claims.sub = format!("{}#{}", claims.sub, entry.publish);
        if claims.sub.len() > IDENTITY_BYTES_MAX {
            return Err(EntryError::IdentityTooLong);
        }
    }
    bring(&entry, &mut claims)?;
    Ok((entry, claims))
}

impl Claims {
    /// From the payload of a token whose signature was found good.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// A token to join a room with, all rights at their defaults.
    pub fn join(room: &str, identity: &str) -> Self {
        Self {
            sub: identity.to_owned(),
            video: Some(VideoClaims {
                room_join: true,
                room: room.to_owned(),
                ..VideoClaims::default()
            }),
            ..Self::default()
        }
    }

    pub fn identity(&self) -> &str {
        &self.sub
    }

    /// The room the token is for; empty: none.
    pub fn room(&self) -> &str {
        self.video.as_ref().map_or("", |video| video.room.as_str())
    }

    pub fn grant(&self) -> Grant {
        let none = VideoClaims::default();
        let video = self.video.as_ref().unwrap_or(&none);
        let publish = video.can_publish.unwrap_or(true);
        let mut sources = SourceSet::default();
        for name in &video.can_publish_sources {
            sources.insert(source_named(name));
        }
        Grant {
            publish,
            subscribe: video.can_subscribe.unwrap_or(true),
            publish_data: video.can_publish_data.unwrap_or(publish),
            sources: (!video.can_publish_sources.is_empty()).then_some(sources),
            update_own_metadata: video.can_update_own_metadata.unwrap_or(false),
            hidden: video.hidden,
            recorder: video.recorder || self.kind() == kind(proto::participant_info::Kind::Egress),
            agent: video.agent || self.kind() == kind(proto::participant_info::Kind::Agent),
            admin: video.room_admin,
            subscribe_metrics: video.can_subscribe_metrics.unwrap_or(false),
        }
    }

    /// Unknown kinds are standard members.
    pub fn kind(&self) -> PeerKind {
        use proto::participant_info::Kind;
        kind(match self.kind.to_ascii_lowercase().as_str() {
            "ingress" => Kind::Ingress,
            "egress" => Kind::Egress,
            "sip" => Kind::Sip,
            "agent" => Kind::Agent,
            "connector" => Kind::Connector,
            "bridge" => Kind::Bridge,
            _ => Kind::Standard,
        })
    }

    /// The numbers of the kind details that are known.
    pub(crate) fn kind_details(&self) -> Vec<i32> {
        self.kind_details
            .iter()
            .filter_map(|name| {
                proto::participant_info::KindDetail::from_str_name(&name.to_ascii_uppercase())
            })
            .map(|detail| detail as i32)
            .collect()
    }

    pub fn room_settings(&self) -> RoomSettings {
        let config: proto::RoomConfiguration = self
            .room_config
            .clone()
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default();
        let kept = (config.empty_timeout, config.departure_timeout);
        let limits = [config.max_participants, kept.0, kept.1];
        let bounds = Bounds::named(&self.room_preset).unwrap_or_default();
        RoomSettings::said(config.metadata, limits, bounds)
    }

    /// These claims with what changed during the session: for a refreshed token.
    pub fn refreshed(&self, now: &crate::TokenClaims) -> Self {
        let mut claims = self.clone();
        claims.sub.clone_from(&now.identity);
        claims.name.clone_from(&now.name);
        claims.metadata.clone_from(&now.metadata);
        claims.attributes.clone_from(&now.attributes);
        claims.sha256 = String::new();
        let video = claims.video.get_or_insert_default();
        video.can_publish = Some(now.grant.publish);
        video.can_subscribe = Some(now.grant.subscribe);
        video.can_publish_data = Some(now.grant.publish_data);
        video.can_update_own_metadata = Some(now.grant.update_own_metadata);
        video.can_subscribe_metrics = Some(now.grant.subscribe_metrics);
        video.hidden = now.grant.hidden;
        video.can_publish_sources = now
            .grant
            .sources
            .map(|set| set.iter().map(|source| name_of_source(source).to_owned()))
            .into_iter()
            .flatten()
            .collect();
        claims
    }
}

/// Lays what the client brought over what its token says.
fn bring(entry: &Entry, claims: &mut Claims) -> Result<(), EntryError> {
    let brings = !entry.metadata.is_empty() || !entry.attributes.is_empty();
    let video = claims.video.as_ref();
    let may = video.is_some_and(|video| video.can_update_own_metadata.unwrap_or(false));
    if brings && !may {
        return Err(EntryError::NoRight);
    }
    if !entry.metadata.is_empty() {
        claims.metadata.clone_from(&entry.metadata);
    }
    // An empty value deletes an attribute later on, but not one that the token gave.
    for (key, value) in entry
        .attributes
        .iter()
        .filter(|(_, value)| !value.is_empty())
    {
        claims.attributes.insert(key.clone(), value.clone());
    }
    let attributes = claims.attributes.iter();
    let attribute_bytes: usize = attributes.map(|(key, value)| key.len() + value.len()).sum();
    if claims.metadata.len() > METADATA_BYTES_MAX {
        return Err(EntryError::MetadataTooLarge);
    }
    if attribute_bytes > ATTRIBUTES_BYTES_MAX {
        return Err(EntryError::AttributesTooLarge);
    }
    Ok(())
}

fn kind(kind: proto::participant_info::Kind) -> PeerKind {
    PeerKind(u8::try_from(kind as i32).expect("kinds are small numbers"))
}

/// Names that we do not know grant nothing: `Unknown` is a source like others.
fn source_named(name: &str) -> Source {
    match name.to_ascii_lowercase().as_str() {
        "camera" => Source::Camera,
        "microphone" => Source::Microphone,
        "screen_share" => Source::ScreenShare,
        "screen_share_audio" => Source::ScreenShareAudio,
        _ => Source::Unknown,
    }
}

fn name_of_source(source: Source) -> &'static str {
    match source {
        Source::Unknown => "unknown",
        Source::Camera => "camera",
        Source::Microphone => "microphone",
        Source::ScreenShare => "screen_share",
        Source::ScreenShareAudio => "screen_share_audio",
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands in a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// Go's encoder writes `null` for empty lists and maps.
fn or_null<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// RFC 7519 §2: a NumericDate may have a fraction.
fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    Ok(number.map(|number| {
        number.as_u64().unwrap_or_else(|| {
            let float = number.as_f64().unwrap_or(0.0).clamp(0.0, 1e15);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to what fits"
            )]
            let whole = float as u64;
            whole
        })
    }))
}

#[cfg(test)]
mod tests;
