//! A server with an empty store of its own, and what tests say to it.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use cmdb_proto::v1;
use cmdb_server::config::{self, Arguments, Config};
use cmdb_server::server::Running;
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

/// Nothing here takes that long, unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    pub running: Running,
    pub channel: Channel,
    pub directory: TempDir,
}

/// The configuration that these flags give.
pub fn config(data: &Path, flags: &[&str]) -> Config {
    let data = data.to_str().expect("temporary directories are named in UTF-8");
    let words = ["cmdb-server", "--listen", "127.0.0.1:0", "--data", data];
    let arguments = Arguments::read(words.iter().chain(flags).map(OsString::from)).unwrap();
    let values = config::gather(&arguments.flags, &|_| None).unwrap();
    Config::from_values(&values).unwrap()
}

impl Server {
    pub async fn start() -> Server {
        Server::start_with(&[]).await
    }

    pub async fn start_with(flags: &[&str]) -> Server {
        Server::start_in(tempfile::tempdir().unwrap(), flags).await
    }

    pub async fn start_in(directory: TempDir, flags: &[&str]) -> Server {
        let running = Running::start(&config(directory.path(), flags)).await.unwrap();
        let channel =
            Channel::from_shared(format!("http://{}", running.address)).unwrap().connect().await.unwrap();
        Server { running, channel, directory }
    }

    /// Stops it, compacts the history before a revision, and starts it again.
    pub async fn compacted(self, horizon: u64) -> Server {
        use cmdb_core::engine::{Actor, Cmdb, Options};
        use cmdb_core::model::{Revision, Timestamp, schema::Schema};
        use cmdb_core::store::RedbStore;
        use std::sync::Arc;

        let Server { running, channel, directory } = self;
        drop(channel);
        running.stop().await.unwrap();
        let store = Arc::new(RedbStore::open(directory.path()).unwrap());
        let clock = Arc::new(|| Timestamp(0));
        let engine =
            Cmdb::open(store, Schema::built_in(), clock, Arc::new(|| [7; 32]), Options::default()).unwrap();
        let actor = Actor { name: "keeper".to_owned(), reason: String::new() };
        engine.compact_history(Revision(horizon), &actor).unwrap();
        engine.close();
        drop(engine);
        Server::start_in(directory, &[]).await
    }

    /// Stops it and starts it again on the same store.
    pub async fn restart(self) -> Server {
        let Server { running, channel, directory } = self;
        drop(channel);
        running.stop().await.unwrap();
        Server::start_in(directory, &[]).await
    }

    pub fn items(&self) -> v1::item_service_client::ItemServiceClient<Channel> {
        v1::item_service_client::ItemServiceClient::new(self.channel.clone())
    }

    pub fn graph(&self) -> v1::graph_service_client::GraphServiceClient<Channel> {
        v1::graph_service_client::GraphServiceClient::new(self.channel.clone())
    }

    /// The result of a question that is told on the way.
    pub async fn critical(&self, ask: v1::CriticalRequest) -> Result<v1::CriticalResponse, Status> {
        use v1::critical_event::Event;
        let mut events = self.graph().critical(ask).await?.into_inner();
        loop {
            let event = events.message().await?.expect("a result comes last");
            if let Event::Result(answer) = event.event.expect("an event is one thing or the other") {
                assert!(events.message().await?.is_none(), "nothing comes after it");
                return Ok(answer);
            }
        }
    }

    /// The same of how likely items are to be up.
    pub async fn availability(
        &self,
        ask: v1::AvailabilityRequest,
    ) -> Result<v1::AvailabilityResponse, Status> {
        use v1::availability_event::Event;
        let mut events = self.graph().availability(ask).await?.into_inner();
        loop {
            let event = events.message().await?.expect("a result comes last");
            if let Event::Result(answer) = event.event.expect("an event is one thing or the other") {
                return Ok(answer);
            }
        }
    }

    /// The same of what each item could take with it.
    pub async fn blast_radius(&self, ask: v1::BlastRadiusRequest) -> Result<v1::BlastRadiusResponse, Status> {
        use v1::blast_radius_event::Event;
        let mut events = self.graph().blast_radius(ask).await?.into_inner();
        loop {
            let event = events.message().await?.expect("a result comes last");
            if let Event::Result(answer) = event.event.expect("an event is one thing or the other") {
                return Ok(answer);
            }
        }
    }

