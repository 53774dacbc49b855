//! The power goes at any moment: what was acknowledged is there, and everything agrees.
//!
//! One run of the engine on a recording disk gives as many crashes as the disk was asked things; some of what comes
//! up after a crash crashes again while it opens. The control is a disk whose syncs lie: the same checks must see it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use arbtest::arbitrary::Unstructured;

use super::harness::*;
use super::random;
use crate::engine::Cmdb;
use crate::model::Revision;
use crate::model::schema::Schema;
use crate::store::disk::{Disk, Fault, Recording};
use crate::store::{Range, Read, RedbStore, Store, Table};

/// How many crashes one run of the tests goes through.
const CRASHES: usize = 2_200;
/// How many are cut from one run of the engine.
const CRASHES_OF_A_RUN: usize = 110;
/// What the engine is asked to do in one run.
const STEPS: usize = 9;
/// How many crashes are cut from a run on a disk that lies.
const CRASHES_OF_A_LIE: usize = 25;
/// How many runs there are on disks that lie; each must be caught.
const LIES: u64 = 4;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }
}

/// Another one each time; `CMDB_SEED` repeats a run that failed.
fn seed() -> u64 {
    let said = std::env::var("CMDB_SEED").ok().map(|seed| seed.parse().expect("CMDB_SEED is a number"));
    said.unwrap_or_else(|| std::collections::hash_map::RandomState::new().build_hasher().finish() >> 16)
}

/// What the engine did, and what it acknowledged.
struct Run {
    recording: Recording,
    /// The moment of the recording → what was acknowledged by then.
    acknowledged: BTreeMap<usize, Revision>,
    /// The rows of all commits there ever were. A purge puts another head in the place of one: then there were two.
    commits: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
}

impl Run {
    fn acknowledged_by(&self, moment: usize) -> Revision {
        self.acknowledged.range(..=moment).next_back().map_or(Revision(0), |(_, revision)| *revision)
    }
}

fn commits(read: &dyn Read) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let rows = read.scan(Table::Commits, &Range::all(), usize::MAX).expect("readable");
    rows.into_iter().collect()
}

/// Reports, batches, imports, corrections and days that pass, on a disk that does this wrong.
fn run(random: &mut Random, schema: &Schema, fault: Fault) -> Run {
    // A store has its name only when it is whole, so there is always a whole one to begin with.
    let made = Disk::default();
    drop(RedbStore::on_disk(made.clone()).expect("a new store"));
    let disk = Disk::holding(made.content());
    disk.set_fault(fault);
    let store: Arc<dyn Store> = Arc::new(RedbStore::on_disk(disk.clone()).expect("a whole store"));
    let bench = bench_on(Arc::clone(&store), schema.clone());
    let mut acknowledged = BTreeMap::new();
    let mut all: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for number in 0..STEPS {
        let bytes: Vec<u8> = (0..512).flat_map(|_| random.next().to_le_bytes()).collect();
        if random.below(5) == 0 {
            let (done, _) = bench.import(&file(random, number), false, 0);
            done.expect("imported");
        } else {
            random::step(&mut Unstructured::new(&bytes), &bench).expect("enough bytes");
        }
        acknowledged.insert(disk.recorded(), bench.head());
        // A step makes one commit at most, so none is dropped before it was seen.
        for (row, commit) in commits(&*store.snapshot().expect("readable")) {
            all.entry(row).or_default().insert(commit);
        }
    }
    let commits = all;
    drop(bench);
    // The last holder: the file is closed in order, and the power may go during that as well.
    drop(store);
    Run { recording: disk.recording(), acknowledged, commits }
}

fn file(random: &mut Random, number: usize) -> String {
    let mut text = String::new();
    for line in 0..=random.below(5) {
        let (key, other) = (random.below(8), random.below(8));
        text += &format!(
            "{{\"item\":{{\"key\":\"f{line}\",\"class\":\"server\",\"attributes\":{{\"host_name\":\"h{key}-{number}\"}}}}}}\n{{\"relationship\":{{\"from\":\"f{line}\",\"type\":\"depends_on\",\"to\":\"f{}\"}}}}\n",
            other.min(line)
        );
    }
    text
}

