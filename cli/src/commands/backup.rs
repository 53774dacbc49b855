//! `cmdb backup`: a consistent copy of the store, taken while the server runs.

use std::path::PathBuf;
use std::pin::pin;

use clap::Args;
use cmdb_proto::v1::BackupRequest;
use serde_json::json;

use crate::error::CommandError;
use crate::file::{Existing, PartFile};
use crate::message::Progress;
use crate::output::{Format, json, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
#[command(after_help = "`cmdb-server restore FILE` makes a store of it again.")]
pub struct Arguments {
    /// Where to write it; it has this name only once it is complete
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Overwrite the file where it exists
    #[arg(long)]
    force: bool,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let connection = session.connect().await?;
    let existing = if arguments.force { Existing::Replace } else { Existing::Refuse };
    let mut file = PartFile::create(&arguments.file, existing)?;
    let mut chunks = connection.admin().backup(BackupRequest {}).await?.into_inner();
    let progress = Progress::bytes(&session.messages);
    let mut bytes = 0;
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let chunk = tokio::select! {
            biased;
            // Returning removes the part that is there.
            _ = &mut interrupt => return Err(CommandError::failure("interrupted: no backup was written")),
            chunk = chunks.message() => chunk?,
        };
        let Some(chunk) = chunk else { break };
        file.write(&chunk.data)?;
        bytes += chunk.data.len() as u64;
        progress.at("backup", bytes, chunk.total_bytes);
    }
    progress.end();
    if bytes == 0 {
        return Err(
            CommandError::failure("the server sent an empty backup").hint("the server's log says more")
        );
    }
    file.finish()?;
    let out = session.out.as_mut();
    match session.format {
        Format::Json => json::write(out, &json!({"file": arguments.file.to_string_lossy(), "bytes": bytes}))?,
        _ if session.messages.is_quiet() => {}
        _ => writeln!(out, "{}: {}", arguments.file.display(), words::bytes(bytes))?,
    }
    Ok(())
}
