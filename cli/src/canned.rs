//! Answers of a server about a small estate, for the tests: of the printing here, and of the fake server of
//! `tests/cli.rs`.
//!
//! ```text
//! Shop ─depends_on→ web-1, web-2 (group web) ─depends_on→ orders-db ─stored_on→ storage-1
//! ```

use std::collections::BTreeMap;

use cmdb_proto::v1::change::Kind as ChangeKind;
use cmdb_proto::v1::identification::Method;
use cmdb_proto::v1::value::Kind;
use cmdb_proto::v1::*;

/// 2026-11-03T14:05:11Z: when everything here was asked.
pub const NOW_US: i64 = 1_793_714_711_000_000;
const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;

pub const REVISION: u64 = 42;

/// Name, id, class. The key of each is its name in small letters.
const ITEMS: [(&str, &str, &str); 5] = [
    ("storage-1", "@1", "storage_array"),
    ("orders-db", "@2", "database_instance"),
    ("web-1", "@3", "web_server"),
    ("web-2", "@4", "web_server"),
    ("Shop", "@5", "business_service"),
];

pub fn graph_item(name: &str) -> GraphItem {
    let (name, id, class) =
        ITEMS.into_iter().find(|(known, _, _)| *known == name).expect("an item of the estate");
    GraphItem {
        id: id.into(),
        key: name.to_lowercase(),
        class: class.into(),
        name: name.into(),
        status: "active".into(),
    }
}

fn via(kind: &str, name: &str, group: &str) -> Via {
    let item = graph_item(name);
    Via {
        id: item.id,
        key: item.key,
        name: item.name,
        r#type: kind.into(),
        group: group.into(),
        stale: false,
    }
}

pub fn coverage() -> Coverage {
    Coverage {
        observed_since_us: NOW_US - 2 * HOUR_US,
        hosts_without_agent: 3,
        external_endpoints: 1,
        stale_relationships: 0,
    }
}

fn affected(name: &str, state: &str, distance: u32, via: Vec<Via>, reason: &str) -> Affected {
    Affected { item: Some(graph_item(name)), state: state.into(), distance, via, reason: reason.into() }
}

/// storage-1 fails, and web-2 has another database that is not listed.
pub fn impact() -> ImpactResponse {
    ImpactResponse {
        over: over(),
        down: Vec::new(),
        joint: false,
        why: None,
        revision: REVISION,
        as_of_us: NOW_US,
        seeds: vec![graph_item("storage-1")],
        affected: vec![
            affected("orders-db", "failed", 1, vec![via("stored_on", "storage-1", "")], ""),
            affected(
                "web-1",
                "failed",
                2,
                vec![via("depends_on", "orders-db", "")],
                "depends_on orders-db, which fails",
            ),
            affected("web-2", "at_risk", 2, vec![via("depends_on", "orders-db", "db")], ""),
            affected(
                "Shop",
                "degraded",
                3,
                vec![via("depends_on", "web-1", "web"), via("depends_on", "web-2", "web")],
                "group web keeps 1 of 2, needs 1",
            ),
        ],
        counts: Some(Counts {
            failed: 2,
            degraded: 1,
            at_risk: 1,
            by_class: BTreeMap::from([
                ("business_service".into(), 1),
                ("database_instance".into(), 1),
                ("web_server".into(), 2),
            ]),
            beyond_depth: 0,
        }),
        truncated: false,
        hidden: 0,
        coverage: Some(coverage()),
        assumptions: vec!["group db of web-2 is inferred".into()],
        assumed_groups: vec![AssumedGroup {
            item: Some(graph_item("web-2")),
            group: "db".into(),
            require: "any".into(),
            confidence: 0.6,
            evidence: "one client uses both".into(),
        }],
        ..ImpactResponse::default()
    }
}

pub fn impact_of_nothing() -> ImpactResponse {
    ImpactResponse {
        revision: REVISION,
        as_of_us: NOW_US,
        seeds: vec![graph_item("Shop")],
        counts: Some(Counts::default()),
        coverage: Some(coverage()),
        ..ImpactResponse::default()
    }
}

