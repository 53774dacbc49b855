//! CSV: a header that says whether the rows are items or relationships, then one row for each.
//!
//! Rows are split here rather than by a library, because a bad cell is named with its line and column, and a row is
//! bounded while it is read: a quote that is never closed must not take the rest of the file into memory.

mod columns;
mod row;

use std::collections::BTreeMap;
use std::io::BufRead;

use self::columns::{Columns, Kind, Role};
use self::row::{Cell, Rows};
use super::json_lines::{
    CONFIDENCE, WEIGHT, check_class, check_group, check_type, fits_confidence, fits_weight, item_unit,
    relationship_unit,
};
use super::problem::{Fault, ReadError, located};
use super::{Located, Record, key};
use crate::claim::{ItemClaim, RelationshipClaim};
use crate::model::value::Attributes;
use crate::model::{Problem, Reason, Schema, Value};

pub(super) struct Csv<'s, R> {
    rows: Rows<R>,
    schema: &'s Schema,
    /// What the header says; `None`: it was not read yet.
    columns: Option<Columns>,
    ended: bool,
}

impl<'s, R: BufRead> Csv<'s, R> {
    pub(super) fn new(input: R, schema: &'s Schema) -> Csv<'s, R> {
        Csv { rows: Rows::new(input), schema, columns: None, ended: false }
    }

    pub(super) fn next(&mut self) -> Option<Result<Located<Record>, ReadError>> {
        while !self.ended {
            match self.rows.next() {
                Ok(true) => {}
                Ok(false) if self.columns.is_none() => {
                    self.ended = true;
                    return Some(Err(columns::absent().whole_line(1, &[])));
                }
                Ok(false) => self.ended = true,
                Err(error) => {
                    // Without a header no row means anything.
                    self.ended = self.columns.is_none() || matches!(error, ReadError::File(_));
                    return Some(Err(error));
                }
            }
            if self.ended {
                return None;
            }
            let cells = self.rows.cells();
            let result = match (&self.columns, cells) {
                (Some(columns), Ok(cells)) => record(columns, &cells, self.schema).map(Some),
                (None, Ok(cells)) => columns::read(&cells).map(|columns| {
                    self.columns = Some(columns);
                    None
                }),
                (_, Err(fault)) => Err(fault),
            };
            match result {
                Ok(Some(record)) => return Some(Ok(located(self.rows.first_line, record))),
                Ok(None) => {}
                Err(fault) => {
                    self.ended = self.columns.is_none();
                    return Some(Err(fault.at(self.rows.first_line, self.rows.bytes())));
                }
            }
        }
        None
    }
}

fn record(columns: &Columns, cells: &[Cell<'_>], schema: &Schema) -> Result<Record, Fault> {
    if cells.len() != columns.roles.len() {
        let message = format!("the row has {} cells, the header {}", cells.len(), columns.roles.len());
        let offset = cells.get(columns.roles.len()).or(cells.last()).map_or(0, |cell| cell.offset);
        return Err(Fault::format(offset, "the row", message).hint(
            "put a cell that has a comma in it in double quotes; an empty cell is an absent attribute",
        ));
    }
    let row = Row { columns, cells, schema };
    let claim = match columns.kind {
        Kind::Items => row.item()?,
        Kind::Relationships => row.relationship()?,
    };
    Ok(Record::Claim(Box::new(claim)))
}

struct Row<'r> {
    columns: &'r Columns,
    cells: &'r [Cell<'r>],
    schema: &'r Schema,
}

