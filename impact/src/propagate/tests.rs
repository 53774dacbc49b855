use std::collections::{BTreeMap, BTreeSet};

use arbtest::arbtest;
use cmdb_core::graph::{Delta, GroupState};
use cmdb_core::model::{Require, Revision};

use super::*;
use crate::estate::{Estate, large, random, random_seeds};
use crate::explain::{Explainer, Reason};
use crate::naive;

/// The impact of some items, as `name state distance` by distance and name.
fn answer(estate: &Estate, seeds: &str) -> String {
    let answer = impact(&estate.graph, &estate.all(seeds), Options::default());
    let mut lines: Vec<_> = answer
        .affected()
        .iter()
        .map(|affected| (affected.distance, estate.name(affected.item), affected.state.name()))
        .collect();
    lines.sort_unstable();
    let lines: Vec<_> =
        lines.iter().map(|(distance, name, state)| format!("{name} {state} {distance}")).collect();
    lines.join(", ")
}

#[track_caller]
fn check(text: &str, cases: &[(&str, &str)]) {
    let estate = Estate::of(text);
    for (seeds, expected) in cases {
        assert_eq!(answer(&estate, seeds), *expected, "impact of {seeds}");
    }
}

#[test]
fn a_redundant_pair_of_web_servers() {
    check(
        "shop needs web-1 in web
         shop needs web-2 in web
         shop group web at_least 1
         web-1 needs host-1
         web-2 needs host-2
         host-1 needs rack
         host-2 needs rack",
        &[
            ("web-1", "shop degraded 1"),
            ("web-1 web-2", "shop failed 1"),
            ("host-1", "web-1 failed 1, shop degraded 2"),
            ("rack", "host-1 failed 1, host-2 failed 1, web-1 failed 2, web-2 failed 2, shop failed 3"),
            ("shop", ""),
        ],
    );
}

#[test]
fn a_storage_array_below_a_database_and_its_replica() {
    check(
        "shop needs db-1 in db
         shop needs db-2 in db
         shop group db any
         db-1 needs array
         db-2 needs array-2
         report needs db-2",
        &[
            ("array", "db-1 failed 1, shop degraded 2"),
            ("array-2", "db-2 failed 1, report failed 2, shop degraded 2"),
            ("array array-2", "db-1 failed 1, db-2 failed 1, report failed 2, shop failed 2"),
        ],
    );
}

#[test]
fn two_power_feeds_and_a_device_with_one() {
    check(
        "switch needs feed-a in power
         switch needs feed-b in power
         switch group power any
         fan needs feed-a
         host needs switch",
        &[
            ("feed-a", "fan failed 1, switch degraded 1"),
            ("feed-a feed-b", "fan failed 1, switch failed 1, host failed 2"),
        ],
    );
}

#[test]
fn capacity_counts_weights() {
    check(
        "app needs big in pool weight 4
         app needs mid in pool weight 2
         app needs low in pool weight 1
         app group pool capacity 3",
        &[
            ("big", "app degraded 1"),
            ("mid low", "app degraded 1"),
            ("big low", "app failed 1"),
            ("big mid", "app failed 1"),
        ],
    );
}

#[test]
fn a_percentage_is_rounded_up() {
    check(
        "app needs one in pool
         app needs two in pool
         app needs three in pool
         app group pool percent 50",
        &[("one", "app degraded 1"), ("one two", "app failed 1")],
    );
}

#[test]
fn a_group_that_nobody_declares_needs_all() {
    check("app needs one in pool\napp needs two in pool", &[("one", "app failed 1")]);
}

#[test]
fn more_than_there_is_fails_at_the_first_loss_and_not_before() {
    check(
        "app needs one in pool\napp needs two in pool\napp group pool at_least 3\nother needs two",
        &[("one", "app failed 1"), ("other", "")],
    );
}

#[test]
fn a_cycle_fails_as_a_whole_and_ends() {
    check(
        "a needs b\nb needs c\nc needs a\nc needs d\nd needs d",
        &[("d", "c failed 1, b failed 2, a failed 3"), ("a", "c failed 1, b failed 2")],
    );
}

#[test]
fn a_cycle_through_groups_holds_up_nothing_that_is_down() {
    // a and b could hold each other up for ever; but what is up before stays up until something fails it.
    check(
        "a needs b in g\na needs x in g\na group g any\nb needs a in g\nb needs x in g\nb group g any",
        &[("x", "a degraded 1, b degraded 1"), ("x a", "b failed 1")],
    );
}

