//! The one order of all changes: one commit, the history of an item, and following along.

use std::sync::Arc;

use cmdb_core::engine::{Change, CommitHeader, EngineError, Reader, Touched, When};
use cmdb_core::model::{ItemId, Problem, Reason, Revision};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::graph::AsOf;
use super::names::Mentioned;
use super::schema::known_class;
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

/// A question for commits as they come.
pub struct WatchAsk {
    /// The first commit is the one after it; `None`: after the present head.
    pub after: Option<Revision>,
    /// The last commit looked at; `None`: it goes on.
    pub until: Option<Revision>,
    /// Changes shown with each, at most.
    pub changes_max: usize,
    /// Only what changes this class and its children; empty: any.
    pub class: String,
    /// Only what changes this item, as people name it.
    pub item: Option<String>,
}

/// A page of an item's history, newest first.
pub struct HistoryAnswer {
    /// The moment.
    pub as_of: AsOf,
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
        when: When,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<HistoryAnswer, Error> {
        self.read_at(when, move |reader| {
            let id = reader.resolve(&text)?;
            let name = reader.labels(&[id])?.into_iter().flatten().next().map(|label| label.name);
            let history = reader.history(id, before, limit)?;
            let commits = history.commits.into_iter();
            let commits = commits.map(|(header, changes)| dressed(reader, header, changes));
            Ok(HistoryAnswer {
                as_of: AsOf::of(reader),
                id,
                name: name.unwrap_or_default(),
                commits: commits.collect::<Result<_, _>>()?,
                next_before: history.next_before,
            })
        })
        .await
    }

    /// Commits in order, those after a revision and then every new one, until the server shuts down.
    ///
    /// A follower who is slow lags: what it is sent is read from the log when it takes it.
    ///
    /// # Errors
    /// When it begins in the future, or there is no such class or item.
    pub async fn watch(self: &Arc<Self>, ask: WatchAsk) -> Result<Stream<CommitAnswer>, Error> {
        if !ask.class.is_empty() {
            known_class(&self.engine.schema(), &ask.class)?;
        }
        let item = ask.item;
        let (head, item) = self
            .read(move |reader| {
                let item = item.map(|text| reader.resolve(&text)).transpose()?;
                Ok((reader.revision(), item))
            })
            .await?;
        let after = ask.after.unwrap_or(head);
        if after > head {
            return Err(Problem::new(
                Reason::CommitUnknown,
                format!("there is no commit {after} yet"),
                after.to_string(),
            )
            .expected(format!("a revision from 0 to {head}"), after.to_string())
            .hint(format!(
                "a store that was restored may hold less than was seen of it: `cmdb watch --after {head}` goes on"
            ))
            .into());
        }
        let wanted = Wanted { class: ask.class, item, changes_max: ask.changes_max };
        let (sender, receiver) = mpsc::channel(WATCH_WAITING_MAX);
        let app = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = app.follow(after, ask.until, Arc::new(wanted), &sender).await {
                drop(sender.send(Err(error)).await);
            }
        });
        Ok(ReceiverStream::new(receiver))
    }

    async fn follow(
        &self,
        after: Revision,
        until: Option<Revision>,
        wanted: Arc<Wanted>,
        sender: &mpsc::Sender<Result<CommitAnswer, Error>>,
    ) -> Result<(), Error> {
        let mut seen = after;
        let (mut head, mut closing) = (self.head.clone(), self.closing.clone());
        while until.is_none_or(|until| seen < until) && !sender.is_closed() {
            if *closing.borrow() {
                // Who asked for an end must not take this for it.
                return if until.is_some() { Err(EngineError::Closed.into()) } else { Ok(()) };
            }
            head.mark_unchanged();
            let (from, wanted) = (seen, Arc::clone(&wanted));
            let (commits, last) = self.read(move |reader| commits_after(reader, from, &wanted)).await?;
            let progressed = last > seen;
            seen = last;
            for commit in commits {
                if until.is_some_and(|until| commit.header.revision > until) {
                    return Ok(());
                }
                if sender.send(Ok(commit)).await.is_err() {
                    return Ok(());
                }
            }
            if progressed {
                // There may be more; when there is none, the next look finds that out.
                continue;
            }
            tokio::select! {
                changed = head.changed() => if changed.is_err() { return Ok(()) },
                _ = closing.wait_for(|closing| *closing) => {}
                () = sender.closed() => return Ok(()),
            }
        }
        Ok(())
    }
}

