//! `cmdb explain`: how each claim of an item was identified, its identifiers, and what wins each attribute and why.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{AttributeContest, ExplainRequest, ExplainResponse, GraphItem, Identification};
use serde_json::{Value as Json, json};

use super::as_of::AsOf;
use super::duplicates;
use crate::error::CommandError;
use crate::output::table::{FAINT, HEADING, NAME};
use crate::output::{Format, escape, json};
use crate::session::Session;
use crate::{time, value};

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
pub struct Arguments {
    #[arg(value_name = "ITEM")]
    item: String,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = ExplainRequest { item: arguments.item, as_of: arguments.as_of.text() };
    let answer = session.connect().await?.identity().explain(request).await?.into_inner();
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

fn object(answer: &ExplainResponse) -> Json {
    let item = answer.item.clone().unwrap_or_default();
    let items = |items: &[GraphItem]| -> Vec<Json> {
        items.iter().map(|item| Json::Object(json::graph_item(item))).collect()
    };
    let contests: Vec<Json> = answer.attributes.iter().map(contest).collect();
    json!({
        "revision": answer.as_of_revision,
        "as_of": time::rfc3339(answer.as_of_us),
        "item": json::item(&item),
        "claims": item.claims.iter().map(json::claim).collect::<Vec<_>>(),
        "identifiers": answer.identifiers.iter().map(duplicates::evidence_object).collect::<Vec<_>>(),
        "attributes": contests,
        "merged": items(&answer.merged),
        "distinct_from": items(&answer.distinct_from),
        "duplicates": items(&answer.duplicates),
    })
}

fn contest(contest: &AttributeContest) -> Json {
    let bids: Vec<Json> = contest
        .bids
        .iter()
        .map(|bid| {
            json!({
                "source": bid.source,
                "key": bid.key,
                "value": bid.value.as_ref().map(value::json),
                "effective": bid.effective,
                "why": bid.why,
            })
        })
        .collect();
    json!({"name": contest.name, "bids": bids})
}

fn text(out: &mut dyn Write, answer: &ExplainResponse) -> io::Result<()> {
    let item = answer.item.clone().unwrap_or_default();
    writeln!(out, "{NAME}{}{NAME:#} ({}, {})", escape::line(&item.name), item.id, escape::line(&item.class))?;
    if !item.redirected_from.is_empty() {
        writeln!(out, "  asked for as {}, which was merged into it", item.redirected_from)?;
    }
    for (what, items) in [
        ("merged into it", &answer.merged),
        ("told apart from", &answer.distinct_from),
        ("may be the same as", &answer.duplicates),
    ] {
        if !items.is_empty() {
            let names: Vec<String> =
                items.iter().map(|item| format!("{} ({})", escape::line(&item.name), item.id)).collect();
            writeln!(out, "  {what}: {}", names.join(", "))?;
        }
    }
    writeln!(out, "\n{HEADING}IDENTIFIED{HEADING:#}")?;
    for claim in &item.claims {
        let withdrawn = if claim.withdrawn_at_us == 0 { "" } else { " (withdrawn)" };
        writeln!(out, "  {}:{}{withdrawn}", escape::line(&claim.source), escape::line(&claim.key))?;
        if let Some(identification) = &claim.identification {
            identified(out, identification)?;
        }
    }
    if !answer.identifiers.is_empty() {
        writeln!(out, "\n{HEADING}IDENTIFIERS{HEADING:#}")?;
        for row in &answer.identifiers {
            duplicates::evidence(out, row)?;
        }
    }
    writeln!(out, "\n{HEADING}ATTRIBUTES{HEADING:#}")?;
    for contest in &answer.attributes {
        writeln!(out, "  {}", escape::line(&contest.name))?;
        for bid in &contest.bids {
            let mark = if bid.effective { "=" } else { " " };
            let value = bid.value.as_ref().map(value::text).unwrap_or_default();
            let (value, source) = (escape::line(&value).to_string(), escape::line(&bid.source).to_string());
            writeln!(out, "  {mark} {value} {FAINT}{source}: {}{FAINT:#}", escape::line(&bid.why))?;
        }
    }
    Ok(())
}

/// How a claim was identified, in a few lines.
pub fn identified(out: &mut dyn Write, identification: &Identification) -> io::Result<()> {
    let how = identification.method().as_str_name().to_ascii_lowercase();
    let values: Vec<String> = identification
        .rule
        .iter()
        .map(|name| format!("{name} {}", identification.values.get(name).map_or("", String::as_str)))
        .collect();
    let by = if values.is_empty() { String::new() } else { format!(" by {}", values.join(" + ")) };
    let candidates = match identification.candidates.as_slice() {
        [] => String::new(),
        some => format!(", candidates {}", some.join(", ")),
    };
    writeln!(out, "    {how}{}{candidates}", escape::line(&by))?;
    for skipped in &identification.skipped {
        writeln!(out, "      {FAINT}{}{FAINT:#}", escape::line(skipped))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn the_winner_stands_first_with_its_reason() {
        let object = object(&canned::explanation());
        assert_eq!(object["attributes"][0]["bids"][0]["effective"], true);
        assert_eq!(object["merged"][0]["id"], "@3");
        assert_eq!(object["claims"][0]["identification"]["method"], "rule");
    }
}
