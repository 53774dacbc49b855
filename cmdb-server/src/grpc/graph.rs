//! What depends on what.

use std::sync::Arc;

use cmdb_core::engine::{Direction, When};
use cmdb_proto::v1;
use cmdb_proto::v1::graph_service_server::GraphService;
use tonic::{Request, Response, Status};

use super::{limit, refuse};
use crate::app::graph::{
    Ask, CHAINS_DEFAULT, DEPTH_MAX, EDGES_DEFAULT, EDGES_MAX, LISTED_MAX, NeighboursAsk,
};
use crate::app::{App, Error};
use crate::convert::graph::{depends_to, impact_to, neighbours_to, trace_to};

pub struct Graph(pub Arc<App>);

#[tonic::async_trait]
impl GraphService for Graph {
    async fn impact(
        &self,
        request: Request<v1::ImpactRequest>,
    ) -> Result<Response<v1::ImpactResponse>, Status> {
        let ask = request.into_inner();
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let ask = reached(ask.items, when, ask.depth, ask.limit, ask.count_only)?;
        Ok(Response::new(impact_to(self.0.impact(ask).await.map_err(refuse)?)))
    }

    async fn dependencies(
        &self,
        request: Request<v1::DependenciesRequest>,
    ) -> Result<Response<v1::DependenciesResponse>, Status> {
        let ask = request.into_inner();
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let ask = reached(ask.items, when, ask.depth, ask.limit, ask.count_only)?;
        Ok(Response::new(depends_to(self.0.depends(ask).await.map_err(refuse)?)))
    }

    async fn trace(&self, request: Request<v1::TraceRequest>) -> Result<Response<v1::TraceResponse>, Status> {
        let ask = request.into_inner();
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let chains_max = limit("chains_max", ask.chains_max, CHAINS_DEFAULT, cmdb_impact::TRACE_CHAINS_MAX)?;
        let trace = self.0.trace(ask.from, ask.to, when, chains_max).await.map_err(refuse)?;
        Ok(Response::new(trace_to(trace)))
    }

    async fn neighbours(
        &self,
        request: Request<v1::NeighboursRequest>,
    ) -> Result<Response<v1::NeighboursResponse>, Status> {
        let ask = request.into_inner();
        let ask = NeighboursAsk {
            item: ask.item,
            when: self.0.when(&ask.as_of).map_err(refuse)?,
            depth: depth(ask.depth)?,
            types: ask.types,
            direction: direction(&ask.direction)?,
            limit: limit("limit", ask.limit, EDGES_DEFAULT, EDGES_MAX)?,
        };
        Ok(Response::new(neighbours_to(self.0.neighbours(ask).await.map_err(refuse)?)))
    }
}

fn reached(items: Vec<String>, when: When, depth: u32, listed: u32, count_only: bool) -> Result<Ask, Status> {
    let listed_max = limit("limit", listed, LISTED_MAX, LISTED_MAX)?;
    Ok(Ask {
        items,
        when,
        depth: (depth != 0).then_some(depth),
        listed_max: (!count_only).then_some(listed_max),
    })
}

fn direction(text: &str) -> Result<Direction, Status> {
    match text {
        "" | "both" => Ok(Direction::Both),
        "out" => Ok(Direction::Outgoing),
        "in" => Ok(Direction::Incoming),
        other => Err(refuse(Error::OutOfRange {
            what: "the direction",
            expected: "out, in or both".to_owned(),
            given: other.chars().take(64).collect(),
        })),
    }
}

/// 0 is the item's own relationships; nothing above the limit.
fn depth(given: u32) -> Result<u32, Status> {
    limit("depth", given, 1, DEPTH_MAX as usize).map(|_| given.max(1))
}
