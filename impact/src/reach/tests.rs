use arbtest::arbtest;

use super::*;
use crate::estate::{Estate, large, random, random_seeds};
use crate::naive;

fn all(graph: &Graph) -> Vec<u32> {
    condensed(graph).counts(&Progress::default()).expect("nobody cancels")
}

fn condensed(graph: &Graph) -> Condensed {
    let progress = Progress::default();
    let condensed = Condensed::of(graph, &progress).expect("nobody cancels");
    assert_eq!(progress.at().done, progress.at().total, "all of it is told");
    condensed
}

#[test]
fn redundancy_is_set_aside_and_weak_relationships_do_not_count() {
    let estate = Estate::of(
        "shop needs web-1 in web\nshop needs web-2 in web\nshop group web any
         web-1 needs host\nweb-1 needs host over runs_on\nother touches host
         a needs b\nb needs c\nc needs a\na needs host",
    );
    let (condensed, mut counter) = (condensed(&estate.graph), Counter::default());
    let counts = all(&estate.graph);
    for (name, expected) in
        [("shop", 0), ("web-1", 1), ("host", 5), ("other", 0), ("a", 2), ("b", 2), ("web-2", 1)]
    {
        assert_eq!(condensed.count(estate.at(name), &mut counter), expected, "{name}");
        assert_eq!(u64::from(counts[estate.at(name).0 as usize]), expected, "{name}");
    }
    assert_eq!((condensed.places(), condensed.relationships()), (6, 4));
}

#[test]
fn equals_its_slow_twin_on_random_graphs() {
    arbtest(|u| {
        let graph = random(u)?;
        let (condensed, mut counter) = (condensed(&graph), Counter::default());
        let counts = all(&graph);
        for item in graph.indexes() {
            let expected = naive::reached(&graph, item).len() as u64 - 1;
            assert_eq!(condensed.count(item, &mut counter), expected);
            assert_eq!(u64::from(counts[item.0 as usize]), expected);
        }
        let some = random_seeds(u, &graph)?;
        let expected: Vec<u64> =
            some.iter().map(|item| naive::reached(&graph, *item).len() as u64 - 1).collect();
        assert_eq!(condensed.counts_of(&some), expected, "in the order asked, repeats included");
        Ok(())
    })
    .budget_ms(2_000);
}

#[test]
fn more_places_than_lanes() {
    // A tree: an item of id n is needed by 2n and 2n + 1; and everything needs the first over a cycle of three.
    let items = 5_000;
    let graph = large(items, |id| id / 2);
    let counts = all(&graph);
    let (condensed, mut counter) = (condensed(&graph), Counter::default());
    for item in graph.indexes().step_by(7) {
        assert_eq!(u64::from(counts[item.0 as usize]), condensed.count(item, &mut counter));
    }
    assert_eq!(u64::from(counts[0]), items - 1);
    let all: Vec<Index> = graph.indexes().collect();
    assert!(condensed.counts_of(&all).into_iter().eq(counts.into_iter().map(u64::from)));
    assert!(condensed.counts_of(&[]).is_empty());
}

#[test]
fn a_long_chain_and_a_star_end() {
    let star = all(&large(1_000_000, |_| 1));
    assert_eq!((star[0], star[1]), (999_999, 0));
    // Every count of a chain of so many would be as many bits as its square; one count is a walk.
    let chain = condensed(&large(1_000_000, |id| id - 1));
    let mut counter = Counter::default();
    assert_eq!(chain.count(Index(0), &mut counter), 999_999);
    assert_eq!(chain.count(Index(999_998), &mut counter), 1);
    assert_eq!(all(&large(20_000, |id| id - 1))[0], 19_999);
}

#[test]
fn the_number_of_threads_changes_no_count() {
    let graph = large(5_000, |id| id / 3 + 1);
    let asked: Vec<Index> = (0..5_000).rev().map(Index).collect();
    let told = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (all(&graph), condensed(&graph).counts_of(&asked)))
    };
    let one = told(1);
    assert_eq!(one, told(2));
    assert_eq!(one, told(7));
}

#[test]
fn what_is_cancelled_says_so() {
    let graph = large(1_000, |_| 1);
    let gone = Progress::default();
    gone.cancel();
    assert_eq!(condensed(&graph).counts(&gone), None);
    assert_eq!(gone.at().done, 0);
    assert!(Condensed::of(&graph, &gone).is_none());
    let long = large(100_000, |id| id - 1);
    assert!(Condensed::of(&long, &gone).is_none() && gone.at().done < 100_000, "also within one search");
}
