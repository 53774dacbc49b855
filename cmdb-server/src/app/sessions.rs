//! Which agents are connected. One session per agent: the newer wins.
//!
//! Knows neither the protocol nor what is reported.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Error;

/// The agents that are connected.
#[derive(Clone)]
pub struct Sessions {
    table: Arc<Mutex<Table>>,
    sessions_max: usize,
}

#[derive(Default)]
struct Table {
    /// By source.
    seats: BTreeMap<String, Taken>,
    /// Sessions so far.
    opened: u64,
}

struct Taken {
    number: u64,
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
        if let Some(older) = table.seats.insert(source.to_owned(), Taken { number, superseded: tell }) {
            older.superseded.send_replace(true);
        }
        Ok(Seat { sessions: self.clone(), source: source.to_owned(), number, superseded })
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.lock().seats.len()
    }

    /// The sources that are connected.
    pub fn connected(&self) -> BTreeSet<String> {
        self.lock().seats.keys().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        // Every change of the table is whole before anything can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
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
        drop(older);
        assert_eq!(sessions.connected(), BTreeSet::from(["agent-1".to_owned()]));
        drop(newer);
        assert_eq!(sessions.count(), 0);
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