pub fn dependencies() -> DependenciesResponse {
    let dependency = |name: &str, distance, via, redundant| Dependency {
        item: Some(graph_item(name)),
        distance,
        via,
        redundant,
    };
    DependenciesResponse {
        revision: REVISION,
        as_of_us: NOW_US,
        seeds: vec![graph_item("Shop")],
        dependencies: vec![
            dependency("web-1", 1, vec![via("depends_on", "Shop", "web")], true),
            dependency("web-2", 1, vec![via("depends_on", "Shop", "web")], true),
            dependency(
                "orders-db",
                2,
                vec![via("depends_on", "web-1", ""), via("depends_on", "web-2", "db")],
                false,
            ),
            dependency("storage-1", 3, vec![via("stored_on", "orders-db", "")], false),
        ],
        by_class: BTreeMap::from([
            ("database_instance".into(), 1),
            ("storage_array".into(), 1),
            ("web_server".into(), 2),
        ]),
        total: 4,
        coverage: Some(coverage()),
        ..DependenciesResponse::default()
    }
}

pub fn trace() -> TraceResponse {
    let step = |name: &str, kind: &str, group: &str, forward| Step {
        item: Some(graph_item(name)),
        r#type: kind.into(),
        group: group.into(),
        forward,
        stale: false,
    };
    let chain = |web: &str| Chain {
        direction: "from_needs_to".into(),
        steps: vec![
            step("Shop", "depends_on", "web", true),
            step(web, "supports", "", false),
            step("orders-db", "", "", false),
        ],
    };
    TraceResponse {
        over: over(),
        revision: REVISION,
        as_of_us: NOW_US,
        from: Some(graph_item("Shop")),
        to: Some(graph_item("orders-db")),
        chains: vec![chain("web-1"), chain("web-2")],
        truncated: true,
        truncated_reason: "10 chains were asked for".into(),
        ..TraceResponse::default()
    }
}

pub fn critical() -> CriticalResponse {
    let part = |name: &str| CriticalPart { items: vec![graph_item(name)], items_total: 1 };
    let point = |name: &str, state: &str| SinglePoint {
        item: Some(graph_item(name)),
        state: state.into(),
        fails: 1,
        of: vec![graph_item("Shop")],
    };
    CriticalResponse {
        revision: REVISION,
        as_of_us: NOW_US,
        standings: vec![Standing {
            item: Some(graph_item("Shop")),
            needed: 4,
            margin_exact: true,
            alone: 1,
            alone_at_risk: 1,
            sets: vec![CriticalSet { parts: vec![part("web-1"), part("web-2")] }],
            sets_total: 1,
            ..Default::default()
        }],
        standings_total: 1,
        points: vec![point("orders-db", "failed"), point("storage-1", "at_risk")],
        points_total: 2,
        points_at_risk: 1,
        over: over(),
        ..Default::default()
    }
}

pub fn over() -> Option<Over> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Some(Over {
        types: names(&["depends_on", "runs_on"]),
        weak_types: names(&["connects_to"]),
        ..Over::default()
    })
}

pub fn availability() -> AvailabilityResponse {
    let estimate = |value: f64| Some(Estimate { value, low: value * 0.9, high: value * 1.1 });
    AvailabilityResponse {
        revision: REVISION,
        as_of_us: NOW_US,
        uptimes: vec![Uptime {
            item: Some(graph_item("Shop")),
            needed: 4,
            unavailability: estimate(0.0005),
            at_worst: estimate(0.001),
            exact: false,
            samples: 65_536,
            gains: vec![Gain { item: Some(graph_item("orders-db")), unavailability: 0.0004, gain: 0.0003 }],
            gains_total: 2,
        }],
        uptimes_total: 1,
        classes: vec![ClassFigure { class: "server".into(), availability: 0.9995, items: 3 }],
        own_figures: 1,
        unusable: vec![UnusableFigure { item: Some(graph_item("web-1")), given: "99.95".into() }],
        unusable_total: 1,
        over: over(),
        ..Default::default()
    }
}