impl Row<'_> {
    fn cell(&self, role: &Role) -> Option<&Cell<'_>> {
        let place = self.columns.roles.iter().position(|there| there == role)?;
        Some(&self.cells[place]).filter(|cell| !cell.text.trim().is_empty())
    }

    fn text(&self, role: &Role) -> String {
        self.cell(role).map(|cell| cell.text.trim().to_owned()).unwrap_or_default()
    }

    /// A cell that may not be empty.
    fn required(&self, role: &Role) -> Result<&Cell<'_>, Fault> {
        self.cell(role).ok_or_else(|| {
            let place = self.columns.roles.iter().position(|there| there == role);
            let offset = place.map_or(0, |place| self.cells[place].offset);
            let name = role.name();
            Fault::format(offset, name, format!("\"{name}\" is empty"))
                .expected(format!("a {name}"), "nothing")
        })
    }

    /// The cells of attributes that are not empty.
    fn attributes(&self, value: impl Fn(&str, &str) -> Result<Value, Problem>) -> Result<Attributes, Fault> {
        let mut attributes = BTreeMap::new();
        for (role, cell) in self.columns.roles.iter().zip(self.cells) {
            if let Role::Attribute(name) = role
                && !cell.text.trim().is_empty()
            {
                let value = value(name, &cell.text).map_err(|problem| Fault::new(cell.offset, problem))?;
                attributes.insert(name.clone(), value);
            }
        }
        Ok(attributes)
    }

    fn item(&self) -> Result<crate::claim::Claim, Fault> {
        let key = self.required(&Role::Key)?;
        let key = key::item_key(key.text.trim().to_owned(), key.offset)?;
        let class = self.required(&Role::Class)?;
        check_class(class.text.trim(), class.offset, self.schema)?;
        let class = class.text.trim().to_owned();
        let attributes = self.attributes(|name, text| self.schema.parse_text(&class, name, text))?;
        let within = match self.cell(&Role::Within) {
            Some(cell) => Some(key::reference_text(cell.text.trim().to_owned(), "within", cell.offset)?),
            None => None,
        };
        let name = self.text(&Role::Name);
        Ok(item_unit(key, ItemClaim { class, name, attributes, within, ..ItemClaim::default() }))
    }

    fn relationship(&self) -> Result<crate::claim::Claim, Fault> {
        let (from, to) = (self.required(&Role::From)?, self.required(&Role::To)?);
        let from = key::reference_text(from.text.trim().to_owned(), "from", from.offset)?;
        let to = key::reference_text(to.text.trim().to_owned(), "to", to.offset)?;
        let kind = self.required(&Role::Type)?;
        check_type(kind.text.trim(), kind.offset, self.schema)?;
        let kind = kind.text.trim().to_owned();
        let group = self.text(&Role::Group);
        if let Some(cell) = self.cell(&Role::Group) {
            check_group(&group, &kind, cell.offset, self.schema)?;
        }
        Ok(relationship_unit(RelationshipClaim {
            from,
            kind,
            to,
            group,
            weight: self.number(&Role::Weight, WEIGHT, fits_weight)?,
            inferred: self.flag(&Role::Inferred)?,
            confidence: self.number(&Role::Confidence, CONFIDENCE, fits_confidence)?,
            denied: false,
            attributes: self.attributes(|_, text| Ok(Value::Text(text.to_owned())))?,
        }))
    }

    /// A number; 1 when the cell is empty.
    fn number(&self, role: &Role, expected: &str, fits: fn(f64) -> bool) -> Result<f64, Fault> {
        let Some(cell) = self.cell(role) else { return Ok(1.0) };
        cell.text
            .trim()
            .parse()
            .ok()
            .filter(|number| fits(*number))
            .ok_or_else(|| misfit(role, cell, expected))
    }

    fn flag(&self, role: &Role) -> Result<bool, Fault> {
        let Some(cell) = self.cell(role) else { return Ok(false) };
        cell.text.trim().to_lowercase().parse().map_err(|_| misfit(role, cell, "true or false"))
    }
}

fn misfit(role: &Role, cell: &Cell<'_>, expected: &str) -> Fault {
    let (name, text) = (role.name(), cell.text.trim());
    let message = format!("\"{name}\" is {expected}, not \"{text}\"");
    Fault::new(cell.offset, Problem::new(Reason::FormatInvalid, message, name).expected(expected, text))
}
