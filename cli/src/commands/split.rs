//! `cmdb split`: undoes a merge claim by claim, also long after. What nobody can decide stays, and is listed.

use clap::Args;
use cmdb_proto::v1::{ClaimChoice, SplitRequest};

pub use super::correction::FORMATS;
use super::correction::{self, Options, Outcomes};
use crate::error::CommandError;
use crate::session::Session;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cmdb split @42 --dry-run\n  cmdb split @42 --claim scan:host-9=@42")]
pub struct Arguments {
    /// The merged item: its old id or name
    #[arg(value_name = "ITEM")]
    item: String,
    /// Where a claim goes that came after the merge: SOURCE:KEY=@ID, of one of the two items
    #[arg(long = "claim", value_name = "SOURCE:KEY=@ID", value_parser = choice)]
    claims: Vec<ClaimChoice>,
    #[command(flatten)]
    options: Options,
}

fn choice(text: &str) -> Result<ClaimChoice, String> {
    let expected = "write SOURCE:KEY=@ID, such as scan:host-9=@42";
    let (claim, item) = text.rsplit_once('=').ok_or(expected)?;
    let (source, key) = claim.split_once(':').ok_or(expected)?;
    if source.is_empty() || key.is_empty() || !item.starts_with('@') {
        return Err(expected.to_owned());
    }
    Ok(ClaimChoice { source: source.to_owned(), key: key.to_owned(), item: item.to_owned() })
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = SplitRequest {
        item: arguments.item,
        choices: arguments.claims,
        dry_run: arguments.options.dry_run,
        reason: arguments.options.reason.clone(),
    };
    let answer = session.connect().await?.identity().split(request).await?.into_inner();
    let mut skipped: Vec<String> = answer
        .undecided
        .iter()
        .map(|claim| {
            let name = format!("{}:{}", claim.source, claim.key);
            format!("{name} came after the merge: --claim {name}={} moves it", answer.item)
        })
        .collect();
    skipped.extend(answer.notes);
    let outcomes =
        Outcomes { revision: answer.revision, changes: answer.changes, notes: Vec::new(), skipped };
    correction::report(session, &arguments.options, &outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_names_a_claim_and_an_id() {
        let read = choice("scan:a:b=c=@42").expect("well formed");
        assert_eq!((read.source.as_str(), read.key.as_str(), read.item.as_str()), ("scan", "a:b=c", "@42"));
        for wrong in ["scan=@42", "scan:a", "scan:a=42", ":a=@42", "scan:=@42"] {
            assert!(choice(wrong).is_err(), "{wrong}");
        }
    }
}
