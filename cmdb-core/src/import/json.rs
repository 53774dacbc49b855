//! JSON that knows where every part of it stands.
//!
//! serde_json reads the text; its raw values are parts of the line, so that their place follows from their address.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::problem::Fault;

/// A value that is not looked into yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'l> {
    line: &'l str,
    raw: &'l str,
}

/// A value, one level deep.
#[derive(Debug)]
pub(super) enum Json<'l> {
    Null,
    Boolean(bool),
    /// As written.
    Number(&'l str),
    Text(String),
    List(Vec<Node<'l>>),
    Object(Vec<Member<'l>>),
}

/// A named value of an object.
#[derive(Debug)]
pub(super) struct Member<'l> {
    pub name: String,
    /// Where its name stands.
    pub offset: usize,
    pub node: Node<'l>,
}

impl Json<'_> {
    /// As messages call it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Boolean(_) => "true or false",
            Json::Number(_) => "a number",
            Json::Text(_) => "text",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

impl<'l> Node<'l> {
    /// The one value that a line holds.
    pub(super) fn line(line: &'l str) -> Result<Node<'l>, Fault> {
        let raw: &RawValue = serde_json::from_str(line).map_err(|error| broken(&error, line, 0))?;
        Ok(Node { line, raw: raw.get() })
    }

    /// Byte offset in the line.
    pub(super) fn offset(&self) -> usize {
        place(self.line, self.raw)
    }

    /// Whether an object may have a field of this name, as long as names are written without escapes.
    pub(super) fn may_name(&self, field: &str) -> bool {
        self.raw.contains(field)
    }

    /// Whether it is `null`.
    pub(super) fn is_null(&self) -> bool {
        self.raw == "null"
    }

    /// Looks into the value.
    pub(super) fn read(&self) -> Result<Json<'l>, Fault> {
        let fault = |error: serde_json::Error| broken(&error, self.raw, self.offset());
        Ok(match self.raw.as_bytes().first() {
            Some(b'{') => {
                let mut json = serde_json::Deserializer::from_str(self.raw);
                Json::Object(json.deserialize_map(Members { line: self.line }).map_err(fault)?)
            }
            Some(b'[') => {
                let mut json = serde_json::Deserializer::from_str(self.raw);
                Json::List(json.deserialize_seq(Elements { line: self.line }).map_err(fault)?)
            }
            Some(b'"') => Json::Text(text(self.raw).map_err(fault)?.into_owned()),
            Some(b't') => Json::Boolean(true),
            Some(b'f') => Json::Boolean(false),
            Some(b'n') => Json::Null,
            _ => Json::Number(self.raw),
        })
    }
}

/// The text between the quotes of a valid JSON text.
fn text(raw: &str) -> serde_json::Result<Cow<'_, str>> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        // Most have nothing escaped: what stands there is what is meant.
        Some(bare) if !bare.contains('\\') => Ok(Cow::Borrowed(bare)),
        _ => serde_json::from_str(raw).map(Cow::Owned),
    }
}

/// Where `part` stands in `line`, of which it is a part.
fn place(line: &str, part: &str) -> usize {
    part.as_ptr() as usize - line.as_ptr() as usize
}

/// Not JSON, at the place where that shows.
fn broken(error: &serde_json::Error, read: &str, offset: usize) -> Fault {
    let text = error.to_string();
    let (what, place) = if error.is_eof() {
        ("the line ends in the middle", read.len())
    } else {
        (text.split(" at line ").next().unwrap_or(&text), error.column().saturating_sub(1))
    };
    Fault::format(offset + place, "the line", format!("not valid JSON: {what}"))
        .hint("write one JSON object on each line")
}

struct Members<'l> {
    line: &'l str,
}

impl<'l> Visitor<'l> for Members<'l> {
    type Value = Vec<Member<'l>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let node = Node { line: self.line, raw: value.get() };
            let offset = place(self.line, name.get());
            let name = text(name.get()).map_err(serde::de::Error::custom)?.into_owned();
            members.push(Member { name, offset, node });
        }
        Ok(members)
    }
}

struct Elements<'l> {
    line: &'l str,
}

impl<'l> Visitor<'l> for Elements<'l> {
    type Value = Vec<Node<'l>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'l>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(element) = elements.next_element::<&RawValue>()? {
            nodes.push(Node { line: self.line, raw: element.get() });
        }
        Ok(nodes)
    }
}
