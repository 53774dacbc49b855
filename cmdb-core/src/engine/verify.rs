//! Does the log say what the tables hold?
//!
//! Three passes, each in bounded memory: the chain of commits and the hash of every change; every item against the
//! log from its head back to its first change; every index row against the item it speaks of. A difference is told
//! in words and counted; nothing is mended.

use std::collections::{BTreeMap, BTreeSet};

use super::request::{EngineError, Verified, VerifyEvent};
use super::retain;
use super::sources::SourceNames;
use crate::change::{self, ChangesHash, ReplacedHash};
use crate::model::schema::Schema;
use crate::model::{Item, ItemId, Relationship, Revision, Timestamp};
use crate::reconcile;
use crate::store::key::Place;
use crate::store::record::{self, CommitRecord, EndRecord, HeadRecord, RetentionRecord};
use crate::store::{self, Order, Range, Snapshot, Table, key};

/// The most findings that are told in words; all are counted.
pub const FINDINGS_MAX: u64 = 1_000;
const PROGRESS_EVERY: u64 = 10_000;

pub(super) fn verify(
    snapshot: &dyn Snapshot,
    schema: &Schema,
    sources: &SourceNames,
    events: &mut dyn FnMut(VerifyEvent),
) -> Result<Verified, EngineError> {
    let verified = Verified { revision: snapshot.head(), ..Verified::default() };
    let replaced = change::all_replaced(snapshot)?;
    let retention = retain::state(snapshot)?;
    let mut check = Check {
        snapshot,
        schema,
        sources,
        events,
        verified,
        replaced,
        retention,
        history_days: None,
        linked: 0,
        incoming: 0,
        arrivals: 0,
    };
    check.commits()?;
    check.items()?;
    check.indexes()?;
    check.arrivals()?;
    Ok(check.verified)
}

/// What indexes hold of one item.
type IndexRows = BTreeSet<(Table, Vec<u8>)>;

struct Check<'a> {
    snapshot: &'a dyn Snapshot,
    schema: &'a Schema,
    sources: &'a SourceNames,
    events: &'a mut dyn FnMut(VerifyEvent),
    verified: Verified,
    /// What purges put in place of rows of the log, by their commits.
    replaced: BTreeMap<Revision, ReplacedHash>,
    /// How far the history was compacted.
    retention: RetentionRecord,
    /// For how long it is kept, by the last commit that says so.
    history_days: Option<u64>,
    /// Changes that are reached from an item.
    linked: u64,
    /// Incoming ends.
    incoming: u64,
    /// Changes of relationships from one item to another.
    arrivals: u64,
}

