use super::{check, door, negotiated, with_endpoints};

#[test]
fn what_a_client_asks_first() {
    check(
        &mut door(""),
        r#"
        < {"id":0,"jsonrpc":"2.0","method":"ping","params":{"interval":5000}}
        > {"id":0,"jsonrpc":"2.0","result":{"value":"pong"}}
        < {"id":1,"jsonrpc":"2.0","method":"describe","params":{"object":"manager_ServerManager"}}
        > {"id":1,"jsonrpc":"2.0","result":{"hierarchy":["kurento.MediaObject"],"qualifiedType":"kurento.ServerManager","sessionId":"$1","type":"ServerManager"}}
        < {"id":2,"jsonrpc":"2.0","method":"invoke","params":{"object":"manager_ServerManager","operation":"getInfo","sessionId":"$1"}}
        > {"id":2,"jsonrpc":"2.0","result":{"sessionId":"$1","value":{"__module__":"kurento","__type__":"ServerInfo","capabilities":[],"modules":[{"__module__":"kurento","__type__":"ModuleInfo","factories":["MediaPipeline"],"generationTime":"","name":"core","version":"7.3.0"},{"__module__":"kurento","__type__":"ModuleInfo","factories":["WebRtcEndpoint"],"generationTime":"","name":"elements","version":"7.3.0"},{"__module__":"kurento","__type__":"ModuleInfo","factories":[],"generationTime":"","name":"filters","version":"7.3.0"}],"type":"KMS","version":"7.3.0"}}}
        < {"id":3,"jsonrpc":"2.0","method":"ping"}
        > {"id":3,"jsonrpc":"2.0","result":{"value":"pong"}}
        < {"id":4,"jsonrpc":"2.0","method":"ping","params":{"sessionId":"$1"}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"pong"}}
        "#,
    );
}

