//! What the indexes hold of an item.

use std::collections::BTreeSet;

use crate::identify::{self, Identifier};
use crate::model::item::ItemClaimState;
use crate::model::schema::Schema;
use crate::model::{Item, Status, Value};
use crate::reconcile;
use crate::store::{Table, key};

/// The most index rows one item may take for one attribute; further elements of a list are not indexed.
pub const INDEXED_ELEMENTS_MAX: usize = 256;

/// All identifiers that the standing claims of an item offer; of one that nobody claims: that its claims offered. So an
/// item that was not seen for a while is found again, by whatever source.
#[must_use]
pub fn item_identifiers(item: &Item, schema: &Schema) -> Vec<Identifier> {
    let mut identifiers: Vec<Identifier> = Vec::new();
    let stands = item.standing().next().is_some();
    for claim in item.claims.iter().filter(|claim| !stands || claim.withdrawn_at.is_none()) {
        for identifier in claim_identifiers(item, claim, schema) {
            if !identifiers.iter().any(|known| known.digest == identifier.digest) {
                identifiers.push(identifier);
            }
        }
    }
    identifiers
}

/// The identifiers that one claim on an item offers.
#[must_use]
pub fn claim_identifiers(item: &Item, claim: &ItemClaimState, schema: &Schema) -> Vec<Identifier> {
    let class = if claim.class.is_empty() { &item.class } else { &claim.class };
    let attribute = |name: &str| -> Option<&Value> { claim.attributes.get(name).map(|stated| &stated.value) };
    identify::evidence(schema, class, attribute, claim.within).identifiers
}

/// The (attribute, value) pairs under which an item is found; its name is one of them.
pub(crate) fn indexed_values(item: &Item, schema: &Schema) -> BTreeSet<(String, String)> {
    let mut values = BTreeSet::new();
    if item.status == Status::Retired && item.merged_into.is_none() {
        return values;
    }
    if !item.name.is_empty() {
        values.insert(("name".to_owned(), item.name.to_lowercase()));
    }
    if item.merged_into.is_some() {
        // Its name leads to the item that it was merged into.
        return values;
    }
    for (name, effective) in item.effective() {
        if schema.is_indexed(name) {
            let each = schema.normalise_each(&item.class, name, effective.value);
            values.extend(each.into_iter().take(INDEXED_ELEMENTS_MAX).map(|value| (name.to_owned(), value)));
        }
    }
    values
}

/// The rows that indexes hold of an item.
pub(crate) fn index_rows(item: &Item, schema: &Schema) -> BTreeSet<(Table, Vec<u8>)> {
    index_rows_with(item, &indexed_values(item, schema), schema)
}

/// The same, of one whose [`indexed_values`] are known.
pub(super) fn index_rows_with(
    item: &Item,
    values: &BTreeSet<(String, String)>,
    schema: &Schema,
) -> BTreeSet<(Table, Vec<u8>)> {
    let mut rows = BTreeSet::new();
    rows.insert((Table::Classes, key::class_item(&item.class, item.id)));
    for (attribute, value) in values {
        rows.insert((Table::Attributes, key::attribute(attribute, value, item.id)));
    }
    let mut marks: Vec<Vec<u8>> =
        item.claims.iter().filter_map(|claim| claim.within).map(key::hosted_by).collect();
    marks.extend(item.merged_into.map(key::merged_into));
    if !item.duplicates.is_empty() && item.status != Status::Retired {
        marks.push(key::with_duplicates());
    }
    for mut row in marks {
        row.extend_from_slice(&item.id.0.to_be_bytes());
        rows.insert((Table::Attributes, row));
    }
    if item.status != Status::Retired {
        for identifier in item_identifiers(item, schema) {
            let mut row = identifier.digest.to_vec();
            row.extend_from_slice(&item.id.0.to_be_bytes());
            rows.insert((Table::Identifiers, row));
        }
    }
    if let Some(due) = reconcile::item_due(item, schema) {
        rows.insert((Table::Timers, key::item_timer(due, item.id)));
    }
    for claim in item.claims.iter().filter(|claim| !claim.marks.stale.is_empty()) {
        rows.insert((Table::Timers, key::silent_item(claim.source, item.id)));
    }
    rows
}
