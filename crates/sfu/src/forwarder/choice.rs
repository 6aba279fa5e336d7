//! Which layer a subscriber gets: what it would like, of what there is.

#[cfg(test)]
mod tests;

use super::Target;
use crate::api::{LayerInfo, Preference};
use crate::packet::LayerIndex;

/// All layers of that kind.
const ALL: u8 = 7;
/// The frame rate that an encoding is taken to have, as none is announced.
const FPS_FULL: u32 = 30;
const QUALITY_MAX: u8 = 2;

/// The layer to forward; None: nothing, by the subscriber's own wish or because there is nothing.
///
/// With simulcast (more than one layer with a rid) an encoding is chosen among those that are `live`, with one encoding
/// a spatial layer of it.
pub(crate) fn choose(
    preference: &Preference,
    layers: &[LayerInfo],
    live: impl Fn(LayerIndex) -> bool,
    spatial_count: u8,
) -> Option<Target> {
    if !preference.enabled {
        return None;
    }
    let temporal = temporal_cap(preference.fps);
    let encodings = layers.iter().filter(|layer| layer.rid.is_some()).count();
    if encodings > 1 {
        let wanted = wanted_index(preference, layers, layers.len());
        let encoding = nearest_live(wanted, layers.len(), live)?;
        return Some(Target {
            encoding,
            spatial: ALL,
            temporal,
        });
    }
    let spatial = if spatial_count > 1 {
        let wanted = wanted_index(preference, layers, usize::from(spatial_count));
        u8::try_from(wanted).unwrap_or(ALL)
    } else {
        ALL
    };
    Some(Target {
        encoding: LayerIndex(0),
        spatial,
        temporal,
    })
}

/// Lowest picture first. SDKs name encodings in either order (`q;h;f` and `f;h;q`), so their names decide; other names
/// are ordered by size where all sizes are known, and else stay as given. Qualities that do not rise with that order (or
/// were not given) are numbered by it.
pub(crate) fn sort_layers(layers: &mut [LayerInfo]) {
    if layers.iter().all(|layer| rid_rank(layer).is_some()) {
        layers.sort_by_key(rid_rank);
    } else if layers.iter().all(|layer| area_px(layer) > 0) {
        layers.sort_by_key(area_px);
    }
    if !layers.is_sorted_by(|a, b| a.quality < b.quality) {
        for (index, layer) in layers.iter_mut().enumerate() {
            layer.quality = u8::try_from(index).unwrap_or(u8::MAX).min(QUALITY_MAX);
        }
    }
}

fn rid_rank(layer: &LayerInfo) -> Option<u8> {
    match layer.rid.as_deref()? {
        "q" => Some(0),
        "h" => Some(1),
        "f" => Some(2),
        _ => None,
    }
}

fn area_px(layer: &LayerInfo) -> u64 {
    u64::from(layer.width_px) * u64::from(layer.height_px)
}

/// The place in `count` layers that the preference names; the highest where it names none.
fn wanted_index(preference: &Preference, layers: &[LayerInfo], count: usize) -> usize {
    let highest = count.saturating_sub(1);
    let sized = layers.len() == count && layers.iter().all(|layer| area_px(layer) > 0);
    match (preference.size_px, preference.quality) {
        (Some(size), _) if sized => layers
            .iter()
            .position(|layer| covers(layer, size))
            .unwrap_or(highest),
        (_, Some(quality)) => usize::from(quality).min(highest),
        (_, None) => highest,
    }
}

/// Is the layer's picture at least as large as it is shown?
fn covers(layer: &LayerInfo, (width_px, height_px): (u32, u32)) -> bool {
    layer.width_px >= width_px && layer.height_px >= height_px
}

/// The wanted one if it is live, else the next lower, else the next higher.
fn nearest_live(
    wanted: usize,
    count: usize,
    live: impl Fn(LayerIndex) -> bool,
) -> Option<LayerIndex> {
    (0..=wanted)
        .rev()
        .chain(wanted + 1..count)
        .filter_map(|index| u8::try_from(index).ok().map(LayerIndex))
        .find(|layer| live(*layer))
}

/// Each temporal layer doubles the rate: a half or a quarter of it can be had by leaving out the highest ones.
fn temporal_cap(fps: Option<u32>) -> u8 {
    match fps {
        Some(fps) if fps > 0 && fps.saturating_mul(4) <= FPS_FULL => 0,
        Some(fps) if fps > 0 && fps.saturating_mul(2) <= FPS_FULL => 1,
        Some(_) | None => ALL,
    }
}
