use arbtest::arbtest;

use super::*;
use crate::estate::{Estate, random, random_seeds};
use crate::naive;
use crate::progress::Progress;
use crate::reach::Condensed;

fn level(number: i64) -> Level {
    Level::new(number).expect("from 1 to 4")
}

#[test]
fn levels_and_what_they_weigh() {
    assert!([-1, 0, 5, 257].into_iter().all(|number| Level::new(number).is_none()));
    let weights: Vec<u64> = Level::all().map(Level::weight).collect();
    assert_eq!((weights, level(1)), (vec![4, 3, 2, 1], Level::MOST));
}

#[test]
fn what_services_need_inherits_and_what_is_not_known_is_assumed() {
    let estate = Estate::of(
        "shop needs web\nreports needs web\nreports needs store\nweb needs host\nstore needs host\nstore touches cache
         wiki needs disk\nreports needs disk\nspare needs rack\nold needs legacy",
    );
    let declared =
        [(estate.at("shop"), level(2)), (estate.at("reports"), level(3)), (estate.at("old"), level(1))];
    let declared: FxHashMap<Index, Level> = declared.into_iter().collect();
    let found = criticality(&estate.graph, &declared, &estate.all("shop reports wiki old"));
    for (name, expected, origin) in [
        ("shop", 2, Origin::Declared),
        ("web", 2, Origin::Inherited),
        ("host", 2, Origin::Inherited),
        ("store", 3, Origin::Inherited),
        // Nothing is said of the wiki: it may be the most critical, and so may be what it needs.
        ("wiki", 1, Origin::Assumed),
        ("disk", 1, Origin::Assumed),
        // No service needs them.
        ("cache", 1, Origin::Assumed),
        ("spare", 1, Origin::Assumed),
        ("rack", 1, Origin::Assumed),
        ("legacy", 1, Origin::Inherited),
    ] {
        assert_eq!(found.known(estate.at(name)), (level(expected), origin), "{name}");
    }
    assert_eq!(found.unknown(), estate.all("wiki"));
}

/// By the definition: of one item after the other, everything that fails with it where everybody needs everything.
fn by_definition(
    graph: &Graph,
    declared: &FxHashMap<Index, Level>,
    services: &[Index],
    item: Index,
) -> (Level, Origin) {
    if let Some(level) = declared.get(&item) {
        return (*level, Origin::Declared);
    }
    let said =
        |of: Index| naive::reached(graph, of).iter().filter_map(|other| declared.get(other)).min().copied();
    let unknown =
        |other: &Index| services.contains(other) && !declared.contains_key(other) && said(*other).is_none();
    match said(item) {
        Some(Level::MOST) => (Level::MOST, Origin::Inherited),
        Some(level) if !naive::reached(graph, item).iter().any(unknown) => (level, Origin::Inherited),
        _ => (Level::MOST, Origin::Assumed),
    }
}

#[test]
fn equals_its_slow_twin_on_random_graphs() {
    arbtest(|u| {
        let graph = random(u)?;
        let mut declared: FxHashMap<Index, Level> = FxHashMap::default();
        for item in random_seeds(u, &graph)? {
            declared.insert(item, level(u.int_in_range(1..=4)?));
        }
        let services = random_seeds(u, &graph)?;
        let found = criticality(&graph, &declared, &services);
        let condensed = Condensed::of(&graph, &Progress::default()).expect("nobody cancels");
        let counts = condensed.counts(&Progress::default()).expect("nobody cancels");
        let by_level = condensed.counts_by_level(|item| found.level(item), &Progress::default());
        let by_level = by_level.expect("nobody cancels");
        for item in graph.indexes() {
            assert_eq!(found.known(item), by_definition(&graph, &declared, &services, item));
            let mut expected = [0; LEVELS];
            for other in naive::reached(&graph, item).into_iter().filter(|other| *other != item) {
                expected[found.level(other).place()] += 1;
            }
            let place = item.0 as usize;
            assert_eq!((by_level[place], counts[place]), (expected, expected.iter().sum()));
        }
        Ok(())
    })
    .budget_ms(2_000);
}
