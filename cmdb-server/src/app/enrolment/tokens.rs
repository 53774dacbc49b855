//! Tokens: who holds one may enrol agents, so many, so long, on such hosts. Only a digest of them is kept.

use cmdb_core::model::Timestamp;
use ring::digest::{SHA256, digest};

use super::record::{Row, Token};
use super::scope::Scope;
use super::{Applicant, Refusal, Table};
use crate::app::{App, Error, Person};

/// The most tokens that are kept; those that let nobody in any more make room.
const TOKENS_MAX: usize = 10_000;
/// The most hosts that one token may let in.
const USES_MAX: u32 = 1_000_000;
/// The longest that a token may be valid, in seconds.
const VALID_S_MAX: u64 = 10 * 365 * 86_400;
const VALID_S_DEFAULT: u64 = 7 * 86_400;
const SCOPES_MAX: usize = 64;
/// How a secret begins, so that whoever finds one knows what it is.
const PREFIX: &str = "cmdb-";
/// Hexadecimal digits of a token's digest that are its id.
const ID_DIGITS: usize = 8;

/// A token as it is asked for.
pub struct NewToken {
    /// How many agents; 0: one.
    pub uses: u32,
    /// Seconds; 0: seven days.
    pub valid_s: u64,
    /// Networks and host names; none: any host.
    pub scopes: Vec<String>,
    /// What for.
    pub reason: String,
}

/// Whether a token lets anybody in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum TokenState {
    Valid,
    Used,
    Expired,
    Revoked,
}

impl TokenState {
    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            TokenState::Valid => "valid",
            TokenState::Used => "used",
            TokenState::Expired => "expired",
            TokenState::Revoked => "revoked",
        }
    }
}

impl Token {
    /// Whether it lets anybody in.
    pub fn state(&self, now: Timestamp) -> TokenState {
        match self {
            _ if self.revoked_at_us != 0 => TokenState::Revoked,
            _ if self.used >= self.uses => TokenState::Used,
            _ if now.0 > self.expires_at_us => TokenState::Expired,
            _ => TokenState::Valid,
        }
    }

    fn lets_in(&self, applicant: &Applicant, now: Timestamp) -> Result<(), Refusal> {
        let id = self.id.clone();
        match self.state(now) {
            TokenState::Valid => {}
            TokenState::Used => return Err(Refusal::TokenUsed { id, uses: self.uses }),
            TokenState::Expired => {
                return Err(Refusal::TokenExpired { id, at: Timestamp(self.expires_at_us) });
            }
            TokenState::Revoked => return Err(Refusal::TokenRevoked { id }),
        }
        let scopes = || self.scopes.iter().filter_map(|scope| Scope::read(scope).ok());
        if self.scopes.is_empty()
            || scopes().any(|scope| scope.holds(&applicant.host_name, applicant.address))
        {
            return Ok(());
        }
        let address =
            applicant.address.map_or_else(String::new, |address| format!(" at {}", address.to_canonical()));
        let given = format!("{}{address}", applicant.host_name);
        Err(Refusal::TokenScope { id, scopes: self.scopes.clone(), given })
    }
}

impl Table {
    /// The token of a secret, if it lets the applicant in.
    pub(super) fn token(
        &self,
        secret: &str,
        applicant: &Applicant,
        now: Timestamp,
    ) -> Result<Token, Refusal> {
        let (id, digest) = digest_of(secret);
        let token =
            self.tokens.get(&id).filter(|token| token.digest == digest).ok_or(Refusal::TokenUnknown)?;
        token.lets_in(applicant, now)?;
        Ok(token.clone())
    }
}

