//! VP8 payload descriptors (RFC 7741 §4.2), changed where they stand.

use crate::connection::Vp8Rewrite;

const EXTENDED: u8 = 0x80;
const HAS_PICTURE_ID: u8 = 0x80;
const HAS_TL0_PIC_IDX: u8 = 0x40;
const HAS_TID: u8 = 0x20;
const HAS_KEY_IDX: u8 = 0x10;
const LONG_PICTURE_ID: u8 = 0x80;
const KEY_IDX_MASK: u8 = 0x1f;

/// What the descriptor has of the ids is replaced, as wide as it was; an id that is not there stays so. What is cut short
/// stays as it is.
pub(super) fn patch(payload: &mut [u8], new: Vp8Rewrite) {
    let mut at = 0;
    let mut next = |payload: &[u8]| {
        let byte = payload.get(at).copied();
        at += 1;
        byte.map(|byte| (at - 1, byte))
    };
    let Some((_, first)) = next(payload) else {
        return;
    };
    if first & EXTENDED == 0 {
        return;
    }
    let Some((_, flags)) = next(payload) else {
        return;
    };
    if flags & HAS_PICTURE_ID != 0 {
        let Some((place, high)) = next(payload) else {
            return;
        };
        let [new_high, new_low] = new.picture_id.to_be_bytes();
        if high & LONG_PICTURE_ID != 0 {
            let Some((low_place, _)) = next(payload) else {
                return;
            };
            payload[place] = LONG_PICTURE_ID | new_high;
            payload[low_place] = new_low;
        } else {
            payload[place] = new_low & !LONG_PICTURE_ID;
        }
    }
    if flags & HAS_TL0_PIC_IDX != 0 {
        let Some((place, _)) = next(payload) else {
            return;
        };
        payload[place] = new.tl0_pic_idx;
    }
    if flags & (HAS_TID | HAS_KEY_IDX) != 0
        && let Some((place, byte)) = next(payload)
        && flags & HAS_KEY_IDX != 0
        && let Some(key_idx) = new.key_idx
    {
        payload[place] = byte & !KEY_IDX_MASK | key_idx & KEY_IDX_MASK;
    }
}
