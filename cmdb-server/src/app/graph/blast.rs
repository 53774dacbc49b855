//! How many items each item could take with it, redundancy set aside.
//!
//! All figures are made at once and kept. A question is answered from what is kept, which says the revision that it is
//! exact for; where that is not the newest, a thread of its own makes it anew and nobody waits. Only the very first
//! question waits, and those about another moment. Invariant: the figures of one answer are of one revision.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cmdb_core::engine::{Cmdb, Label, Reader, When};
use cmdb_core::graph::Graph;
use cmdb_core::model::{ItemId, Revision};
use cmdb_impact::{Condensed, Progress};

use super::AsOf;
use crate::app::{App, Asker, Beginning, Error, labels_of, reader_at};

/// Items listed when nobody says how many.
pub const BLAST_DEFAULT: usize = 20;
/// Items listed at most.
pub const BLAST_MAX: usize = 100_000;

/// The items that could take most with them.
pub struct BlastAnswer {
    /// The moment for which the figures are exact.
    pub as_of: AsOf,
    /// The newest revision.
    pub head: Revision,
    /// Largest first.
    pub items: Vec<(ItemId, u32)>,
    /// How many items could take any other with them.
    pub total: u64,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
}

/// The figures of one revision.
struct Figures {
    as_of: AsOf,
    /// Largest first, then by id; without those that reach nothing.
    items: Vec<(ItemId, u32)>,
}

/// The figures that are kept.
#[derive(Default)]
pub struct Kept {
    figures: Mutex<Option<Arc<Figures>>>,
    refreshing: AtomicBool,
}

impl Kept {
    fn get(&self) -> Option<Arc<Figures>> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, figures: &Arc<Figures>) {
        let mut kept = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|kept| kept.as_of.revision <= figures.as_of.revision) {
            *kept = Some(Arc::clone(figures));
        }
    }
}

/// Says that nobody refreshes any more, whatever became of it.
struct Turn(Arc<Kept>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.refreshing.store(false, Ordering::Release);
    }
}

impl App {
    /// The items that could take most with them.
    ///
    /// # Errors
    /// When the moment is not to be had.
    pub async fn blast_radius(&self, when: When, top: usize) -> Result<BlastAnswer, Error> {
        let (engine, kept) = (self.engine.clone(), Arc::clone(&self.blast));
        let progress = Arc::new(Progress::default());
        let asker = Asker::of(&progress);
        let work = self.work(move || {
            if when != When::Now {
                let reader = reader_at(&engine, when, Beginning::Refused)?;
                return answer(&reader, &figures(&reader, &progress).ok_or(Error::Gone)?, top);
            }
            let reader = engine.reader()?;
            let figures = match kept.get() {
                Some(known) if known.as_of.revision == reader.revision() => known,
                Some(known) => {
                    refresh(&engine, &kept);
                    known
                }
                // Whoever asks next has them too: so they are made even if this asker goes.
                None => {
                    let made = Arc::new(figures_of_all(&reader));
                    kept.put(&made);
                    made
                }
            };
            answer(&reader, &figures, top)
        });
        let answered = work.await;
        drop(asker);
        answered
    }
}

/// Makes the figures anew on a thread of its own, unless that is under way. It is not waited for at the end: it
/// writes nothing.
fn refresh(engine: &Cmdb, kept: &Arc<Kept>) {
    if kept.refreshing.swap(true, Ordering::AcqRel) {
        return;
    }
    let (engine, turn) = (engine.clone(), Turn(Arc::clone(kept)));
    let work = move || match engine.reader() {
        Ok(reader) => turn.0.put(&Arc::new(figures_of_all(&reader))),
        Err(error) => tracing::warn!(%error, "the blast radius is not made anew"),
    };
    if let Err(error) = std::thread::Builder::new().name("blast".to_owned()).spawn(work) {
        tracing::warn!(%error, "no thread to make the blast radius anew");
    }
}

fn figures_of_all(reader: &Reader) -> Figures {
    figures(reader, &Progress::default()).expect("nobody gives it up")
}

/// None: whoever asked has gone.
fn figures(reader: &Reader, progress: &Progress) -> Option<Figures> {
    Some(Figures { as_of: AsOf::of(reader), items: largest_first(reader.graph(), progress)? })
}

fn largest_first(graph: &Graph, progress: &Progress) -> Option<Vec<(ItemId, u32)>> {
    let counts = Condensed::of(graph, progress)?.counts(progress)?;
    let counted = graph.indexes().zip(counts).filter(|(_, count)| *count > 0);
    let mut items: Vec<(ItemId, u32)> = counted.map(|(item, count)| (graph.id(item), count)).collect();
    items.sort_unstable_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
    Some(items)
}

fn answer(reader: &Reader, figures: &Figures, top: usize) -> Result<BlastAnswer, Error> {
    let items: Vec<(ItemId, u32)> = figures.items.iter().take(top).copied().collect();
    let ids: Vec<ItemId> = items.iter().map(|(id, _)| *id).collect();
    Ok(BlastAnswer {
        as_of: figures.as_of,
        head: reader.revision(),
        items,
        total: figures.items.len() as u64,
        labels: labels_of(reader, &ids)?,
    })
}
