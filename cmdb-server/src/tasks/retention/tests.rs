use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cmdb_core::claim::{Claim, ItemClaim};
use cmdb_core::engine::{Cmdb, Options, When};
use cmdb_core::model::schema::Schema;
use cmdb_core::model::unit::UnitKind;
use cmdb_core::model::{Reason, Revision};
use cmdb_core::store::RedbStore;
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::app::changes::{Batch, Run};
use crate::app::enrolment::EnrolmentParts;
use crate::app::{Enrolment, Limits, Parts, Person, Room, Sessions, Staging};
use crate::config::Accepts;

/// An engine on a store on disk, with a clock that stands still until it is moved.
struct Kept {
    app: Arc<App>,
    clock: Arc<AtomicI64>,
    _closing: watch::Sender<bool>,
    _directory: TempDir,
}

impl Kept {
    fn new() -> Kept {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_000 * DAY_US));
        let read = Arc::clone(&clock);
        let now: cmdb_core::engine::Clock = Arc::new(move || Timestamp(read.load(Ordering::SeqCst)));
        let store = Arc::new(RedbStore::open(directory.path()).unwrap());
        let secret: cmdb_core::engine::Secrets = Arc::new(|| [7; 32]);
        let engine =
            Cmdb::open(store, Schema::built_in(), Arc::clone(&now), Arc::clone(&secret), Options::default())
                .unwrap();
        let (closing, closed) = watch::channel(false);
        let limits = Limits { scan_interval_s: 60, heartbeat_interval_s: 30, report_bytes_max: 1 << 20 };
        let without_tls = EnrolmentParts {
            authority: None,
            accepts: Accepts::Open,
            own_certificate: false,
            certificate_days: 90,
        };
        let enrolment = Enrolment::open(without_tls, &engine.reader().unwrap()).unwrap();
        let parts = Parts {
            engine,
            clock: now,
            secret,
            closing: closed,
            sessions: Sessions::new(1),
            enrolment,
            url: String::new(),
            staging: Staging::open(directory.path()).unwrap(),
            room: Room::new(directory.path()),
            limits,
        };
        let app = Arc::new(App::new(parts).unwrap());
        Kept { app, clock, _closing: closing, _directory: directory }
    }

    fn now(&self) -> Timestamp {
        (self.app.clock)()
    }

    fn pass_days(&self, days: i64) {
        self.clock.fetch_add(days * DAY_US, Ordering::SeqCst);
    }

    /// A person calls the server so.
    async fn called(&self, name: &str) -> Revision {
        let said = ItemClaim { class: "server".to_owned(), name: name.to_owned(), ..ItemClaim::default() };
        let claim = Claim {
            kind: UnitKind::Item,
            key: "web".to_owned(),
            item: Some(said),
            relationships: Vec::new(),
            redundancies: Vec::new(),
        };
        let batch = Batch {
            person: ada(),
            reason: String::new(),
            source: None,
            claims: vec![Ok(claim)],
            merge: false,
            run: Run::Real,
            observed_at: None,
        };
        self.app.apply(batch).await.unwrap().applied.revision.unwrap()
    }

    /// What the server was called then.
    fn name_at(&self, revision: Revision) -> Result<String, Reason> {
        let reader = match self.app.engine.reader_at(When::Revision(revision)) {
            Ok(reader) => reader,
            Err(EngineError::Refused(problem)) => return Err(problem.reason),
            Err(error) => panic!("{error}"),
        };
        let id = reader.resolve("web").unwrap();
        Ok(reader.item(id).unwrap().unwrap().name)
    }

    fn findings(&self) -> u64 {
        self.app.engine.verify(&mut |_| {}).unwrap().findings
    }

    fn head(&self) -> Revision {
        self.app.engine.reader().unwrap().revision()
    }
}

fn ada() -> Person {
    Person::named(Some("ada")).unwrap()
}