pub fn cold_start() -> ColdStartResponse {
    ColdStartResponse {
        revision: REVISION,
        as_of_us: NOW_US,
        items: 6,
        stuck: 3,
        deadlocks: vec![Deadlock {
            items: vec![graph_item("web-1"), graph_item("orders-db")],
            items_total: 2,
            state: "failed".into(),
            waiting: 1,
            starters: vec![graph_item("orders-db")],
            starters_total: 1,
        }],
        deadlocks_total: 1,
        over: over(),
        ..Default::default()
    }
}

pub fn neighbours() -> NeighboursResponse {
    let edge = |from: &str, kind: &str, to: &str, group: &str| Edge {
        from: graph_item(from).id,
        r#type: kind.into(),
        to: graph_item(to).id,
        group: group.into(),
        status: "active".into(),
        stale: false,
        confidence: 1.0,
    };
    NeighboursResponse {
        revision: REVISION,
        as_of_us: NOW_US,
        item: Some(graph_item("web-1")),
        items: ["orders-db", "Shop", "storage-1"].map(graph_item).into(),
        edges: vec![
            edge("web-1", "depends_on", "orders-db", ""),
            edge("Shop", "depends_on", "web-1", "web"),
            edge("orders-db", "stored_on", "storage-1", ""),
        ],
        ..NeighboursResponse::default()
    }
}

/// Of an earlier revision than the newest.
pub fn blast_radius() -> BlastRadiusResponse {
    let blast = |name: &str, items| Blast { item: Some(graph_item(name)), items, ..Blast::default() };
    BlastRadiusResponse {
        revision: REVISION,
        as_of_us: NOW_US,
        items: vec![blast("storage-1", 4), blast("orders-db", 3)],
        total: 4,
        refreshing: true,
        head_revision: REVISION + 1,
        hidden: 0,
        criticality: None,
    }
}

/// The same by how critical it is what could fail.
pub fn weighted_blast_radius() -> BlastRadiusResponse {
    let weighed = |blast: Blast, weight, by_criticality: [u64; 4]| Blast {
        weight,
        by_criticality: by_criticality.into(),
        ..blast
    };
    let plain = blast_radius();
    let [storage, orders] = <[Blast; 2]>::try_from(plain.items).expect("two are listed");
    BlastRadiusResponse {
        items: vec![weighed(orders, 10, [2, 0, 1, 0]), weighed(storage, 9, [1, 1, 0, 2])],
        refreshing: false,
        criticality: Some(CriticalityBasis {
            declared: 2,
            inherited: 1,
            assumed: 3,
            services: vec![graph_item("Shop")],
            services_total: 1,
            unusable: 1,
        }),
        ..plain
    }
}

pub fn health() -> HealthResponse {
    let figure = |area: &str, name: &str, title: &str, count, of| HealthFigure {
        name: name.into(),
        area: area.into(),
        title: title.into(),
        count,
        of,
        items: count,
    };
    let rate = |confirmed, contradicted, unconfirmed, undiscoverable| FactRate {
        confirmed,
        contradicted,
        unconfirmed,
        undiscoverable,
    };
    HealthResponse {
        revision: REVISION,
        as_of_us: NOW_US,
        items: 1_234,
        figures: vec![
            figure(
                "correctness",
                "orphans",
                "items that should be related to something and are not",
                2,
                1_200,
            ),
            figure("ownership", "unowned", "items that nobody owns", 0, 0),
        ],
        facts: Some(rate(9_000, 100, 900, 50)),
        by_class: BTreeMap::from([
            ("package".into(), rate(8_000, 0, 0, 0)),
            ("web_server".into(), rate(1_000, 100, 900, 50)),
        ]),
        by_source: BTreeMap::from([("agent-0b6f3c1e".into(), rate(9_000, 100, 900, 0))]),
        listed: vec![HealthItem {
            id: "@3".into(),
            key: "web-1".into(),
            class: "web_server".into(),
            name: "web-1".into(),
            details: vec!["is related to nothing".into()],
            more: 1,
        }],
        omitted: 1,
        interval_s: 86_400,
    }
}

