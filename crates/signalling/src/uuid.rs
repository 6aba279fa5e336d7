//! Ids that nobody else has.

use madang_sfu::api::Entropy;

const CHARS: usize = 36;

/// Version 4 (RFC 9562 §5.4).
pub(crate) fn random(entropy: &mut dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    let number = u128::from_be_bytes(bytes);
    let marked = number & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{marked:032x}");
    let mut text = String::with_capacity(CHARS);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn is_one(text: &str) -> bool {
    let is_fit = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
    text.len() == CHARS && text.bytes().all(is_fit)
}
