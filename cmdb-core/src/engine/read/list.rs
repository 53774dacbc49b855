//! Listing items: by class, filter and order, a page at a time.

use std::collections::BTreeSet;

use super::Reader;
use crate::engine::request::{EngineError, Figured, List, Page};
use crate::model::item::Status;
use crate::model::schema::Schema;
use crate::model::{Item, ItemId, Problem, Reason, Value};
use crate::query::{Filter, Sort};
use crate::store::{Range, Table, key};

/// The most items on one page.
pub const PAGE_MAX: usize = 10_000;
/// The attribute that says that somebody works on an item.
const MAINTENANCE: &str = "maintenance";
/// Items looked at together.
const AT_ONCE: usize = 1_024;

impl Reader {
    /// One page of items.
    ///
    /// # Errors
    /// When class, filter, order or page token are wrong, or the store cannot be read.
    pub fn list(&self, list: &List) -> Result<Page, EngineError> {
        self.list_by(list, None)
    }

    /// The same; an order by the name of a figure goes by that.
    ///
    /// # Errors
    /// As of [`list`](Reader::list).
    pub fn list_by(&self, list: &List, figured: Option<Figured<'_>>) -> Result<Page, EngineError> {
        let filter = if list.filter.is_empty() { None } else { Some(Filter::parse(&list.filter)?) };
        if let Some(filter) = &filter {
            filter.check(&self.inner.schema)?;
        }
        let sort = if list.sort.is_empty() { None } else { Some(Sort::parse(&list.sort)?) };
        let offset = self.offset(&list.page_token)?;
        let size = list.page_size.clamp(1, PAGE_MAX);
        let candidates = self.candidates(list, filter.as_ref())?;
        let figured =
            figured.filter(|figured| sort.as_ref().is_some_and(|sort| sort.attribute == figured.name));
        let (chosen, without_figure) = match (&filter, &sort, figured) {
            (None, None, _) => (candidates, 0),
            (None, Some(sort), Some(figured)) => by_figure(candidates, sort, figured),
            (Some(filter), Some(sort), Some(figured)) => {
                by_figure(self.choose(&candidates, Some(filter), None)?, sort, figured)
            }
            _ => (self.choose(&candidates, filter.as_ref(), sort.as_ref())?, 0),
        };
        let total = chosen.len() as u64;
        if let (0, Some(misspelt)) =
            (total, filter.as_ref().and_then(|filter| filter.misspelt(&self.inner.schema)))
        {
            return Err(misspelt.into());
        }
        if list.count_only {
            return Ok(Page { total, without_figure, ..Page::default() });
        }
        let page: Vec<ItemId> = chosen.iter().copied().skip(offset).take(size).collect();
        let end = offset + page.len();
        let next_page_token = if end < chosen.len() { end.to_string() } else { String::new() };
        let items = self.items(&page)?.into_iter().flatten().collect();
        Ok(Page { items, next_page_token, total, without_figure })
    }

    fn offset(&self, token: &str) -> Result<usize, EngineError> {
        if token.is_empty() {
            return Ok(0);
        }
        let wrong = || {
            Problem::new(Reason::FilterInvalid, "this page token was not given by this server", token)
                .hint("begin again without a page token")
        };
        Ok(token.parse().map_err(|_| wrong())?)
    }

    /// The items of the class that may match, in order of their ids.
    fn candidates(&self, list: &List, filter: Option<&Filter>) -> Result<Vec<ItemId>, EngineError> {
        let schema = self.schema_then()?;
        if !list.class.is_empty() && schema.class(&list.class).is_none() {
            return Err(unknown_class(&schema, &list.class).into());
        }
        let graph = self.graph();
        let fits = |id: ItemId| {
            let there = self.past.as_ref().and_then(|past| past.item(id)).is_none_or(|was| was.is_some());
            there
                && graph.index(id).is_some_and(|index| {
                    let live = list.retired || graph.status(index) != Status::Retired;
                    live && (list.class.is_empty() || schema.is_a(graph.class(index), &list.class))
                })
        };
        let mut ids: Vec<ItemId> = match self.indexed(list, filter)? {
            Some(found) => found.into_iter().filter(|id| fits(*id)).collect(),
            None => graph.indexes().map(|index| graph.id(index)).filter(|id| fits(*id)).collect(),
        };
        ids.sort_unstable();
        Ok(ids)
    }

