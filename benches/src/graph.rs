//! The live graph and its answers beside the raw limit, and beside petgraph, on one estate and in one run.
//!
//! The raw limit is a search in breadth over bare compressed sparse rows of the same places in the same order: nothing
//! that visits the same items can be much faster. It ignores redundancy and weak relationships. Each question is put
//! to it and to us in turn, and ratios are of CPU time, so that what else the machine does weighs on both alike.

pub mod estate;
mod raw;
mod whole;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cmdb_core::graph::{Carries, Delta, EdgeState, Folder, Graph, Index};
use cmdb_core::model::{ItemId, Revision, Status};
use cmdb_impact::{Condensed, Counter, Options as ImpactOptions, Progress, impact};
use serde_json::{Map, Value, json};

use crate::generator::Random;
use crate::measure::{cpu, shown, thread_cpu};
use crate::table::{Figure, Figures};
use estate::{Estate, Redundancy};
use raw::{Petgraph, Raw};

/// Questions of each kind.
const QUESTIONS: usize = 1_000;
/// Questions that petgraph is asked too, of those.
const QUESTIONS_OF_PETGRAPH: usize = 200;
/// Commits that are laid over the graph: enough to fill the overlay of the larger size.
const COMMITS: u64 = 40_000;
const STARTS: usize = 3;

/// How large the estate is.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Size {
    /// 10,000 items, 40,000 relationships
    S,
    /// 1,000,000 items, 4,000,000 relationships
    M,
    /// 10,000,000 items, 40,000,000 relationships
    L,
}

impl Size {
    pub fn items(self) -> u64 {
        match self {
            Size::S => 10_000,
            Size::M => 1_000_000,
            Size::L => 10_000_000,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Size::S => "S",
            Size::M => "M",
            Size::L => "L",
        }
    }
}

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// The table, which is written into the page as well
    Table,
    /// One flat object, and no table anywhere
    Json,
}

/// What is measured, and where the figures go.
#[derive(clap::Args)]
pub struct Options {
    /// How large the estate is
    #[arg(long, value_enum, ignore_case = true, default_value = "s")]
    size: Size,
    /// What is printed
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// Seed of the estate and of what is asked
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The page that the table is written into
    #[arg(long, default_value = "docs/performance.md")]
    page: PathBuf,
}

/// Measures everything, prints it, and writes the table.
#[allow(clippy::print_stdout, reason = "this is a command line program")]
pub fn run(options: &Options) -> Result<()> {
    let made = Estate::new(options.size.items(), options.seed);
    let figures = Figures::begin("graph", options.size.name(), made.items() as u64, made.needs.len() as u64)?;
    let figures = if options.output == Output::Json { figures.quiet() } else { figures };
    let mut bench = Bench { figures, json: Map::new(), seeds: Vec::new() };
    bench.json.insert("size".to_owned(), options.size.name().into());
    bench.json.insert("items".to_owned(), made.items().into());
    bench.json.insert("relationships".to_owned(), made.needs.len().into());
    let graph = bench.load(&made)?;
    let index = |id| graph.index(id).expect("the estate is in the graph");
    bench.seeds = made.questions(options.seed, QUESTIONS).into_iter().map(index).collect();
    let raw = bench.impact(&graph)?;
    bench.equal_reach(&made)?;
    bench.petgraph(&graph, &raw)?;
    let (condensed, counts) = bench.blast_radius(&graph, &raw)?;
    drop(raw);
    bench.near(&graph, &counts);
    bench.batch(&condensed, &counts)?;
    bench.two_threads(&graph, &condensed)?;
    drop(condensed);
    bench.single_points(&graph)?;
    let later = bench.commits(&graph, options.seed);
    bench.overlaid(&graph, &later);
    bench.restart(&graph)?;
    drop(graph);
    bench.load_csv(&made)?;
    match options.output {
        Output::Table => bench.figures.write(&options.page),
        Output::Json => {
            println!("{}", Value::Object(bench.json));
            Ok(())
        }
    }
}

/// How long each of several questions took.
#[derive(Default)]
struct Times {
    wall: Vec<Duration>,
    cpu: Duration,
    cpu_worst: Duration,
}

