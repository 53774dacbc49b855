//! Everything that items need.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::{Coverage, Label};
use cmdb_core::model::ItemId;
use cmdb_impact::{Dependencies, Need, depends};

use super::narrow::Around;
use super::{AsOf, Ask, Carrier, Joint, Moment, Over, Shown, Staged, ids, indexes};
use crate::app::{App, Error};

/// What is needed.
pub struct DependsAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// Who needs it.
    pub seeds: Vec<Label>,
    /// What they need, nearest first.
    pub needed: Vec<Needed>,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
    /// Of each class.
    pub by_class: BTreeMap<String, u64>,
    /// Within the depth, listed or not.
    pub total: u64,
    /// More are needed than are listed.
    pub truncated: bool,
    /// Which items are listed and counted.
    pub shown: Shown,
    /// How many items of other classes are needed within the depth.
    pub other_classes: u64,
    /// Beyond the depth, whatever their class.
    pub beyond_depth: u64,
    /// How far the graph is known.
    pub coverage: Coverage,
    /// Which relationships it went over.
    pub over: Over,
}

/// One item that is needed.
pub struct Needed {
    /// The item.
    pub id: ItemId,
    /// How badly.
    pub need: Need,
    /// The fewest relationships from a seed.
    pub distance: u32,
    /// Who needs it.
    pub via: Vec<Carrier>,
}

impl App {
    /// Everything that the items need.
    ///
    /// # Errors
    /// When there is no such item, or several.
    pub async fn depends(&self, ask: Ask) -> Result<Staged<DependsAnswer>, Error> {
        self.on_stage(ask.stage.clone(), move |moment| answer(moment, &ask)).await
    }
}

fn answer(moment: &Moment<'_>, ask: &Ask) -> Result<DependsAnswer, Error> {
    ask.shown.check(moment.reader.schema())?;
    let narrowed = moment.narrowed(Around::Dependencies, &ask.items)?;
    let moment = &moment.over(&narrowed);
    let seeds = moment.seeds(&ask.items)?;
    let found = depends(moment.graph, &indexes(&seeds), ask.depth);
    let needed = match ask.listed_max {
        Some(limit) => listed(moment, &found, &ask.shown, limit)?,
        None => Vec::new(),
    };
    let mut mentioned: BTreeSet<ItemId> = needed.iter().map(|needed| needed.id).collect();
    mentioned.extend(needed.iter().flat_map(|needed| &needed.via).map(|via| via.item));
    let by_class = found.by_class(moment.graph).into_iter();
    let by_class = by_class.filter(|(class, _)| ask.shown.shows(moment.reader.schema(), class));
    let by_class: BTreeMap<String, u64> = by_class.map(|(class, count)| (class.to_owned(), count)).collect();
    let total = by_class.values().sum();
    Ok(DependsAnswer {
        as_of: moment.as_of(),
        seeds: moment.labels(&ids(&seeds))?,
        labels: moment.labels_by_id(&mentioned.into_iter().collect::<Vec<_>>())?,
        truncated: ask.listed_max.is_some_and(|limit| total > limit as u64),
        needed,
        by_class,
        total,
        shown: ask.shown.clone(),
        other_classes: found.items().len() as u64 - total,
        beyond_depth: found.beyond_depth(),
        coverage: moment.coverage()?,
        over: moment.went_over(),
    })
}

fn listed(
    moment: &Moment<'_>,
    found: &Dependencies,
    shown: &Shown,
    limit: usize,
) -> Result<Vec<Needed>, Error> {
    let graph = moment.graph;
    let items = found.by_distance_and_id(graph).into_iter();
    let items = items.filter(|needed| moment.shows(shown, needed.item)).take(limit);
    items
        .map(|needed| {
            let (by, _) = found.needed_by(graph, needed.item);
            let via = by.iter().map(|by| {
                let (dependent, provider) = (by.dependent, needed.item);
                moment.carrier(dependent, Joint { dependent, provider, kind: by.kind, gate: by.gate })
            });
            let via = via.collect::<Result<_, _>>()?;
            Ok(Needed { id: graph.id(needed.item), need: needed.need, distance: needed.distance, via })
        })
        .collect()
}
