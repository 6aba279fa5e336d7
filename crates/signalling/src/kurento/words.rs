//! The original's words: what objects there are and can be asked, what is told of them, and what can go wrong.

use madang_sfu::api::Refusal;
use serde_json::{Value, json};

use crate::jsonrpc::{Code, Fault};
use crate::objects::{Class, Complaint, Question, Schema};
use crate::patchbay::{Cord, Way};
use crate::switchboard::{Happening, News};

pub(super) const MANAGER: &str = "manager_ServerManager";

pub(super) static SCHEMA: Schema = Schema {
    module: "kurento",
    product: "KMS",
    // The version that the clients of this door were written for.
    version: "7.3.0",
    root: (MANAGER, &SERVER_MANAGER),
    packages: &[
        ("core", &[&PIPELINE]),
        ("elements", &[&ENDPOINT]),
        ("filters", &[]),
    ],
    questions: &[
        ("getId", Question::Id),
        ("getParent", Question::Parent),
        ("getMediaPipeline", Question::Top),
        ("getChildren", Question::Children),
        ("getChilds", Question::Children),
        ("getCreationTime", Question::CreationTime),
        ("getName", Question::Name),
        ("setName", Question::SetName("name")),
        ("getTags", Question::Tags),
        ("getTag", Question::Tag("key")),
        ("addTag", Question::AddTag("key", "value")),
        ("removeTag", Question::RemoveTag("key")),
        ("getSendTagsInEvents", Question::TellsTags),
        (
            "setSendTagsInEvents",
            Question::SetTellsTags("sendTagsInEvents"),
        ),
    ],
    events: &[("Error", &[])],
    misfit: MARSHALL,
};

static SERVER_MANAGER: Class = Class {
    name: "ServerManager",
    families: &["kurento.MediaObject"],
    questions: &[
        ("getInfo", Question::Info),
        ("getPipelines", Question::AllOf("MediaPipeline")),
        ("getSessions", Question::Sessions),
        ("getMetadata", Question::Constant("")),
    ],
    events: &[("ObjectCreated", &[]), ("ObjectDestroyed", &[])],
};

pub(super) static PIPELINE: Class = Class {
    name: "MediaPipeline",
    families: &["kurento.MediaObject"],
    questions: &[],
    events: &[],
};

/// Events about transcoding, single candidates' pairs and channels' numbers are never heard.
static ENDPOINT: Class = Class {
    name: "WebRtcEndpoint",
    families: &[
        "kurento.BaseRtpEndpoint",
        "kurento.SdpEndpoint",
        "kurento.SessionEndpoint",
        "kurento.Endpoint",
        "kurento.MediaElement",
        "kurento.MediaObject",
    ],
    questions: &[],
    events: &[
        ("ConnectionStateChanged", &[]),
        (
            "DataChannelClosed",
            &["OnDataChannelClosed", "DataChannelClose"],
        ),
        (
            "DataChannelOpened",
            &["OnDataChannelOpened", "DataChannelOpen"],
        ),
        ("DtlsConnectionStateChange", &[]),
        ("ElementConnected", &[]),
        ("ElementDisconnected", &[]),
        ("IceCandidateFound", &["OnIceCandidate"]),
        (
            "IceComponentStateChanged",
            &["OnIceComponentStateChanged", "IceComponentStateChange"],
        ),
        ("IceGatheringDone", &["OnIceGatheringDone"]),
        ("MediaFlowInStateChanged", &["MediaFlowInStateChange"]),
        ("MediaFlowOutStateChanged", &["MediaFlowOutStateChange"]),
        ("MediaSessionStarted", &[]),
        ("MediaSessionTerminated", &[]),
        ("MediaStateChanged", &[]),
        ("MediaTranscodingStateChanged", &[]),
        ("NewCandidatePairSelected", &[]),
    ],
};

const MARSHALL: Code = Code::named(40001, "MARSHALL_ERROR");
const UNEXPECTED: Code = Code::named(40003, "UNEXPECTED_ERROR");
pub(super) const CONNECT: Code = Code::named(40004, "CONNECT_ERROR");
const UNSUPPORTED_MEDIA: Code = Code::named(40005, "UNSUPPORTED_MEDIA_TYPE");
const SESSION: Code = Code::named(40007, "INVALID_SESSION");
const RESOURCES: Code = Code::named(40009, "NOT_ENOUGH_RESOURCES");
const TYPE: Code = Code::named(40100, "MEDIA_OBJECT_TYPE_NOT_FOUND");
const OBJECT: Code = Code::named(40101, "MEDIA_OBJECT_NOT_FOUND");
const METHOD: Code = Code::named(40105, "MEDIA_OBJECT_METHOD_NOT_FOUND");
const EVENT: Code = Code::named(40106, "MEDIA_OBJECT_EVENT_NOT_SUPPORTED");
const TAG: Code = Code::named(40110, "MEDIA_OBJECT_TAG_KEY_NOT_FOUND");
pub(super) const SDP_PARSE: Code = Code::named(40201, "SDP_PARSE_ERROR");
pub(super) const NO_LOCAL_SDP: Code = Code::named(40202, "SDP_END_POINT_NO_LOCAL_SDP_ERROR");
pub(super) const NO_REMOTE_SDP: Code = Code::named(40203, "SDP_END_POINT_NO_REMOTE_SDP_ERROR");
pub(super) const GENERATE_OFFER: Code = Code::named(40204, "SDP_END_POINT_GENERATE_OFFER_ERROR");
const NEGOTIATED: Code = Code::named(40208, "SDP_END_POINT_ALREADY_NEGOTIATED");
pub(super) const NO_OFFER: Code = Code::named(40209, "SDP_END_POINT_NOT_OFFER_GENERATED");
pub(super) const CANDIDATE: Code = Code::named(40401, "ICE_ADD_CANDIDATE_ERROR");

