//! The base of a scenario with its edits on top: what differs, and the graph that follows.

use std::collections::BTreeMap;

use super::{Added, Evaluated, NOBODY, SCOPE, not_there};
use crate::change::Change;
use crate::engine::live::Step;
use crate::engine::read::Reader;
use crate::engine::request::EngineError;
use crate::model::item::{Group, Identification, ItemClaimState, Marks, Stated};
use crate::model::relationship::RelationshipClaimState;
use crate::model::value::Attributes;
use crate::model::{Item, ItemId, Relationship, Status, Timestamp, UnitKind, Value};
use crate::scenario::{Edit, Scenario, Subject};

/// A relationship by its ends and type.
type EdgeName = (ItemId, String, ItemId);
/// A fact at the base and as it would be.
type Sides<T> = (Option<T>, Option<T>);

/// The base with edits on top.
pub(super) struct World<'a> {
    reader: &'a Reader,
    scenario: &'a Scenario,
    /// The number of the first added item.
    first_added: u64,
    items: BTreeMap<ItemId, Sides<Item>>,
    edges: BTreeMap<EdgeName, Sides<Relationship>>,
    added: BTreeMap<ItemId, Added>,
}

impl<'a> World<'a> {
    pub(super) fn new(reader: &'a Reader, scenario: &'a Scenario) -> Result<World<'a>, EngineError> {
        Ok(World {
            reader,
            scenario,
            first_added: reader.last_item()? + 1,
            items: BTreeMap::new(),
            edges: BTreeMap::new(),
            added: BTreeMap::new(),
        })
    }

    fn id(&self, subject: Subject) -> ItemId {
        match subject {
            Subject::Item(id) => id,
            Subject::Added(place) => ItemId(self.first_added + u64::from(place)),
        }
    }

    fn item(&mut self, subject: Subject) -> Result<&mut Item, EngineError> {
        let id = self.id(subject);
        if !self.items.contains_key(&id) {
            let found = self.reader.item(id)?;
            self.items.insert(id, (found.clone(), found));
        }
        let missing = not_there(id, self.scenario);
        let sides = self.items.get_mut(&id).expect("put there above");
        sides.1.as_mut().ok_or_else(|| missing.into())
    }

    fn edge(
        &mut self,
        from: Subject,
        kind: &str,
        to: Subject,
    ) -> Result<(EdgeName, &mut Sides<Relationship>), EngineError> {
        let name = (self.id(from), kind.to_owned(), self.id(to));
        if !self.edges.contains_key(&name) {
            let found = self.reader.relationship(name.0, kind, name.2)?;
            self.edges.insert(name.clone(), (found.clone(), found));
        }
        let sides = self.edges.get_mut(&name).expect("put there above");
        Ok((name, sides))
    }

    pub(super) fn make(&mut self, place: u32, edit: &Edit) -> Result<(), EngineError> {
        let at = self.scenario.created_at;
        match edit {
            Edit::Add { class, name, attributes } => {
                let id = self.id(Subject::Added(place));
                self.added.insert(id, Added { class: class.clone(), name: name.clone() });
                self.items.insert(id, (None, Some(new_item(id, class, name, attributes, at))));
            }
            Edit::Remove { item } => {
                let item = self.item(*item)?;
                item.status = Status::Retired;
                item.status_since = at;
            }
            Edit::Set { item, attributes, cleared } => set(self.item(*item)?, attributes, cleared, at),
            Edit::Relate { from, kind, to, group, weight } => {
                let (name, sides) = self.edge(*from, kind, *to)?;
                let claim = edge_claim(group, *weight, at);
                let relationship = sides.1.get_or_insert_with(|| Relationship {
                    from: name.0,
                    kind: name.1.clone(),
                    to: name.2,
                    status: Status::Active,
                    status_since: at,
                    denied: false,
                    first_seen: at,
                    claims: Vec::new(),
                    effective: 0,
                    grouped_by: 0,
                });
                relationship.claims.retain(|claim| claim.source != NOBODY);
                relationship.claims.push(claim);
                relationship.effective = relationship.claims.len() - 1;
                relationship.grouped_by = relationship.effective;
                relationship.denied = false;
                relationship.status = Status::Active;
            }
            Edit::Unrelate { from, kind, to } => self.edge(*from, kind, *to)?.1.1 = None,
            Edit::Require { item, group, require } => {
                let item = self.item(*item)?;
                item.groups.retain(|other| other.name != *group);
                item.groups.push(Group {
                    name: group.clone(),
                    require: *require,
                    inferred: false,
                    confidence: 1.0,
                    source: NOBODY,
                    key: String::new(),
                    evidence: String::new(),
                    rejected: false,
                });
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Evaluated, EngineError> {
        let items = self
            .items
            .values()
            .map(|(before, after)| Step::Item { before: before.as_ref(), after: after.as_ref() });
        let edges = self
            .edges
            .values()
            .map(|(before, after)| Step::Relationship { before: before.as_ref(), after: after.as_ref() });
        let neither = |step: &Step<'_>| matches!(step, Step::Relationship { before: None, after: None });
        let steps: Vec<_> = items.chain(edges).filter(|step| !neither(step)).collect();
        let (graph, _) = self.reader.follow(&steps)?;
        let items = self.items.into_values().filter(|(before, after)| before != after);
        let items = items.filter_map(|(before, after)| {
            Some(Change::Item { before: before.map(Box::new), after: Box::new(after?) })
        });
        let edges = self.edges.into_values().filter(|(before, after)| before != after);
        let edges = edges.map(|(before, after)| Change::Relationship {
            before: before.map(Box::new),
            after: after.map(Box::new),
        });
        Ok(Evaluated { graph, changes: items.chain(edges).collect(), added: self.added })
    }
}

fn new_item(id: ItemId, class: &str, name: &str, attributes: &Attributes, at: Timestamp) -> Item {
    let mut item = Item {
        id,
        class: class.to_owned(),
        name: name.to_owned(),
        status: Status::Active,
        status_since: at,
        first_seen: at,
        claims: Vec::new(),
        groups: Vec::new(),
        duplicates: Vec::new(),
        merged_into: None,
        distinct_from: Vec::new(),
        purged: BTreeMap::new(),
    };
    set(&mut item, attributes, &[], at);
    item
}

/// What the scenario says of attributes wins over all claims.
fn set(item: &mut Item, attributes: &Attributes, cleared: &[String], at: Timestamp) {
    for claim in &mut item.claims {
        for (name, stated) in &mut claim.attributes {
            stated.effective &= !attributes.contains_key(name) && !cleared.contains(name);
        }
    }
    let stated = |value: &Value| Stated { value: value.clone(), effective: true };
    let mut own = match item.claims.iter().position(|claim| claim.source == NOBODY) {
        Some(place) => item.claims.remove(place),
        None => ItemClaimState {
            source: NOBODY,
            key: item.name.clone(),
            scope: SCOPE.to_owned(),
            class: String::new(),
            name: String::new(),
            attributes: BTreeMap::new(),
            within: None,
            first_seen: at,
            observed_at: at,
            withdrawn_at: None,
            identification: Identification::default(),
            marks: Marks::default(),
        },
    };
    own.attributes.retain(|name, _| !cleared.contains(name));
    own.attributes.extend(attributes.iter().map(|(name, value)| (name.clone(), stated(value))));
    item.claims.push(own);
}

fn edge_claim(group: &str, weight: f64, at: Timestamp) -> RelationshipClaimState {
    RelationshipClaimState {
        source: NOBODY,
        unit: UnitKind::Item,
        key: String::new(),
        scope: SCOPE.to_owned(),
        group: group.to_owned(),
        weight,
        inferred: false,
        confidence: 1.0,
        denied: false,
        attributes: Attributes::new(),
        first_seen: at,
        observed_at: at,
        withdrawn_at: None,
    }
}
