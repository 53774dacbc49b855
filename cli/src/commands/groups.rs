//! `cmdb groups`: redundancy groups, and a person's word on those that were concluded from evidence.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use cmdb_proto::v1::{
    ConfirmGroupRequest, GraphItem, Group, JudgeGroupResponse, ListGroupsRequest, ListGroupsResponse,
    RejectGroupRequest,
};
use serde_json::{Value as Json, json};

use super::as_of::AsOf;
use super::correction::{self, Options, Outcomes};
use crate::error::CommandError;
use crate::output::table::{FAINT, GOOD, NAME, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

/// The most members that a line names.
const MEMBERS_SHOWN: usize = 8;

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "A group that was concluded counts as a guess: what rests on it is \"at risk\" in `cmdb impact`, until a\n\
                  person confirms or rejects it. `cmdb revert` takes such a word back.\n\n\
                  Examples:\n  cmdb groups --state proposed\n  \
                  cmdb groups confirm shop postgresql:5432 --reason 'streaming replication'\n  \
                  cmdb groups confirm shop redis:6379 --requires 'at_least 2' --reason 'quorum'\n  \
                  cmdb groups reject shop tcp/9200 --reason 'two separate indexes'"
)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Say that a group that was concluded holds
    Confirm {
        /// The item that needs the group
        #[arg(value_name = "ITEM")]
        item: String,
        /// The group's name on it
        #[arg(value_name = "GROUP")]
        group: String,
        /// How many members are needed: all, any, a number, "at_least N", "percent P" [default: as it was concluded]
        #[arg(long, value_name = "HOW_MANY", default_value = "", hide_default_value = true)]
        requires: String,
        #[command(flatten)]
        options: Options,
    },
    /// Say that it does not hold: every member is needed, and it is never proposed again
    Reject {
        /// The item that needs the group
        #[arg(value_name = "ITEM")]
        item: String,
        /// The group's name on it
        #[arg(value_name = "GROUP")]
        group: String,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args, Debug)]
struct List {
    /// Only groups of this item
    #[arg(long, value_name = "ITEM", default_value = "", hide_default_value = true)]
    item: String,
    /// Only groups in this state; may be given several times
    #[arg(long, value_name = "STATE", value_parser = ["declared", "proposed", "confirmed", "rejected"])]
    state: Vec<String>,
    /// Only groups that are at least this sure, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, hide_default_value = true)]
    min_confidence: f64,
    /// List at most this many groups [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    match arguments.what {
        None => list(arguments.list, session).await,
        Some(What::Confirm { item, group, requires, options }) => {
            let request = ConfirmGroupRequest {
                item,
                group,
                require: requirement(&requires),
                dry_run: options.dry_run,
                reason: options.reason.clone(),
            };
            let answer = session.connect().await?.groups().confirm(request).await?.into_inner();
            judged(session, &options, answer)
        }
        Some(What::Reject { item, group, options }) => {
            let (dry_run, reason) = (options.dry_run, options.reason.clone());
            let request = RejectGroupRequest { item, group, dry_run, reason };
            let answer = session.connect().await?.groups().reject(request).await?.into_inner();
            judged(session, &options, answer)
        }
    }
}

/// A bare number is how many members are needed at least.
fn requirement(text: &str) -> String {
    match text.trim().parse::<u32>() {
        Ok(number) => format!("at_least {number}"),
        Err(_) => text.to_owned(),
    }
}

fn judged(session: &mut Session, options: &Options, answer: JudgeGroupResponse) -> Result<(), CommandError> {
    let outcomes = Outcomes {
        revision: answer.revision,
        changes: answer.changes,
        notes: Vec::new(),
        skipped: Vec::new(),
    };
    correction::report(session, options, &outcomes)
}

async fn list(arguments: List, session: &mut Session) -> Result<(), CommandError> {
    let request = ListGroupsRequest {
        item: arguments.item,
        standings: arguments.state,
        confidence_min: arguments.min_confidence,
        limit: arguments.limit.unwrap_or(0),
        as_of: arguments.as_of.text(),
    };
    let answer = session.connect().await?.groups().list(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => json::write(out, &object(&answer))?,
        _ => {
            text(out, &answer)?;
            arguments.as_of.write(out, answer.as_of_revision, answer.as_of_us, session.now)?;
        }
    }
    Ok(())
}

