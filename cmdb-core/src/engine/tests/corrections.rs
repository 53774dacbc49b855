use super::harness::*;
use crate::claim::{Claim, ItemClaim, RedundancyClaim, Reference, UnitKind};
use crate::engine::EngineError;
use crate::model::{Reason, SourceKind, Status, Value};

fn by_id(id: crate::model::ItemId) -> Claim {
    Claim {
        kind: UnitKind::Item,
        key: id.to_string(),
        item: None,
        relationships: Vec::new(),
        redundancies: Vec::new(),
    }
}

fn set(id: crate::model::ItemId, pairs: &[(&str, Value)], cleared: &[&str]) -> Claim {
    let attributes = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let cleared = cleared.iter().map(|name| (*name).to_owned()).collect();
    Claim { item: Some(ItemClaim { attributes, cleared, ..ItemClaim::default() }), ..by_id(id) }
}

fn estate() -> Bench {
    let bench = bench();
    let claims = vec![
        item("db", "database_instance", &[("version", text("15.4"))]),
        related(item("app", "application", &[]), "depends_on", key("db"), false),
    ];
    let applied = bench.apply(named("cmdb", SourceKind::Import), claims, false).expect("taken");
    assert_eq!(outcomes(&applied), ["created", "created"]);
    bench
}

fn version(bench: &Bench) -> (String, u32) {
    let item = bench.find("db");
    let effective = item.attribute("version").expect("somebody says it");
    (effective.value.to_string(), effective.source.0)
}

#[test]
fn a_person_corrects_takes_back_and_both_claims_are_kept() {
    let bench = estate();
    let id = bench.find("db").id;
    bench.apply(person("ann"), vec![set(id, &[("version", text("16.1"))], &[])], true).expect("taken");
    assert_eq!(version(&bench), ("16.1".to_owned(), 2));
    assert_eq!(bench.find("db").claims.len(), 2);
    bench.apply(person("ann"), vec![set(id, &[("port", Value::Integer(5432))], &[])], true).expect("taken");
    assert_eq!(version(&bench), ("16.1".to_owned(), 2), "a second correction keeps the first");
    bench.apply(person("ann"), vec![set(id, &[], &["version"])], true).expect("taken");
    assert_eq!(version(&bench), ("15.4".to_owned(), 1));
    bench.check();
}

#[test]
fn a_relationship_that_a_person_denies_stays_denied_when_it_is_stated_again() {
    let bench = estate();
    let (app, db) = (bench.find("app").id, bench.find("db").id);
    let mut denial = by_id(app);
    denial.relationships.push(relationship(Reference::This, "depends_on", Reference::Id(db), false));
    denial.relationships[0].denied = true;
    let applied = bench.apply(person("ann"), vec![denial], true).expect("taken");
    assert_eq!(outcomes(&applied), ["updated"]);
    assert_eq!(bench.relationships("db"), ["app depends_on db active denied"]);
    assert_eq!(bench.cmdb.graph().dependents(bench.cmdb.graph().index(db).expect("known")).count(), 0);
    let again =
        related(item("app", "application", &[("version", text("2"))]), "depends_on", key("db"), false);
    bench.apply(named("cmdb", SourceKind::Import), vec![again], false).expect("taken");
    assert_eq!(bench.relationships("db"), ["app depends_on db active denied"]);
    bench.check();
}

#[test]
fn a_revert_puts_back_what_stood_before_and_leaves_what_changed_since() {
    let bench = estate();
    let id = bench.find("db").id;
    let first =
        bench.apply(person("ann"), vec![set(id, &[("version", text("16.1"))], &[])], true).expect("taken");
    let reverted = bench.revert(first.revision.expect("a commit")).expect("taken");
    assert!(reverted.skipped.is_empty(), "{:?}", reverted.skipped);
    assert_eq!(version(&bench), ("15.4".to_owned(), 1));
    let created = crate::model::Revision(1);
    bench.apply(person("ann"), vec![set(id, &[("version", text("17"))], &[])], true).expect("taken");
    bench.revert(created).expect("taken");
    assert_eq!(bench.find("app").status, Status::Retired, "undone creation");
    assert_eq!(version(&bench), ("17".to_owned(), 2), "what ann says stands");
    assert_eq!(bench.relationships("db"), [""; 0]);
    bench.check();
}

#[test]
fn a_retired_item_counts_no_more_and_comes_back_with_news() {
    let bench = estate();
    let db = bench.find("db").id;
    bench.retire(db).expect("taken");
    assert_eq!(bench.find("db").status, Status::Retired);
    bench.check();
    bench
        .apply(
            named("cmdb", SourceKind::Import),
            vec![item("db", "database_instance", &[("version", text("16"))])],
            false,
        )
        .expect("taken");
    let back = bench.find("db");
    assert_eq!((back.id, back.status), (db, Status::Active));
    bench.check();
}

