use super::*;

const ANSWER: &str = "v=0\r\na=group:BUNDLE 0 1 2\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendrecv\r\na=mid:1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:2\r\na=sendonly\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:3\r\na=recvonly\r\n";

fn directions(wish: &Wish) -> (Vec<String>, Vec<Option<String>>) {
    let (text, sections) = directed(ANSWER, wish);
    let kept = |line: &&str| {
        !line.ends_with("only") && !line.ends_with("recv") && !line.ends_with("inactive")
    };
    let lines = |text: &str| {
        text.lines()
            .filter(kept)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&text), lines(ANSWER), "nothing else changes");
    let directions = text.lines().filter(|line| !kept(line));
    let directions = directions.filter_map(|line| line.strip_prefix("a="));
    let sections = sections
        .iter()
        .map(|section| section.map(|section| section.to_string()));
    (directions.map(str::to_owned).collect(), sections.collect())
}

#[test]
fn an_answer_promises_what_is_wished() {
    let kinds = |text: &str| {
        let kind = |c| if c == 'v' { Kind::Video } else { Kind::Audio };
        text.chars().map(kind).collect::<Vec<_>>()
    };
    for (send, receive, wanted, sections) in [
        (
            "v",
            "",
            ["sendonly", "inactive", "inactive"],
            vec![Some("1")],
        ),
        (
            "va",
            "",
            ["sendonly", "sendonly", "inactive"],
            vec![Some("1"), Some("2")],
        ),
        ("", "va", ["recvonly", "inactive", "recvonly"], vec![]),
        (
            "v",
            "v",
            ["sendrecv", "inactive", "recvonly"],
            vec![Some("1")],
        ),
        (
            "vv",
            "",
            ["sendonly", "inactive", "inactive"],
            vec![Some("1"), None],
        ),
        ("", "", ["inactive", "inactive", "inactive"], vec![]),
    ] {
        let wish = Wish {
            send: kinds(send),
            receive: kinds(receive),
            ..Wish::default()
        };
        let (found, places) = directions(&wish);
        assert_eq!(found, wanted, "{send} {receive}");
        let places: Vec<_> = places.iter().map(Option::as_deref).collect();
        assert_eq!(places, sections, "{send} {receive}");
    }
}
