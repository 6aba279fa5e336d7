//! What happens, in the words of those who subscribed to it.

use madang_sfu::api::{Now, Refusal, RequestKind, TrackId};
use serde_json::{Value, json};

use super::Kurento;
use super::describe::MANAGER;
use super::objects::{Gathering, Id};
use super::rpc::{self, Fault, Kind};
use crate::sdp;

impl Kurento {
    /// To each subscription of the object once.
    pub(super) fn tell(&mut self, now: Now, id: &str, event: &str, data: Value) {
        let Some(object) = self.objects.get(id) else {
            return;
        };
        let names = object.heard(event);
        if names.is_empty() {
            return;
        }
        let tags = match object.sends_tags {
            true => object.tags(),
            false => json!([]),
        };
        let mut data = data;
        data["source"] = json!(id);
        data["tags"] = tags;
        data["timestampMillis"] = json!(now.wall_ms().to_string());
        for name in names {
            // An error has a type of its own.
            if event != "Error" {
                data["type"] = json!(name);
            }
            let text = rpc::event(id, &name, &data);
            self.send(text);
        }
    }

    /// The core sees packets of a client's track, or none any more.
    pub(super) fn flows(&mut self, now: Now, id: &Id, track: TrackId, flowing: bool) {
        if let Some(endpoint) = self.objects.endpoint_mut(id) {
            endpoint.flowing.remove(&track);
            endpoint.flowing.extend(flowing.then_some(track));
        }
        self.tell_flows(now);
    }

    pub(super) fn tell_flows(&mut self, now: Now) {
        for (id, event, flow, is_flowing) in self.objects.flow_changes() {
            let state = if is_flowing { "FLOWING" } else { "NOT_FLOWING" };
            let data = json!({ "mediaType": flow.name(), "padName": "default", "state": state });
            self.tell(now, &id, event, data);
        }
    }

    pub(super) fn tell_manager(&mut self, now: Now, event: &str, data: Value) {
        self.tell(now, MANAGER, event, data);
    }

    pub(super) fn tell_error(&mut self, now: Now, id: &str, kind: Kind, description: &str) {
        let (code, name) = kind.said();
        let data = json!({ "description": description, "errorCode": code, "type": name });
        self.tell(now, id, "Error", data);
    }

    /// When they are known and were asked for; once.
    pub(super) fn tell_candidates(&mut self, now: Now, id: &Id) {
        let Some(endpoint) = self.objects.endpoint_mut(id) else {
            return;
        };
        let Some(answer) = endpoint.local_sdp.clone() else {
            return;
        };
        if endpoint.gathering != Gathering::Wished {
            return;
        }
        endpoint.gathering = Gathering::Done;
        let (mid, candidates) = sdp::candidates(&answer);
        for candidate in candidates {
            let candidate = json!({
                "__module__": "kurento",
                "__type__": "IceCandidate",
                "candidate": candidate,
                "sdpMLineIndex": 0,
                "sdpMid": mid,
            });
            self.tell(
                now,
                id,
                "IceCandidateFound",
                json!({ "candidate": candidate }),
            );
        }
        self.tell(now, id, "IceGatheringDone", json!({}));
    }

    pub(super) fn answered(&mut self, now: Now, id: &Id, sdp: &str) {
        let Some(endpoint) = self.objects.endpoint_mut(id) else {
            return;
        };
        endpoint.local_sdp = Some(sdp.to_owned());
        let ticket = endpoint.offering.take();
        if let Some(ticket) = ticket {
            let value = self.value(&json!(sdp));
            self.answer(&ticket, &Ok(value));
        }
        self.tell(now, id, "MediaSessionStarted", json!({}));
        self.tell_candidates(now, id);
    }

    pub(super) fn link_changed(&mut self, now: Now, id: &Id, is_connected: bool) {
        let Some(endpoint) = self.objects.endpoint_mut(id) else {
            return;
        };
        let was_connected = std::mem::replace(&mut endpoint.is_connected, is_connected);
        if was_connected == is_connected {
            return;
        }
        let name = |is_up: bool| if is_up { "CONNECTED" } else { "DISCONNECTED" };
        let data = json!({ "newState": name(is_connected), "oldState": name(was_connected) });
        let component = json!({ "componentId": 1, "state": name(is_connected), "streamId": 0 });
        self.tell(now, id, "IceComponentStateChanged", component);
        self.tell(now, id, "ConnectionStateChanged", data.clone());
        self.tell(now, id, "MediaStateChanged", data);
    }

    pub(super) fn refused(&mut self, now: Now, id: &Id, request: &RequestKind, refusal: &Refusal) {
        match request {
            RequestKind::Offer { .. } | RequestKind::Open(_) => {
                self.offer_refused(id, refusal);
            }
            RequestKind::Join => {
                self.gone(now, id, Some(&refusal.to_string()));
            }
            RequestKind::Subscribe(_) => match refusal {
                // On its way from another thread, or over by now.
                Refusal::NotFound(_) => {}
                Refusal::Codec => {
                    let description = refusal.to_string();
                    self.tell_error(now, id, Kind::UnsupportedMedia, &description);
                }
                Refusal::NotAllowed
                | Refusal::Sdp(_)
                | Refusal::Limit(_)
                | Refusal::TooLarge(_)
                | Refusal::State(_) => {
                    let description = refusal.to_string();
                    self.tell_error(now, id, Kind::Unexpected, &description);
                }
            },
            RequestKind::Answer { .. }
            | RequestKind::Candidate(_)
            | RequestKind::Publish { .. }
            | RequestKind::Unpublish(_)
            | RequestKind::Mute(_)
            | RequestKind::UpdatePublication(_)
            | RequestKind::Prefer(_)
            | RequestKind::Data
            | RequestKind::Update => {}
        }
    }

    /// The next offer may be a better one.
    fn offer_refused(&mut self, id: &Id, refusal: &Refusal) {
        let Some(endpoint) = self.objects.endpoint_mut(id) else {
            return;
        };
        endpoint.remote_sdp = None;
        let Some(ticket) = endpoint.offering.take() else {
            return;
        };
        let fault = match refusal {
            Refusal::Sdp(_) | Refusal::TooLarge(_) => {
                Fault::new(Kind::SdpParse, "Error parsing SDP")
            }
            Refusal::Limit(_) => Fault::new(Kind::NotEnoughResources, refusal.to_string()),
            Refusal::NotAllowed | Refusal::NotFound(_) | Refusal::Codec | Refusal::State(_) => {
                Fault::new(Kind::Unexpected, refusal.to_string())
            }
        };
        self.answer(&ticket, &Err(fault));
    }
}
