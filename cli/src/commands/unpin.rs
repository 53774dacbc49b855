//! `cmdb unpin`: lets go of values that are pinned, whoever pinned them.

use clap::Args;
use cmdb_proto::v1::{Claim, ItemClaim};

pub use super::correction::FORMATS;
use super::correction::{self, Options};
use crate::error::CommandError;
use crate::session::Session;

#[derive(Args, Debug)]
#[command(
    after_help = "The value stays with the person who pinned it, and counts as any other value of a person."
)]
pub struct Arguments {
    #[arg(value_name = "ITEM")]
    item: String,
    #[arg(required = true, value_name = "ATTRIBUTE")]
    attributes: Vec<String>,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let connection = session.connect().await?;
    let item = correction::find(&connection, &arguments.item).await?;
    let said = ItemClaim { unpinned: arguments.attributes, ..ItemClaim::default() };
    let claim = Claim { key: item.id, item: Some(said), ..Claim::default() };
    let outcomes = correction::apply(&connection, claim, &arguments.options).await?;
    correction::report(session, &arguments.options, &outcomes)
}
