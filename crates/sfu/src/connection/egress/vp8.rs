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
    let [first, flags, fields @ ..] = payload else {
        return;
    };
    if *first & EXTENDED == 0 || width(*flags, fields).is_none_or(|width| width > fields.len()) {
        return;
    }
    let mut fields = fields.iter_mut();
    if *flags & HAS_PICTURE_ID != 0
        && let Some(high) = fields.next()
    {
        let [new_high, new_low] = new.picture_id.to_be_bytes();
        if *high & LONG_PICTURE_ID == 0 {
            *high = new_low & !LONG_PICTURE_ID;
        } else if let Some(low) = fields.next() {
            *high = LONG_PICTURE_ID | new_high;
            *low = new_low;
        }
    }
    if *flags & HAS_TL0_PIC_IDX != 0
        && let Some(place) = fields.next()
    {
        *place = new.tl0_pic_idx;
    }
    if *flags & HAS_KEY_IDX != 0
        && let Some(key_idx) = new.key_idx
        && let Some(place) = fields.next()
    {
        *place = *place & !KEY_IDX_MASK | key_idx & KEY_IDX_MASK;
    }
}

/// Of all fields that the flags announce. None: not even their width is there.
fn width(flags: u8, fields: &[u8]) -> Option<usize> {
    let picture_id = match flags & HAS_PICTURE_ID {
        0 => 0,
        _ if fields.first()? & LONG_PICTURE_ID != 0 => 2,
        _ => 1,
    };
    let tl0_pic_idx = usize::from(flags & HAS_TL0_PIC_IDX != 0);
    let layers = usize::from(flags & (HAS_TID | HAS_KEY_IDX) != 0);
    Some(picture_id + tl0_pic_idx + layers)
}