#[test]
fn weak_relationships_degrade_once_and_no_further() {
    check(
        "app touches cache\nshop needs app\nshop touches app over connects_to",
        &[("cache", "app degraded 1"), ("app", "shop failed 1")],
    );
}

#[test]
fn a_weak_relationship_in_a_group_is_not_a_member() {
    check(
        "app needs db-1 in db\napp touches db-2 in db\napp group db any",
        &[("db-1", "app failed 1"), ("db-2", "app degraded 1")],
    );
}

#[test]
fn a_member_over_two_relationships_is_lost_once() {
    check(
        "app needs one in pool over runs_on
         app needs one in pool over stored_on
         app needs two in pool
         app needs three in pool
         app group pool at_least 2",
        &[("one", "app degraded 1"), ("one two", "app failed 1")],
    );
}

#[test]
fn an_item_in_two_groups_is_judged_by_each() {
    check(
        "app needs one in a\napp needs two in a\napp group a any
         app needs one in b over runs_on\napp needs three in b\napp group b all",
        &[("one", "app failed 1"), ("two", "app degraded 1")],
    );
}

#[test]
fn what_rests_on_a_guess_is_at_risk() {
    let estate = Estate::of(
        "app needs db-1 in db\napp needs db-2 in db\napp guesses db any
         shop needs app\nsite touches app\nsite needs web-1 in web\nsite needs web-2 in web\nsite group web any
         web-1 needs db-1",
    );
    // The site would be degraded by the app only if the guess were wrong; it is degraded by its web server.
    assert_eq!(answer(&estate, "db-1"), "app at_risk 1, web-1 failed 1, shop at_risk 2, site degraded 2");
    let found = impact(&estate.graph, &estate.all("db-1"), Options::default());
    let names: Vec<_> = found.assumptions().iter().map(|gate| estate.graph.gate(*gate).name()).collect();
    assert_eq!(names, ["db"]);
    assert_eq!(answer(&estate, "db-1 db-2"), "app failed 1, web-1 failed 1, shop failed 2, site degraded 2");
    assert!(impact(&estate.graph, &estate.all("db-1 db-2"), Options::default()).assumptions().is_empty());
}

#[test]
fn a_confirmed_group_can_break_below_a_guess() {
    let estate = Estate::of(
        "shop needs app-1 in app\nshop needs app-2 in app\nshop group app any
         app-1 needs db-1 in db\napp-1 needs db-2 in db\napp-1 guesses db any
         app-2 needs db-1",
    );
    assert_eq!(answer(&estate, "db-1"), "app-1 at_risk 1, app-2 failed 1, shop at_risk 2");
}

#[test]
fn retired_members_are_no_members() {
    check(
        "app needs one in pool\napp needs two in pool\napp group pool any\ntwo retired",
        &[("one", "app failed 1"), ("two", "")],
    );
}

#[test]
fn what_lies_beyond_the_depth_is_counted_and_changes_nothing() {
    // shop fails only through the long way; a walk cut at depth 1 would call it degraded.
    let estate = Estate::of(
        "shop needs web in g\nshop needs app in g\nshop group g any\napp needs db\nweb needs db\ndb needs host",
    );
    let found = impact(&estate.graph, &estate.all("host"), Options { depth: Some(1) });
    assert_eq!(found.counts(), Counts { failed: 1, beyond_depth: 3, ..Counts::default() });
    assert_eq!(found.affected().len(), 1);
    assert_eq!(found.by_class(&estate.graph), BTreeMap::from([("server", 1)]));
    let whole = impact(&estate.graph, &estate.all("host"), Options { depth: Some(3) });
    assert_eq!(whole.counts(), Counts { failed: 4, ..Counts::default() });
}

#[test]
fn the_shorter_way_counts_even_if_the_longer_one_failed_it() {
    check(
        "app needs seed in g\napp needs other in g\napp group g any\napp needs db\ndb needs seed\ntop needs app",
        &[("seed", "app failed 1, db failed 1, top failed 2")],
    );
}

#[test]
fn what_is_down_for_sure_is_no_nearer_because_of_a_guess() {
    check(
        "guess needs seed in g\nguess needs other in g\nguess guesses g any
         app needs guess in h\napp needs spare in h\napp group h any
         app needs far\nfar needs near\nnear needs seed",
        &[("seed", "guess at_risk 1, near failed 1, far failed 2, app failed 3")],
    );
}

