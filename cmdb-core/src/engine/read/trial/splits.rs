//! Which items are held together by rules that would be gone.

use crate::change::claim_identifiers;
use crate::model::item::{ItemClaimState, Method};
use crate::model::schema::Schema;
use crate::model::{Item, ItemId, SourceId};

/// An item whose claims would not meet if they were stated anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrialSplit {
    /// Which item.
    pub item: ItemId,
    /// Its name now.
    pub name: String,
    /// The claims that would still meet, by source and key.
    pub parts: Vec<Vec<(SourceId, String)>>,
}

/// The parts that the claims of an item fall into, where they are more than now. Claims that identify nothing under
/// either rules are held by their key alone, and left out.
pub(super) fn split(item: &Item, now: &Schema, tried: &Schema) -> Option<TrialSplit> {
    let digests = |claim: &ItemClaimState, schema: &Schema| -> Vec<[u8; 16]> {
        claim_identifiers(item, claim, schema).into_iter().map(|identifier| identifier.digest).collect()
    };
    let found = |claim: &&ItemClaimState| claim.identification.method != Method::Named;
    let mut claims = Vec::new();
    for claim in item.standing().filter(found) {
        let (old, new) = (digests(claim, now), digests(claim, tried));
        if !old.is_empty() || !new.is_empty() {
            claims.push((claim, old, new));
        }
    }
    if claims.len() < 2 {
        return None;
    }
    let before = parts(&claims.iter().map(|(_, old, _)| old.as_slice()).collect::<Vec<_>>());
    let after = parts(&claims.iter().map(|(_, _, new)| new.as_slice()).collect::<Vec<_>>());
    if after.len() <= before.len() {
        return None;
    }
    let named = |place: &usize| (claims[*place].0.source, claims[*place].0.key.clone());
    let parts = after.iter().map(|part| part.iter().map(named).collect()).collect();
    Some(TrialSplit { item: item.id, name: item.name.clone(), parts })
}

/// Places that are joined by having something in common, over others or at once.
fn parts(digests: &[&[[u8; 16]]]) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for (place, own) in digests.iter().enumerate() {
        let meets = |part: &Vec<usize>| {
            part.iter().any(|other| digests[*other].iter().any(|digest| own.contains(digest)))
        };
        let (joined, apart): (Vec<_>, Vec<_>) = parts.into_iter().partition(meets);
        parts = apart;
        let mut joined = joined.concat();
        joined.push(place);
        parts.push(joined);
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts.sort();
    parts
}
