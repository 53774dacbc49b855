//! `cmdb status`: how the server is, what it holds, and who reports to it.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{Cost, SourceStatus, StatusRequest, StatusResponse};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::error::CommandError;
use crate::output::table::{Cell, FAINT, GOOD, NAME, Table, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
pub struct Arguments {}

pub async fn run(_: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let status = session.connect().await?.admin().status(StatusRequest {}).await?.into_inner();
    match session.format {
        Format::Json => json::write(session.out.as_mut(), &object(&session.target.url, &status))?,
        _ => table(session.out.as_mut(), &session.target.url, &status, session.now)?,
    }
    Ok(())
}

fn table(out: &mut dyn Write, url: &str, status: &StatusResponse, now: Timestamp) -> io::Result<()> {
    let up = time::length(SignedDuration::from_secs(i64::try_from(status.uptime_s).unwrap_or(i64::MAX)));
    writeln!(out, "{NAME}cmdb-server {}{NAME:#} at {url}, up {up}", escape::line(&status.version))?;
    writeln!(out)?;
    let mut facts = Table::new(&["", ""]).indent(2);
    let mut fact = |name: &str, text: String| facts.row([Cell::styled(name, FAINT), text.into()]);
    fact("store", format!("{}, {}, {}", status.store, words::bytes(status.file_bytes), status.data_path));
    if !status.read_only.is_empty() {
        facts.row([
            Cell::styled("read only", FAINT),
            Cell::styled(
                format!("since {}; mend the disk and restart the server", escape::line(&status.read_only)),
                WARN,
            ),
        ]);
    }
    let mut fact = |name: &str, text: String| facts.row([Cell::styled(name, FAINT), text.into()]);
    let recorded = time::ago(status.recorded_at_us, now).map(|age| format!(", {age}")).unwrap_or_default();
    fact("revision", format!("{}{recorded}", status.revision));
    fact("items", words::number(status.items));
    fact("relationships", words::number(status.relationships));
    fact("agents connected", words::number(status.sessions));
    if status.duplicate_sets > 0 {
        fact("duplicate sets", words::number(status.duplicate_sets));
    }
    if status.waiting_references > 0 {
        fact("references waiting", words::number(status.waiting_references));
    }
    if status.waiting_claims > 0 {
        fact("claims waiting", format!("{} for their host", words::number(status.waiting_claims)));
    }
    let given_up = [
        ("references given up", status.waiting_references_expired, status.waiting_references_evicted),
        ("claims given up", status.waiting_claims_expired, status.waiting_claims_evicted),
    ];
    for (what, expired, evicted) in given_up.into_iter().filter(|(_, expired, evicted)| expired + evicted > 0)
    {
        let text =
            format!("{} waited too long, {} made room", words::number(expired), words::number(evicted));
        fact(what, text);
    }
    facts.write(out)?;
    write_sources(out, &status.sources, now)?;
    write_classes(out, status)
}

fn write_sources(out: &mut dyn Write, sources: &[SourceStatus], now: Timestamp) -> io::Result<()> {
    if sources.is_empty() {
        return writeln!(
            out,
            "\nnobody has reported anything yet: start `cmdb-agent`, or `cmdb import FILE`"
        );
    }
    writeln!(out)?;
    let mut rows = Table::new(&["SOURCE", "KIND", "TITLE", "ENTRIES", "LAST SEEN", "STATE", "COST"]).right(3);
    for source in sources {
        rows.row([
            source.source.as_str().into(),
            source.kind.as_str().into(),
            source.title.as_str().into(),
            source.entries.into(),
            time::ago(source.last_seen_us, now).unwrap_or_default().into(),
            state(source),
            source.cost.as_ref().map(cost).unwrap_or_default().into(),
        ]);
    }
    rows.write(out)?;
    for source in sources {
        let name = if source.title.is_empty() { &source.source } else { &source.title };
        for section in &source.incomplete {
            writeln!(out, "  {WARN}incomplete{WARN:#}: {}: {}", escape::line(name), escape::line(section))?;
        }
    }
    Ok(())
}

/// What an agent costs its host: memory, and CPU of its last scan.
fn cost(cost: &Cost) -> String {
    format!("{}, {} ms a scan", words::bytes(cost.resident_bytes), cost.scan_cpu_us.div_ceil(1_000))
}

fn state(source: &SourceStatus) -> Cell {
    match (source.kind.as_str(), source.connected) {
        (_, true) => Cell::styled("connected", GOOD),
        ("agent", false) => Cell::styled("away", WARN),
        (_, false) => "".into(),
    }
}

fn write_classes(out: &mut dyn Write, status: &StatusResponse) -> io::Result<()> {
    if status.items_by_class.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut counts: Vec<(&String, &u64)> = status.items_by_class.iter().collect();
    counts.sort_by(|(a, many_a), (b, many_b)| many_b.cmp(many_a).then(a.cmp(b)));
    let mut rows = Table::new(&["CLASS", "ITEMS"]).right(1);
    for (class, count) in counts {
        rows.row([class.into(), (*count).into()]);
    }
    rows.write(out)
}

fn object(url: &str, status: &StatusResponse) -> Json {
    json!({
        "server": url,
        "version": status.version,
        "store": status.store,
        "data_path": status.data_path,
        "file_bytes": status.file_bytes,
        "read_only": status.read_only,
        "revision": status.revision,
        "recorded_at": time::rfc3339(status.recorded_at_us),
        "uptime_s": status.uptime_s,
        "items": status.items,
        "relationships": status.relationships,
        "items_by_class": status.items_by_class,
        "duplicate_sets": status.duplicate_sets,
        "waiting_references": status.waiting_references,
        "waiting_references_expired": status.waiting_references_expired,
        "waiting_references_evicted": status.waiting_references_evicted,
        "waiting_claims": status.waiting_claims,
        "waiting_claims_expired": status.waiting_claims_expired,
        "waiting_claims_evicted": status.waiting_claims_evicted,
        "sessions": status.sessions,
        "sources": status.sources.iter().map(source_json).collect::<Vec<_>>(),
    })
}

fn source_json(source: &SourceStatus) -> Json {
    json!({
        "source": source.source,
        "kind": source.kind,
        "title": source.title,
        "version": source.version,
        "entries": source.entries,
        "last_seen": time::rfc3339(source.last_seen_us),
        "connected": source.connected,
        "incomplete": source.incomplete,
        "cost": source.cost.as_ref().map(|cost| json!({
            "cpu_us": cost.cpu_us,
            "resident_bytes": cost.resident_bytes,
            "scan_cpu_us": cost.scan_cpu_us,
            "sent_bytes": cost.sent_bytes,
        })),
    })
}

#[cfg(test)]
mod tests;
