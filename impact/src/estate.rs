//! Small estates for tests: written by hand, or random.

use std::collections::BTreeMap;
use std::sync::Arc;

use arbtest::arbitrary::{Result, Unstructured};
use cmdb_core::graph::{Carries, Delta, EdgeState, Graph, GroupState, Index};
use cmdb_core::model::{ItemId, Require, Revision, Status};

/// A graph whose items have names.
pub struct Estate {
    pub graph: Graph,
    ids: BTreeMap<String, ItemId>,
}

impl Estate {
    /// Lines: `shop needs web-1 [in web] [weight 2] [over runs_on]` · `app touches cache` (weak) ·
    /// `shop group web at_least 1` · `shop guesses web any` (inferred) · `web-1 retired`.
    pub fn of(text: &str) -> Estate {
        let mut estate = Estate { graph: Graph::empty(), ids: BTreeMap::new() };
        let mut deltas = Vec::new();
        let mut groups: BTreeMap<ItemId, Vec<GroupState>> = BTreeMap::new();
        let mut retired = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let item = estate.id(words[0]);
            match words[1] {
                "needs" => deltas.push(estate.edge(item, Carries::Hard, &words[2..])),
                "touches" => deltas.push(estate.edge(item, Carries::Weak, &words[2..])),
                verb @ ("group" | "guesses") => groups.entry(item).or_default().push(GroupState {
                    name: Arc::from(words[2]),
                    require: words[3..].join(" ").parse().unwrap(),
                    inferred: verb == "guesses",
                    confidence: 0.5,
                }),
                "retired" => retired.push(item),
                other => panic!("\"{other}\" is no verb of an estate"),
            }
        }
        deltas.extend(groups.into_iter().map(|(dependent, groups)| Delta::Groups { dependent, groups }));
        for id in estate.ids.values().copied() {
            let status = if retired.contains(&id) { Status::Retired } else { Status::Active };
            deltas.push(Delta::Item { id, class: Arc::from("server"), status });
        }
        estate.graph = Graph::build(Revision(1), deltas.into_iter());
        estate
    }

    fn id(&mut self, name: &str) -> ItemId {
        let next = ItemId(self.ids.len() as u64 + 1);
        *self.ids.entry(name.to_owned()).or_insert(next)
    }

    fn edge(&mut self, dependent: ItemId, carries: Carries, words: &[&str]) -> Delta {
        let provider = self.id(words[0]);
        let option = |name: &str| words[1..].chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1]);
        let after = EdgeState {
            carries,
            group: option("in").map(Arc::from),
            weight: option("weight").map_or(1.0, |weight| weight.parse().unwrap()),
            inferred: false,
            confidence: 1.0,
            status: Status::Active,
        };
        let kind = Arc::from(option("over").unwrap_or("depends_on"));
        Delta::Edge { dependent, provider, kind, from_is_dependent: true, after: Some(after) }
    }

    pub fn at(&self, name: &str) -> Index {
        self.graph.index(self.ids[name]).unwrap()
    }

    pub fn all(&self, names: &str) -> Vec<Index> {
        names.split_whitespace().map(|name| self.at(name)).collect()
    }

    pub fn name(&self, index: Index) -> &str {
        let id = self.graph.id(index);
        self.ids.iter().find(|(_, own)| **own == id).unwrap().0
    }
}

/// A random graph of few items with every kind of group, loops, cycles and parallel relationships.
pub fn random(u: &mut Unstructured<'_>) -> Result<Graph> {
    let items = u.int_in_range(1..=9)?;
    random_of(u, items)
}

/// The same of so many items.
pub fn random_of(u: &mut Unstructured<'_>, items: u64) -> Result<Graph> {
    let mut deltas = Vec::new();
    for id in 1..=items {
        let status = if u.ratio(1, 12)? { Status::Retired } else { Status::Active };
        deltas.push(Delta::Item { id: ItemId(id), class: Arc::from("server"), status });
    }
    for _ in 0..u.int_in_range(0..=24.max(items * 3))? {
        deltas.push(random_edge(u, items)?);
    }
    for dependent in 1..=items {
        let mut groups = Vec::new();
        for name in ["a", "b"] {
            if u.ratio(2, 3)? {
                let require = random_require(u)?;
                groups.push(GroupState {
                    name: Arc::from(name),
                    require,
                    inferred: u.ratio(1, 3)?,
                    confidence: 0.5,
                });
            }
        }
        deltas.push(Delta::Groups { dependent: ItemId(dependent), groups });
    }
    Ok(Graph::build(Revision(1), deltas.into_iter()))
}

fn random_edge(u: &mut Unstructured<'_>, items: u64) -> Result<Delta> {
    let group = *u.choose(&[None, Some("a"), Some("a"), Some("b")])?;
    let after = EdgeState {
        carries: if u.ratio(1, 6)? { Carries::Weak } else { Carries::Hard },
        group: group.map(Arc::from),
        weight: *u.choose(&[0.0, 0.5, 1.0, 1.0, 2.0])?,
        inferred: false,
        confidence: 1.0,
        status: Status::Active,
    };
    Ok(Delta::Edge {
        dependent: ItemId(u.int_in_range(1..=items)?),
        provider: ItemId(u.int_in_range(1..=items)?),
        kind: Arc::from(*u.choose(&["depends_on", "runs_on"])?),
        from_is_dependent: u.arbitrary()?,
        after: Some(after),
    })
}

fn random_require(u: &mut Unstructured<'_>) -> Result<Require> {
    Ok(*u.choose(&[
        Require::All,
        Require::Any,
        Require::Any,
        Require::AtLeast(1),
        Require::AtLeast(2),
        Require::AtLeast(9),
        Require::Percent(25.0),
        Require::Percent(50.0),
        Require::Percent(67.0),
        Require::Capacity(0.5),
        Require::Capacity(1.5),
        Require::Capacity(100.0),
    ])?)
}

/// One to three items of a graph, repeats included.
pub fn random_seeds(u: &mut Unstructured<'_>, graph: &Graph) -> Result<Vec<Index>> {
    let bound = u32::try_from(graph.index_bound()).unwrap();
    (0..u.int_in_range(1..=3)?).map(|_| Ok(Index(u.int_in_range(0..=bound - 1)?))).collect()
}

/// `count` items in a row: each needs the one before; or all need the first.
pub fn large(count: u64, provider: impl Fn(u64) -> u64) -> Graph {
    needing(count, (2..=count).map(|id| (id, provider(id))))
}

/// `count` items, and who needs whom.
pub fn needing(count: u64, needs: impl Iterator<Item = (u64, u64)>) -> Graph {
    let (class, kind): (Arc<str>, Arc<str>) = (Arc::from("server"), Arc::from("depends_on"));
    let items = (1..=count).map(|id| Delta::Item {
        id: ItemId(id),
        class: Arc::clone(&class),
        status: Status::Active,
    });
    let edges = needs.map(|(dependent, provider)| Delta::Edge {
        dependent: ItemId(dependent),
        provider: ItemId(provider),
        kind: Arc::clone(&kind),
        from_is_dependent: true,
        after: Some(EdgeState {
            carries: Carries::Hard,
            group: None,
            weight: 1.0,
            inferred: false,
            confidence: 1.0,
            status: Status::Active,
        }),
    });
    Graph::build(Revision(1), items.chain(edges))
}
