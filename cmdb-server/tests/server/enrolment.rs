//! Identities of agents over real TLS: who gets one, who is let in with it, and when it ends.

use cmdb_proto::v1;
use cmdb_proto::v1::agent_message::Message as FromAgent;
use cmdb_proto::v1::agent_service_client::AgentServiceClient;
use cmdb_proto::v1::discovery_service_client::DiscoveryServiceClient;
use cmdb_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use cmdb_proto::v1::server_message::Message as ToAgent;
use cmdb_server::server::Running;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Status};

use crate::harness::{PATIENCE, config, said};

/// The name under which every server of its own authority is known.
const NAME: &str = "cmdb-server.internal";
const ID: &str = "0b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90";

/// A server that speaks TLS with its own authority.
struct Secure {
    running: Running,
    directory: TempDir,
}

/// What an agent has after it enrolled.
struct Enrolled {
    key: KeyPair,
    granted: v1::EnrollResponse,
}

impl Secure {
    async fn start(flags: &[&str]) -> Secure {
        Secure::start_in(tempfile::tempdir().unwrap(), flags).await
    }

    async fn start_in(directory: TempDir, flags: &[&str]) -> Secure {
        let flags: Vec<&str> = ["--tls", "on"].iter().chain(flags).copied().collect();
        let running = Running::start(&config(directory.path(), &flags)).await.unwrap();
        Secure { running, directory }
    }

    async fn restart(self) -> Secure {
        self.running.stop().await.unwrap();
        Secure::start_in(self.directory, &[]).await
    }

    async fn channel(&self, shown: Option<&Enrolled>) -> Channel {
        let pem = std::fs::read(self.directory.path().join("authority.pem")).unwrap();
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)).domain_name(NAME);
        if let Some(enrolled) = shown {
            tls = tls.identity(Identity::from_pem(enrolled.certificate(), enrolled.key.serialize_pem()));
        }
        let url = format!("https://{}", self.running.address);
        Channel::from_shared(url).unwrap().tls_config(tls).unwrap().connect().await.unwrap()
    }

    async fn agents(&self) -> AgentServiceClient<Channel> {
        AgentServiceClient::new(self.channel(None).await)
    }

    async fn token(&self, uses: u32, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let ask = v1::CreateTokenRequest { uses, scopes, ..Default::default() };
        self.agents().await.create_token(ask).await.unwrap().into_inner().secret
    }

    async fn enroll_as(&self, token: &str, id: &str, seal: &[u8]) -> Result<Enrolled, Status> {
        let (key, csr) = request();
        let part =
            |byte: &u8| v1::SealPart { name: format!("part{byte:02}"), digests: vec![vec![*byte; 16]] };
        // Parts are called by their place, so that other bytes are other values of the same parts.
        let seal = seal
            .iter()
            .enumerate()
            .map(|(at, byte)| v1::SealPart { name: format!("part{at}"), ..part(byte) });
        let ask = v1::EnrollRequest {
            token: token.to_owned(),
            agent_id: id.to_owned(),
            host_name: "web-1".to_owned(),
            platform: "linux-x86_64".to_owned(),
            agent_version: "0.1.0".to_owned(),
            csr,
            seal: seal.collect(),
        };
        let mut client = EnrolmentServiceClient::new(self.channel(None).await);
        Ok(Enrolled { key, granted: client.enroll(ask).await?.into_inner() })
    }

    async fn enroll(&self, token: &str) -> Result<Enrolled, Status> {
        self.enroll_as(token, ID, &[1, 2, 3]).await
    }

    async fn renew(&self, shown: Option<&Enrolled>, new_identity: bool) -> Result<Enrolled, Status> {
        let (key, csr) = request();
        let ask = v1::RenewRequest { csr, new_identity, host_name: "web-1".to_owned(), seal: Vec::new() };
        let mut client = EnrolmentServiceClient::new(self.channel(shown).await);
        Ok(Enrolled { key, granted: client.renew(ask).await?.into_inner() })
    }

    /// What becomes of a session: welcome, or the reason why not.
    async fn session(&self, shown: Option<&Enrolled>, id: &str) -> Result<String, v1::Problem> {
        let (_, answer) = self.open(shown, id, 1).await;
        match answer {
            ToAgent::Welcome(welcome) => Ok(welcome.source),
            ToAgent::Error(error) => Err(error.problem.unwrap()),
            other => panic!("neither welcome nor refusal: {other:?}"),
        }
    }

    async fn open(
        &self,
        shown: Option<&Enrolled>,
        id: &str,
        instance: u8,
    ) -> (mpsc::Sender<v1::AgentMessage>, ToAgent) {
        let (out, messages) = mpsc::channel(4);
        let hello = v1::Hello {
            agent_id: id.to_owned(),
            host_name: "web-1".to_owned(),
            agent_version: "0.1.0".to_owned(),
            protocol_version: cmdb_proto::PROTOCOL_VERSION,
            platform: "linux-x86_64".to_owned(),
            instance: vec![instance; 16],
            ..Default::default()
        };
        out.send(v1::AgentMessage { message: Some(FromAgent::Hello(hello)) }).await.unwrap();
        let mut client = DiscoveryServiceClient::new(self.channel(shown).await);
        let mut answers = client.session(ReceiverStream::new(messages)).await.unwrap().into_inner();
        let answer = timeout(PATIENCE, answers.message()).await.expect("an answer comes").unwrap().unwrap();
        (out, answer.message.unwrap())
    }

    async fn listed(&self) -> Vec<v1::Agent> {
        self.agents().await.list_agents(v1::ListAgentsRequest {}).await.unwrap().into_inner().agents
    }
}

