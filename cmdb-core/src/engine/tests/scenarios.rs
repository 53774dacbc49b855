use super::harness::*;
use crate::engine::{ApplyScenario, Evaluated, ScenarioApplied, Take, When};
use crate::model::relationship::Require;
use crate::model::{ItemId, SourceKind, Timestamp};
use crate::scenario::{Edit, Scenario, Subject};

fn estate() -> Bench {
    let bench = bench();
    let claims = vec![
        item("db-1", "database_instance", &[("version", text("15"))]),
        item("db-2", "database_instance", &[("version", text("15"))]),
        related(item("app", "application", &[]), "depends_on", key("db-1"), false),
    ];
    bench.apply(named("cmdb", SourceKind::Import), claims, false).expect("taken");
    bench
}

fn scenario(bench: &Bench, edits: Vec<Edit>) -> Scenario {
    let empty = Scenario {
        name: "spare".to_owned(),
        base: bench.head(),
        created_at: Timestamp(1),
        created_by: "ann".to_owned(),
        reason: String::new(),
        edits: Vec::new(),
    };
    let reader = bench.cmdb.reader().expect("readable");
    edits.into_iter().fold(empty, |mut scenario, edit| {
        let edit = reader.check_edit(&scenario, edit).expect("fits");
        scenario.edits.push(edit);
        scenario
    })
}

fn id(bench: &Bench, name: &str) -> ItemId {
    bench.find(name).id
}

fn evaluate(bench: &Bench, scenario: &Scenario) -> Evaluated {
    let base = bench.cmdb.reader_at(When::Revision(scenario.base)).expect("to be had");
    base.evaluate(scenario).expect("readable")
}

fn needs(evaluated: &Evaluated, id: ItemId) -> Vec<ItemId> {
    let graph = &evaluated.graph;
    let mut needs: Vec<_> =
        graph.dependencies(graph.index(id).expect("there")).map(|edge| graph.id(edge.other)).collect();
    needs.sort();
    needs
}

fn apply(bench: &Bench, ask: ApplyScenario) -> ScenarioApplied {
    let (tell, told) = std::sync::mpsc::channel();
    bench.cmdb.apply_scenario(ask, Box::new(move |answer| tell.send(answer).expect("somebody waits")));
    told.recv().expect("answered").expect("taken")
}

fn asked(scenario: &Scenario) -> ApplyScenario {
    ApplyScenario::new(scenario.clone(), person("ann"), actor())
}

/// A second database for the application, and a spare one that does not exist yet.
fn spare(bench: &Bench) -> Scenario {
    let (app, one, two) = (id(bench, "app"), id(bench, "db-1"), id(bench, "db-2"));
    let relate = |to| Edit::Relate {
        from: Subject::Item(app),
        kind: "depends_on".to_owned(),
        to,
        group: "db".to_owned(),
        weight: 1.0,
    };
    let edits = vec![
        Edit::Add { class: "database_instance".to_owned(), name: "db-3".to_owned(), attributes: [].into() },
        relate(Subject::Item(one)),
        relate(Subject::Item(two)),
        relate(Subject::Added(0)),
        Edit::Require { item: Subject::Item(app), group: "db".to_owned(), require: Require::AtLeast(1) },
        Edit::Set {
            item: Subject::Item(one),
            attributes: [("version".to_owned(), text("16"))].into(),
            cleared: Vec::new(),
        },
    ];
    scenario(bench, edits)
}

#[test]
fn a_scenario_answers_for_itself_and_changes_nothing() {
    let bench = estate();
    let spare = spare(&bench);
    let head = bench.head();
    let evaluated = evaluate(&bench, &spare);
    let app = id(&bench, "app");
    let new = *evaluated.added.keys().next().expect("it adds an item");
    assert_eq!(needs(&evaluated, app), [id(&bench, "db-1"), id(&bench, "db-2"), new]);
    let gates: Vec<_> = evaluated.graph.gates(evaluated.graph.index(app).expect("there")).collect();
    assert_eq!((gates.len(), gates[0].1.member_count()), (1, 3));
    // db-3, app's group, db-1's version, three relationships.
    assert_eq!(evaluated.changes.len(), 6);
    assert_eq!((bench.head(), bench.relationships("app").len()), (head, 1));
    // Later commits do not touch what the scenario says of its base.
    bench.apply(named("cmdb", SourceKind::Import), vec![item("db-2", "server", &[])], false).expect("taken");
    assert_eq!(needs(&evaluate(&bench, &spare), app).len(), 3);
}

