//! What objects can be asked to do.

use std::sync::Arc;

use madang_sfu::api::{ConnectionOptions, Now, Offerer, Request};
use serde_json::{Value, json};

use super::describe::{Flow, Type, server_info};
use super::objects::{Gathering, Id, Stage};
use super::rpc::{Call, Fault, Inner, Kind, Ticket};
use super::{Kurento, MAIN, Outcome};

const DEFAULT: &str = "default";
/// An offer is kept as long as its endpoint.
const OFFER_BYTES_MAX: usize = 64 * 1024;

impl Kurento {
    pub(super) fn invoke(&mut self, now: Now, call: &Call) -> Result<Outcome, Fault> {
        let params = call.params()?;
        let operation = params.text("operation")?;
        let (id, kind) = self.objects.find(params.text("object")?)?;
        let arguments = params.inner("operationParams");
        let value = match kind {
            Type::Manager => self.invoke_manager(operation),
            Type::Pipeline => None,
            Type::Endpoint if operation == "processOffer" => {
                self.process_offer(&id, arguments, &call.ticket)?;
                return Ok(Outcome::Later);
            }
            Type::Endpoint => self.invoke_endpoint(now, &id, operation, arguments)?,
        };
        let value = match value {
            Some(value) => Some(value),
            None => self.invoke_any(&id, operation, arguments)?,
        };
        let value = value.ok_or_else(|| {
            let count = arguments.count();
            let message = format!("Method '{operation}' with {count} parameters not found");
            Fault::new(Kind::MethodNotFound, message)
        })?;
        Ok(Outcome::Value(value))
    }

    fn invoke_manager(&self, operation: &str) -> Option<Value> {
        match operation {
            "getInfo" => Some(server_info()),
            "getPipelines" => Some(list(&self.objects.pipelines())),
            "getSessions" => Some(json!([self.session])),
            "getMetadata" => Some(json!("")),
            _ => None,
        }
    }

    /// What all objects know. None: not this.
    fn invoke_any(
        &mut self,
        id: &Id,
        operation: &str,
        arguments: Inner<'_>,
    ) -> Result<Option<Value>, Fault> {
        let children = || list(&self.objects.children(id));
        let value = match operation {
            "getId" => json!(&**id),
            "getChildren" | "getChilds" => children(),
            _ => {
                let object = self.objects.get_mut(id);
                let object = object.ok_or_else(|| Fault::not_found(id))?;
                match operation {
                    "getName" => json!(object.name(id)),
                    "setName" => {
                        object.set_name(arguments.text("name")?)?;
                        Value::Null
                    }
                    "getParent" => json!(object.parent.as_deref()),
                    "getMediaPipeline" => json!(object.parent.as_deref().unwrap_or(id)),
                    "getCreationTime" => json!(object.created_s),
                    "getSendTagsInEvents" => json!(object.sends_tags),
                    "setSendTagsInEvents" => {
                        object.sends_tags = arguments.flag("sendTagsInEvents")?;
                        Value::Null
                    }
                    "addTag" => {
                        object.add_tag(arguments.text("key")?, arguments.text("value")?)?;
                        Value::Null
                    }
                    "removeTag" => {
                        object.remove_tag(arguments.text("key")?);
                        Value::Null
                    }
                    "getTag" => json!(object.tag(arguments.text("key")?)?),
                    "getTags" => object.tags(),
                    _ => return Ok(None),
                }
            }
        };
        Ok(Some(value))
    }

