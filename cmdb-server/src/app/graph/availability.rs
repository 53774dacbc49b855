//! How likely services are to be up.
//!
//! Each item's own figure is what somebody says of it, else that of its class. A value that is no share of time counts for
//! nothing, and the answer names it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cmdb_core::engine::{Coverage, Label};
use cmdb_core::graph::Index;
use cmdb_core::model::{Item, ItemId, Value};
use cmdb_impact::availability::{Estimate, Method, Options};
use cmdb_impact::{Availability, Progress, availability_of, needed_by};
use rustc_hash::FxHashMap;

use super::critical::{around, services};
use super::{AsOf, Moment, Over, Stage, Staged, ids, indexes};
use crate::app::{App, Asker, Error};

/// Entries of each list when nobody says how many, and at most.
pub const AVAILABILITY_LISTED: usize = 20;
/// The most entries of a list.
pub const AVAILABILITY_LISTED_MAX: usize = 100_000;
/// The attribute by which an item has a figure of its own.
const ATTRIBUTE: &str = "availability";
/// Items that are read together.
const READ: usize = 1_024;
/// Values that count for nothing and are named.
const UNUSABLE_MAX: usize = 16;
/// However many items are asked about, each may grow a diagram of so many nodes.
const NODES_MIN: usize = 2_000;

/// A question about how likely items are to be up.
#[derive(Clone, Debug)]
pub struct AvailabilityAsk {
    /// The items, as people name them; none: every service.
    pub items: Vec<String>,
    /// What is taken to be down.
    pub down: Vec<String>,
    /// The graph.
    pub stage: Stage,
    /// Samples to draw; none: an exact answer where there is one.
    pub samples: Option<u64>,
    /// What the draws are a function of.
    pub seed: u64,
    /// Entries of each list.
    pub limit: usize,
}

/// How likely they are to be up.
pub struct AvailabilityAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// What is taken to be down.
    pub down: Vec<Label>,
    /// The least likely to be up first.
    pub uptimes: Vec<Uptime>,
    /// All of them.
    pub uptimes_total: u64,
    /// Something is not listed.
    pub truncated: bool,
    /// Figures of classes that were counted with, and how many items each stands for.
    pub by_class: BTreeMap<String, Figure>,
    /// How many items have a figure of their own.
    pub own: u64,
    /// Values that are no share of time, with the item of each: at most so many are named.
    pub unusable: Vec<(ItemId, String)>,
    /// All of them.
    pub unusable_total: u64,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
    /// How far the graph is known.
    pub coverage: Coverage,
    /// Which relationships it went over.
    pub over: Over,
}

/// The figure of a class.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Figure {
    /// How much of the time such an item is up of itself.
    pub availability: f64,
    /// How many items it was taken for.
    pub items: u64,
}

/// How likely one item is to be up.
pub struct Uptime {
    /// Which item.
    pub id: ItemId,
    /// Items that it needs.
    pub needed: u64,
    /// How likely it is to be down.
    pub unavailability: Estimate,
    /// The same, if no unconfirmed group can spare what it is thought to; none: there is no such group.
    pub at_worst: Option<Estimate>,
    /// How it was found.
    pub method: Method,
    /// What would be gained if an item never failed of itself: the item, its own unavailability, and the gain.
    pub gains: Vec<(ItemId, f64, f64)>,
    /// How many items would gain something.
    pub gains_total: u64,
}

impl App {
    /// How likely items are to be up.
    ///
    /// # Errors
    /// When there is no such item, or several.
    pub async fn availability(
        &self,
        ask: AvailabilityAsk,
        progress: Arc<Progress>,
    ) -> Result<Staged<AvailabilityAnswer>, Error> {
        let asker = Asker::of(&progress);
        let answered = self.on_stage(ask.stage.clone(), move |moment| answer(moment, &ask, &progress)).await;
        drop(asker);
        answered
    }
}

