//! Why items are what they are: identifiers with who says them, sets that may be one item, and who wins what.

use std::collections::{BTreeMap, BTreeSet};

use super::Reader;
use crate::change::claim_identifiers;
use crate::engine::request::EngineError;
use crate::identify::Identifier;
use crate::model::item::{ItemClaimState, Method, Pin};
use crate::model::schema::Strength;
use crate::model::{Item, ItemId, SourceId, SourceKind, Status, Timestamp, Value};
use crate::reconcile;
use crate::store::{Range, Table, key};

/// The most items of one duplicate set that are looked at.
pub const SET_ITEMS_MAX: usize = 64;
/// The most items that are in duplicate sets, or merged into one item, and are looked at.
const MARKED_MAX: usize = 100_000;

/// What a duplicate set is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DuplicateKind {
    /// They may be one item.
    Duplicate,
    /// Two machines that state one identifier, told apart by the rest of the evidence.
    Clone,
}

/// Items that may be the same, with the evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DuplicateSet {
    /// What it is.
    pub kind: DuplicateKind,
    /// The items, at most [`SET_ITEMS_MAX`].
    pub items: Vec<ItemId>,
    /// All of them.
    pub items_total: usize,
    /// What speaks for it and against it: identifiers that some share, then those that differ.
    pub evidence: Vec<IdentifierEvidence>,
}

/// The identifiers of one rule, as several items have them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentifierEvidence {
    /// The attributes of the rule.
    pub attributes: Vec<String>,
    /// What it is worth.
    pub strength: Strength,
    /// Two items share a value.
    pub agrees: bool,
    /// The values, by item.
    pub stated: Vec<StatedIdentifier>,
}

/// One identifier of an item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatedIdentifier {
    /// Whose it is.
    pub item: ItemId,
    /// Normalised, in the order of the rule's attributes.
    pub values: Vec<String>,
    /// The claims that state it: source and key.
    pub said_by: Vec<(SourceId, String)>,
}

/// How an item came about.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// The item, with its claims and how each was identified.
    pub item: Item,
    /// Its identifiers, with who says them.
    pub identifiers: Vec<IdentifierEvidence>,
    /// What the sources say of each attribute, and of class and name.
    pub attributes: Vec<Contest>,
    /// Items that were merged into it.
    pub merged: Vec<ItemId>,
}

/// What the sources say of one attribute.
#[derive(Clone, PartialEq, Debug)]
pub struct Contest {
    /// The attribute; also "class" and "name".
    pub attribute: String,
    /// The winner first.
    pub bids: Vec<Bid>,
}

/// What one source says of an attribute.
#[derive(Clone, PartialEq, Debug)]
pub struct Bid {
    /// Who says it.
    pub source: SourceId,
    /// Under which key.
    pub key: String,
    /// What it says.
    pub value: Value,
    /// It won.
    pub effective: bool,
    /// Why it won, or lost to the winner.
    pub why: String,
    /// When it was observed.
    pub observed_at: Timestamp,
}

