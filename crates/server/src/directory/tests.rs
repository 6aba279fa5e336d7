use std::time::Instant;

use super::*;

/// Ids 1, 2, 3, …
struct Counting(u64);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        for (place, byte) in bytes.iter_mut().zip(self.0.to_le_bytes()) {
            *place = byte;
        }
    }
}

type Joined = Result<(Seat, mpsc::Receiver<Command>), AdmitError>;

struct Yard {
    directory: Arc<Directory>,
    start: Instant,
}

impl Yard {
    fn new(shards: u8, change: impl FnOnce(&mut config::Rooms, &mut u32)) -> Self {
        let mut settings = crate::Config::for_tests().rooms;
        let mut sessions_max = 100;
        change(&mut settings, &mut sessions_max);
        Self {
            directory: Directory::new(settings, sessions_max, shards, Box::new(Counting(0))),
            start: Instant::now(),
        }
    }

    fn at(&self, after_s: u64) -> Now {
        Now {
            instant: self.start + Duration::from_secs(after_s),
            wall: Duration::from_secs(after_s),
        }
    }

    fn join(&self, room: &str, identity: &str) -> Joined {
        self.directory
            .admit(self.at(0), &wish(&room.into(), &identity.into()))
    }
}

fn wish<'a>(room: &'a RoomName, identity: &'a Identity) -> Wish<'a> {
    Wish {
        room,
        identity,
        topology: Topology::Sfu,
        settings: RoomSettings::default(),
        may_create: false,
        is_exclusive: false,
        key: None,
    }
}

#[track_caller]
fn check_refused(joined: &Joined, expected: AdmitError) {
    assert_eq!(joined.as_ref().err(), Some(&expected));
}

#[track_caller]
fn check_removed(inbox: &mut mpsc::Receiver<Command>, expected: LeaveReason) {
    match inbox.try_recv() {
        Ok(Command::Request(Request::Remove { reason })) => assert_eq!(reason, expected),
        other => panic!("not told to leave: {other:?}"),
    }
}

#[test]
fn the_newest_of_one_identity_stays() {
    let yard = Yard::new(1, |_, _| {});
    let (first, mut first_inbox) = yard.join("r", "a").expect("free");
    let (second, mut second_inbox) = yard.join("r", "a").expect("replaces");
    check_removed(&mut first_inbox, LeaveReason::Duplicate);
    assert!(second_inbox.try_recv().is_err());
    drop(first);
    let member = yard
        .directory
        .member(&"r".into(), &"a".into())
        .expect("still there");
    assert_eq!(member.peer, second.peer);
}

#[test]
fn a_full_room_lets_in_who_replaces_themselves() {
    let yard = Yard::new(2, |rooms, _| rooms.peers_max = Some(2));
    let _a = yard.join("r", "a").expect("free");
    let b = yard.join("r", "b").expect("free");
    check_refused(&yard.join("r", "c"), AdmitError::RoomFull);
    let _again = yard.join("r", "a").expect("replaces");
    check_refused(&yard.join("r", "c"), AdmitError::RoomFull);
    drop(b);
    let _c = yard.join("r", "c").expect("a place is free");
}

#[test]
fn a_full_server_lets_nobody_in() {
    let yard = Yard::new(1, |_, sessions_max| *sessions_max = 1);
    let a = yard.join("r", "a").expect("free");
    check_refused(&yard.join("other", "b"), AdmitError::ServerFull);
    drop(a);
    let _b = yard.join("other", "b").expect("free");
}

#[test]
fn without_auto_create_a_room_must_be_made() {
    let yard = Yard::new(1, |rooms, _| rooms.auto_create = false);
    check_refused(&yard.join("r", "a"), AdmitError::NoSuchRoom);
    let (room, identity) = (RoomName::from("own"), Identity::from("a"));
    let by_token = Wish {
        may_create: true,
        ..wish(&room, &identity)
    };
    let _by_token = yard
        .directory
        .admit(yard.at(0), &by_token)
        .expect("the token allows it");
    yard.directory
        .create(yard.at(0), &"r".into(), &RoomSettings::default());
    let _a = yard.join("r", "a").expect("made");
}

