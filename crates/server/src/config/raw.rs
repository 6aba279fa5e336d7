//! What can be set, as it is written: every key optional, unknown ones refused. One table gives the file format, the
//! environment variables and the documentation.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::{AcmeChallenge, InterfaceFilter, LogFormat, Secret, TlsMode, TurnPeers, TurnUdp};

/// One thing that can be set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Empty for keys at the top of the file.
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As it would be written in the file, or words for what cannot be.
    pub(crate) default: &'static str,
    pub(crate) example: &'static str,
    pub(crate) doc: &'static str,
}

/// How the value of an environment variable becomes a value of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Numbers and booleans: as they are.
    Plain,
    /// A number as it is, else a word.
    NumberOrWord,
    Text,
    /// `a, b`
    List,
    /// `name: value, name: value`
    Pairs,
}

impl Key {
    /// `rooms.auto_create`
    pub(crate) fn path(&self) -> String {
        match self.section {
            "" => self.name.to_owned(),
            section => format!("{section}.{}", self.name),
        }
    }

    /// `MADANG_ROOMS_AUTO_CREATE`
    pub(crate) fn variable(&self) -> String {
        format!("MADANG_{}", self.path().replace('.', "_").to_uppercase())
    }
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident, $section:literal, {
        $($key:ident: $type:ty, $kind:ident, $default:literal, $example:literal, $text:literal;)*
    } $(, sections { $($inner:ident: $inner_type:ty;)* })?) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $(pub(crate) $key: Option<$type>,)*
            $($(#[serde(default)] pub(crate) $inner: $inner_type,)*)?
        }

        impl $name {
            const KEYS: &'static [Key] = &[$(Key {
                section: $section,
                name: stringify!($key),
                kind: Kind::$kind,
                default: $default,
                example: $example,
                doc: $text,
            },)*];

            /// What is set here wins over what is set below.
            pub(crate) fn over(self, below: Self) -> Self {
                Self {
                    $($key: self.$key.or(below.$key),)*
                    $($($inner: self.$inner.over(below.$inner),)*)?
                }
            }
        }
    };
}

section!(
    /// The whole file.
    Raw, "", {
        port: u16, Plain, "7880", "7880",
            "TCP port of the app, of signalling and of the API. 0: any free one.";
        bind: Vec<IpAddr>, List, "loopback in development mode, else all", "[\"0.0.0.0\", \"::\"]",
            "Addresses to listen at, for TCP and for UDP. Left out, UDP listens at all: only whom signalling let in can use it.";
        domain: String, Text, "none", "\"meet.example.org\"",
            "The name of this server. With it HTTPS is spoken on port 443 with a certificate of Let's Encrypt, got and renewed by itself; `[tls]` says otherwise. Flag: `--domain`.";
        udp_port: u16, Plain, "7882", "7882",
            "UDP port of all media of all rooms. 0: any free one.";
        shards: u8, Plain, "1 on up to 4 cores, else half of the cores", "2",
            "Threads that forward media, 1 to 64. A room spreads over several when it is large.";
        announce: Vec<IpAddr>, List, "the addresses of the network interfaces", "[\"203.0.113.7\"]",
            "Addresses that clients reach the media port at, at the same port; they are told these and no others. Needed behind address translation.";
        stun_server: String, Text, "none: nobody is asked", "\"stun.example.org:3478\"",
            "Asked once, at the start, for the public address of this machine, unless `announce` names it. Clients are told it besides those of the interfaces.";
        dev: bool, Plain, "true when no keys are set and bind is loopback, else false", "true",
            "Development mode: the key `devkey` with the secret `secret` is valid, and whoever opens the app gets a token.";
        keys: BTreeMap<String, Secret>, Pairs, "none", "{ courtyard = \"at least 32 random characters\" }",
            "Key names and their secrets. Access tokens are signed with them.";
    }, sections {
        interfaces: Interfaces;
        rooms: Rooms;
        limits: Limits;
        ice: Ice;
        turn: Turn;
        log: Log;
        web: Web;
        tls: Tls;
        compat: Compat;
        whip: Whip;
    }
);

