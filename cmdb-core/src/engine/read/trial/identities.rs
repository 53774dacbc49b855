//! Which items would share an identifier, and which share one now.
//!
//! Each identifier of each item becomes a row `[digest][item][under which rules, how strong]`; sorted, the items of one
//! identifier stand together.

use super::{Trial, TrialOptions, rows};
use crate::change::item_identifiers;
use crate::engine::read::Reader;
use crate::engine::request::EngineError;
use crate::identify::{self, Identifier};
use crate::model::schema::{Schema, Strength};
use crate::model::{Item, ItemId};
use crate::store::runs::Runs;

/// The most items of one identifier that are listed.
pub const SHARING_MAX: usize = 64;

const ROW_BYTES: usize = 16 + 8 + 1;
/// Under the rules that are tried; otherwise under those in force.
const TRIED: u8 = 1;
const STRONG: u8 = 2;

/// An identifier that several items have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedIdentifier {
    /// The attributes of the rule.
    pub attributes: Vec<String>,
    /// Their values, normalised.
    pub values: Vec<String>,
    /// What a match is worth.
    pub strong: bool,
    /// The items, at most [`SHARING_MAX`].
    pub items: Vec<ItemId>,
    /// All of them.
    pub items_total: u64,
    /// Another identifier contradicts, or a person told them apart.
    pub kept_apart: bool,
}

pub(super) struct Identities<'a> {
    options: TrialOptions<'a>,
    rows: Runs<ROW_BYTES>,
}

/// The items of one identifier, under both rules.
#[derive(Default)]
struct Group {
    digest: [u8; 16],
    now: Sharing,
    tried: Sharing,
}

/// Items that have an identifier.
#[derive(Default, PartialEq, Eq)]
struct Sharing {
    first: Vec<(ItemId, bool)>,
    total: u64,
    /// Of all of them, so that two can be compared.
    sum: u64,
}

impl Sharing {
    fn add(&mut self, id: ItemId, strong: bool) {
        /// Spreads numbers that follow each other.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.total += 1;
        self.sum =
            self.sum.wrapping_add((id.0 << 1 | u64::from(strong)).wrapping_mul(SPREAD).rotate_left(23));
        if self.first.len() < SHARING_MAX {
            self.first.push((id, strong));
        }
    }
}

impl<'a> Identities<'a> {
    pub(super) fn new(options: TrialOptions<'a>) -> Identities<'a> {
        Identities { options, rows: Runs::new(options.directory, options.memory_bytes) }
    }

    pub(super) fn add(&mut self, reader: &Reader, item: &Item, tried: &Schema) -> Result<(), EngineError> {
        for (schema, flag) in [(reader.schema(), 0), (tried, TRIED)] {
            let by_rows = rows::identifiers(reader, item, schema)?;
            for identifier in item_identifiers(item, schema).into_iter().chain(by_rows) {
                let strong = if identifier.strength == Strength::Strong { STRONG } else { 0 };
                let mut row = [0; ROW_BYTES];
                row[..16].copy_from_slice(&identifier.digest);
                row[16..24].copy_from_slice(&item.id.0.to_be_bytes());
                row[24] = flag | strong;
                self.rows.push(row)?;
            }
        }
        Ok(())
    }

    pub(super) fn compare(
        self,
        reader: &Reader,
        tried: &Schema,
        trial: &mut Trial,
    ) -> Result<(), EngineError> {
        let limit = self.options.limit;
        let mut group = Group::default();
        self.rows.for_each(|row| {
            let digest: [u8; 16] = *row.first_chunk().expect("a row is longer");
            if digest != group.digest {
                std::mem::take(&mut group).tell(reader, tried, limit, trial)?;
                group.digest = digest;
            }
            let id = ItemId(u64::from_be_bytes(row[16..24].try_into().expect("eight bytes")));
            let list = if row[24] & TRIED == 0 { &mut group.now } else { &mut group.tried };
            list.add(id, row[24] & STRONG != 0);
            Ok::<(), EngineError>(())
        })?;
        group.tell(reader, tried, limit, trial)
    }
}

impl Group {
    fn tell(
        self,
        reader: &Reader,
        tried: &Schema,
        limit: usize,
        trial: &mut Trial,
    ) -> Result<(), EngineError> {
        if self.now == self.tried {
            return Ok(());
        }
        let sides =
            [(&self.tried, tried, &mut trial.shared), (&self.now, reader.schema(), &mut trial.parted)];
        for (sharing, schema, list) in sides {
            if sharing.total < 2 {
                continue;
            }
            list.total += 1;
            if list.first.len() < limit {
                list.first.push(shared(reader, schema, &self.digest, sharing)?);
            }
        }
        Ok(())
    }
}

fn shared(
    reader: &Reader,
    schema: &Schema,
    digest: &[u8; 16],
    sharing: &Sharing,
) -> Result<SharedIdentifier, EngineError> {
    let ids: Vec<ItemId> = sharing.first.iter().map(|(id, _)| *id).collect();
    let items: Vec<Item> = reader.items(&ids)?.into_iter().flatten().collect();
    let (attributes, values) = match items.first() {
        Some(item) => {
            let by_rows = rows::identifiers(reader, item, schema)?;
            let all = item_identifiers(item, schema).into_iter().chain(by_rows);
            let found = all.into_iter().find(|identifier| identifier.digest == *digest);
            found.map(|found| (found.attributes, found.values)).unwrap_or_default()
        }
        None => Default::default(),
    };
    let strong_of = |item: &Item| -> Vec<Identifier> {
        let all = item_identifiers(item, schema).into_iter();
        all.filter(|identifier| identifier.strength == Strength::Strong).collect()
    };
    let strong = sharing.first.iter().any(|(_, strong)| *strong);
    let apart = |one: &Item, other: &Item| {
        one.distinct_from.contains(&other.id)
            || (!strong && identify::contradicts(&strong_of(one), &strong_of(other)))
    };
    let mut pairs = items
        .iter()
        .enumerate()
        .flat_map(|(place, one)| items[place + 1..].iter().map(move |other| (one, other)));
    let kept_apart = pairs.all(|(one, other)| apart(one, other));
    Ok(SharedIdentifier { attributes, values, strong, items: ids, items_total: sharing.total, kept_apart })
}
