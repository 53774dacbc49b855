//! The configuration in force, as a TOML file that would give the same one.

use toml::Value;

use super::Values;
use super::setting::{Kind, SETTINGS, Setting};

pub fn print(values: &Values) -> String {
    let mut lines = vec![(
        "# Flags come before the environment, the environment before the file, the file before the defaults."
            .to_owned(),
        String::new(),
    )];
    for setting in SETTINGS {
        let (value, origin) = &values[setting.name];
        let line = match value {
            Some(value) => format!("{} = {}", setting.name, literal(setting, value)),
            None => format!("# {} is not set", setting.name),
        };
        lines.push((line, origin.to_string()));
    }
    let width = lines.iter().skip(1).map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for (line, origin) in lines {
        match origin.as_str() {
            "" => text.push_str(&line),
            origin => text.push_str(&format!("{line:width$}  # {origin}")),
        }
        text.push('\n');
    }
    text
}

fn literal(setting: &Setting, value: &str) -> String {
    match setting.kind {
        Kind::Number => value.to_owned(),
        Kind::Switch => matches!(value, "on" | "true" | "yes" | "1").to_string(),
        Kind::Text => Value::String(value.to_owned()).to_string(),
    }
}
