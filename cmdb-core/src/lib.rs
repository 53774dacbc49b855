//! The heart of the CMDB: what there is, who said so, and every state it ever had.
//!
//! No async, no network, no wall clock, no printing: time comes in as an argument, and a face
//! (gRPC, shell, console) turns answers into words. A fact enters through [`engine`] and leaves as a
//! snapshot; nothing else writes the store.
//!
//! ```text
//! model ← claim ← {import, identify, reconcile, store}
//!                 {identify, reconcile, store} ← change ┐
//! model ← {graph, query, redundancy, scenario}          ├─ engine
//!         {graph, query} ← health                       ┘
//! ```
#![warn(missing_docs)]

pub mod change;
pub mod claim;
pub mod engine;
pub mod graph;
pub mod health;
pub mod identify;
pub mod import;
pub mod model;
pub mod query;
pub mod reconcile;
pub mod redundancy;
pub mod scenario;
pub mod store;
