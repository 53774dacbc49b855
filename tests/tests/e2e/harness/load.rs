//! Agents that report as fast as they are acknowledged, and remember what was acknowledged.
//!
//! Speaks the wire contract itself, so that "acknowledged" means exactly what an agent is told.
//!
//! ```text
//! report n of an agent:  section "settings"   complete    the same few items, `version` = n
//!                        section "additions"  incomplete  one item that no other report names
//! ```
//!
//! Invariant: a report counts as acknowledged after its Ack was received, never before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cmdb_proto::v1::discovery_service_client::DiscoveryServiceClient;
use cmdb_proto::v1::value::Kind;
use cmdb_proto::v1::{
    AgentMessage, Claim, Entry, Hello, ItemClaim, Report, Section, Value, agent_message, server_message,
};
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::PATIENCE;
use super::server::Server;

/// Items whose version every report raises.
const SETTINGS: u64 = 5;
/// Messages on their way to the server.
const QUEUE: usize = 4;
/// The class of everything that the agents name: it has no identification rules, so the key decides.
const CLASS: &str = "business_application";

/// One reporting agent and what it was told.
#[derive(Clone)]
pub struct Reporter {
    number: u64,
    /// The last report that was sent, whatever became of it.
    sent: Arc<AtomicU64>,
    /// Every report that was acknowledged. One that was in flight when a server ended is never sent again.
    acknowledged: Arc<Mutex<BTreeSet<u64>>>,
}

/// Several reporters at work on one server.
pub struct Load {
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    running: JoinSet<()>,
}

/// What the graph must hold for one agent.
pub struct Promise {
    pub agent: u64,
    pub sent: u64,
    pub acknowledged: BTreeSet<u64>,
}

impl Load {
    /// Lets each of the reporters report to `server`.
    pub async fn start(server: &Server, reporters: &[Reporter]) -> Self {
        let mut load = Self { acknowledged: Arc::default(), stop: Arc::default(), running: JoinSet::new() };
        for reporter in reporters {
            let (channel, reporter) = (server.channel().await, reporter.clone());
            let (total, stop) = (load.acknowledged.clone(), load.stop.clone());
            load.running.spawn(async move { reporter.report(channel, total, stop).await });
        }
        load
    }