pub fn status() -> StatusResponse {
    let source = |source: &str, kind: &str, entries, connected| SourceStatus {
        source: source.into(),
        kind: kind.into(),
        entries,
        last_seen_us: NOW_US - 4 * SECOND_US,
        connected,
        ..SourceStatus::default()
    };
    StatusResponse {
        version: "0.1.0".into(),
        store: "redb".into(),
        data_path: "/var/lib/cmdb".into(),
        file_bytes: 12_897_485,
        read_only: String::new(),
        revision: REVISION,
        recorded_at_us: NOW_US - 180 * SECOND_US,
        items: 1_234,
        relationships: 5_678,
        items_by_class: BTreeMap::from([("package".into(), 1_200), ("web_server".into(), 2)]),
        sources: vec![
            SourceStatus {
                title: "web-1.example.org".into(),
                version: "0.1.0".into(),
                incomplete: vec!["packages: permission denied".into()],
                cost: Some(Cost {
                    running_s: 0,
                    cpu_us: 431_000,
                    resident_bytes: 7_969_178,
                    scan_cpu_us: 23_400,
                    sent_bytes: 61_000,
                }),
                ..source("agent-0b6f3c1e", "agent", 1_310, true)
            },
            source("agent-77aa0010", "agent", 20, false),
            source("webshop", "import", 81, false),
        ],
        uptime_s: 7_300,
        duplicate_sets: 1,
        waiting_references: 2,
        waiting_references_expired: 0,
        waiting_references_evicted: 0,
        waiting_claims: 3,
        waiting_claims_expired: 1,
        waiting_claims_evicted: 0,
        sessions: 1,
    }
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::Text(text.into())) }
}

fn integer(number: i64) -> Value {
    Value { kind: Some(Kind::Integer(number)) }
}

/// orders-db, with what two sources say of it.
pub fn item() -> Item {
    let named = graph_item("orders-db");
    let said = |value: Value, source: &str| EffectiveValue {
        value: Some(value),
        source: source.into(),
        observed_at_us: NOW_US - 60 * SECOND_US,
        pin: None,
        stale: false,
    };
    Item {
        blast_radius: None,
        id: named.id,
        key: named.key,
        source: "webshop".into(),
        class: named.class,
        name: named.name,
        status: Status::Active.into(),
        attributes: BTreeMap::from([
            ("port".into(), said(integer(5432), "webshop")),
            ("version".into(), said(text("15.4"), "agent-0b6f3c1e")),
        ]),
        purged: vec![purged("labels")],
        claims: vec![claim()],
        relationships: relationships(),
        groups: vec![RedundancyGroup {
            group: "disks".into(),
            require: "at_least 1".into(),
            members: 2,
            inferred: true,
            confidence: 0.8,
            source: "agent-0b6f3c1e".into(),
            evidence: "one client uses both".into(),
            rejected: false,
        }],
        revision: 40,
        first_seen_us: NOW_US - 2 * HOUR_US,
        last_seen_us: NOW_US - 60 * SECOND_US,
        relationships_omitted: 0,
        duplicates: vec!["@77".into()],
        as_of_revision: REVISION,
        as_of_us: NOW_US,
        merged_into: String::new(),
        redirected_from: String::new(),
        distinct_from: vec![],
        given: vec![GivenValue {
            attribute: "owner".into(),
            value: "Shop team".into(),
            service: "@5".into(),
            service_name: "Shop".into(),
            ..GivenValue::default()
        }],
    }
}

fn evidence() -> IdentifierEvidence {
    let said = |item: &str, source: &str| StatedIdentifier {
        item: item.into(),
        values: vec!["j6p5nq2".into()],
        said_by: vec![ClaimName { source: source.into(), key: "host".into() }],
    };
    IdentifierEvidence {
        attributes: vec!["serial_number".into()],
        strong: true,
        agrees: true,
        stated: vec![said("@2", "agent.db1"), said("@3", "webshop")],
    }
}

