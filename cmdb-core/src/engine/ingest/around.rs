//! What is known of a claim beside itself: the rows that belong to its item, and other live machines that speak of it.
//!
//! A machine is *alive* while its agent is heard. Only agents count: they speak from within the machine, so two of
//! them that disagree are two machines, whereas two lists that disagree are one mistake.

use std::collections::BTreeSet;

use super::Stating;
use super::batch::{self, Batch, ROWS_MAX};
use super::references::{self, Resolved};
use crate::change::{Draft, claim_identifiers};
use crate::claim::Claim;
use crate::identify::{self, Criterion, Identifier, Index, Surroundings, Whose};
use crate::model::item::{ItemClaimState, Method};
use crate::model::schema::{Lookup, Rows, Step, Strength};
use crate::model::time::DAY_US;
use crate::model::{Item, ItemId, SourceId, SourceKind, Status};
use crate::reconcile::Sources;
use crate::store::{StoreError, Table, key};

/// How long after it was last heard a machine counts as alive.
pub(in crate::engine) const ALIVE_FOR_US: i64 = DAY_US;

/// A claim among all that is there.
pub(super) struct Around<'a, 's, 'b> {
    pub(super) draft: &'a Draft<'s>,
    pub(super) stating: &'a Stating<'a>,
    pub(super) claim: &'a Claim,
    pub(super) batch: &'a Batch<'b>,
    /// The item that its key is bound to.
    pub(super) known: Option<ItemId>,
    /// The host that it is within.
    pub(super) within: Option<ItemId>,
}

/// Whose claims are read.
#[derive(Clone, Copy)]
enum Said {
    ByAnyone,
    ByRivals,
    /// By the claim's own source, under keys that are not stated now.
    Before,
}

