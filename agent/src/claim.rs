//! Puts together what the agent says of one thing: a wire claim with its item, attributes and relationships.
//!
//! Knows nothing of collectors. Invariant: keys and texts are bounded and free of control characters, empty
//! values are left out, and the same facts always give the same bytes.

pub mod group;

use cmdb_proto::v1;
use prost::Message;

/// The longest key, in bytes; the server refuses keys above 512.
const KEY_BYTES_MAX: usize = 480;
/// The longest text value, in bytes.
const TEXT_BYTES_MAX: usize = 2048;
/// The most values in a list.
const LIST_VALUES_MAX: usize = 1000;

/// The relationship types an agent states.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Relation {
    /// The source needs the target to run.
    RunsOn,
    /// The source keeps using the target.
    DependsOn,
    /// Traffic was seen.
    ConnectsTo,
    /// The target is a part of the source.
    Contains,
    /// The source's data lies on the target.
    StoredOn,
    /// The package is installed on the operating system.
    InstalledOn,
    /// The target makes the source available.
    ProvidedBy,
    /// The source copies its data to the target.
    ReplicatesTo,
}

impl Relation {
    /// As the schema calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::RunsOn => "runs_on",
            Relation::DependsOn => "depends_on",
            Relation::ConnectsTo => "connects_to",
            Relation::Contains => "contains",
            Relation::StoredOn => "stored_on",
            Relation::InstalledOn => "installed_on",
            Relation::ProvidedBy => "provided_by",
            Relation::ReplicatesTo => "replicates_to",
        }
    }
}

/// A claim that is being put together.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    claim: v1::Claim,
    item: v1::ItemClaim,
}

impl Draft {
    /// An item of a class under the agent's own key for it.
    pub fn new(key: &str, class: &str, name: &str) -> Self {
        let item = v1::ItemClaim { class: class.to_owned(), name: clean(name), ..Default::default() };
        Self { claim: v1::Claim { key: bounded_key(key), ..Default::default() }, item }
    }

    /// The host that the item is identified within.
    pub fn within(mut self, key: &str) -> Self {
        self.item.within = Some(reference(key));
        self
    }

    /// An attribute; nothing when there is no value.
    pub fn set(mut self, name: &str, value: impl IntoValue) -> Self {
        if let Some(kind) = value.into_kind() {
            self.item.attributes.insert(name.to_owned(), v1::Value { kind: Some(kind) });
        }
        self
    }

    /// This item → `to`.
    pub fn relates(mut self, relation: Relation, to: &str) -> Self {
        self.claim.relationships.push(v1::RelationshipClaim {
            r#type: relation.as_str().to_owned(),
            to: Some(reference(to)),
            ..Default::default()
        });
        self
    }

    /// `from` → this item.
    pub fn related_from(mut self, from: &str, relation: Relation) -> Self {
        self.claim.relationships.push(v1::RelationshipClaim {
            from: Some(reference(from)),
            r#type: relation.as_str().to_owned(),
            ..Default::default()
        });
        self
    }

    /// This item → `to`, concluded from what was seen.
    pub fn infers(mut self, relation: Relation, to: &str, confidence: f64) -> Self {
        self.claim.relationships.push(v1::RelationshipClaim {
            r#type: relation.as_str().to_owned(),
            to: Some(reference(to)),
            inferred: true,
            confidence,
            ..Default::default()
        });
        self
    }

    /// What was said before, encoded; `None`: it is not of an item.
    pub fn from_body(body: &[u8]) -> Option<Self> {
        let mut claim = v1::Claim::decode(body).ok()?;
        let item = claim.item.take()?;
        Some(Self { claim, item })
    }

    /// As it is kept, for [`Draft::from_body`].
    pub fn to_body(&self) -> Vec<u8> {
        self.clone().finish().encode_to_vec()
    }

    /// The finished claim.
    pub fn finish(mut self) -> v1::Claim {
        self.claim.item = Some(self.item);
        self.claim
    }
}

