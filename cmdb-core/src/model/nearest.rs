//! The nearest known name to a misspelt one, for "did you mean".

/// The candidate that is written most like `given`, when one is close enough to be meant.
///
/// Case and the choice between `-`, `_` and space do not count. At most one edit in three characters is forgiven;
/// a candidate that begins with what was given counts as close. Ties go to the earlier candidate.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(given);
    if wanted.is_empty() {
        return None;
    }
    let allowed = (wanted.chars().count() / 3).max(1);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let Some(distance) = distance(&wanted, &plain(candidate), allowed) else { continue };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The longest name that is compared: the cost grows with the square of the length.
const NAME_CHARACTERS_MAX: usize = 64;

fn distance(wanted: &str, candidate: &str, allowed: usize) -> Option<usize> {
    let (long, short) = (candidate.chars().count(), wanted.chars().count());
    if long > NAME_CHARACTERS_MAX || short > NAME_CHARACTERS_MAX {
        return None;
    }
    let edits = strsim::osa_distance(wanted, candidate);
    if edits <= allowed {
        Some(edits)
    } else if short >= 3 && candidate.starts_with(wanted) {
        // Farther than any misspelling, nearer than nothing.
        Some(allowed + long - short)
    } else {
        None
    }
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn nearest_names() {
        let known = ["server", "service", "database_instance", "web_server", "cache", "id"];
        let cases = [
            ("sever", Some("server")),
            ("Server", Some("server")),
            ("servcie", Some("service")),
            ("data-base_instance", Some("database_instance")),
            ("database", Some("database_instance")),
            ("webserver", Some("web_server")),
            ("zebra", None),
            ("", None),
            ("x", None),
            ("ie", Some("id")),
        ];
        for (given, expected) in cases {
            assert_eq!(nearest(given, known), expected, "{given}");
        }
    }
}
