//! Each rule against a small bad example that it must name, and a good one that it must leave alone.

use std::path::PathBuf;

use super::dependencies::{self, Package};
use super::{Breach, SourceFile, habits, rooms, source};

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: PathBuf::from(path), text: text.to_owned() }
}

fn package(name: &str, dependencies: &[&str]) -> Package {
    let lines: Vec<String> = dependencies.iter().map(|name| format!("{name}.workspace = true")).collect();
    Package {
        name: name.to_owned(),
        manifest: PathBuf::from(format!("{name}/Cargo.toml")),
        manifest_text: format!("[dependencies]\n{}\n\n[lints]\nworkspace = true\n", lines.join("\n")),
        dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn told(breaches: &[Breach]) -> Vec<String> {
    breaches.iter().map(ToString::to_string).collect()
}

#[test]
fn a_room_that_looks_where_it_may_not_is_named_with_its_line() {
    // path, text, line of the breach, how the rule's sentence begins
    let table = [
        ("cmdb-core/src/model/id.rs", "use crate::claim::Claim;", 1, "model never imports claim"),
        ("cmdb-core/src/claim.rs", "\nuse crate::change::Commit;", 2, "claim never imports change"),
        ("cmdb-core/src/import/csv.rs", "use crate::engine::Cmdb;", 1, "import never imports engine"),
        ("cmdb-core/src/identify/rules.rs", "use crate::store::Store;", 1, "identify never imports store"),
        (
            "cmdb-core/src/reconcile.rs",
            "use crate::{model::Item, store::Store};",
            1,
            "reconcile never imports store",
        ),
        (
            "cmdb-core/src/reconcile.rs",
            "use crate::identify::Decision;",
            1,
            "reconcile never imports identify",
        ),
        (
            "cmdb-core/src/change/apply.rs",
            "fn f(s: &crate::engine::Cmdb) {}",
            1,
            "change never imports engine",
        ),
        ("cmdb-core/src/store/redb.rs", "use crate::change::Draft;", 1, "store never imports change"),
        ("cmdb-core/src/store.rs", "use super::graph::Live;", 1, "store never imports graph"),
        ("cmdb-core/src/store/read.rs", "use super::super::graph::Live;", 1, "store never imports graph"),
        ("cmdb-core/src/graph/mod.rs", "use {crate::store};", 1, "graph never imports store"),
        ("cmdb-core/src/history/timeline.rs", "use crate::engine::Cmdb;", 1, "history never imports engine"),
        ("cmdb-core/src/health/survey.rs", "use crate::engine::Reader;", 1, "health never imports engine"),
        (
            "cmdb-core/src/query.rs",
            "mod inner { use super::super::engine::Cmdb; }",
            1,
            "query never imports engine",
        ),
        ("cmdb-core/src/health.rs", "use crate::identify::Decision;", 1, "health never imports identify"),
        ("impact/src/propagate.rs", "use cmdb_core::store::Store;", 1, "impact uses only the rooms"),
        (
            "impact/src/trace.rs",
            "use cmdb_core::{graph::Live,\nengine::Cmdb};",
            2,
            "impact uses only the rooms",
        ),
        ("cmdb-core/src/engine.rs", "let t = std::time::SystemTime::now();", 1, "core takes the time of day"),
    ];
    for (path, text, line, sentence) in table {
        let found = rooms::breaches(&file(path, text));
        assert_eq!(found.len(), 1, "{path}: {text}: {:?}", told(&found));
        assert_eq!(found[0].line, line, "{path}: {text}");
        assert!(found[0].rule.starts_with(sentence), "{path}: {}", found[0]);
    }
}

#[test]
fn the_agent_starts_no_programs() {
    for text in ["use std::process::Command;", "fn f() { std::process::Command::new(\"ss\"); }"] {
        let found = rooms::breaches(&file("agent/src/collectors/sockets.rs", text));
        assert_eq!(found.len(), 1, "{text}: {:?}", told(&found));
        assert!(found[0].rule.contains("starts no other programs"));
    }
}

#[test]
fn a_room_that_keeps_to_its_side_is_left_alone() {
    let table = [
        ("cmdb-core/src/store/redb.rs", "use crate::claim::{Claim, Match};\nuse super::Store;"),
        ("cmdb-core/src/engine.rs", "use crate::{store, graph, history};"),
        ("cmdb-core/src/engine/read/health.rs", "use crate::health::Survey;"),
        ("cmdb-core/src/engine/writer.rs", "let began = std::time::Instant::now();"),
        ("cmdb-core/src/model.rs", "// use crate::store::Store;\nconst A: &str = \"crate::store::Store\";"),
        ("cmdb-core/src/model.rs", "/* crate::store /* nested */ crate::store */ const A: char = '\"';"),
        (
            "cmdb-core/src/model.rs",
            "const A: &str = r#\"crate::store::X \"quoted\" \"#; fn f<'a>(a: &'a str) {}",
        ),
        ("cmdb-core/src/identify.rs", "#[cfg(test)]\nmod tests { use crate::store::Store; }"),
        ("cmdb-core/src/identify/tests.rs", "use crate::store::Store;"),
        ("impact/src/trace.rs", "use cmdb_core::graph::Live;\nuse cmdb_core::{model};"),
        ("agent/src/main.rs", "std::process::exit(1);"),
        ("cmdb-server/src/main.rs", "use cmdb_core::store::Store;"),
    ];
    for (path, text) in table {
        let found = rooms::breaches(&file(path, text));
        assert!(found.is_empty(), "{path}: {:?}", told(&found));
    }
}

#[test]
fn a_forbidden_dependency_is_named_with_its_line() {
    let table = [
        ("cmdb-core", "tokio", "core never imports tokio"),
        ("cmdb-core", "tonic-prost", "core never imports tokio"),
        ("cmdb-core", "axum", "core never imports tokio"),
        ("cmdb-core", "cmdb-proto", "core encodes its own records"),
        ("cmdb-proto", "cmdb-core", "the wire contract knows nothing"),
        ("cmdb-impact", "cmdb-proto", "impact uses core's model"),
        ("cmdb-impact", "redb", "impact is pure"),
        ("cmdb-agent", "cmdb-core", "the agent depends on the wire contract"),
        ("cmdb-cli", "cmdb-core", "the shell depends on the wire contract"),
        ("cmdb-server", "cmdb-agent", "the server never imports the agent"),
        ("cmdb-tests", "cmdb-server", "nothing imports the server"),
    ];
    for (name, dependency, sentence) in table {
        let found = dependencies::breaches(&package(name, &["serde", dependency]));
        assert_eq!(found.len(), 1, "{name} → {dependency}: {:?}", told(&found));
        assert_eq!(found[0].line, 3, "{name} → {dependency}");
        assert!(found[0].rule.starts_with(sentence), "{}", found[0]);
    }
    for (name, dependency) in [
        ("cmdb-core", "redb"),
        ("cmdb-server", "cmdb-core"),
        ("cmdb-agent", "cmdb-proto"),
        ("cmdb-benches", "cmdb-server"),
    ] {
        assert!(dependencies::breaches(&package(name, &[dependency])).is_empty(), "{name} → {dependency}");
    }
}

#[test]
fn a_path_of_one_machine_is_named() {
    let bad = ["/hom", "e/ann/project"].concat();
    let found = habits::machine_paths(&file("docs/a.md", &format!("first\nsee {bad} for it")));
    assert_eq!((found.len(), found[0].line), (1, 2));
    let fine = [["file systems such as `/hom", "e` or /hom", "e/*"].concat(), ["target/wor", "k/x"].concat()];
    for text in fine {
        assert!(habits::machine_paths(&file("docs/a.md", &text)).is_empty(), "{text}");
    }
    assert!(habits::machine_paths(&file("agent/tests/fixtures/a/mounts", &bad)).is_empty());
}

#[test]
fn a_crate_without_the_shared_lints_is_named() {
    let mut package = package("cmdb-new", &[]);
    assert!(habits::missing_lints(&package).is_empty());
    package.manifest_text = "[package]\nversion.workspace = true\n[lints]\n".to_owned();
    assert_eq!(habits::missing_lints(&package).len(), 1);
}

#[test]
fn what_a_merge_left_behind_is_named() {
    let left =
        [&"<".repeat(7), " HEAD\none\n", &"=".repeat(7), "\nother\n", &">".repeat(7), " branch\n"].concat();
    let lines: Vec<usize> =
        habits::conflict_markers(&file("docs/a.md", &left)).iter().map(|breach| breach.line).collect();
    assert_eq!(lines, [1, 5]);
    assert!(habits::conflict_markers(&file("docs/a.md", "a << b\n=======\n")).is_empty());
}

#[test]
fn a_long_file_is_a_warning() {
    let long = "\n".repeat(801);
    assert!(habits::long_file(&file("agent/src/a.rs", &long)).is_some());
    assert!(habits::long_file(&file("agent/src/a.rs", "\n")).is_none());
    assert!(habits::long_file(&file("proto/src/generated/a.rs", &long)).is_none());
}

#[test]
fn groups_and_supers_are_followed() {
    let module = vec!["store".to_owned(), "read".to_owned()];
    let text = "use crate::a::{b, c::{d, e}, self};\nuse super::{f, super::g};\nlet x = crate::h::i::<u8>();";
    let found: Vec<String> =
        source::named_paths(text, &module).into_iter().map(|named| named.path.join("::")).collect();
    let expected = [
        "crate::a::b",
        "crate::a::c::d",
        "crate::a::c::e",
        "crate::a::self",
        "crate::store::f",
        "crate::g",
        "crate::h::i",
    ];
    assert_eq!(found, expected);
}

#[test]
fn this_workspace_keeps_the_rules() {
    let findings = super::look(&crate::workspace_root()).expect("the workspace is readable");
    assert!(findings.breaches.is_empty(), "\n{}", told(&findings.breaches).join("\n"));
}