impl Reader {
    /// Sets of items that may be the same, at most `limit`; and how many there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn duplicate_sets(&self, limit: usize) -> Result<(Vec<DuplicateSet>, u64), EngineError> {
        let marked = self.marked(&key::with_duplicates(), |item| !item.duplicates.is_empty())?;
        let mut seen = BTreeSet::new();
        let mut sets = Vec::new();
        let mut total = 0;
        for id in marked {
            if seen.contains(&id) {
                continue;
            }
            let members = self.alike(id)?;
            seen.extend(members.keys().copied());
            if members.len() < 2 {
                continue;
            }
            total += 1;
            if sets.len() < limit {
                sets.push(self.duplicate_set(members));
            }
        }
        Ok((sets, total))
    }

    /// The set that an item stands in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn duplicate_set_of(&self, id: ItemId) -> Result<Option<DuplicateSet>, EngineError> {
        let members = self.alike(id)?;
        Ok((members.len() > 1).then(|| self.duplicate_set(members)))
    }

    /// Why an item is what it is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn explain(&self, id: ItemId) -> Result<Option<Explanation>, EngineError> {
        let Some(item) = self.item(id)? else { return Ok(None) };
        let identifiers = self.identifier_evidence(&[&item]);
        let attributes = self.contests(&item)?;
        let merged = self.marked(&key::merged_into(id), |other| other.merged_into == Some(id))?;
        Ok(Some(Explanation { item, identifiers, attributes, merged: merged.into_iter().collect() }))
    }

    /// The items under a mark of the index, where they bear it at the moment that is read.
    fn marked(&self, mark: &[u8], bears: impl Fn(&Item) -> bool) -> Result<BTreeSet<ItemId>, EngineError> {
        let rows = self.snapshot().scan(Table::Attributes, &Range::prefix(mark.to_vec()), MARKED_MAX)?;
        let found = rows.iter().filter_map(|(row, _)| key::item_at_end(row)).collect();
        self.then(found, bears)
    }

    /// An item, and all that are said to be like it or like one of those.
    fn alike(&self, id: ItemId) -> Result<BTreeMap<ItemId, Item>, EngineError> {
        let mut members = BTreeMap::new();
        let mut ring = vec![id];
        while !ring.is_empty() && members.len() < MARKED_MAX {
            let mut next = Vec::new();
            for item in self.items(&ring)?.into_iter().flatten() {
                if item.status == Status::Retired {
                    continue;
                }
                next.extend(item.duplicates.iter().copied());
                members.insert(item.id, item);
            }
            next.sort_unstable();
            next.dedup();
            next.retain(|id| !members.contains_key(id));
            ring = next;
        }
        Ok(members)
    }

    fn duplicate_set(&self, members: BTreeMap<ItemId, Item>) -> DuplicateSet {
        let items_total = members.len();
        let shown: Vec<&Item> = members.values().take(SET_ITEMS_MAX).collect();
        let is_clone = |item: &&Item| {
            item.claims.iter().any(|claim| {
                let found = &claim.identification;
                found.method == Method::Clone && found.candidates.iter().any(|id| members.contains_key(id))
            })
        };
        let kind = if shown.iter().any(is_clone) { DuplicateKind::Clone } else { DuplicateKind::Duplicate };
        let mut evidence = self.identifier_evidence(&shown);
        // What only one of them states says nothing of the set.
        evidence.retain(|row| row.stated.iter().any(|stated| stated.item != row.stated[0].item));
        evidence.sort_by_key(|row| (!row.agrees, row.strength));
        DuplicateSet { kind, items: shown.iter().map(|item| item.id).collect(), items_total, evidence }
    }

    /// The identifiers of items, by rule.
    fn identifier_evidence(&self, items: &[&Item]) -> Vec<IdentifierEvidence> {
        let mut order: Vec<[u8; 16]> = Vec::new();
        let mut rows: BTreeMap<[u8; 16], IdentifierEvidence> = BTreeMap::new();
        let mut digests: BTreeMap<[u8; 16], BTreeSet<ItemId>> = BTreeMap::new();
        for item in items {
            for claim in item.standing() {
                for identifier in claim_identifiers(item, claim, self.schema()) {
                    digests.entry(identifier.digest).or_default().insert(item.id);
                    let row = rows.entry(identifier.rule).or_insert_with(|| {
                        order.push(identifier.rule);
                        IdentifierEvidence {
                            attributes: identifier.attributes.clone(),
                            strength: identifier.strength,
                            agrees: false,
                            stated: Vec::new(),
                        }
                    });
                    row.agrees |= digests[&identifier.digest].len() > 1;
                    state(row, item.id, claim, identifier);
                }
            }
        }
        order.into_iter().filter_map(|rule| rows.remove(&rule)).collect()
    }

    fn contests(&self, item: &Item) -> Result<Vec<Contest>, EngineError> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        item.claims.iter().for_each(|claim| names.extend(claim.attributes.keys().map(String::as_str)));
        let mut contests = vec![
            self.contest(item, "class", |claim| {
                (!claim.class.is_empty())
                    .then(|| (Value::Text(claim.class.clone()), claim.class == item.class))
            })?,
            self.contest(item, "name", |claim| {
                (!claim.name.is_empty()).then(|| (Value::Text(claim.name.clone()), claim.name == item.name))
            })?,
        ];
        for name in names {
            contests.push(self.contest(item, name, |claim| {
                claim.attributes.get(name).map(|stated| (stated.value.clone(), stated.effective))
            })?);
        }
        contests.retain(|contest| !contest.bids.is_empty());
        Ok(contests)
    }

    fn contest(
        &self,
        item: &Item,
        attribute: &str,
        says: impl Fn(&ItemClaimState) -> Option<(Value, bool)>,
    ) -> Result<Contest, EngineError> {
        let mut bids: Vec<(Standing, Bid)> = Vec::new();
        for claim in &item.claims {
            let Some((value, effective)) = says(claim) else { continue };
            let bid = Bid {
                source: claim.source,
                key: claim.key.clone(),
                value,
                effective,
                why: String::new(),
                observed_at: claim.observed_at,
            };
            bids.push((self.standing(item, attribute, claim)?, bid));
        }
        bids.sort_by_key(|(standing, bid)| {
            let pinned = std::cmp::Reverse(standing.pin.as_ref().map(|pin| pin.since));
            let stale = standing.gave_way;
            (
                !bid.effective,
                pinned,
                standing.withdrawn,
                stale,
                standing.rank,
                std::cmp::Reverse(standing.since),
            )
        });
        let winner = match self.denier(item, attribute) {
            Some(denier) if bids.iter().all(|(_, bid)| !bid.effective) => {
                for (_, bid) in &mut bids {
                    bid.why = format!(
                        "{} says that there is no value",
                        self.standing(item, attribute, denier)?.source
                    );
                }
                let bids = bids.into_iter().map(|(_, bid)| bid).collect();
                return Ok(Contest { attribute: attribute.to_owned(), bids });
            }
            _ => bids.first().map(|(standing, _)| standing.clone()),
        };
        let second = bids.get(1).map(|(standing, _)| standing.clone());
        let mut contest = Contest { attribute: attribute.to_owned(), bids: Vec::new() };
        for (place, (standing, mut bid)) in bids.into_iter().enumerate() {
            bid.why = match (place, &winner, &second) {
                (0, _, None) => match (standing.pinned(), standing.stale_since) {
                    (Some(pinned), _) => pinned,
                    (None, Some(_)) => format!("nobody else says anything of it; {}", standing.stale()),
                    (None, None) => "nobody else says anything of it".to_owned(),
                },
                (0, Some(winner), Some(second)) => winner.won_over(second),
                (_, Some(winner), _) => standing.lost_to(winner),
                (_, None, _) => String::new(),
            };
            contest.bids.push(bid);
        }
        Ok(contest)
    }

    /// The claim that says, and may say, that there is no value.
    fn denier<'a>(&self, item: &'a Item, attribute: &str) -> Option<&'a ItemClaimState> {
        if !self.schema().null_overwrites(&item.class, attribute) {
            return None;
        }
        item.standing().find(|claim| claim.marks.nulls.contains(attribute))
    }

    fn standing(
        &self,
        item: &Item,
        attribute: &str,
        claim: &ItemClaimState,
    ) -> Result<Standing, EngineError> {
        let (name, kind) = self
            .source(claim.source)
            .map_or(("", SourceKind::Rule), |source| (source.name.as_str(), source.kind));
        let stands = claim.withdrawn_at.is_none();
        let after = reconcile::stale_after(item, attribute, claim, self.schema(), &self.moment.sources);
        let stale_since = match after {
            Some(after) if stands => {
                Some(self.confirmed_at(claim)?.plus_us(after)).filter(|since| *since <= self.moment())
            }
            _ => None,
        };
        Ok(Standing {
            withdrawn: !stands,
            pin: claim.marks.pins.get(attribute).filter(|_| stands).cloned(),
            gave_way: claim.marks.stale.contains(attribute),
            stale_since,
            since: claim.marks.otherwise_at.unwrap_or(claim.observed_at),
            rank: self.schema().rank(&item.class, attribute, name, kind),
            source: name.to_owned(),
            kind,
        })
    }
}