#[test]
fn reasons_and_ways() {
    let estate = Estate::of(
        "shop needs web-1 in web\nshop needs web-2 in web\nshop group web at_least 2
         web-1 needs host\nweb-2 touches host\nhost needs web-1
         app needs db-1 in db\napp needs host in db\napp guesses db any",
    );
    let graph = &estate.graph;
    let found = impact(graph, &estate.all("host"), Options::default());
    let explainer = Explainer::new(graph, &found);
    let explain = |name: &str| {
        let item = estate.at(name);
        let affected = found.affected().iter().find(|affected| affected.item == item).unwrap();
        let why = explainer.explain(*affected);
        assert_eq!(why.via.len(), why.via_total);
        let via: Vec<_> = why.via.iter().map(|via| estate.name(via.provider)).collect();
        (why.reason, via.join(" "))
    };
    let host = estate.at("host");
    assert_eq!(explain("web-1"), (Reason::HardDependency { provider: host }, "host".to_owned()));
    assert_eq!(explain("web-2"), (Reason::WeakDependency { provider: host }, "host".to_owned()));
    let (Reason::GroupBelow(group), via) = explain("shop") else { panic!("a group fails the shop") };
    assert_eq!((group.up, group.needed, group.total, via.as_str()), (1.0, 2.0, 2.0, "web-1"));
    assert_eq!(graph.gate(group.gate).name(), "web");
    let (Reason::Unconfirmed(group), via) = explain("app") else { panic!("a guess saves the app") };
    assert_eq!((group.up, group.needed, group.total, via.as_str()), (1.0, 1.0, 2.0, "host"));
}

#[test]
fn what_decided_it_is_among_the_ways_however_many_there_are() {
    let mut text = "app needs base\nbase needs seed-1\n".to_owned();
    let seeds: Vec<String> = (1..=10).map(|number| format!("seed-{number}")).collect();
    for seed in &seeds {
        text += &format!("app needs {seed} in pool\n");
    }
    let estate = Estate::of(&text);
    let found = impact(&estate.graph, &estate.all(&seeds.join(" ")), Options::default());
    let app = found.affected().iter().find(|affected| affected.item == estate.at("app")).unwrap();
    let why = Explainer::new(&estate.graph, &found).explain(*app);
    // The group broke a round before the base failed, so it is the group that decided it.
    assert!(matches!(why.reason, Reason::GroupBelow(_)));
    assert_eq!((why.via.len(), why.via_total), (crate::explain::VIA_MAX, 10));

    let estate = Estate::of(&(text + "app needs seed-10 over runs_on"));
    let found = impact(&estate.graph, &estate.all(&seeds.join(" ")), Options::default());
    let app = found.affected().iter().find(|affected| affected.item == estate.at("app")).unwrap();
    let why = Explainer::new(&estate.graph, &found).explain(*app);
    assert_eq!(why.reason, Reason::HardDependency { provider: estate.at("seed-10") });
    assert_eq!((why.via[0].provider, why.via_total), (estate.at("seed-10"), 11));
}

#[test]
fn equals_its_slow_twin_on_random_graphs() {
    arbtest(|u| {
        let graph = random(u)?;
        let seeds = random_seeds(u, &graph)?;
        let fast = impact(&graph, &seeds, Options::default());
        let slow = naive::impact(&graph, &seeds);
        let affected: BTreeMap<_, _> = fast
            .affected()
            .iter()
            .map(|affected| (affected.item, (affected.state, affected.distance)))
            .collect();
        assert_eq!(affected, slow.affected, "seeds {seeds:?}");
        assert_eq!(affected.len(), fast.affected().len(), "an item is listed once");
        assert_eq!(BTreeSet::from_iter(fast.assumptions().iter().copied()), slow.assumptions);
        assert!(fast.affected().is_sorted_by_key(|affected| affected.distance));
        let depth = u.int_in_range(0..=4)?;
        let cut = impact(&graph, &seeds, Options { depth: Some(depth) });
        let kept = fast.affected().iter().filter(|affected| affected.distance <= depth);
        assert!(cut.affected().iter().eq(kept));
        assert_eq!(cut.counts().beyond_depth, (fast.affected().len() - cut.affected().len()) as u64);
        Ok(())
    })
    .budget_ms(4_000);
}

/// The same graph as if some unconfirmed groups were known to hold, and the others to need all of their members.
fn settled(graph: &Graph, holds: &dyn Fn(GateIndex) -> bool) -> Graph {
    let mut deltas = Vec::new();
    for item in graph.indexes() {
        let declared = graph.gates(item).filter(|(_, gate)| gate.declared());
        let groups = declared.map(|(number, gate)| GroupState {
            name: gate.name().into(),
            require: if gate.inferred() && !holds(number) { Require::All } else { gate.require() },
            inferred: false,
            confidence: 1.0,
        });
        deltas.push(Delta::Groups { dependent: graph.id(item), groups: groups.collect() });
    }
    graph.apply(Revision(2), deltas)
}

