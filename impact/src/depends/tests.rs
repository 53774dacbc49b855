use std::collections::BTreeMap;

use arbtest::arbtest;

use super::*;
use crate::estate::{Estate, large, random, random_seeds};
use crate::naive;

/// What some items need, as `name need distance` by distance and name.
fn answer(estate: &Estate, seeds: &str) -> String {
    let answer = depends(&estate.graph, &estate.all(seeds), None);
    let items = answer.items().iter();
    let mut lines: Vec<_> =
        items.map(|needed| (needed.distance, estate.name(needed.item), needed.need)).collect();
    lines.sort_unstable();
    let lines: Vec<_> =
        lines.iter().map(|(distance, name, need)| format!("{name} {need:?} {distance}")).collect();
    lines.join(", ")
}

const SHOP: &str = "shop needs web-1 in web
    shop needs web-2 in web
    shop group web any
    shop touches cache
    web-1 needs host-1
    web-2 needs host-2
    web-2 touches dns
    host-1 needs rack
    host-2 needs rack
    cache needs host-3";

#[test]
fn what_is_needed_alone_is_found_behind_redundancy() {
    let estate = Estate::of(SHOP);
    assert_eq!(
        answer(&estate, "shop"),
        "cache Weak 1, web-1 Spared 1, web-2 Spared 1, host-1 Spared 2, host-2 Spared 2, host-3 Weak 2, rack Alone 3"
    );
    assert_eq!(answer(&estate, "web-2"), "dns Weak 1, host-2 Alone 1, rack Alone 2");
    assert_eq!(answer(&estate, "rack"), "");
}

#[test]
fn who_needs_it_is_one_step_back() {
    let estate = Estate::of(SHOP);
    let found = depends(&estate.graph, &estate.all("shop"), None);
    let names = |item: &str| {
        let (by, total) = found.needed_by(&estate.graph, estate.at(item));
        let names: Vec<_> = by.iter().map(|by| estate.name(by.dependent)).collect();
        assert_eq!(names.len(), total);
        names.join(" ")
    };
    assert_eq!(names("rack"), "host-1 host-2");
    assert_eq!(names("cache"), "shop");
    assert_eq!(names("shop"), "");
}

#[test]
fn what_lies_beyond_the_depth_is_counted() {
    let estate = Estate::of(SHOP);
    let found = depends(&estate.graph, &estate.all("shop"), Some(1));
    assert_eq!((found.items().len(), found.beyond_depth()), (3, 4));
    assert_eq!(found.by_class(&estate.graph), BTreeMap::from([("server", 3)]));
}

#[test]
fn what_would_take_too_long_says_so() {
    let estate = Estate::of(SHOP);
    let found = depends_within(&estate.graph, &estate.all("shop"), None, 1);
    let undecided = found.items().iter().filter(|needed| needed.need == Need::Undecided).count();
    assert_eq!(undecided, 4, "one of five was decided before the steps were spent");
}

#[test]
fn equals_its_slow_twin_on_random_graphs() {
    arbtest(|u| {
        let graph = random(u)?;
        let seeds = random_seeds(u, &graph)?;
        let fast = depends(&graph, &seeds, None);
        let found: BTreeMap<_, _> =
            fast.items().iter().map(|needed| (needed.item, (needed.need, needed.distance))).collect();
        assert_eq!(found, naive::depends(&graph, &seeds), "seeds {seeds:?}");
        assert_eq!(found.len(), fast.items().len(), "an item is listed once");
        for needed in fast.items() {
            assert!(fast.needed_by(&graph, needed.item).1 > 0);
        }
        // With a depth the same items are judged the same.
        let depth = u.int_in_range(0..=3)?;
        let cut = depends(&graph, &seeds, Some(depth));
        assert!(cut.items().iter().eq(fast.items().iter().filter(|needed| needed.distance <= depth)));
        Ok(())
    })
    .budget_ms(3_000);
}

#[test]
fn a_chain_and_a_star_of_a_million() {
    let chain = large(1_000_000, |id| id - 1);
    let found = depends(&chain, &[Index(999_999)], None);
    assert_eq!(found.items().len(), 999_999);
    assert!(found.items().iter().all(|needed| needed.need == Need::Alone));
    let star = large(1_000_000, |_| 1);
    assert_eq!(depends(&star, &[Index(999_999)], None).items().len(), 1);
}
