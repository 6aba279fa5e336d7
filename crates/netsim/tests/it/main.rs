//! The core under seeds: who joins, publishes, switches layers and leaves when, and what the network does to them.

use std::time::{Duration, Instant};

use madang_netsim::{Client, Link, Profile, Random, Setup, World};
use madang_sfu::Config;
use madang_sfu::api::{
    ConnectionKey, DataForm, DataMessage, Preference, Recipients, Request, ShardId,
};

const BOTH: Profile = Profile {
    audio: true,
    video: true,
};
const AUDIO: Profile = Profile {
    audio: true,
    video: false,
};
const WATCHER: Profile = Profile {
    audio: false,
    video: false,
};
const SEEDS: u64 = 100;

fn clean(seed: u64, shards: u8) -> World {
    World::new(
        Instant::now(),
        Setup {
            seed,
            shards,
            up: Link::clean(),
            down: Link::clean(),
        },
    )
}

/// Every live client is subscribed to every track of the others, and gets packets of each.
fn check_everybody_hears_everybody(world: &World) {
    let tracks: Vec<_> = world
        .clients
        .iter()
        .flat_map(|client| client.announced.iter().copied())
        .collect();
    for client in &world.clients {
        for track in tracks
            .iter()
            .filter(|track| !client.announced.contains(track))
        {
            assert!(
                client.subscribed.contains(track),
                "{world:?}: {client:?} is not subscribed to {track}"
            );
            let packets: usize = client
                .streams
                .iter()
                .filter(|((t, _), _)| t == track)
                .map(|(_, stream)| stream.packets())
                .sum();
            assert!(packets > 0, "{world:?}: {client:?} got nothing of {track}");
        }
        assert_eq!(
            client.announced.len(),
            client
                .announced
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len()
        );
    }
}

fn leave_all(world: &mut World) {
    for index in 0..world.clients.len() {
        world.leave(index);
    }
    world.run(Duration::from_millis(500));
    world.bury();
    assert!(
        world.clients.is_empty(),
        "{world:?}: not everybody was told that it left"
    );
    world.check_empty();
}

#[test]
fn a_member_has_its_own_tracks_back_if_it_names_a_connection() {
    let mut world = clean(1, 1);
    let index = world.join(BOTH);
    world.run(Duration::from_secs(2));
    let tracks = world.clients[index].announced.clone();
    assert_eq!(tracks.len(), 2);
    for connection in [None, Some(ConnectionKey(0))] {
        assert!(world.clients[index].subscribed.is_empty());
        let tracks = tracks.clone();
        let wish = Request::Subscribe { tracks, connection };
        world.clients[index].request(wish);
        world.run(Duration::from_secs(3));
    }
    let client = &world.clients[index];
    for track in &tracks {
        assert!(client.subscribed.contains(track), "{track}");
        let mut streams = client.streams.iter();
        assert!(
            streams.any(|((heard, _), stream)| heard == track && stream.packets() > 0),
            "{track}"
        );
    }
    world.check();
}

#[test]
fn who_publishes_is_told_whether_it_arrives() {
    for shards in [1, 2] {
        let mut world = clean(1, shards);
        let publisher = world.join(BOTH);
        let watcher = world.join(WATCHER);
        world.run(Duration::from_secs(3));
        let tracks = world.clients[publisher].announced.clone();
        let told = |world: &mut World| {
            let mut told = std::mem::take(&mut world.clients[publisher].flowing);
            told.sort();
            told
        };
        let each = |flowing| {
            let mut each: Vec<_> = tracks.iter().map(|track| (*track, flowing)).collect();
            each.sort();
            each
        };
        assert_eq!(tracks.len(), 2);
        assert_eq!(told(&mut world), each(true));
        world.run(Duration::from_secs(3));
        assert_eq!(told(&mut world), [], "nothing changed");
        world.clients[publisher].rests = true;
        world.run(Duration::from_secs(1));
        assert_eq!(told(&mut world), [], "a pause is no end");
        world.run(Duration::from_secs(1));
        assert_eq!(told(&mut world), each(false));
        world.clients[publisher].rests = false;
        world.run(Duration::from_secs(1));
        assert_eq!(told(&mut world), each(true));
        assert_eq!(world.clients[watcher].flowing, [], "nobody else is told");
        world.check();
        leave_all(&mut world);
    }
}

#[test]
fn on_clean_links_nothing_is_missing() {
    for shards in [1, 2, 4] {
        let mut world = clean(1, shards);
        for _ in 0..4 {
            world.join(BOTH);
        }
        world.run(Duration::from_secs(6));
        world.check();
        check_everybody_hears_everybody(&world);
        for client in &world.clients {
            for ((track, _), stream) in &client.streams {
                let report = stream.report();
                assert_eq!(report.missing, 0, "{shards} shards, {track}: {report:?}");
                assert!(report.packets > 50, "{shards} shards, {track}: {report:?}");
            }
        }
        leave_all(&mut world);
    }
}

