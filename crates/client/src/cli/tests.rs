use super::*;

#[test]
fn durations() {
    assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
    for wrong in [
        "",
        "5",
        "s",
        "-1s",
        "5 s",
        "5d",
        "99999999999999999999s",
        "9999999999999999h",
    ] {
        assert!(parse_duration(wrong).is_err(), "{wrong:?}");
    }
}

fn after(retry: &mut retry::Retry, done: Result<End, CliError>) -> Option<u128> {
    let (said, wait) = retry.after(done, 1.0).ok()?;
    assert!(said.contains("; trying again in "), "{said}");
    Some(wait.as_millis())
}

fn broken() -> Result<End, CliError> {
    Err(SessionError::Silent.into())
}

#[test]
fn tries_are_further_and_further_apart_until_one_works() {
    let mut retry = retry::Retry::new(true);
    let waits: Vec<_> = (0..8).filter_map(|_| after(&mut retry, broken())).collect();
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    retry.worked();
    assert_eq!(after(&mut retry, broken()), Some(500));
}

#[test]
fn what_another_try_cannot_mend_is_not_tried_again() {
    let refused = |sentence: &str| Err(SessionError::Refused(sentence.to_owned()).into());
    let goodbye = |why: &str| Ok(End::Server(Some(why.to_owned())));
    let mut retry = retry::Retry::new(true);
    for again in [
        refused("the channel has a publisher already"),
        goodbye("the server is stopping"),
        Ok(End::Server(None)),
    ] {
        assert!(after(&mut retry, again).is_some());
    }
    for over in [
        refused("not allowed to publish to this channel"),
        goodbye("removed by a moderator"),
        Ok(End::User),
        Ok(End::Input),
        Err(CliError::Media("what cannot be written".to_owned())),
    ] {
        assert_eq!(after(&mut retry, over), None);
    }
    let mut unwanted = retry::Retry::new(false);
    assert_eq!(after(&mut unwanted, broken()), None);
}
