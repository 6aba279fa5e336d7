use clap::CommandFactory as _;

use super::*;

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn durations() {
    assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_duration("6h"), Ok(Duration::from_secs(21_600)));
    assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
    for wrong in [
        "",
        "6",
        "h",
        "6x",
        "-1s",
        "6 h",
        "99999999999999999d",
        "6시",
    ] {
        assert!(parse_duration(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn dev_is_a_switch_that_can_be_off() {
    let dev = |args: &[&str]| {
        let all = ["madang", "serve"].iter().chain(args);
        match Cli::try_parse_from(all).expect("valid").command {
            Command::Serve(serve) => Flags::from(serve.settings).dev,
            Command::Token(_) | Command::Ports(_) | Command::Doctor(_) | Command::Config(_) => {
                panic!("it says serve")
            }
        }
    };
    assert_eq!(dev(&[]), None);
    assert_eq!(dev(&["--dev"]), Some(true));
    assert_eq!(dev(&["--dev=false"]), Some(false));
    assert_eq!(dev(&["--dev", "--port", "1"]), Some(true));
}

#[test]
fn both_spellings_of_token() {
    for words in [&["token"][..], &["token", "create"][..]] {
        let args = ["madang"]
            .iter()
            .chain(words)
            .chain(&["--room", "r", "--identity", "i"]);
        let command = Cli::try_parse_from(args).expect("valid").command;
        assert!(
            matches!(command, Command::Token(token) if token.room == "r" && token.ttl.as_secs() == 21_600)
        );
    }
}
