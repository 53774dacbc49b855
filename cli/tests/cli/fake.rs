//! A server that answers from `canned.rs`, in this process, on a port of its own.
//!
//! Knows no graph: an ITEM is known when it is orders-db, web-1 or Shop (or their ids), `twin` is ambiguous,
//! everything else is not found.

mod agents;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use cmdb_proto::v1::admin_service_server::{AdminService, AdminServiceServer};
use cmdb_proto::v1::agent_service_server::AgentServiceServer;
use cmdb_proto::v1::commit_service_server::{CommitService, CommitServiceServer};
use cmdb_proto::v1::graph_service_server::{GraphService, GraphServiceServer};
use cmdb_proto::v1::group_service_server::{GroupService, GroupServiceServer};
use cmdb_proto::v1::health_service_server::{HealthService, HealthServiceServer};
use cmdb_proto::v1::identity_service_server::{IdentityService, IdentityServiceServer};
use cmdb_proto::v1::import_event::Event as ImportEventKind;
use cmdb_proto::v1::import_request::Part;
use cmdb_proto::v1::item_service_server::{ItemService, ItemServiceServer};
use cmdb_proto::v1::schema_service_server::{SchemaService, SchemaServiceServer};
use cmdb_proto::v1::transfer_service_server::{TransferService, TransferServiceServer};
use cmdb_proto::v1::verify_event::Event as VerifyEventKind;
use cmdb_proto::v1::*;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status as Failure, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

use crate::canned;

type Answer<T> = Result<Response<T>, Failure>;
type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Failure>> + Send>>;

/// More affected items than fit into the 4 MiB that a client takes by default.
pub const LARGE: u32 = 40_000;
/// A line of an import with this in it is refused.
pub const BAD: &str = "bad";

/// How the server behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    Well,
    /// Streams break off after their first part, and the store differs from its log.
    Badly,
}

/// What the shell sent.
#[derive(Default)]
pub struct Recorded {
    pub actors: Vec<Option<String>>,
    pub applied: Vec<ApplyRequest>,
    pub listed: Vec<ListItemsRequest>,
    pub imports: Vec<Import>,
    /// What groups are to need.
    pub judged: Vec<String>,
}

/// One import as it arrived.
#[derive(Default, Clone)]
pub struct Import {
    pub begin: ImportBegin,
    pub files: Vec<(ImportFile, Vec<u8>)>,
    pub largest_chunk: usize,
    pub is_complete: bool,
}

pub struct Fake {
    pub url: String,
    recorded: Arc<Mutex<Recorded>>,
    _runtime: Runtime,
}

impl Fake {
    pub fn start() -> Self {
        Self::behaving(Behaviour::Well)
    }

    pub fn behaving(behaviour: Behaviour) -> Self {
        Self::serving(behaviour, Server::builder(), "http")
    }

    /// A server that speaks TLS as `localhost`, and its certificate.
    pub fn with_tls() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let certificate = made.cert.pem();
        let identity = Identity::from_pem(&certificate, made.signing_key.serialize_pem());
        let server = Server::builder().tls_config(ServerTlsConfig::new().identity(identity));
        let fake = Self::serving(Behaviour::Well, server.expect("the certificate is good"), "https");
        (fake, certificate)
    }

    fn serving(behaviour: Behaviour, mut server: Server, scheme: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let recorded = Arc::new(Mutex::new(Recorded::default()));
        let services = Services { recorded: recorded.clone(), behaviour };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let url = format!("{scheme}://localhost:{}", listener.local_addr().expect("it is bound").port());
        let server = server
            .add_service(AdminServiceServer::new(services.clone()))
            .add_service(AgentServiceServer::new(services.clone()))
            .add_service(CommitServiceServer::new(services.clone()))
            .add_service(GraphServiceServer::new(services.clone()))
            .add_service(GroupServiceServer::new(services.clone()))
            .add_service(HealthServiceServer::new(services.clone()))
            .add_service(IdentityServiceServer::new(services.clone()))
            .add_service(ItemServiceServer::new(services.clone()))
            .add_service(SchemaServiceServer::new(services.clone()))
            .add_service(TransferServiceServer::new(services));
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Fake { url, recorded, _runtime: runtime }
    }

    pub fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().expect("no test panicked while it recorded")
    }
}

#[derive(Clone)]
struct Services {
    recorded: Arc<Mutex<Recorded>>,
    behaviour: Behaviour,
}

