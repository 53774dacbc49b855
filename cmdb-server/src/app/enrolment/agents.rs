//! The agents as people see them: who is there, who said goodbye, who is silent, who left.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::SourceState;
use cmdb_core::model::Timestamp;
use uuid::Uuid;

use super::record::{Heard, Identity, IdentityState, Row};
use super::{Refusal, Said};
use crate::app::reports::source_name;
use crate::app::{App, Error, Person};

/// How an agent is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It has a session.
    Connected,
    /// It said that it stops.
    Stopped,
    /// It is gone without a word.
    Silent,
    /// It enrolled, and was never seen.
    Expected,
    /// It left: nobody manages its host.
    Unmanaged,
    /// A person ended its identity.
    Revoked,
}

impl Standing {
    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Connected => "connected",
            Standing::Stopped => "stopped",
            Standing::Silent => "silent",
            Standing::Expected => "expected",
            Standing::Unmanaged => "unmanaged",
            Standing::Revoked => "revoked",
        }
    }
}

/// An agent and all that is known of it.
pub struct AgentRow {
    /// Who it is.
    pub agent_id: Uuid,
    /// The name under which its facts are kept.
    pub source: String,
    /// What it said of itself.
    pub heard: Heard,
    /// `None`: it has no certificate.
    pub identity: Option<Identity>,
    /// How it is doing.
    pub standing: Standing,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// When anything of it was last seen.
    pub last_seen: Option<Timestamp>,
    /// What it costs its host.
    pub cost: Option<crate::app::sessions::Cost>,
    /// What was refused of it since the server was started.
    pub errors: u64,
    /// The last of that.
    pub last_error: String,
    /// Its incomplete sections, with the reason.
    pub incomplete: Vec<(String, String)>,
    /// It is older than the releases that the server promises to take.
    pub outdated: bool,
}

impl App {
    /// All agents, by host name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn agents(&self) -> Result<Vec<AgentRow>, Error> {
        let connected = self.sessions.connected();
        let sources = self.read(|reader| Ok(reader.sources()?)).await?;
        let mut sources: BTreeMap<String, SourceState> =
            sources.into_iter().map(|state| (state.source.name.clone(), state)).collect();
        let table = self.enrolment.lock();
        let ids: BTreeSet<Uuid> = table.identities.keys().chain(table.heard.keys()).copied().collect();
        let mut rows: Vec<AgentRow> = ids
            .into_iter()
            .map(|agent_id| {
                let source = source_name(agent_id);
                let state = sources.remove(&source);
                let heard = table.heard.get(&agent_id).cloned().unwrap_or_default();
                let identity = table.identities.get(&agent_id).cloned();
                let last_seen = state.as_ref().and_then(|state| state.last_seen);
                let is_connected = connected.contains_key(&source);
                let (standing, since) = standing(&heard, identity.as_ref(), last_seen, is_connected);
                let said = table.said.get(&agent_id).cloned().unwrap_or_default();
                let Said { cost, errors, last_error } = said;
                AgentRow {
                    agent_id,
                    source,
                    outdated: is_outdated(&heard.version, env!("CARGO_PKG_VERSION")),
                    heard,
                    identity,
                    standing,
                    since,
                    last_seen,
                    cost,
                    errors,
                    last_error,
                    incomplete: state.map(|state| state.incomplete).unwrap_or_default(),
                }
            })
            .collect();
        drop(table);
        rows.sort_by(|one, other| {
            one.heard.host_name.cmp(&other.heard.host_name).then(one.agent_id.cmp(&other.agent_id))
        });
        Ok(rows)
    }

    /// Ends an agent's identity, named by its id, its source or its host.
    ///
    /// # Errors
    /// When there is no such agent or several, or the store cannot keep it.
    pub async fn revoke_agent(
        &self,
        named: &str,
        reason: &str,
        person: &Person,
    ) -> Result<(Uuid, String), Error> {
        let actor = person.actor(reason)?;
        let _turn = self.enrolment.turn.lock().await;
        let now = (self.clock)();
        let (agent, host_name, mut identity) = {
            let table = self.enrolment.lock();
            let host =
                |id: &Uuid| table.heard.get(id).map(|heard| heard.host_name.clone()).unwrap_or_default();
            let ids: BTreeSet<Uuid> = table.identities.keys().chain(table.heard.keys()).copied().collect();
            let is_named = |id: &&Uuid| {
                id.hyphenated().to_string() == named || source_name(**id) == named || host(id) == named
            };
            let ended = |id: &&Uuid| {
                table.identities.get(id).is_some_and(|known| known.state() != IdentityState::Enrolled)
            };
            let found: Vec<Uuid> = ids.iter().filter(is_named).copied().collect();
            // Of several of one name, those that ended already are not meant.
            let live: Vec<Uuid> = found.iter().filter(|id| !ended(id)).copied().collect();
            let agent = match (found.as_slice(), live.as_slice()) {
                ([], _) => return Err(Refusal::NoSuchAgent { given: named.to_owned() }.into()),
                ([one], _) | (_, [one]) => *one,
                (several, _) => {
                    return Err(
                        Refusal::AgentAmbiguous { given: named.to_owned(), count: several.len() }.into()
                    );
                }
            };
            let identity = table.identities.get(&agent).cloned();
            (agent, host(&agent), identity.unwrap_or_else(|| Identity::begun(0, now)))
        };
        identity.set_state(IdentityState::Revoked);
        identity.since_us = now.0;
        identity.reason = if reason.is_empty() { format!("by {}", actor.name) } else { reason.to_owned() };
        self.keep_rows(vec![Row::Identity(agent, identity.clone()).kept()]).await?;
        self.enrolment.lock().identities.insert(agent, identity);
        self.sessions.end(&source_name(agent));
        tracing::warn!(%agent, host = host_name, by = actor.name, "agent revoked");
        Ok((agent, host_name))
    }
}

