//! What the bytes of a row mean: records in an envelope `[format u8][schema varint][payload]`, where the payload is a
//! protobuf message (format 1) or the [compact form](compact) of one (format 2).
//!
//! A record can grow new fields; a reader of an older release does not see them, and the format number says whether
//! it may read at all. `schema` is the number of the schema under which the record was written.
//!
//! Invariant: `decode(encode(x)) == x` for every record that the writer makes.

mod claim;
mod compact;
mod convert;
mod row;

use prost::Message;

use super::{FORMAT, StoreError, Table};

pub use claim::{ClaimRecord, ReferenceRecord, claim_from, claim_record, reference_from, reference_record};
pub use compact::{Record, Row};
pub(in crate::store) use compact::{join_key, split_key};
pub use convert::{item_from, item_record, relationship_from, relationship_record, value_from, value_record};
pub(crate) use convert::{
    plain_from, plain_records, relationship_claim_from, relationship_claim_record, unit_kind_from,
    unit_kind_number,
};
pub use row::{ChangeRow, OutgoingRow};

/// A protobuf message.
const PLAIN: u8 = 1;
/// The compact form of one.
const COMPACT: u8 = 2;
/// What most rows take at most, in bytes.
const USUAL_BYTES: usize = 128;

/// Wraps what a row holds.
#[must_use]
pub fn encode(schema: u32, row: &impl Row) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    append(&mut bytes, schema, row);
    bytes
}

/// The same, behind what is there.
pub fn append(to: &mut Vec<u8>, schema: u32, row: &impl Row) {
    let begins = to.len();
    head(COMPACT, schema, to);
    if row.append_compact(to).is_none() {
        to.truncate(begins);
        head(PLAIN, schema, to);
        row.append_plain(to);
    }
}

fn head(format: u8, schema: u32, to: &mut Vec<u8>) {
    to.push(format);
    prost::encoding::encode_varint(u64::from(schema), to);
}

/// Unwraps a record.
///
/// # Errors
/// When it is of a newer format or damaged.
pub fn decode<R: Record>(table: Table, bytes: &[u8]) -> Result<R, StoreError> {
    let damaged = |detail: String| StoreError::Damaged { table: table.name(), detail };
    let (format, mut rest) = bytes.split_first().ok_or_else(|| damaged("an empty record".to_owned()))?;
    if u32::from(*format) > FORMAT {
        return Err(damaged(format!("a record of format {format}")));
    }
    prost::encoding::decode_varint(&mut rest).map_err(|error| damaged(error.to_string()))?;
    if *format == COMPACT {
        return R::read_compact(rest)
            .ok_or_else(|| damaged("a compact record that does not read".to_owned()));
    }
    R::decode(rest).map_err(|error| damaged(error.to_string()))
}

/// A value.
#[derive(Clone, PartialEq, Message)]
pub struct ValueRecord {
    /// Which.
    #[prost(oneof = "value_record_kind::Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    pub kind: Option<value_record_kind::Kind>,
}

/// The kinds of a value.
pub mod value_record_kind {
    /// Which.
    #[derive(Clone, PartialEq, prost::Oneof)]
    #[expect(missing_docs, reason = "as model::Value")]
    pub enum Kind {
        #[prost(string, tag = "1")]
        Text(String),
        #[prost(sint64, tag = "2")]
        Integer(i64),
        #[prost(double, tag = "3")]
        Float(f64),
        #[prost(bool, tag = "4")]
        Boolean(bool),
        #[prost(int64, tag = "5")]
        TimestampUs(i64),
        #[prost(sint64, tag = "6")]
        DurationUs(i64),
        #[prost(bytes = "vec", tag = "7")]
        Bytes(Vec<u8>),
        #[prost(message, tag = "8")]
        List(super::ListRecord),
        #[prost(message, tag = "9")]
        Map(super::MapRecord),
    }
}

/// A list of values.
#[derive(Clone, PartialEq, Message)]
pub struct ListRecord {
    /// In order.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<ValueRecord>,
}

