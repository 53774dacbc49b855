//! The configuration file: flat TOML, every key known, every error with its line.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::setting::{self, Kind, SETTINGS};

/// The largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A value of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The value.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// Reads the file.
///
/// # Errors
/// When it cannot be read, is not TOML, or holds a key or a type that is not known.
pub fn read(path: &Path) -> Result<BTreeMap<&'static str, Written>, ConfigError> {
    let unreadable = |source| ConfigError::FileUnreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(unreadable(std::io::Error::other(format!(
            "it has {bytes} bytes; a configuration file has at most {FILE_BYTES_MAX}"
        ))));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<BTreeMap<&'static str, Written>, ConfigError> {
    let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| ConfigError::FileSyntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_of(span.start)),
        message: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    let mut written = BTreeMap::new();
    for (key, value) in table.get_ref() {
        let line = line_of(key.span().start);
        let name = key.get_ref().as_ref();
        let setting = setting::find(name).ok_or_else(|| ConfigError::KeyUnknown {
            path: path.to_owned(),
            line,
            key: name.to_owned(),
            hint: match setting::nearest(name, SETTINGS.iter().map(|setting| setting.name)) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => "`cmdb-server --print-config` shows the keys there are".to_owned(),
            },
        })?;
        let text = match (setting.kind, value.get_ref()) {
            (Kind::Text, DeValue::String(text)) => text.to_string(),
            (Kind::Number, DeValue::Integer(number)) => number.to_string(),
            (Kind::Switch, DeValue::Boolean(on)) => if *on { "on" } else { "off" }.to_owned(),
            (kind, other) => {
                return Err(ConfigError::FileType {
                    path: path.to_owned(),
                    line,
                    key: setting.name,
                    expected: match kind {
                        Kind::Text => "a string",
                        Kind::Number => "an integer",
                        Kind::Switch => "true or false",
                    },
                    given: other.type_str(),
                });
            }
        };
        written.insert(setting.name, Written { text, line });
    }
    Ok(written)
}
