//! Keys of the form `A TYPE B`, as those of relationships are, in few bytes.
//!
//! ```text
//! number of the word + 1, length of A, A, how much of A begins B, the rest of B        0, the key as it is
//! ```
//!
//! Invariant: one key is written in one way, now and in later releases, and another key in another way.

use prost::encoding::{decode_varint, encode_varint};

use super::words;

/// Writes a key behind what is there.
pub(in crate::store) fn split_key(key: &str, to: &mut Vec<u8>) {
    let Some((number, left, right)) = parts(key) else {
        to.push(0);
        to.extend_from_slice(key.as_bytes());
        return;
    };
    let shared = left.bytes().zip(right.bytes()).take_while(|(one, other)| one == other).count();
    encode_varint(number + 1, to);
    encode_varint(left.len() as u64, to);
    to.extend_from_slice(left.as_bytes());
    encode_varint(shared as u64, to);
    to.extend_from_slice(&right.as_bytes()[shared..]);
}

/// The first word that stands alone between two texts, and these.
fn parts(key: &str) -> Option<(u64, &str, &str)> {
    let mut blanks = key.match_indices(' ').map(|(at, _)| at);
    let mut from = blanks.next()?;
    for to in blanks {
        let word = words::number_of(&key[from + 1..to]).filter(|word| *word < words::IN_KEYS);
        if let Some(word) = word {
            return Some((word, &key[..from], &key[to + 1..]));
        }
        from = to;
    }
    None
}

/// Reads a key; `None`: it is damaged.
pub(in crate::store) fn join_key(mut bytes: &[u8]) -> Option<String> {
    let number = decode_varint(&mut bytes).ok()?;
    let Some(number) = number.checked_sub(1) else { return String::from_utf8(bytes.to_vec()).ok() };
    let word = words::word(number)?;
    let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
    let (left, mut rest) = bytes.split_at_checked(length)?;
    let shared = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
    let shared = left.get(..shared)?;
    String::from_utf8([left, b" ", word.as_bytes(), b" ", shared, rest].concat()).ok()
}
