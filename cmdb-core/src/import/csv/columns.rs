//! What the header says.

use super::row::Cell;
use crate::import::COLUMNS_MAX;
use crate::import::problem::Fault;
use crate::model::nearest::nearest;
use crate::model::{Problem, Reason};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Items,
    Relationships,
}

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns {
    pub kind: Kind,
    /// In the order of the file.
    pub roles: Vec<Role>,
}

/// What a column holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Key,
    Class,
    Name,
    Within,
    From,
    Type,
    To,
    Group,
    Weight,
    Inferred,
    Confidence,
    Attribute(String),
}

const ITEM: [Role; 4] = [Role::Key, Role::Class, Role::Name, Role::Within];
const RELATIONSHIP: [Role; 7] =
    [Role::From, Role::Type, Role::To, Role::Group, Role::Weight, Role::Inferred, Role::Confidence];
const EXPECTED: &str = "key,class,name,… for items, from,type,to,group,… for relationships";

impl Role {
    /// As the header calls it.
    pub(super) fn name(&self) -> &str {
        match self {
            Role::Key => "key",
            Role::Class => "class",
            Role::Name => "name",
            Role::Within => "within",
            Role::From => "from",
            Role::Type => "type",
            Role::To => "to",
            Role::Group => "group",
            Role::Weight => "weight",
            Role::Inferred => "inferred",
            Role::Confidence => "confidence",
            Role::Attribute(name) => name,
        }
    }
}

/// Reads the header.
pub(super) fn read(cells: &[Cell<'_>]) -> Result<Columns, Fault> {
    if let Some(cell) = cells.get(COLUMNS_MAX) {
        let message = format!("the header has {} columns; a file has at most {COLUMNS_MAX}", cells.len());
        return Err(Fault::new(cell.offset, Problem::new(Reason::LimitExceeded, message, "the header")));
    }
    let kind = kind(cells)?;
    let known = match kind {
        Kind::Items => &ITEM[..],
        Kind::Relationships => &RELATIONSHIP[..],
    };
    let mut roles: Vec<Role> = Vec::with_capacity(cells.len());
    for cell in cells {
        let name = cell.text.trim();
        if name.is_empty() {
            return Err(Fault::format(cell.offset, "the header", "a column has no name")
                .hint("name the attribute that it holds"));
        }
        let role = known.iter().find(|role| role.name() == name).cloned();
        let role = role.unwrap_or_else(|| Role::Attribute(name.to_owned()));
        if roles.contains(&role) {
            return Err(Fault::format(cell.offset, name, format!("a second column \"{name}\"")));
        }
        roles.push(role);
    }
    Ok(Columns { kind, roles })
}

/// The fault of a file without a header.
pub(super) fn absent() -> Fault {
    Fault::format(0, "the header", "the file has no header").hint(format!("write {EXPECTED}"))
}

fn kind(cells: &[Cell<'_>]) -> Result<Kind, Fault> {
    let lacks = |wanted: &[&'static str]| -> Vec<&'static str> {
        let names: Vec<&str> = cells.iter().map(|cell| cell.text.trim()).collect();
        wanted.iter().copied().filter(|name| !names.contains(name)).collect()
    };
    let (item, relationship) = (lacks(&["key", "class"]), lacks(&["from", "type", "to"]));
    if item.is_empty() {
        return Ok(Kind::Items);
    }
    if relationship.is_empty() {
        return Ok(Kind::Relationships);
    }
    // Which of the two it was meant to be: that of which less is missing.
    let missing = if item.len() < 2 || relationship.len() == 3 { item } else { relationship };
    let names = missing.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" and ");
    let message = format!("the header lacks {names}");
    let misspelt = cells.iter().find_map(|cell| {
        let near = nearest(cell.text.trim(), missing.iter().copied())?;
        Some((cell.offset, format!("did you mean \"{near}\" by \"{}\"?", cell.text.trim())))
    });
    let given: Vec<&str> = cells.iter().map(|cell| cell.text.as_ref()).collect();
    let separated = given.len() == 1 && given[0].contains([';', '\t']);
    let (offset, hint) = match misspelt {
        _ if separated => (0, "separate the columns with commas".to_owned()),
        Some(misspelt) => misspelt,
        None => (0, format!("write {EXPECTED}")),
    };
    let shown: String = given.join(",").chars().take(200).collect();
    Err(Fault::format(offset, "the header", message).expected(EXPECTED, shown).hint(hint))
}
