use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use madang_sfu::api::{PeerId, RoomId, ShardId};
use madang_turn::{Families, Now, PeerClass, Principal, Refused, User, special, user_hash};

use super::{FarEnd, ForShard, Peers, Place, RELAY_IPV4, RELAY_IPV6, RelayConfig, Relays};

const WALL: Duration = Duration::from_secs(1_800_000_000);
const ONE: PeerId = PeerId(1);
const ROOM: RoomId = RoomId(77);
const PUBLIC: &str = "198.51.100.5:7882";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn relays(candidates: &[&str]) -> Arc<Relays> {
    relays_of(RelayConfig::new(b"secret".to_vec()), candidates)
}

fn relays_of(config: RelayConfig, candidates: &[&str]) -> Arc<Relays> {
    let candidates: Vec<SocketAddr> = candidates.iter().map(|text| address(text)).collect();
    let place = Place {
        candidates: &candidates,
        udp_port: None,
        own: &[],
        bound: &[],
    };
    Relays::new(Some(config), [1; 32], place)
}

fn who(peer: PeerId) -> Principal {
    Principal {
        participant: peer.0,
        room: ROOM.0,
    }
}

fn account(relays: &Relays, wall: Duration, user: User<'_>) -> Option<(String, Principal)> {
    let account = relays.account(wall, user)?;
    Some((account.password, account.who))
}

#[test]
fn credentials_are_good_from_the_join_to_the_end_of_the_stay_or_their_own() {
    let relays = relays(&[PUBLIC]);
    assert_eq!(
        relays.issue(WALL, ONE, None, FarEnd::Members),
        None,
        "no session"
    );
    relays.attach(ONE);
    let access = relays
        .issue(WALL, ONE, None, FarEnd::Members)
        .expect("a session");
    assert_eq!(access.ttl, Duration::from_secs(3_600));
    let name = access.username.clone();
    let hash = user_hash(name.as_bytes(), b"room");
    let users = [User::Name(name.as_bytes()), User::Hash(&hash)];
    for user in users {
        assert!(account(&relays, WALL, user).is_none(), "not in a room yet");
    }
    relays.enter(ONE, ROOM);
    for user in users {
        let known = Some((access.password.clone(), who(ONE)));
        assert_eq!(account(&relays, WALL, user), known);
        let late = WALL + Duration::from_secs(3_600);
        assert_eq!(account(&relays, late, user), None);
    }
    relays.leave(ONE);
    for user in users {
        assert!(account(&relays, WALL, user).is_none());
    }
    assert_eq!(relays.issue(WALL, ONE, None, FarEnd::Members), None);
    let state = relays.lock();
    assert!(
        state.peers.is_empty() && state.names.is_empty(),
        "nothing is left"
    );
}

#[test]
fn names_that_nobody_was_given_are_nobodys() {
    let relays = relays(&[PUBLIC]);
    relays.attach(ONE);
    relays.enter(ONE, ROOM);
    let name = format!("1800000001:{}", PeerId(2));
    for name in [name.as_str(), "", "1800000001:", "1800000001:PA_?", ":"] {
        assert!(account(&relays, WALL, User::Name(name.as_bytes())).is_none());
    }
    assert!(account(&relays, WALL, User::Hash(b"short")).is_none());
    for second in 0..100 {
        let later = WALL + Duration::from_secs(second);
        relays
            .issue(later, ONE, None, FarEnd::Members)
            .expect("a session");
    }
    assert!(relays.lock().names.len() <= super::HASHES_PER_PEER_MAX);
}

#[test]
fn allocations_are_counted_over_all_shards_and_once() {
    let config = RelayConfig {
        allocations_per_peer_max: 2,
        allocations_max: 3,
        ..RelayConfig::new(b"secret".to_vec())
    };
    let relays = relays_of(config, &[PUBLIC]);
    let [first, second] = [ShardId(0), ShardId(1)];
    assert_eq!(relays.open(first, who(ONE), 2_000), Err(Refused::Gone));
    for peer in [ONE, PeerId(2)] {
        relays.attach(peer);
        relays.enter(peer, ROOM);
    }
    assert_eq!(relays.open(first, who(ONE), 2_000), Ok(()));
    assert_eq!(relays.open(second, who(ONE), 2_002), Ok(()));
    assert_eq!(relays.open(first, who(ONE), 2_004), Err(Refused::Quota));
    assert_eq!(relays.open(first, who(PeerId(2)), 2_004), Ok(()));
    assert_eq!(
        relays.open(first, who(PeerId(2)), 2_006),
        Err(Refused::Full)
    );
    relays.close(second, who(ONE), 2_002);
    assert_eq!(relays.open(first, who(ONE), 2_008), Ok(()));
    let shards: Vec<ShardId> = relays.leave(ONE).iter().collect();
    assert_eq!(shards, [first], "where there is something to end");
    assert_eq!(
        relays.open(first, who(PeerId(2)), 2_010),
        Err(Refused::Full),
        "until they have ended"
    );
    relays.close(first, who(ONE), 2_000);
    relays.close(first, who(ONE), 2_008);
    assert_eq!(relays.open(second, who(PeerId(2)), 2_010), Ok(()));
    let elsewhere = Principal {
        room: 78,
        ..who(PeerId(2))
    };
    assert_eq!(relays.open(first, elsewhere, 2_012), Err(Refused::Gone));
}

