//! What agents report, and that they are there.

use cmdb_core::engine::{Report, ReportOutcome, SourceName};
use cmdb_core::model::{SourceKind, Timestamp};
use uuid::Uuid;

use super::{App, Error};

/// Hexadecimal digits of an agent's id in the name of its source.
const SOURCE_DIGITS: usize = 12;
/// The longest host name, in bytes.
const HOST_NAME_BYTES_MAX: usize = 255;
/// The longest version of an agent, in bytes.
const VERSION_BYTES_MAX: usize = 64;
/// How far an agent's clock may go wrong before it is worth a warning, in microseconds.
const SKEW_NOTED_US: i64 = 5 * 60 * 1_000_000;

/// An agent as it presents itself.
pub struct Introduction {
    /// Lower-case UUID.
    pub agent_id: String,
    /// Host name.
    pub host_name: String,
    /// Semantic version.
    pub agent_version: String,
    /// Protocol version.
    pub protocol_version: u32,
}

/// The name under which an agent's facts are kept.
pub fn source_name(agent: Uuid) -> String {
    format!("agent-{}", &agent.simple().to_string()[..SOURCE_DIGITS])
}

/// The source under which an agent's facts are kept.
///
/// # Errors
/// When the agent cannot be let in as it presents itself.
pub fn agent_source(agent: &Introduction) -> Result<(Uuid, SourceName), Error> {
    let (least, most) = (cmdb_proto::PROTOCOL_VERSION_MIN, cmdb_proto::PROTOCOL_VERSION);
    if !(least..=most).contains(&agent.protocol_version) {
        return Err(Error::Protocol { given: agent.protocol_version, least, most });
    }
    let shown = |text: &str| text.chars().take(64).flat_map(char::escape_debug).collect::<String>();
    let id = Uuid::try_parse(&agent.agent_id).ok().filter(|id| id.hyphenated().to_string() == agent.agent_id);
    let id = id.ok_or_else(|| Error::AgentId { given: shown(&agent.agent_id) })?;
    let host_name = agent.host_name.trim();
    if host_name.is_empty()
        || host_name.len() > HOST_NAME_BYTES_MAX
        || host_name.chars().any(char::is_control)
    {
        return Err(Error::HostName { given: shown(&agent.host_name) });
    }
    let version = agent.agent_version.chars().filter(|c| !c.is_control()).take(VERSION_BYTES_MAX).collect();
    let (name, title) = (source_name(id), host_name.to_owned());
    Ok((id, SourceName { name, kind: SourceKind::Agent, title, version }))
}

impl App {
    /// Takes a report; the answer comes when it is durable.
    ///
    /// # Errors
    /// When the report as a whole is wrong, or the engine cannot take it now.
    pub async fn report(&self, mut report: Report) -> Result<ReportOutcome, Error> {
        report.observed_at = self.observed(report.observed_at, &report.source.name);
        let (source, observed_at) = (report.source.name.clone(), report.observed_at);
        let outcome = self.ask(|engine, reply| engine.report(report, reply)).await?;
        if outcome.late > 0 {
            tracing::warn!(
                source,
                %observed_at,
                sections = outcome.late,
                "observed before what is known: nothing newer is changed; if it goes on, set the agent's clock"
            );
        }
        Ok(outcome)
    }

    /// Notes that an agent is there.
    pub fn heartbeat(&self, source: &str) {
        self.engine.heartbeat(source, (self.clock)());
    }

    /// What an agent's clock puts into the future counts as observed on arrival, which the engine sees to.
    fn observed(&self, said: Timestamp, source: &str) -> Timestamp {
        let now = (self.clock)();
        let ahead = said.0.saturating_sub(now.0);
        if ahead > SKEW_NOTED_US {
            tracing::warn!(source, ahead_s = ahead / 1_000_000, "the agent's clock is ahead of the server's");
        }
        if said.0 <= 0 { now } else { said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn introduction(agent_id: &str, host_name: &str, protocol_version: u32) -> Introduction {
        let (agent_id, host_name) = (agent_id.to_owned(), host_name.to_owned());
        Introduction { agent_id, host_name, agent_version: "0.1.0".to_owned(), protocol_version }
    }

    #[test]
    fn an_agent_is_kept_under_its_id_and_called_by_its_host() {
        let agent = introduction("0b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90", "web-1", 1);
        let (_, source) = agent_source(&agent).unwrap();
        assert_eq!((source.name.as_str(), source.title.as_str()), ("agent-0b6f3c1e5a0e", "web-1"));
    }

    #[test]
    fn an_agent_that_is_not_one_is_told_why() {
        const ID: &str = "0b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90";
        let refused = |agent: Introduction| crate::status::problem(&agent_source(&agent).unwrap_err()).reason;
        assert_eq!(refused(introduction(ID, "web-1", 2)), "PROTOCOL_VERSION");
        for id in ["", "web-1", &ID.to_uppercase(), &ID.replace('-', ""), "../../etc/passwd"] {
            assert_eq!(refused(introduction(id, "web-1", 1)), "AGENT_ID_INVALID", "{id}");
        }
        for host in ["", " ", "a\nb", &"x".repeat(256)] {
            assert_eq!(refused(introduction(ID, host, 1)), "HOST_NAME_INVALID", "{host}");
        }
    }
}