fn reference(key: &str) -> v1::Reference {
    v1::Reference { to: Some(v1::reference::To::Key(bounded_key(key))) }
}

/// A key of bounded length; what is cut off is kept as a digest, so that long keys stay apart.
fn bounded_key(key: &str) -> String {
    let key = clean_bounded(key, usize::MAX);
    if key.len() <= KEY_BYTES_MAX {
        return key;
    }
    let digest = blake3::hash(key.as_bytes()).to_hex();
    format!("{}~{}", cut(&key, KEY_BYTES_MAX - 17), &digest[..16])
}

/// Text as it may stand in a report: bounded, trimmed, without control characters.
pub fn clean(text: &str) -> String {
    clean_bounded(text, TEXT_BYTES_MAX)
}

fn clean_bounded(text: &str, limit: usize) -> String {
    let text = cut(text.trim_matches(|c: char| c.is_whitespace() || c == '\0'), limit);
    if text.chars().any(char::is_control) {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    } else {
        text.to_owned()
    }
}

/// The longest start of `text` of at most `limit` bytes.
pub fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A moment, in microseconds since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampUs(pub i64);

/// What an attribute can be made from.
pub trait IntoValue {
    /// The wire value; `None`: say nothing.
    fn into_kind(self) -> Option<v1::value::Kind>;
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_kind(self) -> Option<v1::value::Kind> {
        self.and_then(IntoValue::into_kind)
    }
}

impl IntoValue for &str {
    fn into_kind(self) -> Option<v1::value::Kind> {
        let text = clean(self);
        (!text.is_empty()).then_some(v1::value::Kind::Text(text))
    }
}

impl IntoValue for String {
    fn into_kind(self) -> Option<v1::value::Kind> {
        self.as_str().into_kind()
    }
}

impl IntoValue for &String {
    fn into_kind(self) -> Option<v1::value::Kind> {
        self.as_str().into_kind()
    }
}

impl IntoValue for i64 {
    fn into_kind(self) -> Option<v1::value::Kind> {
        Some(v1::value::Kind::Integer(self))
    }
}

impl IntoValue for u64 {
    fn into_kind(self) -> Option<v1::value::Kind> {
        i64::try_from(self).ok().map(v1::value::Kind::Integer)
    }
}

impl IntoValue for bool {
    fn into_kind(self) -> Option<v1::value::Kind> {
        Some(v1::value::Kind::Boolean(self))
    }
}

impl IntoValue for TimestampUs {
    fn into_kind(self) -> Option<v1::value::Kind> {
        Some(v1::value::Kind::TimestampUs(self.0))
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_kind(self) -> Option<v1::value::Kind> {
        let values: Vec<_> = self
            .into_iter()
            .take(LIST_VALUES_MAX)
            .filter_map(IntoValue::into_kind)
            .map(|kind| v1::Value { kind: Some(kind) })
            .collect();
        (!values.is_empty()).then_some(v1::value::Kind::List(v1::ValueList { values }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_values_are_left_out() {
        let claim = Draft::new("os", "operating_system", "web01")
            .set("domain", "")
            .set("fqdn", None::<&str>)
            .set("ports", Vec::<i64>::new())
            .set("host_name", "web01\n")
            .finish();
        let attributes = claim.item.unwrap().attributes;
        assert_eq!(attributes.keys().collect::<Vec<_>>(), ["host_name"]);
        assert_eq!(attributes["host_name"].kind, Some(v1::value::Kind::Text("web01".into())));
    }

    #[test]
    fn keys_and_texts_are_bounded_and_long_keys_stay_apart() {
        let long = "ä".repeat(4000);
        let one = Draft::new(&format!("{long}1"), "c", "n").finish().key;
        let two = Draft::new(&format!("{long}2"), "c", "n").finish().key;
        assert!(one.len() <= KEY_BYTES_MAX && one != two);
        assert_eq!(clean(&long).len(), TEXT_BYTES_MAX);
        assert_eq!(clean("a\u{7}b\n"), "a b");
    }
}
