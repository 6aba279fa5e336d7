use serde_json::json;

use super::{Arguments, Call, Code, Fault, Ticket, answer, notification};
use crate::Frame;

const OWN: Code = Code::named(7, "SEVEN");

fn read(text: &str) -> Result<Call, Fault> {
    Call::read(&Frame::Text(text.to_owned()))
}

/// What is answered where nothing more is done than to read what is asked for.
fn check(text: &str, expected: &str) {
    let (ticket, outcome) = match read(text) {
        Ok(call) => (call.ticket, Ok(json!(call.method))),
        Err(fault) => (Ticket::default(), Err(fault)),
    };
    let expected = Frame::Text(expected.to_owned());
    assert_eq!(answer(&ticket, &outcome), expected, "{text}");
}

#[test]
fn a_request_is_answered_by_its_id() {
    for id in ["1", "-2.5", "true", "\"a\""] {
        check(
            &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#),
            &format!(r#"{{"id":{id},"jsonrpc":"2.0","result":"m"}}"#),
        );
    }
}

#[test]
fn who_gives_no_id_is_told_that_there_is_no_answer() {
    for id in ["", r#""id":null,"#] {
        check(
            &format!(r#"{{"jsonrpc":"2.0",{id}"method":"m"}}"#),
            r#"{"error":{"code":-32000,"message":"Ignoring response because of a notification request"},"id":null,"jsonrpc":"2.0"}"#,
        );
    }
    let fault = Fault::new(OWN, "no");
    assert_eq!(
        answer(&Ticket::default(), &Err(fault)),
        Frame::Text(
            r#"{"error":{"code":7,"data":{"type":"SEVEN"},"message":"no"},"id":null,"jsonrpc":"2.0"}"#
                .to_owned()
        )
    );
}

#[test]
fn what_is_no_request_is_told_to_nobody_in_particular() {
    let unreadable = r#"{"error":{"code":-32700,"data":{"type":"PARSE_ERROR"},"message":"Parse error."},"id":null,"jsonrpc":"2.0"}"#;
    let invalid = r#"{"error":{"code":-32600,"message":"Invalid JSON-RPC request."},"id":null,"jsonrpc":"2.0"}"#;
    for text in ["", "x", r#"{"id":1"#] {
        check(text, unreadable);
    }
    for text in [
        "[]".to_owned(),
        r#"{"id":1,"method":"m"}"#.to_owned(),
        r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#.to_owned(),
        format!(
            r#"{{"jsonrpc":"2.0","id":"{}","method":"m"}}"#,
            "a".repeat(129)
        ),
        "[".repeat(40),
    ] {
        check(&text, invalid);
    }
    let binary = Call::read(&Frame::Binary(b"{}".to_vec()));
    assert_eq!(
        answer(&Ticket::default(), &Err(binary.expect_err("no text"))),
        Frame::Text(unreadable.to_owned())
    );
}

#[test]
fn parameters_are_there_or_it_is_said_what_is_wrong() {
    let of = |params: &str| {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{params}}}"#);
        let call = read(&text).expect("a request");
        let text = call.params().and_then(|params| params.text("a"));
        (text.map(str::to_owned), call.text_if_any("a").is_some())
    };
    let fault = |code: Code, message: &str| (Err(Fault::new(code, message)), false);
    assert_eq!(of(r#"{"a":"b"}"#), (Ok("b".to_owned()), true));
    assert_eq!(
        of("{}"),
        fault(Code::nameless(-32000), "'a' parameter is required")
    );
    assert_eq!(
        of(r#"{"a":1}"#),
        fault(Code::nameless(-32000), "'a' parameter should be a string")
    );
    assert_eq!(
        of("null"),
        fault(
            Code::named(-32602, "INVALID_PARAMS"),
            "'params' is required"
        )
    );
    assert_eq!(
        of("[1]"),
        fault(
            Code::named(-32603, "INTERNAL_ERROR"),
            "Unexpected error while processing method"
        )
    );
}

/// Reads the arguments `with`, as some of a request are called.
fn with<T>(
    arguments: &str,
    read_it: impl Fn(Arguments<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let text =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"with":{arguments}}}}}"#);
    let call = read(&text).expect("a request");
    read_it(call.params().expect("parameters").inner("with", OWN))
}

#[test]
fn arguments_have_types() {
    let all = r#"{"t":"x","i":-3,"f":true,"o":{"p":"y"}}"#;
    assert_eq!(with(all, |of| Ok(of.count())), Ok(4));
    assert_eq!(with(all, |of| of.text("t").map(str::len)), Ok(1));
    assert_eq!(with(all, |of| of.integer("i")), Ok(-3));
    assert_eq!(with(all, |of| of.flag("f")), Ok(true));
    assert_eq!(with(all, |of| of.flag_if_any("none")), Ok(false));
    assert_eq!(
        with(all, |of| of.property("o", "p").map(str::to_owned)),
        Ok("y".to_owned())
    );
    let refused = |message: &str| Err(Fault::new(OWN, message));
    for (arguments, message) in [
        ("null", "'with' is required"),
        ("[]", "'with' should be an object"),
        ("{}", "'t' parameter should be a string"),
        (r#"{"t":1}"#, "'t' parameter should be a string"),
    ] {
        assert_eq!(
            with(arguments, |of| of.text("t").map(|_| ())),
            refused(message)
        );
    }
    assert_eq!(
        with(all, |of| of.integer("t").map(|_| ())),
        refused("'t' parameter should be an integer")
    );
    assert_eq!(
        with(all, |of| of.flag_if_any("t").map(|_| ())),
        refused("'t' parameter should be a boolean")
    );
    assert_eq!(
        with(all, |of| of.property("t", "p").map(|_| ())),
        refused("'t' parameter should be an object")
    );
    assert_eq!(
        with(all, |of| of.property("o", "q").map(|_| ())),
        refused("'q' property should be a string")
    );
}

#[derive(Debug, PartialEq, serde::Deserialize)]
enum Colour {
    Red,
}

#[test]
fn an_argument_may_be_one_of_a_few_words() {
    let word = |arguments: &str| with(arguments, |of| of.word_if_any::<Colour>("c", "Colour"));
    let invalid = Fault::new(OWN, "Invalid value for 'Colour'");
    assert_eq!(word(r#"{"c":"Red"}"#), Ok(Some(Colour::Red)));
    assert_eq!(word(r#"{"c":"Blue"}"#), Err(invalid));
    assert_eq!(word("{}"), Ok(None));
    assert_eq!(word("null"), Ok(None));
    assert_eq!(
        with("{}", |of| of.word::<Colour>("c", "Colour")),
        Err(Fault::new(OWN, "'c' parameter should be a string"))
    );
}

#[test]
fn a_notification_has_no_id() {
    let said = r#"{"jsonrpc":"2.0","method":"m","params":{"a":1}}"#;
    assert_eq!(
        notification("m", &json!({ "a": 1 })),
        Frame::Text(said.to_owned())
    );
}

#[test]
fn long_words_of_the_client_are_not_said_back() {
    let fault = Fault::new(OWN, "a".repeat(5000));
    let Frame::Text(text) = answer(&Ticket::default(), &Err(fault)) else {
        panic!("text");
    };
    assert!(text.len() < 500 && text.contains('…'));
}
