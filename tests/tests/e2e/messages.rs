//! What people are told when something is wrong, and the exit code that goes with it.