#[test]
fn each_packet_crosses_to_another_shard_once() {
    let mut world = clean(2, 4);
    world.join(AUDIO);
    for _ in 0..11 {
        world.join(WATCHER);
    }
    world.run(Duration::from_secs(4));
    world.check();
    let (sent, crossed) = (world.sum(|c| c.rtp_in), world.sum(|c| c.link_packets_out));
    assert_eq!(world.sum(|c| c.link_packets_in), crossed);
    // Eleven watchers on four shards: three other shards, at most one copy each.
    assert!(
        crossed <= 3 * sent && crossed > 2 * sent,
        "{crossed} crossings of {sent} packets"
    );
    check_everybody_hears_everybody(&world);
    leave_all(&mut world);
}

#[test]
fn a_layer_wish_is_followed_and_begins_with_a_key_frame() {
    for shards in [1, 2] {
        let mut world = clean(3, shards);
        world.join(BOTH);
        world.join(WATCHER);
        world.run(Duration::from_secs(3));
        let track = *world.clients[0].announced.last().expect("a camera");
        for (quality, encoding) in [(0, 0), (2, 2), (1, 1), (2, 2)] {
            let preference = Preference {
                quality: Some(quality),
                ..Preference::default()
            };
            world.clients[1].request(Request::Prefer { track, preference });
            world.run(Duration::from_secs(2));
            let last = last_encoding(&world, 1, track);
            assert_eq!(last, Some(encoding), "{shards} shards, quality {quality}");
        }
        world.check();
        let report = world.clients[1]
            .streams
            .iter()
            .find(|((t, _), _)| *t == track)
            .expect("a stream")
            .1
            .report();
        assert!(report.switches >= 4, "{report:?}");
        assert_eq!(report.missing, 0, "{report:?}");
        leave_all(&mut world);
    }
}

/// A publisher with little bandwidth leaves out his higher encodings; on another shard that can be seen from packets alone.
#[test]
fn who_sends_but_the_lowest_encoding_is_seen_on_every_shard() {
    for shards in [1, 2] {
        let mut world = clean(5, shards);
        world.join(BOTH);
        world.clients[0].encodings_sent = 1;
        world.join(WATCHER);
        world.run(Duration::from_secs(3));
        let track = *world.clients[0].announced.last().expect("a camera");
        let seen = last_encoding(&world, 1, track);
        assert_eq!(seen, Some(0), "{shards} shards");
        // Whoever comes now need not find out first that nothing better comes.
        world.join(WATCHER);
        world.join(WATCHER);
        world.run(Duration::from_secs(1));
        for client in [2, 3] {
            let seen = last_encoding(&world, client, track);
            assert_eq!(seen, Some(0), "{shards} shards, client {client}");
        }

        world.clients[0].encodings_sent = 3;
        world.run(Duration::from_secs(2));
        assert_eq!(last_encoding(&world, 1, track), Some(2));
        // From then on nothing crosses but what is wanted.
        let crossed = |world: &World| world.sum(|c| c.link_packets_out);
        let (before, sent) = (crossed(&world), world.sum(|c| c.rtp_in));
        world.run(Duration::from_secs(2));
        let (crossed, sent) = (crossed(&world) - before, world.sum(|c| c.rtp_in) - sent);
        // A frame has 1, 2 and 4 packets, and there are three packets of sound to each.
        assert!(
            crossed * 10 <= sent * 8 && (crossed > 0) == (shards > 1),
            "{shards} shards: {crossed} of {sent}"
        );
        world.check();
        leave_all(&mut world);
    }
}

#[test]
fn who_asks_again_too_soon_is_answered_later() {
    for shards in [1, 2] {
        let mut world = clean(6, shards);
        world.join(BOTH);
        world.join(WATCHER);
        world.run(Duration::from_secs(3));
        let track = *world.clients[0].announced.last().expect("a camera");
        let before = world.clients[0].keyframes_sent;
        world.clients[1].ask_for_keyframe(track);
        world.run(Duration::from_millis(200));
        assert_eq!(world.clients[0].keyframes_sent, before + 1);
        // That one is lost to him as well.
        world.clients[1].ask_for_keyframe(track);
        world.run(Duration::from_millis(100));
        assert_eq!(world.clients[0].keyframes_sent, before + 1, "too soon");
        world.run(Duration::from_millis(700));
        assert_eq!(world.clients[0].keyframes_sent, before + 2);
        world.run(Duration::from_secs(3));
        assert_eq!(world.clients[0].keyframes_sent, before + 2);
        leave_all(&mut world);
    }
}

/// What is meant for a channel that its owner closed is lost and counted; it is no reason to let a member go.
#[test]
fn who_closes_a_channel_stays() {
    const MESSAGE_BYTES: usize = 64 * 1024;
    let mut world = clean(4, 1);
    for _ in 0..3 {
        world.join(WATCHER);
    }
    world.run(Duration::from_secs(3));
    world.clients[2].close_channels();
    world.run(Duration::from_secs(1));
    let queue_bytes_max = Config::new(ShardId(0), Vec::new()).data_queue_bytes_max;
    for _ in 0..queue_bytes_max / MESSAGE_BYTES + 10 {
        world.clients[0].request(Request::Data(Box::new(DataMessage {
            label: "reliable".into(),
            reliable: true,
            binary: true,
            form: DataForm(1),
            translate: false,
            payload: vec![7; MESSAGE_BYTES].into(),
            plain: None,
            to: Recipients::Others,
            from_peer: true,
        })));
        world.run(Duration::from_millis(60));
    }
    world.check();
    assert_eq!(world.clients[2].closed, None);
    let sent = queue_bytes_max / MESSAGE_BYTES + 10;
    assert_eq!(world.clients[1].data.len(), sent);
    assert_eq!(world.clients[2].data.len(), 0);
    assert!(world.sum(|c| c.data_dropped) >= 10);
    leave_all(&mut world);
}

