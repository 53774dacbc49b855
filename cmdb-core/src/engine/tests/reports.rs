use super::harness::*;
use crate::claim::{Match, Reference};
use crate::model::Status;

fn host(machine_id: &str) -> Vec<crate::claim::Claim> {
    vec![item("os", "operating_system", &[("machine_id", text(machine_id)), ("host_name", text("web01"))])]
}

const MACHINE: &str = "3f1b2c4d5e6f708192a3b4c5d6e7f809";

fn server() -> crate::claim::Claim {
    let claim = item(
        "software:postgresql",
        "database_instance",
        &[("product", text("postgresql")), ("host_name", text("web01"))],
    );
    related(within(claim, "os"), "runs_on", key("os"), false)
}

fn client() -> crate::claim::Claim {
    let claim = item("software:app", "application", &[("product", text("app"))]);
    related(within(claim, "os"), "depends_on", key("software:postgresql"), true)
}

#[test]
fn an_equal_report_leaves_no_trace() {
    let bench = bench();
    let sections = || vec![section("os", &host(MACHINE)), section("software", &[server(), client()])];
    let first = bench.report("agent-1", sections());
    assert_eq!((first.created, first.refused_total), (3, 0), "{first:?}");
    let head = bench.head();
    let second = bench.report("agent-1", sections());
    assert_eq!((second.created, second.updated, second.revision), (0, 0, head));
    assert_eq!(bench.head(), head);
    bench.check();
}

#[test]
fn what_is_not_seen_stops_or_goes_missing_and_keeps_its_relationships() {
    let bench = bench();
    let disk = within(item("disk:sda", "disk", &[("device", text("sda"))]), "os");
    bench.report(
        "agent-1",
        vec![
            section("os", &host(MACHINE)),
            section("disks", &[disk]),
            section("software", &[server(), client()]),
        ],
    );
    bench.report(
        "agent-1",
        vec![section("os", &host(MACHINE)), section("disks", &[]), section("software", &[client()])],
    );
    assert_eq!(bench.find("software:postgresql").status, Status::Stopped);
    assert_eq!(bench.find("disk:sda").status, Status::Missing);
    assert_eq!(
        bench.relationships("software:postgresql"),
        ["software:app depends_on software:postgresql active", "software:postgresql runs_on os stopped"]
    );
    bench.check();
    bench.pass(31 * DAY_US);
    assert_eq!(bench.find("software:postgresql").status, Status::Missing);
    bench.pass(91 * DAY_US);
    assert_eq!(bench.find("software:postgresql").status, Status::Retired);
    assert_eq!(bench.find("disk:sda").status, Status::Retired);
    bench.check();
}

#[test]
fn what_is_seen_again_is_the_same_item() {
    let bench = bench();
    let all = || vec![section("os", &host(MACHINE)), section("software", &[server(), client()])];
    bench.report("agent-1", all());
    let id = bench.find("software:postgresql").id;
    bench.report("agent-1", vec![section("os", &host(MACHINE)), section("software", &[client()])]);
    bench.report("agent-1", all());
    let again = bench.find("software:postgresql");
    assert_eq!((again.id, again.status), (id, Status::Active));
    assert_eq!(
        bench.relationships("software:postgresql"),
        ["software:app depends_on software:postgresql active", "software:postgresql runs_on os active"]
    );
    bench.check();
}

#[test]
fn a_connection_that_is_not_seen_is_stopped_and_ends_after_a_time() {
    let bench = bench();
    bench.report("agent-1", vec![section("os", &host(MACHINE)), section("software", &[server(), client()])]);
    let quiet = within(item("software:app", "application", &[("product", text("app"))]), "os");
    bench.report("agent-1", vec![section("os", &host(MACHINE)), section("software", &[server(), quiet])]);
    let depends = |bench: &Bench| bench.relationships("software:app");
    assert_eq!(depends(&bench), ["software:app depends_on software:postgresql stopped"]);
    bench.pass(31 * DAY_US);
    assert_eq!(depends(&bench), [""; 0]);
    bench.check();
}

