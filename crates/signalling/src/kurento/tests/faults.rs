use super::{check, door, negotiated, now, said, step, with_endpoints};
use crate::Frame;
use crate::door::Door as _;

/// Each line of the second kind answers the one before it.
fn refused(calls: &[(&str, &str)]) {
    let mut door = with_endpoints("", 1, "");
    for (call, error) in calls {
        check(
            &mut door,
            &format!(
                "< {{\"id\":9,\"jsonrpc\":\"2.0\",{call}}}\n> {{\"error\":{error},\"id\":9,\"jsonrpc\":\"2.0\"}}"
            ),
        );
    }
}

#[test]
fn frames_that_are_no_requests() {
    let unreadable = r#"> {"error":{"code":-32700,"data":{"type":"PARSE_ERROR"},"message":"Parse error."},"id":null,"jsonrpc":"2.0"}"#;
    let invalid = r#"> {"error":{"code":-32600,"message":"Invalid JSON-RPC request."},"id":null,"jsonrpc":"2.0"}"#;
    let mut door = door("");
    for text in ["x", "{", r#"{"id":1e999}"#, "\u{feff}{}"] {
        check(&mut door, &format!("< {text}\n{unreadable}"));
    }
    let deep = "[".repeat(100);
    let long = format!(
        r#"{{"jsonrpc":"2.0","method":"ping","id":"{}"}}"#,
        "x".repeat(1000)
    );
    for text in [
        "null",
        "[]",
        "{}",
        r#"[{"jsonrpc":"2.0","method":"ping","id":1}]"#,
        r#"{"jsonrpc":"1.0","method":"ping","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","method":7,"id":1}"#,
        r#"{"jsonrpc":"2.0","method":"ping","id":{}}"#,
        r#"{"jsonrpc":"2.0","method":"ping","id":[1]}"#,
        deep.as_str(),
        long.as_str(),
    ] {
        check(&mut door, &format!("< {text}\n{invalid}"));
    }
    assert_eq!(door.dropped().malformed, 15);
    door.handle_frame(now(), Frame::Binary(vec![1, 2, 3]));
    let unreadable = unreadable.trim_start_matches("> ");
    assert_eq!(said(&mut door), [unreadable]);
}

#[test]
fn a_notification_is_done_and_not_answered() {
    check(
        &mut door(""),
        r#"
        < {"jsonrpc":"2.0","method":"create","params":{"type":"MediaPipeline"}}
        > {"error":{"code":-32000,"message":"Ignoring response because of a notification request"},"id":null,"jsonrpc":"2.0"}
        < {"id":1,"jsonrpc":"2.0","method":"invoke","params":{"object":"manager_ServerManager","operation":"getPipelines"}}
        > {"id":1,"jsonrpc":"2.0","result":{"sessionId":"$1","value":["$P"]}}
        "#,
    );
}

