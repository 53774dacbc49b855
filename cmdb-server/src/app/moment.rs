//! Which moment is asked: the one place that reads `as_of`, and that says why a moment is not to be had.
//!
//! Invariant: what is answered stood at one moment; a reader, its graph and its store never disagree.

use cmdb_core::engine::{Cmdb, Reader, When};
use cmdb_core::model::{Problem, Reason, Revision, Timestamp};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use super::{App, Error};

/// What may be written for a moment.
const EXPECTED: &str = "a revision (7 or r7), RFC 3339 (2026-11-22T10:00:00Z; a date alone is the start of that day in UTC), \
     or such as \"2 hours ago\", \"15 min ago\", \"yesterday\", or the name of a baseline";
/// So much of a text that is no moment is shown.
const SHOWN_CHARACTERS: usize = 80;
/// The longest text that may be a moment, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// Whether a moment before the first commit is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beginning {
    /// It is: nothing can be said of it.
    Refused,
    /// It is not: there was nothing then.
    Empty,
}

impl App {
    /// The moment that a text names; empty: now.
    ///
    /// # Errors
    /// When it names none, or one that is still to come.
    pub fn when(&self, text: &str) -> Result<When, Error> {
        match parse(text, (self.clock)()) {
            Err(problem) => match self.engine.baseline(text.trim()) {
                Some(revision) => Ok(When::Revision(revision)),
                None => Err(problem.into()),
            },
            Ok(when) => Ok(when),
        }
    }

    /// Asks a question of a moment.
    ///
    /// # Errors
    /// What the question fails with, that the moment is not to be had, or that too many are waiting.
    pub async fn read_at<T: Send + 'static>(
        &self,
        when: When,
        question: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let engine = self.engine.clone();
        self.work(move || question(&reader_at(&engine, when, Beginning::Refused)?)).await
    }
}

/// Reads from a moment.
///
/// # Errors
/// When it is not to be had, or the store cannot be read.
pub fn reader_at(engine: &Cmdb, when: When, beginning: Beginning) -> Result<Reader, Error> {
    let reader = engine.reader_at(when)?;
    if when != When::Now && beginning == Beginning::Refused && reader.revision() == Revision(0) {
        return Err(before_the_first(engine, when)?.into());
    }
    Ok(reader)
}

fn before_the_first(engine: &Cmdb, when: When) -> Result<Problem, Error> {
    let given = match when {
        When::Now => "now".to_owned(),
        When::Revision(revision) => revision.to_string(),
        When::Time(time) => time.to_string(),
    };
    let first = engine.reader()?.commit(Revision(1), 0)?.map(|(header, _)| header.recorded_at);
    let expected = match first {
        Some(first) => format!("revision 1, of {first}, or later"),
        None => "a store in which something is recorded".to_owned(),
    };
    let message = match when {
        When::Time(time) => format!("nothing was recorded by {time} yet"),
        _ => "nothing was recorded before revision 1".to_owned(),
    };
    Ok(Problem::new(Reason::CommitUnknown, message, given.clone())
        .expected(expected, given)
        .hint("`cmdb watch --after 0` lists every commit from the first"))
}

/// Reads a moment.
fn parse(text: &str, now: Timestamp) -> Result<When, Problem> {
    let said = text.trim();
    if said.is_empty() || said.eq_ignore_ascii_case("now") {
        return Ok(When::Now);
    }
    if said.len() > TEXT_BYTES_MAX {
        return Err(invalid(said));
    }
    if let Some(revision) = revision(said) {
        return Ok(When::Revision(revision));
    }
    let words = said.to_ascii_lowercase();
    let moment = if words == "yesterday" {
        before(now, Span::new().days(1))
    } else if let Some(length) = words.strip_suffix("ago") {
        span(length).and_then(|length| before(now, length))
    } else {
        absolute(said)
    };
    let Some(moment) = moment else {
        let problem = invalid(said);
        return Err(if span(&words).is_some() {
            problem.hint(format!("did you mean \"{words} ago\"?"))
        } else {
            problem
        });
    };
    if moment > now {
        return Err(Problem::new(Reason::MomentInvalid, format!("{moment} is still to come"), shown(said))
            .expected(format!("a moment up to now, {now}"), shown(said)));
    }
    Ok(When::Time(moment))
}

fn invalid(said: &str) -> Problem {
    let shown = shown(said);
    Problem::new(Reason::MomentInvalid, format!("\"{shown}\" is not a moment"), shown.clone())
        .expected(EXPECTED, shown)
}

fn shown(said: &str) -> String {
    said.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect()
}

/// `7`, `r7`.
fn revision(said: &str) -> Option<Revision> {
    let digits = said.strip_prefix(['r', 'R']).unwrap_or(said);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| digits.parse().ok().map(Revision)).flatten()
}

