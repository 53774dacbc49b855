//! Names and the kinds of relationship, each kept once and spoken of by number.
//!
//! A graph has few distinct labels (type × strength × evidence), so an edge carries a number. Confidence is kept to
//! a thousandth, which bounds how many there can be. Invariant: numbers are never reused or moved.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Carries, EdgeState, TypeIndex};
use crate::model::Status;

#[derive(Clone, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    numbers: FxHashMap<Arc<str>, u32>,
}

impl Names {
    pub fn name(&self, number: u32) -> &str {
        &self.list[number as usize]
    }

    pub fn list(&self) -> &[Arc<str>] {
        &self.list
    }

    pub fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Adds one; none when it is there already.
    pub fn push(&mut self, name: &Arc<str>) -> Option<u32> {
        self.number(name).is_none().then(|| self.add(name))
    }

    fn add(&mut self, name: &Arc<str>) -> u32 {
        let number = super::dense(self.list.len());
        self.list.push(Arc::clone(name));
        self.numbers.insert(Arc::clone(name), number);
        number
    }

    /// The number of a name, which is added when it is new.
    pub fn number_of(&mut self, name: &Arc<str>) -> u32 {
        self.number(name).unwrap_or_else(|| self.add(name))
    }

    /// The number of a name, which is added to a copy when it is new.
    pub fn intern(names: &mut Arc<Names>, name: &Arc<str>) -> u32 {
        names.number(name).unwrap_or_else(|| Arc::make_mut(names).add(name))
    }
}

/// Everything about a relationship but its ends, group and weight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Label {
    pub kind: TypeIndex,
    pub carries: Carries,
    pub from_is_dependent: bool,
    pub inferred: bool,
    pub confidence: Thousandths,
    pub status: Status,
}

/// A share between 0 and 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Thousandths(u16);

impl Thousandths {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0 to 1000 before"
    )]
    pub fn of(share: f64) -> Thousandths {
        Thousandths((share.clamp(0.0, 1.0) * 1000.0).round() as u16)
    }

    pub fn number(self) -> u16 {
        self.0
    }

    pub fn from_number(number: u16) -> Option<Thousandths> {
        (number <= 1000).then_some(Thousandths(number))
    }

    pub fn share(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

#[derive(Clone, Default)]
pub(super) struct Labels {
    kinds: Names,
    list: Vec<Label>,
    numbers: FxHashMap<Label, u32>,
}

impl Labels {
    /// No labels yet, of these types.
    pub fn of(kinds: Names) -> Labels {
        Labels { kinds, ..Labels::default() }
    }

    pub fn kinds(&self) -> &Names {
        &self.kinds
    }

    pub fn list(&self) -> &[Label] {
        &self.list
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds one; none when it is there already, or of a type that is not.
    pub fn push(&mut self, label: Label) -> Option<u32> {
        let fits = (label.kind.0 as usize) < self.kinds.list().len() && !self.numbers.contains_key(&label);
        fits.then(|| self.add(label))
    }

    fn add(&mut self, label: Label) -> u32 {
        let number = super::dense(self.list.len());
        self.list.push(label);
        self.numbers.insert(label, number);
        number
    }

    pub fn get(&self, number: u32) -> Label {
        self.list[number as usize]
    }

    pub fn kind(&self, kind: TypeIndex) -> &str {
        self.kinds.name(kind.0)
    }

    pub fn kind_number(&self, kind: &str) -> Option<TypeIndex> {
        self.kinds.number(kind).map(TypeIndex)
    }

    pub fn intern_kind(labels: &mut Arc<Labels>, kind: &Arc<str>) -> TypeIndex {
        let known = labels.kind_number(kind);
        known.unwrap_or_else(|| TypeIndex(Arc::make_mut(labels).kinds.add(kind)))
    }

    /// The number of the label of a relationship, which is added to a copy when it is new.
    pub fn intern(
        labels: &mut Arc<Labels>,
        kind: TypeIndex,
        from_is_dependent: bool,
        state: &EdgeState,
    ) -> u32 {
        let label = Label {
            kind,
            carries: state.carries,
            from_is_dependent,
            inferred: state.inferred,
            confidence: Thousandths::of(state.confidence),
            status: state.status,
        };
        if let Some(number) = labels.numbers.get(&label) {
            return *number;
        }
        Arc::make_mut(labels).add(label)
    }
}