#[test]
fn a_session_ends_with_its_carrier() {
    check(
        &mut door(""),
        r#"
        < {"id":0,"jsonrpc":"2.0","method":"connect"}
        > {"id":0,"jsonrpc":"2.0","result":{"serverId":"$2","sessionId":"$1"}}
        < {"id":1,"jsonrpc":"2.0","method":"connect","params":{"sessionId":"$1"}}
        > {"id":1,"jsonrpc":"2.0","result":{"serverId":"$2","sessionId":"$1"}}
        < {"id":2,"jsonrpc":"2.0","method":"connect","params":{"sessionId":"of a former one"}}
        > {"error":{"code":40007,"data":{"type":"INVALID_SESSION"},"message":"Invalid session"},"id":2,"jsonrpc":"2.0"}
        < {"id":3,"jsonrpc":"2.0","method":"keepAlive","params":{"sessionId":"$1"}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        < {"id":4,"jsonrpc":"2.0","method":"keepAlive","params":{"sessionId":"x"}}
        > {"error":{"code":40007,"data":{"type":"INVALID_SESSION"},"message":"Invalid session"},"id":4,"jsonrpc":"2.0"}
        < {"id":5,"jsonrpc":"2.0","method":"closeSession","params":{"sessionId":"$1"}}
        > {"id":5,"jsonrpc":"2.0","result":null}
        < {"id":6,"jsonrpc":"2.0","method":"connect","params":{"sessionId":"$1"}}
        > {"id":6,"jsonrpc":"2.0","result":{"serverId":"$2","sessionId":"$1"}}
        < {"id":7,"jsonrpc":"2.0","method":"ref","params":{"object":"manager_ServerManager","sessionId":"$1"}}
        > {"id":7,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        < {"id":8,"jsonrpc":"2.0","method":"unref","params":{"object":"gone","sessionId":"$1"}}
        > {"id":8,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        "#,
    );
}

#[test]
fn a_pipeline_is_a_room_of_its_own_and_an_endpoint_a_member() {
    check(
        &mut door("access_token=secret"),
        r#"
        < {"id":0,"jsonrpc":"2.0","method":"subscribe","params":{"object":"manager_ServerManager","type":"ObjectCreated"}}
        > {"id":0,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$3"}}
        < {"id":1,"jsonrpc":"2.0","method":"create","params":{"constructorParams":{},"properties":{},"type":"MediaPipeline"}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"object":"$4_kurento.MediaPipeline","source":"manager_ServerManager","tags":[],"timestampMillis":"…","type":"ObjectCreated"},"object":"manager_ServerManager","type":"ObjectCreated"}}}
        > {"id":1,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$4_kurento.MediaPipeline"}}
        < {"id":2,"jsonrpc":"2.0","method":"create","params":{"constructorParams":{"mediaPipeline":"$4_kurento.MediaPipeline"},"sessionId":"$1","type":"WebRtcEndpoint"}}
        = enter 0 kurento/$4 $5 alone
        ! entered 0
        = 0 join
        > {"id":2,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$4_kurento.MediaPipeline/$5_kurento.WebRtcEndpoint"}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"object":"$4_kurento.MediaPipeline/$5_kurento.WebRtcEndpoint","source":"manager_ServerManager","tags":[],"timestampMillis":"…","type":"ObjectCreated"},"object":"manager_ServerManager","type":"ObjectCreated"}}}
        < {"id":3,"jsonrpc":"2.0","method":"describe","params":{"object":"$4_kurento.MediaPipeline/$5_kurento.WebRtcEndpoint"}}
        > {"id":3,"jsonrpc":"2.0","result":{"hierarchy":["kurento.BaseRtpEndpoint","kurento.SdpEndpoint","kurento.SessionEndpoint","kurento.Endpoint","kurento.MediaElement","kurento.MediaObject"],"qualifiedType":"kurento.WebRtcEndpoint","sessionId":"$1","type":"WebRtcEndpoint"}}
        < {"id":4,"jsonrpc":"2.0","method":"invoke","params":{"object":"manager_ServerManager","operation":"getPipelines"}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":["$4_kurento.MediaPipeline"]}}
        < {"id":5,"jsonrpc":"2.0","method":"invoke","params":{"object":"manager_ServerManager","operation":"getSessions"}}
        > {"id":5,"jsonrpc":"2.0","result":{"sessionId":"$1","value":["$1"]}}
        < {"id":6,"jsonrpc":"2.0","method":"invoke","params":{"object":"manager_ServerManager","operation":"getMetadata"}}
        > {"id":6,"jsonrpc":"2.0","result":{"sessionId":"$1","value":""}}
        "#,
    );
}

#[test]
fn a_room_that_is_named_is_shared() {
    let mut door = door("room=yard");
    check(
        &mut door,
        r#"
        < {"id":1,"jsonrpc":"2.0","method":"create","params":{"type":"kurento.MediaPipeline"}}
        > {"id":1,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$P"}}
        < {"id":2,"jsonrpc":"2.0","method":"create","params":{"constructorParams":{"mediaPipeline":"$P"},"type":"WebRtcEndpoint"}}
        = enter 0 yard $4 alone
        "#,
    );
}

#[test]
fn an_offer_is_answered_and_candidates_come_when_they_were_asked_for() {
    let mut door = with_endpoints("", 1, "");
    check(
        &mut door,
        r#"
        < {"id":3,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"IceCandidateFound"}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$5"}}
        < {"id":4,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"OnIceGatheringDone"}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$6"}}
        < {"id":5,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"MediaSessionStarted"}}
        > {"id":5,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$7"}}
        < {"id":6,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"addIceCandidate","operationParams":{"candidate":{"__module__":"kurento","__type__":"IceCandidate","candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMLineIndex":0,"sdpMid":"0"}}}}
        > {"id":6,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        < {"id":7,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"processOffer","operationParams":{"offer":"OFFER"}}}
        = 0 open 0 publish=true subscribe=true
        = 0 offer 0 OFFER
        < {"id":8,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"gatherCandidates"}}
        > {"id":8,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        ! answer 0
        > {"id":7,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"v=0\r\nm=audio 9 x\r\na=mid:a\r\na=candidate:1 1 udp 1 127.0.0.1 7882 typ host\r\na=end-of-candidates\r\nm=video 9 x\r\na=mid:b\r\n"}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"MediaSessionStarted"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"MediaSessionStarted"}}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"candidate":{"__module__":"kurento","__type__":"IceCandidate","candidate":"candidate:1 1 udp 1 127.0.0.1 7882 typ host","sdpMLineIndex":0,"sdpMid":"a"},"source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"IceCandidateFound"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"IceCandidateFound"}}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"OnIceGatheringDone"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"OnIceGatheringDone"}}}
        < {"id":9,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"gatherCandidates"}}
        > {"id":9,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        < {"id":10,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getRemoteSessionDescriptor"}}
        > {"id":10,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"OFFER"}}
        "#,
    );
}

#[test]
fn no_candidate_is_told_before_it_is_asked_for() {
    let mut door = with_endpoints("", 1, "");
    negotiated(&mut door, 0, "");
    check(
        &mut door,
        r#"
        < {"id":3,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"OnIceCandidate"}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$5"}}
        < {"id":4,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"gatherCandidates"}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"candidate":{"__module__":"kurento","__type__":"IceCandidate","candidate":"candidate:1 1 udp 1 127.0.0.1 7882 typ host","sdpMLineIndex":0,"sdpMid":"a"},"source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"OnIceCandidate"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"OnIceCandidate"}}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        "#,
    );
}

#[test]
fn events_tell_of_the_way_to_the_client() {
    let mut door = with_endpoints("", 1, "");
    negotiated(&mut door, 0, "");
    check(
        &mut door,
        r#"
        < {"id":3,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"ConnectionStateChanged"}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$5"}}
        < {"id":4,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"MediaStateChanged"}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$6"}}
        < {"id":5,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"IceComponentStateChange"}}
        > {"id":5,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$7"}}
        < {"id":6,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"Error"}}
        > {"id":6,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$8"}}
        ! connected 0
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"componentId":1,"source":"$P/$4_kurento.WebRtcEndpoint","state":"CONNECTED","streamId":0,"tags":[],"timestampMillis":"…","type":"IceComponentStateChange"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"IceComponentStateChange"}}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"newState":"CONNECTED","oldState":"DISCONNECTED","source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"ConnectionStateChanged"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"ConnectionStateChanged"}}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"newState":"CONNECTED","oldState":"DISCONNECTED","source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"MediaStateChanged"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"MediaStateChanged"}}}
        < {"id":7,"jsonrpc":"2.0","method":"unsubscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","subscription":"$7"}}
        > {"id":7,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        < {"id":8,"jsonrpc":"2.0","method":"unsubscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","subscription":"$6"}}
        > {"id":8,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        < {"id":9,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getConnectionState"}}
        > {"id":9,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"CONNECTED"}}
        ! closed 0 lost
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"newState":"DISCONNECTED","oldState":"CONNECTED","source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"ConnectionStateChanged"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"ConnectionStateChanged"}}}
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"description":"the media connection was lost","errorCode":40003,"source":"$P/$4_kurento.WebRtcEndpoint","tags":[],"timestampMillis":"…","type":"UNEXPECTED_ERROR"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"Error"}}}
        < {"id":10,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getMediaState"}}
        > {"id":10,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"DISCONNECTED"}}
        < {"id":11,"jsonrpc":"2.0","method":"release","params":{"object":"$P/$4_kurento.WebRtcEndpoint"}}
        > {"id":11,"jsonrpc":"2.0","result":{"sessionId":"$1"}}
        "#,
    );
}

