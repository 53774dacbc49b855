//! Figures that are made once for everybody who asks, and made anew behind their backs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cmdb_core::engine::{Cmdb, Reader, When};
use cmdb_core::model::Revision;
use cmdb_impact::Progress;

use crate::app::{Beginning, Error, reader_at};

/// Figures of one revision.
pub trait Made: Send + Sync + Sized + 'static {
    /// What they are called in the log.
    const NAME: &'static str;

    /// Makes them.
    ///
    /// # Errors
    /// When the store cannot be read, or nobody waits for them any more.
    fn make(reader: &Reader, progress: &Progress) -> Result<Self, Error>;

    /// The revision for which they are exact.
    fn revision(&self) -> Revision;
}

/// The figures that are kept.
pub struct Kept<F> {
    known: Mutex<Known<F>>,
    /// Held by whoever makes figures for which others may wait.
    making: Mutex<()>,
    refreshing: AtomicBool,
}

/// Of the newest moment for which they were made, and of the past moment that was asked last.
struct Known<F> {
    newest: Option<Arc<F>>,
    past: Option<Arc<F>>,
}

impl<F> Default for Kept<F> {
    fn default() -> Kept<F> {
        let known = Known { newest: None, past: None };
        Kept { known: Mutex::new(known), making: Mutex::default(), refreshing: AtomicBool::default() }
    }
}

impl<F: Made> Kept<F> {
    /// The figures of a moment; of the present, those of an earlier revision where there are none yet, which are then
    /// made anew. With the reader of the moment that was asked.
    ///
    /// # Errors
    /// When the moment is not to be had, the store cannot be read, or nobody waits any more.
    pub fn figures(
        self: &Arc<Self>,
        engine: &Cmdb,
        when: When,
        progress: &Progress,
    ) -> Result<(Reader, Arc<F>), Error> {
        let reader = reader_at(engine, when, Beginning::Refused)?;
        if let Some(figures) = self.fit(&reader, when) {
            if figures.revision() != reader.revision() {
                self.refresh(engine);
            }
            return Ok((reader, figures));
        }
        progress.begin("waiting for another question that counts the same", 0);
        let _turn = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.is_cancelled() {
            return Err(Error::Gone);
        }
        if let Some(figures) = self.fit(&reader, when) {
            return Ok((reader, figures));
        }
        let figures = Arc::new(F::make(&reader, progress)?);
        match when {
            When::Now => self.put(&figures),
            When::Revision(_) | When::Time(_) => self.known().past = Some(Arc::clone(&figures)),
        }
        Ok((reader, figures))
    }

    /// What is kept and may answer: of the present, of whatever revision.
    fn fit(&self, reader: &Reader, when: When) -> Option<Arc<F>> {
        let known = self.known();
        let exact = |figures: &&Arc<F>| figures.revision() == reader.revision();
        let exactly = known.newest.iter().chain(&known.past).find(exact);
        exactly.or(known.newest.as_ref().filter(|_| when == When::Now)).cloned()
    }

    /// Makes them anew on a thread of its own, unless that is under way. It is not waited for at the end: it writes
    /// nothing.
    fn refresh(self: &Arc<Self>, engine: &Cmdb) {
        if self.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (engine, turn) = (engine.clone(), Turn(Arc::clone(self)));
        let work = move || {
            let made = engine.reader().map_err(Error::from);
            match made.and_then(|reader| F::make(&reader, &Progress::default())) {
                Ok(figures) => turn.0.put(&Arc::new(figures)),
                Err(error) => tracing::warn!(%error, "the {} is not made anew", F::NAME),
            }
        };
        if let Err(error) = std::thread::Builder::new().name("blast".to_owned()).spawn(work) {
            tracing::warn!(%error, "no thread to make the {} anew", F::NAME);
        }
    }

    fn put(&self, figures: &Arc<F>) {
        let mut known = self.known();
        if known.newest.as_ref().is_none_or(|kept| kept.revision() <= figures.revision()) {
            known.newest = Some(Arc::clone(figures));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known<F>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that nobody refreshes any more, whatever became of it.
struct Turn<F>(Arc<Kept<F>>);

impl<F> Drop for Turn<F> {
    fn drop(&mut self) {
        self.0.refreshing.store(false, Ordering::Release);
    }
}
