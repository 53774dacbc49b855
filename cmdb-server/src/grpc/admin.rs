//! Running the server.

use std::sync::Arc;

use cmdb_core::engine::{SourceState, VerifyEvent};
use cmdb_proto::v1;
use cmdb_proto::v1::admin_service_server::AdminService;
use tonic::{Request, Response, Status};

use super::{Answer, answer, refuse};
use crate::app::App;
use crate::app::admin::{StatusAnswer, VerifyStep};
use crate::app::sessions::Cost;

pub struct Admin(pub Arc<App>);

#[tonic::async_trait]
impl AdminService for Admin {
    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        Ok(Response::new(status_to(self.0.status().await.map_err(refuse)?)))
    }

    type BackupStream = Answer<v1::BackupChunk>;

    async fn backup(&self, _: Request<v1::BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        // How much the compression will save is not known, so the whole is not either.
        let chunk = |data| v1::BackupChunk { data, total_bytes: 0 };
        Ok(Response::new(answer(self.0.backup(), chunk)))
    }

    type VerifyStream = Answer<v1::VerifyEvent>;

    async fn verify(&self, _: Request<v1::VerifyRequest>) -> Result<Response<Self::VerifyStream>, Status> {
        Ok(Response::new(answer(self.0.verify(), verify_to)))
    }
}

fn status_to(status: StatusAnswer) -> v1::StatusResponse {
    let StatusAnswer { figures, sources, connected, store, uptime_s } = status;
    v1::StatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store: store.kind.to_owned(),
        data_path: store.place,
        file_bytes: store.bytes,
        revision: figures.revision.0,
        recorded_at_us: figures.recorded_at.0,
        items: figures.items,
        relationships: figures.relationships,
        items_by_class: figures.items_by_class.into_iter().collect(),
        sessions: connected.len() as u64,
        sources: sources
            .into_iter()
            .map(|state| {
                let seat = connected.get(&state.source.name).copied();
                source_to(state, seat)
            })
            .collect(),
        uptime_s,
        duplicate_sets: figures.duplicate_items,
        waiting_references: figures.waiting_references,
        read_only: store.read_only.unwrap_or_default(),
        waiting_references_expired: figures.waiting_references_expired,
        waiting_references_evicted: figures.waiting_references_evicted,
        waiting_claims: figures.waiting_claims,
        waiting_claims_expired: figures.waiting_claims_expired,
        waiting_claims_evicted: figures.waiting_claims_evicted,
    }
}

fn source_to(state: SourceState, seat: Option<Option<Cost>>) -> v1::SourceStatus {
    v1::SourceStatus {
        source: state.source.name,
        kind: state.source.kind.name().to_owned(),
        entries: state.entries,
        last_seen_us: state.last_seen.map_or(0, |moment| moment.0),
        title: state.source.title,
        version: state.source.version,
        incomplete: state
            .incomplete
            .into_iter()
            .map(|(scope, reason)| format!("{scope}: {reason}"))
            .collect(),
        connected: seat.is_some(),
        cost: seat.flatten().map(cost_to),
    }
}

pub fn cost_to(cost: Cost) -> v1::Cost {
    v1::Cost {
        cpu_us: cost.cpu_us,
        resident_bytes: cost.resident_bytes,
        scan_cpu_us: cost.scan_cpu_us,
        sent_bytes: cost.sent_bytes,
        running_s: cost.running_s,
    }
}

fn verify_to(step: VerifyStep) -> v1::VerifyEvent {
    use v1::verify_event::Event;
    let event = match step {
        VerifyStep::Event(VerifyEvent::Progress { phase, done, total }) => {
            Event::Progress(v1::VerifyProgress { phase: phase.to_owned(), done, total })
        }
        VerifyStep::Event(VerifyEvent::Finding(finding)) => Event::Finding(finding),
        VerifyStep::Done(verified) => Event::Result(v1::VerifyResult {
            revision: verified.revision.0,
            commits: verified.commits,
            changes: verified.changes,
            items: verified.items,
            relationships: verified.relationships,
            findings: verified.findings,
        }),
    };
    v1::VerifyEvent { event: Some(event) }
}
