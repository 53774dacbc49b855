//! What depends on what.

use std::future::Future;
use std::sync::Arc;

use cmdb_core::engine::Direction;
use cmdb_impact::Progress;
use cmdb_impact::availability::SAMPLES_MAX;
use cmdb_proto::v1;
use cmdb_proto::v1::graph_service_server::GraphService;
use tonic::{Request, Response, Status};

use super::{Answer, answer, limit, refuse};
use crate::app::graph::{
    AVAILABILITY_LISTED, AVAILABILITY_LISTED_MAX, Ask, AvailabilityAnswer, AvailabilityAsk, BLAST_DEFAULT,
    BLAST_MAX, BlastAnswer, BlastAsk, BlastOrder, CHAINS_DEFAULT, COLD_START_LISTED, COLD_START_LISTED_MAX,
    CRITICAL_LISTED, CRITICAL_LISTED_MAX, ColdStartAsk, CriticalAnswer, CriticalAsk, DEPTH_MAX,
    EDGES_DEFAULT, EDGES_MAX, LISTED_MAX, Narrow, NeighboursAsk, Show, Shown, Stage, Staged, TraceAsk, scene,
};
use crate::app::{App, Error, Stream, Told, told};
use crate::convert::graph::{
    availability_to, blast_to, cold_start_to, critical_to, depends_to, impact_to, neighbours_to, progress_to,
    trace_to,
};
use crate::convert::scenario::Provisional;

pub struct Graph(pub Arc<App>);

#[tonic::async_trait]
impl GraphService for Graph {
    async fn impact(
        &self,
        request: Request<v1::ImpactRequest>,
    ) -> Result<Response<v1::ImpactResponse>, Status> {
        let ask = request.into_inner();
        let stage = self.stage(ask.scenario, &ask.as_of, ask.narrow)?;
        let show = match (ask.joint, ask.why) {
            (false, why) if why.is_empty() => Show::All,
            (false, why) => Show::Why(why),
            (true, why) if why.is_empty() => Show::Joint,
            (true, given) => {
                return Err(refuse(Error::OutOfRange {
                    what: "what is asked for",
                    expected: "the joint impact, or why one item is affected".to_owned(),
                    given: format!("both, why {}", given.chars().take(64).collect::<String>()),
                }));
            }
        };
        if ask.joint && !ask.down.is_empty() {
            return Err(refuse(Error::OutOfRange {
                what: "what is asked for",
                expected: "the joint impact, or what is down already".to_owned(),
                given: "both".to_owned(),
            }));
        }
        if matches!(show, Show::Why(_)) && !ask.classes.is_empty() {
            return Err(refuse(Error::OutOfRange {
                what: "what is asked for",
                expected: "items of some classes, or why one item is affected".to_owned(),
                given: "both".to_owned(),
            }));
        }
        let (down, shown) = (ask.down, Shown { classes: ask.classes });
        let ask = reached(ask.items, stage, ask.depth, ask.limit, ask.count_only)?;
        let ask = Ask { down, shown, ..ask };
        let Staged { answer, added } = self.0.impact(ask, show).await.map_err(refuse)?;
        Ok(Response::new(Provisional::new(&added).in_impact(impact_to(answer))))
    }

    async fn dependencies(
        &self,
        request: Request<v1::DependenciesRequest>,
    ) -> Result<Response<v1::DependenciesResponse>, Status> {
        let ask = request.into_inner();
        let stage = self.stage(ask.scenario, &ask.as_of, ask.narrow)?;
        let shown = Shown { classes: ask.classes };
        let ask = reached(ask.items, stage, ask.depth, ask.limit, ask.count_only)?;
        let ask = Ask { shown, ..ask };
        let Staged { answer, added } = self.0.depends(ask).await.map_err(refuse)?;
        Ok(Response::new(Provisional::new(&added).in_dependencies(depends_to(answer))))
    }

    type CriticalStream = Answer<v1::CriticalEvent>;

    async fn critical(
        &self,
        request: Request<v1::CriticalRequest>,
    ) -> Result<Response<Self::CriticalStream>, Status> {
        let ask = request.into_inner();
        let stage = self.stage(ask.scenario, &ask.as_of, ask.narrow)?;
        let limit = limit("limit", ask.limit, CRITICAL_LISTED, CRITICAL_LISTED_MAX)?;
        let ask = CriticalAsk { items: ask.items, down: ask.down, stage, limit };
        let told = self.told(move |app, progress| async move { app.critical(ask, progress).await });
        Ok(Response::new(answer(told, critical_event)))
    }

    type AvailabilityStream = Answer<v1::AvailabilityEvent>;

    async fn availability(
        &self,
        request: Request<v1::AvailabilityRequest>,
    ) -> Result<Response<Self::AvailabilityStream>, Status> {
        let ask = request.into_inner();
        let stage = self.stage(ask.scenario, &ask.as_of, ask.narrow)?;
        let limit = limit("limit", ask.limit, AVAILABILITY_LISTED, AVAILABILITY_LISTED_MAX)?;
        if ask.samples > SAMPLES_MAX {
            return Err(refuse(Error::OutOfRange {
                what: "the number of samples",
                expected: format!("at most {SAMPLES_MAX}"),
                given: ask.samples.to_string(),
            }));
        }
        let samples = (ask.samples > 0).then_some(ask.samples);
        let ask = AvailabilityAsk { items: ask.items, down: ask.down, stage, samples, seed: ask.seed, limit };
        let told = self.told(move |app, progress| async move { app.availability(ask, progress).await });
        Ok(Response::new(answer(told, availability_event)))
    }

