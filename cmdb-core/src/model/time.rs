//! Moments, in microseconds. Whoever needs *now* is given it.

use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

/// Microseconds in one day.
pub const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

impl Timestamp {
    /// The moment `duration_us` microseconds later; stays at the ends of time.
    #[must_use]
    pub fn plus_us(self, duration_us: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(duration_us))
    }

    /// Reads RFC 3339, such as `2026-11-22T10:00:00Z`.
    ///
    /// # Errors
    /// When the text is not a moment.
    pub fn from_rfc3339(text: &str) -> Result<Timestamp, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|moment| Timestamp(moment.as_microsecond()))
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}