impl From<Complaint> for Fault {
    fn from(complaint: Complaint) -> Self {
        match complaint {
            Complaint::Fault(fault) => fault,
            Complaint::NoSession => Self::new(SESSION, "Invalid session"),
            Complaint::NoClass(name) => Self::new(TYPE, format!("Factory '{name}' not found")),
            Complaint::NoObject(id) => Self::new(OBJECT, format!("Object '{id}' not found")),
            Complaint::NoOperation(name, count) => {
                let message = format!("Method '{name}' with {count} parameters not found");
                Self::new(METHOD, message)
            }
            Complaint::NoEvent(name) => Self::new(EVENT, format!("Event '{name}' not supported")),
            Complaint::NoTag => Self::new(TAG, "Tag key not found"),
            Complaint::Limit(message) => Self::new(RESOURCES, message),
        }
    }
}

/// What somebody hears who waited.
pub(super) fn said(news: News) -> Result<Value, Fault> {
    Err(match news {
        News::Made(id) => return Ok(json!(&*id)),
        News::Answered(sdp) => return Ok(json!(sdp)),
        News::NotMade(error) if error.is_own_fault() => Fault::new(UNEXPECTED, error.to_string()),
        News::NotMade(error) => Fault::new(RESOURCES, error.to_string()),
        News::NoOffer => Fault::new(SDP_PARSE, "Empty offer not valid"),
        News::LateOffer => Fault::new(NEGOTIATED, "Endpoint already negotiated"),
        News::OfferRefused(Refusal::Sdp(_) | Refusal::TooLarge(_)) => {
            Fault::new(SDP_PARSE, "Error parsing SDP")
        }
        News::OfferRefused(limit @ Refusal::Limit(_)) => Fault::new(RESOURCES, limit.to_string()),
        News::OfferRefused(refusal) => Fault::new(UNEXPECTED, refusal.to_string()),
        News::Removed(id) => Complaint::NoObject(id.to_string()).into(),
        News::Over(Some(reason)) => Fault::new(UNEXPECTED, reason),
        News::Over(None) => Fault::new(UNEXPECTED, "the endpoint is over"),
    })
}

/// The events of an endpoint, with their data.
pub(super) fn told(happening: Happening) -> Vec<(&'static str, Value)> {
    match happening {
        Happening::Started => vec![("MediaSessionStarted", json!({}))],
        Happening::Candidate { mid, candidate } => {
            let members = json!({ "candidate": candidate, "sdpMLineIndex": 0, "sdpMid": mid });
            let candidate = SCHEMA.record("IceCandidate", members);
            vec![("IceCandidateFound", json!({ "candidate": candidate }))]
        }
        Happening::Gathered => vec![("IceGatheringDone", json!({}))],
        Happening::Linked(is_up) => {
            let (old, new) = (state(!is_up), state(is_up));
            let component = json!({ "componentId": 1, "state": new, "streamId": 0 });
            let data = json!({ "newState": new, "oldState": old });
            vec![
                ("IceComponentStateChanged", component),
                ("ConnectionStateChanged", data.clone()),
                ("MediaStateChanged", data),
            ]
        }
        Happening::Plugged(cord) => vec![("ElementConnected", element(&cord))],
        Happening::Unplugged(cord) => vec![("ElementDisconnected", element(&cord))],
        Happening::Flow(way, medium, is_flowing) => {
            let state = ["NOT_FLOWING", "FLOWING"][usize::from(is_flowing)];
            let data = json!({ "mediaType": medium, "padName": "default", "state": state });
            match way {
                Way::In => vec![("MediaFlowInStateChanged", data)],
                Way::Out => vec![("MediaFlowOutStateChanged", data)],
            }
        }
        Happening::Unheard(Refusal::Codec) => {
            vec![error(UNSUPPORTED_MEDIA, &Refusal::Codec.to_string())]
        }
        Happening::Unheard(refusal) => vec![error(UNEXPECTED, &refusal.to_string())],
        Happening::Over(reason) => {
            let reason = reason.map(|reason| error(UNEXPECTED, &reason));
            let end = ("MediaSessionTerminated", json!({}));
            reason.into_iter().chain([end]).collect()
        }
    }
}

/// One row of those that are asked for.
pub(super) fn connection(cord: &Cord) -> Value {
    let row = json!({
        "sink": &*cord.sink,
        "sinkDescription": "default",
        "source": &*cord.source,
        "sourceDescription": "default",
        "type": cord.medium,
    });
    SCHEMA.record("ElementConnectionData", row)
}

fn element(cord: &Cord) -> Value {
    json!({
        "mediaType": cord.medium,
        "sink": &*cord.sink,
        "sinkMediaDescription": "default",
        "sourceMediaDescription": "default",
    })
}

fn error(code: Code, description: &str) -> (&'static str, Value) {
    let data = json!({ "description": description, "errorCode": code.number, "type": code.name });
    ("Error", data)
}

pub(super) fn state(is_connected: bool) -> &'static str {
    ["DISCONNECTED", "CONNECTED"][usize::from(is_connected)]
}
