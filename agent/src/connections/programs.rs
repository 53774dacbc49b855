//! Programs that were started since the last scan: what a process was that is gone when somebody looks.
//!
//! Invariant: bounded; a process that ended without a connection is forgotten at once.

use std::collections::HashMap;

/// The most processes remembered.
const PROCESSES_MAX: usize = 16_384;
/// PERF_RECORD_COMM, _EXIT, _FORK, and the flag of a name that comes with a new program.
const NAMED: u32 = 3;
const ENDED: u32 = 4;
const STARTED: u32 = 7;
const OF_NEW_PROGRAM: u16 = 1 << 13;
/// The longest name that the kernel keeps, with its end.
const NAME_BYTES: usize = 16;

/// What is known of a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Who started it; 0: not seen.
    pub parent: u32,
    /// The kernel's short name of the program; `None`: that of its parent.
    pub name: Option<String>,
}

/// What happened to a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// On the clock of the events.
    pub at_ns: u64,
    pid: u32,
    what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    /// It runs a program of this name now.
    Named(String),
    /// By this process; it runs what that one does.
    StartedBy(u32),
    Ended,
}

impl Step {
    /// A record of the kernel, which ends with its time. `None`: of a thread, or of something else.
    pub fn read(kind: u32, flags: u16, content: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(*content.get(at..)?.first_chunk()?));
        let (pid, second) = (word(0)?, word(4)?);
        let what = match kind {
            NAMED if flags & OF_NEW_PROGRAM != 0 => {
                let name = content.get(8..)?.split(|byte| *byte == 0).next().unwrap_or_default();
                What::Named(String::from_utf8_lossy(&name[..name.len().min(NAME_BYTES)]).into_owned())
            }
            // Else it is another thread of the same process.
            STARTED if pid != second => What::StartedBy(second),
            ENDED if word(8)? == pid => What::Ended,
            _ => return None,
        };
        Some(Self { at_ns: u64::from_ne_bytes(*content.last_chunk()?), pid, what })
    }
}

/// Processes by their ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Programs {
    all: HashMap<u32, Origin>,
}

impl Programs {
    /// What is known of a process.
    pub fn get(&self, pid: u32) -> Option<&Origin> {
        self.all.get(&pid)
    }

    /// Takes what happened next. A process that ended is handed to `ended`, to be forgotten when nobody needs it.
    pub fn take(&mut self, step: Step, ended: &mut Vec<u32>) {
        let pid = step.pid;
        match step.what {
            What::Named(name) => {
                let parent = self.all.get(&pid).map_or(0, |origin| origin.parent);
                self.put(pid, Origin { parent, name: Some(name) });
            }
            What::StartedBy(parent) => {
                let name = self.all.get(&parent).and_then(|origin| origin.name.clone());
                self.put(pid, Origin { parent, name });
            }
            What::Ended => ended.push(pid),
        }
    }

    fn put(&mut self, pid: u32, origin: Origin) {
        if self.all.len() < PROCESSES_MAX || self.all.contains_key(&pid) {
            self.all.insert(pid, origin);
        }
    }

    /// Nobody needs to know of it any more.
    pub fn forget(&mut self, pid: u32) {
        self.all.remove(&pid);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn take(programs: &mut Programs, kind: u32, flags: u16, content: &[u8]) -> Vec<u32> {
        let mut ended = Vec::new();
        if let Some(step) = Step::read(kind, flags, content) {
            programs.take(step, &mut ended);
        }
        ended
    }

    /// A process is started by another one.
    pub fn started(programs: &mut Programs, pid: u32, parent: u32) {
        take(programs, STARTED, 0, &words(&[pid, parent, pid, parent, 0, 0]));
    }

    /// A program is started in a process.
    pub fn named(programs: &mut Programs, pid: u32, name: &str) {
        take(programs, NAMED, OF_NEW_PROGRAM, &name_of(pid, name, 0));
    }

    /// The record of that.
    pub fn name_of(pid: u32, name: &str, at_ns: u64) -> Vec<u8> {
        [words(&[pid, pid]), name.as_bytes().to_vec(), vec![0; 16], at_ns.to_ne_bytes().to_vec()].concat()
    }

    #[test]
    fn a_process_is_its_parents_program_until_it_is_another() {
        let mut programs = Programs::default();
        named(&mut programs, 7, "sh");
        started(&mut programs, 8, 7);
        assert_eq!(programs.get(8), Some(&Origin { parent: 7, name: Some("sh".into()) }));
        named(&mut programs, 8, "psql");
        assert_eq!(programs.get(8), Some(&Origin { parent: 7, name: Some("psql".into()) }));
        // A thread that gives itself a name, and one that is started.
        take(&mut programs, NAMED, 0, &[words(&[8, 9]), b"worker\0\0".to_vec()].concat());
        take(&mut programs, STARTED, 0, &words(&[8, 8, 9, 8]));
        assert_eq!(programs.get(8).unwrap().name.as_deref(), Some("psql"));
        started(&mut programs, 11, 10);
        assert_eq!(programs.get(11), Some(&Origin { parent: 10, name: None }));
    }

    #[test]
    fn the_end_of_a_thread_is_not_that_of_its_process() {
        let mut programs = Programs::default();
        assert_eq!(take(&mut programs, ENDED, 0, &words(&[8, 7, 9, 7])), [0; 0]);
        assert_eq!(take(&mut programs, ENDED, 0, &words(&[8, 7, 8, 7])), [8]);
    }

    #[test]
    fn short_records_and_too_many_are_left_out() {
        let mut programs = Programs::default();
        for length in 0..12 {
            for kind in [NAMED, STARTED, ENDED] {
                take(&mut programs, kind, OF_NEW_PROGRAM, &vec![0; length]);
            }
        }
        for pid in 1..=u32::try_from(PROCESSES_MAX).unwrap() + 5 {
            started(&mut programs, pid, 0);
        }
        assert!(programs.all.len() <= PROCESSES_MAX + 1);
    }
}