impl Enrolled {
    fn id(&self) -> &str {
        &self.granted.agent_id
    }

    fn certificate(&self) -> String {
        pem(&self.granted.certificate)
    }
}

fn request() -> (KeyPair, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
    (key, csr)
}

fn pem(der: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let number = three.iter().fold(0u32, |number, byte| (number << 8) | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
        if text.len() % 65 == 64 {
            text.push('\n');
        }
    }
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", text.trim_end())
}

fn reason(refused: Result<Enrolled, Status>) -> String {
    said(&refused.map(|enrolled| enrolled.granted).unwrap_err()).1
}

#[tokio::test]
async fn a_token_lets_in_as_many_as_it_says_and_only_whom_it_is_for() {
    let server = Secure::start(&[]).await;
    let token = server.token(1, &[]).await;
    let first = server.enroll(&token).await.unwrap();
    assert_eq!((first.id(), first.granted.server_name.as_str()), (ID, NAME));
    assert_eq!(reason(server.enroll(&token).await), "TOKEN_USED");
    assert_eq!(reason(server.enroll("cmdb-0000").await), "TOKEN_UNKNOWN");
    let elsewhere = server.token(9, &["192.0.2.0/24", "db-*"]).await;
    assert_eq!(reason(server.enroll(&elsewhere).await), "TOKEN_SCOPE");
    let here = server.token(9, &["192.0.2.0/24", "web-*"]).await;
    server.enroll(&here).await.unwrap();
    let mut agents = server.agents().await;
    let tokens = agents.list_tokens(v1::ListTokensRequest {}).await.unwrap().into_inner().tokens;
    let id = tokens.iter().find(|token| token.used == 1 && token.uses == 9).unwrap().id.clone();
    agents.revoke_token(v1::RevokeTokenRequest { id }).await.unwrap();
    assert_eq!(reason(server.enroll(&here).await), "TOKEN_REVOKED");
    let bad = v1::CreateTokenRequest { scopes: vec!["10.0.0.0/99".to_owned()], ..Default::default() };
    assert_eq!(said(&agents.create_token(bad).await.unwrap_err()).1, "SCOPE_INVALID");
}

#[tokio::test]
async fn who_shows_no_certificate_or_that_of_another_is_not_let_in() {
    let server = Secure::start(&[]).await;
    let token = server.token(2, &[]).await;
    let enrolled = server.enroll(&token).await.unwrap();
    assert_eq!(server.session(Some(&enrolled), ID).await.unwrap(), "agent-0b6f3c1e5a0e");
    assert_eq!(server.session(None, ID).await.unwrap_err().reason, "CERTIFICATE_REQUIRED");
    let other = ID.replace('0', "1");
    assert_eq!(server.session(Some(&enrolled), &other).await.unwrap_err().reason, "ANOTHER_HOLDER");
    assert_eq!(server.session(None, &other).await.unwrap_err().reason, "CERTIFICATE_REQUIRED");
}

#[tokio::test]
async fn an_open_server_takes_agents_without_a_certificate_but_nobody_in_the_place_of_one_with() {
    let server = Secure::start(&["--agents", "open"]).await;
    let other = ID.replace('0', "1");
    server.session(None, &other).await.unwrap();
    let token = server.token(1, &[]).await;
    server.enroll(&token).await.unwrap();
    assert_eq!(server.session(None, ID).await.unwrap_err().reason, "CERTIFICATE_REQUIRED");
    // One that leaves without a certificate is unmanaged, until it comes back.
    let leave = v1::LeaveRequest { agent_id: other.clone() };
    EnrolmentServiceClient::new(server.channel(None).await).leave(leave).await.unwrap();
    let state =
        |agents: Vec<v1::Agent>| agents.into_iter().find(|agent| agent.agent_id == other).unwrap().state;
    assert_eq!(state(server.listed().await), "unmanaged");
}

