//! What is said beside the answer, on standard error: errors, warnings, notes, hints.
//!
//! Knows no command. Invariant: `--quiet` silences everything here but errors and warnings.

use std::io::{IsTerminal, Stderr, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::arguments::Color;
use crate::error::{CommandError, Kind};
use crate::output::escape;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const NOTE: Style = Style::new().bold();

/// The way to standard error.
pub struct Messages {
    stream: anstream::AutoStream<Stderr>,
    quiet: bool,
}

impl Messages {
    pub fn new(color: Color, quiet: bool) -> Self {
        Messages { stream: anstream::AutoStream::new(std::io::stderr(), color.choice()), quiet }
    }

    /// Whether progress may be drawn.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Whether success is reported at all.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// An error: what happened / which thing / what to do.
    pub fn error(&mut self, error: &CommandError) {
        if error.kind == Kind::Closed {
            return;
        }
        self.line(ERROR, "error", &error.message);
        self.details(&error.details);
        if let Some(hint) = &error.hint {
            self.line(HINT, "hint", hint);
        }
    }

    pub fn warning(&mut self, text: &str) {
        self.line(WARNING, "warning", text);
    }

    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.line(NOTE, "note", text);
        }
    }

    pub fn hint(&mut self, text: &str) {
        if !self.quiet {
            self.line(HINT, "hint", text);
        }
    }

    /// A refused line of a file: `place: what is wrong`, with the details of an error below.
    pub fn refused(&mut self, place: &str, problem: &CommandError) {
        self.say(format_args!("{ERROR}{}{ERROR:#}: {}", escape::line(place), escape::line(&problem.message)));
        self.details(&problem.details);
        if let Some(hint) = &problem.hint {
            self.say(format_args!("  {HINT}hint{HINT:#}: {}", escape::line(hint)));
        }
    }

    /// A bare line.
    pub fn plain(&mut self, text: &str) {
        self.say(format_args!("{}", escape::line(text)));
    }

    fn details(&mut self, details: &[(&'static str, String)]) {
        for (label, text) in details {
            for (place, part) in text.lines().enumerate() {
                let label = if place == 0 { *label } else { "" };
                let colon = if place == 0 { ":" } else { " " };
                self.say(format_args!("  {label}{colon} {}", escape::line(part)));
            }
        }
    }

    fn line(&mut self, style: Style, label: &str, text: &str) {
        self.say(format_args!("{style}{label}{style:#}: {}", escape::line(text)));
    }

    fn say(&mut self, line: std::fmt::Arguments<'_>) {
        // Where standard error is closed there is nobody left to tell.
        let _ = writeln!(self.stream, "{line}");
    }
}

/// How often the sign of life moves while nothing is reported.
const TICK: Duration = Duration::from_millis(120);

/// Progress of long work, drawn on a terminal only; gone when it ends, however it ends.
pub struct Progress {
    bar: ProgressBar,
    known: ProgressStyle,
    unknown: ProgressStyle,
}

impl Progress {
    /// Progress in things: lines, commits.
    pub fn new(messages: &Messages) -> Self {
        Self::with(messages, "{pos}/{len}", "{pos}")
    }

    /// Progress in bytes.
    pub fn bytes(messages: &Messages) -> Self {
        Self::with(messages, "{bytes}/{total_bytes}", "{bytes}")
    }

    fn with(messages: &Messages, of_known: &str, of_unknown: &str) -> Self {
        let style = |template: &str| {
            ProgressStyle::with_template(template).expect("the template is written in this file")
        };
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if messages.shows_progress() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
        let unknown = style(&format!("{{spinner}} {{msg}} {of_unknown}"));
        bar.set_style(unknown.clone());
        bar.set_message("waiting for the server");
        let known = style(&format!("{{spinner}} {{msg}} {{bar:30}} {of_known}"));
        Progress { bar, known, unknown }
    }

    /// `done` of `total` in a phase; a total of 0 is not known, and an estimate that was too low neither.
    pub fn at(&self, phase: &str, done: u64, total: u64) {
        if self.bar.message() != phase {
            self.bar.set_message(escape::line(phase).into_owned());
        }
        if total >= done && total > 0 {
            self.bar.set_style(self.known.clone());
            self.bar.set_length(total);
        } else {
            self.bar.set_style(self.unknown.clone());
            self.bar.unset_length();
        }
        self.bar.set_position(done);
    }

    /// Runs `print` while the bar is out of the way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
