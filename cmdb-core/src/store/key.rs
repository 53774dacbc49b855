//! How keys are laid out: big-endian numbers and length-safe texts, so that byte order is the order wanted.

use super::record::{join_key, split_key};
use crate::claim::UnitKind;
use crate::model::{ItemId, Revision, SourceId, Timestamp};

/// Where a change stands in the log: revision and sequence within it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Place {
    /// The commit.
    pub revision: Revision,
    /// Which of its changes.
    pub sequence: u32,
}

impl Place {
    /// The key in `Changes`.
    #[must_use]
    pub fn key(self) -> Vec<u8> {
        self.bytes().to_vec()
    }

    /// The same.
    #[must_use]
    pub fn bytes(self) -> [u8; 12] {
        let mut key = [0; 12];
        key[..8].copy_from_slice(&self.revision.0.to_be_bytes());
        key[8..].copy_from_slice(&self.sequence.to_be_bytes());
        key
    }

    /// Reads a key of `Changes`.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Place> {
        let (revision, sequence) = key.split_first_chunk::<8>()?;
        let sequence: [u8; 4] = sequence.try_into().ok()?;
        Some(Place {
            revision: Revision(u64::from_be_bytes(*revision)),
            sequence: u32::from_be_bytes(sequence),
        })
    }
}

/// The first key that does not begin with `prefix`; `None`: there is none.
#[must_use]
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

/// Text followed by a separator that sorts before every continuation. A NUL inside is written as two bytes.
pub fn push_text(key: &mut Vec<u8>, text: &str) {
    // Room for a number behind it, which most keys have.
    key.reserve(text.len() + 2 + size_of::<u64>());
    let mut parts = text.as_bytes().split(|byte| *byte == 0);
    key.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        key.extend_from_slice(&[0, 0xff]);
        key.extend_from_slice(part);
    }
    key.extend_from_slice(&[0, 0]);
}

/// Reads what [`push_text`] wrote, from the front; the text and the rest.
#[must_use]
pub fn split_text(key: &[u8]) -> Option<(String, &[u8])> {
    let mut text = Vec::new();
    let mut at = 0;
    loop {
        match (key.get(at)?, key.get(at + 1)) {
            (0, Some(0)) => return Some((String::from_utf8(text).ok()?, &key[at + 2..])),
            (0, Some(0xff)) => {
                text.push(0);
                at += 2;
            }
            (0, _) => return None,
            (byte, _) => {
                text.push(*byte);
                at += 1;
            }
        }
    }
}

/// The key of a revision in `Commits`.
#[must_use]
pub fn revision(revision: Revision) -> Vec<u8> {
    revision.0.to_be_bytes().to_vec()
}

