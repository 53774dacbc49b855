//! Looks after the store: after a failed write it refuses every other one until it is opened again.
//!
//! While it can be read the server stays, because answers are wanted most when something is broken; writes are refused
//! with the cause. When it cannot be read either, the server must leave and be started anew, rather than stay and answer
//! nothing. Nothing that was acknowledged is lost by either.

use std::sync::Arc;

use cmdb_core::model::Revision;
use cmdb_core::store::{Range, Store, StoreError, Table};
use tokio::sync::Notify;

/// Waits until the store can neither be written nor read any more; what it says then.
pub async fn guard(store: Arc<dyn Store>, trouble: Arc<Notify>) -> StoreError {
    let mut told = false;
    loop {
        trouble.notified().await;
        let store = Arc::clone(&store);
        let probed = tokio::task::spawn_blocking(move || (probe(&*store), read(&*store))).await;
        match probed {
            Ok((Err(error), Err(_))) => return error,
            Ok((Err(error), Ok(()))) if !told => {
                tracing::error!(%error, "reading goes on, nothing is taken any more: restart the server when the disk is mended");
                told = true;
            }
            _ => {}
        }
    }
}

/// Whether the store can still be read.
fn read(store: &dyn Store) -> Result<(), StoreError> {
    store.snapshot()?.scan(Table::Commits, &Range::all().descending(), 1).map(drop)
}

/// Whether a transaction could begin. It asks for a head that there never is, so none does.
fn probe(store: &dyn Store) -> Result<(), StoreError> {
    match store.begin(Revision(u64::MAX), u64::MAX) {
        Ok(_) | Err(StoreError::Moved { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use cmdb_core::store::{Description, RedbStore, Snapshot, Transaction};

    use super::*;

    /// A store after a write that failed.
    struct Broken;

    fn refused() -> StoreError {
        StoreError::Io { doing: "beginning a transaction", detail: "previous I/O error".to_owned() }
    }

    impl Store for Broken {
        fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
            Err(refused())
        }

        fn begin(&self, _: Revision, _: u64) -> Result<Box<dyn Transaction + '_>, StoreError> {
            Err(refused())
        }

        fn claim_writer(&self) -> Result<u64, StoreError> {
            Err(refused())
        }

        fn describe(&self) -> Description {
            Description { kind: "broken", place: String::new(), bytes: 0, read_only: None }
        }
    }

    #[test]
    fn a_store_that_works_is_not_taken_for_broken() {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(directory.path()).unwrap();
        probe(&store).unwrap();
        assert_eq!(store.claim_writer().unwrap(), 1, "the look at it left nothing behind");
    }

    #[tokio::test]
    async fn a_store_that_refuses_every_write_is_noticed() {
        let trouble = Arc::new(Notify::new());
        trouble.notify_one();
        let error = guard(Arc::new(Broken), trouble).await;
        assert!(error.to_string().contains("previous I/O error"), "{error}");
    }
}
