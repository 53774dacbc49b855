//! A snapshot as bytes, and back, so that a start need not read everything that the graph was made of.
//!
//! Written item by item with its relationships; names and weights follow, because they are met on the way. Whoever
//! keeps the bytes guards them with a checksum and says which commit they are of: here only what cannot be read is
//! refused. Invariant: what is read back equals what was written, in every answer.

use std::io::{self, Write};
use std::sync::Arc;

use super::gate::{Declaration, Units};
use super::label::{Label, Labels, Names, Thousandths};
use super::parts::{Held, Parts, Weights};
use super::{Carries, Graph, Node, TypeIndex};
use crate::model::{ItemId, Revision, Status};

const STATUSES: [Status; 4] = [Status::Active, Status::Stopped, Status::Missing, Status::Retired];
/// A relationship that is a member of no group.
const NO_GROUP: u32 = u32::MAX;

impl Graph {
    /// Writes the snapshot.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write_image(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = Out(out);
        out.labels(&self.0.labels)?;
        out.names(&self.0.classes)?;
        out.u32(self.0.indexes)?;
        let mut parts = Parts::new(Arc::clone(&self.0.labels), Arc::clone(&self.0.classes));
        for index in self.indexes() {
            let node = self.node(index);
            out.u64(node.id.0)?;
            out.u32(node.class)?;
            out.status(node.status)?;
            parts.take_relationships(self, index);
            out.count(parts.edges.len())?;
            for (key, held) in parts.edges.drain(..).filter_map(|edge| Some((edge.key, edge.state?))) {
                for number in [key.provider, held.label, held.group.unwrap_or(NO_GROUP), held.weight] {
                    out.u32(number)?;
                }
            }
            let declared: Vec<_> = self
                .gates(index)
                .filter_map(|(_, gate)| Some((gate.name_arc(), gate.declaration()?)))
                .collect();
            out.count(declared.len())?;
            for (name, declaration) in declared {
                out.u32(Names::intern(&mut parts.group_names, name))?;
                out.text(&declaration.require.to_string())?;
                out.flag(declaration.inferred)?;
                out.u16(declaration.confidence.number())?;
            }
        }
        out.names(&parts.group_names)?;
        out.count(parts.weights.list().len())?;
        for weight in parts.weights.list() {
            out.0.write_all(&weight.0.to_le_bytes())?;
        }
        Ok(())
    }

    /// The snapshot that [`write_image`](Graph::write_image) wrote; none when these bytes are not one.
    #[must_use]
    pub fn read_image(bytes: &[u8], revision: Revision) -> Option<Graph> {
        let mut input = In(bytes);
        let labels = input.labels()?;
        let classes = input.names()?;
        let (label_count, class_count) = (labels.len(), classes.list().len());
        let mut parts = Parts::new(Arc::new(labels), Arc::new(classes));
        let nodes = input.u32()?;
        let mut named = 0;
        for dependent in 0..nodes {
            let node = Node { id: ItemId(input.u64()?), class: input.u32()?, status: input.status()? };
            if node.class as usize >= class_count {
                return None;
            }
            parts.add_node(node);
            for _ in 0..input.u32()? {
                let [provider, label, group, weight] =
                    [input.u32()?, input.u32()?, input.u32()?, input.u32()?];
                if provider >= nodes || label as usize >= label_count {
                    return None;
                }
                let group = (group != NO_GROUP).then_some(group);
                named = named.max(group.map_or(0, |group| group + 1));
                parts.add_edge(dependent, provider, Held { label, group, weight });
            }
            let mut declared = Vec::new();
            for _ in 0..input.u32()? {
                let name = input.u32()?;
                named = named.max(name.checked_add(1)?);
                let require = input.text()?.parse().ok()?;
                let (inferred, confidence) = (input.flag()?, Thousandths::from_number(input.u16()?)?);
                declared.push((name, Declaration { require, inferred, confidence }));
            }
            if !declared.is_empty() {
                parts.groups.insert(dependent, declared);
            }
        }
        parts.group_names = Arc::new(input.names()?);
        let mut weights = Vec::new();
        for _ in 0..input.u32()? {
            weights.push(Units(u128::from_le_bytes(input.take()?)));
        }
        parts.weights = Weights::of(weights);
        let known = |held: Held| (held.weight as usize) < parts.weights.list().len();
        let whole = parts.edges.iter().filter_map(|edge| edge.state).all(known)
            && named as usize <= parts.group_names.list().len();
        (whole && input.0.is_empty()).then(|| parts.assemble(revision))
    }
}

struct Out<'w>(&'w mut dyn Write);

impl Out<'_> {
    fn u16(&mut self, number: u16) -> io::Result<()> {
        self.0.write_all(&number.to_le_bytes())
    }

    fn u32(&mut self, number: u32) -> io::Result<()> {
        self.0.write_all(&number.to_le_bytes())
    }

    fn u64(&mut self, number: u64) -> io::Result<()> {
        self.0.write_all(&number.to_le_bytes())
    }

    fn flag(&mut self, flag: bool) -> io::Result<()> {
        self.0.write_all(&[u8::from(flag)])
    }

    fn count(&mut self, count: usize) -> io::Result<()> {
        self.u32(super::dense(count))
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        self.count(text.len())?;
        self.0.write_all(text.as_bytes())
    }

    fn status(&mut self, status: Status) -> io::Result<()> {
        let place = STATUSES.iter().position(|known| *known == status).expect("all are listed");
        self.0.write_all(&[u8::try_from(place).expect("there are four")])
    }

    fn names(&mut self, names: &Names) -> io::Result<()> {
        self.count(names.list().len())?;
        names.list().iter().try_for_each(|name| self.text(name))
    }

    fn labels(&mut self, labels: &Labels) -> io::Result<()> {
        self.names(labels.kinds())?;
        self.count(labels.len())?;
        for label in labels.list() {
            self.u32(label.kind.0)?;
            self.flag(label.carries == Carries::Weak)?;
            self.flag(label.from_is_dependent)?;
            self.flag(label.inferred)?;
            self.u16(label.confidence.number())?;
            self.status(label.status)?;
        }
        Ok(())
    }
}

struct In<'b>(&'b [u8]);

impl In<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take::<1>()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn status(&mut self) -> Option<Status> {
        let [place] = self.take::<1>()?;
        STATUSES.get(usize::from(place)).copied()
    }

    fn names(&mut self) -> Option<Names> {
        let mut names = Names::default();
        for _ in 0..self.u32()? {
            names.push(&Arc::from(self.text()?))?;
        }
        Some(names)
    }

    fn labels(&mut self) -> Option<Labels> {
        let mut labels = Labels::of(self.names()?);
        for _ in 0..self.u32()? {
            let kind = TypeIndex(self.u32()?);
            let carries = if self.flag()? { Carries::Weak } else { Carries::Hard };
            let (from_is_dependent, inferred) = (self.flag()?, self.flag()?);
            let confidence = Thousandths::from_number(self.u16()?)?;
            labels.push(Label {
                kind,
                carries,
                from_is_dependent,
                inferred,
                confidence,
                status: self.status()?,
            })?;
        }
        Some(labels)
    }
}