section!(
    Interfaces, "interfaces", {
        include: Vec<InterfaceFilter>, List, "all but those of containers (Docker, CNI and the like) and link-local addresses", "[\"eth0\", \"10.0.0.0/8\"]",
            "Interfaces whose addresses clients are told, by name (`*` at the end stands for any end) or by network. Whoever is named here is told even if left out by default.";
        exclude: Vec<InterfaceFilter>, List, "[]", "[\"wg*\", \"fd00::/8\"]",
            "Interfaces whose addresses clients are not told. It wins over `include`.";
    }
);

section!(
    Rooms, "rooms", {
        auto_create: bool, Plain, "true", "true",
            "A room is made when the first one joins it. False: by the API only, or by a token with `roomCreate`.";
        empty_timeout_s: u32, Plain, "300", "300",
            "How long a room is kept that nobody has joined yet.";
        departure_timeout_s: u32, Plain, "20", "20",
            "How long a room is kept after its last member left.";
        peers_max: u32, Plain, "0", "0",
            "Members of a room at one time, unless the room has a limit of its own. 0: no limit.";
        peers_per_shard: u32, Plain, "500", "500",
            "Members of one room that a shard takes before the room spills over to the next.";
        mesh: Vec<String>, List, "[]", "[\"counsel-*\"]",
            "Rooms whose members connect to each other: other doors are closed there. `*` at the end stands for any end; where several names fit, the longest decides. Rooms in neither list are open to both kinds.";
        sfu: Vec<String>, List, "[]", "[\"stage\", \"class-*\"]",
            "Rooms whose media goes through the server: doors of the other kind are closed there.";
        relay: Vec<String>, List, "[]", "[\"private-*\"]",
            "Rooms whose members, where they connect to each other, do so by way of the relay alone, so that nobody learns another's address. `*` as above. The server's own way hides addresses always.";
    }
);

section!(
    Limits, "limits", {
        sessions_max: u32, Plain, "10000", "10000",
            "Members of all rooms together. Beyond it joins are answered 503.";
        connections_max: u32, Plain, "20000", "20000",
            "TCP connections at one time.";
        connections_per_ip_max: u32, Plain, "2000", "2000",
            "TCP connections of one address at one time. 0: no limit.";
        joins_per_ip_per_minute: u32, Plain, "3000", "3000",
            "Joins of one address. Beyond it they are answered 429 until a while has passed. 0: no limit.";
    }
);

section!(
    Ice, "ice", {
        tcp: bool, Plain, "true", "true",
            "Media over TCP, without a relay, for clients whose network lets no UDP through: at `turn.tcp_port` and, with TLS, at `tls.https_port` (ICE-TCP). They try UDP first.";
    }
);

