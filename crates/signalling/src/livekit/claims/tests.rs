use super::super::parse_v0_query;
use super::*;

fn check(claims: &Claims, query: &str, status: u16, text: &str) {
    let error = admit(claims.clone(), parse_v0_query(query)).expect_err("is refused");
    assert_eq!((error.status(), error.to_string().as_str()), (status, text));
}

fn with(claims: &Claims, change: impl FnOnce(&mut VideoClaims)) -> Claims {
    let mut claims = claims.clone();
    change(claims.video.as_mut().expect("has it"));
    claims
}

#[test]
fn a_refusal_has_the_status_and_text_that_clients_know() {
    let good = Claims::join("yard", "anna");
    check(
        &Claims::default(),
        "",
        401,
        "no permissions to access the room",
    );
    check(
        &with(&good, |video| video.room_join = false),
        "",
        401,
        "permissions denied",
    );
    check(
        &Claims {
            sub: String::new(),
            ..good.clone()
        },
        "",
        400,
        "identity cannot be empty",
    );
    check(
        &Claims {
            sub: "x".repeat(257),
            ..good.clone()
        },
        "",
        400,
        "participant identity length exceeds limits: max length 256",
    );
    check(
        &with(&good, |video| video.room.clear()),
        "",
        400,
        "no room name",
    );
    check(
        &with(&good, |video| video.room = "x".repeat(257)),
        "",
        400,
        "room name length exceeds limits: max length 256",
    );
    // Attributes of one's own need the right to update oneself: base64 of {"a":"b"}.
    check(
        &good,
        "attributes=eyJhIjoiYiJ9",
        401,
        "no permissions to access the room",
    );
    let silent = with(&good, |video| video.can_publish = Some(false));
    check(
        &silent,
        "publish=2",
        401,
        "no permissions to access the room",
    );
}

#[test]
fn the_order_of_refusals_is_kept() {
    let bad_entry = || super::super::parse_v1("");
    let refused = |claims| admit(claims, bad_entry()).expect_err("is refused");
    assert_eq!(refused(Claims::default()), EntryError::NoRight);
    let no_join = with(&Claims::join("yard", "anna"), |video| {
        video.room_join = false
    });
    assert_eq!(refused(no_join), EntryError::JoinRequestMissing);
}

#[test]
fn a_long_display_name_is_no_reason_to_refuse() {
    let claims = Claims {
        name: "x".repeat(300),
        ..Claims::join("yard", "anna")
    };
    assert!(admit(claims, parse_v0_query("")).is_ok());
}

#[test]
fn what_the_client_brings_lies_over_the_token() {
    let mut claims = with(&Claims::join("yard", "anna"), |video| {
        video.can_update_own_metadata = Some(true);
    });
    claims.attributes.insert("a".to_owned(), "token".to_owned());
    claims.attributes.insert("c".to_owned(), "token".to_owned());
    let (_, claims) = admit(claims, parse_v0_query("attributes=eyJhIjoiYiJ9")).expect("may");
    assert_eq!(claims.attributes["a"], "b");
    assert_eq!(claims.attributes["c"], "token");
}

#[test]
fn a_second_session_that_only_publishes_has_an_identity_of_its_own() {
    let (_, claims) = admit(
        Claims::join("yard", "anna"),
        parse_v0_query("publish=screen"),
    )
    .expect("may");
    assert_eq!(claims.identity(), "anna#screen");
    assert!(!claims.grant().subscribe);
}

