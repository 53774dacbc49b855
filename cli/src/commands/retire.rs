//! `cmdb retire`: takes an item out of use. It no longer counts in impact; its history stays.

use clap::Args;
use cmdb_proto::v1::RetireRequest;

pub use super::correction::FORMATS;
use super::correction::{self, Options, Outcomes};
use crate::error::CommandError;
use crate::session::Session;

#[derive(Args, Debug)]
pub struct Arguments {
    #[arg(value_name = "ITEM")]
    item: String,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = RetireRequest {
        item: arguments.item,
        dry_run: arguments.options.dry_run,
        reason: arguments.options.reason.clone(),
    };
    let answer = session.connect().await?.items().retire(request).await?.into_inner();
    let outcomes = Outcomes {
        revision: answer.revision,
        changes: answer.changes,
        notes: Vec::new(),
        skipped: Vec::new(),
    };
    correction::report(session, &arguments.options, &outcomes)
}