#[test]
fn at_risk_is_what_depends_on_which_guesses_hold_and_the_assumptions_are_those_that_must() {
    /// Each of the guesses holds, or not.
    const GUESSES_MAX: usize = 6;
    arbtest(|u| {
        let graph = random(u)?;
        let seeds = random_seeds(u, &graph)?;
        let found = impact(&graph, &seeds, Options::default());
        let in_state = |state| -> BTreeSet<Index> {
            let of_it = found.affected().iter().filter(|affected| affected.state == state);
            of_it.map(|affected| affected.item).collect()
        };
        let guesses: Vec<GateIndex> = graph
            .indexes()
            .flat_map(|item| graph.gates(item).map(|(number, _)| number).collect::<Vec<_>>())
            .filter(|number| graph.gate(*number).inferred())
            .collect();
        if guesses.len() > GUESSES_MAX {
            return Ok(());
        }
        let world = |held: &BTreeSet<GateIndex>| -> BTreeSet<Index> {
            let graph = settled(&graph, &|number| held.contains(&number));
            let down = naive::failed(&graph, &seeds, naive::Reading::AsDeclared);
            down.into_iter().filter(|item| !seeds.contains(item)).collect()
        };
        let mut worlds: Vec<(BTreeSet<GateIndex>, BTreeSet<Index>)> = Vec::new();
        for choice in 0..1u32 << guesses.len() {
            let held = guesses.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
            let held: BTreeSet<GateIndex> = held.map(|(_, number)| *number).collect();
            let down = world(&held);
            // The more of them hold, the less fails: so the two extremes say it all.
            for (fewer, more_down) in &worlds {
                assert!(!fewer.is_subset(&held) || down.is_subset(more_down), "{fewer:?} {held:?}");
            }
            worlds.push((held, down));
        }
        let always = worlds.iter().map(|(_, down)| down.clone()).reduce(|one, other| &one & &other).unwrap();
        let ever = worlds.iter().map(|(_, down)| down.clone()).reduce(|one, other| &one | &other).unwrap();
        assert_eq!(in_state(State::Failed), always, "down whatever the guesses are worth");
        assert_eq!(in_state(State::AtRisk), &ever - &always, "down or not, as the guesses hold");
        let assumed: BTreeSet<GateIndex> = found.assumptions().iter().copied().collect();
        assert_eq!(world(&assumed), always, "these suffice");
        for one in &assumed {
            let mut others: BTreeSet<GateIndex> = guesses.iter().copied().collect();
            others.remove(one);
            assert_ne!(world(&others), always, "and without {one:?} none does");
        }
        Ok(())
    })
    .budget_ms(4_000);
}

#[test]
fn only_what_is_certain_to_be_lost_makes_a_guess_count() {
    // Whether app-1 stands rests on the guess about its databases. What the shop is thought to spare does not matter
    // as long as that one holds; and the site, which has lost db-1 already, rests on its own guess whatever app-1 does.
    let estate = Estate::of(
        "app-1 needs db-1 in db\napp-1 needs db-2 in db\napp-1 guesses db any
         shop needs app-1 in app\nshop needs app-2 in app\nshop guesses app any
         site needs db-1 in both\nsite needs app-1 in both\nsite guesses both any",
    );
    let found = impact(&estate.graph, &estate.all("db-1"), Options::default());
    let names: Vec<_> = found.assumptions().iter().map(|gate| estate.graph.gate(*gate).name()).collect();
    assert_eq!(names, ["db", "both"]);
}

