//! Thirty members who come and go in random order: nobody misses a track, and nothing outlives its owner.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use madang_server::{App, Config};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::robot::{Exit, Robot, eventually};

const MEMBERS: usize = 30;
const CHURN: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(90);

fn token(identity: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let claims = json!({
        "iss": "devkey", "sub": identity, "exp": now + 600,
        "video": { "roomJoin": true, "room": "churn" },
    });
    encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(b"secret"),
    )
    .expect("a token")
}

async fn metrics(server: SocketAddr) -> String {
    let mut socket = TcpStream::connect(server).await.expect("it listens");
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.expect("it reads");
    let mut answer = String::new();
    socket
        .read_to_string(&mut answer)
        .await
        .expect("it answers");
    answer
}

/// The sum over shards of a gauge.
fn gauge(metrics: &str, name: &str) -> u64 {
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with(name) && !line.starts_with('#'));
    let values: Vec<u64> = lines
        .filter(|line| {
            line.as_bytes()
                .get(name.len())
                .is_some_and(|next| b"{ ".contains(next))
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .map(|value| value as u64)
        .collect();
    assert!(!values.is_empty(), "no gauge {name} in\n{metrics}");
    values.iter().sum()
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go_and_nothing_is_left() {
    let mut config = Config::for_tests();
    config.shards = 2;
    // So that the room lives on both.
    config.rooms.peers_per_shard = 10;
    config.rooms.departure_timeout = Duration::from_secs(2);
    config.rooms.empty_timeout = Duration::from_secs(2);
    let app = App::start(config).await.expect("it starts");
    let server = *app.addresses().first().expect("it listens");
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    println!("seed {seed}");
    let mut dice = Dice(seed);

    let mut seats: Vec<Option<Robot>> = (0..MEMBERS).map(|_| None).collect();
    let mut names = 0;
    let end = Instant::now() + CHURN;
    let (mut joins, mut exits) = (0, 0);
    while Instant::now() < end {
        let place = dice.below(MEMBERS);
        let seat = seats.get_mut(place).expect("below");
        match seat.take() {
            Some(robot) => {
                exits += 1;
                let how = if dice.below(4) == 0 {
                    Exit::Vanish
                } else {
                    Exit::Leave
                };
                robot.exit(how).await;
            }
            None => {
                joins += 1;
                names += 1;
                let name = format!("robot-{names}");
                *seat = Some(Robot::start(server, token(&name), place.is_multiple_of(3)));
            }
        }
        tokio::time::sleep(Duration::from_millis(
            40 + u64::try_from(dice.below(160)).expect("small"),
        ))
        .await;
    }
    for (place, seat) in seats
        .iter_mut()
        .enumerate()
        .filter(|(_, seat)| seat.is_none())
    {
        names += 1;
        *seat = Some(Robot::start(
            server,
            token(&format!("robot-{names}")),
            place % 3 == 0,
        ));
    }
    println!("{joins} joins and {exits} exits");
    let robots: Vec<Robot> = seats.into_iter().flatten().collect();
    assert_eq!(robots.len(), MEMBERS);
    everybody_gets_everything(&robots).await;

    settled(server, "madang_peers", MEMBERS).await;
    for robot in robots {
        robot.exit(Exit::Leave).await;
    }
    nothing_is_left(server).await;
    app.stop().await;
}

async fn everybody_gets_everything(robots: &[Robot]) {
    eventually(PATIENCE, || {
        for robot in robots {
            let seen = robot.seen.lock().expect("no panic");
            if let Some(error) = &seen.ended {
                return Err(format!("a robot ended: {error}"));
            }
            if !seen.is_in || seen.own.is_empty() {
                return Err("not everybody is in".to_owned());
            }
        }
        Ok(())
    })
    .await;
    // Those who vanished are still waited for; what they sent before does not count.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for robot in robots {
        robot.seen.lock().expect("no panic").forget();
    }
    eventually(PATIENCE, || {
        let tracks: Vec<_> = robots
            .iter()
            .map(|robot| robot.seen.lock().expect("no panic").own.clone())
            .collect();
        for (place, robot) in robots.iter().enumerate() {
            let seen = robot.seen.lock().expect("no panic");
            let others = tracks
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != place)
                .flat_map(|(_, own)| own);
            let missing: Vec<_> = others
                .filter(|track| seen.packets.get(*track).is_none_or(|got| *got < 5))
                .collect();
            if !missing.is_empty() {
                return Err(format!(
                    "robot {place} misses {missing:?}, has {}",
                    seen.packets.len()
                ));
            }
        }
        Ok(())
    })
    .await;
}

/// Those who vanished are let go when their path has been silent for long enough.
async fn settled(server: SocketAddr, name: &str, value: usize) {
    let start = Instant::now();
    loop {
        let now = gauge(&metrics(server).await, name);
        if usize::try_from(now) == Ok(value) {
            println!("{name} settled in {:?}", start.elapsed());
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{name}: {now}, not {value}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn nothing_is_left(server: SocketAddr) {
    const GAUGES: [&str; 11] = [
        "madang_rooms",
        "madang_peers",
        "madang_remote_peers",
        "madang_connections",
        "madang_tracks",
        "madang_remote_tracks",
        "madang_subscriptions",
        "madang_routes",
        "madang_sessions",
        "madang_carriers",
        "madang_directory_rooms",
    ];
    let start = Instant::now();
    loop {
        let now = metrics(server).await;
        let left: Vec<_> = GAUGES
            .iter()
            .map(|name| (*name, gauge(&now, name)))
            .filter(|(_, n)| *n != 0)
            .collect();
        if left.is_empty() {
            // The one that asks.
            assert_eq!(gauge(&now, "madang_sockets"), 1);
            return;
        }
        assert!(start.elapsed() < PATIENCE, "left over: {left:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