#[test]
fn applying_is_one_commit_of_a_persons_claims() {
    let bench = estate();
    let spare = spare(&bench);
    let head = bench.head();
    let applied = apply(&bench, asked(&spare));
    assert_eq!(applied.conflicts, []);
    assert_eq!(applied.revision, Some(head.next()));
    assert_eq!(
        bench.relationships("app"),
        ["app depends_on db-1 active", "app depends_on db-2 active", "app depends_on db-3 active"]
    );
    assert_eq!(bench.find("db-1").attribute("version").expect("set").value, &text("16"));
    bench.check();
    let again = apply(&bench, asked(&spare));
    assert_eq!((again.conflicts.len(), again.revision), (0, None), "nothing is left to do");
}

#[test]
fn what_has_moved_on_is_decided_by_a_person() {
    let bench = estate();
    let spare = spare(&bench);
    let one = id(&bench, "db-1");
    bench
        .apply(
            named("cmdb", SourceKind::Import),
            vec![item("db-1", "database_instance", &[("version", text("15.4"))])],
            false,
        )
        .expect("taken");
    let open = apply(&bench, asked(&spare));
    assert_eq!(open.revision, None);
    let [conflict] = open.conflicts.as_slice() else { panic!("{:?}", open.conflicts) };
    let said =
        (conflict.field.as_str(), conflict.base.as_str(), conflict.now.as_str(), conflict.scenario.as_str());
    assert_eq!(said, (format!("{one}.version").as_str(), "15", "15.4", "16"));
    let mut theirs = asked(&spare);
    theirs.take.insert(conflict.field.clone(), Take::Theirs);
    assert!(apply(&bench, theirs).revision.is_some());
    assert_eq!(bench.find("db-1").attribute("version").expect("said").value, &text("15.4"));
    let mut mine = asked(&spare);
    mine.take_all = Some(Take::Mine);
    apply(&bench, mine);
    assert_eq!(bench.find("db-1").attribute("version").expect("set").value, &text("16"));
    bench.check();
}

#[test]
fn scenarios_are_kept_beside_the_log() {
    let bench = estate();
    let spare = spare(&bench);
    let head = bench.head();
    let (tell, told) = std::sync::mpsc::channel();
    bench
        .cmdb
        .keep_scenario(spare.clone(), Box::new(move |answer| tell.send(answer).expect("somebody waits")));
    told.recv().expect("answered").expect("kept");
    assert_eq!(bench.head(), head);
    let bench = bench.reopen();
    let reader = bench.cmdb.reader().expect("readable");
    assert_eq!(reader.scenario("spare").expect("kept"), spare);
    assert_eq!(reader.scenarios().expect("readable").len(), 1);
    let (tell, told) = std::sync::mpsc::channel();
    bench.cmdb.delete_scenario("spare", Box::new(move |answer| tell.send(answer).expect("somebody waits")));
    told.recv().expect("answered").expect("deleted");
    assert!(bench.cmdb.reader().expect("readable").scenario("spare").is_err());
}

#[test]
fn what_is_added_and_taken_out_again_never_was() {
    let bench = estate();
    let mut edits = spare(&bench).edits;
    edits.push(Edit::Remove { item: Subject::Added(0) });
    edits.push(Edit::Add {
        class: "database_instance".to_owned(),
        name: "db-3".to_owned(),
        attributes: [].into(),
    });
    let again = scenario(&bench, edits);
    assert_eq!(again.added_as("db-3"), Some(Subject::Added(7)));
    let evaluated = evaluate(&bench, &again);
    assert_eq!((evaluated.added.len(), needs(&evaluated, id(&bench, "app")).len()), (1, 2));
    assert!(apply(&bench, asked(&again)).revision.is_some());
    assert_eq!(bench.relationships("app"), ["app depends_on db-1 active", "app depends_on db-2 active"]);
    bench.check();
}

#[test]
fn another_scenario_of_the_same_name_adds_items_of_its_own() {
    let bench = estate();
    apply(&bench, asked(&spare(&bench)));
    let add = |name: &str| Edit::Add {
        class: "database_instance".to_owned(),
        name: name.to_owned(),
        attributes: [].into(),
    };
    let other = scenario(&bench, vec![add("db-4")]);
    apply(&bench, asked(&other));
    assert_ne!(id(&bench, "db-3"), id(&bench, "db-4"));
    let reader = bench.cmdb.reader().expect("readable");
    let refused = reader.check_edit(&other, add("db-4")).expect_err("there is one");
    assert!(refused.to_string().contains("of that name"), "{refused}");
}
