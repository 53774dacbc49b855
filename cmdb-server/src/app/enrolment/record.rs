//! What is kept of tokens and agents, as rows of the store. Fields are only ever added.

use cmdb_core::engine::Kept;
use cmdb_core::model::Timestamp;
use prost::Message;
use uuid::Uuid;

use super::seal::SealPart;

/// The first byte of a row.
const FORMAT: u8 = 1;
const TOKEN: &str = "token/";
const IDENTITY: &str = "agent/";
const HEARD: &str = "heard/";

/// A token, without its secret.
#[derive(Clone, PartialEq, Message)]
pub struct Token {
    /// The first digits of the digest of its secret.
    #[prost(string, tag = "1")]
    pub id: String,
    /// SHA-256 of its secret, which is long and random.
    #[prost(bytes = "vec", tag = "2")]
    pub digest: Vec<u8>,
    /// How many agents it lets in.
    #[prost(uint32, tag = "3")]
    pub uses: u32,
    /// How many it has let in.
    #[prost(uint32, tag = "4")]
    pub used: u32,
    /// When it was made.
    #[prost(int64, tag = "5")]
    pub created_at_us: i64,
    /// Until when it lets agents in.
    #[prost(int64, tag = "6")]
    pub expires_at_us: i64,
    /// Which hosts it lets in; none: any.
    #[prost(string, repeated, tag = "7")]
    pub scopes: Vec<String>,
    /// Who made it.
    #[prost(string, tag = "8")]
    pub created_by: String,
    /// Why.
    #[prost(string, tag = "9")]
    pub reason: String,
    /// When it was revoked; 0: it was not.
    #[prost(int64, tag = "10")]
    pub revoked_at_us: i64,
}

/// An agent that has, or had, a certificate.
#[derive(Clone, PartialEq, Message)]
pub struct Identity {
    /// Where it is in its life.
    #[prost(enumeration = "IdentityState", tag = "1")]
    pub state: i32,
    /// Counts its enrolments: older certificates do not count.
    #[prost(uint32, tag = "2")]
    pub generation: u32,
    /// When it enrolled.
    #[prost(int64, tag = "3")]
    pub enrolled_at_us: i64,
    /// Since when it is in that state.
    #[prost(int64, tag = "4")]
    pub since_us: i64,
    /// The token that it brought.
    #[prost(string, tag = "5")]
    pub token: String,
    /// Why it was revoked.
    #[prost(string, tag = "6")]
    pub reason: String,
    /// What tells its host from a copy.
    #[prost(message, repeated, tag = "7")]
    pub seal: Vec<SealPart>,
    /// When its newest certificate runs out.
    #[prost(int64, tag = "8")]
    pub expires_at_us: i64,
    /// New identities that were given to copies of it.
    #[prost(uint32, tag = "9")]
    pub copies: u32,
    /// The agent that it was a copy of; empty: none.
    #[prost(string, tag = "10")]
    pub copied_from: String,
}

/// Where an identity is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, prost::Enumeration)]
#[repr(i32)]
pub enum IdentityState {
    /// Its certificates count.
    Enrolled = 0,
    /// It gave itself up: its host is not managed any more.
    Left = 1,
    /// A person ended it.
    Revoked = 2,
}

/// What was last heard of an agent, enrolled or not.
#[derive(Clone, PartialEq, Message)]
pub struct Heard {
    /// Its host's name.
    #[prost(string, tag = "1")]
    pub host_name: String,
    /// Its release.
    #[prost(string, tag = "2")]
    pub version: String,
    /// Such as linux-x86_64.
    #[prost(string, tag = "3")]
    pub platform: String,
    /// By what it sees connections.
    #[prost(string, tag = "4")]
    pub rung: String,
    /// Why it said that it stops; empty: it did not say so since its last hello.
    #[prost(string, tag = "5")]
    pub goodbye: String,
    /// When it said so.
    #[prost(int64, tag = "6")]
    pub goodbye_at_us: i64,
    /// When it left for good, without a certificate; 0: it did not.
    #[prost(int64, tag = "7")]
    pub left_at_us: i64,
    /// What tells its host from a copy.
    #[prost(message, repeated, tag = "8")]
    pub seal: Vec<SealPart>,
    /// Why not by more, or what was missed.
    #[prost(string, tag = "9")]
    pub rung_reason: String,
}

impl Identity {
    /// One that enrols now.
    pub fn begun(generation: u32, now: Timestamp) -> Identity {
        Identity { generation, enrolled_at_us: now.0, since_us: now.0, ..Identity::default() }
    }
}

/// A row of the store.
pub enum Row {
    /// A token.
    Token(Token),
    /// An agent's identity.
    Identity(Uuid, Identity),
    /// What was heard of an agent.
    Heard(Uuid, Heard),
}

impl Row {
    /// As the store keeps it.
    pub fn kept(&self) -> Kept {
        let (key, payload) = match self {
            Row::Token(token) => (format!("{TOKEN}{}", token.id), token.encode_to_vec()),
            Row::Identity(id, identity) => (format!("{IDENTITY}{id}"), identity.encode_to_vec()),
            Row::Heard(id, heard) => (format!("{HEARD}{id}"), heard.encode_to_vec()),
        };
        let value = std::iter::once(FORMAT).chain(payload).collect();
        (key.into_bytes(), Some(value))
    }

    /// Reads a row of the store; `None`: it is none of these.
    pub fn read(key: &[u8], value: &[u8]) -> Option<Row> {
        let (key, (&format, payload)) = (std::str::from_utf8(key).ok()?, value.split_first()?);
        if format != FORMAT {
            return None;
        }
        if key.starts_with(TOKEN) {
            return Some(Row::Token(Token::decode(payload).ok()?));
        }
        if let Some(id) = key.strip_prefix(IDENTITY) {
            return Some(Row::Identity(id.parse().ok()?, Identity::decode(payload).ok()?));
        }
        let id = key.strip_prefix(HEARD)?;
        Some(Row::Heard(id.parse().ok()?, Heard::decode(payload).ok()?))
    }
}
