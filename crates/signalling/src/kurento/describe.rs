//! What there is to be asked of: the types of objects, their families and their events, as the original describes them.

use madang_sfu::api::MediaKind;
use serde_json::{Value, json};

use super::rpc::{Fault, Kind};

/// Whose words these are: the version that the clients of this door were written for.
const VERSION: &str = "7.3.0";
pub(super) const MANAGER: &str = "manager_ServerManager";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Manager,
    Pipeline,
    Endpoint,
}

/// What a connection between two elements carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flow {
    Audio,
    Video,
    Data,
}

impl Type {
    pub(super) fn of_name(name: &str) -> Result<Self, Fault> {
        match name {
            "MediaPipeline" | "kurento.MediaPipeline" => Ok(Self::Pipeline),
            "WebRtcEndpoint" | "kurento.WebRtcEndpoint" => Ok(Self::Endpoint),
            _ => {
                let message = format!("Factory '{name}' not found");
                Err(Fault::new(Kind::TypeNotFound, message))
            }
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Manager => "ServerManager",
            Self::Pipeline => "MediaPipeline",
            Self::Endpoint => "WebRtcEndpoint",
        }
    }

    /// Parents, the nearest first.
    fn hierarchy(self) -> &'static [&'static str] {
        match self {
            Self::Manager | Self::Pipeline => &["kurento.MediaObject"],
            Self::Endpoint => &[
                "kurento.BaseRtpEndpoint",
                "kurento.SdpEndpoint",
                "kurento.SessionEndpoint",
                "kurento.Endpoint",
                "kurento.MediaElement",
                "kurento.MediaObject",
            ],
        }
    }

    pub(super) fn describe(self, session: &str) -> Value {
        json!({
            "hierarchy": self.hierarchy(),
            "qualifiedType": format!("kurento.{}", self.name()),
            "sessionId": session,
            "type": self.name(),
        })
    }

    /// The event's own name, if objects of this type have it: some were called otherwise once.
    pub(super) fn event(self, name: &str) -> Result<&'static str, Fault> {
        let own: &[&'static str] = match self {
            Self::Manager => &["ObjectCreated", "ObjectDestroyed"],
            Self::Pipeline => &[],
            Self::Endpoint => &ENDPOINT_EVENTS,
        };
        let present = match name {
            "Error" => return Ok("Error"),
            "OnIceCandidate" => "IceCandidateFound",
            "OnIceGatheringDone" => "IceGatheringDone",
            "OnIceComponentStateChanged" | "IceComponentStateChange" => "IceComponentStateChanged",
            "OnDataChannelOpened" | "DataChannelOpen" => "DataChannelOpened",
            "OnDataChannelClosed" | "DataChannelClose" => "DataChannelClosed",
            "MediaFlowInStateChange" => "MediaFlowInStateChanged",
            "MediaFlowOutStateChange" => "MediaFlowOutStateChanged",
            name => name,
        };
        own.iter()
            .copied()
            .find(|known| *known == present)
            .ok_or_else(|| {
                let message = format!("Event '{name}' not supported");
                Fault::new(Kind::EventNotSupported, message)
            })
    }
}

/// Of which the ones about transcoding, single candidates' pairs and channels' numbers are never heard.
pub(super) const ENDPOINT_EVENTS: [&str; 16] = [
    "ConnectionStateChanged",
    "DataChannelClosed",
    "DataChannelOpened",
    "DtlsConnectionStateChange",
    "ElementConnected",
    "ElementDisconnected",
    "IceCandidateFound",
    "IceComponentStateChanged",
    "IceGatheringDone",
    "MediaFlowInStateChanged",
    "MediaFlowOutStateChanged",
    "MediaSessionStarted",
    "MediaSessionTerminated",
    "MediaStateChanged",
    "MediaTranscodingStateChanged",
    "NewCandidatePairSelected",
];

impl Flow {
    pub(super) const ALL: [Self; 3] = [Self::Audio, Self::Video, Self::Data];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Audio => "AUDIO",
            Self::Video => "VIDEO",
            Self::Data => "DATA",
        }
    }

    pub(super) fn read(name: &str) -> Result<Self, Fault> {
        Self::ALL
            .into_iter()
            .find(|flow| flow.name() == name)
            .ok_or_else(|| Fault::new(Kind::Marshall, "Invalid value for 'MediaType'"))
    }

    pub(super) fn of(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
        }
    }
}

/// The modules that a client looks for before it does anything, and what of them can be made here.
pub(super) fn server_info() -> Value {
    let module = |name: &str, factories: &[&str]| {
        json!({
            "__module__": "kurento",
            "__type__": "ModuleInfo",
            "factories": factories,
            "generationTime": "",
            "name": name,
            "version": VERSION,
        })
    };
    json!({
        "__module__": "kurento",
        "__type__": "ServerInfo",
        "capabilities": [],
        "modules": [
            module("core", &["MediaPipeline"]),
            module("elements", &["WebRtcEndpoint"]),
            module("filters", &[]),
        ],
        "type": "KMS",
        "version": VERSION,
    })
}