#[derive(Clone)]
struct Standing {
    withdrawn: bool,
    rank: u32,
    source: String,
    kind: SourceKind,
    /// A person holds it.
    pin: Option<Pin>,
    /// Not confirmed in time, and the next source took over.
    gave_way: bool,
    /// Since when it is not confirmed in time, whether or not another source took over.
    stale_since: Option<Timestamp>,
    /// When it was said last, or something else before it.
    since: Timestamp,
}

impl Standing {
    fn pinned(&self) -> Option<String> {
        let pin = self.pin.as_ref()?;
        let until = pin.until.map_or_else(|| "it is unpinned".to_owned(), |until| until.to_string());
        Some(format!("pinned by {} until {until}: {}", self.source, pin.reason))
    }

    fn stale(&self) -> String {
        match self.stale_since {
            Some(since) => format!("stale since {since}"),
            None => "stale until it was heard again".to_owned(),
        }
    }

    fn won_over(&self, other: &Standing) -> String {
        if let Some(pinned) = self.pinned() {
            return pinned;
        }
        if self.withdrawn == other.withdrawn && self.gave_way != other.gave_way {
            return format!("{} is {}", other.source, other.stale());
        }
        if self.withdrawn != other.withdrawn {
            format!("{} no longer says it", other.source)
        } else if self.rank != other.rank {
            self.goes_before(other)
        } else if self.since != other.since {
            format!("observed later than by {}", other.source)
        } else {
            "of equals the one that was said first".to_owned()
        }
    }

    fn lost_to(&self, winner: &Standing) -> String {
        if let Some(pinned) = winner.pinned() {
            return pinned;
        }
        if self.withdrawn == winner.withdrawn && self.gave_way != winner.gave_way {
            return self.stale();
        }
        if self.withdrawn != winner.withdrawn {
            "no longer said".to_owned()
        } else if self.rank != winner.rank {
            winner.goes_before(self)
        } else if self.since != winner.since {
            format!("observed earlier than by {}", winner.source)
        } else {
            "of equals not the one that was said first".to_owned()
        }
    }

    fn goes_before(&self, other: &Standing) -> String {
        format!("{} {} goes before {} {}", self.kind, self.source, other.kind, other.source)
    }
}

fn state(row: &mut IdentifierEvidence, item: ItemId, claim: &ItemClaimState, identifier: Identifier) {
    let by = (claim.source, claim.key.clone());
    match row.stated.iter_mut().find(|stated| stated.item == item && stated.values == identifier.values) {
        Some(stated) => stated.said_by.push(by),
        None => row.stated.push(StatedIdentifier { item, values: identifier.values, said_by: vec![by] }),
    }
}
