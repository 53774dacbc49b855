//! Listens for sockets that end, where the kernel does not let us hear of those that begin.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::Gathered;
use super::endings::EndedTally;
use crate::host::addresses::client_ports;
use crate::platform::{self, Endings};
use crate::root::Root;

/// How often the thread looks whether it is still wanted.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long the kernel may go on telling before it is heard: bounds the number of wake-ups.
const GATHER_FOR: Duration = Duration::from_millis(100);
const STACK_BYTES: usize = 128 << 10;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<Mutex<Listening>>,
}

#[derive(Debug)]
struct Listening {
    endings: Endings,
    client_ports: (u16, u16),
    tally: EndedTally,
    lost: u64,
}

impl Listener {
    /// Begins to listen.
    pub fn start() -> io::Result<Self> {
        let listening = Listening {
            endings: Endings::open()?,
            client_ports: client_ports(&Root::new("/")),
            tally: EndedTally::default(),
            lost: 0,
        };
        let shared = Arc::new(Mutex::new(listening));
        let weak = Arc::downgrade(&shared);
        let thread = std::thread::Builder::new().name("connections".to_owned()).stack_size(STACK_BYTES);
        thread.spawn(move || listen(&weak))?;
        Ok(Self { shared })
    }

    /// What was learnt since this was asked last.
    pub fn gather(&mut self) -> Gathered {
        let mut listening = lock(&self.shared);
        listening.hear();
        Gathered { ended: listening.tally.gather(), ..Gathered::default() }
    }

    /// What was missed so far, in words; empty: nothing.
    pub fn missed(&self) -> String {
        let listening = lock(&self.shared);
        match (listening.lost, listening.tally.left_out) {
            (0, 0) => String::new(),
            (lost, left_out) => format!(
                "{lost} times connections ended faster than it was heard, {left_out} were beyond the limits of what is kept"
            ),
        }
    }
}

fn lock(shared: &Mutex<Listening>) -> MutexGuard<'_, Listening> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(shared: &Weak<Mutex<Listening>>) {
    loop {
        let descriptor = {
            let Some(shared) = shared.upgrade() else { return };
            let mut listening = lock(&shared);
            listening.hear();
            listening.endings.descriptor()
        };
        platform::wait(&[descriptor], WAIT_MAX);
        std::thread::sleep(GATHER_FOR);
    }
}

impl Listening {
    fn hear(&mut self) {
        let (tally, client_ports) = (&mut self.tally, self.client_ports);
        self.lost += self.endings.take(&mut |record| tally.note(record, client_ports));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    #[test]
    #[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
    fn connections_that_ended_are_told_with_their_bytes() {
        let mut listener = match Listener::start() {
            Ok(listener) => listener,
            Err(error) => {
                eprintln!("SKIPPED: endings of sockets: {error}");
                return;
            }
        };
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        for _ in 0..3 {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(&[7; 1000]).unwrap();
            drop(client);
            let mut accepted = server.accept().unwrap().0;
            std::io::copy(&mut accepted, &mut std::io::sink()).unwrap();
        }
        // The kernel tells a moment after the socket is gone.
        let began = Instant::now();
        let (mut times, mut bytes) = (0, 0);
        while times < 3 && began.elapsed() < Duration::from_secs(20) {
            let ended = listener.gather().ended;
            for one in ended.iter().filter(|one| one.remote == address) {
                times += one.times;
                bytes += one.bytes;
            }
            std::thread::yield_now();
        }
        assert_eq!((times, listener.missed().as_str()), (3, ""));
        assert!(bytes >= 3_000, "{bytes}");
    }
}
