//! What the agent says to a server: deltas, whole reports on request, and the same again after a lost connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cmdb_agent::schedule::{Agent, RunError, Server};
use cmdb_agent::state::State;
use cmdb_proto::v1;
use cmdb_proto::v1::server_message::Message as ToAgent;
use prost::Message;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::Identity;

use crate::fake_server::FakeServer;
use crate::fixtures::{place, scanner};
use crate::hostile::copy;

/// A small host whose files a test may change, and the agent's state.
pub struct Host {
    _directory: tempfile::TempDir,
    pub root: PathBuf,
    state: PathBuf,
}

impl Host {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (root, state) = (directory.path().join("root"), directory.path().join("state"));
        copy(&place("alpine-container"), &root);
        // Without processes there are no connections, whose confidence would grow from scan to scan.
        fs::remove_dir_all(root.join("proc/1")).expect("the fixture has it");
        fs::remove_dir_all(root.join("proc/8")).expect("the fixture has it");
        Self { _directory: directory, root, state }
    }

    pub fn agent(&self, url: &str, ca: Option<&Path>) -> Agent {
        let state = State::open(&self.state).expect("the state directory is free");
        let memory = Arc::new(Mutex::new(state.memory()));
        let server = Server { url: Some(url.to_owned()), ca: ca.map(Path::to_owned), discover_timeout_s: 0 };
        Agent::new(server, state, Arc::clone(&memory), scanner(&self.root, memory))
    }

    fn upgrade_musl(&self, from: &str, to: &str) {
        let path = self.root.join("lib/apk/db/installed");
        let text = fs::read_to_string(&path).expect("the fixture has it");
        assert!(text.contains(from));
        // As package managers do: a new file in the place of the old one.
        let new = path.with_extension("new");
        fs::write(&new, text.replace(from, to)).expect("writable");
        fs::rename(new, path).expect("writable");
    }
}

/// An agent that runs until it is told to stop.
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    pub fn start(mut agent: Agent) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move { agent.run(&mut stopped).await });
        Self { stop, task }
    }

    pub async fn stop(self) {
        self.stop.send(true).expect("the agent runs");
        self.task.await.expect("no panic").expect("a stop is no error");
    }
}

pub async fn once(agent: &mut Agent) -> Result<Option<v1::Ack>, RunError> {
    let (_stop, mut stopped) = watch::channel(false);
    agent.once(&mut stopped).await
}

/// For each section: whether it is unchanged, how many entries it lists and how many have bodies.
fn shape(report: &v1::Report) -> Vec<(String, bool, usize, usize)> {
    let of = |section: &v1::Section| {
        let bodies = section.entries.iter().filter(|entry| !entry.body.is_empty()).count();
        (section.scope.clone(), section.unchanged, section.entries.len(), bodies)
    };
    report.sections.iter().map(of).collect()
}

fn changed(report: &v1::Report) -> Vec<(String, usize, usize)> {
    shape(report).into_iter().filter(|one| !one.1).map(|one| (one.0, one.2, one.3)).collect()
}

fn is_whole(report: &v1::Report) -> bool {
    shape(report).iter().all(|(_, unchanged, entries, bodies)| !unchanged && entries == bodies)
}

#[tokio::test]
async fn only_what_changed_is_sent() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let running = Running::start(host.agent(&server.url(), None));
    let mut session = server.session().await;
    let hello = session.welcome(&[]).await;
    assert_eq!((hello.host_name.as_str(), hello.protocol_version), ("api-7d9f", 1));
    assert_eq!(hello.agent_id.len(), 36);

    let first = session.report().await;
    assert!(is_whole(&first), "the first report is whole: {:?}", shape(&first));
    for entry in first.sections.iter().flat_map(|section| &section.entries) {
        assert_eq!(entry.digest, blake3::hash(&entry.body).as_bytes()[..16]);
        assert_eq!(v1::Claim::decode(entry.body.as_slice()).expect("a claim").key, entry.key);
    }
    session.acknowledge(&first).await;
    // Nothing changed: only signs of life, which name what was acknowledged.
    for _ in 0..3 {
        let heartbeat = session.heartbeat().await;
        assert_eq!(heartbeat.report_digest, first.digest);
        assert!(heartbeat.cost.expect("the agent says what it costs").resident_bytes > 0);
    }

    host.upgrade_musl("1.2.4_git20230717-r4", "1.2.4_git20230717-r5");
    let second = session.report().await;
    assert_eq!(changed(&second), [("packages".to_owned(), 3, 1)], "one body for one changed package");
    assert_eq!(second.sequence, first.sequence + 1);
    session.acknowledge(&second).await;

    session.say(ToAgent::Rescan(v1::Rescan { scopes: vec!["os".into()], reason: "test".into() })).await;
    let third = session.report().await;
    assert_eq!(changed(&third), [("os".to_owned(), 1, 1)], "the section that was asked for, whole");
    session.acknowledge(&third).await;

    session.say(ToAgent::Rescan(v1::Rescan { scopes: vec![], reason: "test".into() })).await;
    assert!(is_whole(&session.report().await), "everything was asked for");
    running.stop().await;
}

#[tokio::test]
async fn a_lost_connection_is_opened_again() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let running = Running::start(host.agent(&server.url(), None));
    let mut session = server.session().await;
    let id = session.welcome(&[]).await.agent_id;
    let first = session.report().await;
    session.acknowledge(&first).await;
    assert_eq!(session.heartbeat().await.report_digest, first.digest);
    drop(session);

    // The server has what was acknowledged: nothing is sent again.
    let mut session = server.session().await;
    assert_eq!(session.welcome(&first.digest).await.agent_id, id);
    assert_eq!(session.heartbeat().await.report_digest, first.digest);
    drop(session);

    // The server has something else: everything is sent again.
    let mut session = server.session().await;
    session.welcome(&[9; 16]).await;
    assert!(is_whole(&session.report().await));
    drop(session);

    // A report that was never acknowledged is not known.
    let mut session = server.session().await;
    session.welcome(&[]).await;
    assert!(is_whole(&session.report().await));
    running.stop().await;
}

