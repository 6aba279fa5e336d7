use super::{check, negotiated, step, with_endpoints};

/// `operation` of the endpoint in the first place, with one in the second as its sink.
fn between(operation: &str, source: u32, sink: u32, more: &str) -> String {
    format!(
        r#"< {{"id":9,"jsonrpc":"2.0","method":"invoke","params":{{"object":"$P/${source}_kurento.WebRtcEndpoint","operation":"{operation}","operationParams":{{"sink":"$P/${sink}_kurento.WebRtcEndpoint"{more}}}}}}}"#
    )
}

const DONE: &str = r#"> {"id":9,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}"#;

#[test]
fn a_viewer_is_answered_before_it_is_connected() {
    let mut door = with_endpoints("", 2, "");
    negotiated(&mut door, 0, "7v 8a");
    negotiated(&mut door, 1, "");
    let connect = between("connect", 4, 5, "");
    check(
        &mut door,
        &format!("{connect}\n= 1 subscribe 0 [TR_00000000007, TR_00000000008]\n{DONE}"),
    );
    // Once more is no more.
    check(&mut door, &format!("{connect}\n{DONE}"));
}

#[test]
fn who_is_connected_first_gets_what_is_published_later() {
    let mut door = with_endpoints("", 2, "");
    let connect = between("connect", 4, 5, "");
    check(&mut door, &format!("{connect}\n{DONE}"));
    negotiated(&mut door, 1, "");
    check(&mut door, "! other 0 5v");
    check(&mut door, "! own 0 7v\n= 1 subscribe 0 [TR_00000000007]");
    check(&mut door, "! own 0 7v 8a\n= 1 subscribe 0 [TR_00000000008]");
    // What is over is no subscription any more.
    check(&mut door, "! own 0 8a");
    // Whatever the core says of one that was over before it was asked for, or is on its way.
    check(&mut door, "! refused 1 late");
}

#[test]
fn a_loop_is_asked_for_before_the_offer_is_answered() {
    let mut door = with_endpoints("", 1, "");
    let connect = between("connect", 4, 4, "");
    check(&mut door, &format!("{connect}\n{DONE}"));
    step(
        &mut door,
        r#"< {"id":2,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"processOffer","operationParams":{"offer":"OFFER"}}}"#,
    );
    check(&mut door, "! own 0 7v\n= 0 subscribe 0 [TR_00000000007]");
}

#[test]
fn another_source_takes_the_place_of_the_first() {
    let mut door = with_endpoints("", 3, "");
    negotiated(&mut door, 0, "7v 8a");
    negotiated(&mut door, 1, "17v 18a");
    negotiated(&mut door, 2, "");
    step(&mut door, &between("connect", 4, 6, ""));
    let connect = between("connect", 5, 6, r#","mediaType":"VIDEO""#);
    check(
        &mut door,
        &format!("{connect}\n= 2 unsubscribe\n= 2 subscribe 0 [TR_0000000000H]\n{DONE}"),
    );
    check(
        &mut door,
        r#"
        < {"id":3,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$6_kurento.WebRtcEndpoint","operation":"getSourceConnections","operationParams":{"mediaType":"VIDEO"}}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":[{"__module__":"kurento","__type__":"ElementConnectionData","sink":"$P/$6_kurento.WebRtcEndpoint","sinkDescription":"default","source":"$P/$5_kurento.WebRtcEndpoint","sourceDescription":"default","type":"VIDEO"}]}}
        < {"id":4,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getSinkConnections","operationParams":{"mediaType":"AUDIO"}}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":[{"__module__":"kurento","__type__":"ElementConnectionData","sink":"$P/$6_kurento.WebRtcEndpoint","sinkDescription":"default","source":"$P/$4_kurento.WebRtcEndpoint","sourceDescription":"default","type":"AUDIO"}]}}
        < {"id":5,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$5_kurento.WebRtcEndpoint","operation":"getSourceConnections"}}
        > {"id":5,"jsonrpc":"2.0","result":{"sessionId":"$1","value":[]}}
        "#,
    );
    let disconnect = between("disconnect", 5, 6, "");
    check(&mut door, &format!("{disconnect}\n= 2 unsubscribe\n{DONE}"));
    check(&mut door, &format!("{disconnect}\n{DONE}"));
}

#[test]
fn connections_are_told_of() {
    let mut door = with_endpoints("", 2, "");
    check(
        &mut door,
        r#"
        < {"id":3,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"ElementConnected"}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$6"}}
        < {"id":4,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"ElementDisconnected"}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$7"}}
        < {"id":9,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"connect","operationParams":{"mediaType":"DATA","sink":"$P/$5_kurento.WebRtcEndpoint"}}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"mediaType":"DATA","sink":"$P/$5_kurento.WebRtcEndpoint","sinkMediaDescription":"default","source":"$P/$4_kurento.WebRtcEndpoint","sourceMediaDescription":"default","tags":[],"timestampMillis":"…","type":"ElementConnected"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"ElementConnected"}}}
        > {"id":9,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        < {"id":10,"jsonrpc":"2.0","method":"release","params":{"object":"$P/$5_kurento.WebRtcEndpoint"}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"mediaType":"DATA","sink":"$P/$5_kurento.WebRtcEndpoint","sinkMediaDescription":"default","source":"$P/$4_kurento.WebRtcEndpoint","sourceMediaDescription":"default","tags":[],"timestampMillis":"…","type":"ElementDisconnected"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"ElementDisconnected"}}}
        = quit 1
        > {"id":10,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        "#,
    );
}

