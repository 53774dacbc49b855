//! Between the wire and the model. Pure: what an answer mentions comes with its names, and what comes in is bounded
//! here, before anything else looks at it.

pub mod change;
pub mod claim;
pub mod graph;
pub mod group;
pub mod health;
pub mod identity;
pub mod item;
pub mod report;
pub mod scenario;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod transfer;
pub mod value;
