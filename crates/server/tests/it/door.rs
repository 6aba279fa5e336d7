//! Who is let in: every check is answered by a plain status before the upgrade.

use serde_json::{Value, json};

use crate::support::{Client, Server, claims, signed, token, v0, v1};

async fn check(server: &Server, what: &str, token: &str, status: u16, text: &str) {
    let path = format!("/rtc/validate?access_token={token}&protocol=17");
    let answer = server.get(&path).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (status, text),
        "validate: {what}"
    );
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("*"),
        "{what}"
    );
    if status != 200 {
        let refused = Client::connect(server, &v0(token)).await.err();
        assert_eq!(refused, Some((status, text.to_owned())), "socket: {what}");
        let refused = Client::connect(server, &v1(token)).await.err();
        assert_eq!(
            refused,
            Some((status, text.to_owned())),
            "socket of v1: {what}"
        );
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn tokens_and_their_statuses() {
    let server = Server::start().await;
    let with = |change: Value| signed(&claims(&change));
    let long = "x".repeat(257);
    let now_s = crate::support::now_s();
    let good = with(json!({}));
    let forged = format!("{}x", good.rsplit_once('.').expect("three parts").0);
    for (what, token, status, text) in [
        ("good", good, 200, "success"),
        (
            "none",
            String::new(),
            401,
            "no permissions to access the room",
        ),
        (
            "no token",
            "hello".to_owned(),
            401,
            "invalid authorization token",
        ),
        ("forged", forged, 401, "invalid authorization token"),
        (
            "unknown key",
            with(json!({"iss": "other"})),
            401,
            "invalid API key",
        ),
        (
            "expired",
            with(json!({"exp": now_s - 100})),
            401,
            "invalid token: the token is expired",
        ),
        (
            "not yet",
            with(json!({"nbf": now_s + 100})),
            401,
            "invalid token: the token is not valid yet",
        ),
        (
            "endless",
            with(json!({"exp": null})),
            401,
            "invalid token: no exp claim",
        ),
        (
            "no video",
            with(json!({"video": null})),
            401,
            "no permissions to access the room",
        ),
        (
            "no right to join",
            with(json!({"video": {"roomJoin": false}})),
            401,
            "permissions denied",
        ),
        (
            "no identity",
            with(json!({"sub": null})),
            400,
            "identity cannot be empty",
        ),
        (
            "empty identity",
            with(json!({"sub": ""})),
            400,
            "identity cannot be empty",
        ),
        (
            "empty room",
            with(json!({"video": {"room": ""}})),
            400,
            "no room name",
        ),
        (
            "long room",
            with(json!({"video": {"room": long}})),
            400,
            "room name length exceeds limits: max length 256",
        ),
        (
            "long identity",
            with(json!({"sub": long})),
            400,
            "participant identity length exceeds limits: max length 256",
        ),
    ] {
        check(&server, what, &token, status, text).await;
    }
    server.until_empty().await;
}

#[tokio::test]
async fn the_header_wins_over_the_query() {
    let server = Server::start().await;
    let good = token("yard", "kim");
    let path = format!("/rtc/validate?access_token={good}");
    for (header, path, status) in [
        (format!("Bearer {good}"), "/rtc/validate", 200),
        ("Bearer abc".to_owned(), path.as_str(), 401),
        ("Basic abc".to_owned(), path.as_str(), 401),
        (good.clone(), path.as_str(), 401),
    ] {
        let answer = server
            .ask("GET", path, &[("Authorization", &header)], b"")
            .await;
        assert_eq!(answer.status, status, "{header:.20} {path:.20}");
    }
}

#[tokio::test]
async fn v1_needs_a_join_request() {
    let server = Server::start().await;
    let good = token("yard", "kim");
    let no_right = signed(&claims(&json!({"video": {"roomJoin": false}})));
    for (token, rest, status, text) in [
        (&good, "", 400, "join_request is required"),
        (
            &good,
            "&join_request=%25%25",
            400,
            "cannot base64 decode wrapped join request",
        ),
        (
            &good,
            "&join_request=AAAAzzz",
            400,
            "cannot unmarshal wrapped join request",
        ),
        (&no_right, "", 400, "join_request is required"),
        (&"abc".to_owned(), "", 401, "invalid authorization token"),
    ] {
        let path = format!("/rtc/v1/validate?access_token={token}{rest}");
        let answer = server.get(&path).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, text));
        let refused = Client::connect(&server, &path.replace("/validate", ""))
            .await
            .err();
        assert_eq!(refused, Some((status, text.to_owned())));
    }
}

