use std::collections::BTreeSet;

use arbtest::arbitrary::{Result, Unstructured};

use super::*;
use crate::estate::{Estate, large, random, random_seeds};
use crate::naive;

/// In words: what fails it alone, then the sets.
fn told(estate: &Estate, target: &str, down: &str) -> String {
    let answer = critical(&estate.graph, estate.at(target), &estate.all(down));
    let alone = answer.alone.iter().map(|(item, state)| format!("{} {}", estate.name(*item), state.name()));
    let sets = answer.sets.iter().map(|set| {
        let part =
            |part: &Vec<Index>| part.iter().map(|item| estate.name(*item)).collect::<Vec<_>>().join("|");
        set.0.iter().map(part).collect::<Vec<_>>().join("+")
    });
    let lines: Vec<String> = alone.chain(sets).chain([format!("{:?}", answer.margin())]).collect();
    lines.join(", ")
}

#[test]
fn a_shop_on_two_sites() {
    let estate = Estate::of(
        "shop needs web-1 in web
         shop needs web-2 in web
         shop group web any
         shop needs dns
         web-1 needs host-1
         web-2 needs host-2
         host-1 needs rack-1
         host-2 needs rack-2
         dns needs power
         rack-1 needs power",
    );
    let all = "dns failed, power failed, web-1|host-1|rack-1+web-2|host-2|rack-2, Exactly(0)";
    assert_eq!(told(&estate, "shop", ""), all);
    assert_eq!(told(&estate, "web-1", ""), "host-1 failed, rack-1 failed, power failed, Exactly(0)");
    assert_eq!(
        told(&estate, "shop", "rack-2"),
        "web-1 failed, dns failed, host-1 failed, rack-1 failed, power failed, Exactly(0)"
    );
    assert_eq!(told(&estate, "shop", "power"), "Down");
    let answer = critical(&estate.graph, estate.at("shop"), &[]);
    assert_eq!((answer.needed, answer.sets_total, answer.complete_to), (8, 9, 3));
}

#[test]
fn margins_and_guesses() {
    let three = "app needs a in g
         app needs b in g
         app needs c in g
         app group g any";
    assert_eq!(told(&Estate::of(three), "app", ""), "a+b+c, Exactly(2)");
    assert_eq!(told(&Estate::of(three), "app", "b"), "a+c, Exactly(1)");
    let two_of_three = three.replace("any", "at_least 2");
    assert_eq!(told(&Estate::of(&two_of_three), "app", ""), "a+b, a+c, b+c, Exactly(1)");
    let guessed = three.replace("group", "guesses");
    assert_eq!(told(&Estate::of(&guessed), "app", ""), "a at_risk, b at_risk, c at_risk, a+b+c, Exactly(2)");
    let estate = Estate::of(&guessed);
    assert_eq!(told(&estate, "app", "b"), "a+c, Exactly(1)", "at risk of b alone, and so of nothing else");
    assert!(critical(&estate.graph, estate.at("app"), &estate.all("b")).at_risk);
    assert_eq!(told(&Estate::of("app touches cache"), "app", ""), "AtLeast(3)");
    let weights = "app needs a in g weight 3
         app needs b in g weight 1
         app needs c in g weight 1
         app group g capacity 2";
    assert_eq!(told(&Estate::of(weights), "app", ""), "a+b, a+c, Exactly(1)");
}

/// Every smallest set, by trying all of them.
fn by_trying(graph: &Graph, target: Index, down: &[Index]) -> BTreeSet<BTreeSet<Index>> {
    let fails = |set: &BTreeSet<Index>| {
        let seeds: Vec<Index> = down.iter().chain(set).copied().collect();
        naive::failed(graph, &seeds, naive::Reading::AsDeclared).contains(&target)
    };
    let others: Vec<Index> = graph.indexes().filter(|item| *item != target).collect();
    let mut sets: BTreeSet<BTreeSet<Index>> = others.iter().map(|item| [*item].into()).collect();
    let mut smallest: BTreeSet<BTreeSet<Index>> = BTreeSet::new();
    for _ in 0..SET_MAX {
        sets.retain(|set| !smallest.iter().any(|smaller| smaller.is_subset(set)));
        let failing: Vec<_> = sets.iter().filter(|set| fails(set)).cloned().collect();
        smallest.extend(failing);
        let wider = sets.iter().flat_map(|set| {
            others.iter().filter(|item| !set.contains(item)).map(|item| {
                let mut set = set.clone();
                set.insert(*item);
                set
            })
        });
        sets = wider.collect();
    }
    smallest
}

