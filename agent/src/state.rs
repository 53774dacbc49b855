//! What the agent keeps between runs: its id, what the server acknowledged, and what scans tell one another.
//!
//! ```text
//!  <state directory>/          0700
//!    agent-id                  0600  a UUID, made once
//!    identity                  0600  the key and the certificate of an agent that enrolled
//!    seal                      0600  what tells this host from a copy of it
//!    acknowledged              0600  digests of what the server has
//!    memory                    0600  names of instances, and how often each use of an endpoint was seen
//!    lock                      held while an agent runs
//! ```
//!
//! Knows nothing of the network. Invariant: a file is replaced as a whole or not at all, and one that is damaged
//! counts as not there: everything in it can be learnt again, except the id and the identity, which are never replaced
//! silently.

mod record;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;
use uuid::Uuid;

use crate::collectors::software::memory::Memory;
use crate::identity::Identity;
use crate::report::Known;
use crate::seal::Seal;
use record::{IdentityRecord, KnownRecord, MemoryRecord, SealRecord};

const ID_FILE: &str = "agent-id";
const IDENTITY_FILE: &str = "identity";
const SEAL_FILE: &str = "seal";
const KNOWN_FILE: &str = "acknowledged";
const MEMORY_FILE: &str = "memory";
const LOCK_FILE: &str = "lock";
/// The first byte of a state file.
const FORMAT: u8 = 1;
/// Bytes of the checksum that follows.
const CHECKSUM_BYTES: usize = 16;
/// The most bytes of a state file that are read.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be made or written to.
    #[error(
        "the state directory {directory} cannot be written to: {error}; \
         make it writable for this user, or name another with --state-dir"
    )]
    NotWritable {
        /// Which.
        directory: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The id in it is not one.
    #[error(
        "{path} does not hold an agent id: expected a UUID, given {given:?}; put the id back, or remove the file \
         to report as a new agent"
    )]
    BadId {
        /// Which file.
        path: PathBuf,
        /// What stands in it.
        given: String,
    },
    /// The identity in it is damaged.
    #[error(
        "{path} is damaged: it held this agent's key and certificate; put it back from a copy, or remove it and enroll \
         again with `cmdb-agent enroll`"
    )]
    BadIdentity {
        /// Which file.
        path: PathBuf,
    },
    /// Another agent runs with it.
    #[error(
        "another agent is running with the state directory {directory}; stop it, or name another with --state-dir"
    )]
    InUse {
        /// Which.
        directory: PathBuf,
    },
}

/// The state directory, held by this agent.
#[derive(Debug)]
pub struct State {
    directory: PathBuf,
    agent_id: Uuid,
    identity: Option<Arc<Identity>>,
    _lock: File,
}

