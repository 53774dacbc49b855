//! The engine from claims to answers, on a real store in a temporary directory.

mod convergence;
mod corrections;
mod crash;
mod endpoints;
mod failing_disk;
mod files;
mod groups;
mod harness;
mod health;
mod images;
mod inventory;
mod merges;
mod model;
mod old_stores;
mod precedence;
mod purge;
mod random;
mod relations;
mod reports;
mod retain;
mod scenarios;
mod trial;
mod waiting;
