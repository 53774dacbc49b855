//! No cliffs: shapes that have brought others down are answered in linear time and on a small stack.
//!
//! A ladder has more paths than can be counted, a clique a cycle through every order of its items, a chain a path as long
//! as there are items, and a star a row of all of them. Whatever takes a step for each path never ends here; whatever
//! recurses over the graph runs out of stack.

use cmdb_core::graph::{Graph, Index};

use crate::critical::{Margin, critical, points};
use crate::depends::{Need, depends};
use crate::estate::{large, needing};
use crate::progress::Progress;
use crate::propagate::{Options, impact, joint};
use crate::reach::{Condensed, Counter};
use crate::trace::{Extent, trace};

/// A thread of the standard library has 16 times as much; one frame for each item of a chain would not fit.
const STACK_BYTES: usize = 128 << 10;
const MANY: u64 = 1_000_000;

fn on_a_small_stack(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work).expect("there is a thread to be had").join().expect("it ends well");
    });
}

fn failed(graph: &Graph, seed: Index) -> u64 {
    impact(graph, &[seed], Options::default()).counts().failed
}

/// Thirty diamonds, one on top of the other: the rungs are 1, 4, 7, …, each needs two, which both need the next.
fn ladder() -> Graph {
    let rung = |number: u64| number * 3 + 1;
    let sides = (0..30).flat_map(move |number| {
        [1, 2].into_iter().flat_map(move |side| {
            [(rung(number), rung(number) + side), (rung(number) + side, rung(number + 1))]
        })
    });
    needing(rung(30), sides)
}

/// Three hundred, of which each needs every other.
fn clique() -> Graph {
    let pairs = (1..=300).flat_map(|one| (1..=300).map(move |other| (one, other)));
    needing(300, pairs.filter(|(one, other)| one != other))
}

fn condensed(graph: &Graph) -> Condensed {
    Condensed::of(graph, &Progress::default()).expect("nobody cancels")
}

#[test]
fn a_ladder_of_thirty_diamonds() {
    on_a_small_stack(|| {
        let graph = ladder();
        let (top, bottom) = (Index(0), Index(90));
        assert_eq!(failed(&graph, bottom), 90);
        let needed = depends(&graph, &[top], None);
        assert_eq!(needed.items().len(), 90);
        assert!(needed.items().iter().all(|needed| needed.need == Need::Alone));
        let found = critical(&graph, top, &[]);
        assert_eq!((found.alone.len(), found.margin()), (90, Margin::Exactly(0)));
        assert_eq!(condensed(&graph).count(bottom, &mut Counter::default()), 90);
        let chains = trace(&graph, top, bottom, 10);
        assert_eq!((chains.chains.len(), chains.extent), (10, Extent::MoreChains), "of a thousand million");
        assert!(chains.chains.iter().all(|chain| chain.steps.len() == 61));
        assert_eq!(joint(&graph, &[Index(1), Index(2)], Options::default()).counts().failed, 0);
    });
}

#[test]
fn a_clique_of_three_hundred() {
    on_a_small_stack(|| {
        let graph = clique();
        let (one, other) = (Index(0), Index(299));
        assert_eq!(failed(&graph, one), 299);
        assert_eq!(depends(&graph, &[one], None).items().len(), 299);
        assert_eq!(critical(&graph, one, &[]).alone.len(), 299);
        let condensed = condensed(&graph);
        assert_eq!((condensed.places(), condensed.count(one, &mut Counter::default())), (1, 299));
        let chains = trace(&graph, one, other, 10);
        assert_eq!((chains.chains.len(), chains.chains[0].steps.len()), (10, 2));
        assert_ne!(chains.extent, Extent::Whole, "it says that there are more");
    });
}

#[test]
fn a_chain_of_a_million() {
    on_a_small_stack(|| {
        let graph = large(MANY, |id| id - 1);
        let (bottom, top) = (Index(0), Index(999_999));
        assert_eq!(failed(&graph, bottom), MANY - 1);
        assert_eq!(depends(&graph, &[top], None).items().len() as u64, MANY - 1);
        assert_eq!(critical(&graph, top, &[]).alone.len() as u64, MANY - 1);
        let condensed = condensed(&graph);
        assert_eq!(condensed.count(bottom, &mut Counter::default()), MANY - 1);
        assert_eq!(condensed.counts_of(&[bottom, top]), [MANY - 1, 0]);
        let chains = trace(&graph, top, bottom, 10);
        assert_eq!((chains.chains[0].steps.len() as u64, chains.extent), (MANY, Extent::Whole));
    });
}