#[test]
fn a_room_spills_over_when_its_shard_is_full() {
    let yard = Yard::new(3, |rooms, _| rooms.peers_per_shard = 2);
    let seats: Vec<_> = (0..7)
        .map(|i| yard.join("r", &i.to_string()).expect("free"))
        .collect();
    let shards: Vec<u8> = seats.iter().map(|(seat, _)| seat.shard.0).collect();
    assert_eq!(shards, [0, 0, 1, 1, 2, 2, 0]);
    let (last, _) = seats.last().expect("seven");
    assert_eq!(last.shards.iter().map(|s| s.0).collect::<Vec<_>>(), [1, 2]);
    let (other, _) = yard.join("other", "x").expect("free");
    assert_eq!(other.shard, ShardId(1), "the least loaded");
}

#[test]
fn a_gap_is_filled_before_another_shard_is_taken() {
    let yard = Yard::new(2, |rooms, _| rooms.peers_per_shard = 2);
    let a = yard.join("r", "a").expect("free");
    let _b = yard.join("r", "b").expect("free");
    drop(a);
    let (c, _inbox) = yard.join("r", "c").expect("free");
    assert_eq!(c.shard, ShardId(0));
}

#[test]
fn rooms_end_by_their_timeouts() {
    let yard = Yard::new(1, |rooms, _| {
        rooms.empty_timeout = Duration::from_secs(300);
        rooms.departure_timeout = Duration::from_secs(20);
    });
    yard.directory
        .create(yard.at(0), &"empty".into(), &RoomSettings::default());
    let joined = yard.join("left", "a").expect("free");
    yard.directory.sweep(yard.at(299));
    assert_eq!(yard.directory.totals().rooms, 2);
    yard.directory.sweep(yard.at(300));
    assert_eq!(yard.directory.totals().rooms, 1, "nobody ever came");
    drop(joined);
    yard.directory.sweep(yard.at(10));
    assert_eq!(yard.directory.totals().rooms, 1);
    // Leaving reads the clock itself; this test takes less than ten seconds.
    yard.directory.sweep(yard.at(30));
    assert_eq!(yard.directory.totals(), Totals::default());
}

#[test]
fn a_deleted_room_and_its_namesake_are_two() {
    let yard = Yard::new(1, |_, _| {});
    let (old, mut inbox) = yard.join("r", "a").expect("free");
    assert!(yard.directory.delete(&"r".into()));
    assert!(!yard.directory.delete(&"r".into()));
    check_removed(&mut inbox, LeaveReason::RoomDeleted);
    let (new, _inbox) = yard.join("r", "a").expect("free");
    assert_ne!(old.room.id, new.room.id);
    drop(old);
    assert_eq!(
        yard.directory.totals(),
        Totals {
            rooms: 1,
            mesh: 0,
            sfu: 0,
            members: 1,
            seats: 1
        }
    );
}

#[test]
fn the_token_may_say_what_a_new_room_is() {
    let yard = Yard::new(1, |_, _| {});
    let (room, identity) = (RoomName::from("r"), Identity::from("a"));
    let settings = RoomSettings {
        metadata: "m".to_owned(),
        peers_max: Some(1),
        empty_timeout_s: Some(5),
        departure_timeout_s: None,
        bounds: Bounds::default(),
    };
    let first = Wish {
        settings,
        ..wish(&room, &identity)
    };
    let (seat, _inbox) = yard.directory.admit(yard.at(0), &first).expect("free");
    assert_eq!(
        (seat.room.metadata.as_str(), seat.room.peers_max),
        ("m", Some(1))
    );
    assert_eq!(
        (seat.room.empty_timeout_s, seat.room.departure_timeout_s),
        (5, 20)
    );
    check_refused(&yard.join("r", "b"), AdmitError::RoomFull);
}

#[test]
fn who_wants_a_name_alone_does_not_take_it_from_another() {
    let yard = Yard::new(1, |_, _| {});
    let (room, identity) = (RoomName::from("r"), Identity::from("publisher"));
    let alone = Wish {
        is_exclusive: true,
        ..wish(&room, &identity)
    };
    let admit = || yard.directory.admit(yard.at(0), &alone);
    let first = admit().expect("free");
    check_refused(&admit(), AdmitError::Taken);
    drop(first);
    assert!(admit().is_ok());
}