impl App {
    /// Makes a token; it and its secret, which is shown this once.
    ///
    /// # Errors
    /// When what is asked for is out of range, or the store cannot keep it.
    pub async fn create_token(&self, asked: NewToken, person: &Person) -> Result<(Token, String), Error> {
        self.enrolment.authority()?;
        let actor = person.actor(&asked.reason)?;
        let out_of_range =
            |what, expected: String, given: String| Error::OutOfRange { what, expected, given };
        let uses = asked.uses.max(1);
        if uses > USES_MAX {
            return Err(out_of_range("the number of uses", format!("at most {USES_MAX}"), uses.to_string()));
        }
        let valid_s = if asked.valid_s == 0 { VALID_S_DEFAULT } else { asked.valid_s };
        if valid_s > VALID_S_MAX {
            return Err(out_of_range("the time", format!("at most {VALID_S_MAX} s"), valid_s.to_string()));
        }
        if asked.scopes.len() > SCOPES_MAX {
            let given = asked.scopes.len().to_string();
            return Err(out_of_range("the scope", format!("at most {SCOPES_MAX}"), given));
        }
        for given in &asked.scopes {
            Scope::read(given).map_err(|problem| Refusal::ScopeInvalid { given: given.clone(), problem })?;
        }
        let _turn = self.enrolment.turn.lock().await;
        let now = (self.clock)();
        let secret = format!("{PREFIX}{}", hexadecimal(&(self.secret)()[..24]));
        let (id, digest) = digest_of(&secret);
        let span_us = i64::try_from(valid_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let token = Token {
            id,
            digest,
            uses,
            used: 0,
            created_at_us: now.0,
            expires_at_us: now.plus_us(span_us).0,
            scopes: asked.scopes,
            created_by: actor.name,
            reason: actor.reason,
            revoked_at_us: 0,
        };
        let mut rows = vec![Row::Token(token.clone()).kept()];
        let gone = self.enrolment.lock().spent_beyond(TOKENS_MAX - 1, now)?;
        rows.extend(gone.iter().map(|token| (Row::Token(token.clone()).kept().0, None)));
        self.keep_rows(rows).await?;
        let mut table = self.enrolment.lock();
        for one in gone {
            table.tokens.remove(&one.id);
        }
        table.tokens.insert(token.id.clone(), token.clone());
        drop(table);
        tracing::info!(token = token.id, uses, by = token.created_by, "token made");
        Ok((token, secret))
    }

    /// All tokens, the newest first.
    pub fn tokens(&self) -> Vec<(Token, TokenState)> {
        let now = (self.clock)();
        let table = self.enrolment.lock();
        let mut tokens: Vec<_> =
            table.tokens.values().map(|token| (token.clone(), token.state(now))).collect();
        tokens.sort_by(|(one, _), (other, _)| {
            other.created_at_us.cmp(&one.created_at_us).then(one.id.cmp(&other.id))
        });
        tokens
    }

    /// Lets a token let nobody in any more.
    ///
    /// # Errors
    /// When there is none of that id, or the store cannot keep it.
    pub async fn revoke_token(&self, id: &str) -> Result<(), Error> {
        let _turn = self.enrolment.turn.lock().await;
        let known = self.enrolment.lock().tokens.get(id).cloned();
        let mut token = known.ok_or_else(|| Refusal::NoSuchToken { id: id.to_owned() })?;
        if token.revoked_at_us != 0 {
            return Ok(());
        }
        token.revoked_at_us = (self.clock)().0;
        self.keep_rows(vec![Row::Token(token.clone()).kept()]).await?;
        self.enrolment.lock().tokens.insert(token.id.clone(), token);
        tracing::info!(token = id, "token revoked");
        Ok(())
    }
}

impl Table {
    /// The oldest tokens that let nobody in, so that no more than so many stay.
    fn spent_beyond(&self, stay: usize, now: Timestamp) -> Result<Vec<Token>, Refusal> {
        let too_many = self.tokens.len().saturating_sub(stay);
        let mut spent: Vec<&Token> =
            self.tokens.values().filter(|token| token.state(now) != TokenState::Valid).collect();
        spent.sort_by_key(|token| token.created_at_us);
        if spent.len() < too_many {
            return Err(Refusal::TooMany { what: "valid tokens", limit: TOKENS_MAX as u64 });
        }
        Ok(spent.into_iter().take(too_many).cloned().collect())
    }
}

fn digest_of(secret: &str) -> (String, Vec<u8>) {
    let digest = digest(&SHA256, secret.as_bytes()).as_ref().to_vec();
    (hexadecimal(&digest)[..ID_DIGITS].to_owned(), digest)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lets_in_until_it_is_used_up_or_runs_out_or_is_revoked() {
        let token = Token { uses: 2, used: 1, expires_at_us: 100, ..Token::default() };
        let state = |token: &Token, now| token.state(Timestamp(now));
        assert_eq!((state(&token, 100), state(&token, 101)), (TokenState::Valid, TokenState::Expired));
        assert_eq!(state(&Token { used: 2, ..token.clone() }, 0), TokenState::Used);
        assert_eq!(state(&Token { revoked_at_us: 1, ..token }, 0), TokenState::Revoked);
    }

    #[test]
    fn what_is_kept_of_a_token_is_not_what_lets_in() {
        let (id, digest) = digest_of("cmdb-secret");
        assert_eq!((id.len(), digest.len()), (ID_DIGITS, 32));
        assert_ne!(digest_of("cmdb-secret2").0, id);
        let mut table = Table::default();
        let token = Token { id: id.clone(), digest, uses: 1, expires_at_us: 100, ..Token::default() };
        table.tokens.insert(id.clone(), token);
        let applicant = Applicant {
            agent_id: uuid::Uuid::nil(),
            host_name: String::new(),
            platform: String::new(),
            version: String::new(),
            request: Vec::new(),
            seal: Vec::new(),
            address: None,
        };
        assert!(table.token("cmdb-secret", &applicant, Timestamp(0)).is_ok());
        assert!(matches!(table.token(&id, &applicant, Timestamp(0)), Err(Refusal::TokenUnknown)));
    }

    #[test]
    fn tokens_that_let_nobody_in_make_room_the_oldest_first() {
        let mut table = Table::default();
        for (id, created_at_us, used) in [("a", 3, 1), ("b", 1, 1), ("c", 2, 0)] {
            let token = Token {
                id: id.to_owned(),
                created_at_us,
                uses: 1,
                used,
                expires_at_us: 9,
                ..Token::default()
            };
            table.tokens.insert(token.id.clone(), token);
        }
        let gone = |stay| {
            table
                .spent_beyond(stay, Timestamp(0))
                .map(|gone| gone.into_iter().map(|token| token.id).collect::<Vec<_>>())
        };
        assert_eq!(gone(3).unwrap(), Vec::<String>::new());
        assert_eq!(gone(2).unwrap(), ["b"]);
        assert_eq!(gone(1).unwrap(), ["b", "a"]);
        assert!(gone(0).is_err(), "one that is valid does not make room");
    }
}
