//! Elements by length, `<len>:<bytes>,`: the unit of the netstring framing, and how both
//! framings pack a list of strings.

use std::io::Write as _;

use crate::wire::WireError;

/// The most digits a length can have in a packet of 65507 bytes.
const MAX_DIGITS: usize = 5;

/// Takes one element off the front. The length is decimal without padding.
pub(super) fn read_element<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let colon = rest
        .iter()
        .take(MAX_DIGITS + 1)
        .position(|byte| *byte == b':')?;
    let (digits, tail) = rest.split_at(colon);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with(b"0")) {
        return None;
    }
    // Five digits cannot overflow.
    let length = digits.iter().try_fold(0_usize, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + usize::from(byte - b'0'))
    })?;
    let (element, tail) = tail.get(1..)?.split_at_checked(length)?;
    *rest = tail.strip_prefix(b",")?;
    Some(element)
}

/// Appends one element.
pub(super) fn write_element(element: &[u8], out: &mut Vec<u8>) {
    write!(out, "{}:", element.len()).expect("writing to a Vec succeeds");
    out.extend_from_slice(element);
    out.push(b',');
}

/// Reads a packed list, which must fill `packed` exactly.
pub(super) fn read_list(packed: &[u8]) -> Result<Vec<Vec<u8>>, WireError> {
    let mut rest = packed;
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let element = read_element(&mut rest).ok_or(WireError::BadValue)?;
        elements.push(element.to_vec());
    }
    Ok(elements)
}

/// Appends a packed list.
pub(super) fn write_list(elements: &[Vec<u8>], out: &mut Vec<u8>) {
    for element in elements {
        write_element(element, out);
    }
}
