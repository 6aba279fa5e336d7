//! What viewers are told of the room, and how they choose (draft-murillo-whep-02 §4.8, §4.9).

use madang_sfu::api::Publication;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::resource::Notice;

/// The names of all notices.
pub const NOTICES: [&str; 4] = ["active", "inactive", "layers", "viewercount"];

/// How many watch that room by this door.
pub fn viewer_count(count: usize) -> Notice {
    Notice::new("viewercount", &json!({ "viewercount": count }))
}

/// Which encoding of a section a viewer wants to get. None: whatever the server finds best.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LayerWish {
    pub(super) media_id: Option<String>,
    pub(super) encoding_id: Option<String>,
}

/// For each section its encodings, as the `layers` notice has them.
pub(super) fn layers<'a>(
    sections: impl Iterator<Item = (&'a str, Option<&'a Publication>)>,
) -> Value {
    let mut all = Map::new();
    for (mid, publication) in sections {
        let layers = publication.map_or(&[][..], |publication| &publication.layers);
        let layers: Vec<Value> = layers
            .iter()
            .filter_map(|layer| {
                Some(json!({
                    "encodingId": layer.rid.as_deref()?,
                    "simulcastIdx": layer.quality,
                    "width": layer.width_px,
                    "height": layer.height_px,
                    "bitrate": layer.bitrate_bps,
                }))
            })
            .collect();
        all.insert(
            mid.to_owned(),
            json!({ "active": layers, "inactive": [], "layers": layers }),
        );
    }
    Value::Object(all)
}
