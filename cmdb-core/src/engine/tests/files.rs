use super::harness::*;
use crate::claim::{Match, Reference};
use crate::engine::EngineError;
use crate::model::{Reason, Revision, SourceKind, Status};

const ESTATE: &str = r#"{"redundancy":{"item":"app","group":"db","require":"at_least 1"}}
{"relationship":{"from":"app","type":"depends_on","to":"db-1","group":"db"}}
{"relationship":{"from":"app","type":"depends_on","to":"db-2","group":"db"}}
{"item":{"key":"eth0","class":"network_interface","name":"eth0","within":"host","attributes":{"mac_address":"02:00:00:00:00:01"}}}
{"item":{"key":"host","class":"server","name":"host"}}
{"item":{"key":"db-1","class":"database_instance","name":"db-1"}}
{"item":{"key":"db-2","class":"database_instance","name":"db-2"}}
{"item":{"key":"app","class":"application","name":"app"}}
"#;

#[test]
fn files_become_one_revision_in_any_order_of_lines() {
    let bench = bench();
    let (outcome, refused) = bench.import(ESTATE, false, 0);
    assert_eq!(refused, [""; 0]);
    let outcome = outcome.expect("taken");
    assert_eq!((outcome.created, outcome.relationships_created, outcome.revision), (5, 2, Some(Revision(1))));
    bench.check();
    let (again, _) = bench.import(ESTATE, true, 0);
    let again = again.expect("taken");
    assert_eq!((again.unchanged, again.relationships_unchanged, again.revision), (5, 2, None));
}

#[test]
fn a_bad_line_keeps_everything_out_unless_it_is_skipped() {
    let bench = bench();
    let text = format!("{ESTATE}{}\n", r#"{"relationship":{"from":"app","type":"depends_on","to":"db-9"}}"#);
    let (outcome, refused) = bench.import(&text, false, 0);
    assert_eq!(outcome.expect("an outcome").revision, None);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].starts_with("estate.jsonl:9:") && refused[0].contains("db-9"), "{refused:?}");
    assert_eq!(bench.head(), Revision(0));
    let (outcome, refused) = bench.import_as(&text, false, 0, true);
    let outcome = outcome.expect("taken");
    assert_eq!((outcome.created, outcome.refused, refused.len()), (5, 1, 1));
    bench.check();
}

