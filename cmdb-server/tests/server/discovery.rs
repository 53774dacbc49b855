use cmdb_proto::v1;
use cmdb_proto::v1::agent_message::Message as FromAgent;
use cmdb_proto::v1::discovery_service_client::DiscoveryServiceClient;
use cmdb_proto::v1::server_message::Message as ToAgent;
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use crate::harness::{PATIENCE, Server, item};

const ID: &str = "0b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90";
const SOURCE: &str = "agent-0b6f3c1e5a0e";

struct Agent {
    out: mpsc::Sender<v1::AgentMessage>,
    answers: tonic::Streaming<v1::ServerMessage>,
}

fn hello(id: &str) -> v1::Hello {
    v1::Hello {
        agent_id: id.to_owned(),
        host_name: "web-1".to_owned(),
        agent_version: "0.1.0".to_owned(),
        protocol_version: cmdb_proto::PROTOCOL_VERSION,
        platform: "linux-x86_64".to_owned(),
        ..Default::default()
    }
}

impl Agent {
    async fn open(server: &Server, first: FromAgent) -> Agent {
        let (out, messages) = mpsc::channel(4);
        out.send(v1::AgentMessage { message: Some(first) }).await.unwrap();
        let mut client = DiscoveryServiceClient::new(server.channel.clone());
        let answers = client.session(ReceiverStream::new(messages)).await.unwrap().into_inner();
        Agent { out, answers }
    }

    async fn welcomed(server: &Server) -> (Agent, v1::Welcome) {
        let mut agent = Agent::open(server, FromAgent::Hello(hello(ID))).await;
        match agent.next().await {
            Some(ToAgent::Welcome(welcome)) => (agent, welcome),
            other => panic!("no welcome: {other:?}"),
        }
    }

    async fn send(&self, message: FromAgent) {
        self.out.send(v1::AgentMessage { message: Some(message) }).await.unwrap();
    }

    async fn next(&mut self) -> Option<ToAgent> {
        let message = timeout(PATIENCE, self.answers.message()).await.expect("an answer comes").unwrap()?;
        Some(message.message.expect("the server says something"))
    }

    async fn ack(&mut self) -> v1::Ack {
        match self.next().await {
            Some(ToAgent::Ack(ack)) => ack,
            other => panic!("no ack: {other:?}"),
        }
    }

    async fn refusal(&mut self) -> (String, u64, u32) {
        match self.next().await {
            Some(ToAgent::Error(error)) => {
                (error.problem.unwrap().reason, error.sequence, error.retry_after_s)
            }
            other => panic!("no error: {other:?}"),
        }
    }
}

fn digest(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    hasher.finalize().as_bytes()[..16].to_vec()
}

fn report(sequence: u64, names: &[&str]) -> v1::Report {
    let entries: Vec<v1::Entry> = names
        .iter()
        .map(|name| {
            let body = item(name, "business_application", name).encode_to_vec();
            v1::Entry { key: (*name).to_owned(), digest: digest(&[&body]), body }
        })
        .collect();
    let digests: Vec<&[u8]> = entries.iter().map(|entry| entry.digest.as_slice()).collect();
    let section_digest = digest(&digests);
    let section = v1::Section {
        scope: "software".to_owned(),
        complete: true,
        digest: section_digest.clone(),
        entries,
        ..Default::default()
    };
    let observed_at_us = i64::try_from(sequence).unwrap();
    v1::Report { sequence, digest: digest(&[&section_digest]), observed_at_us, sections: vec![section] }
}