#[tokio::test]
async fn the_daily_run_drops_what_the_store_is_not_to_keep_and_nothing_else() {
    let kept = Kept::new();
    let mut names = Vec::new();
    for day in 0..60 {
        let name = format!("web on day {day}");
        names.push((kept.called(&name).await, name));
        kept.pass_days(1);
    }
    let baseline = names[9].0;
    kept.app
        .create_baseline("audit".to_owned(), When::Revision(baseline), &ada(), "the audit")
        .await
        .unwrap();
    let head = kept.head();
    // Nobody said for how long: nothing is dropped.
    run(&kept.app).await;
    assert_eq!((kept.head(), kept.name_at(names[0].0)), (head, Ok(names[0].1.clone())));

    let (set, _) = kept.app.set_retention(30, &ada(), "a month is enough", Run::Real).await.unwrap();
    let due = kept.app.retention().await.unwrap().due.expect("a run is due");
    run(&kept.app).await;
    let after = kept.app.retention().await.unwrap();
    assert_eq!((after.kept.days, after.kept.revision), (30, set.revision.unwrap()));
    assert_eq!((after.retained.oldest, after.due), (due.horizon, None));
    assert_eq!(kept.findings(), 0);
    for (revision, name) in &names {
        let expected = match *revision >= due.horizon || *revision == baseline {
            true => Ok(name.clone()),
            false => Err(Reason::HistoryCompacted),
        };
        assert_eq!(kept.name_at(*revision), expected, "{revision}");
    }
    // What was said thirty days ago and later is kept: the horizon is what stood then.
    let horizon = kept.app.engine.reader_at(When::Revision(due.horizon)).unwrap();
    assert!(horizon.recorded_at() <= kept.now().plus_us(-30 * DAY_US));
    let reader = kept.app.engine.reader().unwrap();
    let (header, _) = reader.commit(kept.head(), 10).unwrap().unwrap();
    assert_eq!(header.actor.name, "retention");
    let dropped = format!(
        "30 days are kept; history before revision {} compacted: {} changes and {} commits dropped",
        due.horizon, due.changes, due.commits
    );
    assert_eq!(header.actor.reason, dropped);

    // A run with nothing to do leaves no trace; the next one goes on where this one ended.
    let head = kept.head();
    run(&kept.app).await;
    assert_eq!(kept.head(), head);
    kept.pass_days(10);
    run(&kept.app).await;
    let later = kept.app.retention().await.unwrap();
    assert!(later.retained.oldest > due.horizon);
    assert_eq!((kept.findings(), kept.name_at(baseline)), (0, Ok(names[9].1.clone())));
    kept.app.engine.close();
}

#[tokio::test]
async fn how_long_is_asked_first_and_then_said() {
    let kept = Kept::new();
    kept.called("one").await;
    kept.pass_days(2);
    kept.called("two").await;
    kept.pass_days(2);
    kept.called("three").await;
    let head = kept.head();
    let (would, due) = kept.app.set_retention(1, &ada(), "", Run::Dry).await.unwrap();
    assert_eq!((would.revision, would.days_before, due.kept.days, kept.head()), (None, 0, 1, head));
    assert_eq!(due.due.map(|due| (due.horizon, due.commits)), Some((Revision(2), 1)));
    for run in [Run::Dry, Run::Real] {
        assert!(kept.app.set_retention(36_501, &ada(), "", run).await.is_err());
    }
    kept.app.engine.close();
}

#[test]
fn a_run_is_due_at_the_start_and_when_a_day_has_passed() {
    let mut runs = Daily::default();
    let start = Timestamp(5 * DAY_US);
    for (after_us, is_due) in [
        (0, true),
        (1, false),
        (DAY_US - 1, false),
        (DAY_US, true),
        (2 * DAY_US - 1, false),
        // The machine slept for a week: one run, not seven.
        (9 * DAY_US, true),
        (9 * DAY_US + 1, false),
        // The clock was set back.
        (3 * DAY_US, true),
        (3 * DAY_US + 1, false),
    ] {
        assert_eq!(runs.is_due(start.plus_us(after_us)), is_due, "{after_us}");
    }
}
