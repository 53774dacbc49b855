//! The edits of a scenario, one command each.

use std::collections::BTreeMap;

use clap::Args;
use cmdb_proto::v1::scenario_edit::Edit;
use cmdb_proto::v1::{
    EditScenarioRequest, GetItemRequest, GetScenarioRequest, Item, ScenarioAdd, ScenarioEdit, ScenarioRelate,
    ScenarioRemove, ScenarioRequire, ScenarioSet, ScenarioUnrelate, Value,
};

use super::list;
use crate::commands::{relate, set};
use crate::connection::Connection;
use crate::error::CommandError;
use crate::session::Session;

#[derive(Args, Debug)]
pub struct Add {
    #[arg(value_name = "NAME")]
    scenario: String,
    #[arg(value_name = "CLASS")]
    class: String,
    /// Its name; later edits and questions call it +ITEMNAME
    #[arg(value_name = "ITEMNAME")]
    name: String,
    #[arg(value_name = "ATTRIBUTE=VALUE", value_parser = set::assignment)]
    assignments: Vec<(String, String)>,
}

impl Add {
    pub async fn run(self, session: &mut Session) -> Result<(), CommandError> {
        let connection = session.connect().await?;
        let about = Item {
            id: format!("+{}", self.name),
            name: self.name.clone(),
            class: self.class.clone(),
            ..Item::default()
        };
        let attributes = attributes(&connection, &about, &self.assignments).await?;
        let add = ScenarioAdd { class: self.class, name: self.name, attributes };
        edit(session, &connection, self.scenario, Edit::Add(add)).await
    }
}

#[derive(Args, Debug)]
pub struct Remove {
    #[arg(value_name = "NAME")]
    scenario: String,
    #[arg(value_name = "ITEM")]
    item: String,
}

impl Remove {
    pub async fn run(self, session: &mut Session) -> Result<(), CommandError> {
        let connection = session.connect().await?;
        edit(session, &connection, self.scenario, Edit::Remove(ScenarioRemove { item: self.item })).await
    }
}

#[derive(Args, Debug)]
pub struct Set {
    #[arg(value_name = "NAME")]
    scenario: String,
    #[arg(value_name = "ITEM")]
    item: String,
    /// `version=16` sets, `version=` takes the attribute away
    #[arg(required = true, value_name = "ATTRIBUTE=VALUE", value_parser = set::assignment)]
    assignments: Vec<(String, String)>,
}

impl Set {
    pub async fn run(self, session: &mut Session) -> Result<(), CommandError> {
        let connection = session.connect().await?;
        let about = self.about(&connection).await?;
        let attributes = attributes(&connection, &about, &self.assignments).await?;
        let set = ScenarioSet { item: self.item, attributes };
        edit(session, &connection, self.scenario, Edit::Set(set)).await
    }

    /// The item, for its class: at the scenario's base, or as the scenario adds it.
    async fn about(&self, connection: &Connection) -> Result<Item, CommandError> {
        let request = GetScenarioRequest { name: self.scenario.clone() };
        let scenario = connection.scenarios().get(request).await?.into_inner();
        let Some(name) = self.item.strip_prefix('+') else {
            let as_of = scenario.base_revision.to_string();
            let request = GetItemRequest { item: self.item.clone(), as_of, ..GetItemRequest::default() };
            return Ok(connection.items().get(request).await?.into_inner());
        };
        let class = scenario.edits.into_iter().rev().find_map(|edit| match edit.edit {
            Some(Edit::Add(add)) if add.name == name => Some(add.class),
            _ => None,
        });
        // Where there is none the server says so.
        Ok(Item {
            id: self.item.clone(),
            name: name.to_owned(),
            class: class.unwrap_or_default(),
            ..Item::default()
        })
    }
}

#[derive(Args, Debug)]
pub struct Relate {
    #[arg(value_name = "NAME")]
    scenario: String,
    #[arg(value_name = "FROM")]
    from: String,
    /// Type of the relationship, read from FROM to TO
    #[arg(value_name = "TYPE")]
    kind: String,
    #[arg(value_name = "TO")]
    to: String,
    /// Redundancy group of the dependent end
    #[arg(long, value_name = "GROUP", default_value = "", hide_default_value = true)]
    group: String,
    /// Share of a capacity group, in the group's unit
    #[arg(long, value_name = "WEIGHT", value_parser = relate::weight)]
    weight: Option<f64>,
}

impl Relate {
    pub async fn run(self, session: &mut Session) -> Result<(), CommandError> {
        let connection = session.connect().await?;
        let relate = ScenarioRelate {
            from: self.from,
            r#type: self.kind,
            to: self.to,
            group: self.group,
            weight: self.weight.unwrap_or(0.0),
        };
        edit(session, &connection, self.scenario, Edit::Relate(relate)).await
    }
}

#[derive(Args, Debug)]
pub struct Unrelate {
    #[arg(value_name = "NAME")]
    scenario: String,
    #[arg(value_name = "FROM")]
    from: String,
    /// Type of the relationship, read from FROM to TO
    #[arg(value_name = "TYPE")]
    kind: String,
    #[arg(value_name = "TO")]
    to: String,
}

impl Unrelate {
    pub async fn run(self, session: &mut Session) -> Result<(), CommandError> {
        let connection = session.connect().await?;
        let unrelate = ScenarioUnrelate { from: self.from, r#type: self.kind, to: self.to };
        edit(session, &connection, self.scenario, Edit::Unrelate(unrelate)).await
    }
}

#[derive(Args, Debug)]
pub struct Require {
    #[arg(value_name = "NAME")]
    scenario: String,
    /// The dependent
    #[arg(value_name = "ITEM")]
    item: String,
    #[arg(value_name = "GROUP")]
    group: String,
    /// all, any, `at_least N`, `percent P` or `capacity C`
    #[arg(value_name = "REQUIRE", required = true)]
    require: Vec<String>,
}

impl Require {
    pub async fn run(self, session: &mut Session) -> Result<(), CommandError> {
        let connection = session.connect().await?;
        let require = self.require.join(" ");
        let require = ScenarioRequire { item: self.item, group: self.group, require };
        edit(session, &connection, self.scenario, Edit::Require(require)).await
    }
}

async fn edit(
    session: &mut Session,
    connection: &Connection,
    name: String,
    edit: Edit,
) -> Result<(), CommandError> {
    let request = EditScenarioRequest { name, edits: vec![ScenarioEdit { edit: Some(edit) }] };
    let scenario = connection.scenarios().edit(request).await?.into_inner();
    list::edited(session, &scenario, 1)
}

/// Values of the types that the item's class declares.
async fn attributes(
    connection: &Connection,
    about: &Item,
    assignments: &[(String, String)],
) -> Result<BTreeMap<String, Value>, CommandError> {
    if assignments.is_empty() {
        return Ok(BTreeMap::new());
    }
    let declared = set::declarations(connection, about).await?;
    let mut attributes = BTreeMap::new();
    for (name, text) in assignments {
        if name == set::NAME {
            return Err(CommandError::usage("a scenario cannot rename an item")
                .with("given", format!("{name}={text}"))
                .hint("`cmdb set ITEM name=…` does, outside of scenarios"));
        }
        if attributes.insert(name.clone(), set::read(about, &declared, name, text)?).is_some() {
            return Err(CommandError::usage(format!("{name} is set twice")).hint("leave one of them out"));
        }
    }
    Ok(attributes)
}