#[test]
fn methods_and_their_parameters() {
    let need =
        r#"{"code":-32602,"data":{"type":"INVALID_PARAMS"},"message":"'params' is required"}"#;
    let unexpected = r#"{"code":-32603,"data":{"type":"INTERNAL_ERROR"},"message":"Unexpected error while processing method"}"#;
    let unknown = r#"{"code":-32601,"message":"Method not found."}"#;
    refused(&[
        (
            r#""method":"transaction","params":{"operations":[]}"#,
            unknown,
        ),
        (r#""method":"__proto__""#, unknown),
        (r#""method":"describe""#, need),
        (r#""method":"create","params":null"#, need),
        (r#""method":"invoke","params":[1,2]"#, unexpected),
        (r#""method":"release","params":"x""#, unexpected),
        (
            r#""method":"describe","params":{}"#,
            r#"{"code":-32000,"message":"'object' parameter is required"}"#,
        ),
        (
            r#""method":"describe","params":{"object":7}"#,
            r#"{"code":-32000,"message":"'object' parameter should be a string"}"#,
        ),
        (
            r#""method":"create","params":{}"#,
            r#"{"code":-32000,"message":"'type' parameter is required"}"#,
        ),
        (
            r#""method":"invoke","params":{"object":"manager_ServerManager"}"#,
            r#"{"code":-32000,"message":"'operation' parameter is required"}"#,
        ),
        (
            r#""method":"unsubscribe","params":{"object":"x"}"#,
            r#"{"code":-32000,"message":"'subscription' parameter is required"}"#,
        ),
        (
            r#""method":"keepAlive","params":{}"#,
            r#"{"code":-32000,"message":"'sessionId' parameter is required"}"#,
        ),
    ]);
}

#[test]
fn objects_that_are_not_there() {
    let error = r#"{"code":40101,"data":{"type":"MEDIA_OBJECT_NOT_FOUND"},"message":"Object 'gone' not found"}"#;
    refused(&[
        (r#""method":"describe","params":{"object":"gone"}"#, error),
        (r#""method":"ref","params":{"object":"gone"}"#, error),
        (
            r#""method":"invoke","params":{"object":"gone","operation":"getName"}"#,
            error,
        ),
        (
            r#""method":"subscribe","params":{"object":"gone","type":"Error"}"#,
            error,
        ),
        (
            r#""method":"create","params":{"constructorParams":{"mediaPipeline":"gone"},"type":"WebRtcEndpoint"}"#,
            error,
        ),
        (
            r#""method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"connect","operationParams":{"sink":"gone"}}"#,
            error,
        ),
    ]);
}

#[test]
fn long_words_are_not_said_back() {
    let long = "x".repeat(200_000);
    let line = format!(
        r#"< {{"id":9,"jsonrpc":"2.0","method":"describe","params":{{"object":"{long}"}}}}"#
    );
    let said = step(&mut door(""), &line).join("\n");
    assert!(said.contains("Object 'xxx") && said.len() < 500, "{said}");
}

#[test]
fn what_objects_do_not_know() {
    refused(&[
        (
            r#""method":"create","params":{"type":"PlayerEndpoint"}"#,
            r#"{"code":40100,"data":{"type":"MEDIA_OBJECT_TYPE_NOT_FOUND"},"message":"Factory 'PlayerEndpoint' not found"}"#,
        ),
        (
            r#""method":"invoke","params":{"object":"$P","operation":"getGstreamerDot","operationParams":{"details":"SHOW_ALL"}}"#,
            r#"{"code":40105,"data":{"type":"MEDIA_OBJECT_METHOD_NOT_FOUND"},"message":"Method 'getGstreamerDot' with 1 parameters not found"}"#,
        ),
        (
            r#""method":"invoke","params":{"object":"manager_ServerManager","operation":"connect"}"#,
            r#"{"code":40105,"data":{"type":"MEDIA_OBJECT_METHOD_NOT_FOUND"},"message":"Method 'connect' with 0 parameters not found"}"#,
        ),
        (
            r#""method":"subscribe","params":{"object":"$P","type":"IceCandidateFound"}"#,
            r#"{"code":40106,"data":{"type":"MEDIA_OBJECT_EVENT_NOT_SUPPORTED"},"message":"Event 'IceCandidateFound' not supported"}"#,
        ),
        (
            r#""method":"invoke","params":{"object":"$P","operation":"getTag","operationParams":{"key":"x"}}"#,
            r#"{"code":40110,"data":{"type":"MEDIA_OBJECT_TAG_KEY_NOT_FOUND"},"message":"Tag key not found"}"#,
        ),
    ]);
}

/// A call of the endpoint, or one that makes another.
fn call(operation: &str) -> String {
    match operation.strip_prefix("create ") {
        Some(parameters) => {
            format!(r#""method":"create","params":{{{parameters}"type":"WebRtcEndpoint"}}"#)
        }
        None => format!(
            r#""method":"invoke","params":{{"object":"$P/$4_kurento.WebRtcEndpoint","operation":{operation}}}"#
        ),
    }
}

#[test]
fn parameters_of_objects() {
    for (operation, message) in [
        ("create ", "'constructorParams' is required"),
        (
            r#"create "constructorParams":7,"#,
            "'constructorParams' should be an object",
        ),
        (
            r#"create "constructorParams":{},"#,
            "'mediaPipeline' parameter should be a string",
        ),
        (
            r#"create "constructorParams":{"mediaPipeline":"$P","useDataChannels":"yes"},"#,
            "'useDataChannels' parameter should be a boolean",
        ),
        (r#""processOffer""#, "'operationParams' is required"),
        (
            r#""processOffer","operationParams":[]"#,
            "'operationParams' should be an object",
        ),
        (
            r#""processOffer","operationParams":{"offer":null}"#,
            "'offer' parameter should be a string",
        ),
        (
            r#""connect","operationParams":{}"#,
            "'sink' parameter should be a string",
        ),
        (
            r#""connect","operationParams":{"sink":"$P","mediaType":"SMELL"}"#,
            "Invalid value for 'MediaType'",
        ),
        (
            r#""addIceCandidate","operationParams":{"candidate":"candidate:1"}"#,
            "'candidate' parameter should be an object",
        ),
        (
            r#""addIceCandidate","operationParams":{"candidate":{}}"#,
            "'candidate' property should be a string",
        ),
        (
            r#""setMaxVideoRecvBandwidth","operationParams":{"maxVideoRecvBandwidth":"fast"}"#,
            "'maxVideoRecvBandwidth' parameter should be an integer",
        ),
        (
            r#""setSendTagsInEvents","operationParams":{"sendTagsInEvents":1}"#,
            "'sendTagsInEvents' parameter should be a boolean",
        ),
    ] {
        let error =
            format!(r#"{{"code":40001,"data":{{"type":"MARSHALL_ERROR"}},"message":"{message}"}}"#);
        refused(&[(&call(operation), &error)]);
    }
}

fn error(code: u32, name: &str, message: &str) -> String {
    format!(r#"{{"code":{code},"data":{{"type":"{name}"}},"message":"{message}"}}"#)
}

#[test]
fn what_an_endpoint_without_an_offer_cannot() {
    for (operation, error) in [
        (
            r#""processOffer","operationParams":{"offer":""}"#,
            error(40201, "SDP_PARSE_ERROR", "Empty offer not valid"),
        ),
        (
            r#""processAnswer","operationParams":{"answer":""}"#,
            error(40201, "SDP_PARSE_ERROR", "Empty answer not valid"),
        ),
        (
            r#""processAnswer","operationParams":{"answer":"v=0"}"#,
            error(
                40209,
                "SDP_END_POINT_NOT_OFFER_GENERATED",
                "Offer not generated. It is not possible to process an answer.",
            ),
        ),
        (
            r#""generateOffer""#,
            error(
                40204,
                "SDP_END_POINT_GENERATE_OFFER_ERROR",
                "Error generating offer",
            ),
        ),
        (
            r#""getLocalSessionDescriptor""#,
            error(40202, "SDP_END_POINT_NO_LOCAL_SDP_ERROR", "No local SDP"),
        ),
        (
            r#""getRemoteSessionDescriptor""#,
            error(40203, "SDP_END_POINT_NO_REMOTE_SDP_ERROR", "No remote SDP"),
        ),
        (
            r#""addIceCandidate","operationParams":{"candidate":{"candidate":"nonsense"}}"#,
            error(40401, "ICE_ADD_CANDIDATE_ERROR", "Error adding candidate"),
        ),
    ] {
        refused(&[(&call(operation), &error)]);
    }
}

#[test]
fn one_good_offer_is_enough() {
    let mut door = with_endpoints("", 1, "");
    let offer = |sdp: &str| {
        let operation = format!(r#""processOffer","operationParams":{{"offer":"{sdp}"}}"#);
        format!("< {{\"id\":9,\"jsonrpc\":\"2.0\",{}}}", call(&operation))
    };
    let unreadable = error(40201, "SDP_PARSE_ERROR", "Error parsing SDP");
    let twice = error(
        40208,
        "SDP_END_POINT_ALREADY_NEGOTIATED",
        "Endpoint already negotiated",
    );
    let [unreadable, twice] = [unreadable, twice]
        .map(|error| format!("> {{\"error\":{error},\"id\":9,\"jsonrpc\":\"2.0\"}}"));
    let mut say = |line: &str, outputs: &[&str]| {
        check(&mut door, &format!("{line}\n{}", outputs.join("\n")));
    };
    let open = "= 0 open 0 publish=true subscribe=true";
    say(&offer(&"x".repeat(70_000)), &[&unreadable]);
    say(&offer("BAD"), &[open, "= 0 offer 0 BAD"]);
    say(&offer("AGAIN"), &[&twice]);
    say("! refused 0 offer", &[&unreadable]);
    say("! refused 0 offer", &[]);
    say(&offer("BETTER"), &["= 0 offer 0 BETTER"]);
    step(&mut door, "! answer 0");
    check(&mut door, &format!("{}\n{twice}", offer("MORE")));
}

#[test]
fn elements_of_other_pipelines_and_other_kinds_do_not_connect() {
    let mut door = with_endpoints("", 1, "");
    step(
        &mut door,
        r#"< {"id":2,"jsonrpc":"2.0","method":"create","params":{"type":"MediaPipeline"}}"#,
    );
    step(
        &mut door,
        r#"< {"id":3,"jsonrpc":"2.0","method":"create","params":{"constructorParams":{"mediaPipeline":"$5_kurento.MediaPipeline"},"type":"WebRtcEndpoint"}}"#,
    );
    step(&mut door, "! entered 1");
    for sink in ["$5_kurento.MediaPipeline/$6_kurento.WebRtcEndpoint", "$P"] {
        check(
            &mut door,
            &format!(
                r#"
                < {{"id":4,"jsonrpc":"2.0","method":"invoke","params":{{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"connect","operationParams":{{"sink":"{sink}"}}}}}}
                > {{"error":{{"code":40004,"data":{{"type":"CONNECT_ERROR"}},"message":"Media elements do not share pipeline"}},"id":4,"jsonrpc":"2.0"}}
                "#
            ),
        );
    }
}

#[test]
fn who_may_not_enter_has_no_endpoint() {
    let create = r#"< {"id":1,"jsonrpc":"2.0","method":"create","params":{"constructorParams":{"mediaPipeline":"$P"},"type":"WebRtcEndpoint"}}"#;
    let mut door = with_endpoints("", 0, "");
    check(
        &mut door,
        &format!("{create}\n= enter 0 kurento/$3 $4 alone"),
    );
    check(
        &mut door,
        r#"
        ! not-entered 0 forbidden
        > {"error":{"code":40003,"data":{"type":"UNEXPECTED_ERROR"},"message":"not allowed"},"id":1,"jsonrpc":"2.0"}
        "#,
    );
    check(
        &mut door,
        &format!("{create}\n= enter 1 kurento/$3 $5 alone"),
    );
    check(
        &mut door,
        r#"
        ! not-entered 1 full
        > {"error":{"code":40009,"data":{"type":"NOT_ENOUGH_RESOURCES"},"message":"server is full"},"id":1,"jsonrpc":"2.0"}
        < {"id":2,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P","operation":"getChildren"}}
        > {"id":2,"jsonrpc":"2.0","result":{"sessionId":"$1","value":[]}}
        "#,
    );
    assert_eq!(door.dropped().refused, 2);
}

#[test]
fn what_the_core_refuses_is_said() {
    let mut door = with_endpoints("", 2, "");
    check(
        &mut door,
        r#"
        < {"id":3,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"Error"}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$6"}}
        < {"id":4,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"processOffer","operationParams":{"offer":"OFFER"}}}
        = 0 open 0 publish=true subscribe=true
        = 0 offer 0 OFFER
        ! refused 0 open
        > {"error":{"code":40009,"data":{"type":"NOT_ENOUGH_RESOURCES"},"message":"a limit is reached: connections of this server"},"id":4,"jsonrpc":"2.0"}
        ! refused 0 codec
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"description":"the receiver has no decoder for it","errorCode":40005,"source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"UNSUPPORTED_MEDIA_TYPE"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"Error"}}}
        < {"id":5,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$5_kurento.WebRtcEndpoint","operation":"processOffer","operationParams":{"offer":"OFFER"}}}
        = 1 open 0 publish=true subscribe=true
        = 1 offer 0 OFFER
        ! closed 1 own
        > {"error":{"code":40003,"data":{"type":"UNEXPECTED_ERROR"},"message":"the endpoint is over"},"id":5,"jsonrpc":"2.0"}
        < {"id":6,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$5_kurento.WebRtcEndpoint","operation":"processOffer","operationParams":{"offer":"OFFER"}}}
        > {"error":{"code":40208,"data":{"type":"SDP_END_POINT_ALREADY_NEGOTIATED"},"message":"Endpoint already negotiated"},"id":6,"jsonrpc":"2.0"}
        "#,
    );
}

#[test]
fn who_waits_for_what_is_released_is_told() {
    let mut door = with_endpoints("", 1, "");
    check(
        &mut door,
        r#"
        < {"id":4,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"processOffer","operationParams":{"offer":"OFFER"}}}
        = 0 open 0 publish=true subscribe=true
        = 0 offer 0 OFFER
        < {"id":5,"jsonrpc":"2.0","method":"release","params":{"object":"$P/$4_kurento.WebRtcEndpoint"}}
        > {"error":{"code":40101,"data":{"type":"MEDIA_OBJECT_NOT_FOUND"},"message":"Object '$P/$4_kurento.WebRtcEndpoint' not found"},"id":4,"jsonrpc":"2.0"}
        = quit 0
        > {"id":5,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        "#,
    );
}

#[test]
fn everything_that_grows_has_a_limit() {
    let mut door = with_endpoints("", 0, "");
    let pipeline =
        r#"< {"id":7,"jsonrpc":"2.0","method":"create","params":{"type":"MediaPipeline"}}"#;
    let ask = |door: &mut super::Kurento, line: &str| step(door, line).join("\n");
    let mut made = 0;
    while !ask(&mut door, pipeline).contains("NOT_ENOUGH_RESOURCES") {
        made += 1;
        assert!(made < 1000);
    }
    let endpoint = r#"< {"id":8,"jsonrpc":"2.0","method":"create","params":{"constructorParams":{"mediaPipeline":"$P"},"type":"WebRtcEndpoint"}}"#;
    assert!(ask(&mut door, endpoint).contains("Limit of objects reached"));
    let subscribe = r#"< {"id":9,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P","type":"Error"}}"#;
    let mut subscribed = 0;
    while !ask(&mut door, subscribe).contains("Too many subscriptions") {
        subscribed += 1;
        assert!(subscribed < 1000);
    }
    let mut tags = 0;
    let tag = |key: usize| {
        format!(
            r#"< {{"id":9,"jsonrpc":"2.0","method":"invoke","params":{{"object":"$P","operation":"addTag","operationParams":{{"key":"k{key}","value":"v"}}}}}}"#
        )
    };
    while !ask(&mut door, &tag(tags)).contains("Too many tags") {
        tags += 1;
        assert!(tags < 1000);
    }
    assert!(
        !ask(&mut door, &tag(0)).contains("error"),
        "in its old place"
    );
    let long = format!(
        r#"< {{"id":9,"jsonrpc":"2.0","method":"invoke","params":{{"object":"$P","operation":"setName","operationParams":{{"name":"{}"}}}}}}"#,
        "n".repeat(2000)
    );
    assert!(ask(&mut door, &long).contains("The text is too long"));
    negotiated(&mut with_endpoints("", 1, ""), 0, "");
}
