//! What differs between two moments: everywhere, or around one item.
//!
//! Around an item means the item and what it needs at either moment, so that what was taken away counts as well as
//! what came.

use std::collections::BTreeSet;

use cmdb_core::engine::{Cmdb, CommitHeader, Difference, Label, Reader, Totals, When};
use cmdb_core::model::{ItemId, Problem, Reason, Revision, Timestamp};
use cmdb_impact::depends;

use super::graph::AsOf;
use super::names::Mentioned;
use super::{App, Error, Names};

/// Where a comparison begins when nobody says.
pub const FROM_DEFAULT: &str = "1 day ago";
/// Facts listed when nobody says how many.
pub const LISTED_DEFAULT: usize = 1_000;
/// Facts listed at most.
pub const LISTED_MAX: usize = 100_000;

/// A question about what differs.
pub struct DiffAsk {
    /// The earlier moment.
    pub from: When,
    /// The later moment.
    pub to: When,
    /// The item, as people name it; `None`: everything.
    pub around: Option<String>,
    /// Relationships from that item at most; `None`: any.
    pub depth: Option<u32>,
    /// Facts listed at most.
    pub listed_max: usize,
}

/// What differs.
pub struct DiffAnswer {
    /// The earlier moment; revision 0: before the first commit.
    pub from: AsOf,
    /// The later moment.
    pub to: AsOf,
    /// The item, and how many items were compared because of it.
    pub around: Option<(Label, usize)>,
    /// What is listed.
    pub differences: Vec<Difference>,
    /// The commits that it names, oldest first.
    pub commits: Vec<CommitHeader>,
    /// Everything that differs, listed or not.
    pub totals: Totals,
    /// More differs than is listed.
    pub truncated: bool,
    /// What is mentioned.
    pub names: Names,
}

impl App {
    /// What differs between two moments.
    ///
    /// # Errors
    /// When a moment is not to be had, the later one comes first, or there is no such item.
    pub async fn diff(&self, ask: DiffAsk) -> Result<DiffAnswer, Error> {
        let engine = self.engine.clone();
        self.work(move || answer(&engine, &ask)).await
    }
}

fn answer(engine: &Cmdb, ask: &DiffAsk) -> Result<DiffAnswer, Error> {
    let present = engine.reader()?;
    let (from, to) = (present.revision_at(ask.from)?, present.revision_at(ask.to)?);
    if from > to {
        return Err(wrong_way_round(from, to).into());
    }
    let around =
        ask.around.as_ref().map(|text| surroundings(engine, text, from, to, ask.depth)).transpose()?;
    let within = around.as_ref().map(|(_, within)| within);
    let found = present.diff(When::Revision(from), When::Revision(to), within, ask.listed_max)?;
    let mut mentioned = Mentioned::default();
    for difference in &found.differences {
        mentioned.changes(std::slice::from_ref(&difference.change));
    }
    Ok(DiffAnswer {
        from: as_of(&present, from)?,
        to: as_of(&present, to)?,
        around: around.map(|(label, within)| (label, within.len())),
        truncated: found.total > found.differences.len() as u64,
        differences: found.differences,
        commits: found.commits.into_values().collect(),
        totals: found.totals,
        names: mentioned.names(&engine.reader_at(When::Revision(to))?)?,
    })
}

/// The item, and the ids of the item and of what it needs at either moment.
fn surroundings(
    engine: &Cmdb,
    text: &str,
    from: Revision,
    to: Revision,
    depth: Option<u32>,
) -> Result<(Label, BTreeSet<ItemId>), Error> {
    let later = engine.reader_at(When::Revision(to))?;
    // Before the first commit nothing needed anything, and nothing need be undone to know that.
    let earlier = if from == Revision(0) { None } else { Some(engine.reader_at(When::Revision(from))?) };
    let (id, label) = named(&later, text).or_else(|error| match &earlier {
        // It may have had that name, or that key, then only.
        Some(earlier) => named(earlier, text).map_err(|_| error),
        None => Err(error),
    })?;
    let mut within = BTreeSet::from([id]);
    for reader in earlier.iter().chain([&later]) {
        let graph = reader.graph();
        if let Some(index) = graph.index(id) {
            let needed = depends(graph, &[index], depth);
            within.extend(needed.items().iter().map(|needed| graph.id(needed.item)));
        }
    }
    Ok((label, within))
}

fn named(reader: &Reader, text: &str) -> Result<(ItemId, Label), Error> {
    let id = reader.resolve(text)?;
    let label = reader.labels(&[id])?.into_iter().flatten().next().ok_or(Error::Internal)?;
    Ok((id, label))
}

fn as_of(present: &Reader, revision: Revision) -> Result<AsOf, Error> {
    let header = present.commit(revision, 0)?.map(|(header, _)| header);
    Ok(AsOf { revision, recorded_at: header.map_or(Timestamp(0), |header| header.recorded_at) })
}

fn wrong_way_round(from: Revision, to: Revision) -> Problem {
    let given = format!("from revision {from} to revision {to}");
    Problem::new(Reason::MomentInvalid, "the first moment comes after the second", given.clone())
        .expected("an earlier moment, then a later one", given)
        .hint("exchange --from and --to")
}