#[tokio::test]
async fn plain_requests_for_sockets() {
    let server = Server::start().await;
    let good = token("yard", "kim");
    for path in ["/rtc", "/rtc/v1", "//rtc", "/settings/regions"] {
        let answer = server.get(&format!("{path}?access_token={good}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
    let answer = server
        .get(&format!("//rtc/validate?access_token={good}"))
        .await;
    assert_eq!(answer.status, 200, "leading slashes are one");
    let asked = [
        ("Origin", "https://other.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization, x-a"),
    ];
    let preflight = server
        .ask(
            "OPTIONS",
            "/twirp/livekit.RoomService/ListRooms",
            &asked,
            b"",
        )
        .await;
    assert_eq!(preflight.status, 204);
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        Some("authorization, x-a")
    );
    assert_eq!(preflight.header("access-control-max-age"), Some("86400"));
}

#[tokio::test]
async fn rooms_that_must_be_made_first() {
    let server = Server::with(|config| config.rooms.auto_create = false).await;
    check(
        &server,
        "unknown",
        &token("yard", "kim"),
        404,
        "requested room does not exist",
    )
    .await;
    let maker = signed(&claims(
        &json!({"video": {"roomCreate": true, "room": "own"}}),
    ));
    let mut first = Client::connect(&server, &v0(&maker))
        .await
        .expect("may make it");
    first.joined().await;
    check(
        &server,
        "made by the join",
        &token("own", "lee"),
        200,
        "success",
    )
    .await;
    let made = server
        .call("CreateRoom", &maker, &json!({"name": "yard"}))
        .await;
    assert_eq!(made.status, 200, "{}", made.body);
    check(
        &server,
        "made by the API",
        &token("yard", "kim"),
        200,
        "success",
    )
    .await;
}

#[tokio::test]
async fn a_full_room() {
    let server = Server::start().await;
    let maker = signed(&claims(&json!({"video": {"roomCreate": true}})));
    let limits = json!({"name": "yard", "max_participants": 1});
    assert_eq!(server.call("CreateRoom", &maker, &limits).await.status, 200);
    let mut first = server.join("yard", "kim").await;
    first.joined().await;
    check(
        &server,
        "another",
        &token("yard", "lee"),
        403,
        "room is full",
    )
    .await;
    check(
        &server,
        "the same again",
        &token("yard", "kim"),
        200,
        "success",
    )
    .await;
}

#[tokio::test]
async fn a_full_server() {
    let server = Server::with(|config| config.limits.sessions_max = 1).await;
    let mut first = server.join("yard", "kim").await;
    first.joined().await;
    assert_eq!(server.get("/readyz").await.status, 503);
    assert_eq!(server.get("/healthz").await.status, 200);
    check(
        &server,
        "another room",
        &token("other", "lee"),
        503,
        "server is full",
    )
    .await;
}

#[tokio::test]
async fn too_many_joins_of_one_address() {
    let server = Server::with(|config| config.limits.joins_per_ip_per_minute = Some(2)).await;
    let path = v0(&token("yard", "kim"));
    for _ in 0..2 {
        assert!(Client::connect(&server, &path).await.is_ok());
    }
    let refused = Client::connect(&server, &path)
        .await
        .expect_err("too often");
    assert_eq!(refused.0, 429);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn the_api_and_its_statuses() {
    let server = Server::start().await;
    let admin = signed(&claims(&json!({"video": {
        "roomCreate": true, "roomList": true, "roomAdmin": true, "room": "yard" }})));
    let nobody = token("yard", "kim");
    let made = server
        .call(
            "CreateRoom",
            &admin,
            &json!({"name": "yard", "metadata": "m"}),
        )
        .await;
    assert_eq!((made.status, &made.json()["metadata"]), (200, &json!("m")));
    let _member = server.join("yard", "kim").await;
    server.until_metric("madang_peers", 1).await;
    for (method, token, body, status, code) in [
        ("ListRooms", &admin, json!({}), 200, None),
        (
            "ListRooms",
            &nobody,
            json!({}),
            401,
            Some("unauthenticated"),
        ),
        (
            "CreateRoom",
            &nobody,
            json!({"name": "x"}),
            401,
            Some("unauthenticated"),
        ),
        (
            "ListParticipants",
            &admin,
            json!({"room": "yard"}),
            200,
            None,
        ),
        (
            "ListParticipants",
            &admin,
            json!({"room": "other"}),
            401,
            Some("unauthenticated"),
        ),
        (
            "GetParticipant",
            &admin,
            json!({"room": "yard", "identity": "kim"}),
            200,
            None,
        ),
        (
            "GetParticipant",
            &admin,
            json!({"room": "yard", "identity": "lee"}),
            404,
            Some("not_found"),
        ),
        (
            "RemoveParticipant",
            &admin,
            json!({"room": "yard", "identity": "lee"}),
            404,
            Some("not_found"),
        ),
        (
            "MutePublishedTrack",
            &admin,
            json!({"room": "yard", "identity": "kim", "trackSid": "TR_no", "muted": true}),
            200,
            None,
        ),
        (
            "MutePublishedTrack",
            &admin,
            json!({"room": "yard", "identity": "kim", "trackSid": "TR_no"}),
            412,
            Some("failed_precondition"),
        ),
        (
            "DeleteRoom",
            &admin,
            json!({"room": "other"}),
            404,
            Some("not_found"),
        ),
        ("Nonsense", &admin, json!({}), 404, Some("bad_route")),
        (
            "CreateRoom",
            &admin,
            json!({"name": 7}),
            400,
            Some("malformed"),
        ),
    ] {
        let answer = server.call(method, token, &body).await;
        assert_eq!(answer.status, status, "{method} {body}: {}", answer.body);
        let said = answer.json()["code"].as_str().map(ToOwned::to_owned);
        assert_eq!(said.as_deref(), code, "{method} {body}");
    }
    let forged = server.call("ListRooms", "abc", &json!({})).await;
    assert_eq!(
        (forged.status, forged.body.as_str()),
        (401, "invalid authorization token")
    );
    let path = "/twirp/livekit.RoomService/ListRooms";
    assert_eq!(server.get(path).await.json()["code"], "bad_route");
    let large = vec![b' '; 11 * 1024 * 1024];
    let authorization = format!("Bearer {admin}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    assert!(matches!(
        server.ask("POST", path, &headers, &large).await.status,
        429 | 0
    ));
    let list = server.call("ListRooms", &admin, &json!({})).await.json();
    assert_eq!(list["rooms"][0]["num_participants"], 1);
}

/// Names that have broken other programs.
const NAMES: [&str; 28] = [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "null",
    "undefined",
    "NaN",
    "-1",
    "1e400",
    " ",
    "\t\r\n",
    "\u{0}",
    "a\u{0}b",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "%00%2e%2e%2f",
    "<script>alert(1)</script>",
    "\"'`><img src=x onerror=alert(1)>",
    "'; DROP TABLE rooms; --",
    "${7*7}{{7*7}}",
    "$(reboot)`reboot`",
    "\u{202e}drowssap",
    "\u{feff}\u{200b}\u{2028}",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "마당 한가운데",
    "ﷺ Ω≈ç√∫˜µ≤≥÷",
    "%s%s%s%n",
    "a=ice-ufrag:x\r\na=candidate:1",
];

#[tokio::test]
async fn names_are_only_names() {
    let server = Server::start().await;
    let admin = |room: &str| {
        signed(&claims(
            &json!({"video": {"roomAdmin": true, "room": room}}),
        ))
    };
    for name in NAMES {
        let video = json!({ "room": name });
        let member = json!({ "sub": name, "name": name, "metadata": name, "video": video });
        let path = v0(&signed(&claims(&member)));
        let mut client = Client::connect(&server, &path).await.expect(name);
        let joined = client.joined().await;
        assert_eq!(joined.participant.expect("its own").identity, name);
        assert_eq!(joined.room.expect("a room").name, name);
        let wish = json!({"room": name, "identity": name});
        let found = server.call("GetParticipant", &admin(name), &wish).await;
        assert_eq!(found.status, 200, "{name:?}: {}", found.body);
        assert_eq!(found.json()["metadata"], name);
    }
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn values_of_wrong_types_are_refused() {
    let server = Server::start().await;
    let video = json!({"roomCreate": true, "roomList": true, "roomAdmin": true, "room": "yard"});
    let admin = signed(&claims(&json!({ "video": video })));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    let values = [
        "null", "[]", "{}", "-1", "1e400", "true", "\"\"", &deep, &long,
    ];
    for (method, fields) in [
        (
            "CreateRoom",
            &["name", "emptyTimeout", "maxParticipants", "metadata"][..],
        ),
        ("ListRooms", &["names"]),
        ("DeleteRoom", &["room"]),
        ("ListParticipants", &["room"]),
        ("GetParticipant", &["room", "identity"]),
        ("RemoveParticipant", &["room", "identity"]),
        (
            "MutePublishedTrack",
            &["room", "identity", "trackSid", "muted"],
        ),
        (
            "UpdateParticipant",
            &["room", "metadata", "attributes", "permission"],
        ),
        (
            "UpdateSubscriptions",
            &["trackSids", "subscribe", "participantTracks"],
        ),
        (
            "SendData",
            &["data", "kind", "destinationIdentities", "nonce"],
        ),
        ("UpdateRoomMetadata", &["room", "metadata"]),
    ] {
        for field in fields {
            for value in values {
                let body = format!("{{\"{field}\": {value}}}");
                let authorization = format!("Bearer {admin}");
                let headers = [
                    ("Authorization", authorization.as_str()),
                    ("Content-Type", "application/json"),
                ];
                let path = format!("/twirp/livekit.RoomService/{method}");
                let answer = server.ask("POST", &path, &headers, body.as_bytes()).await;
                let status = answer.status;
                assert!(
                    (200..500).contains(&status),
                    "{method} {body:.60}: {status}"
                );
            }
        }
    }
    assert_eq!(server.get("/healthz").await.status, 200);
}
