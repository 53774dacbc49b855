//! Erasing a secret or personal value: from what every source says, from what was derived from it, from the whole
//! history, and from stored scenarios.
//!
//! What is left is a tombstone on each version that held a value: who erased it, when and why. From then on nobody but
//! a person may state the attribute, whatever the value, until the tombstone is lifted: a machine that still says the
//! value says it again at its next scan. No digest of the value is kept to know it by, because short values are
//! guessed from their digests.
//!
//! Whose value it is: the item's, and that of items merged into it. Where the item was itself merged into another one
//! for a while, the other's history holds its claims; there, only these are erased.

use std::collections::{BTreeMap, BTreeSet};

use super::correct;
use super::ingest;
use super::request::{Actor, Applied, Purge, PurgeOutcome, Purgeable, Purging};
use crate::change::{self, Draft, VERSIONS_MAX};
use crate::model::item::{ItemClaimState, Purged};
use crate::model::{Item, ItemId, Problem, Reason, SourceId, SourceKind};
use crate::scenario::{Edit, SCENARIOS_MAX, Subject, scenario_from, scenario_record};
use crate::store::record::{self, HeadRecord};
use crate::store::{Read, StoreError, Table, key};

mod reason;
mod waiting;

/// The most items merged into one whose values are erased with it.
const MERGED_MAX: usize = 10_000;
/// The most values whose references are looked for.
const VALUES_MAX: usize = 256;
/// The most references to one value that are counted.
const REFERENCES_MAX: usize = 1_000;

/// Of what the key of a claim was said.
type Name = (SourceId, String);

/// What the log holds of the item's family.
#[derive(Default)]
struct Found {
    /// The item and those merged into it.
    family: BTreeSet<ItemId>,
    /// Others that held claims of them for a while.
    hosts: BTreeSet<ItemId>,
    /// What those claims are called.
    names: BTreeSet<Name>,
    /// The values that were effective, as indexes have them.
    values: BTreeSet<String>,
    /// Versions that hold a value.
    versions: usize,
}

/// Does what is asked; what it did, and which sources are to say what they say again.
pub(super) fn purge(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    ask: &Purge,
) -> Result<Result<(PurgeOutcome, BTreeSet<SourceId>), Problem>, StoreError> {
    let outcome = match (&ask.subject, ask.what) {
        (Purgeable::Attribute { item, attribute }, Purging::Erase) => {
            erase(draft, read, *item, attribute, &ask.actor)?
        }
        (Purgeable::Attribute { item, attribute }, Purging::Lift) => {
            return Ok(lift(draft, *item, attribute)?.map(|asked| (PurgeOutcome::default(), asked)));
        }
        (Purgeable::Waiting { source, key, attribute }, Purging::Erase) => {
            waiting::erase_of(draft, source, key, attribute)?
        }
        (Purgeable::Reason(revision), Purging::Erase) => reason::erase(draft, read, *revision, &ask.actor)?,
        (Purgeable::Waiting { .. } | Purgeable::Reason(_), Purging::Lift) => {
            let message = "only the attribute of an item can be stated again after a purge";
            Err(Problem::new(Reason::AttributeUnusable, message, "lift")
                .hint("what waits and what is a reason is not held back: nothing is to be lifted"))
        }
    };
    Ok(outcome.map(|outcome| (outcome, BTreeSet::new())))
}

/// Erases every value of an attribute.
fn erase(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    id: ItemId,
    attribute: &str,
    actor: &Actor,
) -> Result<Result<PurgeOutcome, Problem>, StoreError> {
    let item = match required(draft, id, attribute, actor)? {
        Ok(item) => item,
        Err(problem) => return Ok(Err(problem)),
    };
    let found = match search(draft, read, id, attribute)? {
        Ok(found) => found,
        Err(problem) => return Ok(Err(problem)),
    };
    let tombstone = Purged {
        revision: draft.revision(),
        by: actor.name.clone(),
        at: draft.now(),
        reason: actor.reason.clone(),
        suppressed: false,
    };
    let mut outcome = PurgeOutcome { items: found.family.iter().copied().collect(), ..Default::default() };
    let anybody = |_: &ItemClaimState| true;
    let theirs = |claim: &ItemClaimState| found.names.contains(&(claim.source, claim.key.clone()));
    for member in &found.family {
        if !erase_item(draft, *member, attribute, &tombstone, true, &anybody, &mut outcome)? {
            return Ok(Err(too_many(id, attribute)));
        }
    }
    for host in &found.hosts {
        if !erase_item(draft, *host, attribute, &tombstone, false, &theirs, &mut outcome)? {
            return Ok(Err(too_many(id, attribute)));
        }
    }
    draft.settle_erased()?;
    outcome.scenarios = erase_scenarios(draft, &found.family, attribute)?;
    outcome.waiting = waiting::erase_with(draft, attribute, &found)?;
    if outcome.versions == 0 && outcome.scenarios.is_empty() && outcome.waiting == 0 {
        let message = format!("nobody ever said anything of {attribute} of {id}, or it was erased before");
        return Ok(Err(Problem::new(Reason::AttributeUnusable, message, format!("{id}.{attribute}"))
            .hint(format!("`cmdb show {id} --sources` lists its attributes"))));
    }
    outcome.remains = remains(draft, &item, attribute, &found)?;
    ingest::settle(draft)?;
    Ok(Ok(outcome))
}