impl Services {
    fn record(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().expect("no test panicked while it recorded")
    }

    /// The parts of a stream, broken off after the first where the server behaves badly.
    fn stream<T: Send + 'static>(&self, parts: Vec<T>) -> Response<Events<T>> {
        let mut parts: Vec<Result<T, Failure>> = parts.into_iter().map(Ok).collect();
        if self.behaviour == Behaviour::Badly {
            parts.truncate(1);
            parts.push(Err(Failure::internal("the disk failed")));
        }
        Response::new(Box::pin(tokio_stream::iter(parts)))
    }
}

fn failure(code: Code, reason: &str, message: &str, metadata: &[(&str, &str)]) -> Failure {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Failure::with_error_details(code, message, ErrorDetails::with_error_info(reason, "cmdb", metadata))
}

fn find(item: &str) -> Result<GraphItem, Failure> {
    match item {
        "orders-db" | "@2" => Ok(canned::graph_item("orders-db")),
        "web-1" | "@3" => Ok(canned::graph_item("web-1")),
        "Shop" | "@5" => Ok(canned::graph_item("Shop")),
        "twin" => Err(failure(
            Code::InvalidArgument,
            "ITEM_AMBIGUOUS",
            "several items are called \"twin\"",
            &[("thing", "twin"), ("candidates", "a:t1\na:t2"), ("hint", "name one by its id or source:key")],
        )),
        other => Err(failure(
            Code::NotFound,
            "ITEM_NOT_FOUND",
            &format!("there is no item \"{other}\""),
            &[("thing", other), ("hint", "did you mean \"orders-db\"?")],
        )),
    }
}

#[tonic::async_trait]
impl AdminService for Services {
    async fn status(&self, _: Request<StatusRequest>) -> Answer<StatusResponse> {
        Ok(Response::new(canned::status()))
    }

    type BackupStream = Events<BackupChunk>;
    async fn backup(&self, _: Request<BackupRequest>) -> Answer<Self::BackupStream> {
        let chunk = |data: &[u8]| BackupChunk { data: data.to_vec(), total_bytes: 8 };
        Ok(self.stream(vec![chunk(b"first "), chunk(b"second")]))
    }

    type VerifyStream = Events<VerifyEvent>;
    async fn verify(&self, _: Request<VerifyRequest>) -> Answer<Self::VerifyStream> {
        let findings = u64::from(self.behaviour == Behaviour::Badly);
        let mut events =
            vec![VerifyEventKind::Progress(VerifyProgress { phase: "log".into(), done: 1, total: 2 })];
        if findings > 0 {
            events.push(VerifyEventKind::Finding("item @2 has another name in the log".into()));
        }
        let result = VerifyResult {
            revision: canned::REVISION,
            commits: 42,
            changes: 1_000,
            items: 5,
            relationships: 6,
            findings,
        };
        events.push(VerifyEventKind::Result(result));
        let events = events.into_iter().map(|event| Ok(VerifyEvent { event: Some(event) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(events.collect::<Vec<_>>()))))
    }
}

#[tonic::async_trait]
impl CommitService for Services {
    async fn get(&self, request: Request<GetCommitRequest>) -> Answer<Commit> {
        Ok(Response::new(canned::commit(request.into_inner().revision)))
    }

    type WatchStream = Events<Commit>;
    async fn watch(&self, request: Request<WatchRequest>) -> Answer<Self::WatchStream> {
        let request = request.into_inner();
        if request.after_revision > canned::REVISION {
            return Err(tonic::Status::not_found("there is no commit after the newest"));
        }
        let first = if request.from_now { canned::REVISION } else { request.after_revision } + 1;
        let until = request.until_revision;
        let commits = self.stream((first..=canned::REVISION).map(canned::commit).collect()).into_inner();
        if until != 0 {
            return Ok(Response::new(commits));
        }
        // A watch has no end of its own.
        Ok(Response::new(Box::pin(commits.chain(tokio_stream::pending()))))
    }

    async fn diff(&self, request: Request<DiffRequest>) -> Answer<DiffResponse> {
        let around = request.into_inner().around;
        if !around.is_empty() {
            find(&around)?;
        }
        Ok(Response::new(canned::diff()))
    }

