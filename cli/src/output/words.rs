//! Numbers and lists as a sentence has them.

/// `1,234`.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 item`, `1,234 items`.
pub fn count(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`.
pub fn and<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    join(parts, "and")
}

/// `a`, `a or b`, `a, b or c`.
pub fn one_of<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    join(parts, "or")
}

fn join<'a>(parts: impl IntoIterator<Item = &'a str>, last_word: &str) -> String {
    let parts: Vec<&str> = parts.into_iter().collect();
    match parts.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, first)) => format!("{} {last_word} {last}", first.join(", ")),
    }
}

/// `12.3 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lists_read_as_in_a_sentence() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(12_345_678), "12,345,678");
        assert_eq!(count(1, "item", "items"), "1 item");
        assert_eq!(count(0, "item", "items"), "0 items");
        assert_eq!(and(["a"]), "a");
        assert_eq!(and(["a", "b", "c"]), "a, b and c");
        assert_eq!(one_of(["table", "json"]), "table or json");
        assert_eq!(bytes(17), "17 bytes");
        assert_eq!(bytes(12_897_485), "12.3 MiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }
}
