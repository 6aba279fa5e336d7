use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Digits of a printed id: 62 characters that survive SDP tokens (RFC 8866 §9), URLs and file names.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^11 > 2^64.
const DIGITS_PER_ID: usize = 11;

/// An id was written by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct IdTextError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                let mut rest = self.0;
                let mut text = [b'0'; DIGITS_PER_ID];
                for place in text.iter_mut().rev() {
                    let digit = usize::try_from(rest % 62).expect("below 62");
                    *place = *DIGITS.get(digit).expect("below 62");
                    rest /= 62;
                }
                f.write_str(std::str::from_utf8(&text).expect("ASCII digits"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdTextError;

            fn from_str(text: &str) -> Result<Self, IdTextError> {
                let digits = text.strip_prefix($prefix).ok_or(IdTextError)?;
                if digits.len() != DIGITS_PER_ID {
                    return Err(IdTextError);
                }
                let mut value: u64 = 0;
                for byte in digits.bytes() {
                    let digit = DIGITS.iter().position(|d| *d == byte).ok_or(IdTextError)?;
                    let digit = u64::try_from(digit).expect("below 62");
                    value = value.checked_mul(62).and_then(|v| v.checked_add(digit)).ok_or(IdTextError)?;
                }
                Ok(Self(value))
            }
        }
    };
}

id!(
    /// A member of a room for one stay. A member who leaves and comes back has a new one.
    PeerId,
    "PA_"
);
id!(
    /// One source as it is published.
    TrackId,
    "TR_"
);
id!(
    /// One life of a room, from its first member to its end.
    RoomId,
    "RM_"
);

/// Which of a peer's connections; chosen by its dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey(pub u32);

/// A thread that owns connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u8);

/// Some of at most 64 shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ShardSet(u64);

impl ShardSet {
    pub const SHARDS_MAX: u8 = 64;

    pub fn insert(&mut self, shard: ShardId) {
        self.0 |= Self::bit(shard);
    }

    pub fn remove(&mut self, shard: ShardId) {
        self.0 &= !Self::bit(shard);
    }

    pub fn contains(&self, shard: ShardId) -> bool {
        self.0 & Self::bit(shard) != 0
    }

    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = ShardId> + use<> {
        let set = *self;
        (0..Self::SHARDS_MAX)
            .map(ShardId)
            .filter(move |shard| set.contains(*shard))
    }

    fn bit(shard: ShardId) -> u64 {
        1_u64.checked_shl(u32::from(shard.0)).unwrap_or(0)
    }
}

impl FromIterator<ShardId> for ShardSet {
    fn from_iter<I: IntoIterator<Item = ShardId>>(shards: I) -> Self {
        let mut set = Self::default();
        for shard in shards {
            set.insert(shard);
        }
        set
    }
}

/// How a dialect writes application data. Peers of one form get each other's bytes as they are; to all others an
/// [`Event::Data`](super::Event::Data) goes, for their dialect to translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataForm(pub u16);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> Self {
                Self(Arc::from(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

name!(
    /// What people call a room.
    RoomName
);
name!(
    /// Who a peer is, from its token: unique in a room at any time.
    Identity
);