#[test]
fn a_dry_run_changes_nothing_and_shows_what_it_would() {
    let bench = estate();
    let head = bench.head();
    let (tell, told) = std::sync::mpsc::channel();
    bench.cmdb.apply(
        crate::engine::Apply {
            source: person("ann"),
            actor: actor(),
            claims: vec![set(bench.find("db").id, &[("version", text("16.1"))], &[])],
            merge: true,
            dry_run: true,
            observed_at: None,
        },
        Box::new(move |answer| tell.send(answer).expect("somebody waits")),
    );
    let applied = told.recv().expect("answered").expect("taken");
    assert_eq!((applied.changes.len(), applied.revision), (1, None));
    assert_eq!((bench.head(), version(&bench).0), (head, "15.4".to_owned()));
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let bench = estate();
    let group = |require: &str| Claim {
        redundancies: vec![RedundancyClaim {
            item: Reference::This,
            group: "db".to_owned(),
            require: require.parse().expect("a requirement"),
            inferred: false,
            confidence: 1.0,
            evidence: String::new(),
            rejected: false,
        }],
        ..item("app2", "application", &[])
    };
    let in_group = |require: &str| {
        let mut claim = related(group(require), "depends_on", key("db"), false);
        claim.relationships[0].group = "db".to_owned();
        claim
    };
    let cases = [
        (item("x", "sever", &[]), "refused CLASS_UNKNOWN"),
        (item("x", "hardware", &[]), "refused CLASS_ABSTRACT"),
        (item("x", "database_instance", &[("port", text("many"))]), "refused VALUE_TYPE"),
        (item("", "server", &[]), "refused KEY_INVALID"),
        (within(item("x", "server", &[]), "nowhere"), "refused REFERENCE_UNKNOWN"),
        (
            item("x", "business_service", &[("entry_points", Value::List(vec![text("nowhere")]))]),
            "refused ATTRIBUTE_UNUSABLE",
        ),
        (Claim { item: None, key: bench.find("app").id.to_string(), ..group("any") }, "refused GROUP_EMPTY"),
        // The item stands, its group does not.
        (in_group("at_least 2"), "created, but GROUP_TOO_SMALL"),
        (in_group("at_least 1"), "updated"),
        (in_group("at_least 1"), "unchanged"),
    ];
    for (claim, expected) in cases {
        let applied =
            bench.apply(named("cmdb", SourceKind::Import), vec![claim.clone()], false).expect("taken");
        assert_eq!(outcomes(&applied), [expected], "{claim:?}");
    }
    bench.check();
}

#[test]
fn names_lead_to_items_or_to_the_nearest() {
    let bench = estate();
    let reader = bench.cmdb.reader().expect("readable");
    let problem = |text: &str| match reader.resolve(text) {
        Err(EngineError::Refused(problem)) => (problem.reason, problem.hint),
        other => panic!("{text}: {other:?}"),
    };
    for text in ["db", "@1", "cmdb:db", "DB"] {
        assert_eq!(reader.resolve(text).ok(), Some(bench.find("db").id), "{text}");
    }
    assert_eq!(problem("@99").0, Reason::ItemNotFound);
    let (reason, hint) = problem("appp");
    assert_eq!(reason, Reason::ItemNotFound);
    assert!(hint.contains("\"app\""), "{hint}");
    for (wrong, right) in [("cmdb:appp", "cmdb:app"), ("cmbd:db", "cmdb:db"), ("cmbd:appp", "cmdb:app")] {
        let hint = problem(wrong).1;
        assert!(hint.contains(&format!("\"{right}\"")), "{wrong}: {hint}");
    }
    bench.apply(named("other", SourceKind::Import), vec![item("db", "server", &[])], false).expect("taken");
    let reader = bench.cmdb.reader().expect("readable");
    let Err(EngineError::Refused(problem)) = reader.resolve("db") else { panic!("db is ambiguous") };
    assert_eq!(problem.reason, Reason::ItemAmbiguous);
    assert!(problem.hint.contains("cmdb:db") && problem.hint.contains("other:db"), "{}", problem.hint);
}

#[test]
fn a_revert_goes_attribute_by_attribute_where_a_claim_has_changed_since() {
    let bench = estate();
    let id = bench.find("db").id;
    let both = set(id, &[("version", text("16.1")), ("port", Value::Integer(1))], &[]);
    bench.apply(person("ann"), vec![set(id, &[("owner", text("ann"))], &[])], true).expect("taken");
    let first = bench.apply(person("ann"), vec![both], true).expect("taken");
    bench.apply(person("ann"), vec![set(id, &[("port", Value::Integer(2))], &[])], true).expect("taken");
    let reverted = bench.revert(first.revision.expect("a commit")).expect("taken");
    assert_eq!(reverted.skipped.len(), 1, "{:?}", reverted.skipped);
    assert_eq!(version(&bench).0, "15.4");
    assert_eq!(bench.find("db").attribute("port").expect("ann says it").value, &Value::Integer(2));
    bench.check();
}