impl Times {
    fn take<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (began, cpu_began) = (Instant::now(), thread_cpu());
        let done = work();
        let cpu = thread_cpu() - cpu_began;
        self.cpu += cpu;
        self.cpu_worst = self.cpu_worst.max(cpu);
        self.wall.push(began.elapsed());
        done
    }

    fn vs(&self, other: &Times) -> f64 {
        self.cpu.as_secs_f64() / other.cpu.as_secs_f64()
    }

    /// The time that a share of the questions is answered within.
    fn within(&self, share: f64) -> Duration {
        let mut wall = self.wall.clone();
        wall.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list of thousands"
        )]
        let place = (wall.len() as f64 * share) as usize;
        wall[place.min(wall.len() - 1)]
    }

    /// `p50 0.44 ms, p99 30 ms, worst 54 ms, mean CPU 4.2 ms`.
    fn text(&self) -> String {
        let mean = self.cpu.as_secs_f64() / self.wall.len() as f64;
        format!(
            "p50 {}, p99 {}, worst {}, mean CPU {}",
            shown(self.within(0.5)),
            shown(self.within(0.99)),
            shown(self.within(1.0)),
            shown(Duration::from_secs_f64(mean))
        )
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

struct Bench {
    figures: Figures,
    json: Map<String, Value>,
    seeds: Vec<Index>,
}

impl Bench {
    fn figure(
        &mut self,
        what: &'static str,
        reach: &'static str,
        value: String,
        reached: Option<bool>,
        beside: String,
    ) {
        self.figures.add(Figure { what, reach, value, reached, beside });
    }

    /// A figure to three decimals, for programs.
    fn number(&mut self, key: &str, value: f64) {
        self.json.insert(key.to_owned(), json!((value * 1e3).round() / 1e3));
    }

    fn load(&mut self, made: &Estate) -> Result<Graph> {
        let deltas = made.deltas(Redundancy::Declared);
        let (began, cpu_began) = (Instant::now(), cpu());
        let graph = Graph::build(Revision(1), deltas.into_iter());
        let (wall, cpu) = (began.elapsed(), cpu() - cpu_began);
        ensure!(graph.relationship_count() == made.needs.len(), "all relationships are in the graph");
        let reached = self.figures.at_m(cpu.as_secs_f64() <= 6.0);
        self.figure(
            "build from a list of facts",
            "6 s CPU at size M, from CSV",
            format!("{} CPU, {} wall", shown(cpu), shown(wall)),
            reached,
            String::new(),
        );
        self.number("build_seconds_cpu", cpu.as_secs_f64());
        let size = graph.footprint();
        let relationships = graph.relationship_count() as f64;
        let each = size.topology as f64 / relationships;
        let item = (size.topology + size.rest) as f64 / graph.item_count() as f64;
        self.figure(
            "memory of the topology, with type and group",
            "14 B a relationship, 150 B an item in all",
            format!("{each:.1} B a relationship, {item:.0} B an item in all"),
            Some(each <= 14.0 && item <= 150.0),
            format!("{} groups", graph.gate_bound()),
        );
        self.number("topology_bytes_per_relationship", each);
        self.number("bytes_per_item", item);
        Ok(graph)
    }

    fn impact(&mut self, graph: &Graph) -> Result<Raw> {
        let mut raw = Raw::of(graph);
        let (mut of_raw, mut ours) = (Times::default(), Times::default());
        let (mut plain, mut gated) = (0, 0);
        for seed in self.seeds.clone() {
            let reached = of_raw.take(|| raw.reach(seed));
            let counts = ours.take(|| impact(graph, &[seed], ImpactOptions::default()).counts());
            ensure!(counts.failed < reached, "redundancy fails nothing more");
            plain += reached;
            gated += counts.failed + 1;
        }
        let ratio = ours.vs(&of_raw);
        self.figure(
            "raw search, redundancy ignored",
            "(beside)",
            of_raw.text(),
            None,
            format!("{} items a question", plain / self.seeds.len() as u64),
        );
        self.figure(
            "impact under redundancy",
            "1.2 times raw",
            format!("{ratio:.2} times; {}", ours.text()),
            self.figures.at_m(ratio <= 1.2),
            format!("{} items a question fail", gated / self.seeds.len() as u64),
        );
        let (p50, p99) = (micros(ours.within(0.5)), micros(ours.within(0.99)));
        self.number("impact_gated_vs_raw", ratio);
        self.number("impact_p50_us", p50);
        self.number("impact_p99_us", p99);
        self.number("raw_p50_us", micros(of_raw.within(0.5)));
        Ok(raw)
    }

    /// The same questions where everybody needs everything: as much is visited as by the raw search.
    fn equal_reach(&mut self, made: &Estate) -> Result<()> {
        let graph = Graph::build(Revision(1), made.deltas(Redundancy::Ignored).into_iter());
        let mut raw = Raw::of(&graph);
        let (mut of_raw, mut ours) = (Times::default(), Times::default());
        for seed in self.seeds.clone() {
            let reached = of_raw.take(|| raw.reach(seed));
            let counts = ours.take(|| impact(&graph, &[seed], ImpactOptions::default()).counts());
            ensure!(counts.failed + 1 == reached, "the raw search and the answer reach the same");
        }
        let ratio = ours.vs(&of_raw);
        self.figure(
            "impact, nothing spared: as much visited as raw",
            "(beside)",
            format!("{ratio:.2} times; {}", ours.text()),
            None,
            format!("raw: {}", of_raw.text()),
        );
        self.number("impact_equal_reach_vs_raw", ratio);
        Ok(())
    }

    fn petgraph(&mut self, graph: &Graph, raw: &Raw) -> Result<()> {
        let other = Petgraph::of(graph);
        let mut raw = raw.clone();
        let (mut of_raw, mut theirs) = (Times::default(), Times::default());
        for seed in self.seeds.iter().copied().take(QUESTIONS_OF_PETGRAPH) {
            let reached = of_raw.take(|| raw.reach(seed));
            ensure!(theirs.take(|| other.reach(seed)) == reached, "petgraph reaches the same");
        }
        let ratio = theirs.vs(&of_raw);
        self.figure(
            "petgraph's search on its own `DiGraph`, redundancy ignored",
            "(beside)",
            format!("{ratio:.1} times raw; {}", theirs.text()),
            None,
            format!("{QUESTIONS_OF_PETGRAPH} questions"),
        );
        self.number("petgraph_vs_raw", ratio);
        Ok(())
    }

    /// How many items each one could take with it: of one by a search through the condensed form, of all at once.
    fn blast_radius(&mut self, graph: &Graph, raw: &Raw) -> Result<(Condensed, Vec<u32>)> {
        let mut raw = raw.clone();
        let (began, cpu_began) = (Instant::now(), cpu());
        let condensed = Condensed::of(graph, &Progress::default()).context("nobody cancels")?;
        let (wall, made) = (began.elapsed(), cpu() - cpu_began);
        self.figure(
            "condensing the graph",
            "(beside)",
            format!("{} CPU, {} wall", shown(made), shown(wall)),
            None,
            format!(
                "{} places, {} relationships between them",
                condensed.places(),
                condensed.relationships()
            ),
        );
        let mut counter = Counter::default();
        let (mut arrived, place_of) = Raw::as_arrived(graph);
        let (mut of_raw, mut ours, mut of_arrived) = (Times::default(), Times::default(), Times::default());
        for seed in self.seeds.clone() {
            let reached = of_raw.take(|| raw.reach(seed));
            let place = Index(place_of[seed.0 as usize]);
            ensure!(of_arrived.take(|| arrived.reach(place)) == reached, "the order changes nothing");
            ensure!(ours.take(|| condensed.count(seed, &mut counter)) + 1 == reached, "the counts are equal");
        }
        let ratio = ours.vs(&of_raw);
        self.figure(
            "plain reachability through the condensed form",
            "0.8 times raw",
            format!("{ratio:.2} times; {}", ours.text()),
            self.figures.at_m(ratio <= 0.8),
            "1,000 counts".to_owned(),
        );
        self.number("impact_plain_vs_raw", ratio);
        let (order, plain) = (of_arrived.vs(&of_raw), ours.vs(&of_arrived));
        self.figure(
            "raw search with items in the order in which they arrived",
            "(beside)",
            format!("{order:.2} times the graph's own order; {}", of_arrived.text()),
            None,
            format!("plain reachability takes {plain:.2} times this"),
        );
        self.number("arrived_vs_ordered", order);
        self.number("impact_plain_vs_raw_as_arrived", plain);
        let (began, cpu_began) = (Instant::now(), cpu());
        let counts = condensed.counts(&Progress::default());
        let (wall, made) = (began.elapsed(), cpu() - cpu_began);
        let counts = counts.context("nobody cancels")?;
        for seed in &self.seeds {
            let count = u64::from(counts[seed.0 as usize]);
            ensure!(condensed.count(*seed, &mut counter) == count, "the counts are equal");
        }
        self.figure(
            "blast radius of every item, exact",
            "6 s CPU at size M",
            format!("{} CPU, {} wall", shown(made), shown(wall)),
            self.figures.at_m(made.as_secs_f64() <= 6.0),
            "all cores".to_owned(),
        );
        self.number("blast_radius_all_seconds_cpu", made.as_secs_f64());
        self.number("blast_radius_all_seconds", wall.as_secs_f64());
        Ok((condensed, counts))
    }

    /// Small commits, one after the other: a new item that needs two others, and one relationship that goes.
    fn commits(&mut self, graph: &Graph, seed: u64) -> Graph {
        let mut random = Random::new(seed ^ 0xc0);
        let known = graph.index_bound() as u64;
        let mut any = || ItemId(random.below(known) + 1);
        let mut times = Times::default();
        let (folder, mut next) = (Folder::default(), graph.clone());
        let kind: std::sync::Arc<str> = std::sync::Arc::from("depends_on");
        let mut last = None;
        for number in 1..=COMMITS {
            let id = ItemId(known + number);
            let (class, status) = (std::sync::Arc::from("application"), Status::Active);
            let mut deltas = vec![Delta::Item { id, class, status }];
            let edge = |dependent, provider, after| Delta::Edge {
                dependent,
                provider,
                kind: std::sync::Arc::clone(&kind),
                from_is_dependent: true,
                after,
            };
            let (one, other) = (any(), any());
            deltas.push(edge(id, one, Some(needed())));
            deltas.push(edge(id, other, Some(needed())));
            deltas
                .extend(last.replace((id, one)).map(|(dependent, provider)| edge(dependent, provider, None)));
            let revision = Revision(next.revision().0 + 1);
            times.take(|| {
                next = folder.apply(&next, revision, deltas);
                folder.let_go();
            });
        }
        let worst = times.within(1.0);
        let reached = self.figures.at_m(worst <= Duration::from_millis(1));
        let slow = times.wall.iter().filter(|wall| **wall > Duration::from_millis(1)).count();
        self.figure(
            "commit visible to queries",
            "1 ms",
            format!(
                "p50 {}, p99 {}, worst of {COMMITS} {}, of which CPU {}",
                shown(times.within(0.5)),
                shown(times.within(0.99)),
                shown(worst),
                shown(times.cpu_worst)
            ),
            reached,
            format!("an item with two relationships, and one that goes; {slow} took more than 1 ms"),
        );
        self.number("commit_visible_us", micros(times.within(0.5)));
        self.number("commit_visible_p99_us", micros(times.within(0.99)));
        self.number("commit_visible_worst_us", micros(worst));
        self.number("commit_visible_worst_us_cpu", micros(times.cpu_worst));
        next
    }

    /// The same questions before and after some commits that are not folded in yet.
    fn overlaid(&mut self, graph: &Graph, later: &Graph) {
        let (mut before, mut after) = (Times::default(), Times::default());
        for seed in self.seeds.clone() {
            before.take(|| impact(graph, &[seed], ImpactOptions::default()).counts());
            after.take(|| impact(later, &[seed], ImpactOptions::default()).counts());
        }
        let ratio = after.vs(&before);
        self.figure(
            "impact with commits that are not folded in yet",
            "(beside)",
            format!("{ratio:.2} times without; {}", after.text()),
            None,
            format!("{} commits since the estate", later.revision().0 - graph.revision().0),
        );
        self.number("impact_overlaid_vs_folded", ratio);
    }

    fn restart(&mut self, graph: &Graph) -> Result<()> {
        let mut image = Vec::new();
        graph.write_image(&mut image)?;
        let mut times = Times::default();
        for _ in 0..STARTS {
            let read = times.take(|| {
                let graph = Graph::read_image(&image, graph.revision())?;
                Some(impact(&graph, &self.seeds[..1], ImpactOptions::default()).counts())
            });
            ensure!(read.is_some(), "the image was just written");
        }
        let median = times.within(0.5);
        let reached = self.figures.at_m(median.as_secs_f64() <= 0.5);
        self.figure(
            "from the graph's image in memory to the first answer",
            "0.5 s at size M",
            shown(median),
            reached,
            format!("image {} MiB", image.len() >> 20),
        );
        self.number("restart_to_first_answer_ms", micros(median) / 1e3);
        Ok(())
    }
}

fn needed() -> EdgeState {
    EdgeState {
        carries: Carries::Hard,
        group: None,
        weight: 1.0,
        inferred: false,
        confidence: 1.0,
        status: Status::Active,
    }
}
