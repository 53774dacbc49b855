//! The one order of all changes: one commit, the history of an item, and following along.

use std::sync::Arc;

use cmdb_core::engine::{Change, CommitHeader, Reader};
use cmdb_core::model::{ItemId, Problem, Reason, Revision};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::names::Mentioned;
use super::{App, Error, Names, Stream};

/// Changes shown with a commit when nobody says how many.
pub const CHANGES_DEFAULT: usize = 1_000;
/// Changes shown with a commit at most.
pub const CHANGES_MAX: usize = 100_000;
/// Commits of a history when nobody says how many.
pub const HISTORY_DEFAULT: usize = 100;
/// Commits of a history at most.
pub const HISTORY_MAX: usize = 10_000;
/// Commits that a follower is sent from one moment of the store, at most.
const WATCH_BATCH: usize = 32;
/// Changes of those commits, at most; a single commit may have more.
const WATCH_CHANGES_MAX: usize = 32_000;
/// Commits that wait for a follower to take them.
const WATCH_WAITING_MAX: usize = 4;

/// A commit.
pub struct CommitAnswer {
    /// Its head.
    pub header: CommitHeader,
    /// Those of its changes that are shown.
    pub changes: Vec<Change>,
    /// What is mentioned.
    pub names: Names,
}

/// A page of an item's history, newest first.
pub struct HistoryAnswer {
    /// The item.
    pub id: ItemId,
    /// Its name.
    pub name: String,
    /// Commits with their changes on this item.
    pub commits: Vec<CommitAnswer>,
    /// Where the next page begins; `None`: the end.
    pub next_before: Option<Revision>,
}

impl App {
    /// One commit.
    ///
    /// # Errors
    /// When there is none of that revision.
    pub async fn commit(&self, revision: Revision, changes_max: usize) -> Result<CommitAnswer, Error> {
        self.read(move |reader| {
            let head = reader.revision();
            commit(reader, revision, changes_max)?.ok_or_else(|| {
                Problem::new(
                    Reason::CommitUnknown,
                    format!("there is no commit {revision}"),
                    revision.to_string(),
                )
                .expected(format!("a revision from 1 to {head}"), revision.to_string())
                .into()
            })
        })
        .await
    }

    /// The history of an item.
    ///
    /// # Errors
    /// When there is no such item.
    pub async fn history(
        &self,
        text: String,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<HistoryAnswer, Error> {
        self.read(move |reader| {
            let id = reader.resolve(&text)?;
            let name = reader.labels(&[id])?.into_iter().flatten().next().map(|label| label.name);
            let history = reader.history(id, before, limit)?;
            let commits = history.commits.into_iter();
            let commits = commits.map(|(header, changes)| dressed(reader, header, changes));
            Ok(HistoryAnswer {
                id,
                name: name.unwrap_or_default(),
                commits: commits.collect::<Result<_, _>>()?,
                next_before: history.next_before,
            })
        })
        .await
    }

    /// Commits in order, those after `after` and then every new one, until the server shuts down.
    ///
    /// A follower who is slow lags: what it is sent is read from the log when it takes it.
    ///
    /// # Errors
    /// When `after` lies in the future.
    pub async fn watch(
        self: &Arc<Self>,
        after: Option<Revision>,
        changes_max: usize,
    ) -> Result<Stream<CommitAnswer>, Error> {
        let head = self.read(|reader| Ok(reader.revision())).await?;
        let after = after.unwrap_or(head);
        if after > head {
            return Err(Problem::new(
                Reason::CommitUnknown,
                format!("there is no commit {after} yet"),
                after.to_string(),
            )
            .expected(format!("a revision from 0 to {head}"), after.to_string())
            .into());
        }
        let (sender, receiver) = mpsc::channel(WATCH_WAITING_MAX);
        let app = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = app.follow(after, changes_max, &sender).await {
                drop(sender.send(Err(error)).await);
            }
        });
        Ok(ReceiverStream::new(receiver))
    }

    async fn follow(
        &self,
        after: Revision,
        changes_max: usize,
        sender: &mpsc::Sender<Result<CommitAnswer, Error>>,
    ) -> Result<(), Error> {
        let mut sent = after;
        let (mut head, mut closing) = (self.head.clone(), self.closing.clone());
        loop {
            head.mark_unchanged();
            let from = sent;
            let commits = self.read(move |reader| commits_after(reader, from, changes_max)).await?;
            let progressed = !commits.is_empty();
            for commit in commits {
                sent = commit.header.revision;
                if sender.send(Ok(commit)).await.is_err() {
                    return Ok(());
                }
            }
            if progressed && *head.borrow() > sent {
                continue;
            }
            tokio::select! {
                changed = head.changed() => if changed.is_err() { return Ok(()) },
                _ = closing.wait_for(|closing| *closing) => return Ok(()),
                () = sender.closed() => return Ok(()),
            }
        }
    }
}

fn commits_after(reader: &Reader, after: Revision, changes_max: usize) -> Result<Vec<CommitAnswer>, Error> {
    let limit = (WATCH_CHANGES_MAX / changes_max.max(1)).clamp(1, WATCH_BATCH);
    let headers = reader.commits_after(after, limit)?;
    let commits =
        headers.into_iter().filter_map(|header| commit(reader, header.revision, changes_max).transpose());
    commits.collect()
}

fn commit(reader: &Reader, revision: Revision, changes_max: usize) -> Result<Option<CommitAnswer>, Error> {
    let commit = reader.commit(revision, changes_max)?;
    commit.map(|(header, changes)| dressed(reader, header, changes)).transpose()
}

fn dressed(reader: &Reader, header: CommitHeader, changes: Vec<Change>) -> Result<CommitAnswer, Error> {
    let mut mentioned = Mentioned::default();
    mentioned.changes(&changes);
    Ok(CommitAnswer { names: mentioned.names(reader)?, header, changes })
}