fn answer(
    moment: &Moment<'_>,
    ask: &AvailabilityAsk,
    progress: &Progress,
) -> Result<AvailabilityAnswer, Error> {
    let narrowed = moment.narrowed(around(&ask.items), &ask.items)?;
    let moment = &moment.over(&narrowed);
    let graph = moment.graph;
    let down = moment.down(&ask.down)?;
    let seeds = if ask.items.is_empty() { Vec::new() } else { moment.seeds(&ask.items)? };
    let alone: Vec<ItemId> = seeds.iter().filter(|seed| seed.index.is_none()).map(|seed| seed.id).collect();
    let targets = if ask.items.is_empty() { services(moment) } else { indexes(&seeds) };
    let figures = Figures::of(moment, &targets, &alone)?;
    let count = targets.len().max(1);
    let usual = Options::default();
    let options = Options {
        samples: ask.samples,
        seed: ask.seed,
        // Together they may take as long as one alone.
        steps: usual.steps / count as u64,
        nodes_max: (usual.nodes_max / count).max(NODES_MIN),
    };
    let failed = indexes(&down);
    let fails = |item: Index| 1.0 - figures.of_item(graph.id(item));
    let found = availability_of(graph, &targets, &failed, fails, options, progress).ok_or(Error::Gone)?;
    let mut uptimes: Vec<Uptime> = found.iter().map(|found| uptime(moment, found, ask.limit)).collect();
    uptimes.extend(alone.into_iter().map(|id| {
        let is_down = down.iter().any(|seed| seed.id == id);
        Uptime::alone(id, if is_down { 1.0 } else { 1.0 - figures.of_item(id) })
    }));
    uptimes.sort_by(|one, other| {
        other.unavailability.value.total_cmp(&one.unavailability.value).then(one.id.cmp(&other.id))
    });
    let cut = |uptime: &Uptime| uptime.gains_total > uptime.gains.len() as u64;
    let (uptimes_total, truncated) =
        (uptimes.len() as u64, uptimes.len() > ask.limit || uptimes.iter().any(cut));
    uptimes.truncate(ask.limit);
    let mut mentioned: BTreeSet<ItemId> = uptimes.iter().map(|uptime| uptime.id).collect();
    mentioned.extend(uptimes.iter().flat_map(|uptime| &uptime.gains).map(|(item, ..)| *item));
    mentioned.extend(figures.unusable.iter().map(|(item, _)| *item));
    Ok(AvailabilityAnswer {
        as_of: moment.as_of(),
        down: moment.labels(&ids(&down))?,
        labels: moment.labels_by_id(&mentioned.into_iter().collect::<Vec<_>>())?,
        uptimes,
        uptimes_total,
        truncated,
        by_class: figures.by_class,
        own: figures.own,
        unusable: figures.unusable,
        unusable_total: figures.unusable_total,
        coverage: moment.coverage()?,
        over: moment.went_over(),
    })
}

impl Uptime {
    /// Of an item that needs nothing known.
    fn alone(id: ItemId, unavailability: f64) -> Uptime {
        let exact = Estimate { value: unavailability, low: unavailability, high: unavailability };
        let gains =
            if unavailability > 0.0 { vec![(id, unavailability, unavailability)] } else { Vec::new() };
        Uptime {
            id,
            needed: 0,
            unavailability: exact,
            at_worst: None,
            method: Method::Exact { nodes: 0 },
            gains_total: gains.len() as u64,
            gains,
        }
    }
}

fn uptime(moment: &Moment<'_>, found: &Availability, limit: usize) -> Uptime {
    let gains = found.gains.iter().take(limit);
    Uptime {
        id: moment.graph.id(found.target),
        needed: found.items.len() as u64 - 1,
        unavailability: found.unavailability,
        at_worst: found.at_worst,
        method: found.method,
        gains: gains.map(|gain| (moment.graph.id(gain.item), gain.unavailability, gain.gain)).collect(),
        gains_total: found.gains.len() as u64,
    }
}

/// How much of the time each item is up of itself.
#[derive(Default)]
struct Figures {
    of: FxHashMap<ItemId, f64>,
    by_class: BTreeMap<String, Figure>,
    own: u64,
    unusable: Vec<(ItemId, String)>,
    unusable_total: u64,
}

impl Figures {
    /// Of everything that the targets need, and of items that the graph does not know.
    fn of(moment: &Moment<'_>, targets: &[Index], alone: &[ItemId]) -> Result<Figures, Error> {
        let mut figures = Figures::default();
        let needed = needed_by(moment.graph, targets);
        let all: Vec<ItemId> = needed.into_iter().map(|item| moment.graph.id(item)).collect();
        let all: Vec<ItemId> = all.into_iter().chain(alone.iter().copied()).collect();
        for ids in all.chunks(READ) {
            for (id, kept) in ids.iter().zip(moment.reader.items(ids)?) {
                let imagined = moment.imagined.and_then(|imagined| imagined.item(*id));
                if let Some(item) = imagined.or(kept.as_ref()) {
                    figures.add(moment, item);
                }
            }
        }
        Ok(figures)
    }

    fn add(&mut self, moment: &Moment<'_>, item: &Item) {
        let own = item.attribute(ATTRIBUTE).map(|effective| share(effective.value));
        if let Some(Ok(share)) = own {
            self.own += 1;
            self.of.insert(item.id, share);
            return;
        }
        if let Some(Err(given)) = own {
            self.unusable_total += 1;
            if self.unusable.len() < UNUSABLE_MAX {
                self.unusable.push((item.id, given));
            }
        }
        let availability = moment.reader.schema().class(&item.class).map_or(1.0, |class| class.availability);
        let figure = self.by_class.entry(item.class.clone()).or_default();
        figure.availability = availability;
        figure.items += 1;
        self.of.insert(item.id, availability);
    }

    fn of_item(&self, id: ItemId) -> f64 {
        self.of.get(&id).copied().unwrap_or(1.0)
    }
}

/// A share of time, or what is there instead.
#[expect(clippy::cast_precision_loss, reason = "0 and 1 are exact, and others are refused")]
fn share(value: &Value) -> Result<f64, String> {
    let number = match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    };
    number.filter(|number| (0.0..=1.0).contains(number)).ok_or_else(|| value.to_string())
}
