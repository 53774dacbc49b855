//! How long to wait before the next attempt to connect.
//!
//! Full jitter: anywhere between nothing and a ceiling that doubles with every failure. The ceiling is capped, the
//! jitter is not, so that agents that lost the same server do not come back together. What the server asks for is
//! waited first, and spread as widely again.

use std::time::Duration;

use uuid::Uuid;

const FIRST_CEILING: Duration = Duration::from_secs(1);
const CEILING_MAX: Duration = Duration::from_secs(60);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure, not below what the server asked for. `random` is any number.
    pub fn next(&mut self, asked: Duration, random: u64) -> Duration {
        let ceiling =
            FIRST_CEILING.saturating_mul(2u32.saturating_pow(self.failures)).min(CEILING_MAX).max(asked);
        self.failures = self.failures.saturating_add(1);
        let most =
            u64::try_from(ceiling.as_millis()).expect("at most what a server asks for in 32 bits of seconds");
        asked + Duration::from_millis(random % (most + 1))
    }

    /// A session was opened and did something.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// A random number, from the system's own source.
pub fn random() -> u64 {
    Uuid::new_v4().as_u64_pair().1.rotate_left(32) ^ Uuid::new_v4().as_u64_pair().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap_and_the_jitter_stays() {
        let mut backoff = Backoff::default();
        let ceilings: Vec<u64> = (0..9)
            .map(|_| {
                let mut low = Backoff { failures: backoff.failures };
                assert_eq!(low.next(Duration::ZERO, 0), Duration::ZERO);
                let ceiling = FIRST_CEILING * 2u32.pow(backoff.failures);
                let most = u64::try_from(ceiling.min(CEILING_MAX).as_millis()).unwrap();
                assert_eq!(u64::try_from(backoff.next(Duration::ZERO, most).as_millis()).unwrap(), most);
                most / 1000
            })
            .collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let asked = Duration::from_secs(600);
        assert_eq!(backoff.next(asked, 0), asked);
        assert_eq!(backoff.next(asked, 600_000), 2 * asked);
        backoff.succeeded();
        assert!(backoff.next(Duration::ZERO, u64::MAX) <= FIRST_CEILING);
    }
}