/// RFC 3339, a date and time without an offset, or a date: the latter two are UTC.
fn absolute(said: &str) -> Option<Timestamp> {
    let utc = |moment: DateTime| moment.to_zoned(TimeZone::UTC).ok().map(|moment| moment.timestamp());
    let moment = said.parse::<jiff::Timestamp>().ok();
    let moment = moment.or_else(|| said.parse::<DateTime>().ok().and_then(utc));
    let moment = moment.or_else(|| {
        said.parse::<Date>().ok().and_then(|date| utc(date.to_datetime(jiff::civil::Time::midnight())))
    });
    moment.map(|moment| Timestamp(moment.as_microsecond()))
}

fn before(now: Timestamp, length: Span) -> Option<Timestamp> {
    let now = jiff::Timestamp::from_microsecond(now.0).ok()?;
    let then = Zoned::new(now, TimeZone::UTC).checked_sub(length).ok()?;
    Some(Timestamp(then.timestamp().as_microsecond()))
}

/// `2 hours`, `15min`, `1 h 30 min`, `a day`.
fn span(text: &str) -> Option<Span> {
    let mut rest = text.trim();
    let mut length = Span::new();
    let mut said_any = false;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (count, after) = match rest.split_at(digits) {
            ("", words) => {
                let article = ["an ", "a ", "one "].into_iter().find(|article| words.starts_with(article))?;
                (1, &words[article.len()..])
            }
            (number, after) => (number.parse::<i64>().ok()?, after),
        };
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        length = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => length.try_seconds(count + length.get_seconds()),
            "m" | "min" | "mins" | "minute" | "minutes" => length.try_minutes(count + length.get_minutes()),
            "h" | "hour" | "hours" => length.try_hours(count + i64::from(length.get_hours())),
            "d" | "day" | "days" => length.try_days(count + i64::from(length.get_days())),
            "w" | "week" | "weeks" => length.try_weeks(count + i64::from(length.get_weeks())),
            "month" | "months" => length.try_months(count + i64::from(length.get_months())),
            "y" | "year" | "years" => length.try_years(count + i64::from(length.get_years())),
            _ => return None,
        }
        .ok()?;
        said_any = true;
        rest = after.trim_start();
    }
    said_any.then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T10:30:00Z";

    fn now() -> Timestamp {
        Timestamp::from_rfc3339(NOW).unwrap()
    }

    #[test]
    fn moments_are_revisions_dates_and_times_before_now() {
        let cases = [
            ("7", "r7"),
            ("r7", "r7"),
            ("R0", "r0"),
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00Z"),
            ("2026-11-22 10:00:00", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00", "2026-11-22T10:00:00Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("2 hours ago", "2026-11-22T08:30:00Z"),
            ("15 min ago", "2026-11-22T10:15:00Z"),
            ("15min ago", "2026-11-22T10:15:00Z"),
            ("1 h 30 min ago", "2026-11-22T09:00:00Z"),
            ("3 Days ago", "2026-11-19T10:30:00Z"),
            ("a week ago", "2026-11-15T10:30:00Z"),
            ("an hour ago", "2026-11-22T09:30:00Z"),
            ("1 month ago", "2026-10-22T10:30:00Z"),
            (" yesterday ", "2026-11-21T10:30:00Z"),
            ("0s ago", NOW),
            (NOW, NOW),
        ];
        for (text, expected) in cases {
            let found = match parse(text, now()) {
                Ok(When::Revision(revision)) => format!("r{revision}"),
                Ok(When::Time(time)) => time.to_string(),
                other => panic!("{text}: {other:?}"),
            };
            assert_eq!(found, expected, "{text}");
        }
        for text in ["", " ", "now", "Now"] {
            assert_eq!(parse(text, now()), Ok(When::Now), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_was_given_and_what_would_be_right() {
        let long = "9".repeat(1_000);
        let cases = [
            "last tuesday",
            "ago",
            "2 ago",
            "two hours ago",
            "2 fortnights ago",
            "-2 hours ago",
            "99999999999999999999",
            "9999999999 years ago",
            "9223372036854775807 s 9223372036854775807 s ago",
            "2026-13-01",
            "2026-11-22T25:00:00Z",
            "r",
            "-1",
            "1.5",
            &long,
            "ä",
        ];
        for text in cases {
            let problem = parse(text, now()).expect_err(text);
            assert_eq!(problem.reason, Reason::MomentInvalid, "{text}");
            assert!(!problem.given.is_empty() && problem.given.len() <= 4 * SHOWN_CHARACTERS, "{text}");
            assert!(problem.expected.contains("RFC 3339"), "{text}");
        }
        assert_eq!(parse("2 hours", now()).unwrap_err().hint, "did you mean \"2 hours ago\"?");
    }

    #[test]
    fn what_is_to_come_is_refused() {
        for text in ["2026-11-23", "2026-11-22T10:30:01Z", "2030-01-01T00:00:00+01:00"] {
            let problem = parse(text, now()).expect_err(text);
            assert!(problem.message.ends_with("is still to come"), "{problem}");
            assert!(problem.expected.contains(NOW), "{}", problem.expected);
        }
    }
}