#[test]
fn peers_are_our_media_port_and_the_room() {
    let relays = relays(&[PUBLIC, "[2a00::5]:7882"]);
    relays.attach(ONE);
    relays.enter(ONE, ROOM);
    assert_eq!(relays.open(ShardId(0), who(ONE), 2_000), Ok(()));
    let stranger = Principal {
        participant: 9,
        room: 78,
    };
    for sfu in [PUBLIC, "[2a00::5]:7882"] {
        assert_eq!(relays.class(stranger, address(sfu)), Some(PeerClass::Sfu));
    }
    for ip in [IpAddr::V4(RELAY_IPV4), IpAddr::V6(RELAY_IPV6)] {
        let member = SocketAddr::new(ip, 2_000);
        assert!(relays.is_relayed(member));
        assert_eq!(
            relays.class(who(PeerId(2)), member),
            Some(PeerClass::Member)
        );
        assert_eq!(relays.class(stranger, member), None);
        assert!(relays.permits(who(PeerId(2)), member) && !relays.permits(stranger, member));
        assert_eq!(
            relays.class(who(ONE), SocketAddr::new(ip, 2_001)),
            None,
            "nobody's"
        );
    }
    assert!(
        relays.permits(stranger, address("198.51.100.5:1")),
        "of an address, not of a port"
    );
    relays.close(ShardId(0), who(ONE), 2_000);
    let gone = SocketAddr::new(RELAY_IPV4.into(), 2_000);
    assert_eq!(relays.class(who(PeerId(2)), gone), None);
}

#[test]
fn even_where_the_server_is_private_there_is_no_way_beside_it() {
    let relays = relays(&["127.0.0.1:7882", "10.0.0.5:7882", "[fd00::5]:7882"]);
    for text in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.2",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "8.8.8.8",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:10.0.0.5",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fd00::1",
        "fe80::1",
        "ff02::1",
    ] {
        let ip: IpAddr = text.parse().expect("an address");
        assert!(text == "8.8.8.8" || special(ip).is_some());
        let peer = SocketAddr::new(ip, 7_882);
        assert!(!relays.permits(who(ONE), peer), "{text}");
        assert_eq!(relays.class(who(ONE), peer), None, "{text}");
    }
    for ours in ["127.0.0.1:22", "10.0.0.5:7880", "[fd00::5]:7881"] {
        assert_eq!(relays.class(who(ONE), address(ours)), None, "{ours}");
    }
}

#[test]
fn switched_off_nobody_gets_anything() {
    let place = Place {
        candidates: &[address(PUBLIC)],
        udp_port: None,
        own: &[],
        bound: &[],
    };
    let relays = Relays::new(None, [1; 32], place);
    relays.attach(ONE);
    relays.enter(ONE, ROOM);
    assert_eq!(relays.issue(WALL, ONE, None, FarEnd::Members), None);
    let name = format!("1800000001:{ONE}");
    assert!(account(&relays, WALL, User::Name(name.as_bytes())).is_none());
    assert_eq!(relays.open(ShardId(0), who(ONE), 2_000), Err(Refused::Gone));
    let config = relays.server_config(madang_turn::Ports::new(0, 1));
    assert_eq!((config.relay_ipv4, config.relay_ipv6), (None, None));
}

#[test]
fn a_shard_asks_for_itself() {
    use madang_turn::{Auth as _, Policy as _};
    let relays = relays(&[PUBLIC]);
    relays.attach(ONE);
    relays.enter(ONE, ROOM);
    let access = relays
        .issue(WALL, ONE, None, FarEnd::Members)
        .expect("a session");
    let shard = ForShard {
        relays: Arc::clone(&relays),
        shard: ShardId(3),
        sockets: None,
    };
    let now = Now {
        instant: std::time::Instant::now(),
        wall: WALL,
    };
    let account = shard.account(now, User::Name(access.username.as_bytes()));
    assert_eq!(account.expect("known").who, who(ONE));
    let families = Families {
        ipv4: true,
        ipv6: true,
    };
    assert_eq!(shard.open(who(ONE), 2_000, families), Ok(()));
    let shards: Vec<ShardId> = relays.leave(ONE).iter().collect();
    assert_eq!(shards, [ShardId(3)]);
}