/// What a follower wants to see of the commits.
struct Wanted {
    /// Empty: any.
    class: String,
    /// `None`: any.
    item: Option<ItemId>,
    changes_max: usize,
}

impl Wanted {
    fn everything(&self) -> bool {
        self.class.is_empty() && self.item.is_none()
    }

    fn is(&self, reader: &Reader, id: ItemId, class: Option<&str>) -> bool {
        let graph = reader.graph();
        let class = class.or_else(|| graph.index(id).map(|index| graph.class(index)));
        self.item.is_none_or(|item| item == id)
            && (self.class.is_empty() || class.is_some_and(|class| reader.schema().is_a(class, &self.class)))
    }

    fn touched(&self, reader: &Reader, touched: Touched<'_>) -> bool {
        match touched {
            Touched::Item { id, class } => self.is(reader, id, Some(class)),
            Touched::Relationship { from, to } => self.is(reader, from, None) || self.is(reader, to, None),
        }
    }
}

/// The next commits after a revision that are wanted, and how far was looked.
fn commits_after(
    reader: &Reader,
    after: Revision,
    wanted: &Wanted,
) -> Result<(Vec<CommitAnswer>, Revision), Error> {
    let limit = (WATCH_CHANGES_MAX / wanted.changes_max.max(1)).clamp(1, WATCH_BATCH);
    let headers = reader.commits_after(after, limit)?;
    gapless(after, &headers)?;
    let last = headers.last().map_or(after, |header| header.revision);
    let mut commits = Vec::new();
    for header in headers {
        if wanted.everything() {
            commits.extend(commit(reader, header.revision, wanted.changes_max)?);
            continue;
        }
        let mut touched = |touched: Touched<'_>| wanted.touched(reader, touched);
        let (changes, total) = reader.changes_where(header.revision, &mut touched, wanted.changes_max)?;
        if total > 0 {
            let header = CommitHeader { changes: total, ..header };
            commits.push(dressed(reader, header, changes)?);
        }
    }
    Ok((commits, last))
}

/// What comes next is the very next commit; a follower from whom some were dropped is told so.
fn gapless(after: Revision, headers: &[CommitHeader]) -> Result<(), Problem> {
    let Some(oldest) = headers.first().map(|header| header.revision).filter(|first| *first > after.next())
    else {
        return Ok(());
    };
    let resume = oldest.0 - 1;
    Err(Problem::new(
        Reason::CommitUnknown,
        format!("the watch fell behind: the commits after {after} are no longer kept, and the oldest is {oldest}"),
        after.to_string(),
    )
    .expected(format!("a revision from {resume}"), after.to_string())
    .hint(format!("`cmdb watch --after {resume}` goes on with the oldest that is kept; `cmdb diff` says what differs by then")))
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

#[cfg(test)]
mod tests {
    use cmdb_core::engine::Actor;
    use cmdb_core::model::Timestamp;

    use super::*;

    #[test]
    fn a_follower_from_whom_commits_were_dropped_is_told_where_to_resume() {
        let header = |revision: u64| CommitHeader {
            revision: Revision(revision),
            recorded_at: Timestamp(0),
            actor: Actor::default(),
            changes: 0,
            hash: [0; 32],
        };
        assert_eq!(gapless(Revision(4), &[]), Ok(()));
        assert_eq!(gapless(Revision(4), &[header(5), header(6)]), Ok(()));
        let problem = gapless(Revision(4), &[header(90), header(91)]).unwrap_err();
        assert!(problem.message.contains("the oldest is 90"), "{problem}");
        assert!(problem.hint.contains("cmdb watch --after 89"), "{}", problem.hint);
    }
}
