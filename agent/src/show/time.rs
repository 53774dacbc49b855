//! Moments as people and programs write them.

const SECONDS_PER_DAY: i64 = 86_400;
const MICROSECONDS: i64 = 1_000_000;

/// A moment in RFC 3339, given in microseconds since the epoch; to the second, unless there is more to say.
pub fn rfc3339(timestamp_us: i64) -> String {
    let seconds = timestamp_us.div_euclid(MICROSECONDS);
    let fraction = timestamp_us.rem_euclid(MICROSECONDS);
    let (days, of_day) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The date of a day counted from the epoch.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: eras of 400 years, years that
/// begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (1_700_000_000_000_000, "2023-11-14T22:13:20Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (1_709_164_799_999_999, "2024-02-28T23:59:59.999999Z"),
            (-1_000_000, "1969-12-31T23:59:59Z"),
        ];
        for (timestamp_us, expected) in cases {
            assert_eq!(rfc3339(timestamp_us), expected);
        }
    }
}