/// The key of an item in `Items`.
#[must_use]
pub fn item(id: ItemId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

/// Reads the item number at the end of a key.
#[must_use]
pub fn item_at_end(key: &[u8]) -> Option<ItemId> {
    key.last_chunk::<8>().map(|bytes| ItemId(u64::from_be_bytes(*bytes)))
}

/// The key of a change of a relationship to an item, in `Arrivals`.
#[must_use]
pub fn arrival(to: ItemId, place: Place) -> [u8; 20] {
    let mut key = [0; 20];
    key[..8].copy_from_slice(&to.0.to_be_bytes());
    key[8..].copy_from_slice(&place.bytes());
    key
}

/// Reads a key of `Arrivals`.
#[must_use]
pub fn split_arrival(key: &[u8]) -> Option<(ItemId, Place)> {
    let (to, place) = key.split_first_chunk::<8>()?;
    Some((ItemId(u64::from_be_bytes(*to)), Place::from_key(place)?))
}

/// The row of `Retention` that says how far the history is compacted.
pub const RETENTION_STATE: &[u8] = b"state";
/// The row of `Retention` that says for how long it is kept.
pub const RETENTION_SETTING: &[u8] = b"setting";

/// The key of what a commit put in place of a row of the log, in `Replaced`.
#[must_use]
pub fn replaced(place: Place, by: Revision) -> Vec<u8> {
    let mut key = place.key();
    key.extend_from_slice(&by.0.to_be_bytes());
    key
}

/// Reads a key of `Replaced`.
#[must_use]
pub fn split_replaced(key: &[u8]) -> Option<(Place, Revision)> {
    let (place, by) = key.split_at_checked(12)?;
    Some((Place::from_key(place)?, Revision(u64::from_be_bytes(by.try_into().ok()?))))
}

/// The key of a source in `Sources`.
#[must_use]
pub fn source(id: SourceId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

fn kind_byte(kind: UnitKind) -> u8 {
    match kind {
        UnitKind::Item => 0,
        UnitKind::Relationship => 1,
        UnitKind::Redundancy => 2,
    }
}

fn kind_of(byte: u8) -> Option<UnitKind> {
    [UnitKind::Item, UnitKind::Relationship, UnitKind::Redundancy].get(usize::from(byte)).copied()
}

/// The prefix of all units with a key, whatever their source.
#[must_use]
pub fn units(kind: UnitKind, unit: &str) -> Vec<u8> {
    let mut key = vec![kind_byte(kind)];
    push_text(&mut key, unit);
    key
}

/// The key of a unit in `Units`.
#[must_use]
pub fn unit(source: SourceId, kind: UnitKind, unit: &str) -> Vec<u8> {
    let mut key = units(kind, unit);
    key.extend_from_slice(&source.0.to_be_bytes());
    key
}

/// Reads a key of `Units`.
#[must_use]
pub fn split_unit(key: &[u8]) -> Option<(SourceId, UnitKind, String)> {
    let (kind, rest) = key.split_first()?;
    let (text, rest) = split_text(rest)?;
    let source: [u8; 4] = rest.try_into().ok()?;
    Some((SourceId(u32::from_be_bytes(source)), kind_of(*kind)?, text))
}

/// The key of a unit in `EdgeUnits`. Such keys name both ends and the type between them, so they are kept short; no order
/// of theirs is wanted.
#[must_use]
pub fn edge_unit(source: SourceId, kind: UnitKind, unit: &str) -> Vec<u8> {
    let mut key = source.0.to_be_bytes().to_vec();
    key.push(kind_byte(kind));
    split_key(unit, &mut key);
    key
}

/// Reads a key of `EdgeUnits`.
#[must_use]
pub fn split_edge_unit(key: &[u8]) -> Option<(SourceId, UnitKind, String)> {
    let (source, rest) = key.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first()?;
    Some((SourceId(u32::from_be_bytes(*source)), kind_of(*kind)?, join_key(rest)?))
}

/// The key of a scope in `Scopes`, and the prefix of its units in `ScopeUnits`.
#[must_use]
pub fn scope(source: SourceId, scope: &str) -> Vec<u8> {
    let mut key = source.0.to_be_bytes().to_vec();
    push_text(&mut key, scope);
    key
}

/// The key of a unit in `ScopeUnits`.
#[must_use]
pub fn scope_unit(source: SourceId, scope_name: &str, kind: UnitKind, unit: &str) -> Vec<u8> {
    let mut key = scope(source, scope_name);
    key.push(kind_byte(kind));
    key.extend_from_slice(unit.as_bytes());
    key
}

/// Reads a key of `ScopeUnits`: source, scope, kind, unit.
#[must_use]
pub fn split_scope_unit(key: &[u8]) -> Option<(SourceId, String, UnitKind, String)> {
    let (source, rest) = key.split_first_chunk::<4>()?;
    let (scope, rest) = split_text(rest)?;
    let (kind, unit) = rest.split_first()?;
    let unit = String::from_utf8(unit.to_vec()).ok()?;
    Some((SourceId(u32::from_be_bytes(*source)), scope, kind_of(*kind)?, unit))
}

/// The longest value that an index keeps, in bytes; longer ones are cut, and compared again after reading.
pub const INDEXED_BYTES_MAX: usize = 256;

/// The prefix of all items, or matches, with a value of an attribute.
#[must_use]
pub fn attribute_value(attribute: &str, value: &str) -> Vec<u8> {
    let mut key = Vec::new();
    push_text(&mut key, attribute);
    let mut end = value.len().min(INDEXED_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    push_text(&mut key, &value[..end]);
    key
}

/// The key of an item in `Attributes`.
#[must_use]
pub fn attribute(attribute: &str, value: &str, id: ItemId) -> Vec<u8> {
    let mut key = attribute_value(attribute, value);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

/// The prefix of all items of which a claim says that they are within a host. No attribute is called so.
#[must_use]
pub fn hosted_by(host: ItemId) -> Vec<u8> {
    attribute_value("@within", &host.to_string())
}

/// The prefix of all items that were merged into an item. No attribute is called so.
#[must_use]
pub fn merged_into(item: ItemId) -> Vec<u8> {
    attribute_value("@merged_into", &item.to_string())
}

/// The prefix of all items that were merged into any item.
#[must_use]
pub fn merged_at_all() -> Vec<u8> {
    let mut key = Vec::new();
    push_text(&mut key, "@merged_into");
    key
}

/// The prefix of all items that may be the same as another one. No attribute is called so.
#[must_use]
pub fn with_duplicates() -> Vec<u8> {
    attribute_value("@duplicates", "")
}

/// The prefix of all claims and references of machines that wait, oldest first. No attribute is called so.
#[must_use]
pub fn waiting() -> Vec<u8> {
    attribute_value("@waiting", "")
}

/// The prefix of all declared references that wait, oldest first. No attribute is called so.
#[must_use]
pub fn waiting_declared() -> Vec<u8> {
    attribute_value("@waiting_declared", "")
}

/// The key of what waits under one of these prefixes, in `Probes`.
#[must_use]
pub fn waiting_since(mut key: Vec<u8>, since: Timestamp, id: u64) -> Vec<u8> {
    key.extend_from_slice(&due(since));
    key.extend_from_slice(&id.to_be_bytes());
    key
}

/// The attribute under which claims wait for a key; no attribute is called so.
pub const AWAITED_KEY: &str = "@key";

/// The value under which claims wait for a key of a source.
#[must_use]
pub fn awaited(source: &str, key: &str) -> String {
    format!("{source}\n{key}")
}

/// The key of a match in `Probes`.
#[must_use]
pub fn probe(attribute: &str, value: &str, id: u64) -> Vec<u8> {
    let mut key = attribute_value(attribute, value);
    key.extend_from_slice(&id.to_be_bytes());
    key
}

/// The prefix of all items of exactly this class.
#[must_use]
pub fn class(class: &str) -> Vec<u8> {
    let mut key = Vec::new();
    push_text(&mut key, class);
    key
}

/// The key of an item in `Classes`.
#[must_use]
pub fn class_item(class_name: &str, id: ItemId) -> Vec<u8> {
    let mut key = class(class_name);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

/// What a relationship hangs on to at one end: type and the item at the other end.
#[must_use]
pub fn edge(kind: &str, other: ItemId) -> Vec<u8> {
    let mut key = Vec::new();
    push_text(&mut key, kind);
    key.extend_from_slice(&other.0.to_be_bytes());
    key
}

/// The key of a chunk of `Outgoing` or `Incoming`: the item, and the first edge it may hold.
#[must_use]
pub fn chunk(id: ItemId, first_edge: &[u8]) -> Vec<u8> {
    let mut key = item(id);
    key.extend_from_slice(first_edge);
    key
}

/// The prefix of what is due before a moment.
#[must_use]
pub fn due(at: Timestamp) -> Vec<u8> {
    // Flipping the sign bit makes moments before 1970 sort first.
    (at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes().to_vec()
}

/// The key of an item's timer.
#[must_use]
pub fn item_timer(at: Timestamp, id: ItemId) -> Vec<u8> {
    let mut key = due(at);
    key.push(0);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

/// The key of a relationship's timer.
#[must_use]
pub fn relationship_timer(at: Timestamp, from: ItemId, kind: &str, to: ItemId) -> Vec<u8> {
    let mut key = due(at);
    key.push(1);
    key.extend_from_slice(&from.0.to_be_bytes());
    key.extend_from_slice(&edge(kind, to));
    key
}

/// The moment that never comes.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// The key of a timer that asks whether a claim on an item is still confirmed.
#[must_use]
pub fn stale_timer(at: Timestamp, id: ItemId) -> Vec<u8> {
    let mut key = due(at);
    key.push(2);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

/// The prefix of all items on which a claim of a source is marked stale: they wait for the source to speak.
#[must_use]
pub fn silent(source: SourceId) -> Vec<u8> {
    let mut key = due(NEVER);
    key.push(3);
    key.extend_from_slice(&source.0.to_be_bytes());
    key
}

/// The key of an item on which a claim of a source is marked stale.
#[must_use]
pub fn silent_item(source: SourceId, id: ItemId) -> Vec<u8> {
    let mut key = silent(source);
    key.extend_from_slice(&id.0.to_be_bytes());
    key
}

/// Whose timer it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Timed {
    /// An item.
    Item(ItemId),
    /// An item whose claims may be stale.
    Claims(ItemId),
    /// A relationship: from, type, to.
    Relationship(ItemId, String, ItemId),
}

/// Reads a key of `Timers`, without its moment.
#[must_use]
pub fn split_timer(key: &[u8]) -> Option<Timed> {
    let (_, rest) = key.split_first_chunk::<8>()?;
    let (kind, rest) = rest.split_first()?;
    let (id, rest) = rest.split_first_chunk::<8>()?;
    let id = ItemId(u64::from_be_bytes(*id));
    match kind {
        0 => Some(Timed::Item(id)),
        2 => Some(Timed::Claims(id)),
        1 => {
            let (kind, rest) = split_text(rest)?;
            Some(Timed::Relationship(id, kind, item_at_end(rest)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_order_and_come_back() {
        let texts = ["", "a", "a\0", "a\0b", "ab", "b"];
        let keys: Vec<_> = texts
            .iter()
            .map(|text| {
                let mut key = Vec::new();
                push_text(&mut key, text);
                key
            })
            .collect();
        assert!(keys.is_sorted());
        for (key, text) in keys.iter().zip(texts) {
            assert_eq!(split_text(key), Some((text.to_owned(), &[][..])));
        }
    }

    #[test]
    fn keys_read_back() {
        let key = unit(SourceId(7), UnitKind::Redundancy, "a:b");
        assert_eq!(split_unit(&key), Some((SourceId(7), UnitKind::Redundancy, "a:b".to_owned())));
        for text in ["", "a", "a runs_on", " runs_on b", "a runs_on b", "a runs_on ab runs_on c", "a is b"] {
            let key = edge_unit(SourceId(7), UnitKind::Relationship, text);
            let whole = (SourceId(7), UnitKind::Relationship, text.to_owned());
            assert_eq!(split_edge_unit(&key), Some(whole));
        }
        let key = scope_unit(SourceId(7), "packages", UnitKind::Item, "x");
        assert_eq!(
            split_scope_unit(&key),
            Some((SourceId(7), "packages".to_owned(), UnitKind::Item, "x".to_owned()))
        );
        let key = relationship_timer(Timestamp(-5), ItemId(1), "runs_on", ItemId(2));
        assert_eq!(split_timer(&key), Some(Timed::Relationship(ItemId(1), "runs_on".to_owned(), ItemId(2))));
        assert!(due(Timestamp(-5)) < due(Timestamp(3)));
    }
}
