//! What may be asked of the engine, and what it answers.

use std::path::PathBuf;

pub use crate::change::{Actor, Change, CommitHeader};
use crate::claim::Claim;
use crate::import::{Format, LineProblem};
use crate::model::item::Identification;
use crate::model::relationship::Require;
use crate::model::source::SourceKind;
use crate::model::{Item, ItemId, Problem, Revision, Source, Status, Timestamp};
use crate::store::StoreError;

/// Who states facts, as it presents itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceName {
    /// Its name, unique; never contains a colon.
    pub name: String,
    /// Its kind.
    pub kind: SourceKind,
    /// What it calls itself, such as a host name; empty: unchanged.
    pub title: String,
    /// The version of the program behind it; empty: unchanged.
    pub version: String,
}

/// A scan of one agent, bodies not yet decoded.
#[derive(Clone, Debug)]
pub struct Report {
    /// Who reports.
    pub source: SourceName,
    /// Over the sections' digests.
    pub digest: Vec<u8>,
    /// When it was seen.
    pub observed_at: Timestamp,
    /// Its parts.
    pub sections: Vec<Section>,
    /// Decodes the body of an entry; called for what has changed, and only for that.
    pub decode: fn(&[u8]) -> Result<Claim, Problem>,
}

/// One collector's part of a report, and the scope of what it withdraws.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name.
    pub scope: String,
    /// Whether it names everything there is; otherwise why not. Incomplete: withdraws nothing.
    pub complete: Result<(), String>,
    /// Over the entries' keys and digests.
    pub digest: Vec<u8>,
    /// As last acknowledged with this digest; `entries` is empty.
    pub unchanged: bool,
    /// What it names.
    pub entries: Vec<Entry>,
}

/// One unit of a report.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Of the body.
    pub digest: Vec<u8>,
    /// An encoded claim; `None`: as last acknowledged with this digest.
    pub body: Option<Vec<u8>>,
}

/// What became of a report. It is durable.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ReportOutcome {
    /// The revision that holds it.
    pub revision: Revision,
    /// Items.
    pub created: u32,
    /// Items.
    pub updated: u32,
    /// Entries.
    pub unchanged: u32,
    /// Entries.
    pub withdrawn: u32,
    /// Claims that were refused, at most [`REFUSED_MAX`].
    pub refused: Vec<Decision>,
    /// All of them.
    pub refused_total: u32,
    /// Sections that were observed before what is known of their scope: nothing that was said since is changed.
    pub late: u32,
    /// Claims that wait for the item that they stand within.
    pub waiting: u32,
    /// Sections that must be sent in full, because the store does not hold what they took for known.
    pub rescan: Vec<String>,
}

/// The most refused claims that an answer lists.
pub const REFUSED_MAX: usize = 100;

/// A batch of claims of one source.
#[derive(Clone, Debug)]
pub struct Apply {
    /// Who states them.
    pub source: SourceName,
    /// Who asks.
    pub actor: Actor,
    /// The claims.
    pub claims: Vec<Claim>,
    /// Keep what this source said under the same key and is not named here.
    pub merge: bool,
    /// Decide and show, change nothing.
    pub dry_run: bool,
    /// When it was observed; `None`: now.
    pub observed_at: Option<Timestamp>,
}

/// A report of which it is asked what would become of its claims.
#[derive(Clone, Debug)]
pub struct Identify {
    /// Whose it is; empty, or not known: an agent that nobody has heard of.
    pub source: String,
    /// The claims of each scope.
    pub sections: Vec<(String, Vec<Claim>)>,
}

/// What would become of the claims of a report.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Identified {
    /// One for each claim, in order. Of an item that would be new there is no id.
    pub decisions: Vec<Decision>,
    /// The graph that they were decided on.
    pub revision: Revision,
}

/// What became of a batch of claims, or of a retirement or a revert.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Applied {
    /// One for each claim, in order.
    pub decisions: Vec<Decision>,
    /// The new revision; `None`: a dry run, or nothing changed.
    pub revision: Option<Revision>,
    /// What changed, or would.
    pub changes: Vec<Change>,
    /// What was left alone, with the reason (revert, split); relationships that were dropped (merge).
    pub skipped: Vec<String>,
    /// Claims that came after a merge and may belong to either item: they stayed. Source and key.
    pub undecided: Vec<(String, String)>,
}

/// A merged item that shall be itself again.
#[derive(Clone, Debug)]
pub struct Split {
    /// The merged item.
    pub item: ItemId,
    /// Where claims go that the log does not decide, or that shall go elsewhere.
    pub choices: Vec<ClaimChoice>,
    /// Who asks.
    pub actor: Actor,
    /// Show, change nothing.
    pub dry_run: bool,
}

/// Which of the two items a claim goes to in a split.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimChoice {
    /// Whose claim.
    pub source: String,
    /// Its key.
    pub key: String,
    /// The item that it goes to.
    pub item: ItemId,
}