/// Named values.
#[derive(Clone, PartialEq, Message)]
pub struct MapRecord {
    /// In order of the names.
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<AttributeRecord>,
}

/// A named value.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as model::item::Stated")]
pub struct AttributeRecord {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<ValueRecord>,
    #[prost(bool, tag = "3")]
    pub effective: bool,
}

/// An item.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as model::Item")]
pub struct ItemRecord {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub class: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(uint32, tag = "4")]
    pub status: u32,
    #[prost(int64, tag = "5")]
    pub status_since_us: i64,
    #[prost(int64, tag = "6")]
    pub first_seen_us: i64,
    #[prost(message, repeated, tag = "7")]
    pub claims: Vec<ItemClaimRecord>,
    #[prost(message, repeated, tag = "8")]
    pub groups: Vec<GroupRecord>,
    #[prost(uint64, repeated, tag = "9")]
    pub duplicates: Vec<u64>,
    #[prost(uint64, optional, tag = "20")]
    pub merged_into: Option<u64>,
    #[prost(uint64, repeated, tag = "21")]
    pub distinct_from: Vec<u64>,
    #[prost(message, repeated, tag = "22")]
    pub purged: Vec<PurgedRecord>,
}

/// A tombstone.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "as model::item::Purged")]
pub struct PurgedRecord {
    #[prost(string, tag = "1")]
    pub attribute: String,
    #[prost(uint64, tag = "2")]
    pub revision: u64,
    #[prost(string, tag = "3")]
    pub by: String,
    #[prost(int64, tag = "4")]
    pub at_us: i64,
    #[prost(string, tag = "5")]
    pub reason: String,
    #[prost(bool, tag = "6")]
    pub suppressed: bool,
}

/// A source's claim on an item.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as model::item::ItemClaimState")]
pub struct ItemClaimRecord {
    #[prost(uint32, tag = "1")]
    pub source: u32,
    #[prost(string, tag = "2")]
    pub key: String,
    #[prost(string, tag = "3")]
    pub scope: String,
    #[prost(string, tag = "4")]
    pub class: String,
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(message, repeated, tag = "6")]
    pub attributes: Vec<AttributeRecord>,
    #[prost(uint64, optional, tag = "7")]
    pub within: Option<u64>,
    #[prost(int64, tag = "8")]
    pub first_seen_us: i64,
    #[prost(int64, tag = "9")]
    pub observed_at_us: i64,
    #[prost(int64, optional, tag = "10")]
    pub withdrawn_at_us: Option<i64>,
    #[prost(message, optional, tag = "11")]
    pub identification: Option<IdentificationRecord>,
    #[prost(string, repeated, tag = "12")]
    pub stale: Vec<String>,
    #[prost(string, repeated, tag = "13")]
    pub nulls: Vec<String>,
    #[prost(message, repeated, tag = "14")]
    pub pins: Vec<PinRecord>,
    #[prost(int64, optional, tag = "15")]
    pub otherwise_us: Option<i64>,
}

/// A held value.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "as model::item::Pin")]
pub struct PinRecord {
    #[prost(string, tag = "1")]
    pub attribute: String,
    #[prost(int64, tag = "2")]
    pub since_us: i64,
    #[prost(int64, optional, tag = "3")]
    pub until_us: Option<i64>,
    #[prost(string, tag = "4")]
    pub reason: String,
}

/// How an item was found.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as model::item::Identification")]
pub struct IdentificationRecord {
    #[prost(uint32, tag = "1")]
    pub method: u32,
    #[prost(string, repeated, tag = "2")]
    pub rule: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    pub values: Vec<String>,
    #[prost(uint64, repeated, tag = "4")]
    pub candidates: Vec<u64>,
    #[prost(string, repeated, tag = "5")]
    pub skipped: Vec<String>,
}