/// Two web servers that the shop may do with one of.
pub fn group() -> Group {
    Group {
        item: Some(graph_item("Shop")),
        group: "nginx:443".into(),
        standing: "proposed".into(),
        require: "any".into(),
        confidence: 0.7,
        evidence: "one client uses nginx on port 443 of 2 hosts".into(),
        reason: String::new(),
        members: vec![graph_item("web-1"), graph_item("web-2")],
        members_total: 2,
        sources: vec!["rule-redundancy".into()],
    }
}

/// Two items that may be one.
pub fn duplicate_set() -> DuplicateSet {
    DuplicateSet {
        kind: duplicate_set::Kind::Duplicate.into(),
        items: vec![graph_item("orders-db"), graph_item("web-1")],
        items_total: 2,
        evidence: vec![evidence()],
    }
}

/// Why orders-db is what it is.
pub fn explanation() -> ExplainResponse {
    let bid = |value: &str, source: &str, effective: bool| AttributeBid {
        source: source.into(),
        key: "db".into(),
        value: Some(text(value)),
        effective,
        why: "agent agent-0b6f3c1e goes before import webshop".into(),
        observed_at_us: NOW_US,
    };
    ExplainResponse {
        item: Some(item()),
        identifiers: vec![evidence()],
        attributes: vec![AttributeContest {
            name: "version".into(),
            bids: vec![bid("15.4", "agent-0b6f3c1e", true), bid("15.1", "webshop", false)],
        }],
        merged: vec![graph_item("web-1")],
        distinct_from: vec![],
        duplicates: vec![],
        as_of_revision: REVISION,
        as_of_us: NOW_US,
    }
}

/// What would become of three claims.
pub fn identified() -> IdentifyResponse {
    let found =
        |method: Method, rule: &str, value: &str, candidate: &str, skipped: Vec<String>| Identification {
            method: method.into(),
            rule: vec![rule.into()],
            values: BTreeMap::from([(rule.into(), value.into())]),
            candidates: vec![candidate.into()],
            skipped,
        };
    let decision = |key: &str, outcome: decision::Outcome| Decision {
        key: key.into(),
        outcome: outcome.into(),
        ..Decision::default()
    };
    let other = "@2 is another machine with the same identifier: what it runs on differ";
    IdentifyResponse {
        decisions: vec![
            Decision {
                identification: Some(found(Method::Clone, "machine_id", "0a1b", "@2", vec![other.into()])),
                ..decision("os", decision::Outcome::Created)
            },
            Decision {
                item: "@3".into(),
                identification: Some(found(Method::Rule, "serial_number", "j6p5nq2", "@3", vec![])),
                ..decision("machine", decision::Outcome::Updated)
            },
            Decision {
                notes: vec!["waits: db is said to be within \"host\", which nobody names".into()],
                ..decision("db", decision::Outcome::Waits)
            },
        ],
        items: vec![graph_item("orders-db"), graph_item("web-1")],
        revision: REVISION,
    }
}

fn claim() -> SourceClaim {
    SourceClaim {
        source: "agent-0b6f3c1e".into(),
        key: "postgresql:5432".into(),
        class: "database_instance".into(),
        name: "PostgreSQL".into(),
        attributes: BTreeMap::from([("version".into(), text("15.4"))]),
        first_seen_us: NOW_US - 2 * HOUR_US,
        observed_at_us: NOW_US - 60 * SECOND_US,
        withdrawn_at_us: 0,
        identification: Some(Identification {
            method: Method::Rule.into(),
            rule: vec!["host_name".into(), "port".into()],
            values: BTreeMap::from([("host_name".into(), "db-1".into()), ("port".into(), "5432".into())]),
            candidates: Vec::new(),
            skipped: vec!["serial_number: not given".into()],
        }),
        effective: vec!["version".into()],
        stale: Vec::new(),
        nulls: Vec::new(),
        pins: BTreeMap::from([(
            "version".into(),
            Pin { since_us: NOW_US - HOUR_US, until_us: 0, reason: "agreed".into() },
        )]),
        confirmed_at_us: NOW_US - 60 * SECOND_US,
    }
}