/// Data channels knock when the connection is described, and again three seconds later. Over a long way the first answer is
/// not there by then, and the second knock may come when the first has been answered: that is no reason to end anything.
#[test]
fn a_long_way_ends_no_connection() {
    let far = Link {
        delay: Duration::from_millis(250),
        jitter: Duration::from_millis(350),
        ..Link::clean()
    };
    let setup = Setup {
        seed: 7,
        shards: 1,
        up: far,
        down: far,
    };
    let mut world = World::new(Instant::now(), setup);
    for _ in 0..120 {
        world.join(WATCHER);
    }
    world.run(Duration::from_secs(15));
    world.check();
    for client in &world.clients {
        assert!(client.connected && client.carried, "{client:#?}");
    }
    leave_all(&mut world);
}

fn last_encoding(world: &World, client: usize, track: madang_sfu::api::TrackId) -> Option<u8> {
    let streams = world.clients.get(client)?.streams.iter();
    streams
        .filter(|((t, _), _)| *t == track)
        .filter_map(|(_, stream)| stream.report().last_encoding)
        .next_back()
}

/// Twenty members who come late, go early, switch layers, under 1–10 % loss and reorder, on one to four shards.
fn storm(seed: u64) {
    let mut dice = Random::new(seed ^ 0x5eed);
    let shards = 1 + u8::try_from(dice.below(4)).expect("small");
    let link = |dice: &mut Random| Link {
        delay: Duration::from_millis(5 + dice.below(60)),
        jitter: Duration::from_millis(1 + dice.below(8)),
        loss_permille: 10 + dice.below(91),
        reorder_permille: dice.below(30),
    };
    let (up, down) = (link(&mut dice), link(&mut dice));
    let mut world = World::new(
        Instant::now(),
        Setup {
            seed,
            shards,
            up,
            down,
        },
    );
    for index in 0..20 {
        // Four cameras, four microphones, the rest watch.
        let profile = match index % 5 {
            0 => BOTH,
            1 => AUDIO,
            _ => WATCHER,
        };
        world.join(profile);
        world.run(Duration::from_millis(dice.below(120)));
    }
    for _ in 0..6 {
        world.run(Duration::from_millis(300 + dice.below(200)));
        wish(&mut world, &mut dice);
        if dice.chance(300) {
            let index =
                usize::try_from(dice.below(u64::try_from(world.clients.len()).expect("few")))
                    .expect("few");
            world.leave(index);
            world.run(Duration::from_millis(50));
            world.bury();
            world.join(WATCHER);
        }
        world.check();
    }
    world.links(Link::clean(), Link::clean());
    // Whoever came last may have lost a flight of the handshake more than once: DTLS waits longer each time (RFC 6347
    // §4.2.4.1). And a way that broke in the storm comes back with a check: what was attached meanwhile waits for it.
    let patience = world.now + Duration::from_secs(60);
    let is_up = |client: &Client| client.connected && client.carried;
    while !world.clients.iter().all(is_up) {
        assert!(
            world.now < patience,
            "{world:?}: not everybody gets connected: {:#?}",
            Vec::from_iter(world.clients.iter().filter(|client| !is_up(client)))
        );
        world.run(Duration::from_millis(500));
    }
    world.run(Duration::from_secs(4));
    world.check();
    check_everybody_hears_everybody(&world);
    leave_all(&mut world);
}

fn wish(world: &mut World, dice: &mut Random) {
    let tracks: Vec<_> = world
        .clients
        .iter()
        .flat_map(|client| client.announced.iter().copied())
        .collect();
    for client in &mut world.clients {
        let track = *tracks
            .get(
                usize::try_from(dice.below(u64::try_from(tracks.len()).expect("few")))
                    .expect("few"),
            )
            .expect("below");
        if client.subscribed.contains(&track) {
            let quality = u8::try_from(dice.below(3)).expect("small");
            client.request(Request::Prefer {
                track,
                preference: Preference {
                    quality: Some(quality),
                    ..Preference::default()
                },
            });
        }
    }
}

#[test]
fn storms_first_quarter() {
    (0..SEEDS / 4).for_each(storm);
}

#[test]
fn storms_second_quarter() {
    (SEEDS / 4..SEEDS / 2).for_each(storm);
}

#[test]
fn storms_third_quarter() {
    (SEEDS / 2..SEEDS * 3 / 4).for_each(storm);
}

#[test]
fn storms_last_quarter() {
    (SEEDS * 3 / 4..SEEDS).for_each(storm);
}