/// A redundancy group.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as model::item::Group")]
pub struct GroupRecord {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub require: String,
    #[prost(bool, tag = "3")]
    pub inferred: bool,
    #[prost(double, tag = "4")]
    pub confidence: f64,
    #[prost(uint32, tag = "5")]
    pub source: u32,
    #[prost(string, tag = "6")]
    pub key: String,
    #[prost(string, tag = "7")]
    pub evidence: String,
    #[prost(bool, tag = "8")]
    pub rejected: bool,
}

/// A relationship.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as model::Relationship")]
pub struct RelationshipRecord {
    #[prost(uint64, tag = "1")]
    pub from: u64,
    #[prost(string, tag = "2")]
    pub kind: String,
    #[prost(uint64, tag = "3")]
    pub to: u64,
    #[prost(uint32, tag = "4")]
    pub status: u32,
    #[prost(int64, tag = "5")]
    pub status_since_us: i64,
    #[prost(bool, tag = "6")]
    pub denied: bool,
    #[prost(int64, tag = "7")]
    pub first_seen_us: i64,
    #[prost(message, repeated, tag = "8")]
    pub claims: Vec<RelationshipClaimRecord>,
    #[prost(uint32, tag = "9")]
    pub effective: u32,
    /// Absent: the effective claim.
    #[prost(uint32, optional, tag = "10")]
    pub grouped_by: Option<u32>,
}

/// A source's claim on a relationship.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as model::relationship::RelationshipClaimState")]
pub struct RelationshipClaimRecord {
    #[prost(uint32, tag = "1")]
    pub source: u32,
    #[prost(string, tag = "2")]
    pub key: String,
    #[prost(string, tag = "3")]
    pub scope: String,
    #[prost(string, tag = "4")]
    pub group: String,
    #[prost(double, tag = "5")]
    pub weight: f64,
    #[prost(bool, tag = "6")]
    pub inferred: bool,
    #[prost(double, tag = "7")]
    pub confidence: f64,
    #[prost(bool, tag = "8")]
    pub denied: bool,
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<AttributeRecord>,
    #[prost(int64, tag = "10")]
    pub first_seen_us: i64,
    #[prost(int64, tag = "11")]
    pub observed_at_us: i64,
    #[prost(int64, optional, tag = "12")]
    pub withdrawn_at_us: Option<i64>,
    #[prost(uint32, tag = "13")]
    pub unit_kind: u32,
}

/// A chunk of `Outgoing`: relationships in order of type and far end.
#[derive(Clone, PartialEq, Message)]
pub struct OutgoingRecord {
    /// Packed.
    #[prost(message, repeated, tag = "1")]
    pub relationships: Vec<RelationshipRecord>,
}

/// A chunk of `Incoming`: who points here, in order of type and far end.
#[derive(Clone, PartialEq, Message)]
pub struct IncomingRecord {
    /// Packed.
    #[prost(message, repeated, tag = "1")]
    pub ends: Vec<EndRecord>,
}

/// The far end of a relationship.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct EndRecord {
    /// Type.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// Far end.
    #[prost(uint64, tag = "2")]
    pub from: u64,
}

/// A place in the log.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct PlaceRecord {
    /// Commit.
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    /// Which of its changes.
    #[prost(uint32, tag = "2")]
    pub sequence: u32,
}

/// A row of `Items`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct HeadRecord {
    /// Its current version.
    #[prost(message, optional, tag = "1")]
    pub version: Option<PlaceRecord>,
    /// The last change on it or on a relationship written from it.
    #[prost(message, optional, tag = "2")]
    pub last: Option<PlaceRecord>,
}

/// A row of `Changes`.
#[derive(Clone, PartialEq, Message)]
pub struct ChangeRecord {
    /// The change on the same item before this one.
    #[prost(message, optional, tag = "1")]
    pub previous: Option<PlaceRecord>,
    /// The version of the item before this one.
    #[prost(message, optional, tag = "2")]
    pub previous_version: Option<PlaceRecord>,
    /// The new version of an item.
    #[prost(message, optional, tag = "3")]
    pub item: Option<ItemRecord>,
    /// A relationship as it was.
    #[prost(message, optional, tag = "4")]
    pub relationship_before: Option<RelationshipRecord>,
    /// A relationship as it is.
    #[prost(message, optional, tag = "5")]
    pub relationship_after: Option<RelationshipRecord>,
    /// Chance, so that the row's digest confirms nobody's guess of what it holds.
    #[prost(bytes = "vec", tag = "6")]
    pub salt: Vec<u8>,
}

