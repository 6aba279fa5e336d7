use madang_sfu::api::{Identity, RoomName};

use super::{DoorOutput, Entrance, Place};
use crate::room::Topology;

#[test]
fn what_lets_somebody_in_is_not_printed() {
    let entrance = Entrance {
        key: Some("my seat".to_owned().into()),
        token: Some("my token".to_owned().into()),
        ..Entrance::new(
            RoomName::new("yard"),
            Identity::new("somebody"),
            Topology::Sfu,
        )
    };
    let printed = format!("{:?}", DoorOutput::Enter(Place(1), entrance));
    assert!(printed.contains("yard") && printed.contains("somebody"));
    assert!(!printed.contains("my "), "{printed}");
}
