//! Questions about a whole estate, in batches, and by several threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cmdb_core::graph::{Carries, Delta, EdgeState, Graph, GroupState, Index, Rings};
use cmdb_core::model::{ItemId, Require, Revision, Status};
use cmdb_impact::{Condensed, Options as ImpactOptions, Progress, critical_of, impact, points};

use super::estate::{Estate, Redundancy};
use super::{Bench, Times, shown};
use crate::measure::cpu;

/// Relationships from an item in a search that goes no further.
const HOPS: u32 = 3;
/// Services whose margins and sets are asked for as well.
const SERVICES_IN_FULL: usize = 1_000;
/// Kept figures looked up between two looks at the clock.
const LOOKED_UP_AT_ONCE: u32 = 10;
/// The most relationships looked at for the sets of one of them.
const STEPS_MAX: u64 = 1_000_000;
/// Classes whose items are services.
const SERVICES: [&str; 2] = ["application_service", "business_service"];

impl Bench {
    /// Everything within three relationships that carry a failure; and one kept figure.
    pub fn near(&mut self, graph: &Graph, counts: &[u32]) {
        let mut rings = Rings::default();
        let mut hops = Times::default();
        let mut reached = 0;
        for seed in self.seeds.clone() {
            reached += hops.take(|| {
                rings.search(graph, &[seed], HOPS, |item, _| graph.could_fail(item));
                rings.found().len() - 1
            });
        }
        let median = hops.within(0.5);
        self.figure(
            "three hops",
            "p50 5 µs",
            hops.text(),
            self.figures.at_m(median <= Duration::from_micros(5)),
            format!("{} items a question", reached / self.seeds.len()),
        );
        self.number("three_hops_p50_us", super::micros(median));
        let ids: Vec<ItemId> = self.seeds.iter().map(|seed| graph.id(*seed)).collect();
        let mut kept = Times::default();
        let mut sum = 0;
        for ids in ids.chunks(LOOKED_UP_AT_ONCE as usize) {
            let of_one =
                |id: &ItemId| graph.index(*id).map_or(0, |index| u64::from(counts[index.0 as usize]));
            sum += kept.take(|| ids.iter().map(of_one).sum::<u64>());
        }
        let median = kept.within(0.5) / LOOKED_UP_AT_ONCE;
        let most = kept.within(0.99) / LOOKED_UP_AT_ONCE;
        self.figure(
            "blast radius of one item, kept figure",
            "1 µs",
            format!("p50 {}, p99 {}", shown(median), shown(most)),
            self.figures.at_m(median <= Duration::from_micros(1)),
            format!(
                "{} items a question; means of {LOOKED_UP_AT_ONCE} items, since the clock takes longer than one",
                sum / self.seeds.len() as u64
            ),
        );
        self.number("blast_radius_one_us", super::micros(median));
    }

    /// A thousand blast radii in one go.
    pub fn batch(&mut self, condensed: &Condensed, counts: &[u32]) -> Result<()> {
        let seeds = self.seeds.clone();
        let (wall, made, found) = timed(1, || condensed.counts_of(&seeds))?;
        let expected = seeds.iter().map(|seed| u64::from(counts[seed.0 as usize]));
        ensure!(found.into_iter().eq(expected), "the counts are equal");
        self.figure(
            "1,000 counts in one batch",
            "0.25 s",
            format!("{} CPU, {} wall", shown(made), shown(wall)),
            self.figures.at_m(made.as_secs_f64() <= 0.25),
            "one thread".to_owned(),
        );
        self.number("batch_1000_counts_seconds", made.as_secs_f64());
        Ok(())
    }

    /// Whom every item takes down alone, of all services; and margins and sets of some.
    pub fn single_points(&mut self, graph: &Graph) -> Result<()> {
        let is_service = |index: &Index| SERVICES.contains(&graph.class(*index));
        let services: Vec<Index> = graph.indexes().filter(is_service).collect();
        let nobody = Progress::default();
        let all = || points(graph, &services, &[], &nobody);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (wall, made, found) = timed(threads, all)?;
        let found = found.context("nobody cancels")?;
        let pairs: usize = found.iter().map(|point| point.fails.len()).sum();
        let reach = if self.figures.is_m() { 60.0 } else { 0.1 };
        self.figure(
            "single points of failure of all services",
            "S 0.1 s, M 60 s",
            format!("{} wall, {} CPU", shown(wall), shown(made)),
            Some(wall.as_secs_f64() <= reach).filter(|_| !self.figures.is_l()),
            format!("{} services, {} items, {pairs} pairs", services.len(), found.len()),
        );
        self.number("single_points_all_seconds", wall.as_secs_f64());
        self.number("single_points_all_seconds_cpu", made.as_secs_f64());
        let step = services.len().div_ceil(SERVICES_IN_FULL).max(1);
        let some: Vec<Index> = services.iter().copied().step_by(step).collect();
        let mut alone: BTreeMap<Index, usize> = some.iter().map(|service| (*service, 0)).collect();
        for (target, _) in found.iter().flat_map(|point| &point.fails) {
            if let Some(count) = alone.get_mut(target) {
                *count += 1;
            }
        }
        let in_full = || {
            critical_of(graph, &some, &[], STEPS_MAX, &nobody, |answer| (answer.target, answer.alone.len()))
        };
        let (wall, made, answers) = timed(threads, in_full)?;
        for (target, count) in answers.context("nobody cancels")? {
            ensure!(alone[&target] == count, "both ways find the same");
        }
        self.figure(
            "the same with margins and smallest sets, of some",
            "(beside)",
            format!("{} wall, {} CPU", shown(wall), shown(made)),
            None,
            format!("{} services; the points are equal", some.len()),
        );
        self.number("critical_some_seconds_cpu", made.as_secs_f64());
        Ok(())
    }