impl State {
    /// Makes the directory where it is not there, takes hold of it, and reads or makes the id.
    pub fn open(directory: &Path) -> Result<Self, StateError> {
        let not_writable =
            |error: io::Error| StateError::NotWritable { directory: directory.to_owned(), error };
        make_directory(directory).map_err(not_writable)?;
        let lock = private_file(&directory.join(LOCK_FILE)).map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StateError::InUse { directory: directory.to_owned() });
            }
            Err(fs::TryLockError::Error(error)) => return Err(not_writable(error)),
        }
        let agent_id = match fs::read_to_string(directory.join(ID_FILE)) {
            Ok(text) => Uuid::parse_str(text.trim()).map_err(|_| StateError::BadId {
                path: directory.join(ID_FILE),
                given: text.trim().to_owned(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = Uuid::new_v4();
                replace(directory, ID_FILE, format!("{id}\n").as_bytes()).map_err(not_writable)?;
                id
            }
            Err(error) => return Err(not_writable(error)),
        };
        let mut state = Self { directory: directory.to_owned(), agent_id, identity: None, _lock: lock };
        let path = directory.join(IDENTITY_FILE);
        if path.exists() {
            let kept = state.load::<IdentityRecord>(IDENTITY_FILE).and_then(IdentityRecord::into_identity);
            let identity = kept.ok_or(StateError::BadIdentity { path })?;
            // The certificate says who the agent is; a change of both may have been cut off between them.
            state.be(identity.agent_id)?;
            state.identity = Some(Arc::new(identity));
        }
        Ok(state)
    }

    /// The key and the certificate of an agent that enrolled.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// Keeps an identity that a server gave.
    pub fn keep_identity(&mut self, identity: Identity) -> Result<(), StateError> {
        self.store(IDENTITY_FILE, &IdentityRecord::from_identity(&identity))?;
        self.be(identity.agent_id)?;
        self.identity = Some(Arc::new(identity));
        Ok(())
    }

    /// Takes another id, without a certificate.
    pub fn take_new_id(&mut self) -> Result<(), StateError> {
        self.be(Uuid::new_v4())
    }

    /// Forgets the identity, and what was acknowledged under it.
    pub fn forget_identity(&mut self) -> Result<(), StateError> {
        for name in [IDENTITY_FILE, KNOWN_FILE] {
            match fs::remove_file(self.directory.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.not_writable(error)),
                _ => {}
            }
        }
        self.identity = None;
        Ok(())
    }

    /// What told this host from a copy of it when it was last looked at.
    pub fn seal(&self) -> Option<Seal> {
        self.load::<SealRecord>(SEAL_FILE).map(SealRecord::into_seal)
    }

    /// Keeps what tells this host from a copy of it.
    pub fn keep_seal(&self, seal: &Seal) -> Result<(), StateError> {
        self.store(SEAL_FILE, &SealRecord::from_seal(seal))
    }

    fn be(&mut self, agent_id: Uuid) -> Result<(), StateError> {
        if agent_id != self.agent_id {
            replace(&self.directory, ID_FILE, format!("{agent_id}\n").as_bytes())
                .map_err(|error| self.not_writable(error))?;
            self.agent_id = agent_id;
        }
        Ok(())
    }

    fn not_writable(&self, error: io::Error) -> StateError {
        StateError::NotWritable { directory: self.directory.clone(), error }
    }

    /// Who this agent is.
    pub fn agent_id(&self) -> Uuid {
        self.agent_id
    }

    /// What the server acknowledged; nothing where that is not known.
    pub fn known(&self) -> Known {
        let kept: KnownRecord = self.load(KNOWN_FILE).unwrap_or_default();
        kept.into_known().unwrap_or_default()
    }

    /// Keeps what the server acknowledged.
    pub fn keep_known(&self, known: &Known) -> Result<(), StateError> {
        self.store(KNOWN_FILE, &KnownRecord::from_known(known))
    }

    /// What the scans before tell the next.
    pub fn memory(&self) -> Memory {
        self.load::<MemoryRecord>(MEMORY_FILE).unwrap_or_default().into_memory()
    }

    /// Keeps what the next scan needs.
    pub fn keep_memory(&self, memory: &Memory) -> Result<(), StateError> {
        self.store(MEMORY_FILE, &MemoryRecord::from_memory(memory))
    }

    fn load<M: Message + Default>(&self, name: &str) -> Option<M> {
        let path = self.directory.join(name);
        if fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let content = fs::read(&path).ok()?;
        let message = open_envelope(&content).and_then(|payload| M::decode(payload).ok());
        if message.is_none() {
            tracing::warn!(path = %path.display(), "the state file is damaged: what it held is learnt again");
        }
        message
    }

    fn store(&self, name: &str, message: &impl Message) -> Result<(), StateError> {
        let payload = message.encode_to_vec();
        let mut content = Vec::with_capacity(1 + CHECKSUM_BYTES + payload.len());
        content.push(FORMAT);
        content.extend_from_slice(&blake3::hash(&payload).as_bytes()[..CHECKSUM_BYTES]);
        content.extend_from_slice(&payload);
        replace(&self.directory, name, &content).map_err(|error| self.not_writable(error))
    }
}

fn open_envelope(content: &[u8]) -> Option<&[u8]> {
    let (&format, rest) = content.split_first()?;
    let (checksum, payload) = rest.split_at_checked(CHECKSUM_BYTES)?;
    (format == FORMAT && blake3::hash(payload).as_bytes()[..CHECKSUM_BYTES] == *checksum).then_some(payload)
}

fn make_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a file beside the old one and puts it in its place.
fn replace(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let new = directory.join(format!("{name}.new"));
    let mut file = private_file(&new)?;
    file.set_len(0)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, directory.join(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::collectors::software::memory::Manner;
    use crate::collectors::software::names::{Candidate, Identity};
    use crate::report::KnownSection;

    fn known() -> Known {
        let entries = BTreeMap::from([("os".to_owned(), [3; 16])]);
        let sections = BTreeMap::from([(
            "os".to_owned(),
            KnownSection { digest: [2; 16], incomplete_reason: "no permission".to_owned(), entries },
        )]);
        Known { digest: Some([1; 16]), sections }
    }

    #[test]
    fn the_id_is_made_once_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("deep/state");
        let first = State::open(&place).unwrap().agent_id();
        assert_eq!(State::open(&place).unwrap().agent_id(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(place.join(ID_FILE)).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_damaged_id_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(ID_FILE), "half-an-id").unwrap();
        let error = State::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("half-an-id") && error.contains("remove the file"), "{error}");
    }

    #[test]
    fn one_agent_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let held = State::open(directory.path()).unwrap();
        assert!(matches!(State::open(directory.path()), Err(StateError::InUse { .. })));
        drop(held);
        assert!(State::open(directory.path()).is_ok());
    }

    #[test]
    fn what_cannot_be_written_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = State::open(&file.join("state")).unwrap_err().to_string();
        assert!(error.contains("--state-dir"), "{error}");
    }

    #[test]
    fn state_survives_and_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::open(directory.path()).unwrap();
        assert_eq!(state.known(), Known::default());
        state.keep_known(&known()).unwrap();
        assert_eq!(state.known(), known());
        let mut memory = Memory::default();
        memory.begin();
        let one = Candidate {
            identity: Identity::Port(5433),
            data_path: Some("/data".into()),
            unit: None,
            is_usual: false,
        };
        memory.names.names_of("postgresql", "", &[one]);
        memory.uses.see("a", "b", Manner::Short);
        memory.settle("c", vec![7], true);
        state.keep_memory(&memory).unwrap();
        assert_eq!(state.memory(), memory);

        let path = directory.path().join(KNOWN_FILE);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(state.known(), Known::default(), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(state.known(), Known::default(), "cut at {at}");
        }
    }
}
