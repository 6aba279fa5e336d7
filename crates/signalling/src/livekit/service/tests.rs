use std::sync::Arc;

use madang_sfu::api::{
    Codec, Join, MediaKind, MsidStyle, Now, PeerId, PeerKind, RoomId, ShardId, ShardSet, Source,
};
use serde_json::{Value, json};

use super::super::VideoClaims;
use super::*;

fn call(method: &str, body: &Value) -> ServiceCall {
    let path = format!("/twirp/livekit.RoomService/{method}");
    let body = body.to_string();
    let content_type = "application/json; charset=utf-8";
    let (call, encoding) =
        parse("POST", &path, content_type, body.as_bytes()).expect("is understood");
    assert_eq!(encoding, Encoding::Json);
    call
}

fn error(method: &str, path: &str, content_type: &str, body: &[u8]) -> (u16, Value) {
    let error = parse(method, path, content_type, body).expect_err("is refused");
    let body = serde_json::from_slice(&error.body()).expect("is JSON");
    (error.status(), body)
}

fn admin(room: &str) -> Claims {
    Claims {
        video: Some(VideoClaims {
            room_admin: true,
            room: room.to_owned(),
            ..VideoClaims::default()
        }),
        ..Claims::default()
    }
}

fn room_info() -> Arc<RoomInfo> {
    Arc::new(RoomInfo {
        id: RoomId(7),
        name: RoomName::new("yard"),
        metadata: String::new(),
        created_wall_ms: 1_795_132_800_123,
        peers_max: Some(2),
        empty_timeout_s: 33,
        departure_timeout_s: 20,
    })
}

#[test]
fn calls_are_read_in_both_spellings_and_both_encodings() {
    for body in [
        json!({"name": "yard", "emptyTimeout": 33, "maxParticipants": 2, "newer": 1}),
        json!({"name": "yard", "empty_timeout": 33, "max_participants": 2}),
    ] {
        let ServiceCall::CreateRoom { name, settings } = call("CreateRoom", &body) else {
            panic!("another call");
        };
        assert_eq!(name.as_str(), "yard");
        assert_eq!(
            (settings.empty_timeout_s, settings.peers_max),
            (Some(33), Some(2))
        );
        assert_eq!(settings.departure_timeout_s, None);
    }
    let body = proto::DeleteRoomRequest {
        room: "yard".to_owned(),
    };
    let path = "/twirp/livekit.RoomService/DeleteRoom";
    let (call, encoding) =
        parse("POST", path, "application/protobuf", &body.encode_to_vec()).expect("is read");
    assert!(matches!(call, ServiceCall::DeleteRoom { room } if room.as_str() == "yard"));
    assert_eq!(encoding, Encoding::Protobuf);
}

#[test]
fn what_is_wrong_is_said_as_twirp_says_it() {
    let good = "/twirp/livekit.RoomService/ListRooms";
    let json = "application/json";
    let (status, body) = error("GET", good, json, b"");
    assert_eq!((status, body["code"].as_str()), (404, Some("bad_route")));
    assert_eq!(
        body["msg"],
        "unsupported method \"GET\" (only POST is allowed)"
    );
    assert_eq!(body["meta"]["twirp_invalid_route"], format!("GET {good}"));
    let (status, body) = error("POST", good, "text/plain", b"");
    assert_eq!(
        (status, &body["msg"]),
        (404, &json!("unexpected Content-Type: \"text/plain\""))
    );
    let (status, body) = error("POST", good, json, b"{");
    assert_eq!((status, &body["code"]), (400, &json!("malformed")));
    assert!(body.get("meta").is_none());
    for path in [
        "/twirp/livekit.RoomService/Nothing",
        "/twirp/livekit.Nothing/ListRooms",
        "/twirp/other",
    ] {
        let (status, body) = error("POST", path, json, b"{}");
        assert_eq!(
            (status, &body["code"]),
            (404, &json!("bad_route")),
            "{path}"
        );
        assert_eq!(body["msg"], format!("no handler for path {path:?}"));
    }
    for path in [
        "/twirp/livekit.Egress/ListEgress",
        "/twirp/livekit.RoomService/MoveParticipant",
    ] {
        let (status, body) = error("POST", path, json, b"{}");
        assert_eq!(
            (status, &body["code"]),
            (501, &json!("unimplemented")),
            "{path}"
        );
    }
}

#[test]
fn a_token_allows_what_it_says_and_nothing_else() {
    let create = call("CreateRoom", &json!({"name": "yard"}));
    let list = call("ListRooms", &json!({}));
    let of_room = call("ListParticipants", &json!({"room": "yard"}));
    let with = |video: VideoClaims| Claims {
        video: Some(video),
        ..Claims::default()
    };
    let creator = with(VideoClaims {
        room_create: true,
        ..VideoClaims::default()
    });
    let lister = with(VideoClaims {
        room_list: true,
        ..VideoClaims::default()
    });
    for (claims, allowed) in [
        (Some(&creator), [true, false, false]),
        (Some(&lister), [false, true, false]),
        (Some(&admin("yard")), [false, false, true]),
        (Some(&admin("other")), [false, false, false]),
        (Some(&Claims::join("yard", "anna")), [false, false, false]),
        (Some(&Claims::default()), [false, false, false]),
        (None, [false, false, false]),
    ] {
        let calls = [&create, &list, &of_room];
        let found = calls.map(|call| call.admit(claims).is_ok());
        assert_eq!(found, allowed, "{claims:?}");
    }
    let denied = create.admit(None).expect_err("is refused");
    let body: Value = serde_json::from_slice(&denied.body()).expect("is JSON");
    assert_eq!(denied.status(), 401);
    assert_eq!(
        body,
        json!({"code": "unauthenticated", "msg": "permissions denied"})
    );
}