/// Opens what a crash left: everything that was acknowledged is there, all of it agrees, and work goes on.
fn check(image: Vec<u8>, run: &Run, acknowledged: Revision, schema: &Schema) -> Result<(), String> {
    let store = RedbStore::on_disk(Disk::holding(image)).map_err(|error| error.to_string())?;
    let store: Arc<dyn Store> = Arc::new(store);
    let snapshot = store.snapshot().map_err(|error| error.to_string())?;
    let (found, head) = (commits(&*snapshot), snapshot.head());
    drop(snapshot);
    let last =
        found.last_key_value().map_or(crate::store::key::revision(Revision(0)), |(row, _)| row.clone());
    if head < acknowledged || last != crate::store::key::revision(head) {
        return Err(format!("the head is {head}, and {acknowledged} were acknowledged"));
    }
    let was_there = |row, commit| run.commits.get(row).is_some_and(|commits| commits.contains(commit));
    if found.iter().any(|(row, commit)| !was_there(row, commit)) {
        return Err("a commit is another one than it was".to_owned());
    }
    let clock = Arc::new(AtomicI64::new(1_900_000_000_000_000));
    let cmdb = open_on(store, &clock, schema.clone()).map_err(|error| format!("{error:?}"))?;
    let checked = check_engine(&cmdb, head.0);
    cmdb.close();
    checked
}

fn check_engine(cmdb: &Cmdb, head: u64) -> Result<(), String> {
    let claims = vec![
        related(item("after", "application", &[]), "depends_on", key("k1"), false),
        item("k1", "server", &[]),
    ];
    let applied = apply_to(cmdb, person("eve"), claims).map_err(|error| format!("{error:?}"))?;
    if applied.revision != Some(Revision(head + 1)) {
        return Err(format!("the commit after {head} is {:?}", applied.revision));
    }
    let mut findings = Vec::new();
    let verified = cmdb.verify(&mut |event| {
        if let crate::engine::VerifyEvent::Finding(finding) = event {
            findings.push(finding);
        }
    });
    let verified = verified.map_err(|error| format!("{error:?}"))?;
    if verified.findings > 0 {
        return Err(findings.join("\n"));
    }
    cmdb.check_live_graph();
    Ok(())
}

/// Opens what a crash left, and cuts the power again while it opens.
fn crash_while_opening(image: Vec<u8>, random: &mut Random, schema: &Schema) -> Vec<u8> {
    let disk = Disk::holding(image);
    let clock = Arc::new(AtomicI64::new(1_900_000_000_000_000));
    if let Ok(store) = RedbStore::on_disk(disk.clone())
        && let Ok(cmdb) = open_on(Arc::new(store), &clock, schema.clone())
    {
        cmdb.close();
    }
    let mut recording = disk.recording();
    let moment = random.below(recording.moments() + 1);
    recording.crash(moment, &mut |limit| random.below(limit))
}

/// What is wrong after crashes of one run, at so many moments of it.
fn crashes(random: &mut Random, run: &mut Run, count: usize, schema: &Schema) -> Vec<String> {
    let mut moments: Vec<usize> = (0..count).map(|_| random.below(run.recording.moments() + 1)).collect();
    moments.sort_unstable();
    let mut wrong = Vec::new();
    for moment in moments {
        let mut image = run.recording.crash(moment, &mut |limit| random.below(limit));
        let acknowledged = run.acknowledged_by(moment);
        // Damage that no honest disk does makes redb's own assertions fail, which is noticing as well.
        let checked = catch_unwind(AssertUnwindSafe(|| {
            let mut again = 0;
            while again < 2 && random.below(3) == 0 {
                image = crash_while_opening(std::mem::take(&mut image), random, schema);
                again += 1;
            }
            check(image, run, acknowledged, schema)
        }));
        let checked = checked.unwrap_or_else(|_| Err("it panicked".to_owned()));
        if let Err(error) = checked {
            wrong.push(format!("moment {moment} of {}: {error}", run.recording.moments()));
        }
    }
    wrong
}

#[test]
fn no_crash_loses_what_was_acknowledged_or_leaves_anything_half_done() {
    let seed = seed();
    let mut random = Random(seed);
    let schema = Schema::built_in();
    let mut done = 0;
    while done < CRASHES {
        let mut run = run(&mut random, &schema, Fault::None);
        let wrong = crashes(&mut random, &mut run, CRASHES_OF_A_RUN, &schema);
        assert!(wrong.is_empty(), "CMDB_SEED={seed}, after {done} crashes:\n{}", wrong.join("\n"));
        done += CRASHES_OF_A_RUN;
    }
}

#[test]
fn a_disk_that_says_synced_and_is_not_is_caught() {
    let seed = seed();
    let schema = Schema::built_in();
    for lie in 0..LIES {
        let mut random = Random(seed.wrapping_add(lie));
        let mut run = run(&mut random, &schema, Fault::Lying { after: 0 });
        let wrong = crashes(&mut random, &mut run, CRASHES_OF_A_LIE, &schema);
        assert!(
            !wrong.is_empty(),
            "CMDB_SEED={}: {CRASHES_OF_A_LIE} crashes, and nothing noticed",
            seed + lie
        );
    }
}