fn required(
    draft: &Draft<'_>,
    id: ItemId,
    attribute: &str,
    actor: &Actor,
) -> Result<Result<std::sync::Arc<Item>, Problem>, StoreError> {
    let Some(item) = draft.item(id)? else {
        let message = format!("there is no item {id}");
        return Ok(Err(Problem::new(Reason::ItemNotFound, message, id.to_string())));
    };
    if ["name", "class", "key"].contains(&attribute) {
        let message =
            format!("the {attribute} of an item cannot be purged: everything leads to the item by it");
        return Ok(Err(Problem::new(Reason::AttributeUnusable, message, format!("{id}.{attribute}"))
            .expected("an attribute", attribute)
            .hint("retire the item, and let its sources call it otherwise")));
    }
    if actor.reason.trim().is_empty() {
        let message = "a purge cannot be undone: it needs a reason, which stays in place of the value";
        return Ok(Err(Problem::new(Reason::AttributeUnusable, message, format!("{id}.{attribute}"))
            .hint("say why, without the value itself: --reason TEXT")));
    }
    Ok(Ok(item))
}

fn too_many(id: ItemId, attribute: &str) -> Problem {
    let message = format!("{attribute} of {id} stands in more versions than one commit can erase");
    Problem::new(Reason::LimitExceeded, message, format!("{id}.{attribute}"))
        .expected(format!("at most {VERSIONS_MAX} versions"), "more")
        .hint("shorten the history with a retention first")
}

fn search(
    draft: &Draft<'_>,
    read: &dyn Read,
    id: ItemId,
    attribute: &str,
) -> Result<Result<Found, Problem>, StoreError> {
    let mut found = Found::default();
    let schema = draft.schema();
    let mut waiting = vec![id];
    while let Some(member) = waiting.pop() {
        if !found.family.insert(member) {
            continue;
        }
        if found.family.len() > MERGED_MAX {
            return Ok(Err(too_many(id, attribute)));
        }
        let merged = draft.rows(Table::Attributes, &key::merged_into(member), MERGED_MAX)?;
        waiting.extend(merged.iter().filter_map(|(row, _)| key::item_at_end(row)));
        for_each_version(read, member, &mut |version| {
            found.hosts.extend(version.merged_into);
            found.names.extend(version.claims.iter().map(|claim| (claim.source, claim.key.clone())));
            let stated = version.claims.iter().filter_map(|claim| claim.attributes.get(attribute));
            for stated in stated {
                found.versions += 1;
                if found.values.len() < VALUES_MAX {
                    found.values.extend(schema.normalise_each(&version.class, attribute, &stated.value));
                }
            }
        })?;
    }
    found.hosts.retain(|host| !found.family.contains(host));
    Ok(Ok(found))
}

fn for_each_version(read: &dyn Read, id: ItemId, version: &mut dyn FnMut(&Item)) -> Result<(), StoreError> {
    let Some(head) = read.get(Table::Items, &key::item(id))? else { return Ok(()) };
    let head: HeadRecord = record::decode(Table::Items, &head)?;
    let mut next = change::linked(read, head.last)?;
    while let Some((_, row)) = next {
        next = change::linked(read, row.previous)?;
        if let Some(item) = row.item {
            version(&record::item_from(item)?);
        }
    }
    Ok(())
}

/// Erases the attribute from the claims that `of` names: on the present version, and on all before it. `false`: they
/// are too many.
fn erase_item(
    draft: &mut Draft<'_>,
    id: ItemId,
    attribute: &str,
    tombstone: &Purged,
    suppress: bool,
    of: &dyn Fn(&ItemClaimState) -> bool,
    outcome: &mut PurgeOutcome,
) -> Result<bool, StoreError> {
    let Some(before) = draft.item(id)? else { return Ok(true) };
    let mut present = Item::clone(&before);
    let erased = present.erase(attribute, of);
    if suppress || erased {
        let purged = Purged { suppressed: suppress, ..tombstone.clone() };
        present.purged.insert(attribute.to_owned(), purged);
    }
    draft.resolve_and_put(present)?;
    let past = |version: &mut Item| {
        let erased = version.erase(attribute, of);
        if erased {
            version.purged.insert(attribute.to_owned(), tombstone.clone());
        }
        erased
    };
    let Some(versions) = draft.erase_versions(id, &past)? else { return Ok(false) };
    outcome.versions += versions as u64;
    // What the sources' bodies were told apart by is a digest of the value as well.
    for claim in before.claims.iter().filter(|claim| of(claim) && claim.attributes.contains_key(attribute)) {
        correct::doubt(draft, claim.source, &claim.key)?;
    }
    Ok(true)
}

