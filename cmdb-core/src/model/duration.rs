//! Lengths of time as people write them: `5s`, `1h 30m`, `0.25s`, `30d`.

/// Units and their microseconds, longest first.
const UNITS: [(&str, i64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// What [`parse_us`] takes, for messages.
pub const EXPECTED: &str = "numbers with units w, d, h, m, s, ms or us, such as \"1h 30m\"";

/// Reads a length of time into microseconds. `None` when it is not one, or too long.
#[must_use]
pub fn parse_us(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.trim()),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit_us = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        total = total.checked_add(scaled(number, unit_us)?)?;
        rest = after.trim_start();
    }
    Some(if negative { -total } else { total })
}

/// `number` times `unit_us`, exact: a fraction of a microsecond is refused.
fn scaled(number: &str, unit_us: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let mut total = whole.parse::<i64>().ok()?.checked_mul(unit_us)?;
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let ten = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = fraction.parse::<i128>().ok()?.checked_mul(i128::from(unit_us))?;
        if part % ten != 0 {
            return None;
        }
        total = total.checked_add(i64::try_from(part / ten).ok()?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::parse_us;

    #[test]
    fn lengths_of_time() {
        let cases = [
            ("5s", Some(5_000_000)),
            ("2h", Some(7_200_000_000)),
            ("1h30m", Some(5_400_000_000)),
            (" 1h  30m ", Some(5_400_000_000)),
            ("30d", Some(2_592_000_000_000)),
            ("0.25s", Some(250_000)),
            ("1.5us", None),
            ("-3ms", Some(-3_000)),
            ("0s", Some(0)),
            ("5", None),
            ("s", None),
            ("", None),
            ("-", None),
            ("5 s", None),
            ("1..5s", None),
            (".5s", None),
            ("9999999999999w", None),
            ("1month", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_us(text), expected, "{text}");
        }
    }
}