#[test]
fn what_is_released_takes_its_children_along_and_may_be_released_again() {
    let mut door = with_endpoints("", 2, "");
    negotiated(&mut door, 0, "7v");
    negotiated(&mut door, 1, "");
    step(&mut door, &between("connect", 4, 5, ""));
    check(
        &mut door,
        r#"
        < {"id":2,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"IceCandidateFound"}}
        > {"id":2,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$6"}}
        < {"id":3,"jsonrpc":"2.0","method":"subscribe","params":{"object":"manager_ServerManager","type":"ObjectDestroyed"}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$7"}}
        < {"id":4,"jsonrpc":"2.0","method":"release","params":{"object":"$P"}}
        = 1 unsubscribe
        = quit 0
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"objectId":"$P/$4_kurento.WebRtcEndpoint","source":"manager_ServerManager","tags":[],"timestampMillis":"…","type":"ObjectDestroyed"},"object":"manager_ServerManager","type":"ObjectDestroyed"}}}
        = quit 1
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"objectId":"$P/$5_kurento.WebRtcEndpoint","source":"manager_ServerManager","tags":[],"timestampMillis":"…","type":"ObjectDestroyed"},"object":"manager_ServerManager","type":"ObjectDestroyed"}}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"objectId":"$P","source":"manager_ServerManager","tags":[],"timestampMillis":"…","type":"ObjectDestroyed"},"object":"manager_ServerManager","type":"ObjectDestroyed"}}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        < {"id":5,"jsonrpc":"2.0","method":"unsubscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","sessionId":"$1","subscription":"$6"}}
        > {"id":5,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        < {"id":6,"jsonrpc":"2.0","method":"release","params":{"object":"$P"}}
        > {"id":6,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        < {"id":7,"jsonrpc":"2.0","method":"release","params":{"object":"manager_ServerManager"}}
        > {"id":7,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        < {"id":8,"jsonrpc":"2.0","method":"invoke","params":{"object":"manager_ServerManager","operation":"getPipelines"}}
        > {"id":8,"jsonrpc":"2.0","result":{"sessionId":"$1","value":[]}}
        "#,
    );
    // The core still speaks of places that were given up.
    check(&mut door, "! own 0 7v");
    check(&mut door, "! closed 1 own");
}

#[test]
fn data_goes_from_channel_to_channel_along_a_connection() {
    let mut door = with_endpoints("", 3, r#","useDataChannels":true"#);
    for place in 0..3 {
        negotiated(&mut door, place, "");
        check(&mut door, &format!("! channel {place} of-{place}"));
    }
    step(&mut door, &between("connect", 4, 5, ""));
    check(&mut door, "! channel 1 another");
    check(
        &mut door,
        "! data 0 of-0 hello\n= 1 send another b\"hello\"\n= 1 send of-1 b\"hello\"",
    );
    check(&mut door, "! data 1 of-1 back");
    check(&mut door, "! data 2 of-2 alone");
}

#[test]
fn without_data_channels_nothing_is_carried() {
    let mut door = with_endpoints("", 2, "");
    for place in 0..2 {
        negotiated(&mut door, place, "");
        check(&mut door, &format!("! channel {place} of-{place}"));
    }
    step(&mut door, &between("connect", 4, 5, ""));
    check(&mut door, "! data 0 of-0 hello");
}

#[test]
fn a_shared_room_hears_the_data() {
    let mut door = with_endpoints("room=yard", 1, r#","useDataChannels":true"#);
    negotiated(&mut door, 0, "");
    check(
        &mut door,
        "! data 0 chat hello\n= 0 data chat Others b\"hello\"",
    );
}

#[test]
fn an_endpoint_for_one_direction_asks_for_that_alone() {
    let offer = r#"< {"id":2,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"processOffer","operationParams":{"offer":"OFFER"}}}"#;
    let mut sends = with_endpoints("", 1, r#","sendonly":true"#);
    check(
        &mut sends,
        &format!("{offer}\n= 0 open 0 publish=false subscribe=true\n= 0 offer 0 OFFER"),
    );
    let mut receives = with_endpoints("", 2, r#","recvonly":true"#);
    check(
        &mut receives,
        &format!("{offer}\n= 0 open 0 publish=true subscribe=false\n= 0 offer 0 OFFER"),
    );
    check(&mut receives, "! own 0 7v");
    negotiated(&mut receives, 1, "");
    let connect = between("connect", 4, 5, "");
    check(&mut receives, &format!("{connect}\n{DONE}"));
}

#[test]
fn a_ceiling_is_for_the_offer_that_follows() {
    let mut door = with_endpoints("", 1, "");
    check(
        &mut door,
        r#"
        < {"id":3,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"setMaxVideoRecvBandwidth","operationParams":{"maxVideoRecvBandwidth":500}}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        < {"id":4,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getMaxVideoRecvBandwidth"}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":500}}
        "#,
    );
}
