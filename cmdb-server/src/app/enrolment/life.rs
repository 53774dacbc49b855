//! What becomes of an agent's identity: enrolled for a token, renewed, given up. Each is durable before it is told.

use cmdb_core::engine::Kept;
use cmdb_core::model::Timestamp;
use uuid::Uuid;

use super::record::{Identity, IdentityState, Row};
use super::seal::{self, MISMATCHES_MAX, mismatches};
use super::{AGENTS_MAX, Applicant, Arrival, Granted, Refusal, Table};
use crate::app::{App, Error};
use crate::authority::{Authority, Holder, Subject};

/// New identities that one identity may ask for, for copies of its host.
const COPIES_MAX: u32 = 1_000;
/// The largest certificate request, in bytes.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// The longest text that an agent says of itself, in bytes.
const TEXT_BYTES_MAX: usize = 255;

impl App {
    /// Gives an agent that brings a token its identity.
    ///
    /// # Errors
    /// When the token does not let it in, its request is wrong, or the store cannot keep it.
    pub async fn enroll(&self, secret: &str, applicant: Applicant) -> Result<Granted, Error> {
        let enrolment = &self.enrolment;
        let authority = enrolment.authority()?;
        let now = (self.clock)();
        let applicant = checked(applicant)?;
        let _turn = enrolment.turn.lock().await;
        let (token, subject, identity) = {
            let table = enrolment.lock();
            let mut token = table.token(secret, &applicant, now)?;
            token.used += 1;
            let (subject, identity) = table.identity_for(&applicant, &token.id, (self.secret)(), now)?;
            (token, subject, identity)
        };
        let granted = self.grant(authority, &applicant.request, subject, now)?;
        let identity = Identity { expires_at_us: granted.issued.not_after.0, ..identity };
        let rows =
            vec![Row::Token(token.clone()).kept(), Row::Identity(subject.agent_id, identity.clone()).kept()];
        self.keep_rows(rows).await?;
        let mut table = enrolment.lock();
        table.tokens.insert(token.id.clone(), token);
        table.identities.insert(subject.agent_id, identity);
        drop(table);
        self.hear_applicant(subject.agent_id, &applicant);
        tracing::info!(agent = %subject.agent_id, host = applicant.host_name, "enrolled");
        Ok(granted)
    }

    /// Gives the holder of a certificate the next one, or one for a new identity where its host is a copy.
    ///
    /// # Errors
    /// When its certificate does not stand, its request is wrong, or the store cannot keep it.
    pub async fn renew(
        &self,
        holder: Option<&Holder>,
        applicant: Applicant,
        copy: bool,
    ) -> Result<Granted, Error> {
        let enrolment = &self.enrolment;
        let authority = enrolment.authority()?;
        let now = (self.clock)();
        let applicant = checked(applicant)?;
        let _turn = enrolment.turn.lock().await;
        let (subject, known) = enrolment.holder(holder, now)?;
        let mut own = known.unwrap_or_else(|| Identity::begun(subject.generation, now));
        if !copy {
            let granted = self.grant(authority, &applicant.request, subject, now)?;
            own.expires_at_us = own.expires_at_us.max(granted.issued.not_after.0);
            own.seal.clone_from(&applicant.seal);
            self.keep_rows(vec![Row::Identity(subject.agent_id, own.clone()).kept()]).await?;
            enrolment.lock().identities.insert(subject.agent_id, own);
            tracing::info!(agent = %subject.agent_id, host = applicant.host_name, "certificate renewed");
            return Ok(granted);
        }
        own.copies += 1;
        if own.copies > COPIES_MAX {
            return Err(Refusal::TooMany { what: "copies of one agent", limit: u64::from(COPIES_MAX) }.into());
        }
        let fresh = Subject { agent_id: new_id((self.secret)()), generation: 1 };
        let granted = self.grant(authority, &applicant.request, fresh, now)?;
        let identity = Identity {
            token: own.token.clone(),
            copied_from: subject.agent_id.hyphenated().to_string(),
            seal: applicant.seal.clone(),
            expires_at_us: granted.issued.not_after.0,
            ..Identity::begun(1, now)
        };
        self.keep_rows(vec![
            Row::Identity(subject.agent_id, own.clone()).kept(),
            Row::Identity(fresh.agent_id, identity.clone()).kept(),
        ])
        .await?;
        let mut table = enrolment.lock();
        table.identities.insert(subject.agent_id, own);
        table.identities.insert(fresh.agent_id, identity);
        drop(table);
        self.hear_applicant(fresh.agent_id, &applicant);
        tracing::warn!(agent = %fresh.agent_id, host = applicant.host_name, of = %subject.agent_id, "a copy of an agent has its own identity now");
        Ok(granted)
    }

