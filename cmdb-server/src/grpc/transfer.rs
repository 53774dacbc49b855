//! Files in, files out.
//!
//! An import is one task from its first part to its result: it receives, publishes and reports, and goes on when
//! the client stops listening after the last part, because then the work is already the engine's.

use std::sync::Arc;
use std::time::Duration;

use cmdb_core::engine::ImportOutcome;
use cmdb_proto::v1;
use cmdb_proto::v1::import_request::Part;
use cmdb_proto::v1::transfer_service_server::TransferService;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Answer, answer, person, refuse};
use crate::app::changes::Run;
use crate::app::import::{ImportAnswer, ImportAsk, Progress};
use crate::app::{App, Error, Feed, Person, Upload, import_source};
use crate::convert::transfer::{format_from, outcome_to, progress_to, refused_record, refused_to};
use crate::status::problem;

/// The most data in one part, in bytes.
const PART_BYTES_MAX: usize = 1 << 20;
/// Events that wait for the client to take them.
const EVENTS_WAITING_MAX: usize = 64;
/// The longest that a client may leave an import without another part.
const PART_WAIT_MAX: Duration = Duration::from_secs(300);
/// Bytes received between two events of progress.
const PROGRESS_BYTES: usize = 8 << 20;

pub struct Transfers(pub Arc<App>);

#[tonic::async_trait]
impl TransferService for Transfers {
    type ImportStream = Answer<v1::ImportEvent>;

    async fn import(
        &self,
        request: Request<Streaming<v1::ImportRequest>>,
    ) -> Result<Response<Self::ImportStream>, Status> {
        let person = person(request.metadata())?;
        let (events, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        let import = Import { app: Arc::clone(&self.0), parts: request.into_inner(), events };
        tokio::spawn(import.run(person));
        Ok(Response::new(answer(ReceiverStream::new(receiver), |event| event)))
    }

    type ExportStream = Answer<v1::ExportChunk>;

    async fn export(
        &self,
        request: Request<v1::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let ask = request.into_inner();
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let lines = self.0.export(when, ask.retired);
        Ok(Response::new(answer(lines, |data| v1::ExportChunk { data })))
    }
}

struct Import {
    app: Arc<App>,
    parts: Streaming<v1::ImportRequest>,
    events: mpsc::Sender<Result<v1::ImportEvent, Error>>,
}

impl Import {
    async fn run(mut self, person: Person) {
        if let Err(error) = self.whole(person).await {
            // Nobody may be there to hear it.
            drop(self.events.send(Err(error)).await);
        }
    }

    async fn whole(&mut self, person: Person) -> Result<(), Error> {
        let Some(Part::Begin(begin)) = self.part().await? else {
            return Err(order("no begin", "begin first"));
        };
        let ask = ImportAsk {
            source: import_source(&begin.source)?,
            person,
            reason: begin.reason,
            full: begin.full,
            allow_withdraw: begin.allow_withdraw,
            skip_bad: begin.skip_bad,
            run: Run::dry(begin.dry_run),
        };
        let mut upload = self.app.staging.begin()?;
        self.receive(&mut upload).await?;
        let source = ask.source.name.clone();
        let (progress, told) = watch::channel(Progress { phase: "checking", done: 0, total: 0 });
        let app = Arc::clone(&self.app);
        let published = app.import(ask, &mut upload, progress, refused_record);
        let ImportAnswer { outcome, refused } = self.forward(published, told).await?;
        match &outcome {
            Ok(done) => log(&source, done),
            Err(error) => tracing::info!(source, why = problem(error).message, "import refused"),
        }
        let feed = Feed::new(self.events.clone());
        self.app
            .work(move || {
                refused.drain(|record| feed.send(refused_to(&record).map_err(|_| Error::Internal)?))
            })
            .await?;
        self.tell(outcome_to(outcome?)).await
    }

    /// The next part; `None`: the client sends no more.
    async fn part(&mut self) -> Result<Option<Part>, Error> {
        match timeout(PART_WAIT_MAX, self.parts.message()).await {
            Ok(Ok(Some(message))) => Ok(Some(message.part.ok_or_else(|| order("an empty part", "a part"))?)),
            Ok(Ok(None)) => Ok(None),
            Ok(Err(_)) | Err(_) => Err(Error::ImportCut),
        }
    }

    async fn receive(&mut self, upload: &mut Upload) -> Result<(), Error> {
        let (mut lines, mut unsaid) = (0, 0);
        loop {
            match self.part().await? {
                Some(Part::File(file)) => {
                    let format = format_from(&file);
                    upload.file(file.name, format).await?;
                }
                Some(Part::Data(data)) if data.len() > PART_BYTES_MAX => {
                    return Err(order("a part of more than 1 MiB", "parts of at most 1 MiB"));
                }
                Some(Part::Data(data)) => {
                    upload.data(&data).await?;
                    lines += data.iter().filter(|byte| **byte == b'\n').count() as u64;
                    unsaid += data.len();
                    if unsaid >= PROGRESS_BYTES {
                        unsaid = 0;
                        self.hint(Progress { phase: "receiving", done: lines, total: 0 });
                    }
                }
                Some(Part::End(_)) => return Ok(()),
                Some(Part::Begin(_)) => return Err(order("a second begin", "file, data or end")),
                None => return Err(Error::ImportCut),
            }
        }
    }

    /// Waits for the engine; on the way, tells how far it is as often as the client listens.
    async fn forward(
        &self,
        published: impl Future<Output = Result<ImportAnswer, Error>>,
        mut told: watch::Receiver<Progress>,
    ) -> Result<ImportAnswer, Error> {
        tokio::pin!(published);
        loop {
            tokio::select! {
                biased;
                answer = &mut published => return answer,
                Ok(()) = told.changed() => {
                    let progress = *told.borrow_and_update();
                    self.hint(progress);
                }
            }
        }
    }

    /// A client that is slow, or gone, or that listens only when it has sent everything, misses some of it.
    fn hint(&self, progress: Progress) {
        drop(self.events.try_send(Ok(progress_to(progress))));
    }

    async fn tell(&self, event: v1::ImportEvent) -> Result<(), Error> {
        self.events.send(Ok(event)).await.map_err(|_| Error::Gone)
    }
}

fn order(given: &'static str, expected: &'static str) -> Error {
    Error::ImportOrder { given, expected }
}

fn log(source: &str, done: &ImportOutcome) {
    let revision = done.revision.map_or(0, |revision| revision.0);
    let ImportOutcome { created, updated, withdrawn, refused, .. } = done;
    tracing::info!(source, revision, created, updated, withdrawn, refused, "import");
}
