//! Who is told how to have something relayed, and by which way.

use livekit_protocol::signal_response::Message as Said;
use madang_server::Config;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, claims, now_s, signed, token, v0, v1};

async fn ask(server: &Server, token: &str) -> Answer {
    server.get(&format!("/turn?access_token={token}")).await
}

fn off(config: &mut Config) {
    config.turn.enabled = false;
}

#[tokio::test]
async fn members_are_told_when_they_join_and_when_they_come_back() {
    let server = Server::start().await;
    for (path, comes_back) in [(v0 as fn(&str) -> String, true), (v1, false)] {
        let mut kim = Client::connect(&server, &path(&token("yard", "kim")))
            .await
            .expect("let in");
        let joined = kim.joined().await;
        let sid = joined.participant.expect("its own").sid;
        let [told] = &joined.ice_servers[..] else {
            panic!("{:?}", joined.ice_servers);
        };
        let url = &told.urls[0];
        assert!(
            url.starts_with("turn:127.0.0.1:") && url.ends_with("?transport=udp"),
            "{url}"
        );
        let (expires, whose) = told.username.split_once(':').expect("two parts");
        assert_eq!(whose, sid);
        let ttl = expires.parse::<u64>().expect("a time") - now_s();
        assert!((3_590..=3_601).contains(&ttl), "{ttl}");
        kim.cut();
        server.until_metric("madang_carriers", 0).await;
        let back = format!("{}&reconnect=1&sid={sid}", v0(&token("yard", "kim")));
        if comes_back {
            let mut kim = Client::connect(&server, &back).await.expect("let in");
            let Ok(Said::Reconnect(told)) = kim.next().await else {
                panic!("nothing comes before it");
            };
            assert_eq!(told.ice_servers.len(), 1);
            assert!(told.ice_servers[0].username.ends_with(&sid));
        }
    }
}

#[tokio::test]
async fn a_member_may_ask_by_the_token_it_joined_with() {
    let server = Server::start().await;
    let kim = token("yard", "kim");
    assert_eq!(ask(&server, &kim).await.status, 404);
    let mut member = server.join("yard", "kim").await;
    let sid = member.joined().await.participant.expect("its own").sid;
    let answer = ask(&server, &kim).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let told = answer.json();
    assert_eq!(told["ttl_s"], json!(3_600));
    let server_of = |told: &Value, key: &str| told["iceServers"][0][key].clone();
    let name = server_of(&told, "username");
    assert!(name.as_str().expect("text").ends_with(&sid));
    assert_eq!(
        server_of(&told, "credential").as_str().map(str::len),
        Some(28)
    );
    for (token, status) in [
        (token("yard", "lee"), 404),
        (token("other", "kim"), 404),
        (
            signed(&claims(&json!({ "video": { "roomJoin": false } }))),
            401,
        ),
        (signed(&claims(&json!({ "video": null }))), 401),
        (signed(&claims(&json!({ "exp": 1 }))), 401),
        (String::new(), 401),
    ] {
        assert_eq!(ask(&server, &token).await.status, status);
    }
    let path = format!("/turn?access_token={kim}");
    assert_eq!(server.ask("POST", &path, &[], b"").await.status, 405);
}

#[tokio::test]
async fn nobody_is_told_where_nothing_is_relayed() {
    let server = Server::with(off).await;
    let mut member = server.join("yard", "kim").await;
    assert_eq!(member.joined().await.ice_servers, []);
    let answer = ask(&server, &token("yard", "kim")).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (404, "nothing is relayed here")
    );
}