impl Around<'_, '_, '_> {
    /// Whether a source is another machine that is alive.
    fn is_alive_rival(&self, source: SourceId, observed_at: crate::model::Timestamp) -> bool {
        if source == self.stating.source || self.draft.name_and_kind(source).1 != SourceKind::Agent {
            return false;
        }
        let heard = self.draft.last_heard(source).map_or(observed_at, |heard| heard.max(observed_at));
        heard.plus_us(ALIVE_FOR_US) >= self.draft.now()
    }

    /// Whether a claim is that of a rival: another live machine, or another thing that the same source tells apart.
    fn is_rival(&self, claim: &ItemClaimState) -> bool {
        let other_key = claim.source == self.stating.source && claim.key != self.claim.key;
        claim.withdrawn_at.is_none() && (other_key || self.is_alive_rival(claim.source, claim.observed_at))
    }

    fn counts(&self, said: Said, claim: &ItemClaimState) -> bool {
        claim.withdrawn_at.is_none()
            && match said {
                Said::ByAnyone => true,
                Said::ByRivals => self.is_alive_rival(claim.source, claim.observed_at),
                Said::Before => claim.source == self.stating.source && !self.batch.has(&claim.key),
            }
    }

    /// What the rows of an item say, as they are stored.
    fn stored_rows(&self, item: ItemId, lookup: &Lookup, said: Said) -> Result<BTreeSet<String>, StoreError> {
        let schema = self.draft.schema();
        let mut at: BTreeSet<ItemId> = [item].into();
        for step in lookup.by.iter().rev() {
            let mut before = BTreeSet::new();
            for id in at {
                before.extend(self.step_back(id, step)?);
            }
            at = before.into_iter().take(ROWS_MAX).collect();
        }
        let mut values = BTreeSet::new();
        for id in at {
            let Some(row) = self.draft.item(id)? else { continue };
            if row.status == Status::Retired || !schema.is_a(&row.class, &lookup.class) {
                continue;
            }
            for claim in row.claims.iter().filter(|claim| self.counts(said, claim)) {
                let stated = claim.attributes.get(&lookup.attribute);
                let each = |stated: &crate::model::item::Stated| {
                    schema.normalise_row(&row.class, &lookup.attribute, &stated.value)
                };
                values.extend(stated.map(each).unwrap_or_default());
            }
        }
        Ok(values)
    }

    /// The items from which a step leads to this one.
    fn step_back(&self, to: ItemId, step: &Step) -> Result<Vec<ItemId>, StoreError> {
        match step {
            Step::Within => self.draft.hosted(to),
            Step::To(kind) => self.sources_of(kind, to),
            Step::From(kind) => self.targets_of(to, kind),
        }
    }

    /// The items to which a step leads from this one.
    fn step_on(&self, from: ItemId, step: &Step) -> Result<Vec<ItemId>, StoreError> {
        match step {
            Step::Within => {
                let item = self.draft.item(from)?;
                let hosts = item.iter().flat_map(|item| item.standing().filter_map(|claim| claim.within));
                Ok(hosts.collect())
            }
            Step::To(kind) => self.targets_of(from, kind),
            Step::From(kind) => self.sources_of(kind, from),
        }
    }

    fn targets_of(&self, from: ItemId, kind: &str) -> Result<Vec<ItemId>, StoreError> {
        let found = self.draft.outgoing(from)?.into_iter();
        Ok(found.filter(|edge| edge.kind == kind && edge.stands()).map(|edge| edge.to).collect())
    }

    fn sources_of(&self, kind: &str, to: ItemId) -> Result<Vec<ItemId>, StoreError> {
        let mut found = Vec::new();
        for (_, from) in self.draft.incoming(to)?.into_iter().filter(|(name, _)| name == kind) {
            let edge = self.draft.relationship(from, kind, to)?;
            found.extend(edge.filter(crate::model::Relationship::stands).map(|edge| edge.from));
        }
        Ok(found)
    }

    /// Whether an item is of a class with the rule and has what the rule asks for beside rows.
    fn meets_own(&self, item: &Item, criterion: &Criterion) -> bool {
        let schema = self.draft.schema();
        let rules = schema.class(&item.class).map_or(&[][..], |class| class.identification.as_slice());
        let has_rule = rules.iter().any(|rule| {
            rule.declared_by == criterion.declared_by && rule.lookup.as_ref() == Some(&criterion.lookup)
        });
        has_rule
            && criterion.own.iter().all(|(name, wanted)| {
                let stated = item.standing().filter_map(|claim| claim.attributes.get(name));
                let mut values =
                    stated.filter_map(|stated| schema.normalise(&item.class, name, &stated.value));
                values.any(|value| value == *wanted)
            })
    }

    /// Whether two items are certainly two: told apart before, or of kinds or with identifiers that cannot be one.
    fn apart(&self, one: ItemId, other: ItemId) -> Result<bool, StoreError> {
        let (Some(first), Some(second)) = (self.draft.item(one)?, self.draft.item(other)?) else {
            return Ok(false);
        };
        if first.distinct_from.contains(&other) || is_clone_of(&first, other) || is_clone_of(&second, one) {
            return Ok(true);
        }
        let schema = self.draft.schema();
        let namespaces = |item: &Item| -> BTreeSet<String> {
            let rules = schema.class(&item.class).map_or(&[][..], |class| class.identification.as_slice());
            rules.iter().map(|rule| rule.declared_by.clone()).collect()
        };
        let (mine, theirs) = (namespaces(&first), namespaces(&second));
        if !mine.is_empty() && !theirs.is_empty() && mine.is_disjoint(&theirs) {
            return Ok(true);
        }
        Ok(identify::contradicts(
            &self.draft.strong_identifiers(one)?,
            &self.draft.strong_identifiers(other)?,
        ))
    }

    /// Whether other live machines, and they alone, say that they have the item, as the claim's host does: networks in which
    /// the same addresses are given out do not make one place of two.
    fn is_anothers(&self, item: ItemId) -> Result<bool, StoreError> {
        let (Some(host), Some(item)) = (self.within, self.draft.item(item)?) else { return Ok(false) };
        let owners = item.standing().filter(|claim| self.is_alive_rival(claim.source, claim.observed_at));
        let owners: BTreeSet<ItemId> = owners.filter_map(|claim| claim.within).collect();
        Ok(!owners.is_empty() && !owners.contains(&host))
    }

    /// What the claim says that its item stands on.
    fn hosts(&self, kinds: &[String]) -> Result<BTreeSet<ItemId>, StoreError> {
        let mut hosts = BTreeSet::new();
        for said in self.claim.relationships.iter().filter(|said| kinds.contains(&said.kind)) {
            let from = batch::ends(&self.claim.key, said).map(|(from, _)| from);
            if from != Some(self.claim.key.as_str()) {
                continue;
            }
            if let Ok(Resolved::Item(host)) = references::resolve(self.draft, self.stating, None, &said.to)? {
                hosts.insert(host);
            }
        }
        Ok(hosts)
    }
}

fn is_clone_of(item: &Item, other: ItemId) -> bool {
    item.claims.iter().any(|claim| {
        claim.identification.method == Method::Clone && claim.identification.candidates.contains(&other)
    })
}

impl Index for Around<'_, '_, '_> {
    type Error = StoreError;

    fn items_with(&self, identifier: &Identifier) -> Result<Vec<ItemId>, StoreError> {
        self.draft.items_with(identifier)
    }

    fn strong_identifiers(&self, item: ItemId) -> Result<Vec<Identifier>, StoreError> {
        self.draft.strong_identifiers(item)
    }

    fn distinct_from(&self, item: ItemId) -> Result<Vec<ItemId>, StoreError> {
        self.draft.distinct_from(item)
    }
}