#[test]
fn who_comes_back_with_his_key_has_his_place_again() {
    let yard = Yard::new(1, |_, _| {});
    let (room, identity) = (RoomName::from("r"), Identity::from("presenter"));
    let admit = |key: Option<&str>| {
        let wish = Wish {
            is_exclusive: true,
            key,
            ..wish(&room, &identity)
        };
        yard.directory.admit(yard.at(0), &wish)
    };
    let (first, mut first_inbox) = admit(Some("k1")).expect("free");
    check_refused(&admit(Some("k2")), AdmitError::Taken);
    check_refused(&admit(None), AdmitError::Taken);
    let (second, _second_inbox) = admit(Some("k1")).expect("his own place");
    check_removed(&mut first_inbox, LeaveReason::Duplicate);
    // The dead line's end does not free the place.
    drop(first);
    check_refused(&admit(Some("k2")), AdmitError::Taken);
    drop(second);
    let _keyless = admit(None).expect("free");
    check_refused(&admit(Some("k1")), AdmitError::Taken);
}

#[test]
fn a_room_is_bound_by_its_name_or_by_whoever_makes_it() {
    let yard = Yard::new(1, |settings, _| {
        settings.mesh = vec!["c-*".to_owned(), "hall".to_owned()];
        settings.sfu = vec!["c-stage*".to_owned(), "h*".to_owned()];
    });
    let join = |room: &str, topology, wanted| {
        let (room, identity) = (room.into(), "a".into());
        let settings = RoomSettings {
            bounds: Bounds {
                topology: wanted,
                ..Bounds::default()
            },
            ..RoomSettings::default()
        };
        let wish = Wish {
            topology,
            settings,
            ..wish(&room, &identity)
        };
        assert_eq!(
            yard.directory.check(&wish).err(),
            yard.directory.admit(yard.at(0), &wish).err()
        );
        yard.directory.check(&wish).err()
    };
    let (mesh, sfu) = (Topology::Mesh, Topology::Sfu);
    for (room, bound) in [
        ("c-1", Some(mesh)),
        ("c-stage", Some(sfu)),
        ("hall", Some(mesh)),
        ("hall-2", Some(sfu)),
        ("yard", None),
        ("c", None),
    ] {
        let by_mesh = (bound == Some(sfu)).then_some(AdmitError::Sfu);
        let by_sfu = (bound == Some(mesh)).then_some(AdmitError::Mesh);
        assert_eq!(join(room, mesh, None), by_mesh, "{room}");
        assert_eq!(join(room, sfu, None), by_sfu, "{room}");
    }
    assert_eq!(join("c-2", sfu, Some(sfu)), None, "its maker decides");
    assert_eq!(
        join("c-2", mesh, Some(mesh)),
        Some(AdmitError::Sfu),
        "and nobody after him"
    );
    let settings = RoomSettings {
        bounds: Bounds {
            topology: Some(mesh),
            ..Bounds::default()
        },
        ..RoomSettings::default()
    };
    let name = "made".into();
    yard.directory.create(yard.at(0), &name, &settings);
    assert_eq!(join("made", sfu, None), Some(AdmitError::Mesh));
    let totals = yard.directory.totals();
    assert_eq!((totals.rooms, totals.mesh, totals.sfu), (8, 3, 3));
}

#[test]
fn addresses_are_hidden_by_the_name_of_a_room_or_by_whoever_makes_it() {
    let yard = Yard::new(1, |settings, _| settings.relay = vec!["p-*".to_owned()]);
    let hides = |room: &str, hides_addresses| {
        let (room, identity) = (room.into(), "a".into());
        let bounds = Bounds {
            hides_addresses,
            ..Bounds::default()
        };
        let settings = RoomSettings {
            bounds,
            ..RoomSettings::default()
        };
        let wish = Wish {
            settings,
            ..wish(&room, &identity)
        };
        let (seat, _inbox) = yard.directory.admit(yard.at(0), &wish).expect("free");
        seat.bounds.hides_addresses
    };
    assert!(hides("p-1", false), "who asks for less gets no less");
    assert!(hides("yard", true));
    assert!(hides("yard", false), "for life");
    assert!(!hides("hall", false));
    assert!(!hides("hall", true), "for life");
}