#[test]
fn limits_are_told() {
    let creator = Claims {
        video: Some(VideoClaims {
            room_create: true,
            ..VideoClaims::default()
        }),
        ..Claims::default()
    };
    let long = call("CreateRoom", &json!({"name": "x".repeat(257)}));
    let error = long.admit(Some(&creator)).expect_err("is refused");
    assert_eq!(error.code, Code::InvalidArgument);
    assert_eq!(error.msg, "room name length exceeds limits: max length 256");
    let update =
        json!({"room": "yard", "identity": "a", "attributes": {"k": "x".repeat(65 * 1024)}});
    let update = call("UpdateParticipant", &update);
    assert!(update.admit(Some(&admin("yard"))).is_err());
}

#[test]
fn data_is_sent_in_nobodys_name() {
    let body = json!({"room": "yard", "data": "aGk=", "kind": "LOSSY", "topic": "t",
        "destination_identities": ["bob"]});
    let ServiceCall::SendData { message, .. } = call("SendData", &body) else {
        panic!("another call");
    };
    assert!(!message.reliable && !message.from_peer);
    assert_eq!(&*message.label, LABEL_LOSSY);
    assert_eq!(
        message.to,
        Recipients::Identities(vec![Identity::new("bob")])
    );
    let packet = proto::DataPacket::decode(message.payload).expect("a packet");
    assert_eq!(packet.participant_identity, "");
    let Some(proto::data_packet::Value::User(user)) = packet.value else {
        panic!("another packet");
    };
    assert_eq!(
        (user.payload.as_slice(), user.topic.as_deref()),
        (&b"hi"[..], Some("t"))
    );
    let path = "/twirp/livekit.RoomService/SendData";
    let (status, _) = error("POST", path, "application/json", br#"{"nonce": "AA=="}"#);
    assert_eq!(status, 400);
}

#[test]
fn a_permission_becomes_a_grant() {
    let body = json!({"room": "yard", "identity": "a", "name": "Anna",
        "permission": {"canSubscribe": true, "canPublishSources": ["CAMERA"]}});
    let ServiceCall::UpdateParticipant { update, .. } = call("UpdateParticipant", &body) else {
        panic!("another call");
    };
    let update = update.into_update(&Grant::everything());
    let grant = update.grant.expect("is given");
    assert!(grant.subscribe && !grant.publish && !update.own);
    assert_eq!(
        (update.name.as_deref(), update.metadata),
        (Some("Anna"), None)
    );
}

#[test]
fn answers_in_json_have_every_field() {
    let reply = Reply::Rooms(vec![(
        room_info(),
        Attendance {
            peers: 1,
            publishers: 0,
        },
    )]);
    let body: Value = serde_json::from_slice(&reply.encode(Encoding::Json)).expect("is JSON");
    let room = &body["rooms"][0];
    assert_eq!(room["creation_time"], "1795132800");
    assert_eq!(room["creation_time_ms"], "1795132800123");
    assert_eq!(room["max_participants"], 2);
    assert_eq!(room["active_recording"], false);
    assert_eq!(room["version"], Value::Null);
    assert_eq!(
        room["enabled_codecs"][0],
        json!({"mime": "video/VP8", "fmtp_line": ""})
    );
    let empty = Reply::Participants(Vec::new()).encode(Encoding::Json);
    assert_eq!(empty, br#"{"participants":[]}"#);
    assert_eq!(
        Reply::Track(None).encode(Encoding::Json),
        br#"{"track":null}"#
    );
    assert_eq!(Reply::Empty.encode(Encoding::Json), b"{}");
    assert!(Reply::Empty.encode(Encoding::Protobuf).is_empty());
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "an instant has to come from somewhere; nothing here depends on it"
)]
fn a_participant_in_json_is_as_its_clients_know_it() {
    let join = Join {
        room: room_info(),
        shards: ShardSet::default(),
        identity: Identity::new("anna"),
        name: "Anna".to_owned(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        kind: PeerKind(4),
        grant: Grant::everything(),
        auto_subscribe: true,
        form: FORM,
        msid: MsidStyle::PeerAndTrack,
        annotation: Bytes::new(),
    };
    let now = Now {
        instant: std::time::Instant::now(),
        wall: std::time::Duration::from_secs(5),
    };
    let mut peer = join.peer_info(PeerId(1), ShardId(0), now);
    peer.publications.push(Arc::new(Publication {
        id: TrackId(2),
        client_id: "cid".to_owned(),
        kind: MediaKind::Video,
        source: Source::Camera,
        name: String::new(),
        stream: String::new(),
        muted: false,
        width_px: 0,
        height_px: 0,
        layers: Vec::new(),
        codec: Some(Codec::Vp8),
        mid: None,
        annotation: Bytes::new(),
    }));
    let body = Reply::Participant(Arc::new(peer)).encode(Encoding::Json);
    let body: Value = serde_json::from_slice(&body).expect("is JSON");
    assert_eq!(
        (&body["state"], &body["kind"]),
        (&json!("JOINED"), &json!("AGENT"))
    );
    assert_eq!(
        (&body["joined_at"], &body["joined_at_ms"]),
        (&json!("5"), &json!("5000"))
    );
    assert_eq!(body["permission"]["can_publish_sources"], json!([]));
    assert_eq!(body["attributes"], json!({}));
    let track = &body["tracks"][0];
    assert_eq!(
        (&track["type"], &track["source"]),
        (&json!("VIDEO"), &json!("CAMERA"))
    );
    assert_eq!(track["codecs"][0]["sdp_cid"], "");
    assert_eq!(track["encryption"], "NONE");
    assert_eq!(track["backup_codec_policy"], "PREFER_REGRESSION");
}