fn open_to_the_internet(users: &[(&str, &str)]) -> Arc<Relays> {
    let owned = |(name, password): &(&str, &str)| ((*name).to_owned(), (*password).to_owned());
    let config = RelayConfig {
        peers: Peers::Public {
            allow: vec!["10.20.0.0/16".parse().expect("a network")],
            deny: vec!["9.9.9.0/24".parse().expect("a network")],
        },
        users: users.iter().map(owned).collect(),
        allocations_per_user_max: 2,
        ..RelayConfig::new(b"secret".to_vec())
    };
    let own = ["127.0.0.1", "10.0.0.5", "10.20.0.1", "2a00::7"];
    let place = Place {
        candidates: &[address("10.0.0.5:7882"), address("11.0.0.5:7882")],
        udp_port: None,
        own: &own.map(|text| text.parse().expect("an address")),
        bound: &["0.0.0.0".parse().expect("an address")],
    };
    Relays::new(Some(config), [1; 32], place)
}

#[test]
fn the_internet_is_let_in_and_nothing_of_ours_but_the_media_port() {
    let relays = open_to_the_internet(&[]);
    relays.attach(ONE);
    relays.enter(ONE, ROOM);
    let class = |text: &str| relays.class(who(ONE), address(text));
    for peer in ["8.8.8.8:53", "10.20.0.9:554", "[2a00::1]:443"] {
        assert_eq!(class(peer), Some(PeerClass::Elsewhere), "{peer}");
        assert!(relays.permits(who(ONE), address(peer)), "{peer}");
    }
    for sfu in ["10.0.0.5:7882", "11.0.0.5:7882"] {
        assert_eq!(class(sfu), Some(PeerClass::Sfu), "{sfu}");
        assert!(relays.permits(who(ONE), address(sfu)), "{sfu}");
    }
    // Some clients leave the port out of what is for an address.
    assert!(relays.permits(who(ONE), address("11.0.0.5:0")));
    for ours in [
        "10.0.0.5:22",
        "11.0.0.5:22",
        "11.0.0.5:7880",
        "11.0.0.5:49152",
        "10.20.0.1:554",
        "127.0.0.1:7882",
        "[2a00::7]:443",
        "9.9.9.9:53",
        "192.0.0.8:2000",
        "10.21.0.1:554",
    ] {
        assert_eq!(class(ours), None, "{ours}");
        assert!(!relays.permits(who(ONE), address(ours)), "{ours}");
    }
    // The address that the internet sees, bound where it arrives behind address translation.
    assert_eq!(
        relays.relayed_address(50_000, false),
        address("11.0.0.5:50000")
    );
    let ends = relays.sockets_at().expect("sockets");
    assert_eq!(ends, (Some("0.0.0.0".parse().expect("an address")), None));
    let relayed = address("11.0.0.5:50000");
    assert!(!relays.is_relayed(relayed));
    assert_eq!(relays.open(ShardId(0), who(ONE), 50_000), Ok(()));
    assert!(relays.is_relayed(relayed) && !relays.is_relayed(address("10.0.0.5:50000")));
    let stranger = Principal {
        participant: 9,
        room: ROOM.0 + 1,
    };
    assert_eq!(
        relays.class(who(PeerId(2)), relayed),
        Some(PeerClass::Member)
    );
    assert_eq!(relays.class(stranger, relayed), None);
    assert!(!relays.permits(stranger, relayed));
    relays.close(ShardId(0), who(ONE), 50_000);
    assert!(!relays.is_relayed(relayed));
}

#[test]
fn users_of_the_settings_have_a_quota_each_and_no_room() {
    let relays = open_to_the_internet(&[("camera", "its password"), ("robot", "another one")]);
    let (password, camera) = account(&relays, WALL, User::Name(b"camera")).expect("known");
    assert_eq!(password, "its password");
    let hash = user_hash(b"robot", b"room");
    let (_, robot) = account(&relays, WALL, User::Hash(&hash)).expect("known");
    assert!(account(&relays, WALL, User::Name(b"cam")).is_none());
    let shard = ShardId(0);
    assert_eq!(relays.open(shard, camera, 50_000), Ok(()));
    assert_eq!(relays.open(shard, camera, 50_002), Ok(()));
    assert_eq!(relays.open(shard, camera, 50_004), Err(Refused::Quota));
    assert_eq!(relays.open(shard, robot, 50_006), Ok(()));
    let of_camera = address("11.0.0.5:50000");
    assert_eq!(relays.class(robot, of_camera), Some(PeerClass::Member));
    relays.attach(ONE);
    relays.enter(ONE, ROOM);
    assert_eq!(relays.class(who(ONE), of_camera), None, "not of the room");
    relays.close(shard, camera, 50_002);
    assert_eq!(relays.open(shard, camera, 50_004), Ok(()));
}