    async fn create_baseline(&self, request: Request<CreateBaselineRequest>) -> Answer<Baseline> {
        let request = request.into_inner();
        Ok(Response::new(canned::baseline(&request.name, &request.reason)))
    }

    async fn list_baselines(&self, _: Request<ListBaselinesRequest>) -> Answer<ListBaselinesResponse> {
        Ok(Response::new(canned::baselines()))
    }

    async fn delete_baseline(
        &self,
        request: Request<DeleteBaselineRequest>,
    ) -> Answer<DeleteBaselineResponse> {
        match request.into_inner().name.as_str() {
            "audit-2026" => Ok(Response::new(DeleteBaselineResponse {})),
            other => Err(Failure::not_found(format!("there is no baseline \"{other}\""))),
        }
    }

    async fn retention(&self, _: Request<RetentionRequest>) -> Answer<RetentionResponse> {
        Ok(Response::new(canned::retention()))
    }

    async fn set_retention(&self, _: Request<SetRetentionRequest>) -> Answer<SetRetentionResponse> {
        Ok(Response::new(canned::set_retention()))
    }

    async fn compact(&self, request: Request<CompactRequest>) -> Answer<CompactResponse> {
        let revision = if request.into_inner().dry_run { 0 } else { canned::REVISION + 1 };
        Ok(Response::new(CompactResponse {
            revision,
            oldest_revision: 32,
            changes: 7,
            commits: 2,
            at_least: false,
        }))
    }

    async fn revert(&self, request: Request<RevertRequest>) -> Answer<RevertResponse> {
        let request = request.into_inner();
        Ok(Response::new(RevertResponse {
            revision: if request.dry_run { 0 } else { canned::REVISION + 1 },
            changes: canned::commit(request.revision).changes,
            skipped: vec!["version of orders-db: set again in revision 41".into()],
        }))
    }
}

#[tonic::async_trait]
impl GraphService for Services {
    async fn impact(&self, request: Request<ImpactRequest>) -> Answer<ImpactResponse> {
        let request = request.into_inner();
        if request.items == ["large"] {
            let one = canned::impact().affected.remove(0);
            return Ok(Response::new(ImpactResponse {
                affected: vec![one; LARGE as usize],
                ..canned::impact()
            }));
        }
        let items: Vec<GraphItem> = request.items.iter().map(|item| find(item)).collect::<Result<_, _>>()?;
        Ok(Response::new(if items[0].name == "Shop" {
            canned::impact_of_nothing()
        } else {
            canned::impact()
        }))
    }

    async fn dependencies(&self, request: Request<DependenciesRequest>) -> Answer<DependenciesResponse> {
        for item in request.into_inner().items {
            find(&item)?;
        }
        Ok(Response::new(canned::dependencies()))
    }

    async fn trace(&self, request: Request<TraceRequest>) -> Answer<TraceResponse> {
        let request = request.into_inner();
        find(&request.from)?;
        find(&request.to)?;
        Ok(Response::new(canned::trace()))
    }

    type CriticalStream = Events<CriticalEvent>;

    async fn critical(&self, request: Request<CriticalRequest>) -> Answer<Self::CriticalStream> {
        let request = request.into_inner();
        for item in request.items.iter().chain(&request.down) {
            find(item)?;
        }
        use cmdb_proto::v1::critical_event::Event;
        Ok(told([Event::Progress(progress()), Event::Result(canned::critical())], |event| CriticalEvent {
            event: Some(event),
        }))
    }

    type AvailabilityStream = Events<AvailabilityEvent>;

    async fn availability(&self, request: Request<AvailabilityRequest>) -> Answer<Self::AvailabilityStream> {
        let request = request.into_inner();
        for item in request.items.iter().chain(&request.down) {
            find(item)?;
        }
        use cmdb_proto::v1::availability_event::Event;
        Ok(told([Event::Progress(progress()), Event::Result(canned::availability())], |event| {
            AvailabilityEvent { event: Some(event) }
        }))
    }

    async fn cold_start(&self, request: Request<ColdStartRequest>) -> Answer<ColdStartResponse> {
        for item in &request.into_inner().items {
            find(item)?;
        }
        Ok(Response::new(canned::cold_start()))
    }

    async fn neighbours(&self, request: Request<NeighboursRequest>) -> Answer<NeighboursResponse> {
        find(&request.into_inner().item)?;
        Ok(Response::new(canned::neighbours()))
    }