fn relationships() -> Vec<Relationship> {
    let relationship = |from: &str, kind: &str, to: &str| {
        let (from, to) = (graph_item(from), graph_item(to));
        Relationship {
            from: from.id,
            from_name: from.name,
            from_class: from.class,
            from_key: from.key,
            r#type: kind.into(),
            to: to.id,
            to_name: to.name,
            to_class: to.class,
            to_key: to.key,
            weight: 1.0,
            confidence: 1.0,
            status: Status::Active.into(),
            sources: vec!["webshop".into()],
            first_seen_us: NOW_US - 2 * HOUR_US,
            last_seen_us: NOW_US - 60 * SECOND_US,
            ..Relationship::default()
        }
    };
    vec![
        relationship("orders-db", "stored_on", "storage-1"),
        relationship("web-1", "depends_on", "orders-db"),
        Relationship {
            group: "db".into(),
            inferred: true,
            confidence: 0.9,
            status: Status::Stopped.into(),
            sources: vec!["agent-0b6f3c1e".into()],
            ..relationship("web-2", "depends_on", "orders-db")
        },
    ]
}

/// The first page of two items, and the second of one.
pub fn page(token: &str) -> ListItemsResponse {
    let item = |name: &str, status: Status| {
        let named = graph_item(name);
        Item {
            id: named.id,
            key: named.key,
            source: "webshop".into(),
            class: named.class,
            name: named.name,
            status: status.into(),
            last_seen_us: NOW_US - 60 * SECOND_US,
            ..Item::default()
        }
    };
    let (items, next_page_token) = match token {
        "" => (vec![item("orders-db", Status::Active), item("web-1", Status::Stopped)], "second"),
        _ => (vec![item("Shop", Status::Active)], ""),
    };
    ListItemsResponse {
        items,
        next_page_token: next_page_token.into(),
        total: 3,
        revision: REVISION,
        as_of_us: NOW_US,
        ..ListItemsResponse::default()
    }
}

/// One baseline, and a history that was compacted.
pub fn retention() -> RetentionResponse {
    RetentionResponse {
        history_days: 90,
        oldest_revision: 30,
        oldest_us: NOW_US - 2 * 3_600_000_000,
        head: REVISION,
        baselines: 1,
        unfinished: false,
        due_revision: 32,
        due_changes: 7,
        due_commits: 2,
        at_least: false,
        set_revision: 40,
        set_us: NOW_US - 2 * HOUR_US,
        set_by: "anna".into(),
        reason: "a quarter is enough".into(),
    }
}

/// The same, as it was said.
pub fn set_retention() -> SetRetentionResponse {
    SetRetentionResponse { revision: 40, history_days_before: 0, retention: Some(retention()) }
}

pub fn baselines() -> ListBaselinesResponse {
    ListBaselinesResponse { baselines: vec![baseline("audit-2026", "the annual audit")], oldest_revision: 30 }
}

pub fn baseline(name: &str, reason: &str) -> Baseline {
    Baseline {
        name: name.into(),
        revision: 17,
        recorded_at_us: NOW_US - 2 * HOUR_US,
        created_at_us: NOW_US - HOUR_US,
        created_by: "anna".into(),
        reason: reason.into(),
    }
}

/// What is left of a value.
fn purged(attribute: &str) -> Purged {
    Purged {
        attribute: attribute.into(),
        by: "anna".into(),
        at_us: NOW_US - HOUR_US,
        reason: "a password".into(),
        revision: 41,
        suppressed: true,
    }
}

/// A value erased, or said to be welcome again.
pub fn purged_change(attribute: &str, lift: bool) -> Change {
    let item = graph_item("orders-db");
    Change {
        kind: ChangeKind::ItemUpdated.into(),
        item: item.id,
        item_name: item.name,
        item_class: item.class,
        purged: if lift { Vec::new() } else { vec![purged(attribute)] },
        notes: if lift { vec![format!("{attribute} may be stated again")] } else { Vec::new() },
        ..Change::default()
    }
}

