//! Simple paths through a corridor, shortest first.
//!
//! Each path found splits the ones that are left into disjoint sets: those that share its first steps and leave it at
//! the next. The shortest of each set waits in a heap. Source: E. L. Lawler, "A procedure for computing the K best
//! solutions to discrete optimization problems" (1972), for the paths of J. Y. Yen (1971); every search is one in
//! breadth. Invariant: no path is found twice, and none is given before a shorter one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::corridor::Corridor;

/// Why the search ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// There are no more.
    Whole,
    /// There is at least one more than asked for.
    More,
    /// It took too many steps.
    StepsSpent,
}

/// Up to `paths_max` paths. The first is found whatever it takes.
pub(super) fn paths(corridor: &Corridor, paths_max: usize, steps_max: u64) -> (Vec<Vec<u32>>, Ended) {
    let mut search = Search::new(corridor, steps_max);
    let mut heap = BinaryHeap::new();
    let first = Set { shared: 0, shut: Vec::new() };
    if let Some(path) = search.shortest(&[corridor.from], &first.shut) {
        heap.push(Reverse(Candidate { length: path.len(), path, set: first }));
    }
    let mut found = Vec::new();
    while let Some(Reverse(best)) = heap.pop() {
        if found.len() == paths_max {
            return (found, Ended::More);
        }
        let split = search.split(&best, &mut heap);
        found.push(best.path);
        if !split {
            return (found, Ended::StepsSpent);
        }
    }
    (found, Ended::Whole)
}

/// The paths that begin with the same steps and do not go on in certain ways.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Set {
    /// The place in the path after which its members may differ.
    shared: usize,
    /// Where they do not go from there.
    shut: Vec<u32>,
}

/// The shortest path of a set.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    length: usize,
    path: Vec<u32>,
    set: Set,
}

struct Search<'c> {
    corridor: &'c Corridor,
    /// The search in which a place was last reached.
    reached: Vec<u32>,
    parent: Vec<u32>,
    search: u32,
    queue: Vec<u32>,
    /// On the part that is shared.
    taken: Vec<bool>,
    steps: u64,
    steps_max: u64,
}

impl<'c> Search<'c> {
    fn new(corridor: &'c Corridor, steps_max: u64) -> Search<'c> {
        let places = corridor.len();
        Search {
            corridor,
            reached: vec![0; places],
            parent: vec![0; places],
            search: 0,
            queue: Vec::new(),
            taken: vec![false; places],
            steps: 0,
            steps_max,
        }
    }

    /// Puts the shortest path of each set that is left beside a path into the heap; says whether it came to the end.
    fn split(&mut self, best: &Candidate, heap: &mut BinaryHeap<Reverse<Candidate>>) -> bool {
        let path = &best.path;
        path[..best.set.shared].iter().for_each(|place| self.taken[*place as usize] = true);
        let mut whole = true;
        for shared in best.set.shared..path.len() - 1 {
            if self.steps >= self.steps_max {
                whole = false;
                break;
            }
            let mut shut = if shared == best.set.shared { best.set.shut.clone() } else { Vec::new() };
            shut.push(path[shared + 1]);
            if let Some(found) = self.shortest(&path[..=shared], &shut) {
                let set = Set { shared, shut };
                heap.push(Reverse(Candidate { length: found.len(), path: found, set }));
            }
            self.taken[path[shared] as usize] = true;
        }
        path.iter().for_each(|place| self.taken[*place as usize] = false);
        whole
    }

    /// The shortest path that begins with the given steps, meets none of them again and does not go on to what is
    /// shut. All steps but the last are marked as taken.
    fn shortest(&mut self, start: &[u32], shut: &[u32]) -> Option<Vec<u32>> {
        let last = *start.last().expect("a path begins somewhere");
        self.search += 1;
        self.reached[last as usize] = self.search;
        self.queue.clear();
        self.queue.push(last);
        let mut done = 0;
        while let Some(place) = self.queue.get(done).copied() {
            done += 1;
            let next = self.corridor.next(place);
            self.steps += 1 + next.len() as u64;
            for other in next {
                let to = *other as usize;
                if self.taken[to]
                    || self.reached[to] == self.search
                    || (place == last && shut.contains(other))
                {
                    continue;
                }
                self.reached[to] = self.search;
                self.parent[to] = place;
                if *other == self.corridor.to {
                    return Some(self.path(start, last));
                }
                self.queue.push(*other);
            }
        }
        None
    }

    fn path(&mut self, start: &[u32], last: u32) -> Vec<u32> {
        let mut tail = vec![self.corridor.to];
        while let Some(place) = tail.last().copied().filter(|place| *place != last) {
            tail.push(self.parent[place as usize]);
        }
        tail.pop();
        let path: Vec<u32> = start.iter().copied().chain(tail.into_iter().rev()).collect();
        self.steps += path.len() as u64;
        path
    }
}
