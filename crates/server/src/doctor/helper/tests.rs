use super::*;

const NOW: fn() -> Instant = Instant::now;

fn admit(limits: &Limits, question: &str, ip: &str, now: Instant) -> Result<u16, &'static str> {
    limits.admit(question, ip.parse().expect("an address"), now)
}

#[test]
fn only_questions_of_a_doctor_are_answered() {
    let now = NOW();
    let limits = Limits::new(now);
    let ask = |question| admit(&limits, question, "192.0.2.1", now);
    assert_eq!(ask("madang-doctor 1 udp 7882"), Ok(7882));
    assert_eq!(ask("madang-doctor 1 udp 443\r"), Ok(443));
    for wrong in [
        "GET / HTTP/1.1",
        "madang-doctor 1 udp 53",
        "madang-doctor 1 udp 0",
        "madang-doctor 1 udp 70000",
        "madang-doctor 1 udp 198.51.100.1:7882",
        "madang-doctor 1 tcp 7882",
        "",
    ] {
        assert!(ask(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(
        ask("madang-doctor 1 udp 7882"),
        Ok(7882),
        "what is refused costs nothing"
    );
}

#[test]
fn nobody_can_ask_often() {
    let now = NOW();
    let limits = Limits::new(now);
    let ask = |ip: &str, now| admit(&limits, "madang-doctor 1 udp 7882", ip, now);
    for _ in 0..4 {
        assert!(ask("192.0.2.1", now).is_ok());
    }
    assert!(ask("192.0.2.1", now).is_err());
    assert!(ask("192.0.2.2", now).is_ok(), "others can");
    for last in 0..4 {
        assert!(ask(&format!("2001:db8::{last}"), now).is_ok());
    }
    assert!(ask("2001:db8::ffff:1", now).is_err(), "the same /64");
    assert!(ask("192.0.2.1", now + Duration::from_secs(6)).is_ok());
    for other in 0..100 {
        ask(&format!("198.51.100.{other}"), now).ok();
    }
    assert!(
        ask("203.0.113.1", now).is_err(),
        "all together ask too often"
    );
}

#[test]
fn connections_have_a_limit() {
    let limits = Limits::new(NOW());
    let places: Vec<Place<'_>> = (0..CONNECTIONS_MAX).map_while(|_| limits.enter()).collect();
    assert_eq!(places.len(), CONNECTIONS_MAX);
    assert!(limits.enter().is_none());
    drop(places);
    assert!(limits.enter().is_some());
}

#[test]
fn it_looks_at_whoever_asks() {
    // One that answers, and one that does not.
    let (port, silent) = (
        answering(),
        UdpSocket::bind("127.0.0.1:0").expect("a socket"),
    );
    // The port after a free one may be taken.
    let mut tries = (0..20).filter_map(|_| Helper::listen("127.0.0.1:0").ok());
    let helper = tries.next().expect("two free ports");
    let at = helper.addresses()[0];
    std::thread::spawn(move || helper.run(|_| ()));
    let Outcome::Asked {
        at: seen,
        answer: Some(answer),
        ..
    } = ask(at, port)
    else {
        panic!("not answered");
    };
    assert_eq!(seen, at.ip());
    assert_eq!(answer.from, SocketAddr::new(at.ip(), port));
    let silent = silent.local_addr().expect("bound").port();
    let asked = ask(at, silent);
    assert!(
        matches!(asked, Outcome::Asked { answer: None, .. }),
        "{asked:?}"
    );
    assert!(matches!(ask(at, 53), Outcome::Refused(_)));
}

/// The port of somebody who answers STUN.
fn answering() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let port = socket.local_addr().expect("bound").port();
    std::thread::spawn(move || answer_stun(&socket, &Limits::new(NOW())));
    port
}

#[test]
fn a_line_has_an_end_and_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let pair = || {
        let one = TcpStream::connect(at).expect("connected");
        (one, listener.accept().expect("connected").0)
    };
    let (mut from, mut to) = pair();
    from.write_all(b"one\ntwo").expect("sent");
    assert_eq!(line(&mut to, LINE_TIMEOUT).ok().as_deref(), Some("one"));
    let (mut from, mut to) = pair();
    from.write_all(&[b'a'; LINE_BYTES_MAX]).expect("sent");
    assert!(line(&mut to, LINE_TIMEOUT).is_err(), "too long");
    let (mut from, mut to) = pair();
    from.write_all(b"half").expect("sent");
    assert!(
        line(&mut to, Duration::from_millis(50)).is_err(),
        "too slow"
    );
    let (from, mut to) = pair();
    drop(from);
    assert!(line(&mut to, LINE_TIMEOUT).is_err(), "gone");
}
