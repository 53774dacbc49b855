//! Scenarios.

use std::sync::Arc;

use cmdb_core::engine::Take;
use cmdb_core::model::Problem;
use cmdb_proto::v1;
use cmdb_proto::v1::scenario_service_server::ScenarioService;
use tonic::{Request, Response, Status};

use super::{person, refuse};
use crate::app::changes::Run;
use crate::app::scenarios::{ApplyAsk, EDITS_AT_ONCE_MAX};
use crate::app::{App, Error};
use crate::convert::scenario::{applied_to, diff_to, edit_from, head_to, scenario_to, take_from};

pub struct Scenarios(pub Arc<App>);

fn refused(problem: Problem) -> Status {
    refuse(problem.into())
}

#[tonic::async_trait]
impl ScenarioService for Scenarios {
    async fn create(
        &self,
        request: Request<v1::CreateScenarioRequest>,
    ) -> Result<Response<v1::Scenario>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let base = self.0.when(&ask.base).map_err(refuse)?;
        let made = self.0.create_scenario(ask.name, base, &person, &ask.reason).await.map_err(refuse)?;
        Ok(Response::new(scenario_to(&made)))
    }

    async fn get(&self, request: Request<v1::GetScenarioRequest>) -> Result<Response<v1::Scenario>, Status> {
        let scenario = self.0.scenario(request.into_inner().name).await.map_err(refuse)?;
        Ok(Response::new(scenario_to(&scenario)))
    }

    async fn list(
        &self,
        _: Request<v1::ListScenariosRequest>,
    ) -> Result<Response<v1::ListScenariosResponse>, Status> {
        let scenarios = self.0.scenarios().await.map_err(refuse)?;
        Ok(Response::new(v1::ListScenariosResponse { scenarios: scenarios.iter().map(head_to).collect() }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteScenarioRequest>,
    ) -> Result<Response<v1::DeleteScenarioResponse>, Status> {
        self.0.delete_scenario(request.into_inner().name).await.map_err(refuse)?;
        Ok(Response::new(v1::DeleteScenarioResponse {}))
    }

    async fn edit(
        &self,
        request: Request<v1::EditScenarioRequest>,
    ) -> Result<Response<v1::Scenario>, Status> {
        let ask = request.into_inner();
        if ask.edits.len() > EDITS_AT_ONCE_MAX {
            return Err(refuse(Error::OutOfRange {
                what: "the number of edits",
                expected: format!("at most {EDITS_AT_ONCE_MAX} in one request"),
                given: ask.edits.len().to_string(),
            }));
        }
        let edits = ask.edits.into_iter().map(edit_from).collect::<Result<_, _>>().map_err(refused)?;
        let edited = self.0.edit_scenario(ask.name, edits).await.map_err(refuse)?;
        Ok(Response::new(scenario_to(&edited)))
    }

    async fn diff(
        &self,
        request: Request<v1::DiffScenarioRequest>,
    ) -> Result<Response<v1::DiffScenarioResponse>, Status> {
        let diff = self.0.diff_scenario(request.into_inner().name).await.map_err(refuse)?;
        Ok(Response::new(diff_to(&diff)))
    }

    async fn apply(
        &self,
        request: Request<v1::ApplyScenarioRequest>,
    ) -> Result<Response<v1::ApplyScenarioResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let take = ask.take.into_iter().filter_map(|(field, text)| {
            let take = take_from(&text, &field).transpose()?;
            Some(take.map(|take: Take| (field, take)))
        });
        let ask = ApplyAsk {
            take: take.collect::<Result<_, _>>().map_err(refused)?,
            take_all: take_from(&ask.take_all, "take_all").map_err(refused)?,
            name: ask.name,
            person,
            reason: ask.reason,
            run: Run::dry(ask.dry_run),
        };
        Ok(Response::new(applied_to(self.0.apply_scenario(ask).await.map_err(refuse)?)))
    }
}