/// What can be erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Purgeable {
    /// Every value of an attribute of an item.
    Attribute {
        /// The item.
        item: ItemId,
        /// The attribute.
        attribute: String,
    },
    /// An attribute of a claim that waits, and has no item yet.
    Waiting {
        /// Whose claim.
        source: String,
        /// Its key.
        key: String,
        /// The attribute.
        attribute: String,
    },
    /// The reason of a commit.
    Reason(Revision),
}

/// Something that is to be erased.
#[derive(Clone, Debug)]
pub struct Purge {
    /// What it is.
    pub subject: Purgeable,
    /// What is asked.
    pub what: Purging,
    /// Who asks; the reason stays in place of the value.
    pub actor: Actor,
    /// Show, change nothing.
    pub dry_run: bool,
}

/// What is asked of a purge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purging {
    /// Every value goes, and none is taken from machines any more.
    Erase,
    /// Sources may state the attribute again.
    Lift,
}

/// What a purge erased, or would.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PurgeOutcome {
    /// The new revision; `None`: a dry run.
    pub revision: Option<Revision>,
    /// What changed in the present, or would.
    pub changes: Vec<Change>,
    /// Versions in the history that held a value.
    pub versions: u64,
    /// The item, and those merged into it.
    pub items: Vec<ItemId>,
    /// Scenarios that held a value.
    pub scenarios: Vec<String>,
    /// Claims that wait and held a value.
    pub waiting: u64,
    /// What still names the value, in words.
    pub remains: Vec<String>,
}

/// A person's word on a redundancy group that was concluded from evidence.
#[derive(Clone, Debug)]
pub struct JudgeGroup {
    /// The dependent.
    pub item: ItemId,
    /// The group's name on it.
    pub group: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// The person.
    pub source: SourceName,
    /// Who asks, and why.
    pub actor: Actor,
    /// Show, change nothing.
    pub dry_run: bool,
}

/// Whether a group holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Verdict {
    /// It does, and needs so many; `None`: as it was concluded.
    Confirm(Option<Require>),
    /// It does not: every member is needed.
    Reject,
}

/// What a look for redundancy found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Proposed {
    /// Clients that were looked at.
    pub looked_at: usize,
    /// Clients of which something else is claimed now.
    pub changed: usize,
    /// Clients that wait for the next look.
    pub left: usize,
}

/// A moment that is kept for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Baseline {
    /// Its name, unique.
    pub name: String,
    /// What it shows.
    pub revision: Revision,
    /// When that was recorded.
    pub recorded_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Why; may be empty.
    pub reason: String,
}

/// What a compaction of the history dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compacted {
    /// The oldest revision that can be asked, but for baselines.
    pub horizon: Revision,
    /// The commit that says so; `None`: there was nothing to do.
    pub revision: Option<Revision>,
    /// Changes that were dropped.
    pub changes: u64,
    /// Heads of commits that were dropped.
    pub commits: u64,
}

/// What a compaction of the history would drop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ToDrop {
    /// The oldest revision that could be asked, but for baselines.
    pub horizon: Revision,
    /// Changes.
    pub changes: u64,
    /// Heads of commits.
    pub commits: u64,
    /// More items have changed than are counted.
    pub at_least: bool,
}

/// For how long every change is to be kept.
#[derive(Clone, Debug)]
pub struct KeepHistory {
    /// Days; 0: for good.
    pub days: u64,
    /// Who asks, and why.
    pub actor: Actor,
}

/// What became of [`KeepHistory`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepHistoryOutcome {
    /// The commit that says so; `None`: it was so already.
    pub revision: Option<Revision>,
    /// Days for which it was kept before; 0: for good.
    pub days_before: u64,
}

/// For how long every change is kept, and who said so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HistoryKept {
    /// Days; 0: for good.
    pub days: u64,
    /// The commit that says so; 0: nobody said anything.
    pub revision: Revision,
    /// When it was said.
    pub set_at: Timestamp,
    /// Who said it.
    pub set_by: String,
    /// Why; may be empty.
    pub reason: String,
}

/// How far the history is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retained {
    /// The oldest revision from which every change is kept; 0: the history is whole.
    pub oldest: Revision,
    /// When that was recorded.
    pub recorded_at: Option<Timestamp>,
    /// A run was cut off, and the next one goes on with it.
    pub unfinished: bool,
}

/// What became of one claim.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    /// The claim's key.
    pub key: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The item it speaks of.
    pub item: Option<ItemId>,
    /// How the item was found.
    pub identification: Option<Identification>,
    /// Parts that were refused while the rest stands.
    pub problems: Vec<Problem>,
    /// What deserves attention.
    pub notes: Vec<String>,
}

/// What became of one claim.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
    Refused(Problem),
    /// It stands within an item that is not known yet, and is placed when that is.
    Waits,
}