/// A row of `Commits`.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as engine::CommitHeader")]
pub struct CommitRecord {
    #[prost(int64, tag = "1")]
    pub recorded_at_us: i64,
    #[prost(string, tag = "2")]
    pub actor: String,
    #[prost(string, tag = "3")]
    pub reason: String,
    #[prost(uint64, tag = "4")]
    pub changes: u64,
    #[prost(uint32, tag = "5")]
    pub schema: u32,
    #[prost(bytes = "vec", tag = "6")]
    pub previous_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    pub hash: Vec<u8>,
    /// How the changes were hashed: 0: their bytes in a row; 1: the digests of the salted rows; 2: as 1, and the digest of
    /// the salted reason.
    #[prost(uint32, tag = "8")]
    pub form: u32,
    /// Over what the commit put in place of rows of the log; empty: it did not.
    #[prost(bytes = "vec", tag = "9")]
    pub replaced: Vec<u8>,
    /// Over what is left of a history that was compacted; empty: the commit does not say.
    #[prost(bytes = "vec", tag = "10")]
    pub anchor: Vec<u8>,
    /// For how many days every change is kept from then on; 0: for good; absent: the commit does not say.
    #[prost(uint64, optional, tag = "11")]
    pub history_days: Option<u64>,
    /// Chance, so that the digest of the reason confirms nobody's guess; none where there is no reason.
    #[prost(bytes = "vec", tag = "12")]
    pub reason_salt: Vec<u8>,
    /// Of a reason that was erased, from form 2 on.
    #[prost(bytes = "vec", tag = "13")]
    pub reason_digest: Vec<u8>,
    /// The commit that erased the reason; 0: none did.
    #[prost(uint64, tag = "14")]
    pub reason_purged: u64,
    /// Over the changes as they were written, of a commit below form 2 whose reason was erased.
    #[prost(bytes = "vec", tag = "15")]
    pub changes_hash: Vec<u8>,
}

/// A row of `Baselines`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "as engine::Baseline")]
pub struct BaselineRecord {
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    #[prost(int64, tag = "2")]
    pub recorded_at_us: i64,
    #[prost(int64, tag = "3")]
    pub created_at_us: i64,
    #[prost(string, tag = "4")]
    pub created_by: String,
    #[prost(string, tag = "5")]
    pub reason: String,
}

/// The row of `Retention`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RetentionRecord {
    /// The oldest revision from which everything is kept; 0: it was never compacted.
    #[prost(uint64, tag = "1")]
    pub horizon: u64,
    /// Of the commit at the horizon: where the chain begins.
    #[prost(bytes = "vec", tag = "2")]
    pub hash: Vec<u8>,
    /// When the first commit was recorded.
    #[prost(int64, tag = "3")]
    pub observed_since_us: i64,
    /// Where the run goes on.
    #[prost(uint64, tag = "4")]
    pub cursor_revision: u64,
    /// Where the run goes on.
    #[prost(uint32, tag = "5")]
    pub cursor_sequence: u32,
    /// The commit that covers what is left below the horizon; 0: a run is under way.
    #[prost(uint64, tag = "6")]
    pub sealed_by: u64,
    /// Over what is left below the horizon.
    #[prost(bytes = "vec", tag = "7")]
    pub digest: Vec<u8>,
    /// By this run.
    #[prost(uint64, tag = "8")]
    pub changes_dropped: u64,
    /// By this run.
    #[prost(uint64, tag = "9")]
    pub commits_dropped: u64,
    /// The next run looks at everything below the horizon again.
    #[prost(bool, tag = "10")]
    pub from_the_start: bool,
}