section!(
    Turn, "turn", {
        enabled: bool, Plain, "true", "true",
            "TURN over UDP, on a TCP port and on the HTTPS port, for clients who may use nothing but relayed addresses. Whom it relays to is said by `turn.peers`. STUN is answered in any case.";
        udp_port: TurnUdp, NumberOrWord, "3478 when nobody else has it, else \"off\"", "3478",
            "UDP port of STUN and TURN, at the addresses of the media port and beside it: clients are told this one. 0: any free one. \"off\": none, they are told the media port.";
        tcp_port: u16, Plain, "the number of udp_port", "7882",
            "TCP port of the relay and of media for clients whose network lets no UDP through, at the addresses of the media port. 0: any free one. With TLS they may come by the HTTPS port, too.";
        host: String, Text, "the addresses of the media port", "\"turn.example.org\"",
            "Name or address that clients are told for it.";
        secret: Secret, Text, "made at the start", "\"at least 32 random characters\"",
            "Makes the passwords that clients are given: those of the TURN REST API, for names that end with a member of a room.";
        realm: String, Text, "\"room\"", "\"room\"",
            "Told to everybody who asks without credentials: a short one keeps that answer small.";
        credentials_ttl_s: u32, Plain, "3600", "3600",
            "How long credentials are good for a new allocation, at most 86400. They end with the stay in the room at the latest.";
        allocations_max: u32, Plain, "10000", "10000",
            "Allocations of all clients together.";
        allocations_per_peer_max: u32, Plain, "32", "32",
            "Allocations of one member of a room. Browsers make one for each connection, network interface and address that they are told.";
        mbit_per_s: u32, Plain, "20", "20",
            "What one allocation may relay, each way.";
        replies_per_ip_per_s: u16, Plain, "10", "10",
            "Answers to one address that has not shown credentials, in a second, so that nobody can use this server to flood others.";
        peers: TurnPeers, Text, "\"room\"", "\"public\"",
            "Whom a client reaches by the relay. room: this server's media and members of its room, nobody else, and no further port. public: hosts of the internet besides, by a port of `turn.relay_ports` for each allocation; never this machine, private networks or other special addresses. any: everybody, for development on one machine.";
        allow: Vec<String>, List, "[]", "[\"10.20.0.0/16\"]",
            "With public: private networks that may be reached all the same, such as that of cameras. Never loopback, link-local or multicast, nor addresses of this machine.";
        deny: Vec<String>, List, "[]", "[\"198.51.100.0/24\"]",
            "With public: networks that may not be reached though they are public. It wins over `turn.allow`.";
        relay_ports: String, Text, "\"49152-65535\"", "\"50000-59999\"",
            "With public or any: UDP ports of relayed addresses. Whoever is elsewhere sends there, so they must be open; behind address translation, forwarded under the same numbers.";
        any_beyond_loopback: bool, Plain, "false", "true",
            "Lets peers be \"any\" although others than this machine may come: they reach your private networks by it.";
        users: BTreeMap<String, Secret>, Pairs, "none", "{ camera = \"at least 12 characters\" }",
            "With public or any: names and passwords of programs that know nothing but a name and a password. They are in no room, and may reach each other.";
        allocations_per_user_max: u32, Plain, "100", "100",
            "Allocations of one of `turn.users`.";
    }
);

section!(
    Log, "log", {
        level: String, Text, "\"info\"", "\"info\"",
            "error, warn, info, debug, trace, or a filter such as `info,madang_sfu=debug`.";
        format: LogFormat, Text, "\"text\"", "\"text\"",
            "text or json.";
    }
);

section!(
    Web, "web", {
        dir: PathBuf, Text, "the app inside the program", "\"web/dist\"",
            "Serve the app from this folder.";
    }
);

section!(
    Tls, "tls", {
        mode: TlsMode, Text, "files when tls.certificate is set, acme when a domain is, else off", "\"self-signed\"",
            "off, self-signed, files or acme. With TLS the main port speaks HTTPS, and plain HTTP with this machine only. Flag: `--tls`.";
        certificate: PathBuf, Text, "none", "\"fullchain.pem\"",
            "The certificate and those above it, as PEM. Read again when it changes.";
        private_key: PathBuf, Text, "none", "\"privkey.pem\"",
            "Its private key, as PEM.";
        https_port: u16, Plain, "443 with a domain, else none", "443",
            "A TCP port for HTTPS besides the main one. 0: any free one.";
        http_port: u16, Plain, "80 with a domain, else none", "80",
            "A TCP port whose visitors are sent on to HTTPS. 0: any free one.";
        cache: PathBuf, Text, "`$STATE_DIRECTORY`, else `$XDG_STATE_HOME/madang`, else `~/.local/state/madang`", "\"/var/lib/madang\"",
            "Folder of what must outlive a restart: certificates that were got or made here, with their keys. Only its owner may read them.";
        handshakes_max: u32, Plain, "500", "500",
            "TLS handshakes at one time; one address has an eighth of them. Beyond it connections are closed.";
    }, sections {
        acme: Acme;
    }
);

