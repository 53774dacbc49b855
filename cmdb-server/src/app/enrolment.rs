//! Which agents there are, which of them are let in, and how they come by their identity.
//!
//! ```text
//!  token ─→ enroll ─→ identity (certificate) ─→ admit ─→ session ─→ heard
//!                        ↑ renew     │ leave, revoke
//! ```
//!
//! Tokens and identities are durable before anybody is told. What is heard of an agent, its version or why it
//! stopped, is kept in memory and written with the next flush. Invariants: a certificate counts only while its
//! identity and generation stand; a token lets in no more agents than it says.

mod agents;
mod life;
mod record;
mod refusal;
mod scope;
mod seal;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cmdb_core::engine::Reader;
use cmdb_core::model::Timestamp;
use uuid::Uuid;

pub use agents::{AgentRow, Standing};
pub use life::plain;
pub use record::{Heard, Identity, IdentityState, Token};
pub use refusal::Refusal;
pub use seal::{MISMATCHES_MAX, SealPart, mismatches};
pub use tokens::{NewToken, TokenState};

use super::Error;
use super::sessions::Cost;
use crate::authority::{Authority, Holder, Issued, SERVER_NAME, Subject};
use crate::config::Accepts;
use record::Row;

/// The most agents that are kept.
const AGENTS_MAX: usize = 1_000_000;

/// What the server knows of agents and tokens.
pub struct Enrolment {
    /// `None`: the server speaks no TLS, and nobody can enrol.
    authority: Option<Arc<Authority>>,
    /// Which agents are let in.
    pub accepts: Accepts,
    /// Whether the server's certificate is of that authority.
    own_certificate: bool,
    /// For how many days an agent's certificate is valid.
    certificate_days: u32,
    table: Mutex<Table>,
    /// Held while something durable changes, so that one change sees the other.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Table {
    tokens: BTreeMap<String, Token>,
    identities: BTreeMap<Uuid, Identity>,
    heard: BTreeMap<Uuid, Heard>,
    /// Of whom something was heard that is not written yet.
    unwritten: BTreeSet<Uuid>,
    said: BTreeMap<Uuid, Said>,
}

/// What an agent said since the server was started.
#[derive(Clone, Default)]
struct Said {
    cost: Option<Cost>,
    errors: u64,
    last_error: String,
}

/// What an [`Enrolment`] is made of.
pub struct EnrolmentParts {
    /// `None`: the server speaks no TLS.
    pub authority: Option<Arc<Authority>>,
    /// Which agents are let in.
    pub accepts: Accepts,
    /// Whether the server's certificate is of the authority.
    pub own_certificate: bool,
    /// For how many days an agent's certificate is valid.
    pub certificate_days: u32,
}

/// An agent that wants an identity.
pub struct Applicant {
    /// The id that it has so far.
    pub agent_id: Uuid,
    /// As it says.
    pub host_name: String,
    /// As it says.
    pub platform: String,
    /// As it says.
    pub version: String,
    /// A certificate request, PKCS #10.
    pub request: Vec<u8>,
    /// What tells its host from a copy.
    pub seal: Vec<SealPart>,
    /// From where it asks.
    pub address: Option<IpAddr>,
}

/// A certificate, and all that its agent must know.
pub struct Granted {
    /// Whom it is for.
    pub agent_id: Uuid,
    /// The certificate.
    pub issued: Issued,
    /// The authority's certificate.
    pub authority: Vec<u8>,
    /// The name under which the server shows a certificate of the authority; empty: it shows another one.
    pub server_name: &'static str,
}

/// An agent that wants a session.
pub struct Arrival<'a> {
    /// Who it says it is.
    pub agent_id: Uuid,
    /// What its certificate says.
    pub holder: Option<&'a Holder>,
    /// What its clock says; `None`: it does not tell.
    pub clock: Option<Timestamp>,
}

