//! Gates against all that can be: which items are down is tried in every way, and the answer is the least of those that
//! hold together.
//!
//! A set of items is *closed* when it holds the seeds and everybody whom its members would fail. What fails with the
//! seeds is in every closed set, and is one itself; so it is the intersection of them all. Nothing of this is a walk, a
//! counter or a fixpoint: requirements are taken from what was written, and sums are made of weights as people wrote them.

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use cmdb_core::graph::{Carries, Graph, Index};
use cmdb_core::model::Require;

use crate::estate::{random_of, random_seeds};
use crate::propagate::{Options, State, impact};

/// One bit an item.
type Set = u32;

/// What fails an item.
enum Rule {
    /// Any of these.
    Alone(Set),
    /// Members with their weights, how many are needed, and whether that is a guess.
    Group { members: Vec<(Set, f64)>, require: Require, guessed: bool },
}

fn rules(graph: &Graph) -> Vec<(Set, Vec<Rule>)> {
    let one = |index: Index| 1 << index.0;
    let of_item = |item: Index| {
        let mut alone = 0;
        for edge in graph.dependencies(item).filter(|edge| edge.carries == Carries::Hard) {
            alone |= if edge.gate.is_none() { one(edge.other) } else { 0 };
        }
        let groups = graph.gates(item).map(|(_, gate)| Rule::Group {
            members: gate.members().map(|member| (one(member.provider), member.weight)).collect(),
            require: gate.require(),
            guessed: gate.inferred(),
        });
        (one(item), groups.chain([Rule::Alone(alone)]).collect())
    };
    graph.indexes().map(of_item).collect()
}

impl Rule {
    fn fails(&self, down: Set, doubting: bool) -> bool {
        match self {
            Rule::Alone(providers) => providers & down != 0,
            Rule::Group { members, require, guessed } => {
                let lost = members.iter().filter(|(member, _)| member & down != 0).count();
                let left = members.len() - lost;
                let weight = |lost: bool| -> f64 {
                    members
                        .iter()
                        .filter(|(member, _)| (member & down != 0) == lost)
                        .map(|(_, weight)| weight)
                        .sum()
                };
                let holds = match require {
                    Require::All => false,
                    Require::Any => left > 0,
                    Require::AtLeast(number) => left >= *number as usize,
                    Require::Percent(share) => left as f64 * 100.0 >= share * members.len() as f64,
                    // What weighs nothing is no loss.
                    Require::Capacity(capacity) => weight(true) == 0.0 || weight(false) >= *capacity,
                };
                lost > 0 && (!holds || (doubting && *guessed))
            }
        }
    }
}

/// The intersection of all closed sets.
fn least(rules: &[(Set, Vec<Rule>)], seeds: Set, doubting: bool) -> Set {
    let all: Set = rules.iter().fold(0, |all, (item, _)| all | item);
    let closed = |down: &Set| {
        let stands = |(item, rules): &(Set, Vec<Rule>)| {
            down & item != 0 || !rules.iter().any(|rule| rule.fails(*down, doubting))
        };
        down & seeds == seeds && rules.iter().all(stands)
    };
    (0..=all).filter(closed).fold(all, |least, down| least & down)
}

fn check(u: &mut Unstructured<'_>, items: u64) -> Result<()> {
    let graph = random_of(u, items)?;
    let seeds = random_seeds(u, &graph)?;
    let rules = rules(&graph);
    let set = |items: &mut dyn Iterator<Item = Index>| items.fold(0, |set: Set, item| set | 1 << item.0);
    let seed_set = set(&mut seeds.iter().copied());
    let (certain, ever) = (least(&rules, seed_set, false), least(&rules, seed_set, true));
    let found = impact(&graph, &seeds, Options::default());
    let in_state = |state| {
        let of_it = found.affected().iter().filter(|affected| affected.state == state);
        set(&mut of_it.map(|affected| affected.item))
    };
    assert_eq!(in_state(State::Failed) | seed_set, certain, "seeds {seeds:?}");
    assert_eq!(in_state(State::AtRisk), ever & !certain, "seeds {seeds:?}");
    Ok(())
}

#[test]
fn what_fails_is_the_least_of_all_sets_that_hold_together() {
    arbtest(|u| {
        let items = u.int_in_range(1..=10)?;
        check(u, items)
    })
    .budget_ms(4_000);
}

#[test]
fn and_so_it_is_of_sixteen_items() {
    // Twice 65,536 sets each: fewer graphs.
    arbtest(|u| check(u, 16)).size_min(4_096).size_max(16_384).budget_ms(6_000);
}
