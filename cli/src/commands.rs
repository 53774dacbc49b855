//! The commands, one file each: its arguments, its formats, what it asks and how the answer is laid out.
//!
//! Invariant: a command talks to the server through `connection`, prints through `output`, and fails through
//! `error`.

mod agents;
mod as_of;
mod availability;
mod backup;
mod baseline;
mod blast_radius;
mod classes;
mod cold_start;
mod completions;
mod correction;
mod critical;
mod depends;
mod diff;
mod duplicates;
mod explain;
mod export;
mod groups;
mod health;
mod history;
mod identify;
mod impact;
mod import;
mod items;
mod long;
mod merge;
mod narrow;
mod neighbours;
mod purge;
mod question;
mod relate;
mod retention;
mod retire;
mod revert;
mod rules;
mod scenario;
mod set;
mod show;
mod split;
mod status;
mod tokens;
mod trace;
mod unpin;
mod unrelate;
mod verify;
mod walk;
mod watch;

pub use as_of::why_not as why_no_moment;

use clap::Subcommand;

use crate::error::CommandError;
use crate::output::Format;
use crate::session::Session;

macro_rules! commands {
    ($($(#[$attribute:meta])* $name:ident($module:ident),)*) => {
        #[derive(Subcommand, Debug)]
        pub enum Command {
            $($(#[$attribute])* $name($module::Arguments),)*
        }

        impl Command {
            /// The formats that the command can print in, the default first; empty: it takes none.
            pub fn formats(&self) -> &'static [Format] {
                match self {
                    $(Command::$name(_) => $module::FORMATS,)*
                }
            }

            pub async fn run(self, session: &mut Session) -> Result<(), CommandError> {
                match self {
                    $(Command::$name(arguments) => $module::run(arguments, session).await,)*
                }
            }
        }
    };
}

commands! {
    /// How the server is, what it holds, and who reports to it
    Status(status),
    /// The kinds of items, or one of them with its attributes
    Classes(classes),
    /// Rules that are not in force, tried on what is stored
    Rules(rules),
    /// Items, filtered and sorted
    Items(items),
    /// One item with its attributes and relationships
    Show(show),
    /// What changed on an item, and when
    History(history),
    /// What differs between two moments, everywhere or around an item
    Diff(diff),
    /// What is reached when the items fail
    Impact(impact),
    /// Everything the items need
    Depends(depends),
    /// The dependency chains between two items
    Trace(trace),
    /// What services cannot do without: single points of failure, and how much each can lose
    Critical(critical),
    /// How likely services are to be up, and which improvement buys most
    Availability(availability),
    /// What cannot start again on its own once everything is down
    ColdStart(cold_start),
    /// What is directly related to an item
    #[command(alias = "neighbors")]
    Neighbours(neighbours),
    /// How many items each item could take with it, redundancy set aside
    BlastRadius(blast_radius),
    /// Whether the facts can be trusted, and the items behind each figure
    Health(health),
    /// Take in files of items and relationships
    Import(import),
    /// Write out every item with its claims, as JSON Lines
    Export(export),
    /// Follow what changes
    Watch(watch),
    /// Agents: how each is doing, what it costs and what it cannot see; end one's identity
    Agents(agents),
    /// What lets new agents in
    Tokens(tokens),
    /// Compare the server's log with its tables
    Verify(verify),
    /// Copy the store to a file while the server runs
    Backup(backup),
    /// Set attributes of an item by hand
    Set(set),
    /// Let go of a value that is pinned
    Unpin(unpin),
    /// State by hand that one item is related to another
    Relate(relate),
    /// State by hand that a relationship does not exist
    Unrelate(unrelate),
    /// Take an item out of use; its history stays
    Retire(retire),
    /// Erase a secret or personal value, from what the sources say and from the whole history
    Purge(purge),
    /// Make one item of two that are the same
    Merge(merge),
    /// Undo a merge, claim by claim
    Split(split),
    /// Items that may be the same, with the evidence
    Duplicates(duplicates),
    /// Redundancy groups: what is declared, what was concluded, and what people say of it
    Groups(groups),
    /// Why an item is what it is: how it was identified, and what wins each attribute
    Explain(explain),
    /// What would become of each claim of a report; writes nothing
    Identify(identify),
    /// Moments that are kept for good, under a name
    Baseline(baseline),
    /// How long the history is kept; compact it now
    Retention(retention),
    /// Undo a commit, where what it set still stands
    Revert(revert),
    /// What if: edits that were never made, asked and applied
    Scenario(scenario),
    /// Print the completions for a shell
    Completions(completions),
}