impl Enrolment {
    /// With what a store keeps.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(parts: EnrolmentParts, reader: &Reader) -> Result<Enrolment, Error> {
        let mut table = Table::default();
        for (key, value) in reader.enrolment()? {
            match Row::read(&key, &value) {
                Some(Row::Token(token)) => drop(table.tokens.insert(token.id.clone(), token)),
                Some(Row::Identity(id, identity)) => drop(table.identities.insert(id, identity)),
                Some(Row::Heard(id, heard)) => drop(table.heard.insert(id, heard)),
                // Written by a newer release.
                None => {
                    tracing::warn!(key = %String::from_utf8_lossy(&key), "a row of the enrolment is passed over")
                }
            }
        }
        let EnrolmentParts { authority, accepts, own_certificate, certificate_days } = parts;
        Ok(Enrolment {
            authority,
            accepts,
            own_certificate,
            certificate_days,
            table: Mutex::new(table),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The authority that signs.
    ///
    /// # Errors
    /// When the server speaks no TLS.
    fn authority(&self) -> Result<&Authority, Error> {
        self.authority.as_deref().ok_or_else(|| Refusal::NoTls.into())
    }

    /// The fingerprint that an agent checks the server by; empty: its certificate is of another authority.
    pub fn fingerprint(&self) -> String {
        let own = self.authority.as_ref().filter(|_| self.own_certificate);
        own.map(|authority| authority.fingerprint()).unwrap_or_default()
    }

    fn server_name(&self) -> &'static str {
        if self.own_certificate { SERVER_NAME } else { "" }
    }

    /// Lets an agent in, or says why not.
    ///
    /// # Errors
    /// When its certificate does not let it in, or it shows none and needs one.
    pub fn admit(&self, arrival: &Arrival<'_>, now: Timestamp) -> Result<(), Refusal> {
        let table = self.lock();
        let identity = table.identities.get(&arrival.agent_id);
        let Some(holder) = arrival.holder else {
            if self.accepts == Accepts::Open && identity.is_none() {
                return Ok(());
            }
            return Err(Refusal::CertificateRequired { agent: arrival.agent_id });
        };
        if holder.subject.agent_id != arrival.agent_id {
            return Err(Refusal::AnotherHolder { holder: holder.subject.agent_id, given: arrival.agent_id });
        }
        stands(identity, holder, arrival.clock, now)
    }

    /// Whether the certificate of a connection stands now, and whom it is for.
    fn holder(
        &self,
        holder: Option<&Holder>,
        now: Timestamp,
    ) -> Result<(Subject, Option<Identity>), Refusal> {
        let holder = holder.ok_or(Refusal::NoCertificate)?;
        let identity = self.lock().identities.get(&holder.subject.agent_id).cloned();
        stands(identity.as_ref(), holder, None, now)?;
        Ok((holder.subject, identity))
    }

    /// Notes something that an agent says of itself, when it is new.
    pub fn hear(&self, agent: Uuid, note: impl FnOnce(&mut Heard)) {
        let mut table = self.lock();
        if table.heard.len() >= AGENTS_MAX && !table.heard.contains_key(&agent) {
            return;
        }
        let heard = table.heard.entry(agent).or_default();
        let before = heard.clone();
        note(heard);
        if *heard != before {
            table.unwritten.insert(agent);
        }
    }

    /// What was last heard of an agent.
    pub fn heard(&self, agent: Uuid) -> Option<Heard> {
        self.lock().heard.get(&agent).cloned()
    }

    /// What an agent costs its host.
    pub fn note_cost(&self, agent: Uuid, cost: Cost) {
        self.lock().said.entry(agent).or_default().cost = Some(cost);
    }

    /// Something that an agent said was refused.
    pub fn note_error(&self, agent: Uuid, errors: u64, error: &str) {
        let mut table = self.lock();
        let said = table.said.entry(agent).or_default();
        said.errors += errors;
        error.clone_into(&mut said.last_error);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Every change of the table is whole before anything can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a certificate stands now.
fn stands(
    identity: Option<&Identity>,
    holder: &Holder,
    clock: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Refusal> {
    if now < holder.not_before || now > holder.not_after {
        let (from, until) = (holder.not_before, holder.not_after);
        return Err(Refusal::CertificateTimes { from, until, now, clock });
    }
    // An identity that is not known is of a backup that was made before it: the certificate is ours all the same.
    let Some(identity) = identity else { return Ok(()) };
    match identity.state() {
        IdentityState::Enrolled if identity.generation == holder.subject.generation => Ok(()),
        IdentityState::Enrolled => Err(Refusal::Superseded),
        IdentityState::Left => Err(Refusal::HasLeft),
        IdentityState::Revoked => Err(Refusal::Revoked { reason: identity.reason.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: i64 = 1_000_000;

    #[test]
    fn a_certificate_counts_from_its_first_moment_to_its_last_and_a_refusal_names_both_clocks() {
        let subject = Subject { agent_id: Uuid::from_u128(7), generation: 2 };
        let (from, until) = (Timestamp(1_000 * SECOND_US), Timestamp(2_000 * SECOND_US));
        let holder = Holder { subject, not_before: from, not_after: until };
        let identity = Identity { generation: 2, ..Identity::begun(2, from) };
        let clock = Some(Timestamp(9_000 * SECOND_US));
        let check = |now| stands(Some(&identity), &holder, clock, now);
        assert!(check(from).is_ok() && check(until).is_ok());
        for now in [from.plus_us(-1), until.plus_us(1)] {
            let refusal = check(now).unwrap_err();
            let said = refusal.to_string();
            for part in [
                "1970-01-01T00:16:40Z to 1970-01-01T00:33:20Z",
                "agent's 1970-01-01T02:30:00Z",
                &now.to_string(),
            ] {
                assert!(said.contains(part), "{part} is not in: {said}");
            }
        }
        let before = Holder { subject: Subject { generation: 1, ..subject }, ..holder };
        assert!(matches!(stands(Some(&identity), &before, None, from), Err(Refusal::Superseded)));
        // A store that was restored from a backup of before: the certificate is of our authority all the same.
        assert!(stands(None, &holder, None, from).is_ok());
    }
}
