//! Who the agent says it is: one host stays one agent, a copy becomes another, a wrong clock is told.

use std::fs;

use cmdb_proto::v1;
use cmdb_proto::v1::agent_message::Message as FromAgent;
use cmdb_proto::v1::server_message::Message as ToAgent;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tonic::transport::Identity;

use crate::fake_server::{FakeServer, Session};
use crate::session::{Host, Running, once};

/// Lets the agent report once; the server's side says what the hello was.
async fn hello_of(host: &Host, server: &mut FakeServer) -> v1::Hello {
    let url = server.url();
    let serve = async {
        let mut session = server.session().await;
        let hello = session.welcome(&[]).await;
        let report = session.report().await;
        session.acknowledge(&report).await;
        (session, hello)
    };
    let mut agent = host.agent(&url, None);
    let (outcome, (_, hello)) = tokio::join!(once(&mut agent), serve);
    outcome.expect("accepted");
    hello
}

fn write(host: &Host, path: &str, text: &str) {
    let path = host.root.join(path);
    fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

const MACHINE_ID: &str = "etc/machine-id";
const UUID: &str = "sys/class/dmi/id/product_uuid";

#[tokio::test]
async fn a_copied_host_is_another_agent_and_a_repaired_one_is_not() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    write(&host, MACHINE_ID, "0123456789abcdef0123456789abcdef\n");
    write(&host, UUID, "4c4c4544-0051-3410-8052-b4c04f4e3732\n");
    let first = hello_of(&host, &mut server).await;
    assert!(first.seal.len() >= 2 && first.instance.len() == 16 && first.sent_at_us > 0, "{first:?}");
    // A new board: one thing differs, and is remembered.
    write(&host, UUID, "00112233-0051-3410-8052-b4c04f4e3733\n");
    let repaired = hello_of(&host, &mut server).await;
    assert_eq!(repaired.agent_id, first.agent_id);
    assert_ne!(repaired.instance, first.instance, "each process says which it is");
    write(&host, MACHINE_ID, "1123456789abcdef0123456789abcdef\n");
    assert_eq!(hello_of(&host, &mut server).await.agent_id, first.agent_id, "again one thing since then");
    // Both at once: another machine.
    write(&host, MACHINE_ID, "2123456789abcdef0123456789abcdef\n");
    write(&host, UUID, "22112233-0051-3410-8052-b4c04f4e3733\n");
    let copy = hello_of(&host, &mut server).await;
    assert_ne!(copy.agent_id, first.agent_id);
    assert_eq!(hello_of(&host, &mut server).await.agent_id, copy.agent_id, "and it stays that");
}

#[tokio::test]
async fn an_agent_that_shares_its_identity_takes_another_when_it_is_told() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let running = Running::start(host.agent(&server.url(), None));
    let mut session: Session = server.session().await;
    let FromAgent::Hello(shared) = session.next().await else { panic!("the first message is a hello") };
    session.say(ToAgent::NewIdentity(v1::NewIdentity { reason: "test".into() })).await;
    drop(session);
    let mut session = server.session().await;
    let own = session.welcome(&[]).await;
    assert_ne!(own.agent_id, shared.agent_id);
    drop(session);
    assert_eq!(server.session().await.welcome(&[]).await.agent_id, own.agent_id);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_is_announced() {
    let host = Host::new();
    let mut server = FakeServer::start().await;
    let running = Running::start(host.agent(&server.url(), None));
    let mut session = server.session().await;
    session.welcome(&[]).await;
    let report = session.report().await;
    session.acknowledge(&report).await;
    session.heartbeat().await;
    let stopping = tokio::spawn(running.stop());
    let goodbye = loop {
        match session.next().await {
            FromAgent::Goodbye(goodbye) => break goodbye,
            FromAgent::Heartbeat(_) => {}
            other => panic!("expected a goodbye, given {other:?}"),
        }
    };
    assert_eq!(goodbye.reason, "stop");
    drop(session);
    stopping.await.expect("the agent ends when it was heard");
}

#[tokio::test]
async fn a_certificate_of_another_time_is_told_from_a_wrong_one() {
    let host = Host::new();
    for (from, until, said) in [
        ((2001, 1, 1), (2002, 1, 1), "valid until 2002-01-01"),
        ((2101, 1, 1), (2102, 1, 1), "valid from 2101-01-01"),
    ] {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let certificate = params.self_signed(&key).expect("a certificate");
        let server = FakeServer::with(Some(Identity::from_pem(certificate.pem(), key.serialize_pem()))).await;
        let ca = host.root.join("etc/server.pem");
        fs::write(&ca, certificate.pem()).expect("writable");
        let url = format!("https://localhost:{}", server.port);
        let error = once(&mut host.agent(&url, Some(&ca))).await.expect_err("the time is wrong").to_string();
        assert!(error.contains("the clocks do not agree") && error.contains(said), "{error}");
    }
}