    pub fn commits(&self) -> v1::commit_service_client::CommitServiceClient<Channel> {
        v1::commit_service_client::CommitServiceClient::new(self.channel.clone())
    }

    pub fn scenarios(&self) -> v1::scenario_service_client::ScenarioServiceClient<Channel> {
        v1::scenario_service_client::ScenarioServiceClient::new(self.channel.clone())
    }

    pub fn transfer(&self) -> v1::transfer_service_client::TransferServiceClient<Channel> {
        v1::transfer_service_client::TransferServiceClient::new(self.channel.clone())
    }

    pub fn admin(&self) -> v1::admin_service_client::AdminServiceClient<Channel> {
        v1::admin_service_client::AdminServiceClient::new(self.channel.clone())
    }

    pub fn groups(&self) -> v1::group_service_client::GroupServiceClient<Channel> {
        v1::group_service_client::GroupServiceClient::new(self.channel.clone())
    }

    pub fn identity(&self) -> v1::identity_service_client::IdentityServiceClient<Channel> {
        v1::identity_service_client::IdentityServiceClient::new(self.channel.clone())
    }

    pub fn schema(&self) -> v1::schema_service_client::SchemaServiceClient<Channel> {
        v1::schema_service_client::SchemaServiceClient::new(self.channel.clone())
    }

    /// States claims as an import of that name.
    pub async fn apply(&self, source: &str, claims: Vec<v1::Claim>) -> v1::ApplyResponse {
        let request = v1::ApplyRequest { source: source.to_owned(), claims, ..Default::default() };
        self.items().apply(request).await.unwrap().into_inner()
    }

    /// The web shop in small: two web servers in a group, each on a host of its own; a database that both need.
    pub async fn shop(&self) {
        let group = v1::RedundancyClaim {
            group: "web".to_owned(),
            require: "at_least 1".to_owned(),
            ..Default::default()
        };
        let mut lb = item("lb", "load_balancer", "Balancer");
        lb.relationships = vec![relates("depends_on", "web-1", "web"), relates("depends_on", "web-2", "web")];
        lb.redundancies = vec![group];
        let mut web_1 = item("web-1", "web_server", "Web 1");
        web_1.relationships = vec![relates("depends_on", "db", "")];
        let mut web_2 = item("web-2", "web_server", "Web 2");
        web_2.relationships = vec![relates("depends_on", "db", "")];
        let answer =
            self.apply("shop", vec![lb, web_1, web_2, item("db", "database_instance", "Orders")]).await;
        assert_eq!(refused(&answer), Vec::<String>::new());
    }
}

pub fn refused(answer: &v1::ApplyResponse) -> Vec<String> {
    let problems = answer.decisions.iter().filter_map(|decision| decision.problem.as_ref());
    problems.map(|problem| problem.message.clone()).collect()
}

pub fn text(text: &str) -> v1::Value {
    v1::Value { kind: Some(v1::value::Kind::Text(text.to_owned())) }
}

pub fn item(key: &str, class: &str, name: &str) -> v1::Claim {
    let item = v1::ItemClaim { class: class.to_owned(), name: name.to_owned(), ..Default::default() };
    v1::Claim { key: key.to_owned(), item: Some(item), ..Default::default() }
}

pub fn relates(kind: &str, to: &str, group: &str) -> v1::RelationshipClaim {
    let to = v1::Reference { to: Some(v1::reference::To::Key(to.to_owned())) };
    v1::RelationshipClaim {
        r#type: kind.to_owned(),
        to: Some(to),
        group: group.to_owned(),
        ..Default::default()
    }
}

/// A request by somebody.
pub fn by<T>(name: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("cmdb-actor", name.parse().unwrap());
    request
}

/// What the status says: code, reason and what to do.
pub fn said(status: &Status) -> (Code, String, String) {
    let info = status.get_error_details().error_info().cloned().expect("every error carries its reason");
    assert_eq!(info.domain, "cmdb");
    (status.code(), info.reason, info.metadata.get("hint").cloned().unwrap_or_default())
}