    /// The items that an equality of the filter leaves, where an index knows; retired items are not in it.
    fn indexed(&self, list: &List, filter: Option<&Filter>) -> Result<Option<BTreeSet<ItemId>>, EngineError> {
        // Indexes speak of the present.
        let Some(filter) = filter.filter(|_| !list.retired && self.past.is_none()) else { return Ok(None) };
        let schema = &self.inner.schema;
        for (name, literal) in filter.equalities() {
            let value = if name == "name" {
                None
            } else {
                schema.attribute("", name).filter(|_| schema.is_indexed(name)).and_then(|attribute| {
                    let wanted = attribute.element.unwrap_or(attribute.value_type);
                    schema.normalise_each("", name, &literal.typed(wanted)?).pop()
                })
            };
            let Some(value) = value else { continue };
            let mut found = BTreeSet::new();
            let prefix = Range::prefix(key::attribute_value(name, &value));
            crate::store::for_each(self.snapshot(), Table::Attributes, prefix, |row, _| {
                found.extend(key::item_at_end(row));
                Ok::<(), EngineError>(())
            })?;
            return Ok(Some(found));
        }
        Ok(None)
    }

    /// The items that are in maintenance at the present; none at a past moment, of which there is no index.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn in_maintenance(&self) -> Result<Vec<ItemId>, EngineError> {
        if self.past.is_some() {
            return Ok(Vec::new());
        }
        let list = List { filter: format!("{MAINTENANCE} = true"), ..List::default() };
        let filter = Filter::parse(&list.filter)?;
        self.choose(&self.candidates(&list, Some(&filter))?, Some(&filter), None)
    }

    /// Those that match, in order.
    fn choose(
        &self,
        candidates: &[ItemId],
        filter: Option<&Filter>,
        sort: Option<&Sort>,
    ) -> Result<Vec<ItemId>, EngineError> {
        let schema = &self.inner.schema;
        let mut chosen: Vec<(Option<Value>, ItemId)> = Vec::new();
        for some in candidates.chunks(AT_ONCE) {
            for item in self.items(some)?.into_iter().flatten() {
                let matches = filter.is_none_or(|filter| {
                    filter.matches(&|name| self.value(&item, name), &|class| schema.is_a(&item.class, class))
                });
                if matches {
                    let key = sort.and_then(|sort| self.value(&item, &sort.attribute));
                    chosen.push((key, item.id));
                }
            }
        }
        if let Some(sort) = sort {
            self.check_sort(sort, &chosen)?;
            chosen.sort_by(|(one, _), (other, _)| sort.compare(one.as_ref(), other.as_ref()));
        }
        Ok(chosen.into_iter().map(|(_, id)| id).collect())
    }

    /// An order by something that no class declares and no item has is a slip.
    fn check_sort(&self, sort: &Sort, chosen: &[(Option<Value>, ItemId)]) -> Result<(), EngineError> {
        let schema = &self.inner.schema;
        let name = &sort.attribute;
        if schema.attribute("", name).is_some() || chosen.iter().any(|(value, _)| value.is_some()) {
            return Ok(());
        }
        let near = schema.nearest_attribute("", name);
        let hint = near.map_or_else(String::new, |near| format!("did you mean {near}?"));
        Err(Problem::new(
            Reason::FilterInvalid,
            format!("no item has anything called \"{name}\" to sort by"),
            name.clone(),
        )
        .expected("an attribute, or id, key, source, class, name, status", name.clone())
        .hint(hint)
        .into())
    }

    /// An attribute, or one of the things that every item has.
    pub(super) fn value(&self, item: &Item, name: &str) -> Option<Value> {
        let key = || item.key();
        match name {
            "id" => Some(Value::Text(item.id.to_string())),
            "name" => Some(Value::Text(item.name.clone())),
            "class" => Some(Value::Text(item.class.clone())),
            "status" => Some(Value::Text(item.status.name().to_owned())),
            "key" => key().map(|(_, key)| Value::Text(key.to_owned())),
            "source" => {
                let source = self.source(key()?.0)?;
                Some(Value::Text(source.name.clone()))
            }
            _ => item.attribute(name).map(|effective| effective.value.clone()),
        }
    }
}

/// Items in the order of a figure, and how many have none. Those of one figure stay in the order in which they are.
fn by_figure(items: Vec<ItemId>, sort: &Sort, figured: Figured<'_>) -> (Vec<ItemId>, u64) {
    let value =
        |id: &ItemId| (figured.of)(*id).map(|figure| Value::Integer(figure.try_into().unwrap_or(i64::MAX)));
    let mut valued: Vec<(Option<Value>, ItemId)> = items.iter().map(|id| (value(id), *id)).collect();
    let without = valued.iter().filter(|(value, _)| value.is_none()).count() as u64;
    valued.sort_by(|(one, _), (other, _)| sort.compare(one.as_ref(), other.as_ref()));
    (valued.into_iter().map(|(_, id)| id).collect(), without)
}

pub(super) fn unknown_class(schema: &Schema, class: &str) -> Problem {
    let hint = match schema.nearest_class(class) {
        Some(near) => format!("did you mean {near}? `cmdb classes` lists them all"),
        None => "`cmdb classes` lists them".to_owned(),
    };
    Problem::new(Reason::ClassUnknown, format!("there is no class \"{class}\""), class).hint(hint)
}
