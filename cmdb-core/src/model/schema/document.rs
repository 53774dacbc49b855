//! Reading spanned TOML tables: known keys, expected types, and where everything stands.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::BUILT_IN;
use super::finding::{At, Finding};
use crate::model::nearest::nearest;

/// One schema file.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    pub path: &'a str,
    pub text: &'a str,
    pub built_in: bool,
}

impl File<'_> {
    /// As findings name it.
    pub(super) fn shown(&self) -> String {
        if self.built_in { format!("{BUILT_IN} {}", self.path) } else { self.path.to_owned() }
    }

    /// As declarations name it.
    pub(super) fn declared_in(&self) -> &str {
        if self.built_in { BUILT_IN } else { self.path }
    }
}

/// A value and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Located<T> {
    pub value: T,
    pub at: At,
}

/// Reads one file; what is wrong is collected, and reading goes on.
pub(super) struct Reader<'r, 'f> {
    pub files: &'r [File<'f>],
    pub file: usize,
    pub findings: &'r mut Vec<Finding>,
}

/// A table, and how messages call it.
#[derive(Clone, Copy)]
pub(super) struct Table<'d, 'i> {
    pub table: &'d DeTable<'i>,
    pub what: &'static str,
    pub at: At,
}

/// An element of a list that takes both.
pub(super) enum Element<'d, 'i> {
    Text(Located<String>),
    Table(Table<'d, 'i>),
}

impl Table<'_, '_> {
    /// Whether the key is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.keys().any(|name| name.get_ref() == key)
    }
}

impl Reader<'_, '_> {
    fn at<T>(&self, spanned: &Spanned<T>) -> At {
        At { file: self.file, offset: spanned.span().start }
    }

    /// Notes that something is wrong.
    pub(super) fn wrong(&mut self, at: At, message: impl Into<String>) {
        let finding = at.finding(self.files, message);
        self.findings.push(finding);
    }

