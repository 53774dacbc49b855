//! `cmdb merge`: makes one item of two. The old id, its keys and its name lead to the item that stays.

use clap::Args;
use cmdb_proto::v1::MergeRequest;

pub use super::correction::FORMATS;
use super::correction::{self, Options, Outcomes};
use crate::error::CommandError;
use crate::session::Session;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cmdb merge web01 cmdb:srv-7 --reason 'one machine, two inventories'")]
pub struct Arguments {
    /// The item that stays
    #[arg(value_name = "INTO")]
    into: String,
    /// The item whose claims, relationships and references move there
    #[arg(value_name = "ITEM")]
    item: String,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = MergeRequest {
        into: arguments.into,
        item: arguments.item,
        dry_run: arguments.options.dry_run,
        reason: arguments.options.reason.clone(),
    };
    let answer = session.connect().await?.identity().merge(request).await?.into_inner();
    let dropped = answer.dropped.into_iter();
    let outcomes = Outcomes {
        revision: answer.revision,
        changes: answer.changes,
        notes: vec![format!("{} leads to {}; `cmdb split {0}` undoes it", answer.item, answer.into)],
        skipped: dropped.map(|edge| format!("{edge} would relate the item to itself: dropped")).collect(),
    };
    correction::report(session, &arguments.options, &outcomes)
}
