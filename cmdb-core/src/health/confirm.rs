//! Which facts machines confirmed: the share of what they could see that they said again within the interval.

use std::collections::BTreeMap;

use crate::model::schema::Schema;
use crate::model::{Item, Relationship, SourceId, SourceKind};

/// A source, as far as its word matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Witness {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SourceKind,
    /// It was heard within the interval.
    pub fresh: bool,
}

impl Witness {
    pub(super) fn is_machine(&self) -> bool {
        matches!(self.kind, SourceKind::Agent | SourceKind::Connector)
    }
}

/// How many facts stand how. The first three make up what is discoverable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rate {
    /// A machine said it within the interval, and none said otherwise.
    pub confirmed: u64,
    /// A machine says something else.
    pub contradicted: u64,
    /// No machine said it within the interval.
    pub unconfirmed: u64,
    /// No machine can see it.
    pub undiscoverable: u64,
}

impl Rate {
    /// What machines could confirm.
    #[must_use]
    pub fn discoverable(&self) -> u64 {
        self.confirmed + self.contradicted + self.unconfirmed
    }

    /// All facts.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.discoverable() + self.undiscoverable
    }

    pub(super) fn count(&mut self, state: State) {
        *match state {
            State::Confirmed => &mut self.confirmed,
            State::Contradicted => &mut self.contradicted,
            State::Unconfirmed => &mut self.unconfirmed,
            State::Undiscoverable => &mut self.undiscoverable,
        } += 1;
    }
}

/// How one fact stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Confirmed,
    Contradicted,
    Unconfirmed,
    Undiscoverable,
}

/// One fact, judged.
pub(super) struct Judged {
    pub state: State,
    /// The source whose word is the effective one.
    pub source: SourceId,
    /// In words, such as `version: 15.3`.
    pub fact: String,
}

pub(super) struct Judge<'a> {
    pub schema: &'a Schema,
    pub sources: &'a BTreeMap<SourceId, Witness>,
}

impl Judge<'_> {
    fn machine(&self, source: SourceId) -> Option<&Witness> {
        self.sources.get(&source).filter(|witness| witness.is_machine())
    }

    /// The effective values of an item.
    pub(super) fn attributes(&self, item: &Item) -> Vec<Judged> {
        let health = self.schema.health();
        let visible = health.is_discoverable_class(&item.class);
        let facts = item.effective().into_iter().map(|(name, effective)| {
            let mut stated = false;
            let (mut said, mut otherwise) = (false, None);
            for claim in item.standing() {
                let Some(machine) = self.machine(claim.source) else { continue };
                let Some(value) = claim.attributes.get(name) else { continue };
                stated = true;
                if machine.fresh && value.value == *effective.value {
                    said = true;
                } else if machine.fresh {
                    otherwise = Some(format!("{} says {}", machine.name, value.value));
                }
            }
            let declared = self.schema.attribute(&item.class, name).is_some();
            let discoverable = stated || (visible && declared && !health.is_decided(name));
            let fact = format!("{name}: {}", effective.value);
            let (state, fact) = match otherwise {
                _ if !discoverable => (State::Undiscoverable, fact),
                Some(otherwise) => (State::Contradicted, format!("{fact}, but {otherwise}")),
                None if said => (State::Confirmed, fact),
                None => (State::Unconfirmed, fact),
            };
            Judged { state, source: effective.source, fact }
        });
        facts.collect()
    }

    /// A relationship of an item; `None`: it is no fact that anybody could see. `to_class` is the class of its target.
    pub(super) fn relationship(
        &self,
        from: &Item,
        relationship: &Relationship,
        to_class: &str,
    ) -> Option<Judged> {
        let standing = || relationship.claims.iter().filter(|claim| claim.withdrawn_at.is_none());
        let by_machines = || standing().filter_map(|claim| Some((claim, self.machine(claim.source)?)));
        let fresh = |denied: bool| {
            by_machines()
                .find(|(claim, machine)| machine.fresh && claim.denied == denied)
                .map(|found| found.1)
        };
        let fact = format!("{} {}", relationship.kind, relationship.to);
        let source = relationship.effective().source;
        if relationship.denied {
            let machine = fresh(false)?;
            let fact = format!("{fact}: denied, but {} sees it", machine.name);
            return Some(Judged { state: State::Contradicted, source, fact });
        }
        if !relationship.stands() {
            return None;
        }
        let health = self.schema.health();
        let visible = health.is_discoverable_type(&relationship.kind)
            && health.is_discoverable_class(&from.class)
            && health.is_discoverable_class(to_class);
        let discoverable = visible || by_machines().next().is_some();
        let (state, fact) = match (discoverable, fresh(true), fresh(false)) {
            (false, _, _) => (State::Undiscoverable, fact),
            (true, Some(machine), _) => {
                (State::Contradicted, format!("{fact}, but {} denies it", machine.name))
            }
            (true, None, Some(_)) => (State::Confirmed, fact),
            (true, None, None) => (State::Unconfirmed, fact),
        };
        Some(Judged { state, source, fact })
    }
}
