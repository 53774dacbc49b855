//! A crowded host: processes that sleep and connections that say nothing, until the guard is dropped.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Files that we need beside the connections.
const OTHER_FILES: u64 = 200;

/// What crowds the host.
#[derive(Default)]
pub struct Crowd {
    sleepers: Vec<Child>,
    /// Both ends of each connection.
    sockets: Vec<TcpStream>,
    _listener: Option<TcpListener>,
}

impl Crowd {
    /// So many processes and sockets beside what there is. Every connection has two sockets, both ours.
    pub fn gather(processes: usize, sockets: usize) -> Result<Self> {
        let mut crowd = Self::default();
        for _ in 0..processes {
            let mut sleep = Command::new("sleep");
            sleep.arg("infinity").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            crowd.sleepers.push(sleep.spawn().context("starting `sleep infinity`")?);
        }
        raise_file_limit(u64::try_from(sockets)? + OTHER_FILES)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listening on a free port")?;
        let address = listener.local_addr()?;
        while crowd.sockets.len() < sockets {
            crowd.sockets.push(TcpStream::connect(address).context("connecting to ourselves")?);
            crowd.sockets.push(listener.accept().context("accepting ourselves")?.0);
        }
        crowd._listener = Some(listener);
        Ok(crowd)
    }
}

fn raise_file_limit(needed: u64) -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = limit.maximum.map_or(Some(needed), |most| Some(most.max(needed)));
        limit.maximum = limit.maximum.map(|most| most.max(needed));
        setrlimit(Resource::Nofile, limit)
            .with_context(|| format!("opening {needed} files at once: raise the limit (`ulimit -n`)"))?;
    }
    Ok(())
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for sleeper in &mut self.sleepers {
            // Fails only when it has ended already.
            let _ = sleeper.kill();
        }
        for sleeper in &mut self.sleepers {
            let _ = sleeper.wait();
        }
    }
}