#[test]
fn a_group_that_asks_too_much_and_a_key_given_twice_are_named() {
    let bench = bench();
    let text = ESTATE.replace("at_least 1", "at_least 3");
    let (_, refused) = bench.import(&text, false, 0);
    assert!(
        refused[0].starts_with("estate.jsonl:1:") && refused[0].contains("asks for 3 members"),
        "{refused:?}"
    );
    let twice = format!("{ESTATE}{}\n", r#"{"item":{"key":"app","class":"application","name":"other"}}"#);
    let (_, refused) = bench.import(&twice, false, 0);
    assert!(refused[0].starts_with("estate.jsonl:9:") && refused[0].contains("line 8"), "{refused:?}");
    assert_eq!(bench.head(), Revision(0));
}

#[test]
fn a_full_import_withdraws_what_it_no_longer_names_within_the_limit() {
    let bench = bench();
    bench.import(ESTATE, false, 0).0.expect("taken");
    let less: String = ESTATE
        .lines()
        .filter(|line| !line.contains("db-2") && !line.contains("at_least"))
        .fold(String::new(), |all, line| all + line + "\n");
    let Err(EngineError::Refused(problem)) = bench.import(&less, true, 0).0 else { panic!("over the limit") };
    assert_eq!(problem.reason, Reason::WithdrawLimit);
    assert!(problem.hint.contains("--allow-withdraw 3"), "{}", problem.hint);
    let outcome = bench.import(&less, true, 3).0.expect("taken");
    assert_eq!(outcome.withdrawn, 3);
    assert_eq!(bench.find("db-2").status, Status::Stopped, "a database runs");
    assert_eq!(bench.relationships("app"), ["app depends_on db-1 active"]);
    assert!(bench.find("app").groups.is_empty());
    bench.check();
}

#[test]
fn an_export_read_into_an_empty_store_is_the_same_graph() {
    let bench = bench();
    bench.import(ESTATE, false, 0).0.expect("taken");
    let ann = crate::claim::Claim {
        key: bench.find("db-1").id.to_string(),
        ..item("x", "", &[("version", text("16"))])
    };
    bench.apply(person("ann"), vec![ann], true).expect("taken");
    let export = |bench: &Bench| {
        let mut lines = Vec::new();
        let reader = bench.cmdb.reader().expect("readable");
        reader
            .export(true, &mut |line| {
                lines.push(line.to_owned());
                Ok(())
            })
            .expect("readable");
        lines
    };
    let lines = export(&bench);
    let other = super::harness::bench();
    let (outcome, refused) = other.import(&(lines.join("\n") + "\n"), false, 0);
    assert_eq!((outcome.expect("taken").revision, refused.len()), (Some(Revision(1)), 0));
    // The header names the revision; all else is the same.
    let without_header = |lines: Vec<String>| {
        lines.into_iter().filter(|line| !line.starts_with("{\"export\"")).collect::<Vec<_>>()
    };
    assert_eq!(without_header(export(&other)), without_header(lines.clone()));
    other.check();
    let Err(EngineError::Refused(problem)) = bench.import(&(lines.join("\n") + "\n"), false, 0).0 else {
        panic!("this store is not empty")
    };
    assert_eq!(problem.reason, Reason::NotEmpty);
}

#[test]
fn a_backup_is_restored_whole_or_not_at_all() {
    let bench = bench();
    bench.import(ESTATE, false, 0).0.expect("taken");
    let mut bytes = Vec::new();
    bench.cmdb.reader().expect("readable").backup(&mut bytes).expect("written");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = crate::store::RedbStore::open(directory.path()).expect("a new store");
    for (what, wrong) in [
        ("cut", bytes[..bytes.len() - 40].to_vec()),
        ("altered", {
            let mut altered = bytes.clone();
            let middle = altered.len() / 2;
            altered[middle] ^= 1;
            altered
        }),
    ] {
        assert!(crate::store::restore(&store, &mut wrong.as_slice()).is_err(), "a backup that was {what}");
    }
    assert_eq!(crate::store::restore(&store, &mut bytes.as_slice()).expect("restored"), Revision(1));
    drop(store);
    let clock = std::sync::Arc::clone(&bench.clock);
    let restored =
        Bench { cmdb: open(&directory, &clock, crate::model::schema::Schema::built_in()), clock, directory };
    restored.check();
    assert_eq!(restored.relationships("app"), bench.relationships("app"));
}

#[test]
fn verify_finds_what_was_altered_behind_the_engines_back() {
    use crate::store::{Batch, Range, Store, Table};
    let bench = bench();
    bench.import(ESTATE, false, 0).0.expect("taken");
    bench.cmdb.close();
    let tables = [
        Table::Changes,
        Table::Outgoing,
        Table::Incoming,
        Table::Identifiers,
        Table::Classes,
        Table::Commits,
        Table::Arrivals,
    ];
    for table in tables {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let from = crate::store::RedbStore::file(bench.directory.path());
        std::fs::copy(from, crate::store::RedbStore::file(directory.path())).expect("a copy");
        let store = crate::store::RedbStore::open(directory.path()).expect("the copy opens");
        let epoch = store.claim_writer().expect("nobody else");
        let snapshot = store.snapshot().expect("readable");
        let rows = snapshot.scan(table, &Range::all(), 1).expect("readable");
        let (key, _) = rows.first().expect("something is in every table");
        let mut batch = Batch::default();
        batch.delete(table, key.clone());
        crate::store::commit(&store, Revision(1), epoch, &batch, Revision(1)).expect("written");
        let snapshot = store.snapshot().expect("readable");
        let findings = super::super::check_store(&*snapshot);
        assert!(
            findings.is_err() || findings.is_ok_and(|findings| findings > 0),
            "a row of {} went unnoticed",
            table.name()
        );
    }
}

#[test]
fn another_schema_is_adopted_in_one_commit() {
    let bench = bench();
    let line = r#"{"item":{"key":"host","class":"server","name":"host","attributes":{"slot":"7","owner":"import"}}}"#;
    bench.import(&format!("{line}\n"), false, 0).0.expect("taken");
    let order =
        "[[extend]]\nclass = \"server\"\n[extend.attributes]\nslot = { type = \"text\", indexed = true }\n";
    let schema =
        crate::model::schema::Schema::load(&[("own.toml".to_owned(), order.to_owned())]).expect("valid");
    let bench = bench.reopen_under(schema);
    let list = |bench: &Bench| {
        let list = crate::engine::List { filter: "slot = 7".to_owned(), page_size: 10, ..Default::default() };
        bench.cmdb.reader().expect("readable").list(&list).expect("fits").total
    };
    assert_eq!(list(&bench), 1, "found through the new index");
    let mut findings = 0;
    let verified = bench.cmdb.verify(&mut |_| findings += 1).expect("readable");
    assert_eq!((verified.findings, verified.items), (0, 1));
    // And back: the index goes, the item stays.
    let bench = bench.reopen();
    assert_eq!(list(&bench), 1, "found without it");
    bench.check();
}

#[test]
fn what_waits_goes_along_and_joins_in_the_new_store() {
    let bench = bench();
    let wants = |host: &str| {
        let attributes = [("host_name".to_owned(), text(host))].into();
        Reference::Match(Match { class: "server".to_owned(), attributes })
    };
    let mut shop = related(item("shop", "business_service", &[]), "depends_on", wants("h1"), false);
    shop.relationships.push(relationship(Reference::This, "depends_on", wants("h2"), false));
    let endpoint = ("entry_points", crate::model::Value::List(vec![text("https://shop.example:443")]));
    shop.item.as_mut().expect("an item").attributes.insert(endpoint.0.to_owned(), endpoint.1);
    bench.apply(person("ann"), vec![shop], true).expect("taken");
    let host = |name: &str| item(name, "server", &[("host_name", text(name))]);
    bench.apply(named("files", SourceKind::Import), vec![host("h1")], true).expect("taken");
    let part = within(item("db", "database_instance", &[("port", crate::model::Value::Integer(1))]), "os");
    let client = related(item("app", "application", &[]), "depends_on", key("cache"), true);
    bench.report("agent-1", vec![section("one", &[part, client])]);
    let lines = exported(&bench);
    assert_eq!(lines.iter().filter(|line| line.starts_with("{\"waiting\"")).count(), 5, "{lines:#?}");
    // Of the past nobody knows what waited; what still does, and did then, is counted: a reference to h2, and the one to h1.
    let header_at = |revision| {
        let then = crate::engine::When::Revision(crate::model::Revision(revision));
        let mut first = None;
        let each = &mut |line: &str| {
            first.get_or_insert_with(|| line.to_owned());
            Ok(())
        };
        bench.cmdb.reader_at(then).expect("to be had").export(true, each).expect("readable");
        first.expect("a line")
    };
    let expected = |revision, waiting, matched| {
        format!(
            r#"{{"export":{{"format":1,"revision":{revision},"left_out":{{"waiting":{waiting},"matched":{matched}}}}}}}"#
        )
    };
    assert_eq!(header_at(1), expected(1, 1, 0));
    assert_eq!(header_at(2), expected(2, 1, 1));
    assert_eq!(header_at(3), r#"{"export":{"format":1,"revision":3}}"#);
    let other = super::harness::bench();
    other.import(&(lines.join("\n") + "\n"), false, 0).0.expect("taken");
    assert_eq!(exported(&other)[1..], lines[1..]);
    other.check();
    let other = other.reopen();
    for bench in [&bench, &other] {
        let (cache, os) = (item("cache", "cache", &[]), item("os", "operating_system", &[]));
        bench.report("agent-1", vec![section("two", &[cache, os])]);
        bench.apply(named("files", SourceKind::Import), vec![host("h2")], true).expect("taken");
        let gone = bench.find("h1").id;
        bench.retire(gone).expect("retired");
        assert_eq!(bench.relationships("shop"), ["shop depends_on h2 active"]);
        assert_eq!(bench.relationships("agent-1:app"), ["app depends_on cache active"]);
        assert_eq!(bench.find("agent-1:db").claims[0].within, Some(bench.find("agent-1:os").id));
        bench.check();
    }
}

fn exported(bench: &Bench) -> Vec<String> {
    let mut lines = Vec::new();
    let reader = bench.cmdb.reader().expect("readable");
    reader
        .export(true, &mut |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .expect("readable");
    lines
}
