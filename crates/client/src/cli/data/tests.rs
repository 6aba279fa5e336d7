use super::*;

fn labels(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

fn message(payload: &[u8]) -> Message {
    Message {
        label: "metric".to_owned(),
        is_binary: false,
        payload: payload.to_vec(),
    }
}

#[test]
fn a_line_is_a_message() {
    let sent = |line: &str, known: &[&str]| {
        let sent = outgoing(line, &labels(known)).ok()?;
        Some((sent.label, sent.text))
    };
    let pair = |label: &str, text: &str| Some((label.to_owned(), text.to_owned()));
    assert_eq!(
        sent("{\"a\": 1}", &["metric"]),
        pair("metric", "{\"a\": 1}")
    );
    assert_eq!(sent("", &["metric"]), pair("metric", ""));
    assert_eq!(
        sent("stream\ta\tb", &["metric", "stream"]),
        pair("stream", "a\tb")
    );
    assert_eq!(sent("stream a", &["metric", "stream"]), None);
    assert_eq!(sent("other\ta", &["metric", "stream"]), None);
    let long = "x".repeat(MESSAGE_BYTES_MAX);
    assert_eq!(sent(&long, &["metric"]), pair("metric", &long));
    assert_eq!(sent(&format!("{long}x"), &["metric"]), None);
}

#[test]
fn a_message_is_a_line() {
    let printed = |known: &[&str], is_json, payload: &[u8]| {
        let printer = Printer {
            labels: labels(known),
            is_json,
        };
        printer.line(None, &message(payload))
    };
    let one = &["metric"][..];
    let two = &["metric", "stream"][..];
    assert_eq!(printed(one, false, b"{\"ir\": 0.5}"), "{\"ir\": 0.5}");
    assert_eq!(printed(two, false, b"hi"), "metric\thi");
    assert_eq!(
        printed(one, false, "둘\n\u{1b}[2J".as_bytes()),
        "둘\\n\\u{1b}[2J"
    );
    assert_eq!(printed(one, false, &[0xff, 0]), "/wA=");
    assert_eq!(
        printed(one, true, b"a\nb"),
        r#"{"channel":"metric","text":"a\nb"}"#
    );
    assert_eq!(
        printed(two, true, &[0xff, 0]),
        r#"{"channel":"metric","base64":"/wA="}"#
    );
}

#[test]
fn of_several_peers_it_is_said_whose_a_message_is() {
    let printer = Printer {
        labels: labels(&["chat"]),
        is_json: true,
    };
    let message = Message {
        label: "chat".to_owned(),
        is_binary: false,
        payload: b"hi".to_vec(),
    };
    assert_eq!(
        printer.line(Some("robot"), &message),
        r#"{"from":"robot","channel":"chat","text":"hi"}"#
    );
}
