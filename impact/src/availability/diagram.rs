//! The exact answer: what fails the target as a decision diagram, and its probability from there.
//!
//! Source: R. E. Bryant, "Graph-based algorithms for Boolean function manipulation" (1986); A. Rauzy, "New algorithms
//! for fault trees analysis" (1993). All functions here are monotone, so nothing is ever negated: `and` and `or`
//! are all that it takes. Cycles are solved by sweeps until nothing changes, which is the least fixpoint.
//!
//! Bounded: what would take more nodes or steps than allowed gives no answer, and the caller draws samples.

use rustc_hash::FxHashMap;

use super::{Estimate, Method, Question, Rest};
use crate::module::Group;
use crate::propagate::Reading;

/// The most nodes of a diagram.
pub(super) const NODES_MAX: usize = 200_000;
/// The most variables, which is how deep a step recurses.
const VARIABLES_MAX: usize = 4_096;
/// The most steps, for each node that is allowed.
const STEPS_FACTOR: usize = 8;

const FALSE: u32 = 0;
const TRUE: u32 = 1;

/// A variable, and what follows where it is false and where it is true. Both come before it in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    variable: u32,
    low: u32,
    high: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    And,
    Or,
}

struct Diagram {
    nodes: Vec<Node>,
    known: FxHashMap<Node, u32>,
    done: FxHashMap<(Operation, u32, u32), u32>,
    nodes_max: usize,
    steps_left: usize,
}

/// It would have taken too much.
struct TooLarge;

pub(super) fn answer(question: &Question<'_>, nodes_max: usize) -> Option<Rest> {
    let order = question.module.order();
    // In the order in which a search in depth meets them, what belongs together lies together.
    let variables: Vec<u32> =
        order.iter().copied().filter(|number| question.fails[*number as usize] > 0.0).collect();
    if variables.len() > VARIABLES_MAX {
        return None;
    }
    let mut failures = Vec::new();
    let (mut gains, mut nodes) = (vec![0.0; question.fails.len()], 0);
    for reading in question.readings() {
        let mut diagram = Diagram::new(nodes_max);
        let root = diagram.build(question, &variables, *reading).ok()?;
        let chances = diagram.chances(question, &variables);
        if *reading == Reading::AsDeclared {
            nodes = diagram.nodes.len();
            for (variable, slope) in diagram.slopes(question, &variables, &chances, root) {
                let number = variables[variable] as usize;
                gains[number] = slope * question.fails[number];
            }
        }
        failures.push(Estimate::exact(chances[root as usize]));
    }
    let mut failures = failures.into_iter();
    let failure = failures.next()?;
    Some(Rest { failure, at_worst: failures.next(), method: Method::Exact { nodes }, gains })
}

impl Diagram {
    fn new(nodes_max: usize) -> Diagram {
        let last = |value| Node { variable: u32::MAX, low: value, high: value };
        Diagram {
            nodes: vec![last(FALSE), last(TRUE)],
            known: FxHashMap::default(),
            done: FxHashMap::default(),
            nodes_max,
            steps_left: nodes_max.saturating_mul(STEPS_FACTOR),
        }
    }

    /// What fails the target.
    fn build(
        &mut self,
        question: &Question<'_>,
        variables: &[u32],
        reading: Reading,
    ) -> Result<u32, TooLarge> {
        let mut functions: Vec<u32> =
            question.base.iter().map(|word| if *word == 0 { FALSE } else { TRUE }).collect();
        for (variable, number) in (0..).zip(variables) {
            let own = self.node(Node { variable, low: FALSE, high: TRUE })?;
            functions[*number as usize] = self.both(Operation::Or, functions[*number as usize], own)?;
        }
        loop {
            let mut changed = false;
            for number in question.module.order() {
                let before = functions[*number as usize];
                let mut after = before;
                for provider in question.module.alone(*number) {
                    after = self.both(Operation::Or, after, functions[*provider as usize])?;
                }
                for group in question.module.groups_of(*number) {
                    let broken = self.broken(group, &functions, reading)?;
                    after = self.both(Operation::Or, after, broken)?;
                }
                changed |= after != before;
                functions[*number as usize] = after;
            }
            if !changed || !question.module.cyclic() {
                return Ok(functions[0]);
            }
        }
    }

