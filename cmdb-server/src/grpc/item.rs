//! Items.

use std::sync::Arc;

use cmdb_core::engine::{List, Purging};
use cmdb_core::model::{Revision, Timestamp};
use cmdb_proto::v1;
use cmdb_proto::v1::item_service_server::ItemService;
use tonic::{Request, Response, Status};

use super::{limit, person, refuse};
use crate::app::changes::{Batch, CLAIMS_MAX, Malformed, PurgeAnswer, PurgeAsked, Run};
use crate::app::commits::{HISTORY_DEFAULT, HISTORY_MAX};
use crate::app::items::{Claims, PAGE_DEFAULT, PAGE_MAX, RELATIONSHIPS_DEFAULT, RELATIONSHIPS_MAX};
use crate::app::{App, Error, import_source};
use crate::convert::change::{changes_to, commit_to, decisions_to};
use crate::convert::claim::claim_from;
use crate::convert::item::item_to;

/// Of the key of a claim that may be wrong, so much is shown.
const KEY_CHARACTERS_SHOWN: usize = 512;

pub struct Items(pub Arc<App>);

#[tonic::async_trait]
impl ItemService for Items {
    async fn get(&self, request: Request<v1::GetItemRequest>) -> Result<Response<v1::Item>, Status> {
        let ask = request.into_inner();
        let max =
            limit("relationships_max", ask.relationships_max, RELATIONSHIPS_DEFAULT, RELATIONSHIPS_MAX)?;
        let claims = if ask.claims { Claims::Shown } else { Claims::Left };
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let one =
            self.0.item(ask.item, when, claims, ask.relationships.then_some(max)).await.map_err(refuse)?;
        Ok(Response::new(v1::Item {
            as_of_revision: one.as_of.revision.0,
            as_of_us: one.as_of.recorded_at.0,
            ..item_to(&one.item)
        }))
    }

    async fn list(
        &self,
        request: Request<v1::ListItemsRequest>,
    ) -> Result<Response<v1::ListItemsResponse>, Status> {
        let ask = request.into_inner();
        let list = List {
            class: ask.class,
            filter: ask.r#where,
            sort: ask.sort,
            page_size: limit("page_size", ask.page_size, PAGE_DEFAULT, PAGE_MAX)?,
            page_token: ask.page_token,
            retired: ask.retired,
            count_only: ask.count_only,
        };
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let page = self.0.items(when, list).await.map_err(refuse)?;
        Ok(Response::new(v1::ListItemsResponse {
            items: page.items.iter().map(item_to).collect(),
            next_page_token: page.next_page_token,
            total: page.total,
            revision: page.as_of.revision.0,
            as_of_us: page.as_of.recorded_at.0,
            figures_revision: page.listed_by.map_or(0, |by| by.as_of.revision.0),
            without_figure: page.listed_by.map_or(0, |by| by.without),
        }))
    }

    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        if ask.claims.len() > CLAIMS_MAX {
            return Err(refuse(Error::OutOfRange {
                what: "the number of claims",
                expected: format!("at most {CLAIMS_MAX} in one batch"),
                given: ask.claims.len().to_string(),
            }));
        }
        let source =
            (!ask.source.is_empty()).then(|| import_source(&ask.source)).transpose().map_err(refuse)?;
        let claims = ask.claims.into_iter().map(|claim| {
            let key = claim.key.chars().take(KEY_CHARACTERS_SHOWN).collect();
            claim_from(claim).map_err(|problem| Malformed { key, problem })
        });
        let batch = Batch {
            person,
            reason: ask.reason,
            source,
            claims: claims.collect(),
            merge: ask.merge,
            run: Run::dry(ask.dry_run),
            observed_at: (ask.observed_at_us != 0).then_some(Timestamp(ask.observed_at_us)),
        };
        let answer = self.0.apply(batch).await.map_err(refuse)?;
        Ok(Response::new(v1::ApplyResponse {
            decisions: decisions_to(&answer.applied),
            revision: answer.applied.revision.map_or(0, |revision| revision.0),
            changes: changes_to(&answer.applied.changes, &answer.names),
        }))
    }

    async fn retire(
        &self,
        request: Request<v1::RetireRequest>,
    ) -> Result<Response<v1::RetireResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let answer = self.0.retire(ask.item, &person, &ask.reason, Run::dry(ask.dry_run)).await;
        let answer = answer.map_err(refuse)?;
        Ok(Response::new(v1::RetireResponse {
            revision: answer.applied.revision.map_or(0, |revision| revision.0),
            changes: changes_to(&answer.applied.changes, &answer.names),
        }))
    }

    async fn purge(&self, request: Request<v1::PurgeRequest>) -> Result<Response<v1::PurgeResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let what = if ask.lift { Purging::Lift } else { Purging::Erase };
        let actor = person.actor(&ask.reason).map_err(refuse)?;
        let asked = match ask.commit {
            0 => PurgeAsked::Attribute { item: ask.item, attribute: ask.attribute },
            commit => PurgeAsked::Reason(Revision(commit)),
        };
        let answer = self.0.purge(asked, what, actor, Run::dry(ask.dry_run)).await;
        let PurgeAnswer { item, outcome, names } = answer.map_err(refuse)?;
        Ok(Response::new(v1::PurgeResponse {
            revision: outcome.revision.map_or(0, |revision| revision.0),
            changes: changes_to(&outcome.changes, &names),
            versions: outcome.versions,
            item: item.map_or_else(String::new, |item| item.to_string()),
            items: outcome.items.iter().map(ToString::to_string).collect(),
            scenarios: outcome.scenarios,
            remains: outcome.remains,
            waiting: outcome.waiting,
        }))
    }

    async fn history(
        &self,
        request: Request<v1::HistoryRequest>,
    ) -> Result<Response<v1::HistoryResponse>, Status> {
        let ask = request.into_inner();
        let limit = limit("limit", ask.limit, HISTORY_DEFAULT, HISTORY_MAX)?;
        let before = (ask.before_revision != 0).then_some(Revision(ask.before_revision));
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let history = self.0.history(ask.item, when, before, limit).await.map_err(refuse)?;
        let commits = history.commits.iter();
        Ok(Response::new(v1::HistoryResponse {
            item: history.id.to_string(),
            name: history.name,
            commits: commits
                .map(|commit| commit_to(&commit.header, &commit.changes, &commit.names))
                .collect(),
            next_before_revision: history.next_before.map_or(0, |revision| revision.0),
            revision: history.as_of.revision.0,
            as_of_us: history.as_of.recorded_at.0,
        }))
    }
}
