//! Answers from the live graph: what breaks, what is needed, and over which chains.
//!
//! Pure: no input or output, no clock, no store, no names of items. It knows `cmdb_core::{model, graph}` and nothing
//! else; a face turns places into items and data into words.
//!
//! ```text
//! propagate     what fails, is degraded or at risk when items fail: one pass over what is reached
//! explain       why one of them does: the providers or the group, one step back
//! depends       everything that items need, and whether they need it alone
//! critical      single points of failure, and small sets that together are one
//! criticality   how critical items are: declared on services, inherited by what they need
//! availability  how likely an item is to be up
//! cold_start    what cannot start again on its own once everything is down
//! reach         how many items each one could take with it, redundancy set aside
//! trace         the chains of dependency between two items
//! progress      how far a long answer is, and whether anybody still waits for it
//! naive         the same answers, slow and plain, to test the fast ones against
//! ```
//!
//! Invariants: no answer depends on the order in which anything is visited; nothing recurses over the graph; what must
//! be bounded says where it stopped.
#![warn(missing_docs)]

pub mod availability;
#[cfg(test)]
mod cliffs;
pub mod cold_start;
pub mod critical;
pub mod criticality;
mod cycles;
pub mod depends;
#[cfg(test)]
mod enumerated;
#[cfg(test)]
mod estate;
pub mod explain;
mod module;
pub mod naive;
pub mod progress;
pub mod propagate;
pub mod reach;
pub mod trace;

pub use availability::{Availability, availability, availability_of};
pub use cold_start::{ColdStart, Deadlock, cold_start};
pub use critical::{Critical, Margin, Parts, Point, critical, critical_of, critical_within, points};
pub use depends::{Dependencies, Dependency, Need, depends, needed_by};
pub use explain::{Explainer, Explanation, Reason, VIA_MAX, Via};
pub use progress::Progress;
pub use propagate::{Affected, Counts, Impact, Options, State, impact, impact_beside, joint};
pub use reach::{Condensed, Counter};
pub use trace::{Chain, Direction, TRACE_CHAINS_MAX, TRACE_STEPS_MAX, Trace, trace};

/// A number of items or relationships: there are fewer of either than 32 bits count.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("a graph has fewer")
}