    type BlastRadiusStream = Events<BlastRadiusEvent>;

    async fn blast_radius(&self, request: Request<BlastRadiusRequest>) -> Answer<Self::BlastRadiusStream> {
        use cmdb_proto::v1::blast_radius_event::Event;
        let request = request.into_inner();
        let mut events = vec![Event::Progress(progress())];
        match (request.as_of.as_str(), request.weighted) {
            // A server that goes away in the middle of it.
            ("41", _) => {}
            (_, true) => events.push(Event::Result(canned::weighted_blast_radius())),
            (_, false) => events.push(Event::Result(canned::blast_radius())),
        }
        Ok(told(events, |event| BlastRadiusEvent { event: Some(event) }))
    }
}

/// How far a long answer is.
fn progress() -> GraphProgress {
    GraphProgress { phase: "counting".into(), done: 1, total: 2 }
}

fn told<E, M: Send + 'static>(
    events: impl IntoIterator<Item = E, IntoIter: Send + 'static>,
    message: impl Fn(E) -> M + Send + 'static,
) -> Response<Events<M>> {
    Response::new(Box::pin(tokio_stream::iter(events.into_iter().map(move |event| Ok(message(event))))))
}

#[tonic::async_trait]
impl IdentityService for Services {
    async fn merge(&self, request: Request<MergeRequest>) -> Answer<MergeResponse> {
        let request = request.into_inner();
        let (into, item) = (find(&request.into)?, find(&request.item)?);
        Ok(Response::new(MergeResponse {
            revision: if request.dry_run { 0 } else { canned::REVISION + 1 },
            changes: canned::commit(43).changes,
            dropped: vec![format!("{} depends_on {}", into.id, item.id)],
            into: into.id,
            item: item.id,
        }))
    }

    async fn split(&self, request: Request<SplitRequest>) -> Answer<SplitResponse> {
        let request = request.into_inner();
        let item = find(&request.item)?;
        let undecided = vec![ClaimName { source: "scan".into(), key: "s-1".into() }];
        Ok(Response::new(SplitResponse {
            revision: if request.dry_run { 0 } else { canned::REVISION + 1 },
            changes: canned::commit(43).changes,
            undecided: if request.choices.is_empty() { undecided } else { vec![] },
            notes: vec![],
            item: item.id,
            from: "@1".into(),
        }))
    }

    async fn duplicates(&self, request: Request<DuplicatesRequest>) -> Answer<DuplicatesResponse> {
        let item = request.into_inner().item;
        if !item.is_empty() {
            find(&item)?;
        }
        Ok(Response::new(DuplicatesResponse {
            sets: vec![canned::duplicate_set()],
            total: 3,
            ..Default::default()
        }))
    }

    async fn identify(&self, request: Request<IdentifyRequest>) -> Answer<IdentifyResponse> {
        let claims: usize = request.into_inner().sections.iter().map(|section| section.claims.len()).sum();
        assert!(claims > 0, "a report says something");
        Ok(Response::new(canned::identified()))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Answer<ExplainResponse> {
        find(&request.into_inner().item)?;
        Ok(Response::new(canned::explanation()))
    }
}

#[tonic::async_trait]
impl GroupService for Services {
    async fn list(&self, request: Request<ListGroupsRequest>) -> Answer<ListGroupsResponse> {
        let request = request.into_inner();
        if !request.item.is_empty() {
            find(&request.item)?;
        }
        let known = |group: &Group| {
            let standing = request.standings.is_empty() || request.standings.contains(&group.standing);
            standing && group.confidence >= request.confidence_min
        };
        let groups: Vec<Group> = vec![canned::group()].into_iter().filter(known).collect();
        let total = groups.len() as u64;
        Ok(Response::new(ListGroupsResponse { groups, total, ..Default::default() }))
    }

    async fn confirm(&self, request: Request<ConfirmGroupRequest>) -> Answer<JudgeGroupResponse> {
        let request = request.into_inner();
        self.judged(&request.item, &request.group, request.dry_run, &request.require)
    }

