//! `cmdb revert`: undoes a commit by a new one. What was changed again since then is left, and said.

use clap::Args;
use cmdb_proto::v1::RevertRequest;

pub use super::correction::FORMATS;
use super::correction::{self, Options, Outcomes};
use crate::error::CommandError;
use crate::session::Session;

#[derive(Args, Debug)]
pub struct Arguments {
    /// The commit's revision, as `cmdb history` and `cmdb watch` print it
    #[arg(value_name = "COMMIT", value_parser = correction::revision)]
    revision: u64,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = RevertRequest {
        revision: arguments.revision,
        dry_run: arguments.options.dry_run,
        reason: arguments.options.reason.clone(),
    };
    let answer = session.connect().await?.commits().revert(request).await?.into_inner();
    let outcomes = Outcomes {
        revision: answer.revision,
        changes: answer.changes,
        notes: Vec::new(),
        skipped: answer.skipped,
    };
    correction::report(session, &arguments.options, &outcomes)
}
