//! What the rows of an item identify it by: hardware addresses of its interfaces, say.
//!
//! A report is identified by the rows that it names itself; here those count that are stored.

use std::collections::BTreeSet;

use crate::engine::read::Reader;
use crate::engine::request::EngineError;
use crate::identify::{self, Criterion, Identifier};
use crate::model::schema::{Lookup, Rows, Schema, Step};
use crate::model::{Item, ItemId, Relationship, Status};
use crate::store::{Range, Table, key};

/// The most rows of an item that are compared.
const ROWS_MAX: usize = 1_000;

/// The identifiers that an item has by its rows.
pub(super) fn identifiers(
    reader: &Reader,
    item: &Item,
    schema: &Schema,
) -> Result<Vec<Identifier>, EngineError> {
    let mut found: Vec<Identifier> = Vec::new();
    for claim in item.standing() {
        let class = if claim.class.is_empty() { &item.class } else { &claim.class };
        let attribute = |name: &str| claim.attributes.get(name).map(|stated| &stated.value);
        for criterion in identify::evidence(schema, class, attribute, claim.within).criteria {
            for identifier in by_rows(reader, item.id, &criterion, schema)? {
                if !found.iter().any(|known| known.digest == identifier.digest) {
                    found.push(identifier);
                }
            }
        }
    }
    Ok(found)
}

fn by_rows(
    reader: &Reader,
    item: ItemId,
    criterion: &Criterion,
    schema: &Schema,
) -> Result<Vec<Identifier>, EngineError> {
    let rows = rows(reader, item, &criterion.lookup, schema)?;
    let sets: Vec<BTreeSet<String>> = match criterion.lookup.rows {
        _ if rows.is_empty() => Vec::new(),
        Rows::Any => rows.into_iter().map(|row| [row].into()).collect(),
        Rows::All => vec![rows],
    };
    Ok(sets.iter().map(|rows| identifier(criterion, rows)).collect())
}

fn identifier(criterion: &Criterion, rows: &BTreeSet<String>) -> Identifier {
    let (attributes, values) = (criterion.attributes(), criterion.values(rows));
    let of = |parts: &[&[String]]| -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        for part in parts.iter().copied().flatten().chain([&criterion.declared_by]) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut digest = [0; 16];
        hasher.finalize_xof().fill(&mut digest);
        digest
    };
    let (rule, digest) = (of(&[&attributes]), of(&[&attributes, &values]));
    Identifier { digest, rule, attributes, values, strength: criterion.strength, one_of_many: true }
}

/// What the rows of an item say now.
fn rows(
    reader: &Reader,
    item: ItemId,
    lookup: &Lookup,
    schema: &Schema,
) -> Result<BTreeSet<String>, EngineError> {
    let mut at: BTreeSet<ItemId> = [item].into();
    for step in lookup.by.iter().rev() {
        let mut before = BTreeSet::new();
        for id in at {
            before.extend(step_back(reader, id, step)?);
        }
        at = before.into_iter().take(ROWS_MAX).collect();
    }
    let mut values = BTreeSet::new();
    for row in reader.items(&at.into_iter().collect::<Vec<_>>())?.into_iter().flatten() {
        if row.status == Status::Retired || !schema.is_a(&row.class, &lookup.class) {
            continue;
        }
        for claim in row.standing() {
            let stated = claim.attributes.get(&lookup.attribute);
            let each =
                stated.map(|stated| schema.normalise_row(&row.class, &lookup.attribute, &stated.value));
            values.extend(each.unwrap_or_default());
        }
    }
    Ok(values)
}

/// The items from which a step leads to this one.
fn step_back(reader: &Reader, to: ItemId, step: &Step) -> Result<Vec<ItemId>, EngineError> {
    let (kind, inwards) = match step {
        Step::Within => {
            let range = Range::prefix(key::hosted_by(to));
            let rows = reader.snapshot().scan(Table::Attributes, &range, ROWS_MAX)?;
            return Ok(rows.iter().filter_map(|(row, _)| key::item_at_end(row)).collect());
        }
        Step::To(kind) => (kind, true),
        Step::From(kind) => (kind, false),
    };
    let (edges, _) = reader.relationships(to, ROWS_MAX)?;
    let there = |edge: &&Relationship| edge.kind == *kind && edge.stands() && (edge.to == to) == inwards;
    Ok(edges.iter().filter(there).map(|edge| if inwards { edge.from } else { edge.to }).collect())
}