    async fn reject(&self, request: Request<RejectGroupRequest>) -> Answer<JudgeGroupResponse> {
        let request = request.into_inner();
        self.judged(&request.item, &request.group, request.dry_run, "all")
    }
}

impl Services {
    fn judged(&self, item: &str, group: &str, dry_run: bool, require: &str) -> Answer<JudgeGroupResponse> {
        let item = find(item)?;
        if group != canned::group().group {
            let message = format!("there is no group \"{group}\" of {}", item.name);
            return Err(failure(Code::NotFound, "GROUP_UNKNOWN", &message, &[("hint", "it has nginx:443")]));
        }
        self.record().judged.push(require.to_owned());
        let revision = if dry_run { 0 } else { canned::REVISION + 1 };
        Ok(Response::new(JudgeGroupResponse { revision, changes: canned::commit(43).changes, item: item.id }))
    }
}

#[tonic::async_trait]
impl HealthService for Services {
    async fn health(&self, request: Request<HealthRequest>) -> Answer<HealthResponse> {
        let figure = request.into_inner().list;
        if !figure.is_empty() && canned::health().figures.iter().all(|known| known.name != figure) {
            let hint = [("given", figure.as_str()), ("hint", "did you mean \"orphans\"?")];
            return Err(failure(Code::NotFound, "FIGURE_UNKNOWN", "there is no such figure", &hint));
        }
        Ok(Response::new(canned::health()))
    }
}

#[tonic::async_trait]
impl ItemService for Services {
    async fn get(&self, request: Request<GetItemRequest>) -> Answer<Item> {
        let actor = request.metadata().get("cmdb-actor").map(|name| name.to_str().expect("ASCII").to_owned());
        self.record().actors.push(actor);
        let named = find(&request.into_inner().item)?;
        Ok(Response::new(Item { id: named.id, name: named.name, class: named.class, ..canned::item() }))
    }

    async fn list(&self, request: Request<ListItemsRequest>) -> Answer<ListItemsResponse> {
        let request = request.into_inner();
        self.record().listed.push(request.clone());
        match request.class.as_str() {
            "endless" => {
                let item = canned::page("").items.remove(0);
                let items = vec![item; request.page_size as usize];
                Ok(Response::new(ListItemsResponse {
                    items,
                    next_page_token: "more".into(),
                    total: u64::MAX,
                    ..ListItemsResponse::default()
                }))
            }
            "servr" => Err(failure(
                Code::NotFound,
                "CLASS_UNKNOWN",
                "there is no class \"servr\"",
                &[("hint", "did you mean \"server\"?")],
            )),
            _ if request.r#where == "port =" => Err(failure(
                Code::InvalidArgument,
                "FILTER_INVALID",
                "the condition ends too early",
                &[("given", "port =")],
            )),
            _ => Ok(Response::new(canned::page(&request.page_token))),
        }
    }

    async fn apply(&self, request: Request<ApplyRequest>) -> Answer<ApplyResponse> {
        let request = request.into_inner();
        self.record().applied.push(request.clone());
        let claim = &request.claims[0];
        let problem =
            claim.relationships.first().filter(|claim| claim.r#type == "dependson").map(|_| Problem {
                reason: "RELATIONSHIP_TYPE_UNKNOWN".into(),
                message: "there is no type of relationship \"dependson\"".into(),
                thing: "dependson".into(),
                hint: "did you mean \"depends_on\"?".into(),
                ..Problem::default()
            });
        let outcome = if problem.is_some() { decision::Outcome::Refused } else { decision::Outcome::Updated };
        let decision = Decision {
            key: claim.key.clone(),
            outcome: outcome.into(),
            notes: vec!["colour is not declared".into()],
            problem,
            ..Decision::default()
        };
        Ok(Response::new(ApplyResponse {
            decisions: vec![decision],
            revision: if request.dry_run { 0 } else { canned::REVISION + 1 },
            changes: canned::commit(43).changes,
        }))
    }

    async fn retire(&self, request: Request<RetireRequest>) -> Answer<RetireResponse> {
        let request = request.into_inner();
        find(&request.item)?;
        let revision = if request.dry_run { 0 } else { canned::REVISION + 1 };
        Ok(Response::new(RetireResponse { revision, changes: canned::commit(43).changes }))
    }

    async fn purge(&self, request: Request<PurgeRequest>) -> Answer<PurgeResponse> {
        let request = request.into_inner();
        let revision = if request.dry_run { 0 } else { canned::REVISION + 1 };
        if request.commit > 0 {
            return Ok(Response::new(PurgeResponse { revision, versions: 1, ..Default::default() }));
        }
        let item = find(&request.item)?;
        Ok(Response::new(PurgeResponse {
            revision,
            changes: vec![canned::purged_change(&request.attribute, request.lift)],
            versions: 3,
            items: vec![item.id.clone()],
            item: item.id,
            scenarios: vec!["what-if".into()],
            remains: vec!["1 references ask for an item by this".into()],
            waiting: 1,
        }))
    }

    async fn history(&self, request: Request<HistoryRequest>) -> Answer<HistoryResponse> {
        find(&request.into_inner().item)?;
        Ok(Response::new(canned::history()))
    }
}

