//! Redundancy groups.

use std::sync::Arc;

use cmdb_core::engine::{GroupsAsked, Verdict};
use cmdb_proto::v1;
use cmdb_proto::v1::group_service_server::GroupService;
use tonic::{Request, Response, Status};

use super::{limit, person, refuse};
use crate::app::changes::Run;
use crate::app::groups::{GROUPS_DEFAULT, GROUPS_MAX, Judgement};
use crate::app::{App, Error, Person};
use crate::convert::change::changes_to;
use crate::convert::group::{confirm_from, groups_to, standing_from};

pub struct Groups(pub Arc<App>);

#[tonic::async_trait]
impl GroupService for Groups {
    async fn list(
        &self,
        request: Request<v1::ListGroupsRequest>,
    ) -> Result<Response<v1::ListGroupsResponse>, Status> {
        let ask = request.into_inner();
        if !(0.0..=1.0).contains(&ask.confidence_min) {
            return Err(refuse(Error::OutOfRange {
                what: "the confidence",
                expected: "0 to 1".to_owned(),
                given: ask.confidence_min.to_string(),
            }));
        }
        let standings = ask.standings.iter().map(|name| standing_from(name)).collect::<Result<_, _>>();
        let asked = GroupsAsked {
            item: None,
            standings: standings.map_err(|problem| refuse(problem.into()))?,
            confidence_min: ask.confidence_min,
            limit: limit("limit", ask.limit, GROUPS_DEFAULT, GROUPS_MAX)?,
        };
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let answer = self.0.groups(ask.item, asked, when).await.map_err(refuse)?;
        Ok(Response::new(groups_to(&answer)))
    }

    async fn confirm(
        &self,
        request: Request<v1::ConfirmGroupRequest>,
    ) -> Result<Response<v1::JudgeGroupResponse>, Status> {
        let person = person(request.metadata())?;
        let v1::ConfirmGroupRequest { item, group, require, dry_run, reason } = request.into_inner();
        let verdict = confirm_from(&require, &group).map_err(|problem| refuse(problem.into()))?;
        let run = Run::dry(dry_run);
        self.judge(Judgement { item, group, verdict, reason, run }, &person).await
    }

    async fn reject(
        &self,
        request: Request<v1::RejectGroupRequest>,
    ) -> Result<Response<v1::JudgeGroupResponse>, Status> {
        let person = person(request.metadata())?;
        let v1::RejectGroupRequest { item, group, dry_run, reason } = request.into_inner();
        let run = Run::dry(dry_run);
        self.judge(Judgement { item, group, verdict: Verdict::Reject, reason, run }, &person).await
    }
}

impl Groups {
    async fn judge(
        &self,
        judgement: Judgement,
        person: &Person,
    ) -> Result<Response<v1::JudgeGroupResponse>, Status> {
        let (item, change) = self.0.judge_group(judgement, person).await.map_err(refuse)?;
        Ok(Response::new(v1::JudgeGroupResponse {
            revision: change.applied.revision.map_or(0, |revision| revision.0),
            changes: changes_to(&change.applied.changes, &change.names),
            item: item.to_string(),
        }))
    }
}
