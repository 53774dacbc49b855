//! ITEM as people write it: an id, a key, source:key, or a unique name.

use std::collections::{BTreeMap, BTreeSet};

use super::Reader;
use crate::engine::request::EngineError;
use crate::model::item::{ItemClaimState, REDIRECTS_MAX};
use crate::model::nearest::nearest;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, Problem, Reason, SourceId, Status, Timestamp};
use crate::store::record::{self, UnitRecord};
use crate::store::{Range, Table, key};

/// The most candidates that an ambiguity lists.
pub const CANDIDATES_LISTED_MAX: usize = 10;
/// The most names, and keys, that a misspelt one is compared with.
const COMPARED_MAX: usize = 50_000;

/// What a text leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// The item.
    pub item: ItemId,
    /// The item that was named by its id or name, and was merged into that one.
    pub redirected_from: Option<ItemId>,
}

impl Reader {
    /// The item that is meant, at the moment that is read.
    ///
    /// # Errors
    /// When there is none (with the nearest), several (with the candidates), or the store cannot be read.
    pub fn resolve(&self, text: &str) -> Result<ItemId, EngineError> {
        Ok(self.resolve_followed(text)?.item)
    }

    /// The item that is meant, and the merged one that led to it.
    ///
    /// # Errors
    /// As [`Reader::resolve`].
    pub fn resolve_followed(&self, text: &str) -> Result<Resolved, EngineError> {
        let found = self.resolve_as_it_is(text)?;
        let mut item = found;
        for _ in 0..REDIRECTS_MAX {
            match self.item(item)?.and_then(|item| item.merged_into) {
                Some(next) => item = next,
                None => break,
            }
        }
        Ok(Resolved { item, redirected_from: (item != found).then_some(found) })
    }

    /// The merged item that an id or a name names, to be split off again.
    ///
    /// # Errors
    /// When there is none, several, or the store cannot be read.
    pub fn resolve_merged(&self, text: &str) -> Result<ItemId, EngineError> {
        let wanted = text.to_lowercase();
        let found = match text.parse::<ItemId>() {
            Ok(id) => BTreeSet::from([id]),
            Err(_) => self.named(&wanted)?,
        };
        let merged = self.then(found, |item| {
            item.merged_into.is_some() && (item.id.to_string() == text || item.name.to_lowercase() == wanted)
        })?;
        if merged.is_empty() {
            return Err(Problem::new(
                Reason::ItemNotFound,
                format!("no merged item is called \"{text}\""),
                text,
            )
            .expected("the id or the name of an item that was merged into another", text)
            .hint("`cmdb explain ITEM` shows which items were merged into ITEM")
            .into());
        }
        self.one(text, "name", merged)
    }

    fn resolve_as_it_is(&self, text: &str) -> Result<ItemId, EngineError> {
        if let Ok(id) = text.parse::<ItemId>() {
            return if self.exists(id)? { Ok(id) } else { Err(not_found(text, None).into()) };
        }
        let by_key = self.by_key(None, text)?;
        if !by_key.is_empty() {
            return self.one(text, "key", by_key);
        }
        if let Some((source, key)) = text.split_once(':')
            && let Some(source) = self.moment.sources.named(source)
            && let Some(item) = self.by_key(Some(source.id), key)?.first()
        {
            return Ok(*item);
        }
        let by_name = self.by_name(text)?;
        if !by_name.is_empty() {
            return self.one(text, "name", by_name);
        }
        let near = self.nearest(text)?;
        Err(not_found(text, near).into())
    }

    /// The items that a source (or any) calls by a key.
    fn by_key(&self, source: Option<SourceId>, text: &str) -> Result<BTreeSet<ItemId>, EngineError> {
        let prefix = match source {
            Some(source) => key::unit(source, UnitKind::Item, text),
            None => key::units(UnitKind::Item, text),
        };
        let mut found = BTreeSet::new();
        for (_, row) in self.snapshot().scan(Table::Units, &Range::prefix(prefix), 1_000)? {
            found.extend(record::decode::<UnitRecord>(Table::Units, &row)?.item.map(ItemId));
        }
        let called =
            |claim: &&ItemClaimState| claim.key == text && source.is_none_or(|source| claim.source == source);
        let found = self.then(found, |item| item.claims.iter().any(|claim| called(&claim)))?;
        if self.past.is_none() || found.len() < 2 {
            return Ok(found);
        }
        // A source's key leads to one item: the one that it called so last. Others had that key before.
        let mut last: BTreeMap<SourceId, (bool, Option<Timestamp>, ItemId)> = BTreeMap::new();
        for item in self.items(&found.into_iter().collect::<Vec<_>>())?.into_iter().flatten() {
            for claim in item.claims.iter().filter(called) {
                let this = (claim.withdrawn_at.is_none(), claim.withdrawn_at, item.id);
                let known = last.entry(claim.source).or_insert(this);
                *known = (*known).max(this);
            }
        }
        Ok(last.into_values().map(|(_, _, id)| id).collect())
    }