#[test]
fn rights_that_are_absent_have_their_own_defaults() {
    let claims = Claims::from_json(br#"{"sub":"anna","video":{"roomJoin":true,"room":"yard"}}"#)
        .expect("is JSON");
    let grant = claims.grant();
    assert!(grant.publish && grant.subscribe && grant.publish_data);
    assert!(!grant.update_own_metadata && !grant.subscribe_metrics && !grant.hidden);
    assert_eq!(grant.sources, None);
    // Data follows publishing unless it is said otherwise.
    let silent = with(&claims, |video| video.can_publish = Some(false));
    assert!(!silent.grant().publish_data);
    let only_data = with(&silent, |video| video.can_publish_data = Some(true));
    assert!(only_data.grant().publish_data);
}

#[test]
fn sources_that_we_do_not_know_grant_nothing() {
    let claims = with(&Claims::join("yard", "anna"), |video| {
        video.can_publish_sources = vec!["microphone".to_owned(), "thermometer".to_owned()];
    });
    let grant = claims.grant();
    assert!(grant.may_publish(Source::Microphone));
    assert!(!grant.may_publish(Source::Camera));
}

#[test]
fn tokens_as_other_programs_write_them_are_read() {
    // Go writes null for what is empty, and dates may have fractions.
    let json =
        br#"{"iss":"key","sub":"anna","nbf":1.5,"exp":1795132800,"jti":"x","identity":"anna",
        "attributes":null,"metadata":null,"kind":"AGENT","kindDetails":["simulation","unheard_of"],
        "video":{"room":"yard","roomJoin":true,"canPublishSources":null,"newer":1},
        "roomConfig":{"name":"n","emptyTimeout":5,"max_participants":3,"newer":true}}"#;
    let claims = Claims::from_json(json).expect("is JSON");
    assert_eq!((claims.nbf, claims.exp), (Some(1), Some(1_795_132_800)));
    assert!(claims.grant().agent);
    assert_eq!(claims.kind(), PeerKind(4));
    assert_eq!(claims.kind_details(), [5]);
    let settings = claims.room_settings();
    assert_eq!(
        (settings.empty_timeout_s, settings.peers_max),
        (Some(5), Some(3))
    );
    assert_eq!(settings.departure_timeout_s, None);
}

#[test]
fn a_kind_that_we_do_not_know_is_standard() {
    let claims = Claims {
        kind: "astronaut".to_owned(),
        ..Claims::default()
    };
    assert_eq!(claims.kind(), PeerKind(0));
}

#[test]
fn a_refreshed_token_says_what_is_true_now() {
    let claims = with(&Claims::join("yard", "anna"), |video| {
        video.room_admin = true
    });
    let mut grant = claims.grant();
    grant.publish = false;
    grant.publish_data = false;
    let mut sources = SourceSet::default();
    sources.insert(Source::Camera);
    grant.sources = Some(sources);
    let refreshed = claims.refreshed(&crate::TokenClaims {
        identity: "anna".to_owned(),
        name: "Anna".to_owned(),
        metadata: "m".to_owned(),
        attributes: BTreeMap::new(),
        grant: grant.clone(),
    });
    let json = serde_json::to_vec(&refreshed).expect("has a JSON form");
    let read = Claims::from_json(&json).expect("is JSON");
    assert_eq!(read.grant(), grant);
    assert_eq!((read.room(), read.name.as_str()), ("yard", "Anna"));
}

#[test]
fn what_everybody_is_sent_has_a_limit() {
    let mut claims = Claims::join("yard", "anna");
    claims.metadata = "x".repeat(512 * 1024 + 1);
    check(&claims, "", 400, "metadata size exceeds limits");
    claims.metadata.pop();
    claims
        .attributes
        .insert("k".to_owned(), "x".repeat(64 * 1024));
    check(&claims, "", 400, "attributes size exceeds limits");
}

#[test]
fn what_the_token_gave_cannot_be_brought_away() {
    let mut claims = with(&Claims::join("yard", "anna"), |video| {
        video.can_update_own_metadata = Some(true);
    });
    claims.attributes.insert("a".to_owned(), "token".to_owned());
    // {"a":""}
    let (_, claims) = admit(claims, parse_v0_query("attributes=eyJhIjoiIn0=")).expect("may");
    assert_eq!(claims.attributes["a"], "token");
}
