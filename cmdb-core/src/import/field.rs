//! Fields of a JSON object: known names, expected kinds, and where what is wrong stands.

use std::str::FromStr;

use super::json::{Json, Member, Node};
use super::problem::Fault;
use crate::model::nearest::nearest;
use crate::model::{Problem, Reason};

/// An object whose fields are taken one by one.
pub(super) struct Object<'l> {
    /// As messages call it.
    what: &'static str,
    /// Where it begins.
    pub offset: usize,
    members: Vec<Member<'l>>,
}

/// What a field holds that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Empty.
    Empty,
    /// A fault.
    Fault,
}

impl<'l> Object<'l> {
    /// The object at a node, with no other fields than `known`.
    pub(super) fn read(node: Node<'l>, what: &'static str, known: &[&str]) -> Result<Object<'l>, Fault> {
        let Json::Object(members) = check(node, what, "an object", |json| matches!(json, Json::Object(_)))?
        else {
            unreachable!("checked to be an object");
        };
        for (place, member) in members.iter().enumerate() {
            if !known.contains(&member.name.as_str()) {
                return Err(unknown(what, member, known));
            }
            if members[..place].iter().any(|earlier| earlier.name == member.name) {
                let message = format!("\"{}\" of {what} is given twice", member.name);
                return Err(Fault::format(member.offset, &member.name, message));
            }
        }
        Ok(Object { what, offset: node.offset(), members })
    }

    /// Takes a field out; `null` counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Node<'l>> {
        let place = self.members.iter().position(|member| member.name == name)?;
        let node = self.members.remove(place).node;
        (!node.is_null()).then_some(node)
    }

    /// Takes out a field that must be there.
    pub(super) fn required(&mut self, name: &str) -> Result<Node<'l>, Fault> {
        self.take(name).ok_or_else(|| {
            Fault::format(self.offset, name, format!("{} lacks \"{name}\"", self.what))
                .expected(format!("\"{name}\""), "nothing")
        })
    }

    /// A text, with its place.
    pub(super) fn text(&mut self, name: &str, absent: Absent) -> Result<(String, usize), Fault> {
        let node = match (absent, self.take(name)) {
            (_, Some(node)) => node,
            (Absent::Empty, None) => return Ok((String::new(), self.offset)),
            (Absent::Fault, None) => self.required(name)?,
        };
        let what = self.field(name);
        match check(node, &what, "text", |json| matches!(json, Json::Text(_)))? {
            Json::Text(text) => Ok((text, node.offset())),
            _ => unreachable!("checked to be text"),
        }
    }

    /// A text that means something, and must be there.
    pub(super) fn parsed<T: FromStr>(
        &mut self,
        name: &str,
        reason: Reason,
        expected: &str,
    ) -> Result<T, Fault> {
        let (text, offset) = self.text(name, Absent::Fault)?;
        text.parse().map_err(|_| {
            let message = format!("{} is {expected}, not \"{text}\"", self.field(name));
            Fault::new(offset, Problem::new(reason, message, name).expected(expected, text.as_str()))
        })
    }

    /// True or false.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Fault> {
        let Some(node) = self.take(name) else { return Ok(false) };
        match check(node, &self.field(name), "true or false", |json| matches!(json, Json::Boolean(_)))? {
            Json::Boolean(truth) => Ok(truth),
            _ => unreachable!("checked to be true or false"),
        }
    }

    /// A number that fulfils a condition; `None` when it is absent.
    pub(super) fn number(
        &mut self,
        name: &str,
        expected: &str,
        fits: impl Fn(f64) -> bool,
    ) -> Result<Option<f64>, Fault> {
        let Some(node) = self.take(name) else { return Ok(None) };
        let what = self.field(name);
        let Json::Number(text) = check(node, &what, expected, |json| matches!(json, Json::Number(_)))? else {
            unreachable!("checked to be a number");
        };
        match text.parse().ok().filter(|number| fits(*number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Fault::format(node.offset(), name, format!("{what} is {expected}, not {text}"))
                .expected(expected, text)),
        }
    }

    /// The members of an object in a field; none when it is absent.
    pub(super) fn members(&mut self, name: &str) -> Result<Vec<Member<'l>>, Fault> {
        let Some(node) = self.take(name) else { return Ok(Vec::new()) };
        match check(node, &self.field(name), "an object", |json| matches!(json, Json::Object(_)))? {
            Json::Object(members) => Ok(members),
            _ => unreachable!("checked to be an object"),
        }
    }

    /// The elements of a list in a field; none when it is absent.
    pub(super) fn elements(&mut self, name: &str) -> Result<Vec<Node<'l>>, Fault> {
        let Some(node) = self.take(name) else { return Ok(Vec::new()) };
        match check(node, &self.field(name), "a list", |json| matches!(json, Json::List(_)))? {
            Json::List(nodes) => Ok(nodes),
            _ => unreachable!("checked to be a list"),
        }
    }

    fn field(&self, name: &str) -> String {
        format!("\"{name}\" of {}", self.what)
    }
}

/// The value at a node, when it is of the expected kind.
pub(super) fn check<'l>(
    node: Node<'l>,
    what: &str,
    expected: &str,
    fits: impl Fn(&Json<'_>) -> bool,
) -> Result<Json<'l>, Fault> {
    let json = node.read()?;
    if fits(&json) {
        return Ok(json);
    }
    let given = json.kind();
    Err(Fault::format(node.offset(), what, format!("{what} is {expected}, not {given}"))
        .expected(expected, given))
}

fn unknown(what: &str, member: &Member<'_>, known: &[&str]) -> Fault {
    let name = &member.name;
    let fault = Fault::format(member.offset, name, format!("{what} has no field \"{name}\""))
        .expected(known.join(", "), name.as_str());
    match nearest(name, known.iter().copied()) {
        Some(near) => fault.hint(format!("did you mean \"{near}\"?")),
        None => fault.hint(format!("its fields are {}", known.join(", "))),
    }
}
