//! `cmdb purge`: erases every value of an attribute, from what the sources say and from the whole history; or the reason of
//! a commit.

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
    --reason 'the label is clean again'\n  cmdb purge --commit 42 --reason 'a password in a reason'\n\nIt cannot be undone. Backups and exports keep what they hold; the pages of the store's \
    file do until `cmdb-server compact`."
)]
pub struct Arguments {
    /// The item and its attribute; of a claim that waits for its host, SOURCE:KEY.ATTRIBUTE
    #[arg(value_name = "ITEM.ATTRIBUTE", required_unless_present = "commit")]
    attribute: Option<String>,
    /// Erase the reason of this commit, and what was written down with the same words
    #[arg(long, value_name = "REVISION", value_parser = correction::revision, conflicts_with = "attribute")]
    commit: Option<u64>,
    /// Erase nothing: let sources state the attribute again
    #[arg(long, conflicts_with = "commit")]
    lift: bool,
    #[command(flatten)]
    options: Options,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let Arguments { attribute: given, commit, lift, options } = arguments;
    let (item, attribute) = given.as_deref().map_or(Ok(("", "")), named)?;
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
        commit: commit.unwrap_or(0),
    };
    let answer = session.connect().await?.items().purge(request).await?.into_inner();
    let outcomes = Outcomes {
        revision: answer.revision,
        notes: if lift { Vec::new() } else { notes(&answer, commit, attribute, options.dry_run) },
        skipped: answer.remains,
        changes: answer.changes,
    };
    correction::report(session, &options, &outcomes)
}

fn named(given: &str) -> Result<(&str, &str), CommandError> {
    let named = given.rsplit_once('.').filter(|(item, attribute)| !item.is_empty() && !attribute.is_empty());
    named.ok_or_else(|| {
        CommandError::usage(format!(
            "\"{given}\" names no attribute of an item: write ITEM.ATTRIBUTE, such as db-1.labels"
        ))
        .hint("the reason of a commit is erased by --commit REVISION")
    })
}

fn notes(answer: &PurgeResponse, commit: Option<u64>, attribute: &str, is_dry: bool) -> Vec<String> {
    let erased = if is_dry { "would be erased" } else { "was erased" };
    let what =
        commit.map_or_else(|| attribute.to_owned(), |commit| format!("the reason of revision {commit}"));
    let versions = words::count(answer.versions, "version", "versions");
    let mut notes = Vec::new();
    match commit {
        Some(_) => notes.push(format!("{what} {erased}")),
        None if answer.items.is_empty() => {}
        None => notes
            .push(format!("{what} {erased} from {versions} in the history of {}", answer.items.join(", "))),
    }
    if commit.is_some() && !answer.items.is_empty() {
        notes.push(format!("the same words {erased} from the history of {}", answer.items.join(", ")));
    }
    if answer.waiting > 0 {
        let claims = words::count(answer.waiting, "claim that waits", "claims that wait");
        notes.push(format!("{what} {erased} from {claims}"));
    }
    notes.extend(answer.scenarios.iter().map(|name| format!("{what} {erased} from scenario {name}")));
    notes
}

#[cfg(test)]
mod tests {
    use cmdb_proto::v1::PurgeResponse;

    use super::{named, notes};
    use crate::canned;
    use crate::output::change;

    #[test]
    fn what_is_named_is_an_attribute_of_something() {
        assert_eq!(named("db-1.labels").ok(), Some(("db-1", "labels")));
        assert_eq!(
            named("agent-1:os.db.example.org.labels").ok(),
            Some(("agent-1:os.db.example.org", "labels"))
        );
        for given in ["db-1", ".labels", "db-1.", ""] {
            assert!(named(given).is_err(), "{given}");
        }
    }

    #[test]
    fn what_was_erased_is_said_of_each_place() {
        let answer = PurgeResponse {
            versions: 3,
            items: vec!["@2".into(), "@7".into()],
            scenarios: vec!["move".into()],
            waiting: 1,
            ..PurgeResponse::default()
        };
        assert_eq!(
            notes(&answer, None, "labels", false),
            [
                "labels was erased from 3 versions in the history of @2, @7",
                "labels was erased from 1 claim that waits",
                "labels was erased from scenario move",
            ]
        );
        let answer = PurgeResponse { items: vec!["@2".into()], ..PurgeResponse::default() };
        assert_eq!(
            notes(&answer, Some(42), "", true),
            [
                "the reason of revision 42 would be erased",
                "the same words would be erased from the history of @2",
            ]
        );
    }

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