    /// What a second thread brings.
    pub fn two_threads(&mut self, graph: &Graph, condensed: &Condensed) -> Result<()> {
        let is_service = |index: &Index| SERVICES.contains(&graph.class(*index));
        let services: Vec<Index> = graph.indexes().filter(is_service).collect();
        let nobody = Progress::default();
        let blast = |threads| timed(threads, || condensed.counts(&nobody));
        let (one, two) = (blast(1)?.0, blast(2)?.0);
        let of_blast = one.as_secs_f64() / two.as_secs_f64();
        let single = |threads| timed(threads, || points(graph, &services, &[], &nobody));
        let (first, second) = (single(1)?.0, single(2)?.0);
        let of_points = first.as_secs_f64() / second.as_secs_f64();
        let cores = two_cores();
        self.figure(
            "two threads instead of one",
            "1.3 times where the cores are real",
            format!("blast radius of all {of_blast:.2} times, single points {of_points:.2} times"),
            None,
            format!(
                "two loops without memory {cores:.2} times; blast {} and {}, points {} and {}",
                shown(one),
                shown(two),
                shown(first),
                shown(second)
            ),
        );
        self.number("two_threads_blast_radius", of_blast);
        self.number("two_threads_single_points", of_points);
        self.number("two_threads_bare", cores);
        Ok(())
    }

    /// From the lines of a file to the first answer.
    pub fn load_csv(&mut self, made: &Estate) -> Result<()> {
        let file = csv(&made.deltas(Redundancy::Declared));
        let first = self.seeds[0];
        let mut loads = Times::default();
        let graph = loads.take(|| -> Result<Graph> {
            let graph = Graph::build(Revision(1), deltas(&file)?.into_iter());
            std::hint::black_box(impact(&graph, &[first], ImpactOptions::default()).counts());
            Ok(graph)
        })?;
        ensure!(graph.relationship_count() == made.needs.len(), "everything is read");
        let reached = self.figures.at_m(loads.cpu.as_secs_f64() <= 6.0);
        self.figure(
            "from CSV in memory to the first answer, the graph alone",
            "6 s CPU at size M",
            format!("{} CPU, {} wall", shown(loads.cpu), shown(loads.within(1.0))),
            reached,
            format!("{} MiB of text", file.len() >> 20),
        );
        self.number("csv_to_first_answer_seconds_cpu", loads.cpu.as_secs_f64());
        Ok(())
    }
}

/// Wall time, CPU time of the process, and what it gives, by so many threads.
fn timed<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<(Duration, Duration, T)> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let (began, cpu_began) = (Instant::now(), cpu());
    let made = pool.install(work);
    Ok((began.elapsed(), cpu() - cpu_began, made))
}

/// How much more two threads do than one where nothing but the cores is in the way.
fn two_cores() -> f64 {
    let spin = || {
        let mut number = 1u64;
        for _ in 0..300_000_000u64 {
            number = std::hint::black_box(number.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        }
        number
    };
    let began = Instant::now();
    std::hint::black_box((spin(), spin()));
    let one = began.elapsed();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let other = scope.spawn(spin);
        std::hint::black_box((spin(), other.join().is_ok()));
    });
    one.as_secs_f64() / began.elapsed().as_secs_f64()
}

/// The facts as lines, one for each.
fn csv(deltas: &[Delta]) -> String {
    let mut file = String::new();
    for delta in deltas {
        match delta {
            Delta::Item { id, class, .. } => file.push_str(&format!("item,{},{class}\n", id.0)),
            Delta::Edge { dependent, provider, kind, after, .. } => {
                let Some(after) = after else { continue };
                let weak = if after.carries == Carries::Weak { "weak" } else { "hard" };
                let group = after.group.as_deref().unwrap_or_default();
                file.push_str(&format!("needs,{},{kind},{},{weak},{group}\n", dependent.0, provider.0));
            }
            Delta::Groups { dependent, groups } => {
                for group in groups {
                    file.push_str(&format!("group,{},{},{}\n", dependent.0, group.name, group.require));
                }
            }
        }
    }
    file
}

/// The lines as facts; lines about the groups of one item stand together.
fn deltas(file: &str) -> Result<Vec<Delta>> {
    let mut names: BTreeMap<&str, Arc<str>> = BTreeMap::new();
    let mut deltas: Vec<Delta> = Vec::new();
    for line in file.lines() {
        let mut fields = line.split(',');
        let mut field = || fields.next().with_context(|| format!("\"{line}\" is cut short"));
        let (what, id) = (field()?, ItemId(field()?.parse()?));
        let mut name = |text| Arc::clone(names.entry(text).or_insert_with(|| Arc::from(text)));
        match what {
            "item" => {
                deltas.push(Delta::Item { id, class: name(field()?), status: Status::Active });
            }
            "needs" => {
                let (kind, provider) = (name(field()?), ItemId(field()?.parse()?));
                let carries = if field()? == "weak" { Carries::Weak } else { Carries::Hard };
                let group = Some(field()?).filter(|group| !group.is_empty()).map(name);
                let after = Some(EdgeState { carries, group, ..super::needed() });
                deltas.push(Delta::Edge { dependent: id, provider, kind, from_is_dependent: true, after });
            }
            _ => {
                let state = GroupState {
                    name: name(field()?),
                    require: field()?.parse::<Require>()?,
                    inferred: false,
                    confidence: 1.0,
                };
                match deltas.last_mut() {
                    Some(Delta::Groups { dependent, groups }) if *dependent == id => groups.push(state),
                    _ => deltas.push(Delta::Groups { dependent: id, groups: vec![state] }),
                }
            }
        }
    }
    Ok(deltas)
}
