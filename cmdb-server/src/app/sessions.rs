//! Which agents are connected. One session per agent: the newer wins.
//!
//! Knows neither the protocol nor what is reported. A process that comes back after another one of the same agent
//! had come shows that both live: two hosts hold one identity.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Error;

/// The agents that are connected.
#[derive(Clone)]
pub struct Sessions {
    table: Arc<Mutex<Table>>,
    sessions_max: usize,
}

/// Processes of one agent that are remembered, the newest last.
const PROCESSES_MAX: usize = 4;

/// One process of an agent.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Process {
    /// Drawn by it at its start.
    instance: Vec<u8>,
    /// In how much its host is not the one that the identity was made for.
    mismatches: usize,
}

/// Whether a session's host is the only one that holds its identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holding {
    /// As far as is known, it is.
    Alone,
    /// Another host holds it too, and this one is no nearer to the original.
    Shared,
}

#[derive(Default)]
struct Table {
    /// By source.
    seats: BTreeMap<String, Taken>,
    /// The latest processes of each source.
    processes: BTreeMap<String, VecDeque<Process>>,
    /// Sessions so far.
    opened: u64,
}

/// What an agent costs its host, by its own word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Microseconds of CPU since it was started.
    pub cpu_us: u64,
    /// Memory.
    pub resident_bytes: u64,
    /// Microseconds of CPU of its last scan.
    pub scan_cpu_us: u64,
    /// Bytes sent since it was started.
    pub sent_bytes: u64,
    /// Seconds since it was started; 0: not said.
    pub running_s: u64,
}

struct Taken {
    number: u64,
    cost: Option<Cost>,
    superseded: watch::Sender<bool>,
}

/// A session's place. Leaving is dropping it.
pub struct Seat {
    sessions: Sessions,
    source: String,
    number: u64,
    superseded: watch::Receiver<bool>,
}

impl Sessions {
    /// Room for so many.
    pub fn new(sessions_max: usize) -> Sessions {
        Sessions { table: Arc::default(), sessions_max }
    }

    /// Takes a place; the agent's older session, if there is one, is told to end.
    ///
    /// # Errors
    /// When all places are taken.
    pub fn enter(&self, source: &str) -> Result<Seat, Error> {
        let mut table = self.lock();
        if !table.seats.contains_key(source) && table.seats.len() >= self.sessions_max {
            return Err(Error::SessionsFull { limit: self.sessions_max });
        }
        table.opened += 1;
        let number = table.opened;
        let (tell, superseded) = watch::channel(false);
        if let Some(older) =
            table.seats.insert(source.to_owned(), Taken { number, cost: None, superseded: tell })
        {
            older.superseded.send_replace(true);
        }
        Ok(Seat { sessions: self.clone(), source: source.to_owned(), number, superseded })
    }

    /// Notes a process of an agent that says hello; whether another one that lives holds the same identity.
    pub fn note_process(&self, source: &str, instance: &[u8], mismatches: usize) -> Holding {
        if instance.is_empty() {
            return Holding::Alone;
        }
        let mut table = self.lock();
        let processes = table.processes.entry(source.to_owned()).or_default();
        let process = Process { instance: instance.to_vec(), mismatches };
        let Some(at) = processes.iter().position(|known| known.instance == process.instance) else {
            if processes.len() == PROCESSES_MAX {
                processes.pop_front();
            }
            processes.push_back(process);
            return Holding::Alone;
        };
        // One that ended never comes back: those that came since live as well, or did until a moment ago.
        let later = processes.iter().skip(at + 1).map(|other| other.mismatches).min();
        processes.remove(at);
        let holding = match later {
            Some(theirs) if mismatches >= theirs => Holding::Shared,
            _ => Holding::Alone,
        };
        // Who is told to take another identity does not come back under this one.
        if holding == Holding::Alone {
            processes.push_back(process);
        }
        holding
    }

    /// Ends the session of a source.
    pub fn end(&self, source: &str) {
        if let Some(taken) = self.lock().seats.get(source) {
            taken.superseded.send_replace(true);
        }
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.lock().seats.len()
    }

    /// The sources that are connected, with what each last said of its cost.
    pub fn connected(&self) -> BTreeMap<String, Option<Cost>> {
        self.lock().seats.iter().map(|(source, taken)| (source.clone(), taken.cost)).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        // Every change of the table is whole before anything can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The agent says what it costs.
    pub fn note_cost(&self, cost: Cost) {
        let mut table = self.sessions.lock();
        if let Some(taken) = table.seats.get_mut(&self.source).filter(|taken| taken.number == self.number) {
            taken.cost = Some(cost);
        }
    }

    /// Waits until a newer session of the same agent has begun.
    pub async fn superseded(&mut self) {
        // The sender lives in the table until a newer one takes its place, or this seat is dropped.
        drop(self.superseded.wait_for(|superseded| *superseded).await);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.sessions.lock();
        if table.seats.get(&self.source).is_some_and(|taken| taken.number == self.number) {
            table.seats.remove(&self.source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newer_session_wins_and_the_older_one_leaves_it_alone() {
        let sessions = Sessions::new(1);
        let mut older = sessions.enter("agent-1").unwrap();
        let newer = sessions.enter("agent-1").unwrap();
        older.superseded().await;
        let cost = |cpu_us| Cost { cpu_us, resident_bytes: 1, scan_cpu_us: 1, sent_bytes: 1, running_s: 1 };
        newer.note_cost(cost(2));
        older.note_cost(cost(1));
        drop(older);
        assert_eq!(sessions.connected(), BTreeMap::from([("agent-1".to_owned(), Some(cost(2)))]));
        drop(newer);
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn a_process_that_comes_back_after_another_one_shows_that_both_live() {
        use Holding::{Alone, Shared};
        let check = |hellos: &[(u8, usize, Holding)]| {
            let sessions = Sessions::new(9);
            for (at, (instance, mismatches, expected)) in hellos.iter().enumerate() {
                let holding = sessions.note_process("agent-1", &[*instance], *mismatches);
                assert_eq!(holding, *expected, "{hellos:?} at {at}");
            }
        };
        // A lost connection, and restarts.
        check(&[(1, 0, Alone), (1, 0, Alone), (2, 0, Alone), (3, 0, Alone), (3, 0, Alone)]);
        // Two that look alike: one of them is told, the other stays.
        check(&[(1, 0, Alone), (2, 0, Alone), (1, 0, Shared), (2, 0, Alone)]);
        // The one that is less like the original is told, whoever comes first.
        check(&[(1, 0, Alone), (2, 1, Alone), (1, 0, Alone), (2, 1, Shared), (1, 0, Alone)]);
        check(&[(1, 1, Alone), (2, 0, Alone), (1, 1, Shared), (2, 0, Alone)]);
        // Agents that do not say which process they are.
        let sessions = Sessions::new(9);
        assert_eq!([(); 3].map(|()| sessions.note_process("agent-1", &[], 0)), [Alone; 3]);
    }

    #[test]
    fn a_full_house_takes_nobody_new() {
        let sessions = Sessions::new(1);
        let seat = sessions.enter("agent-1").unwrap();
        assert!(matches!(sessions.enter("agent-2"), Err(Error::SessionsFull { limit: 1 })));
        drop(seat);
        assert!(sessions.enter("agent-2").is_ok());
    }
}
