//! What a command has at hand: the server, the chosen format, standard output, messages, and the time.
//!
//! Invariant: the clock is read once, here; everything printed in one call speaks of the same now.

use std::io::{BufWriter, Write};

use jiff::Timestamp;

use crate::arguments::Global;
use crate::connection::{Asker, Connection, Target};
use crate::error::CommandError;
use crate::message::Messages;
use crate::output::{self, Format};

/// One call of the shell.
pub struct Session {
    pub target: Target,
    pub format: Format,
    pub messages: Messages,
    pub now: Timestamp,
    /// Standard output; colours are taken out where they do not belong.
    pub out: Box<dyn Write>,
}

impl Session {
    /// Checks the options that every command takes; `supported` are the command's formats, the default first.
    pub fn new(global: &Global, supported: &[Format]) -> Result<Self, CommandError> {
        let format = output::choose(global.output, supported)?;
        let out: Box<dyn Write> = if format.is_for_people() {
            Box::new(BufWriter::new(anstream::AutoStream::new(std::io::stdout(), global.color.choice())))
        } else {
            Box::new(BufWriter::new(std::io::stdout()))
        };
        Ok(Session {
            target: Target::new(&global.server, global.ca.as_deref(), Asker::new(global.actor.as_deref())?)?,
            format,
            messages: Messages::new(global.color, global.quiet),
            now: Timestamp::now(),
            out,
        })
    }

    /// Connects to the server.
    pub async fn connect(&self) -> Result<Connection, CommandError> {
        self.target.connect().await
    }

    /// Writes out what is still buffered.
    pub fn flush(&mut self) -> Result<(), CommandError> {
        Ok(self.out.flush()?)
    }
}