    /// When a group does not hold: it has lost more than it can spare.
    fn broken(&mut self, group: &Group, functions: &[u32], reading: Reading) -> Result<u32, TooLarge> {
        let (losses, spare) = group.losses(reading);
        let spare = spare.0;
        let members: Vec<(u32, u128)> =
            losses.map(|(member, loss)| (functions[member as usize], loss.0)).collect();
        // From the last member to the first: what follows if so much was lost before it. The amounts that can have been
        // lost are found on the way there.
        let mut lost_before: Vec<Vec<u128>> = vec![vec![0]];
        for (_, loss) in &members {
            let before = lost_before.last().map_or(&[][..], Vec::as_slice);
            let with = before.iter().map(|lost| lost.saturating_add(*loss).min(spare.saturating_add(1)));
            let mut after: Vec<u128> = before.iter().copied().chain(with).collect();
            after.sort_unstable();
            after.dedup();
            self.spend(after.len())?;
            lost_before.push(after);
        }
        let all = lost_before.pop().unwrap_or_default();
        let end = |lost: &u128| if *lost > spare { TRUE } else { FALSE };
        let mut follows: FxHashMap<u128, u32> = all.iter().map(|lost| (*lost, end(lost))).collect();
        for ((function, loss), before) in members.iter().zip(&lost_before).rev() {
            let mut earlier = FxHashMap::default();
            for lost in before {
                let kept = follows[lost];
                let gone = follows[&lost.saturating_add(*loss).min(spare.saturating_add(1))];
                // What fails without the loss fails with it as well.
                let failed = self.both(Operation::And, *function, gone)?;
                earlier.insert(*lost, self.both(Operation::Or, kept, failed)?);
            }
            follows = earlier;
        }
        Ok(follows.get(&0).copied().unwrap_or(FALSE))
    }

    fn spend(&mut self, steps: usize) -> Result<(), TooLarge> {
        self.steps_left = self.steps_left.checked_sub(steps).ok_or(TooLarge)?;
        Ok(())
    }

    fn node(&mut self, node: Node) -> Result<u32, TooLarge> {
        if node.low == node.high {
            return Ok(node.low);
        }
        if let Some(known) = self.known.get(&node) {
            return Ok(*known);
        }
        if self.nodes.len() >= self.nodes_max {
            return Err(TooLarge);
        }
        let place = u32::try_from(self.nodes.len()).map_err(|_| TooLarge)?;
        self.nodes.push(node);
        self.known.insert(node, place);
        Ok(place)
    }

    /// One operation on two functions. Recurses once a variable at most.
    fn both(&mut self, operation: Operation, one: u32, other: u32) -> Result<u32, TooLarge> {
        let (one, other) = (one.min(other), one.max(other));
        match (operation, one) {
            _ if one == other => return Ok(one),
            (Operation::And, FALSE) | (Operation::Or, TRUE) => return Ok(one),
            (Operation::And, TRUE) | (Operation::Or, FALSE) => return Ok(other),
            _ => {}
        }
        let key = (operation, one, other);
        if let Some(known) = self.done.get(&key) {
            return Ok(*known);
        }
        self.spend(1)?;
        let (first, second) = (self.nodes[one as usize], self.nodes[other as usize]);
        let variable = first.variable.min(second.variable);
        let of = |node: Node, place: u32| match node.variable == variable {
            true => (node.low, node.high),
            false => (place, place),
        };
        let ((low, high), (other_low, other_high)) = (of(first, one), of(second, other));
        let low = self.both(operation, low, other_low)?;
        let high = self.both(operation, high, other_high)?;
        let result = self.node(Node { variable, low, high })?;
        self.done.insert(key, result);
        Ok(result)
    }

    /// How likely each node is true.
    fn chances(&self, question: &Question<'_>, variables: &[u32]) -> Vec<f64> {
        let mut chances = vec![0.0, 1.0];
        for node in &self.nodes[2..] {
            let fails = question.fails[variables[node.variable as usize] as usize];
            chances.push(fails * chances[node.high as usize] + (1.0 - fails) * chances[node.low as usize]);
        }
        chances
    }

    /// By how much the root's chance rises with each variable's: Birnbaum's importance.
    fn slopes(
        &self,
        question: &Question<'_>,
        variables: &[u32],
        chances: &[f64],
        root: u32,
    ) -> impl Iterator<Item = (usize, f64)> + use<> {
        let mut arrives = vec![0.0; self.nodes.len()];
        arrives[root as usize] = 1.0;
        let mut slopes = vec![0.0; variables.len()];
        for (place, node) in self.nodes.iter().enumerate().skip(2).rev() {
            let here = arrives[place];
            let fails = question.fails[variables[node.variable as usize] as usize];
            slopes[node.variable as usize] +=
                here * (chances[node.high as usize] - chances[node.low as usize]);
            arrives[node.high as usize] += here * fails;
            arrives[node.low as usize] += here * (1.0 - fails);
        }
        slopes.into_iter().enumerate()
    }
}
