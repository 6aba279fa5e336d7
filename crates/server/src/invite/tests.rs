use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};

fn made(args: &[&str]) -> Result<String, TokenWishError> {
    let all = ["madang", "token"].iter().chain(args);
    match Cli::try_parse_from(all).expect("valid").command {
        Command::Token(wish) => token(&Config::for_tests(), &wish),
        Command::Serve(_) | Command::Ports(_) | Command::Doctor(_) | Command::Config(_) => {
            panic!("it says token")
        }
    }
}

fn read(token: &str) -> Claims {
    let keys = Keys::new(&Config::for_tests().keys);
    keys.verify(token).expect("our own").claims
}

#[test]
fn flags_become_rights() {
    let claims = read(&made(&["--room", "r", "--identity", "i"]).expect("valid"));
    assert_eq!((claims.room(), claims.identity()), ("r", "i"));
    assert!(claims.grant().publish && claims.grant().subscribe && !claims.grant().admin);
    let flags = [
        "--room",
        "r",
        "--identity",
        "i",
        "--no-publish",
        "--hidden",
        "--admin",
        "--can-update-metadata",
        "--name",
        "김",
    ];
    let claims = read(&made(&flags).expect("valid"));
    let grant = claims.grant();
    assert!(
        !grant.publish
            && !grant.publish_data
            && grant.hidden
            && grant.admin
            && grant.update_own_metadata
    );
    assert_eq!(claims.name, "김");
}

#[test]
fn links_survive_any_room_name() {
    let link = made(&[
        "--room",
        "우리 마당/#1",
        "--identity",
        "i",
        "--link",
        "https://meet.example.org/",
    ]);
    let link = link.expect("valid");
    let (address, token) = link.split_once("#token=").expect("a fragment");
    assert_eq!(
        address,
        "https://meet.example.org/r/%EC%9A%B0%EB%A6%AC%20%EB%A7%88%EB%8B%B9%2F%231"
    );
    assert_eq!(read(token).room(), "우리 마당/#1");
}

#[test]
fn what_cannot_work_is_refused() {
    assert!(matches!(
        made(&["--room", "", "--identity", "i"]),
        Err(TokenWishError::Name)
    ));
    let unknown = made(&["--room", "r", "--identity", "i", "--key", "other"]);
    assert!(matches!(unknown, Err(TokenWishError::NoKey(name)) if name == "other"));
}

#[test]
fn attributes_are_claims() {
    let with = |attributes: &[&str]| {
        let attributes = attributes.iter().flat_map(|each| ["--attribute", each]);
        let names = ["--room", "r", "--identity", "i"].into_iter();
        made(&names.chain(attributes).collect::<Vec<_>>())
    };
    let claims = read(&with(&["role=expert", "nick=김=1", "empty="]).expect("valid"));
    let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let expected = [("role", "expert"), ("nick", "김=1"), ("empty", "")].map(pair);
    assert_eq!(claims.attributes, expected.into());
    let refused = with(&["role=expert", "role=member"]).expect_err("which of them?");
    assert_eq!(refused.to_string(), "the attribute \"role\" is given twice");
    let refused = with(&[&format!("long={}", "a".repeat(65_536))]).expect_err("too long");
    assert_eq!(refused.to_string(), "attributes have at most 65536 bytes");
    for wrong in ["role", "=expert", ""] {
        let words = [
            "madang",
            "token",
            "--room",
            "r",
            "--identity",
            "i",
            "--attribute",
            wrong,
        ];
        let error = Cli::try_parse_from(words).expect_err("no pair");
        assert!(error.to_string().contains("write key=value"), "{error}");
    }
}

#[test]
fn a_link_leads_to_where_the_server_is() {
    let link = |config: &Config| {
        let args = [
            "madang",
            "token",
            "--room",
            "r",
            "--identity",
            "i",
            "--link",
        ];
        match Cli::try_parse_from(args).expect("valid").command {
            Command::Token(wish) => token(config, &wish).expect("valid"),
            Command::Serve(_) | Command::Ports(_) | Command::Doctor(_) | Command::Config(_) => {
                panic!("it says token")
            }
        }
    };
    let mut config = Config::for_tests();
    config.port = 7880;
    assert!(link(&config).starts_with("http://localhost:7880/r/r#token="));
    config.domain = Some("meet.example.org".to_owned());
    assert!(link(&config).starts_with("https://meet.example.org/r/r#token="));
}
