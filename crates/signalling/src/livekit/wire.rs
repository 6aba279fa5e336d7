//! Protobuf at the level of fields, for messages that are passed on: what we do not know must survive
//! (https://protobuf.dev/programming-guides/encoding/).

use std::ops::Range;

/// One field of a message as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) value: Value,
    /// Tag and value.
    pub(crate) all: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Varint(u64),
    Bytes(Range<usize>),
    /// Fixed 32 or 64 bit: never edited here.
    Fixed,
}

impl Field {
    /// The content of a length-delimited field.
    pub(crate) fn bytes<'a>(&self, message: &'a [u8]) -> Option<&'a [u8]> {
        match &self.value {
            Value::Bytes(range) => message.get(range.clone()),
            Value::Varint(_) | Value::Fixed => None,
        }
    }

    pub(crate) fn text<'a>(&self, message: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(message)?).ok()
    }
}

/// All fields in their order; None: not a message.
pub(crate) fn fields(message: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < message.len() {
        let start = at;
        let tag = varint(message, &mut at)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(message, &mut at)?),
            1 => skip(message, &mut at, 8)?,
            2 => {
                let length = usize::try_from(varint(message, &mut at)?).ok()?;
                let end = at.checked_add(length).filter(|end| *end <= message.len())?;
                let range = at..end;
                at = end;
                Value::Bytes(range)
            }
            5 => skip(message, &mut at, 4)?,
            // Groups are gone from the language, and 6 and 7 never were in it.
            _ => return None,
        };
        fields.push(Field {
            number,
            value,
            all: start..at,
        });
    }
    Some(fields)
}

/// The message without the fields of these numbers.
pub(crate) fn without(message: &[u8], fields: &[Field], numbers: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    for field in fields {
        if !numbers.contains(&field.number) {
            out.extend_from_slice(message.get(field.all.clone()).unwrap_or_default());
        }
    }
    out
}

pub(crate) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_raw(out, u64::from(number) << 3);
    put_raw(out, value);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_raw(out, (u64::from(number) << 3) | 2);
    put_raw(out, u64::try_from(bytes.len()).expect("lengths fit"));
    out.extend_from_slice(bytes);
}

fn put_raw(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn varint(message: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = *message.get(*at)?;
        *at += 1;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit; what is past it is dropped, as other decoders do.
        value |= bits.checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn skip(message: &[u8], at: &mut usize, length: usize) -> Option<Value> {
    let end = at.checked_add(length).filter(|end| *end <= message.len())?;
    *at = end;
    Some(Value::Fixed)
}

#[cfg(test)]
mod tests;