    fn invoke_endpoint(
        &mut self,
        now: Now,
        id: &Id,
        operation: &str,
        arguments: Inner<'_>,
    ) -> Result<Option<Value>, Fault> {
        let value = match operation {
            "connect" | "disconnect" => {
                let (sink, _) = self.objects.find(arguments.text("sink")?)?;
                let flows = flows(arguments)?;
                if operation == "connect" {
                    self.connect(now, id, &sink, &flows)?;
                } else {
                    self.disconnect(now, id, &sink, &flows);
                }
                Value::Null
            }
            "getSourceConnections" => self.connections(id, arguments, true)?,
            "getSinkConnections" => self.connections(id, arguments, false)?,
            "gatherCandidates" => {
                self.gather(now, id);
                Value::Null
            }
            "addIceCandidate" => {
                self.add_candidate(id, arguments)?;
                Value::Null
            }
            "generateOffer" => {
                return Err(Fault::new(Kind::GenerateOffer, "Error generating offer"));
            }
            "processAnswer" => {
                if arguments.text("answer")?.is_empty() {
                    return Err(Fault::new(Kind::SdpParse, "Empty answer not valid"));
                }
                let message = "Offer not generated. It is not possible to process an answer.";
                return Err(Fault::new(Kind::NotOfferGenerated, message));
            }
            _ => return self.invoke_state(id, operation, arguments),
        };
        Ok(Some(value))
    }

