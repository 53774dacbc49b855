//! `cmdb relate`: states by hand that one item is related to another.

use clap::Args;
use cmdb_proto::v1::reference::To;
use cmdb_proto::v1::{Claim, Reference, RelationshipClaim};

pub use super::correction::FORMATS;
use super::correction::{self, Options};
use crate::error::CommandError;
use crate::session::Session;

#[derive(Args, Debug)]
#[command(after_help = "`cmdb classes --relationships` lists the types.\n\n\
    Example:\n  cmdb relate web-2 depends_on orders-db --group db --reason 'second pool member'")]
pub struct Arguments {
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
    #[arg(long, value_name = "WEIGHT", value_parser = weight)]
    weight: Option<f64>,
    #[command(flatten)]
    options: Options,
}

pub fn weight(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(weight) if f64::is_finite(weight) && weight > 0.0 => Ok(weight),
        _ => Err("a weight is a number above 0".to_owned()),
    }
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let claim = RelationshipClaim {
        r#type: arguments.kind,
        group: arguments.group,
        weight: arguments.weight.unwrap_or(0.0),
        ..RelationshipClaim::default()
    };
    state(session, &arguments.from, claim, &arguments.to, &arguments.options).await
}

/// States `claim` of the items that FROM and TO name.
pub async fn state(
    session: &mut Session,
    from: &str,
    claim: RelationshipClaim,
    to: &str,
    options: &Options,
) -> Result<(), CommandError> {
    let connection = session.connect().await?;
    let from = correction::find(&connection, from).await?;
    let to = correction::find(&connection, to).await?;
    let relationship = RelationshipClaim { to: Some(Reference { to: Some(To::Id(to.id)) }), ..claim };
    let claim = Claim { key: from.id, relationships: vec![relationship], ..Claim::default() };
    let outcomes = correction::apply(&connection, claim, options).await?;
    correction::report(session, options, &outcomes)
}