/// Takes the attribute out of stored scenarios; the names of those that had it.
fn erase_scenarios(
    draft: &mut Draft<'_>,
    family: &BTreeSet<ItemId>,
    attribute: &str,
) -> Result<Vec<String>, StoreError> {
    let mut changed = Vec::new();
    for (row, bytes) in draft.rows(Table::Scenarios, &[], SCENARIOS_MAX)? {
        let mut scenario = scenario_from(record::decode(Table::Scenarios, &bytes)?)?;
        let mut erased = false;
        for edit in &mut scenario.edits {
            if let Edit::Set { item: Subject::Item(id), attributes, .. } = edit
                && family.contains(id)
            {
                erased |= attributes.remove(attribute).is_some();
            }
        }
        // Edits are numbered by their places, so one that says nothing any more stays.
        if erased {
            changed.push(scenario.name.clone());
            draft.put_record(Table::Scenarios, row, &scenario_record(&scenario));
        }
    }
    Ok(changed)
}

/// What still names a value that was erased, in words that do not.
fn remains(
    draft: &Draft<'_>,
    item: &Item,
    attribute: &str,
    found: &Found,
) -> Result<Vec<String>, StoreError> {
    let mut references = BTreeMap::new();
    for value in &found.values {
        let prefix = key::attribute_value(attribute, value);
        for (row, _) in draft.rows(Table::Probes, &prefix, REFERENCES_MAX)? {
            references.insert(row, ());
        }
    }
    let mut remains = Vec::new();
    if !references.is_empty() {
        remains.push(format!(
            "{} references ask for an item by this {attribute}: their sources state it, not {}",
            references.len(),
            item.id
        ));
    }
    Ok(remains)
}

/// Lets sources state the attribute again; they are asked for what they say now.
fn lift(
    draft: &mut Draft<'_>,
    id: ItemId,
    attribute: &str,
) -> Result<Result<BTreeSet<SourceId>, Problem>, StoreError> {
    let Some(item) = draft.item(id)? else {
        let message = format!("there is no item {id}");
        return Ok(Err(Problem::new(Reason::ItemNotFound, message, id.to_string())));
    };
    let mut item = Item::clone(&item);
    if item.purged.remove(attribute).is_none_or(|purged| !purged.suppressed) {
        let message = format!("{attribute} of {id} is not purged: its sources may state it");
        return Ok(Err(Problem::new(Reason::AttributeUnusable, message, format!("{id}.{attribute}"))
            .hint(format!("`cmdb show {id}` lists what is purged"))));
    }
    let mut asked = BTreeSet::new();
    for claim in &item.claims {
        correct::doubt(draft, claim.source, &claim.key)?;
        if let Some(mut source) = draft.source_record(claim.source)? {
            source.report_digest.clear();
            draft.put_record(Table::Sources, key::source(claim.source), &source);
            asked.insert(claim.source);
        }
    }
    draft.resolve_and_put(item)?;
    ingest::settle(draft)?;
    Ok(Ok(asked))
}

/// Takes what must not be stated of an item out of what a source says of it; a note for each.
pub(super) fn withhold(
    item: &Item,
    kind: SourceKind,
    attributes: &mut crate::model::value::Attributes,
) -> Vec<String> {
    if kind == SourceKind::Person {
        return Vec::new();
    }
    let taken = item.suppressed().filter(|(attribute, _)| attributes.remove(*attribute).is_some());
    taken
        .map(|(attribute, purged)| {
            format!(
                "{attribute} of {} was purged by {} and is not taken: {}",
                item.id, purged.by, purged.reason
            )
        })
        .collect()
}

/// Whether the commit erased something: then it cannot be undone.
pub(super) fn is_purge(read: &dyn Read, revision: crate::model::Revision) -> Result<bool, StoreError> {
    let row = read.get(Table::Commits, &key::revision(revision))?;
    let row = row.map(|row| record::decode::<record::CommitRecord>(Table::Commits, &row)).transpose()?;
    Ok(row.is_some_and(|row| !row.replaced.is_empty()))
}

impl PurgeOutcome {
    /// With what became of the draft.
    pub(super) fn applied(self, applied: Applied) -> PurgeOutcome {
        PurgeOutcome { revision: applied.revision, changes: applied.changes, ..self }
    }
}
