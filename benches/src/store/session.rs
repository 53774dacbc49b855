//! What an unchanged report costs the server: from the bytes of the message, and with TLS and the session around it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cmdb_core::engine::{Cmdb, SourceName};
use cmdb_core::model::SourceKind;
use cmdb_proto::v1;
use cmdb_proto::v1::agent_message::Message as FromAgent;
use cmdb_proto::v1::discovery_service_client::DiscoveryServiceClient;
use cmdb_proto::v1::server_message::Message as ToAgent;
use cmdb_server::config::{self, Arguments, Config};
use cmdb_server::convert::report::report_from;
use cmdb_server::server::Running;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use super::{REPORT_BYTES, machine, micros, send, source, timed};
use crate::table::{Figure, Figures};

const TIMES: u32 = 2_000;
/// What an entry takes, with its key and digest, in bytes.
const ENTRY_BYTES: usize = 200;

/// A server that runs until its standard input ends.
#[derive(clap::Args)]
pub struct Serve {
    data: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

fn report(sequence: u64) -> v1::AgentMessage {
    let entry = |number: usize| v1::Entry {
        key: format!("process:{number:06}"),
        digest: vec![7; 16],
        body: vec![0xff; ENTRY_BYTES - 40],
    };
    let section = v1::Section {
        scope: "one".to_owned(),
        complete: true,
        digest: vec![8; 16],
        entries: (0..REPORT_BYTES / ENTRY_BYTES).map(entry).collect(),
        ..Default::default()
    };
    let report =
        v1::Report { sequence, digest: vec![9; 16], observed_at_us: super::now().0, sections: vec![section] };
    v1::AgentMessage { message: Some(FromAgent::Report(report)) }
}

/// The bytes of a message as the engine takes them.
fn ingest(engine: &Cmdb, agent: &SourceName, bytes: &[u8]) -> Result<()> {
    let Some(FromAgent::Report(report)) = v1::AgentMessage::decode(bytes)?.message else {
        bail!("the message is no report");
    };
    send(engine, report_from(report, agent.clone()).map_err(|_| anyhow::anyhow!("refused"))?)?;
    Ok(())
}

/// From the decrypted, decompressed bytes to the answer, in process.
pub fn unchanged(figures: &mut Figures, engine: &Cmdb) -> Result<()> {
    let (bytes, agent) = (report(1).encode_to_vec(), source("agent-1", SourceKind::Agent));
    // The entries are refused one by one, so that they are known, and nothing of them is in the estate.
    ingest(engine, &agent, &bytes)?;
    let before = machine::written()?;
    let head = engine.reader()?.revision();
    let ((), _, spent) = timed(|| (0..TIMES).try_for_each(|_| ingest(engine, &agent, &bytes)))?;
    let quiet = engine.reader()?.revision() == head;
    let each = micros(spent) / f64::from(TIMES);
    figures.add(Figure {
        what: "unchanged report of 20 KB, from the bytes of the message",
        reach: "20 µs CPU, no write",
        value: format!("{each:.1} µs CPU, {} bytes written", machine::written()? - before),
        reached: Some(each <= 20.0 && quiet),
        beside: format!("{:.1} KB", bytes.len() as f64 / 1e3),
    });
    Ok(())
}

/// Runs a server until standard input ends.
pub fn serve(serve: &Serve) -> Result<()> {
    let flags = ["--listen", "127.0.0.1:0", "--data"].map(OsString::from);
    let tls = [
        OsString::from("--tls-cert"),
        serve.cert.clone().into(),
        "--tls-key".into(),
        serve.key.clone().into(),
        // What is measured is the session, not who is let in.
        "--agents".into(),
        "open".into(),
    ];
    let words = [OsString::from("cmdb-server")]
        .into_iter()
        .chain(flags)
        .chain([serve.data.clone().into()])
        .chain(tls);
    let arguments = Arguments::read(words)?;
    let config = Config::from_values(&config::gather(&arguments.flags, &|_| None)?)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let running = Running::start(&config).await?;
        writeln!(std::io::stdout(), "{}", running.address)?;
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        running.stop().await
    })
}

/// A server in a process of its own, so that its time is not mixed with the client's.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(directory: &Path) -> Result<(Server, String)> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        std::fs::write(&cert, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg(directory.join("served")).args([&cert, &key]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut line)?;
        let port = line.trim().rsplit(':').next().unwrap_or_default().parse();
        let port = port.with_context(|| format!("the server said {line:?} instead of its address"))?;
        Ok((Server { child, port }, made.cert.pem()))
    }

    fn cpu(&self) -> Result<Duration> {
        machine::cpu_of(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Nothing of its data is wanted: how it ended says nothing.
        drop(self.child.wait());
    }
}

/// The same report through TLS, HTTP/2 and the session: what it costs the server's process.
pub fn whole(figures: &mut Figures, directory: &Path) -> Result<()> {
    let (server, cert) = Server::start(directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let spent = runtime.block_on(async {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(cert));
        let channel = Channel::from_shared(format!("https://localhost:{}", server.port))?.tls_config(tls)?;
        let mut client = DiscoveryServiceClient::new(channel.connect().await?);
        let (sender, receiver) = mpsc::channel(1);
        let hello = v1::Hello {
            agent_id: "0b6f3c1e-5d0c-4c39-9c55-0b3a4be5f7a1".to_owned(),
            host_name: "bench".to_owned(),
            agent_version: "0.1.0".to_owned(),
            protocol_version: 1,
            platform: "linux-x86_64".to_owned(),
            ..Default::default()
        };
        sender.send(v1::AgentMessage { message: Some(FromAgent::Hello(hello)) }).await?;
        let mut answers = client.session(ReceiverStream::new(receiver)).await?.into_inner();
        let mut before = Duration::ZERO;
        for sequence in 0..=u64::from(TIMES) {
            if sequence == 1 {
                before = server.cpu()?;
            }
            sender.send(report(sequence + 1)).await?;
            loop {
                match answers.message().await?.and_then(|answer| answer.message) {
                    Some(ToAgent::Ack(ack)) if ack.sequence == sequence + 1 => break,
                    Some(ToAgent::Welcome(_)) => {}
                    other => bail!("instead of an acknowledgement: {other:?}"),
                }
            }
        }
        anyhow::Ok(server.cpu()?.saturating_sub(before))
    })?;
    ensure!(!spent.is_zero(), "Linux says nothing of the server's time");
    figures.add(Figure {
        what: "the same, with TLS, HTTP/2 and the session",
        reach: "(beside)",
        value: format!("{:.0} µs CPU", micros(spent) / f64::from(TIMES)),
        reached: None,
        beside: "of the server's process, one report at a time".to_owned(),
    });
    Ok(())
}