#[test]
fn an_unreadable_section_withdraws_nothing() {
    let bench = bench();
    bench.report("agent-1", vec![section("os", &host(MACHINE)), section("software", &[server(), client()])]);
    let mut blind = section("software", &[client()]);
    blind.complete = Err("no permission to read /proc".to_owned());
    bench.report("agent-1", vec![section("os", &host(MACHINE)), blind]);
    assert_eq!(bench.find("software:postgresql").status, Status::Active);
    let sources = bench.cmdb.reader().expect("readable").sources().expect("readable");
    let incomplete = &sources[0].incomplete;
    assert_eq!(incomplete, &[("software".to_owned(), "no permission to read /proc".to_owned())]);
}

#[test]
fn a_body_that_the_store_lacks_is_asked_for() {
    let bench = bench();
    let mut section = section("os", &host(MACHINE));
    section.entries[0].body = None;
    let outcome = bench.report("agent-1", vec![section]);
    assert_eq!(outcome.rescan, ["os"]);
    assert!(
        bench.cmdb.report_digest("agent-1").is_empty(),
        "an incomplete report is not known by its digest"
    );
}

#[test]
fn a_client_that_sees_a_remote_server_meets_the_servers_own_agent() {
    let bench = bench();
    let socket = crate::model::Value::List(vec![text("tcp/10.0.0.5:5432")]);
    let remote = item(
        "remote:tcp/10.0.0.5:5432",
        "endpoint",
        &[("sockets", socket.clone()), ("port", crate::model::Value::Integer(5432))],
    );
    let app = item("software:app", "application", &[("product", text("app"))]);
    let app = related(within(app, "os"), "depends_on", key("remote:tcp/10.0.0.5:5432"), true);
    bench.report("agent-1", vec![section("os", &host(MACHINE)), section("software", &[app, remote])]);
    let coverage = |bench: &Bench| bench.cmdb.reader().expect("readable").coverage().expect("readable");
    assert_eq!(coverage(&bench).external_endpoints, 1);
    let endpoint = within(
        item("endpoint:tcp/5432", "endpoint", &[("sockets", socket), ("binding", text("tcp/5432"))]),
        "os",
    );
    let other = host("a0b1c2d3e4f5061728394a5b6c7d8e9f");
    bench.report("agent-2", vec![section("os", &other), section("software", &[endpoint])]);
    assert_eq!(bench.find("endpoint:tcp/5432").id, bench.find("remote:tcp/10.0.0.5:5432").id);
    assert_eq!(coverage(&bench).external_endpoints, 0);
    bench.check();
}

#[test]
fn a_declared_service_meets_what_agents_find_and_lets_go() {
    let bench = bench();
    let points = crate::model::Value::List(vec![text("https://web01:8443/shop")]);
    let wanted = Match {
        class: "database_instance".to_owned(),
        attributes: [("host_name".to_owned(), text("WEB01"))].into(),
    };
    let service = related(
        item("shop", "business_service", &[("entry_points", points)]),
        "depends_on",
        Reference::Match(wanted),
        false,
    );
    bench.apply(named("cmdb", crate::model::SourceKind::Import), vec![service], false).expect("taken");
    assert_eq!(bench.relationships("shop"), [""; 0]);
    let endpoint = within(
        item(
            "endpoint:tcp/8443",
            "endpoint",
            &[
                ("port", crate::model::Value::Integer(8443)),
                ("host_name", text("web01")),
                ("binding", text("tcp/8443")),
            ],
        ),
        "os",
    );
    bench.report(
        "agent-1",
        vec![section("os", &host(MACHINE)), section("software", &[server(), endpoint.clone()])],
    );
    assert_eq!(
        bench.relationships("shop"),
        ["shop depends_on endpoint:tcp/8443 active", "shop depends_on software:postgresql active"]
    );
    bench.check();
    // A second database on a host of that name: which one is meant is no longer known.
    bench.report(
        "agent-2",
        vec![section("os", &host("a0b1c2d3e4f5061728394a5b6c7d8e9f")), section("software", &[server()])],
    );
    assert_eq!(bench.relationships("shop"), ["shop depends_on endpoint:tcp/8443 active"]);
    let figures = bench.cmdb.reader().expect("readable").figures().expect("readable");
    assert_eq!(figures.waiting_references, 1);
    bench.check();
    let bench = bench.reopen();
    bench.check();
    assert_eq!(bench.relationships("shop"), ["shop depends_on endpoint:tcp/8443 active"]);
}