section!(
    Acme, "tls.acme", {
        directory: String, Text, "that of Let's Encrypt", "\"https://acme-staging-v02.api.letsencrypt.org/directory\"",
            "The certificate authority, by the address of its ACME directory. Naming a domain means that you agree to its terms.";
        email: String, Text, "none", "\"you@example.org\"",
            "Whom the authority may write to.";
        challenge: AcmeChallenge, Text, "both in turn", "\"tls-alpn-01\"",
            "How the authority learns that the domain is yours: http-01 (it asks port 80) or tls-alpn-01 (it asks port 443).";
        ca: PathBuf, Text, "none", "\"ca.pem\"",
            "Certificates, as PEM, that the directory may be signed by besides those that the system trusts: for an authority of your own.";
        eab_key_id: String, Text, "none", "\"kid-1\"",
            "The account that you have with the authority, where it asks for one (external account binding).";
        eab_hmac_key: Secret, Text, "none", "\"base64url\"",
            "Its key, as base64url.";
    }
);

section!(
    Compat, "compat", {
        open: bool, Plain, "false", "true",
            "Open every port below, at the number that the program it is for knows. Flag: `--compat`.";
        rooms: Vec<String>, List, "[]", "[\"lobby\"]",
            "Rooms that older programs enter without a token. In development mode they enter all.";
        tokens: Vec<Secret>, List, "[]", "[\"at least 32 random characters\"]",
            "Tokens that let older programs into any room. Access tokens of `keys` let into theirs besides.";
        origins: Vec<String>, List, "[]", "[\"https://old.example.org\"]",
            "Pages of other hosts that may use the doors for older programs. `*`: all.";
    }, sections {
        spider: CompatSpider;
        kurento: CompatKurento;
        signalling: CompatSignalling;
        sfu: CompatSfu;
    }
);

section!(
    CompatSpider, "compat.spider", {
        port: u16, Plain, "none", "8267",
            "TLS port of Spider's publishers and subscribers (`/live/ws/pub`, `/live/ws/sub`). 0: any free one.";
    }
);

section!(
    CompatKurento, "compat.kurento", {
        port: u16, Plain, "none", "8443",
            "TLS port of Kurento's one2many tutorial (`/one2many`, `/call`). 0: any free one.";
        rpc_port: u16, Plain, "none", "8888",
            "Port of Kurento's control protocol (`/kurento`), without TLS. 0: any free one.";
    }
);

section!(
    CompatSignalling, "compat.signalling", {
        port: u16, Plain, "none", "3030",
            "Port of the Socket.IO signalling server, without TLS. 0: any free one.";
        tokens: Vec<Secret>, List, "[]", "[\"at least 32 random characters\"]",
            "Tokens that its clients connect with. In development mode `SIGNALING123` is one.";
    }
);

section!(
    CompatSfu, "compat.sfu", {
        port: u16, Plain, "none", "8080",
            "Port of the Socket.IO server for calls of many with many, without TLS. 0: any free one.";
    }
);

section!(
    Whip, "whip", {
        stream_keys: BTreeMap<String, Secret>, Pairs, "none", "{ \"studio/camera-1\" = \"at least 16 random characters\" }",
            "Who may publish by WHIP without an access token: `room/identity` and the key that the encoder shows as its bearer token. Without `/identity` it is `stream`.";
        watch_keys: BTreeMap<String, Secret>, Pairs, "none", "{ studio = \"at least 16 random characters\" }",
            "Who may watch by WHEP without an access token: the room, and the key that players show as their bearer token. Many may watch with the same one.";
    }
);

/// Everything that can be set, in the order of the documentation.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    [
        Raw::KEYS,
        Interfaces::KEYS,
        Rooms::KEYS,
        Limits::KEYS,
        Ice::KEYS,
        Turn::KEYS,
        Log::KEYS,
        Web::KEYS,
        Tls::KEYS,
        Acme::KEYS,
        Compat::KEYS,
        CompatSpider::KEYS,
        CompatKurento::KEYS,
        CompatSignalling::KEYS,
        CompatSfu::KEYS,
        Whip::KEYS,
    ]
    .into_iter()
    .flatten()
}
