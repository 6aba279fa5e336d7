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

#[test]
fn tries_are_further_and_further_apart_until_one_works() {
    let mut retry = retry::Retry::new(true);
    let waits: Vec<_> = (0..9)
        .map(|_| {
            retry
                .after(&SessionError::Silent, 1.0)
                .expect("it is wanted")
                .as_millis()
        })
        .collect();
    assert_eq!(
        waits,
        [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
    );
    retry.worked();
    assert_eq!(
        retry.after(&SessionError::Silent, 0.0),
        Some(Duration::from_millis(375))
    );
}

#[test]
fn what_another_try_cannot_mend_is_not_tried_again() {
    let refused = |sentence: &str| SessionError::Refused(sentence.to_owned());
    let mut retry = retry::Retry::new(true);
    assert_eq!(
        retry.after(&refused("not allowed to publish to this channel"), 0.5),
        None
    );
    assert!(
        retry
            .after(&refused("the channel has a publisher already"), 0.5)
            .is_some()
    );
    let mut unwanted = retry::Retry::new(false);
    assert_eq!(unwanted.after(&SessionError::Silent, 0.5), None);
}