/// The row of `Retention` that says for how long.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "as engine::HistoryKept")]
pub struct HistoryKeptRecord {
    #[prost(uint64, tag = "1")]
    pub days: u64,
    #[prost(uint64, tag = "2")]
    pub revision: u64,
    #[prost(int64, tag = "3")]
    pub set_at_us: i64,
    #[prost(string, tag = "4")]
    pub set_by: String,
    #[prost(string, tag = "5")]
    pub reason: String,
}

/// A row of `Replaced`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ReplacedRecord {
    /// Of what stood there.
    #[prost(bytes = "vec", tag = "1")]
    pub before: Vec<u8>,
    /// Of what stands there.
    #[prost(bytes = "vec", tag = "2")]
    pub after: Vec<u8>,
}

/// A row of `Units`: what became of a unit, so that it can be replaced or withdrawn.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct UnitRecord {
    #[prost(string, tag = "1")]
    pub scope: String,
    #[prost(bytes = "vec", tag = "2")]
    pub digest: Vec<u8>,
    #[prost(uint64, optional, tag = "3")]
    pub item: Option<u64>,
    #[prost(message, repeated, tag = "4")]
    pub relationships: Vec<EdgeRecord>,
    #[prost(message, repeated, tag = "5")]
    pub groups: Vec<GroupNameRecord>,
    #[prost(uint64, repeated, tag = "6")]
    pub matches: Vec<u64>,
    /// When what it says now was observed; once it is withdrawn: when it was last named.
    #[prost(int64, optional, tag = "7")]
    pub heard_us: Option<i64>,
}

/// A relationship, by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Message)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct EdgeRecord {
    #[prost(uint64, tag = "1")]
    pub from: u64,
    #[prost(string, tag = "2")]
    pub kind: String,
    #[prost(uint64, tag = "3")]
    pub to: u64,
}

/// A redundancy group, by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct GroupNameRecord {
    #[prost(uint64, tag = "1")]
    pub item: u64,
    #[prost(string, tag = "2")]
    pub group: String,
}

/// A row of `Sources`.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as model::Source")]
pub struct SourceRecord {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub kind: String,
    #[prost(string, tag = "3")]
    pub title: String,
    #[prost(string, tag = "4")]
    pub version: String,
    /// Of the last report that is kept whole.
    #[prost(bytes = "vec", tag = "5")]
    pub report_digest: Vec<u8>,
    /// When it first said anything.
    #[prost(int64, tag = "6")]
    pub first_seen_us: i64,
    /// When its latest report was observed.
    #[prost(int64, optional, tag = "7")]
    pub reported_us: Option<i64>,
    /// Claims that waited for too long.
    #[prost(uint64, tag = "8")]
    pub claims_expired: u64,
    /// Claims that waited and made room for others.
    #[prost(uint64, tag = "9")]
    pub claims_evicted: u64,
    /// References that waited for too long.
    #[prost(uint64, tag = "10")]
    pub references_expired: u64,
    /// References that waited and made room for others.
    #[prost(uint64, tag = "11")]
    pub references_evicted: u64,
}

/// A row of `Scopes`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "as engine::Section")]
pub struct ScopeRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub digest: Vec<u8>,
    #[prost(string, tag = "2")]
    pub incomplete_reason: String,
    #[prost(int64, tag = "3")]
    pub changed_at_us: i64,
    /// When the section of this digest was last observed.
    #[prost(int64, optional, tag = "4")]
    pub heard_us: Option<i64>,
    /// When a complete section was last observed.
    #[prost(int64, optional, tag = "5")]
    pub complete_us: Option<i64>,
    /// When the section of this digest was first observed, where it is not complete: so its rows in `Heard` say.
    #[prost(int64, optional, tag = "6")]
    pub named_us: Option<i64>,
}