#[tonic::async_trait]
impl SchemaService for Services {
    async fn classes(&self, _: Request<ClassesRequest>) -> Answer<ClassesResponse> {
        Ok(Response::new(canned::classes()))
    }

    async fn relationship_types(
        &self,
        _: Request<RelationshipTypesRequest>,
    ) -> Answer<RelationshipTypesResponse> {
        Ok(Response::new(canned::relationship_types()))
    }

    async fn test_rules(&self, request: Request<TestRulesRequest>) -> Answer<TestRulesResponse> {
        let files = request.into_inner().files;
        if files.iter().any(|file| file.text.contains(BAD)) {
            let details = ErrorDetails::with_error_info("RULES_INVALID", "cmdb", HashMap::new());
            let message = format!("the rules cannot be used: {}:1:1: bad", files[0].name);
            return Err(Failure::with_error_details(Code::InvalidArgument, message, details));
        }
        Ok(Response::new(canned::tested_rules()))
    }
}

#[tonic::async_trait]
impl TransferService for Services {
    type ImportStream = Events<ImportEvent>;
    async fn import(&self, request: Request<Streaming<ImportRequest>>) -> Answer<Self::ImportStream> {
        let mut parts = request.into_inner();
        let mut import = Import::default();
        while let Some(Ok(request)) = parts.next().await {
            match request.part.expect("every message has a part") {
                Part::Begin(begin) => import.begin = begin,
                Part::File(file) => import.files.push((file, Vec::new())),
                Part::Data(data) => {
                    import.largest_chunk = import.largest_chunk.max(data.len());
                    import.files.last_mut().expect("data follows a file").1.extend(data);
                }
                Part::End(_) => import.is_complete = true,
            }
        }
        self.record().imports.push(import.clone());
        let events = if import.is_complete {
            outcome(&import)
        } else {
            return Err(Failure::aborted("the stream ended before its end"));
        };
        let events = events.into_iter().map(|event| Ok(ImportEvent { event: Some(event) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(events.collect::<Vec<_>>()))))
    }

    type ExportStream = Events<ExportChunk>;
    async fn export(&self, _: Request<ExportRequest>) -> Answer<Self::ExportStream> {
        let chunk = |text: &str| ExportChunk { data: text.as_bytes().to_vec() };
        Ok(self.stream(vec![chunk("{\"item\":1}\n"), chunk("{\"item\":2}\n")]))
    }
}

/// One event for each bad line, and the result.
fn outcome(import: &Import) -> Vec<ImportEventKind> {
    let mut events =
        vec![ImportEventKind::Progress(ImportProgress { phase: "checking".into(), done: 1, total: 2 })];
    let mut good = 0;
    for (file, data) in &import.files {
        let text = String::from_utf8_lossy(data);
        for (number, line) in text.lines().enumerate() {
            if !line.contains(BAD) {
                good += 1;
                continue;
            }
            events.push(ImportEventKind::Refused(RefusedLine {
                file: file.name.clone(),
                line: number as u64 + 1,
                column: 5,
                problem: Some(Problem {
                    reason: "VALUE_TYPE".into(),
                    message: "port is no integer".into(),
                    expected: "integer".into(),
                    given: "bad".into(),
                    hint: "write 5432".into(),
                    ..Problem::default()
                }),
                text: line.into(),
                raw: if import.begin.skip_bad { line.as_bytes().to_vec() } else { Vec::new() },
            }));
        }
    }
    let refused = events.len() as u64 - 1;
    let is_published = !import.begin.dry_run && (refused == 0 || import.begin.skip_bad);
    events.push(ImportEventKind::Result(ImportResult {
        revision: if is_published { canned::REVISION + 1 } else { 0 },
        created: good,
        refused,
        waiting: 1,
        notes: vec!["colour is not declared".into()],
        ..ImportResult::default()
    }));
    events
}