    /// Acknowledgements of all of them so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits for that many acknowledgements in all.
    pub async fn reach(&mut self, acknowledgements: u64, server: &Server) {
        let began = Instant::now();
        while self.acknowledged() < acknowledgements {
            assert!(self.running.try_join_next().is_none(), "an agent ended early\n{}", server.log());
            let told = self.acknowledged();
            assert!(
                began.elapsed() < PATIENCE,
                "{told} of {acknowledgements} acknowledged\n{}",
                server.log()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// No more reports; waits until each one in flight is answered, or its server is gone.
    pub async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let all = async {
            while let Some(ended) = self.running.join_next().await {
                ended.expect("an agent does not fail");
            }
        };
        assert!(tokio::time::timeout(PATIENCE, all).await.is_ok(), "an agent goes on without its server");
    }
}

impl Reporter {
    pub fn new(number: u64) -> Self {
        Self { number, sent: Arc::default(), acknowledged: Arc::default() }
    }

    /// Reports until the server goes or `stop` is set; every acknowledgement is counted in `total`.
    async fn report(&self, channel: Channel, total: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
        let (out, messages) = mpsc::channel(QUEUE);
        let hello = Hello {
            agent_id: format!("{:08x}-0000-4000-8000-000000000000", self.number),
            host_name: format!("load-{}", self.number),
            agent_version: "0.1.0".to_owned(),
            protocol_version: cmdb_proto::PROTOCOL_VERSION,
            platform: "linux-x86_64".to_owned(),
            ..Default::default()
        };
        send(&out, agent_message::Message::Hello(hello)).await;
        let mut client = DiscoveryServiceClient::new(channel);
        let Ok(session) = client.session(ReceiverStream::new(messages)).await else { return };
        let mut answers = session.into_inner();
        while let Ok(Some(answer)) = answers.message().await {
            match answer.message.expect("a server message says something") {
                server_message::Message::Welcome(_) => {}
                server_message::Message::Ack(ack) => {
                    assert!(ack.refused.is_empty(), "the server refused {:?}", ack.refused);
                    self.acknowledged.lock().expect("nobody panics with it").insert(ack.sequence);
                    total.fetch_add(1, Ordering::SeqCst);
                }
                // A server that ends says so; the report in flight is not acknowledged.
                server_message::Message::Error(error) if error.sequence == 0 => return,
                other => panic!("an unexpected answer: {other:?}"),
            }
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let number = self.sent.load(Ordering::SeqCst) + 1;
            self.sent.store(number, Ordering::SeqCst);
            send(&out, agent_message::Message::Report(self.numbered(number))).await;
        }
    }

    /// What was sent and what was acknowledged, until now.
    pub fn promise(&self) -> Promise {
        Promise {
            agent: self.number,
            // In this order: an acknowledgement between the two reads must not exceed what was sent.
            acknowledged: self.acknowledged.lock().expect("nobody panics with it").clone(),
            sent: self.sent.load(Ordering::SeqCst),
        }
    }

    fn numbered(&self, number: u64) -> Report {
        let settings = (0..SETTINGS).map(|item| claim(self.setting_name(item), number)).collect();
        let sections = vec![
            section("settings", true, settings),
            section("additions", false, vec![claim(addition_name(self.number, number), number)]),
        ];
        let digest = digest(sections.iter().map(|section| section.digest.as_slice()));
        Report { sequence: number, digest, observed_at_us: now_us(), sections }
    }

    fn setting_name(&self, item: u64) -> String {
        setting_name(self.number, item)
    }
}

impl Promise {
    /// What `held` (item name → version) lacks of this promise, and what it has and was never sent.
    pub fn broken_by(&self, held: &BTreeMap<String, u64>) -> Vec<String> {
        let mut broken = Vec::new();
        let (last, sent) = (self.acknowledged.last().copied().unwrap_or(0), self.sent);
        for item in 0..SETTINGS {
            let name = setting_name(self.agent, item);
            let version = held.get(&name).copied();
            if !version.map_or(last == 0, |version| (last..=sent).contains(&version)) {
                broken.push(format!("{name} is {version:?}, acknowledged {last}, sent {sent}"));
            }
        }
        for number in &self.acknowledged {
            let name = addition_name(self.agent, *number);
            if held.get(&name) != Some(number) {
                broken.push(format!("{name} was acknowledged and is lost"));
            }
        }
        broken
    }
}

fn setting_name(agent: u64, item: u64) -> String {
    format!("setting-{agent}-{item}")
}

fn addition_name(agent: u64, number: u64) -> String {
    format!("addition-{agent}-{number}")
}

async fn send(out: &mpsc::Sender<AgentMessage>, message: agent_message::Message) {
    // Fails only when the server has gone, which the answers tell too.
    let _ = out.send(AgentMessage { message: Some(message) }).await;
}

fn claim(name: String, version: u64) -> Claim {
    let version = Value { kind: Some(Kind::Text(version.to_string())) };
    let attributes = [("description".to_owned(), version)].into_iter().collect();
    let item = ItemClaim { class: CLASS.to_owned(), name: name.clone(), attributes, ..Default::default() };
    Claim { key: name, item: Some(item), relationships: Vec::new(), redundancies: Vec::new() }
}

fn section(scope: &str, complete: bool, claims: Vec<Claim>) -> Section {
    let entries: Vec<Entry> = claims
        .into_iter()
        .map(|claim| {
            let body = claim.encode_to_vec();
            Entry { key: claim.key, digest: digest([body.as_slice()].into_iter()), body }
        })
        .collect();
    let digest = digest(entries.iter().flat_map(|entry| [entry.key.as_bytes(), entry.digest.as_slice()]));
    let incomplete_reason = if complete { String::new() } else { "only what is new is named".to_owned() };
    Section { scope: scope.to_owned(), complete, incomplete_reason, digest, entries, unchanged: false }
}

fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().as_bytes()[..16].to_vec()
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before the year 292277")
}

/// Every item that the agents named, by name, with the number of the report that its value comes from.
pub async fn held(channel: Channel) -> BTreeMap<String, u64> {
    let mut client = cmdb_proto::v1::item_service_client::ItemServiceClient::new(channel);
    let mut held = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = cmdb_proto::v1::ListItemsRequest {
            class: CLASS.to_owned(),
            page_size: 10_000,
            page_token,
            ..Default::default()
        };
        let page = client.list(request).await.expect("the items are listed").into_inner();
        for item in page.items {
            let version = item.attributes.get("description").and_then(|effective| effective.value.clone());
            let Some(Value { kind: Some(Kind::Text(version)) }) = version else {
                panic!("{} has no version", item.name)
            };
            held.insert(item.name, version.parse().expect("a version is a number"));
        }
        if page.next_page_token.is_empty() {
            return held;
        }
        page_token = page.next_page_token;
    }
}