fn standing(
    heard: &Heard,
    identity: Option<&Identity>,
    last_seen: Option<Timestamp>,
    is_connected: bool,
) -> (Standing, Option<Timestamp>) {
    let ended = identity.map(|identity| (identity.state(), Timestamp(identity.since_us)));
    match ended {
        Some((IdentityState::Revoked, since)) => return (Standing::Revoked, Some(since)),
        Some((IdentityState::Left, since)) => return (Standing::Unmanaged, Some(since)),
        _ => {}
    }
    if is_connected {
        return (Standing::Connected, None);
    }
    if heard.left_at_us != 0 {
        return (Standing::Unmanaged, Some(Timestamp(heard.left_at_us)));
    }
    if !heard.goodbye.is_empty() {
        return (Standing::Stopped, Some(Timestamp(heard.goodbye_at_us)));
    }
    match (last_seen, identity) {
        (None, Some(identity)) => (Standing::Expected, Some(Timestamp(identity.enrolled_at_us))),
        _ => (Standing::Silent, last_seen),
    }
}

/// Whether a release is older than the two before `ours`. What is no release is not judged.
fn is_outdated(theirs: &str, ours: &str) -> bool {
    const RELEASES_BACK: u64 = 2;
    let release = |text: &str| {
        let mut parts = text.split(['.', '-', '+']).map(|part| part.parse::<u64>().ok());
        Some((parts.next()??, parts.next()??))
    };
    match (release(theirs), release(ours)) {
        (Some((major, minor)), Some((our_major, our_minor))) => {
            major < our_major || (major == our_major && minor + RELEASES_BACK < our_minor)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_releases_back_are_not_outdated() {
        for (theirs, expected) in [
            ("0.5.0", false),
            ("0.4.9", false),
            ("0.3.0", false),
            ("0.2.7", true),
            ("0.6.0", false),
            ("?", false),
        ] {
            assert_eq!(is_outdated(theirs, "0.5.1"), expected, "{theirs}");
        }
        assert!(is_outdated("0.9.0", "1.0.0"));
    }

    #[test]
    fn a_planned_stop_is_not_silence_and_leaving_is_neither() {
        let (seen, now) = (Some(Timestamp(5)), Timestamp(7));
        let stopped = Heard { goodbye: "upgrade".to_owned(), goodbye_at_us: 6, ..Heard::default() };
        let mut left = Identity::begun(1, now);
        left.set_state(IdentityState::Left);
        let named =
            |heard: &Heard, identity, seen, connected| standing(heard, identity, seen, connected).0.name();
        assert_eq!(named(&stopped, None, seen, false), "stopped");
        assert_eq!(named(&Heard::default(), None, seen, false), "silent");
        assert_eq!(named(&Heard::default(), None, seen, true), "connected");
        let begun = Identity::begun(1, now);
        assert_eq!(named(&Heard::default(), Some(&begun), None, false), "expected");
        assert_eq!(named(&stopped, Some(&left), seen, false), "unmanaged");
    }
}
