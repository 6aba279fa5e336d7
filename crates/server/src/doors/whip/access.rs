//! Who may open a session at this door: by an access token, by a stream key of the configuration, or, in development mode, by
//! asking from a page of this server or from no page at all.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use madang_sfu::api::{Grant, Identity, RoomName};
use madang_signalling::livekit::{Claims, IDENTITY_BYTES_MAX, ROOM_NAME_BYTES_MAX};
use madang_signalling::room::RoomSettings;
use madang_signalling::whip::{Guest, Role};

use super::text;
use crate::auth::TokenError;
use crate::config::StreamKey;
use crate::door_session::Granted;
use crate::doors::{is_from_own_page, same_secret};
use crate::http::Shared;
use crate::stats::Stats;

/// Who comes without a name.
const ANONYMOUS: &str = "stream";

#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) guest: Guest,
    pub(super) granted: Granted,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    Token(TokenError),
    #[error("{0}")]
    Right(&'static str),
    #[error("{0}")]
    Wrong(&'static str),
}

/// What the request says besides its headers.
#[derive(Debug)]
pub(super) struct Knock<'a> {
    pub(super) role: Role,
    /// Of the path. None: that of the query, or of the token.
    pub(super) room: Option<String>,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    /// In the name of who comes without one.
    pub(super) seed: u64,
}

impl Knock<'_> {
    pub(super) fn admit(&self, shared: &Shared) -> Result<Admitted, Refused> {
        let room = match &self.room {
            Some(room) => Some(room.clone()),
            None => self.query("room"),
        };
        let Some(shown) = self.bearer()? else {
            return self.open(shared, room);
        };
        if let Some(key) = self.stream_key(shared, &shown) {
            if room.as_ref().is_some_and(|room| *room != key.room) {
                return Err(Refused::Right("the stream key is of another room"));
            }
            return self.admitted(&key.room, &key.identity, Claims::default());
        }
        let verified = shared.keys.verify(&shown).map_err(Refused::Token)?;
        let claims = verified.claims;
        let may_join = claims.video.as_ref().is_some_and(|video| video.room_join);
        if !may_join || claims.room().is_empty() || claims.identity().is_empty() {
            let sentence = "the token names no room to join, or nobody who does";
            return Err(Refused::Right(sentence));
        }
        let room = room.unwrap_or_else(|| claims.room().to_owned());
        if room != claims.room() {
            return Err(Refused::Right("the token is for another room"));
        }
        let identity = claims.identity().to_owned();
        self.admitted(&room, &identity, claims)
    }

    /// The header wins over the query; a header that is no good is not forgiven.
    fn bearer(&self) -> Result<Option<String>, Refused> {
        let Some(header) = self.headers.get(AUTHORIZATION) else {
            return Ok(self.query("access_token"));
        };
        let text = header.to_str().ok().and_then(|text| text.split_once(' '));
        match text {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Ok(Some(token.trim().to_owned()))
            }
            Some(_) | None => Err(Refused::Token(TokenError::Scheme)),
        }
    }

    /// All are compared: how long it takes tells nothing of which one it is.
    fn stream_key<'a>(&self, shared: &'a Shared, shown: &str) -> Option<&'a StreamKey> {
        let whip = &shared.config.whip;
        let keys = match self.role {
            Role::Publisher => &whip.stream_keys,
            Role::Viewer => &whip.watch_keys,
        };
        keys.iter().fold(None, |found, key| {
            let is_it = same_secret(key.secret.reveal(), shown);
            if is_it { Some(key) } else { found }
        })
    }

    fn open(&self, shared: &Shared, room: Option<String>) -> Result<Admitted, Refused> {
        let is_open = shared.config.dev && is_from_own_page(shared, self.uri, self.headers);
        if !is_open {
            return Err(Refused::Token(TokenError::Missing));
        }
        let room = room.ok_or(Refused::Wrong("name a room: /whip/<room>"))?;
        let identity = self.query("identity");
        let identity = identity.unwrap_or_else(|| format!("{ANONYMOUS}-{:016x}", self.seed));
        self.admitted(&room, &identity, Claims::default())
    }

    fn admitted(&self, room: &str, identity: &str, claims: Claims) -> Result<Admitted, Refused> {
        if !(1..=ROOM_NAME_BYTES_MAX).contains(&room.len()) || identity.is_empty() {
            return Err(Refused::Wrong("a room has a name of 1 to 256 bytes"));
        }
        let identity = match self.role {
            Role::Publisher => identity.to_owned(),
            // Many watch with one key, and who watches with a token may be in the room by it, too.
            Role::Viewer => viewer(identity, self.seed),
        };
        if identity.len() > IDENTITY_BYTES_MAX {
            return Err(Refused::Wrong("an identity has at most 256 bytes"));
        }
        let grant = match claims.video {
            Some(_) => claims.grant(),
            None => Grant::everything(),
        };
        Ok(Admitted {
            granted: Granted {
                grant,
                attributes: claims.attributes.clone(),
                settings: match claims.video {
                    Some(_) => claims.room_settings(),
                    None => RoomSettings::default(),
                },
                may_create: claims.video.as_ref().is_some_and(|video| video.room_create),
            },
            guest: Guest {
                room: RoomName::new(room),
                identity: Identity::new(&identity),
                name: claims.name,
                metadata: claims.metadata,
            },
        })
    }

    fn query(&self, name: &str) -> Option<String> {
        let query = Query::<BTreeMap<String, String>>::try_from_uri(self.uri);
        let value = query.ok()?.0.remove(name);
        value.filter(|value| !value.is_empty())
    }
}

impl Refused {
    pub(super) fn answer(&self, shared: &Shared) -> Response {
        tracing::debug!(reason = %self, "refused");
        let (status, challenge) = match self {
            Self::Wrong(sentence) => return text(StatusCode::BAD_REQUEST, sentence),
            // RFC 6750 §3: who showed nothing is told of no error.
            Self::Token(TokenError::Missing) => (StatusCode::UNAUTHORIZED, "Bearer realm=\"room\""),
            Self::Token(_) => (
                StatusCode::UNAUTHORIZED,
                "Bearer realm=\"room\", error=\"invalid_token\"",
            ),
            Self::Right(_) => (
                StatusCode::FORBIDDEN,
                "Bearer realm=\"room\", error=\"insufficient_scope\"",
            ),
        };
        Stats::count(&shared.stats.refused_tokens);
        let mut response = text(status, &self.to_string()).into_response();
        let challenge = HeaderValue::from_static(challenge);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        response
    }
}

/// One more who watches by that name.
fn viewer(identity: &str, seed: u64) -> String {
    let long = format!("{identity}#watch-{seed:016x}");
    if long.len() <= IDENTITY_BYTES_MAX {
        long
    } else {
        format!("watch-{seed:016x}")
    }
}