#[test]
fn objects_have_names_tags_and_relations() {
    let mut door = with_endpoints("", 1, "");
    check(
        &mut door,
        r#"
        < {"id":3,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P","operation":"getName"}}
        > {"id":3,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$P"}}
        < {"id":4,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P","operation":"setName","operationParams":{"name":"class"}}}
        > {"id":4,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        < {"id":5,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P","operation":"getName"}}
        > {"id":5,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"class"}}
        < {"id":6,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P","operation":"getChildren"}}
        > {"id":6,"jsonrpc":"2.0","result":{"sessionId":"$1","value":["$P/$4_kurento.WebRtcEndpoint"]}}
        < {"id":7,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getMediaPipeline"}}
        > {"id":7,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$P"}}
        < {"id":8,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getParent"}}
        > {"id":8,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$P"}}
        < {"id":9,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P","operation":"getCreationTime"}}
        > {"id":9,"jsonrpc":"2.0","result":{"sessionId":"$1","value":1700000000}}
        < {"id":10,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"addTag","operationParams":{"key":"who","value":"Kim"}}}
        > {"id":10,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        < {"id":11,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getTags"}}
        > {"id":11,"jsonrpc":"2.0","result":{"sessionId":"$1","value":[{"__module__":"kurento","__type__":"Tag","key":"who","value":"Kim"}]}}
        < {"id":12,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getTag","operationParams":{"key":"who"}}}
        > {"id":12,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"Kim"}}
        < {"id":13,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"setSendTagsInEvents","operationParams":{"sendTagsInEvents":true}}}
        > {"id":13,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        < {"id":14,"jsonrpc":"2.0","method":"subscribe","params":{"object":"$P/$4_kurento.WebRtcEndpoint","type":"MediaStateChanged"}}
        > {"id":14,"jsonrpc":"2.0","result":{"sessionId":"$1","value":"$5"}}
        ! connected 0
        > {"jsonrpc":"2.0","method":"onEvent","params":{"value":{"data":{"newState":"CONNECTED","oldState":"DISCONNECTED","source":"$P/$4_kurento.WebRtcEndpoint","tags":[{"__module__":"kurento","__type__":"Tag","key":"who","value":"Kim"}],"timestampMillis":"…","type":"MediaStateChanged"},"object":"$P/$4_kurento.WebRtcEndpoint","type":"MediaStateChanged"}}}
        < {"id":15,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"removeTag","operationParams":{"key":"who"}}}
        > {"id":15,"jsonrpc":"2.0","result":{"sessionId":"$1","value":null}}
        < {"id":16,"jsonrpc":"2.0","method":"invoke","params":{"object":"$P/$4_kurento.WebRtcEndpoint","operation":"getSendTagsInEvents"}}
        > {"id":16,"jsonrpc":"2.0","result":{"sessionId":"$1","value":true}}
        "#,
    );
}