#[tokio::test]
async fn a_report_is_acknowledged_when_it_is_there_and_the_next_session_knows_it() {
    let server = Server::start().await;
    let (mut agent, welcome) = Agent::welcomed(&server).await;
    assert_eq!((welcome.source.as_str(), welcome.report_digest.len()), (SOURCE, 0));
    let settings = welcome.settings.unwrap();
    assert!(
        settings.scan_interval_s > 0 && settings.heartbeat_interval_s > 0 && settings.report_bytes_max > 0
    );

    let first = report(1, &["a", "b"]);
    agent.send(FromAgent::Report(first.clone())).await;
    let ack = agent.ack().await;
    assert_eq!((ack.sequence, ack.created, ack.refused_total), (1, 2, 0));
    assert_eq!(ack.report_digest, first.digest);
    let ask = v1::GetItemRequest { item: format!("{SOURCE}:a"), ..Default::default() };
    assert_eq!(server.items().get(ask).await.unwrap().into_inner().name, "a");

    agent.send(FromAgent::Report(v1::Report { sequence: 2, ..first.clone() })).await;
    let same = agent.ack().await;
    assert_eq!(
        (same.sequence, same.revision, same.unchanged),
        (2, ack.revision, 2),
        "no new commit for the same"
    );

    agent.send(FromAgent::Report(report(3, &["a"]))).await;
    assert_eq!(agent.ack().await.withdrawn, 1);
    drop(agent);

    let server = server.restart().await;
    let (_agent, welcome) = Agent::welcomed(&server).await;
    assert_eq!(welcome.report_digest, report(3, &["a"]).digest, "the store knows it after a restart as well");
}

#[tokio::test]
async fn status_knows_who_is_connected_and_by_which_host() {
    let server = Server::start().await;
    let (mut agent, _) = Agent::welcomed(&server).await;
    agent.send(FromAgent::Report(report(1, &["a"]))).await;
    agent.ack().await;
    let status = server.admin().status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.sessions, 1);
    let source = status.sources.iter().find(|source| source.source == SOURCE).unwrap();
    assert_eq!(
        (source.title.as_str(), source.kind.as_str(), source.version.as_str()),
        ("web-1", "agent", "0.1.0")
    );
    assert!(source.connected && source.entries == 1 && source.last_seen_us > 0);
}

#[tokio::test]
async fn the_server_asks_for_what_it_does_not_hold() {
    let server = Server::start().await;
    let (mut agent, _) = Agent::welcomed(&server).await;
    let section = v1::Section {
        scope: "software".to_owned(),
        complete: true,
        digest: vec![7; 16],
        unchanged: true,
        ..Default::default()
    };
    let wrong = v1::Report { sequence: 1, digest: vec![8; 16], observed_at_us: 1, sections: vec![section] };
    agent.send(FromAgent::Report(wrong)).await;
    assert_eq!(agent.ack().await.report_digest, b"");
    match agent.next().await {
        Some(ToAgent::Rescan(rescan)) => assert_eq!(rescan.scopes, ["software"]),
        other => panic!("no rescan: {other:?}"),
    }
    let heartbeat = v1::Heartbeat { report_digest: vec![8; 16], ..Default::default() };
    agent.send(FromAgent::Heartbeat(heartbeat)).await;
    assert!(matches!(agent.next().await, Some(ToAgent::Rescan(rescan)) if rescan.scopes.is_empty()));
}

#[tokio::test]
async fn a_claim_that_is_wrong_is_named_and_the_rest_stands() {
    let server = Server::start().await;
    let (mut agent, _) = Agent::welcomed(&server).await;
    let mut wrong = report(1, &["a", "b"]);
    wrong.sections[0].entries[0].body = b"\xff\xff".to_vec();
    agent.send(FromAgent::Report(wrong)).await;
    let ack = agent.ack().await;
    assert_eq!((ack.created, ack.refused_total, ack.refused[0].key.as_str()), (1, 1, "a"));
    assert_eq!(ack.refused[0].problem.as_ref().unwrap().reason, "FORMAT_INVALID");
}

#[tokio::test]
async fn a_report_that_breaks_the_rules_is_refused_and_the_session_goes_on() {
    let server = Server::start().await;
    let (mut agent, _) = Agent::welcomed(&server).await;
    let mut wrong = report(1, &["a"]);
    wrong.sections.push(wrong.sections[0].clone());
    agent.send(FromAgent::Report(wrong)).await;
    let (reason, sequence, _) = agent.refusal().await;
    assert_eq!((reason.as_str(), sequence), ("REPORT_INVALID", 1));
    agent.send(FromAgent::Report(report(2, &["a"]))).await;
    assert_eq!(agent.ack().await.sequence, 2);
}