#[tokio::test]
async fn both_certificates_are_valid_after_a_renewal_and_neither_after_a_revocation() {
    let server = Secure::start(&[]).await;
    let old = server.enroll(&server.token(1, &[]).await).await.unwrap();
    let new = server.renew(Some(&old), false).await.unwrap();
    assert_eq!(new.id(), ID);
    assert!(new.granted.not_after_us >= old.granted.not_after_us);
    for certificate in [&old, &new] {
        server.session(Some(certificate), ID).await.unwrap();
    }
    assert_eq!(reason(server.renew(None, false).await), "CERTIFICATE_REQUIRED");
    // Durable: a restarted server knows who enrolled, and who was revoked.
    let server = server.restart().await;
    server.session(Some(&old), ID).await.unwrap();
    let revoke = v1::RevokeAgentRequest { agent: "web-1".to_owned(), reason: "stolen".to_owned() };
    server.agents().await.revoke_agent(revoke).await.unwrap();
    let server = server.restart().await;
    for certificate in [&old, &new] {
        let refused = server.session(Some(certificate), ID).await.unwrap_err();
        assert_eq!(refused.reason, "AGENT_REVOKED");
        assert!(refused.message.contains("stolen"), "{}", refused.message);
    }
    assert_eq!(reason(server.renew(Some(&new), false).await), "AGENT_REVOKED");
    let fresh = server.enroll(&server.token(1, &[]).await).await.unwrap();
    assert_ne!(fresh.id(), ID, "what was revoked stays so");
}

#[tokio::test]
async fn an_agent_that_left_is_unmanaged_and_may_come_back_as_itself() {
    let server = Secure::start(&[]).await;
    let first = server.enroll(&server.token(1, &[]).await).await.unwrap();
    let mut client = EnrolmentServiceClient::new(server.channel(Some(&first)).await);
    client.leave(v1::LeaveRequest::default()).await.unwrap();
    assert_eq!(server.listed().await[0].state, "unmanaged");
    assert_eq!(server.session(Some(&first), ID).await.unwrap_err().reason, "AGENT_LEFT");
    let again = server.enroll(&server.token(1, &[]).await).await.unwrap();
    assert_eq!(again.id(), ID);
    server.session(Some(&again), ID).await.unwrap();
    // What was left behind does not count again.
    assert_eq!(server.session(Some(&first), ID).await.unwrap_err().reason, "CERTIFICATE_SUPERSEDED");
}

#[tokio::test]
async fn a_copy_of_a_host_gets_an_identity_of_its_own() {
    let server = Secure::start(&[]).await;
    let token = server.token(9, &[]).await;
    let original = server.enroll_as(&token, ID, &[1, 2, 3]).await.unwrap();
    assert_eq!(server.enroll_as(&token, ID, &[1, 2, 9]).await.unwrap().id(), ID, "one part was replaced");
    let original = Enrolled { granted: v1::EnrollResponse { ..original.granted }, key: original.key };
    assert_eq!(server.session(Some(&original), ID).await.unwrap_err().reason, "CERTIFICATE_SUPERSEDED");
    let copied = server.enroll_as(&token, ID, &[8, 7, 9]).await.unwrap();
    assert_ne!(copied.id(), ID, "two parts differ");
    // With its certificate as authority, without a token.
    let fresh = server.renew(Some(&copied), true).await.unwrap();
    assert_ne!(fresh.id(), copied.id());
    server.session(Some(&fresh), fresh.id()).await.unwrap();
    server.session(Some(&copied), copied.id()).await.unwrap();
}

#[tokio::test]
async fn two_hosts_that_hold_one_identity_are_noticed_and_one_is_told() {
    let server = Secure::start(&[]).await;
    let shared = server.enroll(&server.token(1, &[]).await).await.unwrap();
    let mut told = Vec::new();
    let mut held = Vec::new();
    for instance in [1, 2, 1, 2] {
        let (out, answer) = server.open(Some(&shared), ID, instance).await;
        held.push(out);
        told.push(matches!(answer, ToAgent::NewIdentity(_)));
    }
    assert_eq!(told, [false, false, true, false]);
}

#[tokio::test]
async fn a_planned_stop_is_told_from_silence() {
    let server = Secure::start(&[]).await;
    let enrolled = server.enroll(&server.token(1, &[]).await).await.unwrap();
    assert_eq!(server.listed().await[0].state, "expected");
    let (out, _) = server.open(Some(&enrolled), ID, 1).await;
    assert_eq!(server.listed().await[0].state, "connected");
    let goodbye = v1::Goodbye { reason: "upgrade".to_owned() };
    out.send(v1::AgentMessage { message: Some(FromAgent::Goodbye(goodbye)) }).await.unwrap();
    let agent = loop {
        let agent = server.listed().await.remove(0);
        if agent.state != "connected" {
            break agent;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((agent.state.as_str(), agent.reason.as_str()), ("stopped", "upgrade"));
    // It is known after a restart as well.
    let server = server.restart().await;
    assert_eq!(server.listed().await[0].state, "stopped");
}

#[tokio::test]
async fn without_tls_there_are_no_identities() {
    let server = crate::harness::Server::start().await;
    let mut agents = AgentServiceClient::new(server.channel.clone());
    let (code, reason, hint) =
        said(&agents.create_token(v1::CreateTokenRequest::default()).await.unwrap_err());
    assert_eq!((code, reason.as_str()), (Code::FailedPrecondition, "TLS_REQUIRED"));
    assert!(hint.contains("--tls on"), "{hint}");
    assert!(!server.directory.path().join("authority.key").exists());
}
