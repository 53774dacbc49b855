//! The command: settings, then one of show, report once, report for ever.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use cmdb_agent::client::Address;
use cmdb_agent::client::discover::discover;
use cmdb_agent::client::tls::Trust;
use cmdb_agent::collectors::software::Software;
use cmdb_agent::collectors::software::catalogue::Catalogue;
use cmdb_agent::config::{self, Config, Job, Output};
use cmdb_agent::connections::Ladder;
use cmdb_agent::enrolment::{self, Host, Next};
use cmdb_agent::host::site::Site;
use cmdb_agent::root::Root;
use cmdb_agent::scan::{Scanner, SharedMemory};
use cmdb_agent::schedule::{Agent, Server};
use cmdb_agent::show;
use cmdb_agent::state::State;
use tokio::sync::watch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let config = match config::read(std::env::args_os()) {
        Ok(Ok(config)) => config,
        Ok(Err(error)) => return fail(&error.into()),
        Err(usage) => usage.exit(),
    };
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stderr(), "cmdb-agent: {error:#}");
    ExitCode::FAILURE
}

fn run(config: &Config) -> Result<()> {
    start_log(LevelFilter::from(config.log.value));
    let work = match &config.job {
        Job::PrintConfig => return say(&config.print()),
        Job::Print(output) => return print(config, *output),
        Job::Once | Job::Run => Work::Report,
        Job::Enroll { .. } | Job::Renew | Job::Leave => Work::Identity,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()
        .context("the runtime could not be started")?;
    match work {
        Work::Report => runtime.block_on(report(config)),
        Work::Identity => runtime.block_on(identity(config)),
    }
}

/// What needs the network.
enum Work {
    Report,
    Identity,
}

/// The level is the agent's own; of the libraries below only what fails is of interest, unless everything is.
fn start_log(level: LevelFilter) {
    let libraries = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    let targets = Targets::new().with_default(libraries).with_target("cmdb_agent", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(targets).init();
}

fn say(text: &str) -> Result<()> {
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    match written {
        // Who reads only the first lines has what they want.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("writing to standard output"),
    }
}

fn scanner(config: &Config, memory: SharedMemory, ladder: Ladder) -> Result<Scanner> {
    let catalogue = Catalogue::load(&config.software_files.value)?;
    let root = &config.root.value;
    anyhow::ensure!(root.is_dir(), "the root {} is not a directory; name one with --root", root.display());
    let software = Software::new(catalogue, config.allow_arguments.value.clone(), memory, ladder);
    let site = Site::parse(&config.site.value).context("a site that was checked")?;
    Ok(Scanner::new(Root::new(root), software).in_site(site))
}

/// Between two scans there is something to miss.
fn ladder(config: &Config) -> Ladder {
    match config.job {
        Job::Run if Root::new(&config.root.value).is_live() => Ladder::climb(),
        Job::Run => {
            Ladder::polling("the files below another root are read, and the kernel speaks of this machine")
        }
        _ => Ladder::polling("a single look sees what is open at that moment"),
    }
}

fn print(config: &Config, output: Output) -> Result<()> {
    let scan = scanner(config, SharedMemory::default(), ladder(config))?.scan();
    match output {
        Output::Text => say(&show::text(&scan)),
        Output::Json => say(&format!("{:#}\n", show::json(&scan))),
    }
}

async fn report(config: &Config) -> Result<()> {
    let state = State::open(&config.state_dir.value)?;
    let memory = Arc::new(Mutex::new(state.memory()));
    let scanner = scanner(config, Arc::clone(&memory), ladder(config))?;
    let server = Server {
        url: config.server.value.clone(),
        ca: config.ca.value.clone(),
        discover_timeout_s: config.discover_timeout_s.value,
    };
    let mut stop = stop_signal()?;
    let mut agent = Agent::new(server, state, memory, scanner);
    match &config.job {
        Job::Once => {
            let Some(ack) = agent.once(&mut stop).await? else {
                anyhow::bail!("stopped before the report was accepted")
            };
            say(&format!(
                "reported: {} items created, {} updated, {} entries unchanged, {} withdrawn; revision {}\n",
                ack.created, ack.updated, ack.unchanged, ack.withdrawn, ack.revision
            ))?;
            anyhow::ensure!(
                ack.refused_total == 0,
                "{} entries were refused by the server; the reasons are in the log above",
                ack.refused_total
            );
            Ok(())
        }
        _ => {
            tracing::info!(version = env!("CARGO_PKG_VERSION"), "the agent starts");
            agent.run(&mut stop).await?;
            tracing::info!("the agent stops");
            Ok(())
        }
    }
}

/// What is done about the agent's identity, once.
async fn identity(config: &Config) -> Result<()> {
    let mut state = State::open(&config.state_dir.value)?;
    let mut scanner = scanner(config, SharedMemory::default(), ladder(config))?;
    let host = Host { name: scanner.host_name().to_owned(), seal: scanner.seal() };
    let known = state.identity().cloned();
    let server = config.server.value.clone().or_else(|| Some(known.as_ref()?.server.clone()));
    let address = match server {
        Some(url) => Address::from(url),
        None => discover(config.discover_timeout_s.value).await?,
    };
    let ca = config.ca.value.clone();
    let trust = Trust::Known { identity: known.clone(), ca: ca.clone() };
    match &config.job {
        Job::Enroll { again: false, .. }
            if known.as_ref().is_some_and(|known| known.server == address.url) =>
        {
            say(&format!(
                "enrolled already, as agent {} at {}; --again enrolls anew\n",
                state.agent_id(),
                address.url
            ))
        }
        Job::Enroll { token, ca_fingerprint, .. } => {
            anyhow::ensure!(
                address.url.starts_with("https://"),
                "enrolling needs an https address, and the server's is {}; agents on the server's own machine need no \
                 certificate while it listens on loopback only",
                address.url
            );
            let trust = ca_fingerprint.map_or(Trust::Known { identity: None, ca }, Trust::Pinned);
            enrolment::enroll(&address, &trust, token.clone(), &host, &mut state).await?;
            tell(&state, "enrolled")
        }
        Job::Renew => {
            enrolment::renew(&address, &trust, Next::Same, &host, &mut state).await?;
            tell(&state, "renewed")
        }
        _ => {
            enrolment::leave(&address, &trust, &mut state).await?;
            say(&format!(
                "agent {} has left {}: this host is not managed any more\n",
                state.agent_id(),
                address.url
            ))
        }
    }
}

fn tell(state: &State, what: &str) -> Result<()> {
    let identity = state.identity().context("the identity that was kept is not there")?;
    say(&format!(
        "{what}: agent {} at {}, certificate valid until {}\n",
        identity.agent_id,
        identity.server,
        show::time::rfc3339(identity.not_after_us)
    ))
}

/// Becomes true when the process is asked to end.
fn stop_signal() -> Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            let _ = sender.send(true);
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        let _ = sender.send(true);
    });
    Ok(receiver)
}
