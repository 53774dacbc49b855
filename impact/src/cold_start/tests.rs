use std::collections::BTreeSet;

use super::*;
use crate::estate::{Estate, large, random};
use crate::naive;

/// In words: each deadlock, what waits for it and what starts it.
fn told(estate: &Estate, targets: Option<&str>) -> String {
    let targets = targets.map(|targets| estate.all(targets));
    let answer = cold_start(&estate.graph, targets.as_deref());
    let names = |items: &[Index]| items.iter().map(|item| estate.name(*item)).collect::<Vec<_>>().join(" ");
    let deadlocks = answer.deadlocks.iter().map(|deadlock| {
        let (items, starters) = (names(&deadlock.items), names(&deadlock.starters));
        format!("{} [{items}] +{} by {starters}", deadlock.state.name(), deadlock.waiting)
    });
    let stuck = format!("{} stuck, {} at risk", answer.stuck, answer.stuck_at_risk);
    deadlocks.chain([stuck]).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_directory_that_needs_the_machines_that_need_it() {
    let estate = Estate::of(
        "directory needs vm
         vm needs hypervisor
         hypervisor needs names
         names needs directory
         shop needs vm
         shop needs cache
         batch touches directory",
    );
    let all =
        "failed [directory vm hypervisor names] +1 by directory vm hypervisor names; 5 stuck, 0 at risk";
    assert_eq!(told(&estate, None), all);
    assert_eq!(told(&estate, Some("cache batch")), "0 stuck, 0 at risk");
    assert_eq!(told(&estate, Some("names")), all.replace("+1", "+0").replace("5 stuck", "4 stuck"));
}

#[test]
fn a_second_server_elsewhere_lets_it_start() {
    let text = "a needs names-1 in names
         a needs names-2 in names
         a group names any
         names-1 needs a
         names-2 needs rack";
    assert_eq!(told(&Estate::of(text), None), "0 stuck, 0 at risk");
    let guessed = text.replace("group", "guesses");
    let at_risk = "at_risk [a names-1] +0 by a names-1; 0 stuck, 2 at risk";
    assert_eq!(told(&Estate::of(&guessed), None), at_risk);
    let both = text.replace("any", "all");
    assert_eq!(told(&Estate::of(&both), None), "failed [a names-1] +0 by a names-1; 2 stuck, 0 at risk");
}

#[test]
fn two_deadlocks_one_behind_the_other_are_one() {
    let estate = Estate::of(
        "a needs b
         b needs a
         c needs d
         d needs c
         c needs a
         x needs x",
    );
    let told = told(&estate, None);
    assert_eq!(told, "failed [a b] +2 by a b; failed [x] +0 by x; 5 stuck, 0 at risk");
}

#[test]
fn one_alone_may_not_be_enough() {
    let estate = Estate::of(
        "a needs b
         a needs c
         b needs c
         b needs a
         c needs a
         c needs b",
    );
    assert_eq!(told(&estate, None), "failed [a b c] +0 by ; 3 stuck, 0 at risk");
}

/// What starts, by looking at everything again and again.
fn starting(graph: &Graph, reading: naive::Reading) -> BTreeSet<Index> {
    let mut up: BTreeSet<Index> = BTreeSet::new();
    loop {
        let down: BTreeSet<Index> = graph.indexes().filter(|item| !up.contains(item)).collect();
        let more: Vec<Index> =
            down.iter().copied().filter(|item| !naive::fails(graph, *item, &down, reading)).collect();
        if more.is_empty() {
            return up;
        }
        up.extend(more);
    }
}

#[test]
fn equals_its_slow_twin_on_random_graphs() {
    arbtest::arbtest(|u| {
        let graph = random(u)?;
        let answer = cold_start(&graph, None);
        let certain = starting(&graph, naive::Reading::AsDeclared);
        let worst = starting(&graph, naive::Reading::UnconfirmedSpareNothing);
        let all = graph.indexes().count();
        assert_eq!(answer.stuck, (all - certain.len()) as u64);
        assert_eq!(answer.stuck_at_risk, (certain.len() - worst.len()) as u64);
        assert_eq!(answer.stuck > 0, answer.deadlocks.iter().any(|one| one.state == State::Failed));
        for deadlock in &answer.deadlocks {
            let up = if deadlock.state == State::Failed { &certain } else { &worst };
            assert!(deadlock.items.iter().all(|item| !up.contains(item)));
        }
        Ok(())
    })
    .budget_ms(2_000);
}

#[test]
fn a_chain_of_a_million_starts_and_a_ring_does_not() {
    let chain = cold_start(&large(1_000_000, |id| id - 1), None);
    assert_eq!((chain.stuck, chain.items), (0, 1_000_000));
    let mut lines = String::from("i0 needs i1999\n");
    for item in 1..2_000 {
        lines += &format!("i{item} needs i{}\n", item - 1);
    }
    let ring = cold_start(&Estate::of(&lines).graph, None);
    assert_eq!((ring.stuck, ring.deadlocks.len(), ring.deadlocks[0].starters.len()), (2_000, 1, 0));
}
