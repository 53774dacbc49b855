//! What is done with a store while no server has it: build it from a backup, and make its file small again.
//!
//! Invariant: a store appears whole and verified, or not at all.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use cmdb_core::engine::{Cmdb, Options, Verified, VerifyEvent};
use cmdb_core::model::schema::Schema;
use cmdb_core::store::{self, RedbStore, Store};

use crate::server::{now, prepare_directory, schema as load_schema, secret};

/// How a zstd stream begins.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Findings that are told one by one.
const FINDINGS_TOLD_MAX: usize = 20;
/// The store's file.
const STORE_FILE: &str = "cmdb.redb";

/// Builds a new store from a backup, and verifies it against the schema that the server is to run with.
///
/// # Errors
/// When there is a store already, the backup is not whole, or what it gives is not sound.
pub fn restore(backup: &Path, data: &Path, schema: Option<&Path>) -> anyhow::Result<()> {
    let schema = load_schema(schema)?;
    let input = open(backup)?;
    prepare_directory(data)?;
    let place = data.join(STORE_FILE);
    if place.exists() {
        bail!(
            "{} holds a store already, and a restore never overwrites one; move it away, or restore to another --data",
            data.display()
        );
    }
    // Next to its place, so that moving it there is one step.
    let beside = tempfile::Builder::new().prefix("restoring-").tempdir_in(data)?;
    let verified = build(input, beside.path(), schema)
        .with_context(|| format!("cannot restore {}; {} is as it was", called(backup), data.display()))?;
    std::fs::rename(beside.path().join(STORE_FILE), &place)
        .with_context(|| format!("cannot move the restored store to {}", place.display()))?;
    File::open(data)
        .and_then(|directory| directory.sync_all())
        .context("cannot make the restored store durable")?;
    tracing::info!(
        revision = verified.revision.0,
        commits = verified.commits,
        items = verified.items,
        relationships = verified.relationships,
        store = %place.display(),
        "restored and verified"
    );
    Ok(())
}

fn called(backup: &Path) -> String {
    if backup == Path::new("-") { "standard input".to_owned() } else { backup.display().to_string() }
}

fn open(backup: &Path) -> anyhow::Result<Box<dyn Read>> {
    let raw: Box<dyn Read> = if backup == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(backup).with_context(|| format!("cannot read the backup {}", backup.display()))?)
    };
    let mut raw = BufReader::with_capacity(1 << 16, raw);
    let begins = raw.fill_buf().with_context(|| format!("cannot read the backup {}", called(backup)))?;
    if begins.starts_with(&ZSTD_MAGIC) {
        return Ok(Box::new(zstd::Decoder::with_buffer(raw)?));
    }
    Ok(Box::new(raw))
}

fn build(mut input: Box<dyn Read>, directory: &Path, schema: Schema) -> anyhow::Result<Verified> {
    let restored: Arc<dyn Store> = Arc::new(RedbStore::open(directory)?);
    let revision = store::restore(restored.as_ref(), &mut input)?;
    tracing::info!(revision = revision.0, "the backup is read; verifying");
    verify(&restored, schema)
}

fn verify(store: &Arc<dyn Store>, schema: Schema) -> anyhow::Result<Verified> {
    let engine = Cmdb::open(Arc::clone(store), schema, Arc::new(now), Arc::new(secret), Options::default())?;
    let mut findings = Vec::new();
    let verified = engine.verify(&mut |event| match event {
        VerifyEvent::Finding(finding) if findings.len() < FINDINGS_TOLD_MAX => findings.push(finding),
        VerifyEvent::Finding(_) | VerifyEvent::Progress { .. } => {}
    });
    engine.close();
    let verified = verified?;
    if verified.findings > 0 {
        bail!("the restored store is not sound: {} findings\n{}", verified.findings, findings.join("\n"));
    }
    Ok(verified)
}

/// Gives back the space that the store does not use.
///
/// # Errors
/// When a server has the store, or there is none.
pub fn compact(data: &Path) -> anyhow::Result<()> {
    let place = data.join(STORE_FILE);
    let size = || std::fs::metadata(&place).map(|metadata| metadata.len());
    let before = size().with_context(|| format!("{} holds no store", data.display()))?;
    RedbStore::compact(data)?;
    let after = size()?;
    tracing::info!(store = %place.display(), bytes_before = before, bytes_after = after, "compacted");
    Ok(())
}
