//! Shows a report: to people as text, to programs as JSON.
//!
//! Knows nothing of where it was read. Invariant: both show the same claims; nothing is left out silently.

mod json;
mod text;
pub mod time;

pub use json::json;
pub use text::text;

use cmdb_proto::v1;

/// The key that a reference names; agents use no other kind.
fn key_of(reference: Option<&v1::Reference>) -> Option<&str> {
    match reference?.to.as_ref()? {
        v1::reference::To::Key(key) => Some(key),
        _ => None,
    }
}