    /// The file as a table; `None` when it is not TOML.
    pub(super) fn document<'i>(&mut self, text: &'i str) -> Option<Spanned<DeTable<'i>>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            self.wrong(At { file: self.file, offset }, format!("not valid TOML: {}", error.message().trim()));
        }
        errors.is_empty().then_some(document)
    }

    /// The root of a document.
    pub(super) fn root<'d, 'i>(&self, document: &'d Spanned<DeTable<'i>>) -> Table<'d, 'i> {
        Table { table: document.get_ref(), what: "a schema file", at: At { file: self.file, offset: 0 } }
    }

    /// Notes every key that is not among `keys`.
    pub(super) fn keys(&mut self, table: Table<'_, '_>, keys: &[&str]) {
        for key in table.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let given = key.get_ref();
            let right = match nearest(given, keys.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("its keys are {}", keys.join(", ")),
            };
            let at = self.at(key);
            self.wrong(at, format!("{} has no key \"{given}\": {right}", table.what));
        }
    }

    fn value<'d, 'i>(table: Table<'d, 'i>, key: &str) -> Option<&'d Spanned<DeValue<'i>>> {
        table.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn mistyped(&mut self, table: Table<'_, '_>, key: &str, expected: &str, value: &Spanned<DeValue<'_>>) {
        let given = match value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let at = self.at(value);
        self.wrong(at, format!("\"{key}\" of {} is {expected}, not {given}", table.what));
    }

    /// A text.
    pub(super) fn text(&mut self, table: Table<'_, '_>, key: &str) -> Option<Located<String>> {
        let value = Self::value(table, key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Located { value: text.to_string(), at: self.at(value) }),
            _ => {
                self.mistyped(table, key, "text", value);
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, table: Table<'_, '_>, key: &str) -> Option<Located<String>> {
        if !table.has(key) {
            self.wrong(table.at, format!("{} lacks \"{key}\"", table.what));
        }
        self.text(table, key)
    }

    /// True or false.
    pub(super) fn flag(&mut self, table: Table<'_, '_>, key: &str) -> Option<bool> {
        let value = Self::value(table, key)?;
        match value.get_ref() {
            DeValue::Boolean(truth) => Some(*truth),
            _ => {
                self.mistyped(table, key, "true or false", value);
                None
            }
        }
    }

    /// A number from 0 to 1.
    pub(super) fn share(&mut self, table: Table<'_, '_>, key: &str) -> Option<f64> {
        let value = Self::value(table, key)?;
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        let share = number.filter(|number| (0.0..=1.0).contains(number));
        if share.is_none() {
            self.mistyped(table, key, "a number from 0 to 1, such as 0.999", value);
        }
        share
    }

    /// A list of texts; `None` when the key is absent or not such a list.
    pub(super) fn texts(&mut self, table: Table<'_, '_>, key: &str) -> Option<Vec<Located<String>>> {
        let value = Self::value(table, key)?;
        let Some(elements) = value.get_ref().as_array() else {
            self.mistyped(table, key, "a list of texts", value);
            return None;
        };
        let mut texts = Vec::new();
        for element in elements.iter() {
            match element.get_ref() {
                DeValue::String(text) => {
                    texts.push(Located { value: text.to_string(), at: self.at(element) });
                }
                _ => self.mistyped(table, key, "a list of texts", element),
            }
        }
        Some(texts)
    }

    /// A list of texts and tables.
    pub(super) fn texts_or_tables<'d, 'i>(
        &mut self,
        table: Table<'d, 'i>,
        key: &str,
        what: &'static str,
    ) -> Vec<Element<'d, 'i>> {
        let Some(value) = Self::value(table, key) else { return Vec::new() };
        let Some(elements) = value.get_ref().as_array() else {
            self.mistyped(table, key, "a list of texts", value);
            return Vec::new();
        };
        let mut found = Vec::new();
        for element in elements.iter() {
            let at = self.at(element);
            match element.get_ref() {
                DeValue::String(text) => found.push(Element::Text(Located { value: text.to_string(), at })),
                DeValue::Table(inner) => found.push(Element::Table(Table { table: inner, what, at })),
                _ => self.mistyped(table, key, "a list of texts", element),
            }
        }
        found
    }

    /// One of a closed set.
    pub(super) fn choice<T: Copy>(
        &mut self,
        table: Table<'_, '_>,
        key: &str,
        choices: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.text(table, key)?;
        let found = choices.iter().copied().find(|choice| name(*choice) == text.value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|choice| name(*choice)).collect();
            let message =
                format!("\"{key}\" of {} is one of {}, not \"{}\"", table.what, names.join(", "), text.value);
            self.wrong(text.at, message);
        }
        found
    }

    /// The entries of a table, each with its key.
    pub(super) fn entries<'d, 'i>(
        &mut self,
        table: Table<'d, 'i>,
        key: &str,
    ) -> Vec<(Located<String>, &'d Spanned<DeValue<'i>>)> {
        let Some(value) = Self::value(table, key) else { return Vec::new() };
        let Some(inner) = value.get_ref().as_table() else {
            self.mistyped(table, key, "a table", value);
            return Vec::new();
        };
        let entries = inner
            .iter()
            .map(|(name, value)| (Located { value: name.get_ref().to_string(), at: self.at(name) }, value));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(name, _)| name.at.offset);
        entries
    }

    /// A table within a table.
    pub(super) fn table<'d, 'i>(
        &mut self,
        table: Table<'d, 'i>,
        key: &str,
        what: &'static str,
    ) -> Option<Table<'d, 'i>> {
        let value = Self::value(table, key)?;
        match value.get_ref() {
            DeValue::Table(inner) => Some(Table { table: inner, what, at: self.at(value) }),
            _ => {
                self.mistyped(table, key, "a table", value);
                None
            }
        }
    }

    /// A list of tables.
    pub(super) fn tables<'d, 'i>(
        &mut self,
        table: Table<'d, 'i>,
        key: &str,
        what: &'static str,
    ) -> Option<Vec<Table<'d, 'i>>> {
        let value = Self::value(table, key)?;
        let Some(elements) = value.get_ref().as_array() else {
            self.mistyped(table, key, "a list of tables", value);
            return None;
        };
        let mut tables = Vec::new();
        for element in elements.iter() {
            match element.get_ref() {
                DeValue::Table(inner) => tables.push(Table { table: inner, what, at: self.at(element) }),
                _ => self.mistyped(table, key, "a list of tables", element),
            }
        }
        Some(tables)
    }
}
