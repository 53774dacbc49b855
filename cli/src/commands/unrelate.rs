//! `cmdb unrelate`: states by hand that a relationship does not exist, whoever claims it.

use clap::Args;
use cmdb_proto::v1::RelationshipClaim;

pub use super::correction::FORMATS;
use super::correction::Options;
use super::relate;
use crate::error::CommandError;
use crate::session::Session;

#[derive(Args, Debug)]
#[command(
    after_help = "The relationship stays denied even when an agent reports it again; `cmdb relate` takes that back."
)]
pub struct Arguments {
    #[arg(value_name = "FROM")]
    from: String,
    /// Type of the relationship, read from FROM to TO
    #[arg(value_name = "TYPE")]
    kind: String,
    #[arg(value_name = "TO")]
    to: String,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let claim = RelationshipClaim { r#type: arguments.kind, denied: true, ..RelationshipClaim::default() };
    relate::state(session, &arguments.from, claim, &arguments.to, &arguments.options).await
}
