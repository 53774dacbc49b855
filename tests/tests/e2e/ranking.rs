//! What could take most with it: one estate asked several ways, which must agree.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::repository;
use crate::harness::server::Server;
use crate::harness::shell::Shell;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn listed<'a>(answer: &'a Value, field: &str) -> &'a [Value] {
    answer[field].as_array().unwrap_or_else(|| panic!("{field} is no list: {answer}"))
}

/// Of each item by its id.
fn figures(answer: &Value) -> BTreeMap<&str, u64> {
    let figure = |item: &'_ Value| number(&item["blast_radius"]);
    listed(answer, "items").iter().map(|item| (item["id"].as_str().expect("an id"), figure(item))).collect()
}

fn shop() -> (Server, Shell, String) {
    let server = Server::start();
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    // What is concluded from it may be committed at any time from now on.
    let moment = shell.revision().to_string();
    (server, shell, moment)
}

#[test]
fn figures_weights_and_the_order_of_items_agree() {
    let (_server, shell, moment) = shop();
    let plain = shell.json(&["blast-radius", "--top", "1000", "--as-of", &moment]);
    let weighted = shell.json(&["blast-radius", "--weighted", "--top", "1000", "--as-of", &moment]);
    assert_eq!(figures(&plain), figures(&weighted));
    let weights: Vec<u64> = listed(&weighted, "items").iter().map(|item| number(&item["weight"])).collect();
    assert!(weights.is_sorted_by(|one, other| one >= other), "the heaviest first: {weights:?}");
    for item in listed(&weighted, "items") {
        let of: Vec<u64> = listed(item, "by_criticality").iter().map(number).collect();
        assert_eq!(of.iter().sum::<u64>(), number(&item["blast_radius"]), "{item}");
        assert_eq!(of[0] * 4 + of[1] * 3 + of[2] * 2 + of[3], number(&item["weight"]), "{item}");
    }
    let items = shell.json(&["items", "--all", "--sort", "-blast_radius", "--as-of", &moment]);
    let basis = &weighted["criticality"];
    let known = ["declared", "inherited", "assumed"].map(|field| number(&basis[field]));
    assert_eq!((known[0], known.iter().sum::<u64>()), (4, number(&items["total"])), "{basis}");

    let order: Vec<u64> = listed(&items, "items").iter().map(|item| number(&item["blast_radius"])).collect();
    assert!(order.is_sorted_by(|one, other| one >= other), "the largest first: {order:?}");
    let mut of_items = figures(&items);
    of_items.retain(|_, figure| *figure > 0);
    assert_eq!(of_items, figures(&plain));
    assert_eq!((items["figures_revision"].to_string(), number(&items["without_figure"])), (moment, 0));
}

#[test]
fn what_is_listed_by_class_is_the_whole_without_the_others() {
    let (_server, shell, moment) = shop();
    let ask = |arguments: &[&str]| shell.json(&[arguments, &["--as-of", &moment]].concat());
    let both = ["impact", "vm-db-1", "vm-db-2"];
    let (whole, services) = (ask(&both), ask(&[&both[..], &["--class", "service"]].concat()));
    let schema = shell.json(&["classes", "--as-of", &moment]);
    let parents: BTreeMap<&str, &str> = listed(&schema, "classes")
        .iter()
        .filter_map(|class| Some((class["name"].as_str()?, class["parent"].as_str()?)))
        .collect();
    let is_service = |item: &&Value| {
        let mut class = item["class"].as_str();
        while let Some(name) = class.filter(|name| *name != "service") {
            class = parents.get(name).copied();
        }
        class.is_some()
    };
    let expected: Vec<&Value> = listed(&whole, "affected").iter().filter(is_service).collect();
    assert!(!expected.is_empty() && expected.len() < listed(&whole, "affected").len());
    assert_eq!(listed(&services, "affected").iter().collect::<Vec<_>>(), expected);
    let left_out = listed(&whole, "affected").len() - expected.len();
    assert_eq!(number(&services["other_classes"]), left_out as u64);

    let needs = ["depends", "order"];
    let (whole, services) = (ask(&needs), ask(&[&needs[..], &["--class", "service"]].concat()));
    let expected: Vec<&Value> = listed(&whole, "dependencies").iter().filter(is_service).collect();
    assert_eq!(listed(&services, "dependencies").iter().collect::<Vec<_>>(), expected);
    let wrong = shell.run(["impact", "vm-db-1", "--class", "servce"]).must_end_with(3);
    drop(wrong);
}