/// A row of `Matches`: one end, or both, of a relationship or group is a match.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as claim::{RelationshipClaim, RedundancyClaim, Reference}")]
pub struct MatchRecord {
    #[prost(uint32, tag = "1")]
    pub source: u32,
    #[prost(string, tag = "2")]
    pub key: String,
    #[prost(uint32, tag = "3")]
    pub unit_kind: u32,
    #[prost(string, tag = "4")]
    pub scope: String,
    #[prost(message, optional, tag = "5")]
    pub from: Option<EndpointRecord>,
    #[prost(string, tag = "6")]
    pub kind: String,
    #[prost(message, optional, tag = "7")]
    pub to: Option<EndpointRecord>,
    /// group, weight and the rest, as they are put on the relationship.
    #[prost(message, optional, tag = "8")]
    pub claim: Option<RelationshipClaimRecord>,
    /// The relationship that it holds on to now.
    #[prost(message, optional, tag = "9")]
    pub held: Option<EdgeRecord>,
    /// Why it waits; empty: it does not.
    #[prost(string, tag = "10")]
    pub waits: String,
    /// Instead of a relationship: a whole claim that waits for the item that it stands within.
    #[prost(message, optional, tag = "11")]
    pub parked: Option<ClaimRecord>,
    /// Since when it waits; 0: it does not, or goes with the item that it follows from.
    #[prost(int64, tag = "12")]
    pub since_us: i64,
    /// Of a claim that waits: its digest.
    #[prost(bytes = "vec", tag = "13")]
    pub digest: Vec<u8>,
    /// Of a claim that waits: when it was observed.
    #[prost(int64, tag = "14")]
    pub observed_at_us: i64,
    /// Of a claim that waits: when its source last said otherwise.
    #[prost(int64, optional, tag = "15")]
    pub otherwise_at_us: Option<i64>,
}

/// One end of a matched relationship.
#[derive(Clone, PartialEq, Message)]
pub struct EndpointRecord {
    /// An item that is known.
    #[prost(uint64, optional, tag = "1")]
    pub item: Option<u64>,
    /// A class that it must be of.
    #[prost(string, tag = "2")]
    pub class: String,
    /// Attributes that it must have.
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<AttributeRecord>,
    /// Instead of these: a key that is not known yet.
    #[prost(message, optional, tag = "4")]
    pub key: Option<ReferenceRecord>,
}

/// A row of `Schemas`.
#[derive(Clone, PartialEq, Message)]
pub struct SchemaRecord {
    /// Of all texts.
    #[prost(bytes = "vec", tag = "1")]
    pub digest: Vec<u8>,
    /// File names and texts.
    #[prost(message, repeated, tag = "2")]
    pub files: Vec<SchemaFileRecord>,
}

/// One schema file.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct SchemaFileRecord {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub text: String,
}

/// Rows that hold item ids: `Identifiers`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ItemsRecord {
    /// In order.
    #[prost(uint64, repeated, tag = "1")]
    pub items: Vec<u64>,
}

/// A row of `Scenarios`.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as scenario::Scenario")]
pub struct ScenarioRecord {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(uint64, tag = "2")]
    pub base: u64,
    #[prost(int64, tag = "3")]
    pub created_at_us: i64,
    #[prost(string, tag = "4")]
    pub created_by: String,
    #[prost(string, tag = "5")]
    pub reason: String,
    #[prost(message, repeated, tag = "6")]
    pub edits: Vec<EditRecord>,
}

/// One edit of a scenario; which one the first field that is set says.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as scenario::Edit")]
pub struct EditRecord {
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    #[prost(uint64, tag = "2")]
    pub item: u64,
    #[prost(string, tag = "3")]
    pub class: String,
    #[prost(string, tag = "4")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<AttributeRecord>,
    #[prost(string, repeated, tag = "6")]
    pub cleared: Vec<String>,
    #[prost(string, tag = "7")]
    pub relationship: String,
    #[prost(uint64, tag = "8")]
    pub to: u64,
    #[prost(string, tag = "9")]
    pub group: String,
    #[prost(double, tag = "10")]
    pub weight: f64,
    #[prost(string, tag = "11")]
    pub require: String,
}
