//! Making values comparable.

use std::net::IpAddr;

use super::{Normalise, Schema};
use crate::model::value::Value;

impl Schema {
    /// The canonical text of a value, for identification and indexes. `None`: junk, or not usable (lists, maps,
    /// empty text).
    ///
    /// Of a list every element counts on its own: see [`Schema::normalise_each`].
    #[must_use]
    pub fn normalise(&self, class: &str, attribute: &str, value: &Value) -> Option<String> {
        // A class that holds an attribute without declaring it compares it as all others do.
        let declared = self.attribute(class, attribute).or_else(|| self.attribute("", attribute));
        let how = declared.map(|attribute| attribute.normalise).unwrap_or_default();
        let text = canonical(how, value)?;
        let says_nothing = |text: &str| text.is_empty() || self.is_junk(attribute, text);
        if how != Normalise::Uuid {
            return (!says_nothing(&text)).then_some(text);
        }
        // Firmware writes the first three fields either way round, and readers disagree on which: both are one id.
        // Junk is listed in one of them.
        let swapped = swapped(&text);
        (!says_nothing(&text) && !says_nothing(&swapped)).then(|| text.min(swapped))
    }

    /// The canonical texts of a value by which the item is found that the value's item belongs to.
    #[must_use]
    pub fn normalise_row(&self, class: &str, attribute: &str, value: &Value) -> Vec<String> {
        let mut texts = self.normalise_each(class, attribute, value);
        texts.retain(|text| !self.junk.holds_in_lookups(attribute, text));
        texts
    }

    /// The canonical texts of a value: one for each usable element of a list, at most one of anything else.
    #[must_use]
    pub fn normalise_each(&self, class: &str, attribute: &str, value: &Value) -> Vec<String> {
        match value {
            Value::List(elements) => {
                let mut texts: Vec<_> =
                    elements.iter().filter_map(|element| self.normalise(class, attribute, element)).collect();
                texts.sort_unstable();
                texts.dedup();
                texts
            }
            value => self.normalise(class, attribute, value).into_iter().collect(),
        }
    }
}

fn canonical(how: Normalise, value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => canonical_text(how, text),
        Value::Integer(number) => number.to_string(),
        // Adding zero turns -0 into 0.
        Value::Float(number) if number.is_finite() => (number + 0.0).to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Timestamp(moment) => moment.to_string(),
        Value::DurationUs(length) => length.to_string(),
        Value::Bytes(_) => value.to_string(),
        Value::Float(_) | Value::List(_) | Value::Map(_) => return None,
    })
}

fn canonical_text(how: Normalise, text: &str) -> String {
    match how {
        Normalise::Exact => text.to_owned(),
        Normalise::Trim => text.trim().to_owned(),
        Normalise::LowerCase => text.trim().to_lowercase(),
        Normalise::Mac => grouped(text, ':', &[2; 6]),
        Normalise::Uuid => grouped(text, '-', &[8, 4, 4, 4, 12]),
        Normalise::Address => {
            let text = text.trim().to_lowercase();
            text.parse::<IpAddr>().map_or(text, |address| address.to_canonical().to_string())
        }
    }
}

/// A UUID with the bytes of its first three fields in the other order; other text as it is.
fn swapped(uuid: &str) -> String {
    /// Where each byte of the first three fields comes from, hyphens left out.
    const ORDER: [usize; 8] = [3, 2, 1, 0, 5, 4, 7, 6];
    let groups: Vec<&str> = uuid.split('-').collect();
    let plain = groups.concat();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12])
        || !plain.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return uuid.to_owned();
    }
    let first: String = ORDER.iter().map(|byte| &plain[byte * 2..byte * 2 + 2]).collect();
    grouped(&format!("{first}{}", &plain[16..]), '-', &[8, 4, 4, 4, 12])
}

/// The hexadecimal digits of a text in groups; a text with other digits, or another number of them, in lower case.
fn grouped(text: &str, separator: char, groups: &[usize]) -> String {
    let plain = text.trim().trim_start_matches(['{', '(']).trim_end_matches(['}', ')']).to_lowercase();
    let digits: String = plain.chars().filter(|c| !matches!(c, '-' | ':' | '.' | ' ')).collect();
    if digits.len() != groups.iter().sum::<usize>() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return plain;
    }
    let mut rest = digits.as_str();
    let mut parts = Vec::with_capacity(groups.len());
    for length in groups {
        let (part, after) = rest.split_at(*length);
        parts.push(part);
        rest = after;
    }
    parts.join(&separator.to_string())
}
