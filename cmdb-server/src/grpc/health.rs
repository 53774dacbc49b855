//! Whether the facts can be trusted.

use std::sync::Arc;

use cmdb_core::health::{Ask, INTERVAL_US};
use cmdb_proto::v1;
use cmdb_proto::v1::health_service_server::HealthService;
use tonic::{Request, Response, Status};

use super::{limit, refuse};
use crate::app::health::{LIST_DEFAULT, LISTED_MAX};
use crate::app::{App, Error};
use crate::convert::health::health_to;

const SECOND_US: i64 = 1_000_000;
/// The longest interval: ten years.
const INTERVAL_S_MAX: u64 = 10 * 366 * 86_400;

pub struct Healths(pub Arc<App>);

#[tonic::async_trait]
impl HealthService for Healths {
    async fn health(
        &self,
        request: Request<v1::HealthRequest>,
    ) -> Result<Response<v1::HealthResponse>, Status> {
        let request = request.into_inner();
        let interval_us = match request.interval_s {
            0 => INTERVAL_US,
            seconds if seconds <= INTERVAL_S_MAX => i64::try_from(seconds).unwrap_or(i64::MAX) * SECOND_US,
            seconds => {
                let expected = format!("at most {INTERVAL_S_MAX} seconds");
                return Err(refuse(Error::OutOfRange {
                    what: "interval",
                    expected,
                    given: seconds.to_string(),
                }));
            }
        };
        let ask = Ask {
            class: request.class,
            list: request.list,
            limit: limit("limit", request.limit, LIST_DEFAULT, LISTED_MAX)?,
            interval_us,
        };
        let when = self.0.when(&request.as_of).map_err(refuse)?;
        let answer = self.0.health(ask, when).await.map_err(refuse)?;
        let interval_s = u64::try_from(interval_us / SECOND_US).unwrap_or_default();
        Ok(Response::new(health_to(&answer, interval_s)))
    }
}
