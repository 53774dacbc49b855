//! Which relationships an answer goes over: those of some types, and those that are sure enough.
//!
//! What is not wanted is taken out of the graph before the question is put to it, as if it had not been said. Only the part
//! that the question can reach is looked through. The graph knows each relationship's type and how sure it was when it was
//! said; how much of that is left is read from the store, for those that lose some with time.

use cmdb_core::graph::{Delta, Edge, Graph, Index, Links, Rings};
use cmdb_core::model::schema::{Failure, RelationshipType, Schema};
use cmdb_core::model::{Problem, Reason, Relationship};

use super::{Moment, indexes, written};
use crate::app::Error;

/// The most relationships of which one question asks the store how sure they still are.
const LOOKED_UP_MAX: usize = 1_000_000;

/// Which relationships are wanted.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Narrow {
    /// Of these types; none: of all.
    pub types: Vec<String>,
    /// At least so sure, 0 to 1.
    pub min_confidence: f64,
}

/// What an answer went over.
#[derive(Clone, PartialEq, Debug)]
pub struct Over {
    /// Types whose failure is passed on.
    pub types: Vec<String>,
    /// Types that degrade, and no more.
    pub weak_types: Vec<String>,
    /// How sure they were at least.
    pub min_confidence: f64,
    /// How many relationships within reach were left out.
    pub left_out: u64,
}

/// Which way a question goes from its items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Around {
    /// To what needs them.
    Dependents,
    /// To what they need.
    Dependencies,
    /// To everything there is.
    Everything,
}

/// A graph with what is not wanted taken out.
pub(super) struct Narrowed {
    graph: Graph,
    left_out: u64,
}

impl Narrow {
    fn wants_all(&self) -> bool {
        self.types.is_empty() && self.min_confidence <= 0.0
    }

    fn wants_type(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| wanted == kind)
    }

    /// That there are such types, and that they carry failure.
    pub(super) fn check(&self, schema: &Schema) -> Result<(), Error> {
        for name in &self.types {
            check_type(schema, name)?;
            let carries = schema.relationship_type(name).is_some_and(|kind| kind.failure != Failure::None);
            if !carries {
                let message = format!("relationships of type \"{name}\" carry no failure");
                let hint = "`cmdb classes --relationships` says which types do".to_owned();
                let problem = Problem::new(Reason::RelationshipTypeUnknown, message, name);
                return Err(problem.expected("a type that carries failure", name.clone()).hint(hint).into());
            }
        }
        Ok(())
    }
}

/// That there is such a relationship type.
pub(super) fn check_type(schema: &Schema, name: &str) -> Result<(), Error> {
    if schema.relationship_type(name).is_some() {
        return Ok(());
    }
    let message = format!("there is no relationship type \"{name}\"");
    let mut problem = Problem::new(Reason::RelationshipTypeUnknown, message, name);
    name.clone_into(&mut problem.given);
    if let Some(nearest) = schema.nearest_relationship_type(name) {
        problem.hint = format!("did you mean \"{nearest}\"?");
    }
    Err(problem.into())
}

impl<'a> Moment<'a> {
    /// The graph without what the question does not want around the items; none: it wants everything.
    pub(super) fn narrowed(&self, around: Around, items: &[String]) -> Result<Option<Narrowed>, Error> {
        if self.narrow.wants_all() {
            return Ok(None);
        }
        let seeds = if items.is_empty() { Vec::new() } else { indexes(&self.seeds(items)?) };
        let (mut deltas, mut looked_up) = (Vec::new(), 0);
        for dependent in self.dependents_around(around, &seeds) {
            for edge in self.graph.dependencies(dependent) {
                if !self.wants(dependent, edge, &mut looked_up)? {
                    deltas.push(self.without(dependent, edge));
                }
            }
        }
        let left_out = deltas.len() as u64;
        Ok(Some(Narrowed { graph: self.graph.apply(self.graph.revision(), deltas), left_out }))
    }

    /// The same moment on a narrowed graph.
    pub(super) fn over<'n>(&self, narrowed: &'n Option<Narrowed>) -> Moment<'n>
    where
        'a: 'n,
    {
        let (graph, left_out) = match narrowed {
            Some(narrowed) => (&narrowed.graph, narrowed.left_out),
            None => (self.graph, 0),
        };
        Moment {
            graph,
            reader: self.reader,
            imagined: self.imagined,
            narrow: self.narrow,
            left_out,
            any_stale: self.any_stale.clone(),
        }
    }

    /// Which relationships the question goes over.
    pub(super) fn went_over(&self) -> Over {
        let carrying = self.reader.schema().relationship_types().filter(|kind| kind.failure != Failure::None);
        let wanted = carrying.filter(|kind| self.narrow.wants_type(&kind.name));
        let (weak, strong): (Vec<_>, Vec<_>) = wanted.partition(|kind| kind.weak);
        let names = |kinds: Vec<&RelationshipType>| kinds.into_iter().map(|kind| kind.name.clone()).collect();
        Over {
            types: names(strong),
            weak_types: names(weak),
            min_confidence: self.narrow.min_confidence,
            left_out: self.left_out,
        }
    }

    /// The items whose dependencies decide the answer.
    fn dependents_around(&self, around: Around, seeds: &[Index]) -> Vec<Index> {
        if around == Around::Everything {
            return self.graph.indexes().collect();
        }
        let links = |item| -> Links<'_> {
            match around {
                Around::Dependents => self.graph.dependent_links(item),
                Around::Dependencies | Around::Everything => self.graph.dependency_links(item),
            }
        };
        let mut rings = Rings::default();
        rings.search(self.graph, seeds, u32::MAX, |item, _| links(item).map(|link| link.other()));
        rings.found().to_vec()
    }

    fn wants(&self, dependent: Index, edge: Edge, looked_up: &mut usize) -> Result<bool, Error> {
        let (narrow, kind) = (self.narrow, self.graph.type_name(edge.kind));
        if !narrow.wants_type(kind) {
            return Ok(false);
        }
        // The graph keeps thousandths.
        if edge.confidence + 0.0005 < narrow.min_confidence {
            return Ok(false);
        }
        let declared = self.reader.schema().relationship_type(kind);
        let fades = edge.inferred || declared.is_some_and(|kind| kind.confidence_half_life_us.is_some());
        let exact =
            narrow.min_confidence - edge.confidence < 0.0005 && narrow.min_confidence > edge.confidence;
        if narrow.min_confidence <= 0.0 || !(fades || exact) {
            return Ok(true);
        }
        *looked_up += 1;
        if *looked_up > LOOKED_UP_MAX {
            return Err(Error::OutOfRange {
                what: "the number of relationships whose confidence is looked up for one answer",
                expected: format!("at most {LOOKED_UP_MAX}: ask about fewer items, or by type"),
                given: "more".to_owned(),
            });
        }
        let (dependent, provider) = (self.graph.id(dependent), self.graph.id(edge.other));
        let (from, to) = written(self.reader.schema(), kind, dependent, provider);
        let known: Option<Relationship> = self.reader.related(from, kind, to)?;
        match known {
            Some(relationship) => {
                Ok(self.reader.evidence(&relationship)?.confidence >= narrow.min_confidence)
            }
            // A scenario adds it, and says so for sure.
            None => Ok(true),
        }
    }

    fn without(&self, dependent: Index, edge: Edge) -> Delta {
        Delta::Edge {
            dependent: self.graph.id(dependent),
            provider: self.graph.id(edge.other),
            kind: self.graph.type_name(edge.kind).into(),
            from_is_dependent: edge.from_is_dependent,
            after: None,
        }
    }
}