#[test]
fn every_smallest_set_is_found_and_no_other() {
    arbtest::arbtest(|u: &mut Unstructured<'_>| -> Result<()> {
        let graph = random(u)?;
        let target = random_seeds(u, &graph)?[0];
        let down = if u.ratio(1, 3)? { random_seeds(u, &graph)? } else { Vec::new() };
        let answer = critical(&graph, target, &down);
        if naive::failed(&graph, &down, naive::Reading::AsDeclared).contains(&target) {
            assert!(answer.down);
            return Ok(());
        }
        let mut found: BTreeSet<BTreeSet<Index>> = BTreeSet::new();
        for (item, state) in &answer.alone {
            let seeds: Vec<Index> = down.iter().chain([item]).copied().collect();
            let doubtful = naive::failed(&graph, &seeds, naive::Reading::UnconfirmedSpareNothing);
            assert!(doubtful.contains(&target));
            if *state == State::Failed {
                found.insert([*item].into());
            }
        }
        for set in &answer.sets {
            let mut sets: Vec<BTreeSet<Index>> = vec![BTreeSet::new()];
            for part in &set.0 {
                let with = |set: &BTreeSet<Index>, item: &Index| set.iter().chain([item]).copied().collect();
                sets = sets.iter().flat_map(|set| part.iter().map(move |item| with(set, item))).collect();
            }
            assert_eq!(sets.len() as u64, set.sets());
            found.extend(sets);
        }
        assert_eq!(found, by_trying(&graph, target, &down));
        let at_worst = naive::failed(&graph, &down, naive::Reading::UnconfirmedSpareNothing);
        assert_eq!(answer.at_risk, at_worst.contains(&target));
        if answer.at_risk {
            assert!(answer.alone.iter().all(|(_, state)| *state == State::Failed));
            return Ok(());
        }
        // Everything at risk is there: whatever else fails it when guesses spare nothing.
        let doubted = graph.indexes().filter(|item| *item != target && !down.contains(item)).filter(|item| {
            let seeds: Vec<Index> = down.iter().chain([item]).copied().collect();
            naive::failed(&graph, &seeds, naive::Reading::UnconfirmedSpareNothing).contains(&target)
        });
        let listed: BTreeSet<Index> = answer.alone.iter().map(|(item, _)| *item).collect();
        let failed_before = naive::failed(&graph, &down, naive::Reading::AsDeclared);
        let doubted: BTreeSet<Index> = doubted.filter(|item| !failed_before.contains(item)).collect();
        assert_eq!(listed, doubted);
        Ok(())
    });
}

fn all_points(graph: &Graph, targets: &[Index], down: &[Index]) -> Vec<Point> {
    points(graph, targets, down, &Progress::default()).expect("nobody cancels")
}

#[test]
fn points_of_all_are_what_each_cannot_do_without() {
    arbtest::arbtest(|u: &mut Unstructured<'_>| -> Result<()> {
        let graph = random(u)?;
        let targets: BTreeSet<Index> = random_seeds(u, &graph)?.into_iter().collect();
        let targets: Vec<Index> = targets.into_iter().collect();
        let down = if u.ratio(1, 2)? { random_seeds(u, &graph)? } else { Vec::new() };
        let mut expected: BTreeSet<(Index, Index, State)> = BTreeSet::new();
        for target in &targets {
            let alone = critical(&graph, *target, &down).alone.into_iter();
            expected.extend(alone.map(|(item, state)| (item, *target, state)));
        }
        let found = all_points(&graph, &targets, &down);
        assert!(found.is_sorted_by_key(|point| point.item));
        let flat = |point: &Point| {
            let item = point.item;
            point.fails.iter().map(move |(target, state)| (item, *target, *state)).collect::<Vec<_>>()
        };
        let found: BTreeSet<(Index, Index, State)> = found.iter().flat_map(flat).collect();
        assert_eq!(found, expected);
        Ok(())
    });
}

#[test]
fn the_number_of_threads_changes_nothing() {
    // Every third needs one of two; and all of them hang together.
    let graph = large(3_000, |id| id / 2 + id % 2);
    let targets: Vec<Index> = graph.indexes().step_by(17).collect();
    let told = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let progress = Progress::default();
        let answers = pool.install(|| {
            let each = critical_of(&graph, &targets, &[], STEPS_MAX, &progress, |answer| answer);
            let beside = [targets[3], targets[80]];
            (each.expect("nobody cancels"), [&[], &beside[..]].map(|down| all_points(&graph, &targets, down)))
        });
        assert_eq!((progress.at().done, progress.at().total), (targets.len() as u64, targets.len() as u64));
        answers
    };
    let one = told(1);
    assert_eq!(one, told(2));
    assert_eq!(one, told(7));
    let alone: Vec<Critical> = targets.iter().map(|target| critical(&graph, *target, &[])).collect();
    assert_eq!(one.0, alone, "in the order asked, each as if it were alone");
}

#[test]
fn what_nobody_waits_for_is_not_finished() {
    let graph = large(3_000, |id| id / 2);
    let targets: Vec<Index> = graph.indexes().collect();
    let gone = Progress::default();
    // Whoever asked goes after the first answer.
    let answers = critical_of(&graph, &targets, &[], STEPS_MAX, &gone, |_| gone.cancel());
    assert_eq!(answers, None);
    assert!(gone.at().done <= rayon::current_num_threads() as u64, "only what was under way");
    assert_eq!(points(&graph, &targets, &[], &gone), None);
    assert_eq!(gone.at().done, 0);
}

#[test]
fn what_is_too_much_is_said() {
    let mut text = String::from("app group g at_least 3\n");
    for number in 0..40 {
        text.push_str(&format!("app needs m{number} in g\n"));
    }
    let estate = Estate::of(&text);
    let answer = critical_within(&estate.graph, estate.at("app"), &[], 100);
    assert_eq!((answer.complete_to, answer.margin()), (1, Margin::AtLeast(1)));
}

#[test]
fn a_chain_of_a_million_is_no_cliff() {
    const LENGTH: u64 = 1_000_000;
    let graph = large(LENGTH, |id| id - 1);
    let last = graph.index(cmdb_core::model::ItemId(LENGTH)).expect("built");
    let answer = critical(&graph, last, &[]);
    assert_eq!((answer.alone.len(), answer.margin()), (999_999, Margin::Exactly(0)));
}