fn object(answer: &ListGroupsResponse) -> Json {
    json!({
        "revision": answer.as_of_revision,
        "as_of": time::rfc3339(answer.as_of_us),
        "groups": answer.groups.iter().map(group_object).collect::<Vec<_>>(),
        "total": answer.total,
    })
}

fn group_object(group: &Group) -> Json {
    let members: Vec<Json> = group.members.iter().map(|item| Json::Object(json::graph_item(item))).collect();
    json!({
        "item": group.item.as_ref().map(json::graph_item),
        "group": group.group,
        "state": group.standing,
        "require": group.require,
        "confidence": group.confidence,
        "evidence": json::or_null(&group.evidence),
        "reason": json::or_null(&group.reason),
        "members": members,
        "members_total": group.members_total,
        "sources": group.sources,
    })
}

fn text(out: &mut dyn Write, answer: &ListGroupsResponse) -> io::Result<()> {
    if answer.groups.is_empty() {
        return writeln!(out, "there are no such groups");
    }
    for group in &answer.groups {
        one(out, group)?;
    }
    let left = answer.total.saturating_sub(answer.groups.len() as u64);
    if left > 0 {
        writeln!(out, "{WARN}not listed{WARN:#}: {} more groups, --limit N lists more", words::number(left))?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, group: &Group) -> io::Result<()> {
    let item = group.item.clone().unwrap_or_default();
    let state = escape::line(&group.standing);
    let style = if group.standing == "proposed" { WARN } else { GOOD };
    let sure = (group.confidence * 100.0).round();
    let sure = if group.standing == "proposed" { format!(", {sure} % sure") } else { String::new() };
    writeln!(
        out,
        "{style}{state}{style:#} {NAME}{}{NAME:#} of {}: needs {} of {}{sure}",
        escape::line(&group.group),
        named(&item),
        escape::line(&group.require),
        words::number(group.members_total),
    )?;
    let mut members: Vec<String> = group.members.iter().take(MEMBERS_SHOWN).map(named).collect();
    let left = group.members_total.saturating_sub(members.len() as u64);
    if left > 0 {
        members.push(format!("and {} more", words::number(left)));
    }
    writeln!(out, "  {}", members.join(" · "))?;
    if !group.evidence.is_empty() {
        writeln!(out, "  because {}", escape::line(&group.evidence))?;
    }
    let by = escape::line(&group.sources.join(", ")).to_string();
    match group.reason.as_str() {
        "" => writeln!(out, "  {FAINT}{by}{FAINT:#}"),
        reason => writeln!(out, "  {FAINT}{by}: {}{FAINT:#}", escape::line(reason)),
    }
}

fn named(item: &GraphItem) -> String {
    format!("{} ({}, {})", escape::line(&item.name), item.id, escape::line(&item.class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn a_group_shows_what_it_rests_on() {
        let answer = ListGroupsResponse { groups: vec![canned::group()], total: 2, ..Default::default() };
        let object = object(&answer);
        assert_eq!(object["groups"][0]["state"], "proposed");
        assert_eq!(object["groups"][0]["members"][1]["name"], "web-2");
        assert_eq!(object["groups"][0]["reason"], Json::Null);
        let mut out = Vec::new();
        text(&mut out, &answer).expect("a vector takes everything");
        let out = String::from_utf8(out).expect("text");
        assert_eq!(
            anstream::adapter::strip_str(&out).to_string(),
            "proposed nginx:443 of Shop (@5, business_service): needs any of 2, 70 % sure\n  \
             web-1 (@3, web_server) · web-2 (@4, web_server)\n  \
             because one client uses nginx on port 443 of 2 hosts\n  \
             rule-redundancy\nnot listed: 1 more groups, --limit N lists more\n"
        );
    }

    #[test]
    fn a_number_is_how_many_are_needed() {
        assert_eq!(requirement("2"), "at_least 2");
        assert_eq!(requirement("any"), "any");
        assert_eq!(requirement(""), "");
    }
}
