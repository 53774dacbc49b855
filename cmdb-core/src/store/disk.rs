//! A disk for tests that keeps what is synced apart from what is not: it can lose power, fail, and lie.
//!
//! It writes down every operation. A crash is cut from that log afterwards: what was synced before is there; of what
//! came after the last sync, each page shows some state that it went through (so writes are lost and reordered), or
//! the first bytes of the next one (torn); so does the length. One run gives as many crashes as it has operations.
//!
//! Invariant: a page never shows a state that it was not in, but for a tear between two that follow each other.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

/// What the disk writes at once when nobody waits for it.
const PAGE: usize = 4_096;

/// What a disk was asked to do.
#[derive(Clone, Debug)]
enum Operation {
    Write { offset: usize, data: Arc<[u8]> },
    SetLength(usize),
    Sync,
}

/// What a disk does wrong, from which operation on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Writes, lengths and syncs fail.
    Broken { after: usize },
    /// There is no room: the length does not grow, and what lies beyond it is not written.
    Full { after: usize },
    /// Syncs fail, everything else works.
    Unsynced { after: usize },
    /// A sync says that it is done, and does nothing.
    Lying { after: usize },
}

#[derive(Default)]
struct State {
    present: Vec<u8>,
    /// What was there before the first operation of the log; durable.
    origin: Vec<u8>,
    log: Vec<Operation>,
    fault: Fault,
    /// Writes, lengths and syncs so far; refused ones as well.
    asked: usize,
}

/// A disk. A clone is the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

// By hand: the content is of no use to anybody.
impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    /// A disk with this on it.
    pub(crate) fn holding(content: Vec<u8>) -> Disk {
        let state = State { present: content.clone(), origin: content, ..State::default() };
        Disk(Arc::new(Mutex::new(state)))
    }

    /// From now on it does this wrong.
    pub(crate) fn set_fault(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// How much is in the log: the moments of its recording so far.
    pub(crate) fn recorded(&self) -> usize {
        self.state().log.len()
    }

    /// How often it was asked to write, to set a length, or to sync; in vain as well.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// What is on it now, synced or not.
    pub(crate) fn content(&self) -> Vec<u8> {
        self.state().present.clone()
    }

    /// All that it was asked to do, to cut crashes from.
    pub(crate) fn recording(&self) -> Recording {
        let state = self.state();
        Recording { durable: state.origin.clone(), log: state.log.clone(), synced: 0 }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a disk was asked to do, played back.
pub(crate) struct Recording {
    durable: Vec<u8>,
    log: Vec<Operation>,
    /// The operations that are in `durable`.
    synced: usize,
}

impl Recording {
    /// How many operations there are, and so how many moments at which the power may go.
    pub(crate) fn moments(&self) -> usize {
        self.log.len()
    }

    /// What may be on the disk when the power goes before operation `moment`. Moments must not go back.
    /// `choose(n)` is a number below `n`.
    pub(crate) fn crash(&mut self, moment: usize, choose: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let last_sync = self.log[..moment].iter().rposition(|one| matches!(one, Operation::Sync));
        if let Some(last_sync) = last_sync {
            for operation in self.log.get(self.synced..last_sync).unwrap_or_default() {
                perform(&mut self.durable, operation);
            }
            self.synced = self.synced.max(last_sync + 1);
        }
        let unsynced = &self.log[self.synced..moment];
        let mut image = self.durable.clone();
        let mut lengths = Vec::new();
        // The states of each page: pieces of writes, in order.
        let mut pages: BTreeMap<usize, Vec<(usize, &[u8])>> = BTreeMap::new();
        for operation in unsynced {
            match operation {
                Operation::SetLength(length) => lengths.push(*length),
                Operation::Sync => {}
                Operation::Write { offset, data } => {
                    let mut done = 0;
                    while done < data.len() {
                        let at = offset + done;
                        let length = (PAGE - at % PAGE).min(data.len() - done);
                        pages.entry(at / PAGE).or_default().push((at, &data[done..done + length]));
                        done += length;
                    }
                }
            }
        }
        if let Some(last) = choose(lengths.len() + 1).checked_sub(1) {
            image.resize(lengths[last], 0);
        }
        for pieces in pages.values() {
            let whole = choose(pieces.len() + 1);
            for (at, piece) in &pieces[..whole] {
                put(&mut image, *at, piece);
            }
            if let Some((at, piece)) = pieces.get(whole)
                && choose(3) == 0
            {
                put(&mut image, *at, &piece[..choose(piece.len())]);
            }
        }
        image
    }
}

fn perform(content: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Write { offset, data } => put(content, *offset, data),
        Operation::SetLength(length) => content.resize(*length, 0),
        Operation::Sync => {}
    }
}

fn put(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

fn place(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}

impl State {
    fn ask(&mut self, operation: Operation) -> io::Result<()> {
        let number = self.asked;
        self.asked += 1;
        let grows = match &operation {
            Operation::Write { offset, data } => offset + data.len() > self.present.len(),
            Operation::SetLength(length) => *length > self.present.len(),
            Operation::Sync => false,
        };
        let syncs = matches!(operation, Operation::Sync);
        match self.fault {
            Fault::Broken { after } if number >= after => return Err(io::Error::other("input/output error")),
            Fault::Full { after } if number >= after && grows => {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device"));
            }
            Fault::Unsynced { after } if number >= after && syncs => {
                return Err(io::Error::other("input/output error"));
            }
            Fault::Lying { after } if number >= after && syncs => return Ok(()),
            _ => {}
        }
        perform(&mut self.present, &operation);
        self.log.push(operation);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().present.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let offset = place(offset)?;
        let found = state.present.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let length = place(len)?;
        self.state().ask(Operation::SetLength(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state().ask(Operation::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = place(offset)?;
        self.state().ask(Operation::Write { offset, data: data.into() })
    }
}