/// A correction: a version set, and a relationship taken away.
pub fn commit(revision: u64) -> Commit {
    let item = graph_item("orders-db");
    let changed = Change {
        kind: ChangeKind::ItemUpdated.into(),
        item: item.id.clone(),
        item_name: item.name.clone(),
        item_class: item.class.clone(),
        attributes: vec![AttributeChange {
            name: "version".into(),
            before: Some(text("15.4")),
            after: Some(text("15.5")),
            source: "person-anna".into(),
        }],
        ..Change::default()
    };
    let removed = Change {
        kind: ChangeKind::RelationshipRemoved.into(),
        item: item.id.clone(),
        item_name: item.name.clone(),
        item_class: item.class.clone(),
        relationship: relationships().into_iter().next(),
        ..Change::default()
    };
    let stopped = Change {
        kind: ChangeKind::ItemStatus.into(),
        item: item.id,
        item_name: item.name,
        item_class: item.class,
        status_before: Status::Active.into(),
        status_after: Status::Stopped.into(),
        notes: vec!["not seen for 5 min".into()],
        ..Change::default()
    };
    Commit {
        revision,
        recorded_at_us: NOW_US - 180 * SECOND_US,
        actor: "anna".into(),
        reason: "upgraded last night".into(),
        changes: vec![changed, removed, stopped],
        changes_total: 3,
        hash: vec![0xab; 32],
    }
}

pub fn history() -> HistoryResponse {
    HistoryResponse {
        item: "@2".into(),
        name: "orders-db".into(),
        commits: vec![commit(REVISION)],
        next_before_revision: 40,
        revision: REVISION,
        as_of_us: NOW_US,
    }
}

/// A correction, as what differs because of it; one more fact is not listed.
pub fn diff() -> DiffResponse {
    let commit = commit(REVISION);
    let differences = commit.changes.iter().zip([vec![REVISION, 40], vec![REVISION], vec![41]]);
    DiffResponse {
        from_revision: 39,
        from_us: NOW_US - 2 * HOUR_US,
        to_revision: REVISION,
        to_us: NOW_US - 180 * SECOND_US,
        around: Some(graph_item("Shop")),
        around_items: 5,
        differences: differences
            .take(2)
            .map(|(change, revisions)| Difference { change: Some(change.clone()), revisions })
            .collect(),
        commits: vec![Commit { revision: 40, ..commit.clone() }, Commit { changes: Vec::new(), ..commit }],
        totals: Some(DiffTotals {
            items_changed: 1,
            items_removed: 1,
            relationships_removed: 1,
            ..DiffTotals::default()
        }),
        truncated: true,
        hidden: 0,
    }
}

pub fn classes() -> ClassesResponse {
    let class = |name: &str, parent: &str, title: &str, items| Class {
        name: name.into(),
        parent: parent.into(),
        title: title.into(),
        r#abstract: items == 0,
        items,
        availability: 1.0,
        declared_in: "built-in".into(),
        ..Class::default()
    };
    let database = Class {
        description: "One running server of databases.".into(),
        running: true,
        attributes: vec![
            AttributeDeclaration {
                name: "port".into(),
                r#type: "integer".into(),
                description: "TCP port it listens on".into(),
                indexed: true,
                ..AttributeDeclaration::default()
            },
            AttributeDeclaration {
                name: "memory".into(),
                r#type: "integer".into(),
                unit: "bytes".into(),
                description: "memory it may use".into(),
                inherited_from: "application".into(),
                ..AttributeDeclaration::default()
            },
        ],
        identification: vec![
            IdentificationRule { attributes: vec!["serial_number".into()], within: false },
            IdentificationRule { attributes: vec!["port".into(), "version".into()], within: true },
        ],
        ..class("database_instance", "application", "Database instance", 1)
    };
    ClassesResponse {
        classes: vec![
            class("item", "", "Item", 0),
            class("application", "item", "Application", 0),
            class("party", "item", "Party", 0),
            class("team", "party", "Team", 1_200),
            database,
        ],
        schema_digest: "00ff".into(),
        revision: REVISION,
        as_of_us: NOW_US,
    }
}

