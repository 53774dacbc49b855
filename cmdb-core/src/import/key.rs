//! Keys: those of files, and those that relationships and redundancy groups get from what they relate.

use std::borrow::Cow;

use super::field::check;
use super::json::{Json, Node};
use super::problem::Fault;
use super::value::OutgoingMap;
use crate::claim::{KEY_BYTES_MAX, Match, Reference};
use crate::model::{ItemId, Problem, Reason, Schema};

/// A source's own name for an item.
pub(super) fn item_key(text: String, offset: usize) -> Result<String, Fault> {
    let refuse = |message: String, hint: &str| {
        Err(Fault::new(offset, Problem::new(Reason::KeyInvalid, message, "key").hint(hint)))
    };
    if text.trim().is_empty() {
        return refuse("\"key\" is empty".to_owned(), "give the item a name that is unique in this source");
    }
    if text.len() > KEY_BYTES_MAX {
        return refuse(
            format!("\"key\" has {} bytes; a key has at most {KEY_BYTES_MAX}", text.len()),
            "shorten it",
        );
    }
    if text.parse::<ItemId>().is_ok() {
        return refuse(
            format!("\"key\" looks like an item id: {text}"),
            "use the source's own name for the item; relationships may refer to an id",
        );
    }
    Ok(text)
}

/// A text that names an item: a key, `source:key`, or an id.
pub(super) fn reference_text(text: String, what: &str, offset: usize) -> Result<Reference, Fault> {
    if text.trim().is_empty() {
        let problem = Problem::new(Reason::KeyInvalid, format!("{what} is empty"), what)
            .expected("a key, source:key, or an id such as @42", "");
        return Err(Fault::new(offset, problem));
    }
    if text.len() > 2 * KEY_BYTES_MAX {
        let message = format!("{what} has {} bytes; a key has at most {KEY_BYTES_MAX}", text.len());
        return Err(Fault::new(offset, Problem::new(Reason::KeyInvalid, message, what)));
    }
    Ok(text.parse().map_or(Reference::Key(text), Reference::Id))
}

/// How a line names an item: a text, `{"source": …, "key": …}` or `{"match": {…}}`.
pub(super) fn reference(node: Node<'_>, what: &str, schema: &Schema) -> Result<Reference, Fault> {
    let expected = "a key, source:key, an id, or {\"match\": {…}}";
    let fits = |json: &Json<'_>| matches!(json, Json::Text(_) | Json::Object(_));
    match check(node, what, expected, fits)? {
        Json::Text(text) => reference_text(text, what, node.offset()),
        Json::Object(_) => object(node, schema),
        _ => unreachable!("checked to be text or an object"),
    }
}

fn object(node: Node<'_>, schema: &Schema) -> Result<Reference, Fault> {
    use super::field::{Absent, Object};
    let mut reference = Object::read(node, "a reference", &["match", "source", "key"])?;
    if let Some(wanted) = reference.take("match") {
        if let Some(extra) = reference.take("source").or_else(|| reference.take("key")) {
            let message = "a reference is either a match or a source and a key";
            return Err(Fault::format(extra.offset(), "reference", message));
        }
        return super::json_lines::matching(wanted, schema).map(Reference::Match);
    }
    let (key, offset) = reference.text("key", Absent::Fault)?;
    let (source, _) = reference.text("source", Absent::Empty)?;
    if source.is_empty() {
        return reference_text(key, "a reference", offset);
    }
    Ok(Reference::SourceKey { source, key })
}

/// The key of a relationship: `FROM TYPE TO`.
pub(super) fn relationship(from: &Reference, kind: &str, to: &Reference) -> String {
    let (from, to) = (shown(from), shown(to));
    bounded([&from, " ", kind, " ", &to].concat())
}

/// The key of a redundancy group: `ITEM GROUP`.
pub(super) fn redundancy(item: &Reference, group: &str) -> String {
    bounded(format!("{} {}", shown(item), quoted(group)))
}

/// A key that is too long is replaced by its digest.
fn bounded(key: String) -> String {
    if key.len() <= KEY_BYTES_MAX { key } else { format!("blake3 {}", blake3::hash(key.as_bytes()).to_hex()) }
}

fn shown(reference: &Reference) -> Cow<'_, str> {
    match reference {
        Reference::Key(key) => quoted(key),
        Reference::SourceKey { source, key } => quoted(&format!("{source}:{key}")).into_owned().into(),
        Reference::Match(Match { class, attributes }) => {
            let attributes = serde_json::to_string(&OutgoingMap(attributes));
            format!("{class}{}", attributes.expect("values are always written")).into()
        }
        Reference::This => ".".into(),
        Reference::Id(id) => id.to_string().into(),
    }
}

/// Bare where no other part of a key can be mistaken for it.
fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_whitespace) || text.starts_with('"') || text.contains('{') {
        serde_json::to_string(text).expect("a text is always written").into()
    } else {
        text.into()
    }
}