impl Check<'_> {
    fn find(&mut self, finding: String) {
        self.verified.findings += 1;
        if self.verified.findings <= FINDINGS_MAX {
            (self.events)(VerifyEvent::Finding(finding));
        }
    }

    fn progress(&mut self, phase: &'static str, done: u64, total: u64) {
        if done.is_multiple_of(PROGRESS_EVERY) {
            (self.events)(VerifyEvent::Progress { phase, done, total });
        }
    }

    /// Revisions are gapless, each hash covers the one before and all changes.
    fn commits(&mut self) -> Result<(), EngineError> {
        let head = self.snapshot.head();
        let (mut expected, mut previous) = self.beginning()?;
        let mut last_time = Timestamp(i64::MIN);
        let mut range = Range { from: key::revision(expected), ..Range::all() };
        loop {
            let rows = self.snapshot.scan(Table::Commits, &range, 1_024)?;
            for (row, bytes) in &rows {
                let revision = row
                    .as_slice()
                    .try_into()
                    .map_or(Revision(0), |bytes| Revision(u64::from_be_bytes(bytes)));
                if revision != expected {
                    self.find(format!("commit {expected} is not there; the next is {revision}"));
                }
                let record: CommitRecord = record::decode(Table::Commits, bytes)?;
                if record.recorded_at_us < last_time.0 {
                    self.find(format!("commit {revision} was recorded before the one before it"));
                }
                last_time = Timestamp(record.recorded_at_us);
                if record.previous_hash != previous {
                    self.find(format!(
                        "commit {revision} does not follow the one before it: the hashes differ"
                    ));
                }
                self.history_days = record.history_days.or(self.history_days);
                previous = self.commit(revision, record, bytes)?;
                expected = revision.next();
                self.verified.commits += 1;
                self.progress("commits", revision.0, head.0);
            }
            match rows.last() {
                Some((last, _)) if rows.len() == 1_024 => range = range.after(last),
                _ => break,
            }
        }
        let horizon = Revision(self.retention.horizon);
        for revision in std::mem::take(&mut self.replaced).into_keys().filter(|revision| *revision > horizon)
        {
            self.find(format!("rows of the log were replaced in the name of {revision}, which is no commit"));
        }
        self.setting()?;
        if expected != head.next() {
            self.find(format!("the head is {head}, and the last commit {}", expected.0 - 1));
        }
        Ok(())
    }

    /// One commit: its count of changes and its hash, which is returned.
    fn commit(
        &mut self,
        revision: Revision,
        record: CommitRecord,
        bytes: &[u8],
    ) -> Result<[u8; 32], EngineError> {
        let form = record.form;
        let mut hasher = ChangesHash::new(form);
        let mut sequence = 0u32;
        let mut gaps = false;
        let prefix = Range::prefix(revision.0.to_be_bytes().to_vec());
        store::for_each(self.snapshot, Table::Changes, prefix, |row, bytes| {
            hasher.row(bytes);
            gaps |= Place::from_key(row) != Some(Place { revision, sequence });
            sequence += 1;
            Ok::<(), EngineError>(())
        })?;
        let said = change::commit_header(revision, record.clone())?;
        if gaps || u64::from(sequence) != said.changes {
            self.find(format!("commit {revision} says {} changes, and {sequence} are there", said.changes));
        }
        self.verified.changes += u64::from(sequence);
        let replaced = self.replaced(revision, &record.replaced) && self.anchored(revision, &record.anchor);
        let fits = self.fits(revision, &record, bytes, &hasher)?;
        if !(fits && replaced) {
            self.find(format!("commit {revision} was altered: its hash does not fit its changes"));
        }
        Ok(said.hash)
    }

    /// Whether a commit is what its hash covers, but for what commits say that they put in place of it.
    fn fits(
        &self,
        revision: Revision,
        head: &CommitRecord,
        bytes: &[u8],
        hasher: &ChangesHash,
    ) -> Result<bool, EngineError> {
        let besides = change::besides(head);
        // A head without its reason is there because a commit put it there, or somebody altered it.
        let is_taken = match change::head_replaced(self.snapshot, revision, bytes)? {
            Some(good) => good && head.reason_purged > 0,
            None => head.reason_purged == 0,
        };
        let covers = |changes: &[u8; 32]| match (head.form, head.reason_purged) {
            // What the hash covered of the reason is nowhere any more; what it covered of the changes is in the head.
            (0 | 1, 1..) => head.changes_hash == changes,
            _ => head.hash == change::commit_hash(revision, head, changes),
        };
        if is_taken && covers(&hasher.clone().finish(&besides)) {
            return Ok(true);
        }
        // It fits as it was before a purge, or not at all.
        let before = change::changes_before(self.snapshot, revision, head.form, &besides)?;
        Ok(is_taken && before.is_some_and(|before| covers(&before)))
    }

    /// Where the chain begins: with the first commit, or after the horizon of a history that was compacted. There the
    /// hash of the commit is on record, and what is left below is what a later commit says.
    fn beginning(&mut self) -> Result<(Revision, [u8; 32]), EngineError> {
        let horizon = Revision(self.retention.horizon);
        if horizon == Revision(0) {
            return Ok((Revision(1), [0; 32]));
        }
        let upto = Place { revision: horizon.next(), sequence: 0 }.key();
        let range = Range { from: Vec::new(), to: Some(upto), order: Order::Ascending };
        let mut left = 0;
        store::for_each(self.snapshot, Table::Changes, range, |_, _| {
            left += 1;
            Ok::<(), EngineError>(())
        })?;
        self.verified.changes += left;
        let row = self.snapshot.get(Table::Commits, &key::revision(horizon))?;
        let head = row.map(|row| record::decode::<CommitRecord>(Table::Commits, &row)).transpose()?;
        if head.is_none_or(|head| head.hash != self.retention.hash) {
            self.find(format!(
                "the chain does not begin at commit {horizon}, up to which the history was compacted"
            ));
        }
        // While a compaction is under way, nobody says yet what is left.
        let sealed_by = Revision(self.retention.sealed_by);
        if sealed_by > Revision(0) {
            let mut digest = retain::kept_digest(self.snapshot, horizon, None)?;
            if self.retention.digest != digest {
                // As it was before a purge that came later, or not at all.
                digest = retain::kept_digest(self.snapshot, horizon, Some(sealed_by))?;
            }
            if self.retention.digest != digest {
                self.find(format!("what is left of the history before commit {horizon} was altered"));
            }
        }
        let hash = self.retention.hash.as_slice().try_into().unwrap_or([0; 32]);
        Ok((horizon.next(), hash))
    }

    /// For how long the history is kept is what the log says last. Each run that compacts it says so again; while one is
    /// under way, nobody may.
    fn setting(&mut self) -> Result<(), EngineError> {
        let kept = retain::setting(self.snapshot)?;
        let said = match self.history_days {
            Some(days) => days == kept.days,
            None => {
                let under_way = self.retention.horizon > 0 && self.retention.sealed_by == 0;
                kept.revision == 0 || (under_way && kept.revision <= self.retention.horizon)
            }
        };
        if !said {
            self.find(format!(
                "for how long the history is kept ({} days, 0: for good) is not what the log says",
                kept.days
            ));
        }
        Ok(())
    }

    /// Whether the commit that is to cover the history that is left does.
    fn anchored(&self, revision: Revision, said: &[u8]) -> bool {
        self.retention.sealed_by != revision.0 || said == retain::anchor_digest(&self.retention)
    }

    /// Whether what was replaced in the name of a commit is what the commit says.
    fn replaced(&mut self, revision: Revision, said: &[u8]) -> bool {
        match self.replaced.remove(&revision) {
            Some(found) => said == found.bytes(),
            None => said.is_empty(),
        }
    }

    fn items(&mut self) -> Result<(), EngineError> {
        let mut range = Range::all();
        loop {
            let rows = self.snapshot.scan(Table::Items, &range, 1_024)?;
            for (row, bytes) in &rows {
                let Some(id) = key::item_at_end(row) else {
                    self.find("a row of items without a number".to_owned());
                    continue;
                };
                self.item(id, record::decode(Table::Items, bytes)?)?;
                self.verified.items += 1;
                self.progress("items", self.verified.items, 0);
            }
            match rows.last() {
                Some((last, _)) if rows.len() == 1_024 => range = range.after(last),
                _ => break,
            }
        }
        if self.linked != self.verified.changes {
            let (linked, all) = (self.linked, self.verified.changes);
            self.find(format!("{all} changes are in the log, and {linked} of them belong to an item"));
        }
        if self.incoming != self.verified.relationships {
            let (incoming, outgoing) = (self.incoming, self.verified.relationships);
            self.find(format!("{outgoing} relationships go out, and {incoming} come in"));
        }
        Ok(())
    }

    /// Replays an item's chain of changes, newest first, and compares what comes out with the tables.
    fn item(&mut self, id: ItemId, head: HeadRecord) -> Result<(), EngineError> {
        let mut newest: Option<Place> = None;
        let mut logged: BTreeMap<(String, ItemId), Option<Relationship>> = BTreeMap::new();
        let mut item = None;
        let mut next = change::linked(self.snapshot, head.last);
        loop {
            let (place, row) = match next {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(_) => {
                    self.find(format!("{id}: the chain of changes breaks off before {newest:?}"));
                    return Ok(());
                }
            };
            if newest.is_some_and(|newer| place >= newer) {
                self.find(format!("{id}: the chain of changes does not go back in time at {place:?}"));
                return Ok(());
            }
            newest = Some(place);
            self.linked += 1;
            next = change::linked(self.snapshot, row.previous);
            if let Some(found) = row.item {
                if item.is_none() {
                    if head.version.map(change::place_of) != Some(place) {
                        self.find(format!("{id}: the current version is not the last one in the log"));
                    }
                    item = Some(record::item_from(found)?);
                }
                continue;
            }
            let named = row.relationship_after.as_ref().or(row.relationship_before.as_ref());
            let Some(named) = named else { continue };
            let name = (named.kind.clone(), ItemId(named.to));
            if name.1 != id {
                self.arrivals += 1;
                if self.snapshot.get(Table::Arrivals, &key::arrival(name.1, place))?.is_none() {
                    self.find(format!("{}: its history does not hold the change at {place:?}", name.1));
                }
            }
            let after = row.relationship_after.map(record::relationship_from).transpose()?;
            logged.entry(name).or_insert(after);
        }
        match item {
            Some(item) if item.id == id => self.effective(item),
            Some(_) | None => self.find(format!("{id}: the log holds no version of it")),
        }
        self.relationships(id, logged)
    }

    /// What was resolved is what resolving gives now, and every index knows it.
    fn effective(&mut self, item: Item) {
        let mut again = item.clone();
        reconcile::resolve_item(&mut again, self.schema, self.sources, item.status_since);
        if again != item {
            self.find(format!(
                "{} \"{}\": the effective values do not follow from the claims",
                item.id, item.name
            ));
        }
        for (table, row) in change::index_rows(&item, self.schema) {
            match self.snapshot.get(table, &row) {
                Ok(Some(_)) => {}
                _ => self.find(format!("{} \"{}\" is missing in {}", item.id, item.name, table.name())),
            }
        }
    }

    fn relationships(
        &mut self,
        id: ItemId,
        logged: BTreeMap<(String, ItemId), Option<Relationship>>,
    ) -> Result<(), EngineError> {
        let (stored, _) = change::all_edges::<Relationship>(self.snapshot, id, usize::MAX)?;
        let expected: Vec<Relationship> = logged.into_values().flatten().collect();
        if stored != expected {
            self.find(format!(
                "{id}: {} relationships go out, and the log says {} (or they differ)",
                stored.len(),
                expected.len()
            ));
        }
        self.verified.relationships += stored.len() as u64;
        let (ends, _) = change::all_edges::<EndRecord>(self.snapshot, id, usize::MAX)?;
        self.incoming += ends.len() as u64;
        let mut seen = BTreeSet::new();
        for end in ends {
            if !seen.insert((end.kind.clone(), end.from)) {
                self.find(format!("{id}: {} from @{} comes in twice", end.kind, end.from));
            }
            if change::find_edge(self.snapshot, ItemId(end.from), &end.kind, id)?.is_none() {
                self.find(format!(
                    "{id}: {} from @{} comes in and does not go out there",
                    end.kind, end.from
                ));
            }
        }
        Ok(())
    }

    /// Each change of a relationship to an item was found there; so equal numbers mean that nothing else is.
    fn arrivals(&mut self) -> Result<(), EngineError> {
        let mut rows = 0;
        store::for_each(self.snapshot, Table::Arrivals, Range::all(), |_, _| {
            rows += 1;
            Ok::<(), EngineError>(())
        })?;
        if rows != self.arrivals {
            let changes = self.arrivals;
            self.find(format!(
                "{changes} changes are of relationships to an item, and the histories of these hold {rows}"
            ));
        }
        Ok(())
    }

    /// Every index row speaks of an item that says so.
    fn indexes(&mut self) -> Result<(), EngineError> {
        for table in [Table::Classes, Table::Attributes, Table::Identifiers] {
            let mut cached: Option<(ItemId, IndexRows)> = None;
            let mut range = Range::all();
            let mut done = 0;
            loop {
                let rows = self.snapshot.scan(table, &range, 1_024)?;
                for (row, _) in &rows {
                    done += 1;
                    self.progress("indexes", done, 0);
                    let Some(id) = key::item_at_end(row) else { continue };
                    if cached.as_ref().is_none_or(|(cached, _)| *cached != id) {
                        cached = Some((id, self.rows_of(id)?));
                    }
                    let known = cached.as_ref().is_some_and(|(_, rows)| rows.contains(&(table, row.clone())));
                    if !known {
                        self.find(format!(
                            "a row of {} says something of {id} that it does not say",
                            table.name()
                        ));
                    }
                }
                match rows.last() {
                    Some((last, _)) if rows.len() == 1_024 => range = range.after(last),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    fn rows_of(&self, id: ItemId) -> Result<IndexRows, EngineError> {
        let Some(head) = self.snapshot.get(Table::Items, &key::item(id))? else { return Ok(BTreeSet::new()) };
        let item = change::read_version(self.snapshot, &record::decode(Table::Items, &head)?)?;
        Ok(change::index_rows(&item, self.schema))
    }
}
