//! `cmdb baseline`: moments that are kept for good, whatever becomes of the history around them.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use cmdb_proto::v1::{
    Baseline, CreateBaselineRequest, DeleteBaselineRequest, ListBaselinesRequest, ListBaselinesResponse,
};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::error::CommandError;
use crate::output::table::{NAME, Table};
use crate::output::{Format, escape, json};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  cmdb baseline create audit-2026 --as-of 2026-06-30 --reason 'the annual audit'\n  \
    cmdb impact db-1 --as-of audit-2026"
)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Keep a moment under a name, which --as-of takes from then on
    Create {
        #[arg(value_name = "NAME")]
        name: String,
        /// The moment [default: now]
        #[arg(long, value_name = "WHEN", default_value = "", hide_default_value = true)]
        as_of: String,
        /// What it is kept for
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
    /// All baselines, and from where on every change is kept
    List,
    /// Forget a baseline; what only it kept is dropped by the next compaction
    Delete {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let connection = session.connect().await?;
    match arguments.what {
        What::Create { name, as_of, reason } => {
            let request = CreateBaselineRequest { name, as_of, reason };
            let made = connection.commits().create_baseline(request).await?.into_inner();
            let out = session.out.as_mut();
            match session.format {
                Format::Json => json::write(out, &baseline(&made))?,
                _ => {
                    let moment = time::for_people(made.recorded_at_us).unwrap_or_default();
                    let name = escape::line(&made.name);
                    writeln!(out, "{NAME}{name}{NAME:#} keeps revision {}, {moment}", made.revision)?;
                }
            }
        }
        What::List => {
            let answer = connection.commits().list_baselines(ListBaselinesRequest {}).await?.into_inner();
            let now = session.now;
            let out = session.out.as_mut();
            match session.format {
                Format::Json => json::write(out, &all(&answer))?,
                _ => table(out, &answer, now)?,
            }
        }
        What::Delete { name } => {
            connection.commits().delete_baseline(DeleteBaselineRequest { name: name.clone() }).await?;
            let out = session.out.as_mut();
            match session.format {
                Format::Json => json::write(out, &json!({ "deleted": name }))?,
                _ => writeln!(out, "{} is kept no more", escape::line(&name))?,
            }
        }
    }
    Ok(())
}

fn table(out: &mut dyn Write, answer: &ListBaselinesResponse, now: Timestamp) -> io::Result<()> {
    if answer.baselines.is_empty() {
        writeln!(out, "no baselines")?;
    } else {
        let mut rows = Table::new(&["NAME", "REVISION", "RECORDED", "MADE", "BY", "REASON"]).right(1);
        for baseline in &answer.baselines {
            rows.row([
                (&baseline.name).into(),
                baseline.revision.into(),
                time::for_people(baseline.recorded_at_us).unwrap_or_default().into(),
                time::ago(baseline.created_at_us, now).unwrap_or_default().into(),
                (&baseline.created_by).into(),
                (&baseline.reason).into(),
            ]);
        }
        rows.write(out)?;
    }
    match answer.oldest_revision {
        0 => writeln!(out, "every change is kept"),
        oldest => writeln!(out, "every change is kept from revision {oldest} on"),
    }
}

fn all(answer: &ListBaselinesResponse) -> Json {
    json!({
        "baselines": answer.baselines.iter().map(baseline).collect::<Vec<_>>(),
        "oldest_revision": answer.oldest_revision,
    })
}

fn baseline(baseline: &Baseline) -> Json {
    json!({
        "name": baseline.name,
        "revision": baseline.revision,
        "recorded_at": time::rfc3339(baseline.recorded_at_us),
        "created_at": time::rfc3339(baseline.created_at_us),
        "created_by": baseline.created_by,
        "reason": baseline.reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn the_table_says_what_is_kept() {
        let print = |answer: &ListBaselinesResponse| {
            let mut out = Vec::new();
            let now = Timestamp::from_microsecond(canned::NOW_US).expect("in range");
            table(&mut out, answer, now).expect("memory takes it");
            let text = String::from_utf8(out).expect("text");
            anstream::adapter::strip_str(&text).to_string()
        };
        let shown = print(&canned::baselines());
        assert!(
            shown.contains("audit-2026        17  2026-11-03 12:05:11Z  60 min ago  anna  the annual audit"),
            "{shown}"
        );
        assert!(shown.ends_with("every change is kept from revision 30 on\n"), "{shown}");
        assert_eq!(print(&ListBaselinesResponse::default()), "no baselines\nevery change is kept\n");
    }
}
