//! `cmdb agents`: which agents there are, how each is doing, what it costs and what it cannot see.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use cmdb_proto::v1::{Agent, ListAgentsRequest, ListAgentsResponse, RevokeAgentRequest};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::error::CommandError;
use crate::output::table::{BAD, Cell, FAINT, GOOD, NAME, Table, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl];

const DAY_S: u64 = 86_400;

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "States: connected; stopped (it said so: stop, upgrade, reboot); silent (gone without a word); expected\n\
    (enrolled, never seen); unmanaged (it left); revoked."
)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// Only those that are neither connected nor away as planned, or of which something was refused
    #[arg(long)]
    troubled: bool,
}

#[derive(Subcommand, Debug)]
enum What {
    /// End an agent's identity; its host may enroll again, with a token, as another agent
    Revoke {
        /// Its id, its source, or its host's name
        #[arg(value_name = "AGENT")]
        agent: String,
        /// Why; the agent is told
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let mut client = session.connect().await?.agents();
    if let Some(What::Revoke { agent, reason }) = arguments.what {
        let revoked = client.revoke_agent(RevokeAgentRequest { agent, reason }).await?.into_inner();
        let out = session.out.as_mut();
        let object = json!({ "revoked": revoked.agent_id, "host_name": revoked.host_name });
        match session.format {
            Format::Json => json::write(out, &object)?,
            Format::Jsonl => writeln!(out, "{object}")?,
            _ => {
                let host = escape::line(&revoked.host_name).into_owned();
                writeln!(
                    out,
                    "agent {} of {NAME}{host}{NAME:#} is let in no more",
                    escape::line(&revoked.agent_id)
                )?;
            }
        }
        return Ok(());
    }
    let mut answer = client.list_agents(ListAgentsRequest {}).await?.into_inner();
    if arguments.troubled {
        answer.agents.retain(is_troubled);
    }
    let (now, out) = (session.now, session.out.as_mut());
    match session.format {
        Format::Json => json::write(out, &all(&answer))?,
        Format::Jsonl => {
            for agent in &answer.agents {
                writeln!(out, "{}", object(agent))?;
            }
        }
        _ => table(out, &answer, now)?,
    }
    Ok(())
}

fn is_troubled(agent: &Agent) -> bool {
    !matches!(agent.state.as_str(), "connected" | "stopped" | "unmanaged" | "revoked") || agent.errors > 0
}

fn table(out: &mut dyn Write, answer: &ListAgentsResponse, now: Timestamp) -> io::Result<()> {
    if answer.agents.is_empty() {
        return writeln!(out, "no agents");
    }
    let mut rows =
        Table::new(&["HOST", "AGENT", "VERSION", "PLATFORM", "RUNG", "STATE", "LAST SEEN", "COST", "ERRORS"])
            .right(8);
    for agent in &answer.agents {
        rows.row([
            agent.host_name.as_str().into(),
            Cell::styled(agent.source.trim_start_matches("agent-"), FAINT),
            version(agent),
            agent.platform.as_str().into(),
            agent.rung.as_str().into(),
            state(agent, now),
            time::ago(agent.last_seen_us, now).unwrap_or_default().into(),
            cost(agent).into(),
            if agent.errors == 0 { "".into() } else { Cell::styled(words::number(agent.errors), WARN) },
        ]);
    }
    rows.write(out)?;
    for agent in &answer.agents {
        let host = escape::line(&agent.host_name);
        for section in &agent.incomplete {
            writeln!(out, "  {WARN}cannot see{WARN:#}: {host}: {}", escape::line(section))?;
        }
        if !agent.rung_reason.is_empty() {
            writeln!(out, "  {FAINT}rung{FAINT:#}: {host}: {}", escape::line(&agent.rung_reason))?;
        }
        if !agent.last_error.is_empty() {
            writeln!(out, "  {WARN}refused{WARN:#}: {host}: {}", escape::line(&agent.last_error))?;
        }
    }
    let open = "agents are let in without a certificate, unless they have enrolled";
    if answer.accepts == "open" { writeln!(out, "{FAINT}{open}{FAINT:#}") } else { Ok(()) }
}

fn version(agent: &Agent) -> Cell {
    match agent.outdated {
        true => Cell::styled(format!("{} (outdated)", agent.version), WARN),
        false => agent.version.as_str().into(),
    }
}

fn state(agent: &Agent, now: Timestamp) -> Cell {
    let since = time::ago(agent.since_us, now).map(|ago| format!(", {ago}")).unwrap_or_default();
    let reason = if agent.reason.is_empty() { String::new() } else { format!(" ({})", agent.reason) };
    let text = format!("{}{reason}{since}", agent.state);
    let style = match agent.state.as_str() {
        "connected" => GOOD,
        "silent" => BAD,
        "expected" | "revoked" => WARN,
        _ => FAINT,
    };
    Cell::styled(text, style)
}

/// `0.4 s CPU a day, 5.1 MB, 120 kB a day`, as far as the agent said so.
fn cost(agent: &Agent) -> String {
    let Some(cost) = &agent.cost else { return String::new() };
    let resident = words::bytes(cost.resident_bytes);
    match a_day(cost.cpu_us, cost.running_s) {
        Some(cpu_us) => {
            let sent = a_day(cost.sent_bytes, cost.running_s).unwrap_or_default();
            let tenths = cpu_us.div_ceil(100_000);
            format!("{}.{} s CPU a day, {resident}, {} a day", tenths / 10, tenths % 10, words::bytes(sent))
        }
        None => resident,
    }
}

/// What was spent since the start, as much for a whole day; nothing for one that has hardly begun.
fn a_day(spent: u64, running_s: u64) -> Option<u64> {
    const ENOUGH_S: u64 = 60;
    if running_s < ENOUGH_S {
        return None;
    }
    u64::try_from(u128::from(spent) * u128::from(DAY_S) / u128::from(running_s)).ok()
}

fn all(answer: &ListAgentsResponse) -> Json {
    json!({ "accepts": answer.accepts, "agents": answer.agents.iter().map(object).collect::<Vec<_>>() })
}

fn object(agent: &Agent) -> Json {
    json!({
        "agent_id": agent.agent_id,
        "source": agent.source,
        "host_name": agent.host_name,
        "version": agent.version,
        "outdated": agent.outdated,
        "platform": agent.platform,
        "rung": agent.rung,
        "rung_reason": agent.rung_reason,
        "state": agent.state,
        "reason": agent.reason,
        "since": time::rfc3339(agent.since_us),
        "last_seen": time::rfc3339(agent.last_seen_us),
        "enrolled": agent.enrolled,
        "enrolled_at": time::rfc3339(agent.enrolled_at_us),
        "expires_at": time::rfc3339(agent.expires_at_us),
        "token": agent.token,
        "cost": agent.cost.as_ref().map(|cost| json!({
            "cpu_us": cost.cpu_us,
            "cpu_us_a_day": a_day(cost.cpu_us, cost.running_s),
            "resident_bytes": cost.resident_bytes,
            "scan_cpu_us": cost.scan_cpu_us,
            "sent_bytes": cost.sent_bytes,
            "sent_bytes_a_day": a_day(cost.sent_bytes, cost.running_s),
            "running_s": cost.running_s,
        })),
        "errors": agent.errors,
        "last_error": agent.last_error,
        "incomplete": agent.incomplete,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn the_table_says_how_each_is_doing() {
        let mut out = Vec::new();
        let now = Timestamp::from_microsecond(canned::NOW_US).expect("in range");
        table(&mut out, &canned::agents(), now).expect("memory takes it");
        let text = anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string();
        expect_test::expect![[r#"
            HOST   AGENT         VERSION           PLATFORM      RUNG     STATE                         LAST SEEN  COST                                      ERRORS
            db-1   1c8e7a905f2d  0.1.0             linux-x86_64  polling  silent, 2 h ago               2 h ago    -                                              3
            web-1  0b6f3c1e5a0e  0.0.1 (outdated)  linux-x86_64  polling  connected                     5 s ago    4.4 s CPU a day, 4.8 MiB, 96.0 KiB a day
            web-2  7b21aa0f3c4d  0.1.0             linux-x86_64  -        stopped (upgrade), 2 min ago  2 min ago
              refused: db-1: software:orders: no such class
              cannot see: web-1: machine: run as root
              rung: web-1: CAP_PERFMON is missing
            agents are let in without a certificate, unless they have enrolled
        "#]]
        .assert_eq(&text);
        let troubled: Vec<_> = canned::agents().agents.into_iter().filter(is_troubled).collect();
        assert_eq!(troubled.iter().map(|agent| agent.host_name.as_str()).collect::<Vec<_>>(), ["db-1"]);
    }
}