    fn by_name(&self, text: &str) -> Result<BTreeSet<ItemId>, EngineError> {
        let text = text.to_lowercase();
        let found = self.named(&text)?;
        let live = self
            .then(found.clone(), |item| item.status != Status::Retired && item.name.to_lowercase() == text)?;
        if !live.is_empty() {
            return Ok(live);
        }
        self.then(found, |item| item.merged_into.is_some() && item.name.to_lowercase() == text)
    }

    /// The items that the index of the present knows by a name in lower case.
    fn named(&self, text: &str) -> Result<BTreeSet<ItemId>, EngineError> {
        let prefix = key::attribute_value("name", text);
        let rows = self.snapshot().scan(Table::Attributes, &Range::prefix(prefix), 1_000)?;
        Ok(rows.iter().filter_map(|(row, _)| key::item_at_end(row)).collect())
    }

    /// What fits at the moment that is read: of what the indexes of the present name, and of what changed since.
    pub(super) fn then(
        &self,
        found: BTreeSet<ItemId>,
        fits: impl Fn(&Item) -> bool,
    ) -> Result<BTreeSet<ItemId>, EngineError> {
        /// Items decoded at a time.
        const AT_ONCE: usize = 1_024;
        let changed = self.past.iter().flat_map(|past| past.items.keys().copied());
        let candidates: Vec<ItemId> = found.into_iter().chain(changed).collect();
        let mut then = BTreeSet::new();
        for some in candidates.chunks(AT_ONCE) {
            then.extend(self.items(some)?.into_iter().flatten().filter(&fits).map(|item| item.id));
        }
        Ok(then)
    }

    fn one(&self, text: &str, what: &str, found: BTreeSet<ItemId>) -> Result<ItemId, EngineError> {
        if let (1, Some(only)) = (found.len(), found.first()) {
            return Ok(*only);
        }
        let some: Vec<_> = found.iter().copied().take(CANDIDATES_LISTED_MAX).collect();
        let mut listed = Vec::new();
        for item in self.items(&some)?.into_iter().flatten() {
            let key = item.key().map_or_else(String::new, |(source, key)| {
                let source = self.source(source).map_or("", |source| source.name.as_str());
                format!(", {source}:{key}")
            });
            listed.push(format!("{} ({} \"{}\"{key})", item.id, item.class, item.name));
        }
        if found.len() > listed.len() {
            listed.push(format!("and {} more", found.len() - listed.len()));
        }
        Err(Problem::new(
            Reason::ItemAmbiguous,
            format!("{} items have the {what} \"{text}\"", found.len()),
            text,
        )
        .expected("an id, a key, source:key, or a unique name", text)
        .hint(format!("say which: {}", listed.join("; ")))
        .into())
    }

    /// The name or key that a misspelt one may mean.
    fn nearest(&self, text: &str) -> Result<Option<String>, EngineError> {
        if let Some((source, key)) = text.split_once(':')
            && let Some(near) = self.nearest_of_source(source, key)?
        {
            return Ok(Some(near));
        }
        let prefix = Range::prefix(key::class("name"));
        let names = self.snapshot().scan(Table::Attributes, &prefix, COMPARED_MAX)?;
        let keys = self.snapshot().scan(Table::Units, &Range::prefix(vec![0]), COMPARED_MAX)?;
        let names = names.iter().filter_map(|(row, _)| {
            let (_, rest) = key::split_text(row)?;
            Some(key::split_text(rest)?.0)
        });
        let keys = keys.iter().filter_map(|(row, _)| key::split_unit(row).map(|(_, _, key)| key));
        let candidates: BTreeSet<String> = names.chain(keys).collect();
        Ok(nearest(text, candidates.iter().map(String::as_str)).map(str::to_owned))
    }
}

impl Reader {
    /// What may be meant by source:key: another key of that source, or the same key of a source of another name.
    fn nearest_of_source(&self, source: &str, wanted: &str) -> Result<Option<String>, EngineError> {
        let (name, known) = match self.moment.sources.named(source) {
            Some(known) => (source, known),
            None => {
                let names = self.moment.sources.names();
                let Some(name) = nearest(source, names) else { return Ok(None) };
                let Some(known) = self.moment.sources.named(name) else { return Ok(None) };
                (known.name.as_str(), known)
            }
        };
        if name != source && !self.by_key(Some(known.id), wanted)?.is_empty() {
            return Ok(Some(format!("{name}:{wanted}")));
        }
        let rows = self.snapshot().scan(Table::Units, &Range::prefix(vec![0]), COMPARED_MAX)?;
        let keys = rows.iter().filter_map(|(row, _)| key::split_unit(row));
        let keys: BTreeSet<String> =
            keys.filter(|(source, _, _)| *source == known.id).map(|(_, _, key)| key).collect();
        let near = nearest(wanted, keys.iter().map(String::as_str));
        Ok(near.map(|near| format!("{name}:{near}")))
    }
}

fn not_found(text: &str, near: Option<String>) -> Problem {
    let hint = match near {
        Some(near) => format!("did you mean \"{near}\"? `cmdb items` lists what there is"),
        None => "`cmdb items` lists what there is".to_owned(),
    };
    Problem::new(Reason::ItemNotFound, format!("no item is called \"{text}\""), text)
        .expected("an id such as @42, a key, source:key, or a unique name", text)
        .hint(hint)
}
