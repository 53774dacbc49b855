use std::collections::BTreeSet;

use arbtest::arbtest;

use super::*;
use crate::estate::{Estate, large, random, random_seeds};
use crate::naive;

/// The chains between two items, one a line.
fn chains(estate: &Estate, from: &str, to: &str, chains_max: usize) -> (Vec<String>, Extent) {
    let found = trace(&estate.graph, estate.at(from), estate.at(to), chains_max);
    let lines = found.chains.iter().map(|chain| {
        let names: Vec<_> = chain.steps.iter().map(|step| estate.name(step.item)).collect();
        let arrow = if chain.direction == Direction::FromNeedsTo { " > " } else { " < " };
        names.join(arrow)
    });
    (lines.collect(), found.extent)
}

const SHOP: &str = "shop needs web-1 in web
    shop needs web-2 in web
    web-1 needs host
    web-2 touches host over connects_to
    web-2 needs host over runs_on
    web-2 needs web-1
    host needs dns
    dns needs web-1";

#[test]
fn shortest_first_and_in_both_directions() {
    let estate = Estate::of(SHOP);
    let (lines, extent) = chains(&estate, "shop", "host", 10);
    assert_eq!(lines, ["shop > web-1 > host", "shop > web-2 > host", "shop > web-2 > web-1 > host"]);
    assert_eq!(extent, Extent::Whole);
    let (lines, _) = chains(&estate, "host", "web-1", 10);
    assert_eq!(lines, ["host < web-1", "host > dns > web-1", "host < web-2 < shop < web-1"][..2]);
}

#[test]
fn nothing_leads_there() {
    let estate = Estate::of("a needs b\nc needs b");
    assert_eq!(chains(&estate, "a", "c", 10), (vec![], Extent::Whole));
    assert_eq!(chains(&estate, "a", "a", 10), (vec![], Extent::Whole));
}

#[test]
fn fewer_than_there_are_says_so() {
    let estate = Estate::of(SHOP);
    let (lines, extent) = chains(&estate, "shop", "host", 2);
    assert_eq!((lines.len(), extent), (2, Extent::MoreChains));
    assert_eq!(chains(&estate, "shop", "host", 3).1, Extent::Whole);
}

#[test]
fn a_step_names_the_strongest_relationship_and_how_it_is_written() {
    let estate = Estate::of(SHOP);
    let found = trace(&estate.graph, estate.at("web-2"), estate.at("host"), 1);
    let joint = found.chains[0].steps[0].joint.unwrap();
    assert_eq!(estate.graph.type_name(joint.kind), "runs_on");
    assert_eq!((joint.forward, joint.others, joint.carries), (true, 1, Carries::Hard));
    assert_eq!(found.chains[0].steps[1].joint, None);
    let back = trace(&estate.graph, estate.at("host"), estate.at("web-2"), 1);
    let joint = back.chains[0].steps[0].joint.unwrap();
    assert_eq!((back.chains[0].direction, joint.forward), (Direction::ToNeedsFrom, false));
}

#[test]
fn equals_its_slow_twin_on_random_graphs() {
    arbtest(|u| {
        let graph = random(u)?;
        let (from, to) = (random_seeds(u, &graph)?[0], random_seeds(u, &graph)?[0]);
        let found = trace(&graph, from, to, TRACE_CHAINS_MAX);
        if found.extent != Extent::Whole {
            return Ok(());
        }
        for direction in [Direction::FromNeedsTo, Direction::ToNeedsFrom] {
            let own = found.chains.iter().filter(|chain| chain.direction == direction);
            let own: Vec<Vec<Index>> =
                own.map(|chain| chain.steps.iter().map(|step| step.item).collect()).collect();
            assert!(own.is_sorted_by_key(Vec::len));
            let set: BTreeSet<_> = own.iter().cloned().collect();
            assert_eq!(set.len(), own.len(), "no chain is listed twice");
            assert_eq!(
                set,
                naive::chains(&graph, from, to, direction),
                "{direction:?} from {from:?} to {to:?}"
            );
        }
        let some = u.int_in_range(0..=3)?;
        let cut = trace(&graph, from, to, some);
        assert_eq!(cut.chains, found.chains[..some.min(found.chains.len())]);
        assert_eq!(cut.extent == Extent::MoreChains, found.chains.len() > some);
        Ok(())
    })
    .budget_ms(3_000);
}

#[test]
fn a_ladder_of_diamonds_a_clique_and_a_long_chain_end() {
    let mut ladder = String::new();
    for rung in 0..30 {
        for side in ["a", "b"] {
            ladder += &format!("n{rung} needs {side}{rung}\n{side}{rung} needs n{}\n", rung + 1);
        }
    }
    let (lines, extent) = chains(&Estate::of(&ladder), "n0", "n30", 10);
    assert_eq!((lines.len(), extent), (10, Extent::MoreChains));

    let mut clique = String::new();
    for one in 0..100 {
        for other in (0..100).filter(|other| *other != one) {
            clique += &format!("n{one} needs n{other}\n");
        }
    }
    let estate = Estate::of(&clique);
    let (lines, extent) = chains(&estate, "n0", "n99", 10);
    assert_eq!((lines.len(), extent), (10, Extent::MoreChains));
    assert_eq!(lines[0], "n0 > n99");

    // A dead end of any size beside the only chain is no work without end.
    let dead_end = format!("{clique}start needs n0\nstart needs end\nend needs end-2");
    let (lines, extent) = chains(&Estate::of(&dead_end), "start", "end-2", 10);
    assert_eq!((lines.len(), extent), (1, Extent::Whole));

    let chain = large(1_000_000, |id| id - 1);
    let found = trace(&chain, Index(999_999), Index(0), 10);
    assert_eq!((found.chains.len(), found.extent), (1, Extent::Whole));
    assert_eq!(found.chains[0].steps.len(), 1_000_000);
    let star = large(1_000_000, |_| 1);
    assert_eq!(trace(&star, Index(0), Index(5), 10).chains.len(), 1);
}

#[test]
fn the_search_for_more_is_bounded_and_says_so() {
    let estate = Estate::of(SHOP);
    let found = trace_within(&estate.graph, estate.at("shop"), estate.at("host"), 10, 1);
    assert_eq!((found.chains.len(), found.extent), (1, Extent::StepsSpent));
    assert_eq!(found.chains[0].steps.len(), 3, "the shortest one is there whatever it takes");
}
