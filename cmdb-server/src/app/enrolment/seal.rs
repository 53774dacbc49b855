//! What tells a host from a copy of it: digests of its machine id, its firmware's UUID, its disk, its addresses.
//!
//! Knows no values, only their digests.

use std::collections::BTreeSet;

use prost::Message;

/// So many parts that do not match make it another host: one alone may have been replaced.
pub const MISMATCHES_MAX: usize = 2;
/// The most parts of a seal.
const PARTS_MAX: usize = 16;
/// The most digests of a part.
const DIGESTS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 32;
const DIGEST_BYTES_MAX: usize = 32;

/// One part of a seal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SealPart {
    /// What it is of, such as `machine_id`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// One of them in common is a match.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub digests: Vec<Vec<u8>>,
}

/// How many parts that both seals have do not match.
pub fn mismatches(one: &[SealPart], other: &[SealPart]) -> usize {
    let differs = |part: &&SealPart| {
        let Some(same) = other.iter().find(|other| other.name == part.name) else { return false };
        let there: BTreeSet<&[u8]> = same.digests.iter().map(Vec::as_slice).collect();
        !there.is_empty()
            && !part.digests.is_empty()
            && !part.digests.iter().any(|digest| there.contains(digest.as_slice()))
    };
    one.iter().filter(differs).count()
}

/// A seal without what is beyond every measure.
pub fn bounded(mut seal: Vec<SealPart>) -> Vec<SealPart> {
    seal.retain(|part| part.name.len() <= NAME_BYTES_MAX);
    seal.truncate(PARTS_MAX);
    for part in &mut seal {
        part.digests.retain(|digest| digest.len() <= DIGEST_BYTES_MAX);
        part.digests.truncate(DIGESTS_MAX);
    }
    seal
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = &'a [(&'a str, &'a [u8])];

    fn seal(parts: Parts<'_>) -> Vec<SealPart> {
        let part = |(name, digests): &(&str, &[u8])| SealPart {
            name: (*name).to_owned(),
            digests: digests.iter().map(|digest| vec![*digest]).collect(),
        };
        parts.iter().map(part).collect()
    }

    #[test]
    fn only_what_both_know_can_differ() {
        let host = seal(&[("machine_id", &[1]), ("dmi_uuid", &[2]), ("mac", &[3, 4]), ("cloud_id", &[])]);
        let cases: [(Parts<'_>, usize); 6] = [
            (&[("machine_id", &[1]), ("dmi_uuid", &[2]), ("mac", &[4, 9])], 0),
            (&[("machine_id", &[1]), ("dmi_uuid", &[9]), ("mac", &[4])], 1),
            (&[("machine_id", &[1]), ("dmi_uuid", &[9]), ("mac", &[8])], 2),
            (&[("disk", &[7]), ("cloud_id", &[7])], 0),
            (&[("machine_id", &[])], 0),
            (&[], 0),
        ];
        for (other, expected) in cases {
            assert_eq!(mismatches(&host, &seal(other)), expected, "{other:?}");
            assert_eq!(mismatches(&seal(other), &host), expected, "{other:?}");
        }
    }

    #[test]
    fn a_seal_has_a_limit() {
        let part = SealPart { name: "mac".to_owned(), digests: vec![vec![1]; 1_000] };
        let bounded = bounded(vec![part; 1_000]);
        assert_eq!((bounded.len(), bounded[0].digests.len()), (PARTS_MAX, DIGESTS_MAX));
    }
}
