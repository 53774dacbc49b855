//! `cmdb set`: states attributes of an item by hand, each read by the type that its class declares.

use std::collections::BTreeMap;

use clap::Args;
use cmdb_proto::v1::{AttributeDeclaration, Claim, ClassesRequest, Item, ItemClaim, PinClaim, Value};

pub use super::correction::FORMATS;
use super::correction::{self, Options};
use crate::connection::Connection;
use crate::error::CommandError;
use crate::session::Session;
use crate::value::Type;

/// The one assignment that is no attribute.
pub const NAME: &str = "name";

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cmdb set orders-db version=15.5 --reason 'upgraded last night'\n  \
    cmdb set @42 os.support_ends=2028-06-30\n  cmdb set orders-db version=   (takes back what you set)\n  \
    cmdb set orders-db environment=production --pin --until 2027-01-01 --reason 'migration'")]
pub struct Arguments {
    #[arg(value_name = "ITEM")]
    item: String,
    /// `version=15.5` sets, `version=` takes your value back, `name=…` names the item
    #[arg(required = true, value_name = "ATTRIBUTE=VALUE", value_parser = assignment)]
    assignments: Vec<(String, String)>,
    /// Hold the values against every other source, also against later persons; give a --reason
    #[arg(long)]
    pin: bool,
    /// When the pin ends, such as 2027-01-01 or 2027-01-01T08:00:00Z [default: when somebody unpins it]
    #[arg(long, value_name = "DATE", requires = "pin", value_parser = moment)]
    until: Option<i64>,
    #[command(flatten)]
    options: Options,
}

pub fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        None => Err("there is no = in it; write ATTRIBUTE=VALUE, such as version=15.5".to_owned()),
        Some(("", _)) => Err("there is no attribute before the =".to_owned()),
        Some((NAME, "")) => Err("a name can be set but not taken back".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
    }
}

fn moment(text: &str) -> Result<i64, String> {
    crate::time::parse(text)
        .ok_or_else(|| "a date or a moment, such as 2027-01-01 or 2027-01-01T08:00:00Z".to_owned())
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let connection = session.connect().await?;
    let item = correction::find(&connection, &arguments.item).await?;
    let declared = declarations(&connection, &item).await?;
    let mut claim = claim(&item, &declared, &arguments.assignments)?;
    if arguments.pin {
        pin(&mut claim, arguments.until, &arguments.options.reason)?;
    }
    let outcomes = correction::apply(&connection, claim, &arguments.options).await?;
    correction::report(session, &arguments.options, &outcomes)
}

/// Holds everything that the claim sets.
fn pin(claim: &mut Claim, until: Option<i64>, reason: &str) -> Result<(), CommandError> {
    if reason.trim().is_empty() {
        return Err(CommandError::usage("a pin needs a reason").hint("say why: --reason TEXT"));
    }
    let Some(item) = &mut claim.item else { return Ok(()) };
    if !item.name.is_empty() {
        return Err(CommandError::usage("a name cannot be pinned").hint("set it without --pin"));
    }
    for (name, value) in &item.attributes {
        if value.kind.is_none() {
            return Err(CommandError::usage(format!("{name} is pinned without a value"))
                .hint(format!("give it one, or `cmdb unpin ITEM {name}`")));
        }
        let how = PinClaim { until_us: until.unwrap_or(0), reason: reason.to_owned() };
        item.pins.insert(name.clone(), how);
    }
    Ok(())
}

/// The attributes that the item's class declares.
pub async fn declarations(
    connection: &Connection,
    item: &Item,
) -> Result<Vec<AttributeDeclaration>, CommandError> {
    let request = ClassesRequest { class: item.class.clone(), ..ClassesRequest::default() };
    let classes = connection.schema().classes(request).await?.into_inner().classes;
    let class = classes.into_iter().find(|class| class.name == item.class);
    Ok(class.map(|class| class.attributes).unwrap_or_default())
}

fn claim(
    item: &Item,
    declared: &[AttributeDeclaration],
    assignments: &[(String, String)],
) -> Result<Claim, CommandError> {
    let mut claim = ItemClaim::default();
    let mut attributes = BTreeMap::new();
    for (name, text) in assignments {
        let is_repeated = if name == NAME {
            !std::mem::replace(&mut claim.name, text.clone()).is_empty()
        } else {
            attributes.insert(name.clone(), read(item, declared, name, text)?).is_some()
        };
        if is_repeated {
            return Err(CommandError::usage(format!("{name} is set twice")).hint("leave one of them out"));
        }
    }
    claim.attributes = attributes;
    Ok(Claim { key: item.id.clone(), item: Some(claim), ..Claim::default() })
}

/// A value of the declared type; text where nothing is declared; no value for an empty text.
pub fn read(
    item: &Item,
    declared: &[AttributeDeclaration],
    name: &str,
    text: &str,
) -> Result<Value, CommandError> {
    if text.is_empty() {
        return Ok(Value { kind: None });
    }
    let declaration = declared.iter().find(|declaration| declaration.name == name);
    let declared = declaration.and_then(|declaration| Type::named(&declaration.r#type)).unwrap_or(Type::Text);
    let unit = declaration.map_or("", |declaration| declaration.unit.as_str());
    let expected = if unit.is_empty() {
        declared.expected().to_owned()
    } else {
        format!("{} ({unit})", declared.expected())
    };
    declared.parse(text).ok_or_else(|| {
        CommandError::usage(format!("{name} cannot have this value"))
            .with("thing", format!("{name} of {} ({}, {})", item.name, item.id, item.class))
            .with("expected", expected)
            .with("given", text)
            .hint(format!("`cmdb classes {}` lists the attributes and their types", item.class))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_become_one_claim_about_the_id() {
        let item = Item { id: "@42".into(), class: "server".into(), name: "web-1".into(), ..Item::default() };
        let declared = [AttributeDeclaration {
            name: "cpu.count".into(),
            r#type: "integer".into(),
            ..AttributeDeclaration::default()
        }];
        let check = |given: &[&str]| {
            let assignments: Vec<_> =
                given.iter().map(|text| assignment(text).expect("well formed")).collect();
            claim(&item, &declared, &assignments)
        };
        let said = check(&["cpu.count=8", "note=a=b", "name=web one", "site="]).expect("it can be said");
        assert_eq!(said.key, "@42");
        let said = said.item.expect("about an item");
        assert_eq!((said.class.as_str(), said.name.as_str()), ("", "web one"));
        assert_eq!(said.attributes["cpu.count"], Type::Integer.parse("8").expect("an integer"));
        assert_eq!(said.attributes["note"], Type::Text.parse("a=b").expect("text"));
        assert_eq!(said.attributes["site"], Value { kind: None });
        let refused = check(&["cpu.count=eight"]).expect_err("not a number");
        assert_eq!(refused.details[1], ("expected", "a whole number, such as 42".to_owned()));
        assert!(check(&["note=a", "note=b"]).is_err());
        assert!(check(&["name=a", "name=b"]).is_err());
    }

    #[test]
    fn what_is_no_assignment_is_refused() {
        for given in ["version", "=15", "name="] {
            assert!(assignment(given).is_err(), "{given}");
        }
    }
}
