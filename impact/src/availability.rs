//! How likely an item is to be up, from how likely everything that it needs is.
//!
//! Items fail of themselves, each independently of the others and with a probability of its own; what fails with them is
//! what [`crate::impact`] says. Items without which the target is down are multiplied out. Of the rest the answer is
//! exact where a decision diagram of it stays small, and otherwise estimated from samples, with the interval in which it
//! lies. Neither depends on the number of threads.
//!
//! Everything is reckoned as *un*availability: of 0.999999 a difference is easily lost, of 0.000001 it is not.

mod diagram;
mod sample;
#[cfg(test)]
mod tests;

use cmdb_core::graph::{Graph, Index};
use rayon::prelude::*;

use crate::module::Module;
use crate::progress::Progress;
use crate::propagate::Reading;
pub use sample::SAMPLES_MAX;

/// How the answer is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Samples that are drawn; none: only where the diagram grows too large, and then as many as fit the work that one
    /// answer may cost. At most [`SAMPLES_MAX`].
    pub samples: Option<u64>,
    /// Draws are a function of this.
    pub seed: u64,
    /// The most nodes of a diagram.
    pub nodes_max: usize,
    /// Relationships looked at, each for 64 samples, where nobody says how many samples are wanted.
    pub steps: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { samples: None, seed: 0, nodes_max: diagram::NODES_MAX, steps: sample::STEPS }
    }
}

/// How likely a target is to be up.
#[derive(Clone, PartialEq, Debug)]
pub struct Availability {
    /// The item in question.
    pub target: Index,
    /// Items that it needs in any way, and itself.
    pub items: Vec<Index>,
    /// How likely it is to be down.
    pub unavailability: Estimate,
    /// The same, if no unconfirmed group can spare what it is thought to; none: no group is unconfirmed.
    pub at_worst: Option<Estimate>,
    /// How it was found.
    pub method: Method,
    /// What would be gained if an item never failed of itself, the most first; items that would gain nothing are left
    /// out.
    pub gains: Vec<Gain>,
}

/// A probability, and where it lies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// The probability, or the best guess at it.
    pub value: f64,
    /// Not below this, in 95 of 100 cases; of an exact answer, the value.
    pub low: f64,
    /// Not above this.
    pub high: f64,
}

/// How an answer was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// By a decision diagram: to the last digit.
    Exact {
        /// Nodes of the diagram.
        nodes: usize,
    },
    /// From samples.
    Sampled {
        /// How many.
        samples: u64,
        /// In how many of them the target failed, with everything up that it cannot do without.
        failed: u64,
    },
}

/// What an item is worth.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Gain {
    /// The item.
    pub item: Index,
    /// How likely it is to be down of itself.
    pub unavailability: f64,
    /// By how much the target's unavailability would fall if it never were.
    pub gain: f64,
}

/// What is asked of a module: who fails how often.
struct Question<'a> {
    module: &'a Module,
    /// How likely each item is to fail of itself; 0 for those that are multiplied out.
    fails: Vec<f64>,
    /// Down whatever happens: all bits, or none.
    base: Vec<u64>,
}

/// How likely a target fails though everything is up that it cannot do without.
struct Rest {
    failure: Estimate,
    at_worst: Option<Estimate>,
    method: Method,
    /// Of each item, by how much that falls if it never fails of itself.
    gains: Vec<f64>,
}

/// How likely a target is to be up, beside what is down already. `fails` is how likely an item is to be down of
/// itself: a number below 0 counts as 0, one above 1 and what is no number as 1.
#[must_use]
pub fn availability(
    graph: &Graph,
    target: Index,
    down: &[Index],
    fails: impl Fn(Index) -> f64,
    options: Options,
) -> Availability {
    let nobody = Watch { progress: &Progress::default(), tells: Tells::Samples };
    judged(graph, target, down, fails, options, nobody).expect("nobody cancels")
}

/// [`availability`] of several targets on all cores, in their order. None: it was cancelled. Progress is told in targets;
/// of one alone, in samples. The same whatever the number of threads.
pub fn availability_of(
    graph: &Graph,
    targets: &[Index],
    down: &[Index],
    fails: impl Fn(Index) -> f64 + Sync,
    options: Options,
    progress: &Progress,
) -> Option<Vec<Availability>> {
    if let [target] = targets {
        let watch = Watch { progress, tells: Tells::Samples };
        return Some(vec![judged(graph, *target, down, fails, options, watch)?]);
    }
    progress.begin("reckoning each service", targets.len() as u64);
    let watch = Watch { progress, tells: Tells::Nothing };
    let found = targets.par_iter().map(|target| {
        let found = judged(graph, *target, down, &fails, options, watch)?;
        progress.advance(1);
        Some(found)
    });
    found.collect()
}

