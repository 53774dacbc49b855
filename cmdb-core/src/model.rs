//! The nouns: ids, values, items, relationships, sources, times, and the schema that declares them.
//!
//! Knows nothing of storage, sources' precedence or identification.
//! Invariant: a value of these types is plain data; nothing here refers to anything by pointer.

pub mod duration;
pub mod id;
pub mod item;
pub mod nearest;
pub mod problem;
pub mod relationship;
pub mod schema;
pub mod source;
pub mod time;
pub mod unit;
pub mod value;

pub use id::{ItemId, Revision, SourceId};
pub use item::{Item, Status};
pub use problem::{Problem, Reason};
pub use relationship::{Relationship, Require};
pub use schema::Schema;
pub use source::{Source, SourceKind};
pub use time::Timestamp;
pub use unit::UnitKind;
pub use value::{Value, ValueType};