/// Files that are published together as one revision.
#[derive(Clone, Debug)]
pub struct Import {
    /// Who states them.
    pub source: SourceName,
    /// Who asks.
    pub actor: Actor,
    /// What this source's imports named before and do not name now is withdrawn.
    pub full: bool,
    /// Entries that a full import may withdraw; 0: 5 % of the source's.
    pub allow_withdraw: u64,
    /// Import what is good, report what is bad.
    pub skip_bad: bool,
    /// Check and count, publish nothing.
    pub dry_run: bool,
    /// The staged files.
    pub files: Vec<StagedFile>,
}

/// A file that was received whole and lies on disk.
#[derive(Clone, Debug)]
pub struct StagedFile {
    /// As the user calls it.
    pub name: String,
    /// Its format.
    pub format: Format,
    /// Where it lies.
    pub path: PathBuf,
}

/// What happens during an import.
#[derive(Clone, PartialEq, Debug)]
pub enum ImportEvent {
    /// How far it is.
    Progress {
        /// checking, items, relationships, redundancy, withdrawing, publishing
        phase: &'static str,
        /// Lines done in this phase.
        done: u64,
        /// Lines in all; 0: not known.
        total: u64,
    },
    /// A line that is wrong.
    Refused {
        /// The file, as the user calls it.
        file: String,
        /// Where and what.
        line: LineProblem,
    },
}

/// What an import did, or would have done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the fields of cmdb.v1.ImportResult")]
pub struct ImportOutcome {
    pub revision: Option<Revision>,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub relationships_created: u64,
    pub relationships_updated: u64,
    pub relationships_unchanged: u64,
    pub withdrawn: u64,
    pub refused: u64,
    pub waiting: u64,
    pub notes: Vec<String>,
}

/// Which items are listed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct List {
    /// This class and its children; empty: any.
    pub class: String,
    /// A filter; empty: none.
    pub filter: String,
    /// An order; empty: by id.
    pub sort: String,
    /// Items on a page, at least 1.
    pub page_size: usize,
    /// Where the page begins, as the page before said.
    pub page_token: String,
    /// Retired items as well.
    pub retired: bool,
    /// Count only.
    pub count_only: bool,
}

/// One page of a listing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// Where the next page begins; empty: the end.
    pub next_page_token: String,
    /// All that match.
    pub total: u64,
    /// Those among them that have no figure, where they are listed by one: they come last.
    pub without_figure: u64,
}

/// A figure by which items can be listed though nothing says it of them: it is counted from the graph.
#[derive(Clone, Copy)]
pub struct Figured<'a> {
    /// Its name, as an order names it.
    pub name: &'a str,
    /// Of an item; none: it is not known.
    pub of: &'a dyn Fn(ItemId) -> Option<u64>,
}

/// What an item is called, for answers that list many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Its id.
    pub id: ItemId,
    /// The key people know it by; empty: none.
    pub key: String,
    /// Its class.
    pub class: String,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub status: Status,
}

/// One page of an item's history, newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct History {
    /// Commits with their changes on this item.
    pub commits: Vec<(CommitHeader, Vec<Change>)>,
    /// Where the next page begins; `None`: the end.
    pub next_before: Option<Revision>,
}

/// A source and how it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceState {
    /// The source.
    pub source: Source,
    /// Entries that it states.
    pub entries: u64,
    /// When anything of it was last seen.
    pub last_seen: Option<Timestamp>,
    /// Its incomplete sections, with the reason.
    pub incomplete: Vec<(String, String)>,
}

/// How the store does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the fields of cmdb.v1.StatusResponse")]
pub struct Figures {
    pub revision: Revision,
    pub recorded_at: Timestamp,
    pub items: u64,
    pub relationships: u64,
    pub items_by_class: Vec<(String, u64)>,
    pub duplicate_items: u64,
    pub waiting_references: u64,
    pub waiting_references_expired: u64,
    pub waiting_references_evicted: u64,
    pub waiting_claims: u64,
    pub waiting_claims_expired: u64,
    pub waiting_claims_evicted: u64,
}

/// What `verify` says while it runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VerifyEvent {
    /// How far it is.
    Progress {
        /// commits, items, indexes
        phase: &'static str,
        /// Done in this phase.
        done: u64,
        /// In all; 0: not known.
        total: u64,
    },
    /// A difference, in words.
    Finding(String),
}

/// What `verify` found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the fields of cmdb.v1.VerifyResult")]
pub struct Verified {
    pub revision: Revision,
    pub commits: u64,
    pub changes: u64,
    pub items: u64,
    pub relationships: u64,
    pub findings: u64,
}

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The ask is wrong; nothing changed.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The store failed; nothing changed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The queue of work is full.
    #[error("the server is busy: {waiting} requests are waiting; try again in a moment")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The engine is shutting down.
    #[error("the server is shutting down")]
    Closed,
}