pub fn relationship_types() -> RelationshipTypesResponse {
    let kind = |name: &str, inverse: &str, failure: &str, weak| RelationshipType {
        name: name.into(),
        inverse: inverse.into(),
        failure: failure.into(),
        weak,
        description: String::new(),
        declared_in: "built-in".into(),
    };
    RelationshipTypesResponse {
        types: vec![
            kind("depends_on", "depended_on_by", "target_to_source", false),
            kind("connects_to", "connected_from", "target_to_source", true),
            kind("contains", "contained_by", "none", false),
        ],
        revision: REVISION,
        as_of_us: NOW_US,
    }
}

/// What other rules would change.
pub fn tested_rules() -> TestRulesResponse {
    let version = |text: &str| Some(Value { kind: Some(value::Kind::Text(text.into())) });
    TestRulesResponse {
        revision: 42,
        files: vec!["order.toml".into()],
        items: 1_000_000,
        items_changed: 1,
        changes: vec![RulesChange {
            item: "@2".into(),
            name: "orders-db".into(),
            attribute: "version".into(),
            before: version("15.4"),
            source_before: "agent.db1".into(),
            after: version("15.5"),
            source_after: "webshop".into(),
        }],
        changes_total: 42,
        shared: vec![RulesIdentifier {
            attributes: vec!["serial_number".into()],
            values: vec!["j6p5nq2".into()],
            strong: true,
            items: vec!["@2".into(), "@3".into()],
            items_total: 2,
            kept_apart: false,
        }],
        shared_total: 1,
        relationships: 4_000_000,
        split: vec![RulesSplit {
            item: "@7".into(),
            name: "web-1".into(),
            parts: vec![
                RulesPart { claims: vec!["agent.web1:host".into(), "webshop:web-1".into()] },
                RulesPart { claims: vec!["cloud:i-0a".into()] },
            ],
        }],
        split_total: 1,
        ..Default::default()
    }
}

pub fn agents() -> ListAgentsResponse {
    let agent = |host_name: &str, source: &str| Agent {
        agent_id: "0b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90".into(),
        source: source.into(),
        host_name: host_name.into(),
        version: "0.1.0".into(),
        platform: "linux-x86_64".into(),
        rung: "polling".into(),
        ..Default::default()
    };
    let cost = Cost {
        cpu_us: 180_000,
        resident_bytes: 5_000_000,
        scan_cpu_us: 13_000,
        sent_bytes: 4_096,
        running_s: 3_600,
    };
    ListAgentsResponse {
        agents: vec![
            Agent {
                state: "silent".into(),
                since_us: NOW_US - 2 * HOUR_US,
                last_seen_us: NOW_US - 2 * HOUR_US,
                errors: 3,
                last_error: "software:orders: no such class".into(),
                ..agent("db-1", "agent-1c8e7a905f2d")
            },
            Agent {
                version: "0.0.1".into(),
                outdated: true,
                state: "connected".into(),
                last_seen_us: NOW_US - 5 * SECOND_US,
                cost: Some(cost),
                incomplete: vec!["machine: run as root".into()],
                rung_reason: "CAP_PERFMON is missing".into(),
                ..agent("web-1", "agent-0b6f3c1e5a0e")
            },
            Agent {
                state: "stopped".into(),
                reason: "upgrade".into(),
                since_us: NOW_US - 120 * SECOND_US,
                last_seen_us: NOW_US - 120 * SECOND_US,
                rung: String::new(),
                ..agent("web-2", "agent-7b21aa0f3c4d")
            },
        ],
        accepts: "open".into(),
    }
}

pub fn token() -> Token {
    Token {
        id: "8f14e45f".into(),
        uses: 50,
        used: 3,
        created_at_us: NOW_US - HOUR_US,
        expires_at_us: NOW_US + 24 * HOUR_US,
        scopes: vec!["10.1.0.0/16".into()],
        created_by: "anna".into(),
        reason: "rack 7".into(),
        state: "valid".into(),
    }
}

pub fn created_token() -> CreateTokenResponse {
    CreateTokenResponse {
        token: Some(token()),
        secret: "cmdb-0123".into(),
        ca_fingerprint: "sha256:00ff".into(),
        server: "https://cmdb.example.org:7400".into(),
    }
}