    fn invoke_state(
        &mut self,
        id: &Id,
        operation: &str,
        arguments: Inner<'_>,
    ) -> Result<Option<Value>, Fault> {
        let endpoint = self.objects.endpoint_mut(id);
        let endpoint = endpoint.ok_or_else(|| Fault::not_found(id))?;
        let state = if endpoint.is_connected {
            "CONNECTED"
        } else {
            "DISCONNECTED"
        };
        let value = match operation {
            "getConnectionState" | "getMediaState" => json!(state),
            "isMediaFlowingIn" | "isMediaFlowingOut" => {
                let flow = Flow::read(arguments.text("mediaType")?)?;
                let is_in = operation == "isMediaFlowingIn";
                let flows = [&endpoint.flows_out, &endpoint.flows_in][usize::from(is_in)];
                json!(flows.contains(&flow))
            }
            "getLocalSessionDescriptor" => match &endpoint.local_sdp {
                Some(sdp) => json!(sdp),
                None => return Err(Fault::new(Kind::NoLocalSdp, "No local SDP")),
            },
            "getRemoteSessionDescriptor" => match &endpoint.remote_sdp {
                Some(sdp) => json!(sdp),
                None => return Err(Fault::new(Kind::NoRemoteSdp, "No remote SDP")),
            },
            "getMaxVideoRecvBandwidth" => json!(endpoint.bitrate_max_kbps),
            // Of use before the offer is processed, as in the original.
            "setMaxVideoRecvBandwidth" => {
                let wished = arguments.integer("maxVideoRecvBandwidth")?;
                endpoint.bitrate_max_kbps = u64::try_from(wished).unwrap_or(0);
                Value::Null
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    fn connections(&self, id: &Id, arguments: Inner<'_>, is_sink: bool) -> Result<Value, Fault> {
        let wished = match arguments.text_if_any("mediaType")? {
            Some(name) => Some(Flow::read(name)?),
            None => None,
        };
        let row = |source: &str, sink: &str, flow: Flow| {
            json!({
                "__module__": "kurento",
                "__type__": "ElementConnectionData",
                "sink": sink,
                "sinkDescription": DEFAULT,
                "source": source,
                "sourceDescription": DEFAULT,
                "type": flow.name(),
            })
        };
        let is_wished = |flow: Flow| wished.is_none_or(|wished| wished == flow);
        if is_sink {
            let sources = self.objects.endpoint(id).map(|endpoint| &endpoint.sources);
            let sources = sources.into_iter().flatten();
            return Ok(sources
                .filter(|(flow, _)| is_wished(**flow))
                .map(|(flow, source)| row(source, id, *flow))
                .collect());
        }
        let sinks = self.objects.sinks(id).into_iter();
        Ok(sinks
            .filter(|(_, flow)| is_wished(*flow))
            .map(|(sink, flow)| row(id, &sink, flow))
            .collect())
    }

    fn process_offer(
        &mut self,
        id: &Id,
        arguments: Inner<'_>,
        ticket: &Ticket,
    ) -> Result<(), Fault> {
        let offer = arguments.text("offer")?;
        if offer.is_empty() {
            return Err(Fault::new(Kind::SdpParse, "Empty offer not valid"));
        }
        if offer.len() > OFFER_BYTES_MAX {
            return Err(Fault::new(Kind::SdpParse, "Error parsing SDP"));
        }
        let endpoint = self.objects.endpoint_mut(id);
        let endpoint = endpoint.ok_or_else(|| Fault::not_found(id))?;
        let is_negotiated = endpoint.offering.is_some() || endpoint.local_sdp.is_some();
        if is_negotiated || endpoint.stage == Stage::Gone {
            let message = "Endpoint already negotiated";
            return Err(Fault::new(Kind::AlreadyNegotiated, message));
        }
        endpoint.offering = Some(ticket.clone());
        endpoint.remote_sdp = Some(offer.to_owned());
        self.offer(id);
        Ok(())
    }

    /// Where the endpoint is in its room, and has an offer: on to the core with it.
    pub(super) fn offer(&mut self, id: &Id) {
        let Some(endpoint) = self.objects.endpoint_mut(id) else {
            return;
        };
        if endpoint.stage != Stage::Inside || endpoint.offering.is_none() {
            return;
        }
        let Some(sdp) = endpoint.remote_sdp.clone() else {
            return;
        };
        let (place, number) = (endpoint.place, endpoint.offers);
        endpoint.offers += 1;
        let bitrate_max_bps = endpoint.bitrate_max_kbps.checked_mul(1000);
        let options = ConnectionOptions {
            offerer: Offerer::Client,
            publish: endpoint.takes,
            subscribe: endpoint.gives,
            primary: true,
            publish_unannounced: true,
            answers_ahead: true,
            bitrate_max_bps: bitrate_max_bps.filter(|bps| *bps > 0),
            channels: Vec::new(),
        };
        if !std::mem::replace(&mut endpoint.is_open, true) {
            self.request(
                place,
                Request::Open {
                    connection: MAIN,
                    options,
                },
            );
            // Before the offer, so that its answer carries what is there.
            self.follow(id);
        }
        self.request(
            place,
            Request::Offer {
                connection: MAIN,
                sdp,
                number,
            },
        );
    }

    fn gather(&mut self, now: Now, id: &Id) {
        if let Some(endpoint) = self.objects.endpoint_mut(id)
            && endpoint.gathering == Gathering::No
        {
            endpoint.gathering = Gathering::Wished;
        }
        self.tell_candidates(now, id);
    }

    /// Read, and not needed: addresses are learnt from the client's checks.
    fn add_candidate(&self, id: &Id, arguments: Inner<'_>) -> Result<(), Fault> {
        let candidate = arguments.required("candidate")?;
        let Some(Value::Object(candidate)) = candidate else {
            let message = "'candidate' parameter should be an object";
            return Err(Fault::new(Kind::Marshall, message));
        };
        let Some(line) = candidate.get("candidate").and_then(Value::as_str) else {
            let message = "'candidate' property should be a string";
            return Err(Fault::new(Kind::Marshall, message));
        };
        let line = line.strip_prefix("a=").unwrap_or(line);
        let is_known = self.objects.endpoint(id).is_some();
        if is_known && (line.is_empty() || line.starts_with("candidate:")) {
            return Ok(());
        }
        Err(Fault::new(Kind::AddCandidate, "Error adding candidate"))
    }
}

/// Without a type it is all of them.
fn flows(arguments: Inner<'_>) -> Result<Vec<Flow>, Fault> {
    Ok(match arguments.text_if_any("mediaType")? {
        Some(name) => vec![Flow::read(name)?],
        None => Flow::ALL.to_vec(),
    })
}

fn list(ids: &[Arc<str>]) -> Value {
    ids.iter().map(|id| json!(&**id)).collect()
}
