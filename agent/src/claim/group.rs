//! Redundancy groups: things of which some stand in for others.
//!
//! That an item needs its members is a fact that a file states; that they stand in for one another is concluded from
//! it, and a person confirms or rejects it. Invariant: a group has a member, and asks for no more than it has.

use std::collections::BTreeMap;
use std::fmt;

use cmdb_proto::v1;

use super::{Draft, Relation, clean_bounded, reference};

/// The longest evidence; the server keeps no more.
const EVIDENCE_BYTES_MAX: usize = 1024;
/// The longest name of a group.
const NAME_BYTES_MAX: usize = 128;
/// The most members of one group.
pub const MEMBERS_MAX: usize = 1000;

/// How many members are needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Require {
    /// One.
    Any,
    /// So many.
    AtLeast(usize),
    /// So many that their weights add up to this.
    Capacity(u64),
}

impl fmt::Display for Require {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Require::Any => f.write_str("any"),
            Require::AtLeast(number) => write!(f, "at_least {number}"),
            Require::Capacity(weight) => write!(f, "capacity {weight}"),
        }
    }
}

/// A group, concluded from evidence.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Its name on the item that needs it.
    pub name: String,
    /// How many members are needed.
    pub require: Require,
    /// 0 to 1.
    pub confidence: f64,
    /// What it was concluded from, for people to judge.
    pub evidence: String,
}

/// Keys of members with their weights. Said twice, a member carries both weights: it is one thing that fails at once.
pub type Members = BTreeMap<String, u64>;

/// Adds a member, or weight to one.
pub fn add_member(members: &mut Members, key: &str, weight: u64) {
    if members.len() < MEMBERS_MAX || members.contains_key(key) {
        let carried = members.entry(key.to_owned()).or_insert(0);
        *carried = carried.saturating_add(weight.max(1));
    }
}

impl Draft {
    /// This item → each of the members, of which it needs so many as the group says; nothing without members.
    pub fn relates_in(mut self, relation: Relation, members: &Members, group: &Group) -> Self {
        if members.is_empty() {
            return self;
        }
        let name = clean_bounded(&group.name, NAME_BYTES_MAX);
        for (key, weight) in members {
            self.claim.relationships.push(v1::RelationshipClaim {
                r#type: relation.as_str().to_owned(),
                to: Some(reference(key)),
                group: name.clone(),
                weight: as_weight(*weight),
                ..Default::default()
            });
        }
        self.claim.redundancies.push(v1::RedundancyClaim {
            group: name,
            require: fitted(group.require, members).to_string(),
            inferred: true,
            confidence: group.confidence,
            evidence: clean_bounded(&group.evidence, EVIDENCE_BYTES_MAX),
            ..Default::default()
        });
        self
    }
}

/// Exact up to a weight that nothing has: 2⁵³.
fn as_weight(weight: u64) -> f64 {
    u32::try_from(weight).map_or(f64::from(u32::MAX), f64::from)
}

/// The requirement, as far as the members go: what has lost more than it can spare needs all that is left.
fn fitted(require: Require, members: &Members) -> Require {
    let total = members.values().fold(0u64, |sum, weight| sum.saturating_add(*weight));
    match require {
        Require::Any => Require::Any,
        Require::AtLeast(number) => Require::AtLeast(number.clamp(1, members.len())),
        Require::Capacity(weight) => Require::Capacity(weight.clamp(1, total)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(require: Require, keys: &[(&str, u64)]) -> Vec<String> {
        let mut members = Members::new();
        for (key, weight) in keys {
            add_member(&mut members, key, *weight);
        }
        let group = Group { name: "links".into(), require, confidence: 0.9, evidence: "x\n".into() };
        let claim = Draft::new("a", "network_interface", "a")
            .relates_in(Relation::DependsOn, &members, &group)
            .finish();
        let of_edge =
            |edge: &v1::RelationshipClaim| format!("{} {} {}", edge.r#type, edge.group, edge.weight);
        let of_group =
            |group: &v1::RedundancyClaim| format!("{} {} {}", group.group, group.require, group.evidence);
        claim.relationships.iter().map(of_edge).chain(claim.redundancies.iter().map(of_group)).collect()
    }

    #[test]
    fn a_group_comes_with_its_members() {
        let one = "depends_on links 1".to_owned();
        let cases = [
            (Require::Any, vec![("b", 1), ("c", 1)], vec![one.clone(), one.clone(), "links any x".into()]),
            // A member that is said twice is one member.
            (Require::Any, vec![("b", 1), ("b", 1)], vec!["depends_on links 2".into(), "links any x".into()]),
            (Require::AtLeast(3), vec![("b", 1)], vec![one.clone(), "links at_least 1 x".into()]),
            (Require::AtLeast(0), vec![("b", 1)], vec![one.clone(), "links at_least 1 x".into()]),
            (Require::Capacity(7), vec![("b", 0)], vec![one, "links capacity 1 x".into()]),
            (Require::Any, vec![], vec![]),
        ];
        for (require, members, expected) in cases {
            assert_eq!(shown(require, &members), expected, "{require} {members:?}");
        }
    }
}