#[test]
fn every_explanation_leads_to_a_seed_and_suffices() {
    arbtest(|u| {
        let graph = random(u)?;
        let seeds = random_seeds(u, &graph)?;
        let found = impact(&graph, &seeds, Options::default());
        let explainer = Explainer::new(&graph, &found);
        let down = naive::failed(&graph, &seeds, naive::Reading::AsDeclared);
        let mut after: BTreeMap<Index, BTreeSet<Index>> = BTreeMap::new();
        for affected in found.affected() {
            let why = explainer.explain(*affected);
            assert!(!why.via.is_empty());
            let chain = explainer.chain(&found, affected.item);
            assert_eq!(chain.last(), Some(affected));
            let mut from: BTreeSet<Index> = seeds.iter().copied().collect();
            for step in &chain {
                let via = explainer.explain(*step).via;
                assert!(from.contains(&via[0].provider), "{chain:?} is broken at {step:?}");
                from = [step.item].into();
            }
            if affected.state == State::Degraded {
                assert!(why.via.iter().all(|via| down.contains(&via.provider)));
                continue;
            }
            // With nothing down but what it names (and it may name only eight), the item fails.
            let causes: Vec<Index> = why.via.iter().map(|via| via.provider).collect();
            let reading = match affected.state {
                State::AtRisk => naive::Reading::UnconfirmedSpareNothing,
                _ => naive::Reading::AsDeclared,
            };
            if why.via.len() == why.via_total {
                assert!(
                    naive::failed(&graph, &causes, reading).contains(&affected.item),
                    "{affected:?} {why:?}"
                );
            }
            after.insert(affected.item, causes.into_iter().collect());
        }
        // Taking away what has no causes left ends with nothing: the ways have no loop.
        while !after.is_empty() {
            let before = after.len();
            let open: BTreeSet<Index> = after.keys().copied().collect();
            after.retain(|_, causes| !causes.is_disjoint(&open));
            assert!(after.len() < before, "explanations go in a circle: {after:?}");
        }
        Ok(())
    })
    .budget_ms(2_000);
}

#[test]
fn what_is_joint_is_worse_than_what_any_does_alone() {
    let estate = Estate::of(
        "shop needs web-1 in web
         shop needs web-2 in web
         shop group web any
         report needs web-1
         portal needs shop",
    );
    let found = joint(&estate.graph, &estate.all("web-1 web-2"), Options::default());
    let mut names: Vec<_> = found.affected().iter().map(|affected| estate.name(affected.item)).collect();
    names.sort_unstable();
    assert_eq!((names, found.counts().failed), (vec!["portal", "shop"], 2));
    let near = joint(&estate.graph, &estate.all("web-1 web-2"), Options { depth: Some(1) });
    assert_eq!((near.counts().failed, near.counts().beyond_depth), (1, 1));
    assert_eq!(joint(&estate.graph, &estate.all("web-1 portal"), Options::default()).affected(), []);
    arbtest(|u| {
        let graph = random(u)?;
        let seeds = random_seeds(u, &graph)?;
        let alone: Vec<_> = seeds.iter().map(|seed| naive::impact(&graph, &[*seed]).affected).collect();
        let mut expected: BTreeMap<Index, State> = BTreeMap::new();
        for (item, (state, _)) in naive::impact(&graph, &seeds).affected {
            if alone.iter().all(|one| one.get(&item).is_none_or(|(before, _)| state < *before)) {
                expected.insert(item, state);
            }
        }
        let found = joint(&graph, &seeds, Options::default());
        let found: BTreeMap<Index, State> =
            found.affected().iter().map(|affected| (affected.item, affected.state)).collect();
        assert_eq!(found, expected);
        Ok(())
    })
    .budget_ms(1_000);
}

#[test]
fn a_chain_and_a_star_of_a_million() {
    let chain = large(1_000_000, |id| id - 1);
    let found = impact(&chain, &[Index(0)], Options::default());
    assert_eq!(found.counts().failed, 999_999);
    assert_eq!(found.affected().last().unwrap().distance, 999_999);
    let star = large(1_000_000, |_| 1);
    let found = impact(&star, &[Index(0)], Options::default());
    assert_eq!(found.counts().failed, 999_999);
    assert_eq!(found.affected().last().unwrap().distance, 1);
}

#[test]
fn what_is_down_already_is_not_told_again_and_makes_the_rest_worse() {
    let estate = Estate::of(
        "shop needs web-1 in web
         shop needs web-2 in web
         shop group web any
         mail needs web-2
         web-1 needs host-1",
    );
    let told = |seeds: &str, down: &str| {
        let found = impact_beside(&estate.graph, &estate.all(seeds), &estate.all(down), Options::default());
        let items = found.affected().iter();
        let mut told: Vec<String> =
            items.map(|one| format!("{} {}", estate.name(one.item), one.state.name())).collect();
        told.sort();
        (told.join(", "), found.counts().failed)
    };
    assert_eq!(told("host-1", ""), ("shop degraded, web-1 failed".to_owned(), 1));
    // In maintenance a server is down like any other, whatever stands below it.
    assert_eq!(told("host-1", "web-2"), ("shop failed, web-1 failed".to_owned(), 2));
    assert_eq!(told("host-1", "web-1"), (String::new(), 0));
    assert_eq!(told("host-1", "shop"), ("web-1 failed".to_owned(), 1));
}