impl Surroundings for Around<'_, '_, '_> {
    type Error = StoreError;

    fn rows(&self, lookup: &Lookup) -> Result<BTreeSet<String>, StoreError> {
        let mut rows = self.batch.rows(&self.draft.schema(), &self.claim.key, lookup);
        if let Some(known) = self.known {
            rows.extend(self.stored_rows(known, lookup, Said::Before)?);
        }
        Ok(rows)
    }

    fn rows_of(&self, item: ItemId, lookup: &Lookup, whose: Whose) -> Result<BTreeSet<String>, StoreError> {
        let said = match whose {
            Whose::Anyone => Said::ByAnyone,
            Whose::Rivals => Said::ByRivals,
        };
        self.stored_rows(item, lookup, said)
    }

    fn items_by_rows(
        &self,
        criterion: &Criterion,
        rows: &BTreeSet<String>,
    ) -> Result<BTreeSet<ItemId>, StoreError> {
        let (schema, lookup) = (self.draft.schema(), &criterion.lookup);
        let mut at = BTreeSet::new();
        for value in rows {
            let indexed = key::attribute_value(&lookup.attribute, value);
            for (row, _) in self.draft.rows(Table::Attributes, &indexed, ROWS_MAX)? {
                let Some(item) = key::item_at_end(&row).map(|id| self.draft.item(id)).transpose()?.flatten()
                else {
                    continue;
                };
                if item.status != Status::Retired && schema.is_a(&item.class, &lookup.class) {
                    at.insert(item.id);
                }
            }
        }
        for step in &lookup.by {
            let mut next = BTreeSet::new();
            for id in at {
                next.extend(self.step_on(id, step)?);
            }
            at = next;
        }
        let mut found = BTreeSet::new();
        for id in at {
            let Some(item) = self.draft.item(id)? else { continue };
            let fits = item.status != Status::Retired && self.meets_own(&item, criterion);
            let all =
                lookup.rows == Rows::Any || rows.is_subset(&self.stored_rows(id, lookup, Said::ByAnyone)?);
            if fits && all {
                found.insert(id);
            }
        }
        Ok(found)
    }

    fn rivals(&self, item: ItemId) -> Result<Option<Vec<Identifier>>, StoreError> {
        let Some(item) = self.draft.item(item)? else { return Ok(None) };
        let schema = self.draft.schema();
        let mut rivals = item.claims.iter().filter(|claim| self.is_rival(claim)).peekable();
        if rivals.peek().is_none() {
            return Ok(None);
        }
        let mut stated: Vec<Identifier> =
            rivals.flat_map(|claim| claim_identifiers(&item, claim, &schema)).collect();
        stated.retain(|identifier| identifier.strength == Strength::Strong);
        Ok(Some(stated))
    }

    fn same_host(&self, item: ItemId) -> Result<Option<bool>, StoreError> {
        let schema = self.draft.schema();
        let class = self.claim.item.as_ref().and_then(|said| schema.class(&said.class));
        if class.is_some_and(|class| class.external_without_host) && self.is_anothers(item)? {
            return Ok(Some(false));
        }
        let Some(class) = class.filter(|class| !class.told_apart_by.is_empty()) else { return Ok(None) };
        let mine = self.hosts(&class.told_apart_by)?;
        let mut theirs = BTreeSet::new();
        for edge in self.draft.outgoing(item)? {
            let said = edge.claims.iter().any(|claim| {
                claim.withdrawn_at.is_none()
                    && !claim.denied
                    && self.is_alive_rival(claim.source, claim.observed_at)
            });
            if said && class.told_apart_by.contains(&edge.kind) {
                theirs.insert(edge.to);
            }
        }
        if !mine.is_disjoint(&theirs) {
            return Ok(Some(true));
        }
        if mine.is_empty() || theirs.is_empty() {
            return Ok(None);
        }
        for one in &mine {
            for other in &theirs {
                if !self.apart(*one, *other)? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(false))
    }

    fn is_elsewhere(&self, item: ItemId) -> Result<bool, StoreError> {
        let (Some(host), Some(item)) = (self.within, self.draft.item(item)?) else { return Ok(false) };
        let schema = self.draft.schema();
        let rules = schema.class(&item.class).map_or(&[][..], |class| class.identification.as_slice());
        if !rules.iter().any(|rule| rule.within) {
            return Ok(false);
        }
        let others = item.standing().filter(|claim| claim.source != self.stating.source);
        let hosts: BTreeSet<ItemId> = others.filter_map(|claim| claim.within).collect();
        Ok(!hosts.is_empty() && !hosts.contains(&host))
    }

    fn joined_by_a_person(&self, item: ItemId) -> Result<bool, StoreError> {
        Ok(!self.draft.rows(Table::Attributes, &key::merged_into(item), 1)?.is_empty())
    }
}
