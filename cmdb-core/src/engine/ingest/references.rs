//! What a reference means.

use super::Stating;
use crate::change::Draft;
use crate::claim::{Match, Reference};
use crate::model::{ItemId, Problem, Reason, SourceId};
use crate::store::StoreError;

/// What a reference leads to.
pub(super) enum Resolved {
    /// An item.
    Item(ItemId),
    /// Whichever item matches, now or later.
    Match(Match),
    /// The item that will be called so.
    Later(Reference),
}

/// Resolves a reference of a claim; `this` is the item of the claim itself.
pub(super) fn resolve(
    draft: &Draft<'_>,
    stating: &Stating<'_>,
    this: Option<ItemId>,
    reference: &Reference,
) -> Result<Result<Resolved, Problem>, StoreError> {
    let found = match reference {
        Reference::Match(wanted) => return Ok(check_match(draft, wanted).map(Resolved::Match)),
        Reference::This => this,
        Reference::Id(id) => by_id(draft, *id)?,
        Reference::Key(key) => by_key(draft, stating.source, key)?,
        Reference::SourceKey { source, key } => {
            match draft.source_named(source).map(|source| source.id) {
                Some(source) => by_unit(draft, source, key)?,
                // A key may have a colon of its own.
                None => by_unit(draft, stating.source, &format!("{source}:{key}"))?,
            }
        }
    };
    Ok(found.map(Resolved::Item).ok_or_else(|| unknown(&described(reference))))
}

fn described(reference: &Reference) -> String {
    match reference {
        Reference::This => "the item of the claim itself".to_owned(),
        Reference::Id(id) => id.to_string(),
        Reference::Key(key) => key.clone(),
        Reference::SourceKey { source, key } => format!("{source}:{key}"),
        Reference::Match(wanted) => format!("match on {}", wanted.class),
    }
}

fn by_key(draft: &Draft<'_>, source: SourceId, key: &str) -> Result<Option<ItemId>, StoreError> {
    if let Some(found) = by_unit(draft, source, key)? {
        return Ok(Some(found));
    }
    if let Ok(id) = key.parse::<ItemId>() {
        return by_id(draft, id);
    }
    match key.split_once(':').and_then(|(source, key)| Some((draft.source_named(source)?.id, key))) {
        Some((other, key)) => by_unit(draft, other, key),
        None => Ok(None),
    }
}

fn by_id(draft: &Draft<'_>, id: ItemId) -> Result<Option<ItemId>, StoreError> {
    let id = draft.followed(id)?;
    Ok(draft.item(id)?.map(|item| item.id))
}

fn by_unit(draft: &Draft<'_>, source: SourceId, key: &str) -> Result<Option<ItemId>, StoreError> {
    draft.item_of_unit(source, key)
}

fn unknown(text: &str) -> Problem {
    Problem::new(Reason::ReferenceUnknown, format!("no item is called \"{text}\""), text)
        .expected("a key of the same source, source:key, an id such as @42, or a match", text)
        .hint("name the item in the same batch or before it, or use a match, which waits")
}

/// A match can be kept up only on indexed attributes.
fn check_match(draft: &Draft<'_>, wanted: &Match) -> Result<Match, Problem> {
    let schema = draft.schema();
    let thing = || format!("match on {}", wanted.class);
    if !wanted.class.is_empty() && schema.class(&wanted.class).is_none() {
        let hint = schema
            .nearest_class(&wanted.class)
            .map_or_else(String::new, |near| format!("did you mean {near}?"));
        let message = format!("there is no class \"{}\"", wanted.class);
        return Err(Problem::new(Reason::ClassUnknown, message, thing()).hint(hint));
    }
    if wanted.attributes.is_empty() {
        return Err(Problem::new(Reason::MatchInvalid, "a match names no attribute", thing())
            .expected("at least one indexed attribute, such as host_name", ""));
    }
    let mut fitted = Match { class: wanted.class.clone(), attributes: Default::default() };
    for (name, value) in &wanted.attributes {
        let indexed = name == "name"
            || schema.attribute(&wanted.class, name).is_some_and(|attribute| attribute.indexed);
        if !indexed {
            return Err(Problem::new(
                Reason::MatchInvalid,
                format!("{name} is not indexed, so nothing can be matched by it"),
                thing(),
            )
            .expected("name, or an attribute that `cmdb classes` shows as indexed", name.clone()));
        }
        let value = schema.fit(&wanted.class, name, value.clone())?;
        if name != "name" && schema.normalise_each(&wanted.class, name, &value).is_empty() {
            return Err(Problem::new(
                Reason::MatchInvalid,
                format!("{name} = \"{value}\" says nothing, so nothing can be matched by it"),
                thing(),
            ));
        }
        fitted.attributes.insert(name.clone(), value);
    }
    Ok(fitted)
}
