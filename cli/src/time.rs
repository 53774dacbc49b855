//! Moments and lengths of time: microseconds on the wire, RFC 3339 for programs, ages for people. UTC throughout.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// RFC 3339, or nothing for 0: not known.
pub fn rfc3339(moment_us: i64) -> Option<String> {
    known(moment_us).map(|moment| moment.to_string())
}

/// `2026-11-03 14:05:11Z`, or nothing for 0.
pub fn for_people(moment_us: i64) -> Option<String> {
    known(moment_us).map(|moment| moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// `3 min ago`, or nothing for 0.
pub fn ago(moment_us: i64, now: Timestamp) -> Option<String> {
    let age = known(moment_us).map(|moment| now.duration_since(moment))?;
    // Clocks of two machines differ: what was seen in the near future was seen now.
    Some(if age < SignedDuration::from_secs(1) { "just now".to_owned() } else { length(age) + " ago" })
}

/// How long from one moment to another, `2 h`; nothing where the first is not known.
pub fn between(from_us: i64, to_us: i64) -> Option<String> {
    Some(length(known(to_us)?.duration_since(known(from_us)?)))
}

/// `45 s`, `3 min`, `2 h`, `5 d`: the largest unit that leaves at least two, rounded down.
pub fn length(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Reads a moment: RFC 3339, or a date or date and time, which are taken as UTC. Microseconds.
pub fn parse(text: &str) -> Option<i64> {
    let utc = |moment: DateTime| moment.to_zoned(TimeZone::UTC).ok().map(|moment| moment.timestamp());
    let moment = text.parse::<Timestamp>().ok();
    let moment = moment.or_else(|| text.parse::<DateTime>().ok().and_then(utc));
    let moment = moment.or_else(|| {
        text.parse::<Date>().ok().and_then(|date| utc(date.to_datetime(jiff::civil::Time::midnight())))
    });
    moment.map(Timestamp::as_microsecond)
}

fn known(moment_us: i64) -> Option<Timestamp> {
    if moment_us == 0 { None } else { Timestamp::from_microsecond(moment_us).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_use_the_largest_unit_that_leaves_two() {
        let cases = [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
            (-5, "0 s"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(length(SignedDuration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn moments_are_read_and_written_as_utc() {
        let moment = parse("2026-11-03T14:05:11Z").expect("RFC 3339");
        assert_eq!(rfc3339(moment).as_deref(), Some("2026-11-03T14:05:11Z"));
        assert_eq!(for_people(moment).as_deref(), Some("2026-11-03 14:05:11Z"));
        assert_eq!(parse("2026-11-03 14:05:11"), Some(moment));
        assert_eq!(parse("2026-11-03T15:05:11+01:00"), Some(moment));
        assert_eq!(rfc3339(parse("2026-11-03").expect("a date")).as_deref(), Some("2026-11-03T00:00:00Z"));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(rfc3339(0), None);
        let now = Timestamp::from_microsecond(moment + 180_000_000).expect("in range");
        assert_eq!(ago(moment, now).as_deref(), Some("3 min ago"));
        assert_eq!(ago(moment + 200_000_000, now).as_deref(), Some("just now"));
        assert_eq!(between(moment, moment + 7_200_000_000).as_deref(), Some("2 h"));
        assert_eq!(between(0, moment), None);
    }
}