#[tokio::test]
async fn a_report_above_the_limit_is_refused_with_the_limit() {
    let server = Server::start_with(&["--report-bytes-max", "1048576"]).await;
    let (mut agent, _) = Agent::welcomed(&server).await;
    let mut large = report(1, &["a"]);
    large.sections[0].entries[0].body = vec![0; 2 << 20];
    agent.send(FromAgent::Report(large)).await;
    assert_eq!(agent.refusal().await.0, "REPORT_TOO_LARGE");
}

#[tokio::test]
async fn who_is_no_agent_is_told_why() {
    let server = Server::start().await;
    let old = v1::Hello { protocol_version: 99, ..hello(ID) };
    let table = [
        (FromAgent::Hello(old), "PROTOCOL_VERSION"),
        (FromAgent::Hello(hello("web-1")), "AGENT_ID_INVALID"),
        (FromAgent::Report(report(1, &["a"])), "HELLO_EXPECTED"),
    ];
    for (first, expected) in table {
        let mut agent = Agent::open(&server, first).await;
        let (reason, sequence, retry_after_s) = agent.refusal().await;
        assert_eq!((reason.as_str(), sequence), (expected, 0));
        assert!(retry_after_s > 0);
        assert_eq!(agent.next().await, None, "the session is over");
    }
}

#[tokio::test]
async fn the_newer_session_of_an_agent_wins() {
    let server = Server::start().await;
    let (mut older, _) = Agent::welcomed(&server).await;
    let (mut newer, _) = Agent::welcomed(&server).await;
    assert_eq!(older.refusal().await.0, "SESSION_SUPERSEDED");
    newer.send(FromAgent::Report(report(1, &["a"]))).await;
    assert_eq!(newer.ack().await.created, 1);
}

#[tokio::test]
async fn a_full_house_says_so() {
    let server = Server::start_with(&["--sessions-max", "1"]).await;
    let (_agent, _) = Agent::welcomed(&server).await;
    let another = hello("1b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90");
    let mut another = Agent::open(&server, FromAgent::Hello(another)).await;
    assert_eq!(another.refusal().await.0, "SESSIONS_LIMIT");
}

#[tokio::test]
async fn when_the_server_closes_agents_are_told_when_to_come_back() {
    let server = Server::start().await;
    let (mut agent, _) = Agent::welcomed(&server).await;
    let stopped = tokio::spawn(server.running.stop());
    let (reason, sequence, retry_after_s) = agent.refusal().await;
    assert_eq!((reason.as_str(), sequence, retry_after_s > 0), ("SHUTTING_DOWN", 0, true));
    drop(agent);
    timeout(PATIENCE, stopped).await.expect("the server closes").unwrap().unwrap();
}

/// What the first release said; later ones only add to it.
#[derive(Clone, PartialEq, prost::Message)]
struct FirstHello {
    #[prost(string, tag = "1")]
    agent_id: String,
    #[prost(string, tag = "2")]
    host_name: String,
    #[prost(string, tag = "3")]
    agent_version: String,
    #[prost(uint32, tag = "4")]
    protocol_version: u32,
    #[prost(string, tag = "5")]
    platform: String,
}

#[tokio::test]
async fn agents_of_earlier_releases_are_let_in_as_long_as_their_protocol_is_spoken() {
    let server = Server::start().await;
    for (protocol_version, is_let_in) in [
        (cmdb_proto::PROTOCOL_VERSION_MIN - 1, false),
        (cmdb_proto::PROTOCOL_VERSION_MIN, true),
        (cmdb_proto::PROTOCOL_VERSION, true),
        (cmdb_proto::PROTOCOL_VERSION + 1, false),
    ] {
        let first = FirstHello {
            agent_id: ID.to_owned(),
            host_name: "web-1".to_owned(),
            agent_version: "0.1.0".to_owned(),
            protocol_version,
            platform: "linux-x86_64".to_owned(),
        };
        let hello = v1::Hello::decode(first.encode_to_vec().as_slice()).unwrap();
        let mut agent = Agent::open(&server, FromAgent::Hello(hello)).await;
        let welcomed = matches!(agent.next().await, Some(ToAgent::Welcome(_)));
        assert_eq!(welcomed, is_let_in, "protocol version {protocol_version}");
    }
}
