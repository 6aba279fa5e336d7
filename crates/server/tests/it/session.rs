//! Sessions over real sockets: joining, moderation, coming back, misbehaving, ending. Media is tested elsewhere.

use std::time::{Duration, Instant};

use livekit_protocol as proto;
use proto::leave_request::Action;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Said;
use proto::{DisconnectReason, LeaveRequest};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Server, claims, signed, token, v0, v1};

fn update(said: Said, identity: &str) -> Option<proto::ParticipantInfo> {
    if let Said::Update(update) = said {
        update
            .participants
            .into_iter()
            .find(|participant| participant.identity == identity)
    } else {
        None
    }
}

/// Until `client` hears that `identity` is in that state.
async fn hears(client: &mut Client, identity: &str, state: proto::participant_info::State) {
    client
        .until(|said| update(said, identity).filter(|info| info.state() == state))
        .await;
}

#[tokio::test]
async fn both_paths_meet_in_one_room() {
    let server = Server::start().await;
    let mut kim = server.join("yard", "kim").await;
    let joined = kim.joined().await;
    let own = joined.participant.expect("its own");
    assert!(own.sid.starts_with("PA_") && own.identity == "kim");
    assert!(joined.room.expect("a room").sid.starts_with("RM_"));
    assert!(joined.subscriber_primary && joined.ping_interval > 0);
    let mut lee = Client::connect(&server, &v1(&token("yard", "lee")))
        .await
        .expect("let in");
    let joined = lee.joined().await;
    assert!(!joined.subscriber_primary);
    let others: Vec<_> = joined
        .other_participants
        .iter()
        .map(|p| p.sid.as_str())
        .collect();
    assert_eq!(others, [own.sid.as_str()]);
    hears(&mut kim, "lee", proto::participant_info::State::Joined).await;
    lee.send(Ask::Leave(LeaveRequest::default())).await;
    hears(
        &mut kim,
        "lee",
        proto::participant_info::State::Disconnected,
    )
    .await;
    kim.send(Ask::Leave(LeaveRequest::default())).await;
    kim.left().await;
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn shards_share_a_room() {
    let server = Server::with(|config| {
        config.shards = 3;
        config.rooms.peers_per_shard = 2;
    })
    .await;
    let mut clients = Vec::new();
    for number in 0..6 {
        let mut client = server.join("yard", &format!("peer-{number}")).await;
        client.joined().await;
        clients.push(client);
    }
    server.until_metric("madang_peers", 6).await;
    server.until_metric("madang_remote_peers", 12).await;
    server.until_metric("madang_rooms", 3).await;
    assert_eq!(server.metric("madang_directory_rooms").await, 1);
    let mut last = server.join("yard", "last").await;
    let mut known: Vec<_> = last.joined().await.other_participants;
    while known.len() < 6 {
        known.push(
            last.until(|said| {
                if let Said::Update(update) = said {
                    update
                        .participants
                        .into_iter()
                        .find(|p| p.identity != "last")
                } else {
                    None
                }
            })
            .await,
        );
        known.sort_by(|a, b| a.identity.cmp(&b.identity));
        known.dedup_by(|a, b| a.identity == b.identity);
    }
    for client in clients {
        client.cut();
    }
    last.cut();
    server.until_empty_rooms_aside().await;
}

#[tokio::test]
async fn the_same_identity_replaces_itself() {
    let server = Server::start().await;
    let mut first = server.join("yard", "kim").await;
    first.joined().await;
    let mut second = server.join("yard", "kim").await;
    second.joined().await;
    let leave = first.left().await;
    assert_eq!(leave.reason(), DisconnectReason::DuplicateIdentity);
    assert_eq!(leave.action(), Action::Disconnect);
    server.until_metric("madang_peers", 1).await;
    assert_eq!(server.metric("madang_directory_seats").await, 1);
}

#[tokio::test]
async fn moderators() {
    let server = Server::start().await;
    let admin = signed(&claims(
        &json!({"video": {"roomCreate": true, "roomAdmin": true}}),
    ));
    let mut kim = server.join("yard", "kim").await;
    kim.joined().await;
    let mut lee = server.join("yard", "lee").await;
    lee.joined().await;
    let member = json!({"room": "yard", "identity": "kim", "metadata": "chair"});
    let changed = server.call("UpdateParticipant", &admin, &member).await;
    assert_eq!(changed.json()["metadata"], "chair");
    lee.until(|said| update(said, "kim").filter(|info| info.metadata == "chair"))
        .await;
    let room = json!({"room": "yard", "metadata": "agenda"});
    assert_eq!(
        server
            .call("UpdateRoomMetadata", &admin, &room)
            .await
            .status,
        200
    );
    let told = |said| {
        if let Said::RoomUpdate(update) = said {
            update.room.filter(|room| room.metadata == "agenda")
        } else {
            None
        }
    };
    lee.until(told).await;
    let removal = server.call("RemoveParticipant", &admin, &member).await;
    assert_eq!(removal.status, 200);
    assert_eq!(
        kim.left().await.reason(),
        DisconnectReason::ParticipantRemoved
    );
    hears(
        &mut lee,
        "kim",
        proto::participant_info::State::Disconnected,
    )
    .await;
    assert_eq!(
        server
            .call("DeleteRoom", &admin, &json!({"room": "yard"}))
            .await
            .status,
        200
    );
    assert_eq!(lee.left().await.reason(), DisconnectReason::RoomDeleted);
    server.until_empty().await;
}

#[tokio::test]
async fn who_lost_the_socket_may_come_back() {
    let server = Server::start().await;
    let mut lee = server.join("yard", "lee").await;
    lee.joined().await;
    let mut kim = server.join("yard", "kim").await;
    let sid = kim.joined().await.participant.expect("its own").sid;
    kim.cut();
    server.until_metric("madang_carriers", 1).await;
    let back = format!("{}&reconnect=1&sid={sid}", v0(&token("yard", "kim")));
    let mut kim = Client::connect(&server, &back).await.expect("let in");
    assert!(
        matches!(kim.next().await, Ok(Said::Reconnect(_))),
        "nothing comes before it"
    );
    kim.until(|said| update(said, "lee")).await;
    assert_eq!(server.metric("madang_resumes_total").await, 1);
    // A second carrier while the first is fine: the newest counts.
    let mut again = Client::connect(&server, &back).await.expect("let in");
    assert!(matches!(again.next().await, Ok(Said::Reconnect(_))));
    while kim.next().await.is_ok() {}
    assert_eq!(server.metric("madang_peers").await, 2);
}

#[tokio::test]
async fn nobody_comes_back_to_what_is_not_theirs() {
    let server = Server::start().await;
    let mut kim = server.join("yard", "kim").await;
    let sid = kim.joined().await.participant.expect("its own").sid;
    for (what, token, sid) in [
        ("unknown", token("yard", "kim"), "PA_nosuch"),
        ("of another identity", token("yard", "lee"), sid.as_str()),
        ("of another room", token("other", "kim"), sid.as_str()),
    ] {
        let path = format!("{}&reconnect=1&sid={sid}", v0(&token));
        let mut client = Client::connect(&server, &path).await.expect("the upgrade");
        let leave = client.left().await;
        assert_eq!(leave.action(), Action::Reconnect, "{what}");
        assert_eq!(leave.reason(), DisconnectReason::StateMismatch, "{what}");
    }
    assert_eq!(server.metric("madang_peers").await, 1);
    assert_eq!(server.metric("madang_resumes_refused_total").await, 3);
}

#[tokio::test]
async fn misbehaviour_ends_one_carrier() {
    let server = Server::start().await;
    let mut witness = server.join("yard", "witness").await;
    witness.joined().await;
    let junk = Message::Binary(vec![255, 255, 255, 255, 1, 2, 3].into());
    let huge = Message::Binary(vec![0; 3 * 1024 * 1024].into());
    for (what, message) in [("junk", junk), ("3 MiB", huge)] {
        let mut client = server.join("yard", what).await;
        client.joined().await;
        client.send_raw(message).await;
        while client.next().await.is_ok() {}
    }
    assert_eq!(server.metric("madang_frames_too_large_total").await, 1);
    witness
        .send(Ask::PingReq(proto::Ping {
            timestamp: 7,
            rtt: 0,
        }))
        .await;
    let pong = |said| {
        if let Said::PongResp(pong) = said {
            Some(pong.last_ping_timestamp)
        } else {
            None
        }
    };
    assert_eq!(witness.until(pong).await, 7);
}

#[tokio::test]
async fn descriptions_that_are_none_leave_others_alone() {
    let server = Server::start().await;
    let mut witness = server.join("yard", "witness").await;
    witness.joined().await;
    for (number, sdp) in [
        (1, "this is no SDP".to_owned()),
        (2, format!("v=0\r\n{}", "a".repeat(1 << 20))),
    ] {
        let mut client = server.join("yard", &format!("bad-{number}")).await;
        client.joined().await;
        let offer = proto::SessionDescription {
            r#type: "offer".to_owned(),
            sdp,
            id: number,
            ..proto::SessionDescription::default()
        };
        client.send(Ask::Offer(offer)).await;
        client
            .send(Ask::PingReq(proto::Ping {
                timestamp: 9,
                rtt: 0,
            }))
            .await;
        client
            .until(|said| matches!(said, Said::PongResp(_)).then_some(()))
            .await;
    }
    witness
        .send(Ask::PingReq(proto::Ping {
            timestamp: 8,
            rtt: 0,
        }))
        .await;
    witness
        .until(|said| matches!(said, Said::PongResp(_)).then_some(()))
        .await;
}

#[tokio::test]
async fn who_talks_too_much_is_read_slower() {
    let server = Server::start().await;
    let mut flood = server.join("yard", "flood").await;
    flood.joined().await;
    let mut witness = server.join("yard", "witness").await;
    witness.joined().await;
    let ping = |timestamp| Ask::PingReq(proto::Ping { timestamp, rtt: 0 });
    let start = Instant::now();
    for timestamp in 0..5_200 {
        flood.send(ping(timestamp)).await;
    }
    let asked = Instant::now();
    witness.send(ping(1)).await;
    witness
        .until(|said| matches!(said, Said::PongResp(_)).then_some(()))
        .await;
    let delay = asked.elapsed();
    assert!(delay < Duration::from_secs(2), "{delay:?}");
    let last = |said| {
        matches!(said, Said::PongResp(pong) if pong.last_ping_timestamp == 5_199).then_some(())
    };
    flood.until(last).await;
    // 4,000 at once and 400 a second, however slowly this machine sends them.
    let took = start.elapsed();
    assert!(took > Duration::from_millis(2_900), "{took:?}");
}

/// Reads nothing and makes the server say a lot.
#[tokio::test]
async fn who_does_not_read_is_cut_and_delays_nobody() {
    let server = Server::start().await;
    let admin = signed(&claims(
        &json!({"video": {"roomCreate": true, "roomAdmin": true}}),
    ));
    let mut deaf = server.join("yard", "deaf").await;
    deaf.joined().await;
    let mut lee = server.join("yard", "lee").await;
    lee.joined().await;
    for round in 0..40 {
        let metadata = format!("{round}{}", "x".repeat(200_000));
        let room = json!({"room": "yard", "metadata": metadata});
        assert_eq!(
            server
                .call("UpdateRoomMetadata", &admin, &room)
                .await
                .status,
            200
        );
        let heard = |said| {
            if let Said::RoomUpdate(update) = said {
                update.room.filter(|room| room.metadata == metadata)
            } else {
                None
            }
        };
        lee.until(heard).await;
        if server.metric("madang_carriers_too_slow_total").await > 0 {
            break;
        }
    }
    // By now more waits than the systems' buffers and ours hold.
    let start = Instant::now();
    server
        .until_metric("madang_carriers_too_slow_total", 1)
        .await;
    server.until_metric("madang_carriers", 1).await;
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    drop(deaf);
}

#[tokio::test]
async fn everybody_is_told_when_the_server_stops() {
    let server = Server::with(|config| config.shards = 2).await;
    let address = server.address();
    let (mut kim, mut lee) = (
        server.join("yard", "kim").await,
        server.join("other", "lee").await,
    );
    kim.joined().await;
    lee.joined().await;
    let start = Instant::now();
    let stopping = tokio::spawn(server.app.stop());
    assert_eq!(kim.left().await.reason(), DisconnectReason::ServerShutdown);
    assert_eq!(lee.left().await.reason(), DisconnectReason::ServerShutdown);
    stopping.await.expect("no panic");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    std::net::TcpListener::bind(address).expect("the port is free");
}
