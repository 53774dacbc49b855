//! Indented trees, and how a graph that was walked becomes one.
//!
//! Invariant: every node is printed once and nothing recurses, however deep the graph. Below
//! [`LEVELS_MAX`] levels nodes are counted instead of printed.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};

/// The deepest level that is printed: a prefix grows with the level, and nobody reads further.
const LEVELS_MAX: usize = 64;

/// A node, ready to print, and its children by index.
struct Node {
    label: String,
    children: Vec<usize>,
}

/// Nodes under roots. Labels are printed as they are: whoever makes one escapes what came from outside.
#[derive(Default)]
pub struct Tree {
    nodes: Vec<Node>,
    roots: Vec<usize>,
}

impl Tree {
    pub fn root(&mut self, label: String) -> usize {
        let node = self.node(label);
        self.roots.push(node);
        node
    }

    pub fn child(&mut self, parent: usize, label: String) -> usize {
        let node = self.node(label);
        self.nodes[parent].children.push(node);
        node
    }

    fn node(&mut self, label: String) -> usize {
        self.nodes.push(Node { label, children: Vec::new() });
        self.nodes.len() - 1
    }

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut below = 0;
        for root in &self.roots {
            below += self.write_root(out, *root)?;
        }
        if below > 0 {
            let below = super::words::count(below, "item", "items");
            writeln!(out, "{below} deeper than {LEVELS_MAX} levels not drawn")?;
        }
        Ok(())
    }

    /// Prints a root and what is below it; returns how many nodes were too deep.
    fn write_root(&self, out: &mut dyn Write, root: usize) -> io::Result<u64> {
        writeln!(out, "{}", self.nodes[root].label)?;
        let mut too_deep = 0;
        let mut prefix: Vec<&str> = Vec::new();
        // Each entry: the children of one node that are still to be printed, and at which level.
        let mut open = vec![self.nodes[root].children.iter()];
        while let Some(children) = open.last_mut() {
            let Some(child) = children.next() else {
                open.pop();
                prefix.pop();
                continue;
            };
            let is_last = children.len() == 0;
            let node = &self.nodes[*child];
            let is_drawn = open.len() <= LEVELS_MAX;
            if is_drawn {
                let branch = if is_last { "└─ " } else { "├─ " };
                writeln!(out, "{}{branch}{}", prefix.concat(), node.label)?;
            } else {
                too_deep += 1;
            }
            prefix.push(if is_last { "   " } else { "│  " });
            open.push(node.children.iter());
        }
        Ok(too_deep)
    }
}

/// An item that a walk reached, and the items one step back that carried it there.
pub struct Reached<'a> {
    pub id: &'a str,
    pub label: String,
    /// Ids, the preferred one first.
    pub from: Vec<&'a str>,
}

/// Hangs what a walk reached below the seeds: each item under the first item that reached it.
///
/// Items whose carriers are not in the list (it was cut) stand under a root of their own, named `elsewhere`.
pub fn of_walk<'a>(seeds: Vec<(&'a str, String)>, reached: Vec<Reached<'a>>, elsewhere: &str) -> Tree {
    let mut hanging = Hanging::new(reached);
    for (id, label) in seeds {
        let node = hanging.tree.root(label);
        hanging.queue.push_back((id, node));
    }
    hanging.spread();
    let mut root = None;
    for place in 0..hanging.waiting.len() {
        if hanging.waiting[place].is_some() {
            let parent = *root.get_or_insert_with(|| hanging.tree.root(elsewhere.to_owned()));
            hanging.hang(parent, place);
            hanging.spread();
        }
    }
    hanging.tree
}

/// A tree in the making.
struct Hanging<'a> {
    tree: Tree,
    /// Which items each id carried the walk to, by index.
    carried: HashMap<&'a str, Vec<usize>>,
    /// The items that hang nowhere yet: id and label.
    waiting: Vec<Option<(&'a str, String)>>,
    /// Nodes whose carried items are still to be hung below them.
    queue: VecDeque<(&'a str, usize)>,
}

impl<'a> Hanging<'a> {
    fn new(reached: Vec<Reached<'a>>) -> Self {
        let mut carried: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut waiting = Vec::with_capacity(reached.len());
        for (place, item) in reached.into_iter().enumerate() {
            for from in item.from {
                carried.entry(from).or_default().push(place);
            }
            waiting.push(Some((item.id, item.label)));
        }
        Hanging { tree: Tree::default(), carried, waiting, queue: VecDeque::new() }
    }

    /// Breadth first, so that each item hangs as near to a seed as it can.
    fn spread(&mut self) {
        while let Some((id, node)) = self.queue.pop_front() {
            for place in self.carried.remove(id).unwrap_or_default() {
                self.hang(node, place);
            }
        }
    }

    fn hang(&mut self, parent: usize, place: usize) {
        if let Some((id, label)) = self.waiting[place].take() {
            let child = self.tree.child(parent, label);
            self.queue.push_back((id, child));
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn printed(tree: &Tree) -> String {
        let mut out = Vec::new();
        tree.write(&mut out).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    fn reached<'a>(id: &'a str, from: &[&'a str]) -> Reached<'a> {
        Reached { id, label: format!("item {id}"), from: from.to_vec() }
    }

    #[test]
    fn each_item_hangs_once_below_what_reached_it_first() {
        let walked = vec![reached("d", &["b", "c"]), reached("b", &["a"]), reached("c", &["a", "d"])];
        expect![[r#"
            seed a
            ├─ item b
            │  └─ item d
            └─ item c
        "#]]
        .assert_eq(&printed(&of_walk(vec![("a", "seed a".into())], walked, "elsewhere")));
    }

    #[test]
    fn cycles_end_and_items_without_a_listed_carrier_stand_apart() {
        let walked = vec![reached("x", &["y"]), reached("y", &["x"]), reached("b", &["a"])];
        expect![[r#"
            seed a
            └─ item b
            elsewhere
            └─ item x
               └─ item y
        "#]]
        .assert_eq(&printed(&of_walk(vec![("a", "seed a".into())], walked, "elsewhere")));
    }

    #[test]
    fn a_very_deep_chain_is_cut_and_counted() {
        let mut tree = Tree::default();
        let mut node = tree.root("top".into());
        for level in 0..100_000 {
            node = tree.child(node, level.to_string());
        }
        let text = printed(&tree);
        assert_eq!(text.lines().count(), 1 + LEVELS_MAX + 1);
        assert_eq!(text.lines().last(), Some("99,936 items deeper than 64 levels not drawn"));
    }
}
