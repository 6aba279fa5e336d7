use super::*;

fn layer(rid: Option<&str>, width_px: u32) -> LayerInfo {
    LayerInfo {
        quality: 0,
        rid: rid.map(str::to_owned),
        width_px,
        height_px: width_px * 9 / 16,
        bitrate_bps: 0,
    }
}

fn simulcast() -> Vec<LayerInfo> {
    vec![
        layer(Some("q"), 320),
        layer(Some("h"), 640),
        layer(Some("f"), 1_280),
    ]
}

fn preference(quality: Option<u8>, size_px: Option<(u32, u32)>) -> Preference {
    Preference {
        quality,
        size_px,
        ..Preference::default()
    }
}

/// The encoding chosen while these are live.
fn encoding(preference: &Preference, layers: &[LayerInfo], live: &[u8]) -> Option<u8> {
    let target = choose(preference, layers, |layer| live.contains(&layer.0), 1)?;
    assert_eq!(target.spatial, ALL);
    Some(target.encoding.0)
}

fn names(layers: &[LayerInfo]) -> Vec<&str> {
    layers
        .iter()
        .filter_map(|layer| layer.rid.as_deref())
        .collect()
}

/// Browsers write `q;h;f`, the native SDKs `f;h;q`: taken literally, HIGH would be the smallest picture of the latter.
#[test]
fn rids_are_sorted_by_name_in_either_order() {
    for order in [["q", "h", "f"], ["f", "h", "q"], ["h", "f", "q"]] {
        let mut layers: Vec<_> = order.iter().map(|rid| layer(Some(rid), 0)).collect();
        sort_layers(&mut layers);
        assert_eq!(names(&layers), ["q", "h", "f"]);
        assert_eq!(
            layers.iter().map(|layer| layer.quality).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(
            encoding(&preference(Some(2), None), &layers, &[0, 1, 2]),
            Some(2)
        );
    }
    for order in [["q", "h"], ["h", "q"]] {
        let mut layers: Vec<_> = order.iter().map(|rid| layer(Some(rid), 0)).collect();
        sort_layers(&mut layers);
        assert_eq!(names(&layers), ["q", "h"]);
    }
}

#[test]
fn other_names_are_sorted_by_size_or_not_at_all() {
    let mut layers = vec![layer(Some("big"), 1_280), layer(Some("small"), 320)];
    sort_layers(&mut layers);
    assert_eq!(names(&layers), ["small", "big"]);
    let mut layers = vec![layer(Some("b"), 0), layer(Some("a"), 320)];
    sort_layers(&mut layers);
    assert_eq!(names(&layers), ["b", "a"]);
}

#[test]
fn qualities_that_were_given_are_kept() {
    let mut only = vec![LayerInfo {
        quality: 2,
        ..layer(None, 640)
    }];
    sort_layers(&mut only);
    assert_eq!(only[0].quality, 2);
}

#[test]
fn quality_is_the_place_among_the_layers() {
    let layers = simulcast();
    for quality in 0..3 {
        assert_eq!(
            encoding(&preference(Some(quality), None), &layers, &[0, 1, 2]),
            Some(quality)
        );
    }
    assert_eq!(
        encoding(&preference(Some(2), None), &layers[..2], &[0, 1, 2]),
        Some(1)
    );
    assert_eq!(
        encoding(&Preference::default(), &layers, &[0, 1, 2]),
        Some(2)
    );
}

#[test]
fn what_is_not_live_is_replaced_by_the_next_lower_then_higher() {
    let layers = simulcast();
    let high = preference(Some(2), None);
    assert_eq!(encoding(&high, &layers, &[0, 1]), Some(1));
    assert_eq!(encoding(&high, &layers, &[0]), Some(0));
    let low = preference(Some(0), None);
    assert_eq!(encoding(&low, &layers, &[1, 2]), Some(1));
    assert_eq!(encoding(&low, &layers, &[2]), Some(2));
    assert_eq!(encoding(&low, &layers, &[]), None);
}

#[test]
fn the_smallest_layer_that_is_not_smaller_than_shown() {
    let layers = simulcast();
    let chosen = |size| encoding(&preference(Some(0), Some(size)), &layers, &[0, 1, 2]);
    assert_eq!(chosen((100, 50)), Some(0));
    assert_eq!(chosen((320, 180)), Some(0));
    assert_eq!(chosen((321, 180)), Some(1));
    assert_eq!(chosen((4_000, 2_000)), Some(2));
    // Sizes unknown: the quality counts.
    let unsized_layers = vec![layer(Some("q"), 0), layer(Some("h"), 0)];
    assert_eq!(
        encoding(
            &preference(Some(0), Some((4_000, 2_000))),
            &unsized_layers,
            &[0, 1]
        ),
        Some(0)
    );
}

#[test]
fn one_encoding_is_chosen_by_spatial_layer() {
    let layers = [layer(None, 320), layer(None, 640), layer(None, 1_280)];
    let spatial = |preference: &Preference, count| {
        let target = choose(preference, &layers, |_| false, count).expect("something");
        assert_eq!(target.encoding, LayerIndex(0));
        target.spatial
    };
    assert_eq!(spatial(&preference(Some(0), None), 3), 0);
    assert_eq!(spatial(&preference(Some(1), None), 3), 1);
    assert_eq!(spatial(&preference(None, Some((600, 300))), 3), 1);
    assert_eq!(spatial(&preference(Some(2), None), 2), 1);
    assert_eq!(
        spatial(&preference(Some(0), None), 1),
        ALL,
        "no such layers"
    );
}

#[test]
fn fewer_frames_by_temporal_layers() {
    let temporal = |fps| {
        let preference = Preference {
            fps,
            ..Preference::default()
        };
        choose(&preference, &simulcast(), |_| true, 1)
            .expect("something")
            .temporal
    };
    assert_eq!(temporal(None), ALL);
    assert_eq!(temporal(Some(0)), ALL);
    assert_eq!(temporal(Some(30)), ALL);
    assert_eq!(temporal(Some(15)), 1);
    assert_eq!(temporal(Some(5)), 0);
    assert_eq!(temporal(Some(u32::MAX)), ALL);
}

#[test]
fn nothing_when_it_is_switched_off() {
    let off = Preference {
        enabled: false,
        ..Preference::default()
    };
    assert_eq!(choose(&off, &simulcast(), |_| true, 1), None);
}
