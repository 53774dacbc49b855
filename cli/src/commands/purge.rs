//! `cmdb purge`: erases every value of an attribute, from what the sources say and from the whole history.

use clap::Args;
use cmdb_proto::v1::{PurgeRequest, PurgeResponse};

pub use super::correction::FORMATS;
use super::correction::{self, Options, Outcomes};
use crate::error::CommandError;
use crate::output::words;
use crate::session::Session;

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cmdb purge db-1.labels --reason 'a password in a label'\n  cmdb purge db-1.labels --lift \
    --reason 'the label is clean again'\n\nIt cannot be undone. Backups and exports keep what they hold; the pages of the store's \
    file do until `cmdb-server compact`."
)]
pub struct Arguments {
    /// The item and its attribute
    #[arg(value_name = "ITEM.ATTRIBUTE")]
    attribute: String,
    /// Erase nothing: let sources state the attribute again
    #[arg(long)]
    lift: bool,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let Arguments { attribute: given, lift, options } = arguments;
    let named = given.rsplit_once('.').filter(|(item, attribute)| !item.is_empty() && !attribute.is_empty());
    let Some((item, attribute)) = named else {
        let message =
            format!("\"{given}\" names no attribute of an item: write ITEM.ATTRIBUTE, such as db-1.labels");
        return Err(CommandError::usage(message));
    };
    if !lift && options.reason.trim().is_empty() {
        return Err(CommandError::usage(
            "a purge needs a --reason, which stays in place of the value (do not repeat the value there)",
        ));
    }
    let request = PurgeRequest {
        item: item.to_owned(),
        attribute: attribute.to_owned(),
        lift,
        dry_run: options.dry_run,
        reason: options.reason.clone(),
    };
    let answer = session.connect().await?.items().purge(request).await?.into_inner();
    let outcomes = Outcomes {
        revision: answer.revision,
        notes: if lift { Vec::new() } else { notes(&answer, attribute, options.dry_run) },
        skipped: answer.remains,
        changes: answer.changes,
    };
    correction::report(session, &options, &outcomes)
}

fn notes(answer: &PurgeResponse, attribute: &str, is_dry: bool) -> Vec<String> {
    let erased = if is_dry { "would be erased" } else { "was erased" };
    let versions = words::count(answer.versions, "version", "versions");
    let mut notes =
        vec![format!("{attribute} {erased} from {versions} in the history of {}", answer.items.join(", "))];
    notes.extend(answer.scenarios.iter().map(|name| format!("{attribute} {erased} from scenario {name}")));
    notes
}

#[cfg(test)]
mod tests {
    use crate::canned;
    use crate::output::change;

    #[test]
    fn what_is_purged_says_who_when_and_why() {
        let mut out = Vec::new();
        change::write_all(&mut out, &[canned::purged_change("labels", false)], 0).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        let text = anstream::adapter::strip_str(&text).to_string();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "~ orders-db (@2, database_instance)",
                "labels: purged by anna, 2026-11-03 13:05:11Z: a password",
            ]
        );
    }
}