/// Who waits for an answer, and what is told of it on the way.
#[derive(Clone, Copy)]
struct Watch<'a> {
    progress: &'a Progress,
    tells: Tells,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    Samples,
    Nothing,
}

/// None: it was cancelled.
fn judged(
    graph: &Graph,
    target: Index,
    down: &[Index],
    fails: impl Fn(Index) -> f64,
    options: Options,
    watch: Watch<'_>,
) -> Option<Availability> {
    if watch.progress.is_cancelled() {
        return None;
    }
    let module = Module::of(graph, target);
    let items = module.items().to_vec();
    let mut own: Vec<f64> = items.iter().map(|item| probability(fails(*item))).collect();
    let base: Vec<u64> = items.iter().map(|item| if down.contains(item) { u64::MAX } else { 0 }).collect();
    for (fails, word) in own.iter_mut().zip(&base) {
        if *word != 0 {
            *fails = 0.0;
        }
    }
    let unspared = module.unspared();
    let lost = unspared.iter().zip(&base).any(|(unspared, word)| *unspared && *word != 0);
    let series =
        Series::of(own.iter().zip(&unspared).filter(|(_, unspared)| **unspared).map(|(own, _)| *own));
    let rest_fails: Vec<f64> =
        own.iter().zip(&unspared).map(|(own, unspared)| if *unspared { 0.0 } else { *own }).collect();
    let question = Question { module: &module, fails: rest_fails, base };
    let rest = match lost {
        true => Rest::lost(items.len()),
        false => question.answer(options, watch)?,
    };
    let mut gains = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let gain = match unspared[number] {
            true => series.gain(own[number]) * (1.0 - rest.failure.value),
            false => series.up(None) * rest.gains[number],
        };
        if gain > 0.0 {
            gains.push(Gain { item: *item, unavailability: own[number], gain });
        }
    }
    gains.sort_by(|one, other| {
        other.gain.total_cmp(&one.gain).then(graph.id(one.item).cmp(&graph.id(other.item)))
    });
    Some(Availability {
        target,
        unavailability: series.with(rest.failure),
        at_worst: rest.at_worst.map(|failure| series.with(failure)),
        method: rest.method,
        gains,
        items,
    })
}

fn probability(number: f64) -> f64 {
    if number.is_nan() { 1.0 } else { number.clamp(0.0, 1.0) }
}

impl Rest {
    /// Something is down that the target cannot do without.
    fn lost(items: usize) -> Rest {
        let failure = Estimate::exact(1.0);
        Rest { failure, at_worst: None, method: Method::Exact { nodes: 0 }, gains: vec![0.0; items] }
    }
}

impl Estimate {
    fn exact(value: f64) -> Estimate {
        Estimate { value, low: value, high: value }
    }
}

impl Question<'_> {
    /// None: it was cancelled.
    fn answer(&self, options: Options, watch: Watch<'_>) -> Option<Rest> {
        if options.samples.is_none()
            && let Some(rest) = diagram::answer(self, options.nodes_max)
        {
            return Some(rest);
        }
        sample::answer(self, options, watch)
    }

    /// How unconfirmed groups are read, one after the other.
    fn readings(&self) -> &'static [Reading] {
        match self.module.rests_on_guesses() {
            true => &[Reading::AsDeclared, Reading::UnconfirmedSpareNothing],
            false => &[Reading::AsDeclared],
        }
    }
}

/// Items of which every one is needed.
struct Series {
    /// The logarithm of the probability that all are up, those left aside that are never.
    log_up: f64,
    /// How many are never up.
    never: usize,
}

impl Series {
    fn of(fails: impl Iterator<Item = f64>) -> Series {
        let mut series = Series { log_up: 0.0, never: 0 };
        for fails in fails {
            if fails < 1.0 {
                series.log_up += (-fails).ln_1p();
            } else {
                series.never += 1;
            }
        }
        series
    }

    /// How likely all are up; or all but one, which fails so often.
    fn up(&self, without: Option<f64>) -> f64 {
        let never = self.never - usize::from(without.is_some_and(|fails| fails >= 1.0));
        let log_up = self.log_up - without.filter(|fails| *fails < 1.0).map_or(0.0, |fails| (-fails).ln_1p());
        if never > 0 { 0.0 } else { log_up.exp() }
    }

    /// By how much that rises if one that fails so often never fails.
    fn gain(&self, fails: f64) -> f64 {
        fails * self.up(Some(fails))
    }

    /// How likely something fails, if what is not in the series fails so often while the series is up.
    fn with(&self, rest: Estimate) -> Estimate {
        let down = if self.never > 0 { 1.0 } else { -self.log_up.exp_m1() };
        let both = |rest: f64| (down + (1.0 - down) * rest).clamp(0.0, 1.0);
        Estimate { value: both(rest.value), low: both(rest.low), high: both(rest.high) }
    }
}