#[tokio::test]
async fn a_restarted_agent_goes_on_where_it_was() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let url = server.url();
    let serve = tokio::spawn(async move {
        let mut session = server.session().await;
        session.welcome(&[]).await;
        let first = session.report().await;
        session.acknowledge(&first).await;

        let mut session = server.session().await;
        session.welcome(&first.digest).await;
        let second = session.report().await;
        session.acknowledge(&second).await;
        (first, second)
    });
    let first_ack = once(&mut host.agent(&url, None)).await.expect("accepted").expect("not stopped");
    assert_eq!(first_ack.revision, 7);
    once(&mut host.agent(&url, None)).await.expect("accepted");
    let (first, second) = serve.await.expect("the server held out");
    assert_eq!(first.digest, second.digest);
    assert!(changed(&second).is_empty(), "every section is as it was acknowledged");
}

#[tokio::test]
async fn a_report_that_the_server_holds_in_part_is_completed() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let mut agent = host.agent(&server.url(), None);
    let serve = tokio::spawn(async move {
        let mut session = server.session().await;
        session.welcome(&[]).await;
        let first = session.report().await;
        // What a server says that lacks a section: accepted, but not known as a whole; then the request.
        let partly = v1::Ack { sequence: first.sequence, revision: 1, ..Default::default() };
        session.say(ToAgent::Ack(partly)).await;
        session
            .say(ToAgent::Rescan(v1::Rescan { scopes: vec!["packages".into()], reason: "test".into() }))
            .await;
        let second = session.report().await;
        session.acknowledge(&second).await;
        second
    });
    let ack = once(&mut agent).await.expect("accepted").expect("not stopped");
    let second = serve.await.expect("the server held out");
    assert_eq!(changed(&second), [("packages".to_owned(), 3, 3)]);
    assert_eq!(ack.report_digest, second.digest, "the first acknowledgement was not the end");
}

#[tokio::test]
async fn a_refused_report_is_tried_again_whole() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let running = Running::start(host.agent(&server.url(), None));
    let mut session = server.session().await;
    session.welcome(&[]).await;
    let first = session.report().await;
    let problem = v1::Problem { reason: "BUSY".into(), message: "busy".into(), ..Default::default() };
    let error = v1::SessionError { problem: Some(problem), sequence: first.sequence, retry_after_s: 1 };
    session.say(ToAgent::Error(error)).await;
    let second = session.report().await;
    assert!(is_whole(&second) && second.sequence == first.sequence + 1);
    running.stop().await;
}

#[tokio::test]
async fn a_refused_session_says_why_and_what_to_do() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let mut agent = host.agent(&server.url(), None);
    let serve = tokio::spawn(async move {
        let session = server.session().await;
        let problem = v1::Problem {
            reason: "PROTOCOL".into(),
            message: "this agent speaks another protocol".into(),
            expected: "2".into(),
            given: "1".into(),
            hint: "upgrade the agent".into(),
            ..Default::default()
        };
        session
            .say(ToAgent::Error(v1::SessionError { problem: Some(problem), sequence: 0, retry_after_s: 9 }))
            .await;
        session
    });
    let error = once(&mut agent).await.expect_err("refused").to_string();
    drop(serve.await);
    assert_eq!(
        error,
        "the server refused: this agent speaks another protocol, expected 2, given 1; upgrade the agent"
    );
}

#[tokio::test]
async fn a_server_that_never_has_enough_is_given_up() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let mut agent = host.agent(&server.url(), None);
    let serve = tokio::spawn(async move {
        let mut session = server.session().await;
        session.welcome(&[]).await;
        let mut reports = 0;
        loop {
            session.say(ToAgent::Rescan(v1::Rescan { scopes: vec![], reason: "more".into() })).await;
            if reports == 4 {
                return session;
            }
            session.report().await;
            reports += 1;
        }
    });
    // The fifth report is answered with a sixth request.
    let asked_again = async {
        let mut session = serve.await.expect("the server held out");
        session.report().await;
        session.say(ToAgent::Rescan(v1::Rescan { scopes: vec![], reason: "more".into() })).await;
        session
    };
    let (outcome, _session) = tokio::join!(once(&mut agent), asked_again);
    assert!(matches!(outcome, Err(RunError::NeverAccepted { .. })), "{outcome:?}");
}

#[tokio::test]
async fn tls_with_an_authority_of_ones_own() {
    let host = Host::new();
    let read = |name: &str| fs::read(place("tls").join(name)).expect("the fixture");
    let identity = Identity::from_pem(read("server.pem"), read("server.key"));
    let mut server = FakeServer::with(Some(identity)).await;
    let url = format!("https://localhost:{}", server.port);
    let serve = tokio::spawn(async move {
        let mut session = server.session().await;
        session.welcome(&[]).await;
        let report = session.report().await;
        session.acknowledge(&report).await;
        session
    });
    let other = host.root.join("etc/other.pem");
    fs::write(&other, read("other-ca.pem")).expect("writable");
    let refused = once(&mut host.agent(&url, Some(&other))).await.expect_err("another authority").to_string();
    assert!(refused.contains("its certificate is not trusted") && refused.contains("--ca"), "{refused}");
    once(&mut host.agent(&url, Some(&place("tls/ca.pem")))).await.expect("the right authority");
    drop(serve.await);
}