    async fn cold_start(
        &self,
        request: Request<v1::ColdStartRequest>,
    ) -> Result<Response<v1::ColdStartResponse>, Status> {
        let ask = request.into_inner();
        let stage = self.stage(ask.scenario, &ask.as_of, ask.narrow)?;
        let limit = limit("limit", ask.limit, COLD_START_LISTED, COLD_START_LISTED_MAX)?;
        let ask = ColdStartAsk { items: ask.items, stage, limit };
        let Staged { answer, added } = self.0.cold_start(ask).await.map_err(refuse)?;
        Ok(Response::new(Provisional::new(&added).in_cold_start(cold_start_to(answer))))
    }

    async fn trace(&self, request: Request<v1::TraceRequest>) -> Result<Response<v1::TraceResponse>, Status> {
        let ask = request.into_inner();
        let chains_max = limit("chains_max", ask.chains_max, CHAINS_DEFAULT, cmdb_impact::TRACE_CHAINS_MAX)?;
        let stage = self.stage(ask.scenario, &ask.as_of, ask.narrow)?;
        let shown = Shown { classes: ask.classes };
        let ask = TraceAsk { from: ask.from, to: ask.to, stage, shown, chains_max };
        let Staged { answer, added } = self.0.trace(ask).await.map_err(refuse)?;
        Ok(Response::new(Provisional::new(&added).in_trace(trace_to(answer))))
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
            min_confidence: share(ask.min_confidence)?,
            shown: Shown { classes: ask.classes },
            direction: direction(&ask.direction)?,
            limit: limit("limit", ask.limit, EDGES_DEFAULT, EDGES_MAX)?,
        };
        Ok(Response::new(neighbours_to(self.0.neighbours(ask).await.map_err(refuse)?)))
    }

    type BlastRadiusStream = Answer<v1::BlastRadiusEvent>;

    async fn blast_radius(
        &self,
        request: Request<v1::BlastRadiusRequest>,
    ) -> Result<Response<Self::BlastRadiusStream>, Status> {
        let ask = request.into_inner();
        let top = limit("top", ask.top, BLAST_DEFAULT, BLAST_MAX)?;
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let order = if ask.weighted { BlastOrder::ByCriticality } else { BlastOrder::ByItems };
        let ask = BlastAsk { when, top, order };
        let told = self.told(move |app, progress| async move { app.blast_radius(ask, progress).await });
        Ok(Response::new(answer(told, blast_event)))
    }
}

fn critical_event(told: Told<Staged<CriticalAnswer>>) -> v1::CriticalEvent {
    use v1::critical_event::Event;
    let event = match told {
        Told::Progress(at) => Event::Progress(progress_to(at)),
        Told::Answer(Staged { answer, added }) => {
            Event::Result(Provisional::new(&added).in_critical(critical_to(answer)))
        }
    };
    v1::CriticalEvent { event: Some(event) }
}

fn availability_event(told: Told<Staged<AvailabilityAnswer>>) -> v1::AvailabilityEvent {
    use v1::availability_event::Event;
    let event = match told {
        Told::Progress(at) => Event::Progress(progress_to(at)),
        Told::Answer(Staged { answer, added }) => {
            Event::Result(Provisional::new(&added).in_availability(availability_to(answer)))
        }
    };
    v1::AvailabilityEvent { event: Some(event) }
}

fn blast_event(told: Told<BlastAnswer>) -> v1::BlastRadiusEvent {
    use v1::blast_radius_event::Event;
    let event = match told {
        Told::Progress(at) => Event::Progress(progress_to(at)),
        Told::Answer(answer) => Event::Result(blast_to(answer)),
    };
    v1::BlastRadiusEvent { event: Some(event) }
}

impl Graph {
    /// Asks what may take a while, and tells how far it is.
    fn told<T, F>(&self, ask: impl FnOnce(Arc<App>, Arc<Progress>) -> F) -> Stream<Told<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let progress = Arc::new(Progress::default());
        told(Arc::clone(&progress), ask(Arc::clone(&self.0), progress))
    }

    fn stage(&self, scenario: String, as_of: &str, narrow: Option<v1::Narrow>) -> Result<Stage, Status> {
        let when = self.0.when(as_of).map_err(refuse)?;
        let scene = scene(scenario, as_of, when).map_err(|problem| refuse(problem.into()))?;
        let narrow = narrow.unwrap_or_default();
        let narrow = Narrow { min_confidence: share(narrow.min_confidence)?, types: narrow.types };
        Ok(Stage { scene, narrow })
    }
}

/// How sure something is to be at least.
fn share(given: f64) -> Result<f64, Status> {
    if (0.0..=1.0).contains(&given) {
        return Ok(given);
    }
    Err(refuse(Error::OutOfRange {
        what: "the least confidence",
        expected: "0 to 1".to_owned(),
        given: given.to_string(),
    }))
}

fn reached(
    items: Vec<String>,
    stage: Stage,
    depth: u32,
    listed: u32,
    count_only: bool,
) -> Result<Ask, Status> {
    let listed_max = limit("limit", listed, LISTED_MAX, LISTED_MAX)?;
    let depth = (depth != 0).then_some(depth);
    let (down, shown) = (Vec::new(), Shown::default());
    Ok(Ask { items, down, stage, shown, depth, listed_max: (!count_only).then_some(listed_max) })
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