    /// Ends an agent's identity because it goes for good: its host is no longer managed.
    ///
    /// # Errors
    /// When its certificate does not stand, or the store cannot keep it.
    pub async fn leave(&self, holder: Option<&Holder>, said: Option<Uuid>) -> Result<(), Error> {
        let enrolment = &self.enrolment;
        let now = (self.clock)();
        let _turn = enrolment.turn.lock().await;
        let (agent, mut identity) = match (holder, said) {
            (Some(_), _) => {
                let (subject, identity) = enrolment.holder(holder, now)?;
                (subject.agent_id, identity.unwrap_or_else(|| Identity::begun(subject.generation, now)))
            }
            (None, Some(agent)) => {
                enrolment.admit(&Arrival { agent_id: agent, holder: None, clock: None }, now)?;
                let mut open = enrolment.heard(agent).unwrap_or_default();
                open.left_at_us = now.0;
                self.keep_rows(vec![Row::Heard(agent, open.clone()).kept()]).await?;
                enrolment.lock().heard.insert(agent, open);
                tracing::info!(%agent, "an agent has left");
                return Ok(());
            }
            (None, None) => return Err(Refusal::NoCertificate.into()),
        };
        identity.set_state(IdentityState::Left);
        identity.since_us = now.0;
        self.keep_rows(vec![Row::Identity(agent, identity.clone()).kept()]).await?;
        enrolment.lock().identities.insert(agent, identity);
        tracing::info!(%agent, "an agent has left");
        Ok(())
    }

    /// Writes what was heard since the last time.
    ///
    /// # Errors
    /// When the store cannot keep it; then it is tried again.
    pub async fn flush_heard(&self) -> Result<(), Error> {
        let (agents, rows) = {
            let mut table = self.enrolment.lock();
            let agents = std::mem::take(&mut table.unwritten);
            let heard = agents.iter().filter_map(|agent| Some((*agent, table.heard.get(agent)?.clone())));
            let rows: Vec<Kept> = heard.map(|(agent, heard)| Row::Heard(agent, heard).kept()).collect();
            (agents, rows)
        };
        if rows.is_empty() {
            return Ok(());
        }
        let kept = self.keep_rows(rows).await;
        if kept.is_err() {
            self.enrolment.lock().unwritten.extend(agents);
        }
        kept
    }

    fn hear_applicant(&self, agent: Uuid, applicant: &Applicant) {
        self.enrolment.hear(agent, |heard| {
            heard.host_name.clone_from(&applicant.host_name);
            if !applicant.version.is_empty() {
                heard.version.clone_from(&applicant.version);
                heard.platform.clone_from(&applicant.platform);
            }
        });
    }

    fn grant(
        &self,
        authority: &Authority,
        request: &[u8],
        subject: Subject,
        now: Timestamp,
    ) -> Result<Granted, Error> {
        let days = self.enrolment.certificate_days;
        let issued = authority
            .agent(request, subject, (self.secret)(), now, days)
            .map_err(|error| Refusal::RequestInvalid { problem: error.to_string() })?;
        Ok(Granted {
            agent_id: subject.agent_id,
            issued,
            authority: authority.certificate().to_vec(),
            server_name: self.enrolment.server_name(),
        })
    }

    pub(super) async fn keep_rows(&self, rows: Vec<Kept>) -> Result<(), Error> {
        self.ask(|engine, reply| engine.keep_enrolment(rows, reply)).await
    }
}

impl Table {
    /// Who an applicant is to be, and what is kept of it.
    fn identity_for(
        &self,
        applicant: &Applicant,
        token: &str,
        chance: [u8; 32],
        now: Timestamp,
    ) -> Result<(Subject, Identity), Refusal> {
        let known = self.identities.get(&applicant.agent_id);
        // The same host keeps its id. A copy of it, one that was revoked, and one that hides what it is do not.
        let same = |known: &&Identity| {
            known.state() != IdentityState::Revoked
                && !applicant.seal.is_empty()
                && mismatches(&known.seal, &applicant.seal) < MISMATCHES_MAX
        };
        let (agent_id, generation) = match known {
            None => (applicant.agent_id, 1),
            Some(known) if same(&known) => (applicant.agent_id, known.generation + 1),
            Some(_) => (new_id(chance), 1),
        };
        if known.is_none() && self.identities.len() >= AGENTS_MAX {
            return Err(Refusal::TooMany { what: "agents", limit: AGENTS_MAX as u64 });
        }
        let identity = Identity {
            token: token.to_owned(),
            seal: applicant.seal.clone(),
            ..Identity::begun(generation, now)
        };
        Ok((Subject { agent_id, generation }, identity))
    }
}

/// An applicant whose words have a limit.
fn checked(mut applicant: Applicant) -> Result<Applicant, Error> {
    if applicant.request.len() > REQUEST_BYTES_MAX {
        let problem =
            format!("it has {} bytes, and at most {REQUEST_BYTES_MAX} are read", applicant.request.len());
        return Err(Refusal::RequestInvalid { problem }.into());
    }
    for text in [&mut applicant.host_name, &mut applicant.platform, &mut applicant.version] {
        *text = plain(text);
    }
    applicant.seal = seal::bounded(applicant.seal);
    Ok(applicant)
}

/// Text of an agent without control characters, and not too long.
pub fn plain(text: &str) -> String {
    let mut plain: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    plain.truncate(plain.floor_char_boundary(TEXT_BYTES_MAX));
    plain
}

/// A random UUID.
fn new_id(chance: [u8; 32]) -> Uuid {
    let (half, _) = chance.split_first_chunk::<16>().expect("32 bytes hold 16");
    uuid::Builder::from_random_bytes(*half).into_uuid()
}