#[test]
fn a_star_of_a_million() {
    on_a_small_stack(|| {
        let graph = large(MANY, |_| 1);
        let (middle, point) = (Index(0), Index(999_999));
        assert_eq!(failed(&graph, middle), MANY - 1);
        assert_eq!(depends(&graph, &[point], None).items().len(), 1);
        assert_eq!(critical(&graph, point, &[]).alone.len(), 1);
        let nobody = Progress::default();
        let counts = condensed(&graph).counts(&nobody).expect("nobody cancels");
        assert_eq!((u64::from(counts[0]), counts[999_999]), (MANY - 1, 0));
        let targets: Vec<Index> = graph.indexes().skip(1).collect();
        let found = points(&graph, &targets, &[], &nobody).expect("nobody cancels");
        assert_eq!((found.len(), found[0].item, found[0].fails.len() as u64), (1, middle, MANY - 1));
        assert_eq!(trace(&graph, point, middle, 10).chains.len(), 1);
    });
}

/// What has been found wrong in programs of this kind.
mod of_others {
    use crate::estate::Estate;
    use crate::propagate::{Affected, Options, State, impact};

    fn told(estate: &Estate, seed: &str, options: Options) -> Vec<String> {
        let found = impact(&estate.graph, &estate.all(seed), options);
        let line = |one: &Affected| format!("{} {}", estate.name(one.item), one.distance);
        let failed = found.affected().iter().filter(|one| one.state == State::Failed);
        let mut lines: Vec<String> = failed.map(line).collect();
        lines.sort();
        lines
    }

    /// A search in depth that is cut at a depth marks what it meets on a long way as seen, and then does not go on
    /// from there when it comes by the short way: what lies behind is lost.
    #[test]
    fn a_limit_of_depth_loses_nothing_that_a_shorter_way_reaches() {
        let estate = Estate::of(
            "a needs root\nb needs a\nnear needs b\nnear needs root\nbehind needs near\nfurther needs behind",
        );
        let within = told(&estate, "root", Options { depth: Some(3) });
        assert_eq!(within, ["a 1", "b 2", "behind 2", "further 3", "near 1"]);
    }

    /// A walk that drops what leads back to where it has been drops a relationship, and with it a member that is lost.
    #[test]
    fn what_closes_a_loop_counts() {
        let estate =
            Estate::of("a needs root\nb needs a\na needs b\nc needs b in g\nc needs a in g\nc group g any");
        assert_eq!(told(&estate, "root", Options::default()), ["a 1", "b 2", "c 2"]);
        assert_eq!(told(&estate, "b", Options::default()), ["a 1", "c 1"]);
        let edges: usize = estate.graph.indexes().map(|item| estate.graph.dependencies(item).count()).sum();
        assert_eq!((edges, estate.graph.relationship_count()), (5, 5));
    }

    /// A member that is lost over two ways is lost once.
    #[test]
    fn redundancy_is_not_counted_once_a_path() {
        let estate = Estate::of(
            "left needs root\nright needs root\nweb-1 needs left\nweb-1 needs right\n
             shop needs web-1 in web\nshop needs web-2 in web\nshop needs web-3 in web\nshop group web at_least 2",
        );
        assert_eq!(told(&estate, "root", Options::default()), ["left 1", "right 1", "web-1 2"]);
    }

    /// A child that is in maintenance, and so a seed like any other, hides nothing of what its parent's failure does to
    /// others.
    #[test]
    fn a_child_in_maintenance_hides_no_failure_of_its_parent() {
        let estate =
            Estate::of("child needs parent\nother needs parent\ntop needs other\ntop needs child in g");
        assert_eq!(told(&estate, "child", Options::default()), ["top 1"]);
        assert_eq!(told(&estate, "child parent", Options::default()), ["other 1", "top 1"]);
    }
}
