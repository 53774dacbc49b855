//! `cargo xtask demo`: a real server and a real agent on this machine, and the first questions.
//!
//! Everything that is printed about the graph was read back through the `cmdb` binary. Invariant: whatever
//! fails, the server and the agent that were started here are ended.

mod answers;
mod interrupt;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{self, Guarded};
use answers::Shell;
use interrupt::Interrupt;

/// The server's usual port; another one is taken when it is in use.
const PORT: u16 = 7400;
const READY_MAX: Duration = Duration::from_secs(60);
/// The source under which the sample estate is imported.
const SAMPLE_SOURCE: &str = "webshop";
const SAMPLE: &str = "examples/webshop.jsonl";
/// What the sample answer asks about.
const SAMPLE_SEED: &str = "webshop:storage-ams";

#[derive(clap::Args)]
pub struct Options {
    /// Stop everything after the answers instead of staying up
    #[arg(long)]
    once: bool,
    /// Forget what an earlier demo stored
    #[arg(long)]
    fresh: bool,
}

/// Where the demo keeps its things.
struct Place {
    binaries: PathBuf,
    directory: PathBuf,
    port: u16,
}

/// Builds, starts, reports, imports, asks; stays up unless told otherwise.
pub fn demo(root: &Path, options: &Options) -> Result<ExitCode> {
    // The dev profile: a cold build takes a third of the time of an optimised one, and the store and
    // the hashing, which the answers wait for, are optimised in it anyway.
    process::say("building cmdb-server, cmdb-agent and cmdb (the first time takes a few minutes)");
    process::run(process::cargo(root).args([
        "build",
        "-p",
        "cmdb-server",
        "-p",
        "cmdb-agent",
        "-p",
        "cmdb-cli",
    ]))?;
    let place =
        Place { binaries: root.join("target/debug"), directory: root.join("target/demo"), port: port()? };
    if options.fresh && place.directory.exists() {
        std::fs::remove_dir_all(&place.directory).context("forgetting the earlier demo")?;
    }
    std::fs::create_dir_all(&place.directory).context("creating target/demo")?;
    let interrupt = Interrupt::listen()?;
    let shell = Shell::new(root, place.binaries.join("cmdb"), place.url());
    let mut server = place.start_server()?;
    place.wait_until_ready(&mut server, &shell, &interrupt)?;
    let told = show(&place, &shell, &interrupt).with_context(|| server.log_tail());
    if let Err(error) = told {
        server.still_runs()?;
        return Err(error);
    }
    if !options.once {
        stay_up(root, &place, &mut server, &interrupt)?;
    }
    server.end()?;
    process::say("\nthe server has ended; what it knows stays in target/demo/data");
    Ok(ExitCode::SUCCESS)
}

fn show(place: &Place, shell: &Shell, interrupt: &Interrupt) -> Result<()> {
    let began = Instant::now();
    process::read(place.agent().arg("--once")).context("the agent could not report this machine")?;
    process::say(format!("agent   reported this machine in {} ms", began.elapsed().as_millis()));
    interrupt.check()?;
    let machine = answers::this_machine(shell)?;
    machine.print();
    interrupt.check()?;
    process::say("\nWhat fails with this machine (without --count: each item, and why):");
    shell.show(&["impact", machine.seed(), "--count"])?;
    interrupt.check()?;
    process::say("\nA sample estate, small enough to check by hand; its storage array fails:");
    shell.show(&["import", "--source", SAMPLE_SOURCE, SAMPLE])?;
    interrupt.check()?;
    shell.show(&["impact", SAMPLE_SEED])
}

fn stay_up(root: &Path, place: &Place, server: &mut Guarded, interrupt: &Interrupt) -> Result<()> {
    let mut agent = Guarded::start("the agent", &mut place.agent(), &place.directory.join("agent.log"))?;
    let cmdb = place.binaries.strip_prefix(root).unwrap_or(&place.binaries).join("cmdb");
    let cmdb = format!("{} --server {}", cmdb.display(), place.url());
    process::say("\nThe server and an agent stay up until Ctrl-C. What to try next:");
    for command in [
        "status",
        "items --class software",
        "impact webshop:web-1 webshop:web-2",
        "trace webshop:order webshop:storage-ams",
        "watch",
    ] {
        process::say(format!("  {cmdb} {command}"));
    }
    let survived = interrupt.wait_while(|| {
        server.still_runs()?;
        agent.still_runs()
    });
    let ended = agent.end();
    survived.and(ended)
}

impl Place {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn start_server(&self) -> Result<Guarded> {
        let mut command = Command::new(self.binaries.join("cmdb-server"));
        command.arg("--data").arg(self.directory.join("data"));
        command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        Guarded::start("the server", &mut command, &self.directory.join("server.log"))
    }

    fn agent(&self) -> Command {
        let mut command = Command::new(self.binaries.join("cmdb-agent"));
        command.args(["--server", &self.url()]).arg("--state-dir").arg(self.directory.join("agent"));
        command
    }

    fn wait_until_ready(&self, server: &mut Guarded, shell: &Shell, interrupt: &Interrupt) -> Result<()> {
        let began = Instant::now();
        let ready = process::wait_until(READY_MAX, || {
            interrupt.check()?;
            server.still_runs()?;
            Ok(shell.answers())
        })?;
        if !ready {
            bail!("the server is not ready after {} s\n{}", READY_MAX.as_secs(), server.log_tail());
        }
        let (milliseconds, id) = (began.elapsed().as_millis(), server.id());
        process::say(format!("server  {} ready in {milliseconds} ms (process {id})", self.url()));
        Ok(())
    }
}

/// The usual port, or a free one.
fn port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", PORT)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)));
    Ok(listener.context("looking for a free port on 127.0.0.1")?.local_addr()?.port())
}
