//! Small habits: no paths of a developer's machine, shared lints in every crate, files of a readable length.

use super::dependencies::Package;
use super::{Breach, SourceFile};

/// Lines above which a file is listed as a warning.
const FILE_LINES_MAX: usize = 800;

/// Paths that exist on one machine only. Written in parts, so that this file does not hold them.
fn machine_prefixes() -> [String; 3] {
    [["/wor", "k/"].concat(), ["/hom", "e/"].concat(), ["/User", "s/"].concat()]
}

/// Lines with a path of a developer's machine. Fixtures are recordings of whole machines and may hold such.
pub fn machine_paths(file: &SourceFile) -> Vec<Breach> {
    if file.path.components().any(|part| part.as_os_str() == "fixtures") {
        return Vec::new();
    }
    let prefixes = machine_prefixes();
    let mut breaches = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for prefix in &prefixes {
            if line.match_indices(prefix.as_str()).any(|(at, _)| is_a_path_of_someone(line, at, prefix)) {
                breaches.push(Breach {
                    file: file.path.clone(),
                    line: index + 1,
                    rule: "no path of a developer's machine is committed".to_owned(),
                    found: prefix.clone(),
                });
            }
        }
    }
    breaches
}

/// Lines that a merge left behind.
pub fn conflict_markers(file: &SourceFile) -> Vec<Breach> {
    let markers = ["<", ">"].map(|sign| [&sign.repeat(7), " "].concat());
    let lines = file.text.lines().enumerate();
    let left = lines.filter(|(_, line)| markers.iter().any(|marker| line.starts_with(marker.as_str())));
    left.map(|(index, line)| Breach {
        file: file.path.clone(),
        line: index + 1,
        rule: "no marker of a conflict is committed".to_owned(),
        found: line.chars().take(24).collect(),
    })
    .collect()
}

/// The prefix begins a path (it is not the end of a longer one) and a name follows.
fn is_a_path_of_someone(line: &str, at: usize, prefix: &str) -> bool {
    let before = line[..at].chars().next_back();
    let after = line[at + prefix.len()..].chars().next();
    let in_a_longer_path = before.is_some_and(|character| {
        character.is_alphanumeric() || ['.', '_', '-', '}', '*'].contains(&character)
    });
    !in_a_longer_path && after.is_some_and(char::is_alphanumeric)
}

/// The crate takes its lints from the workspace.
pub fn missing_lints(package: &Package) -> Vec<Breach> {
    let mut lines = package.manifest_text.lines().map(str::trim);
    let shared = lines.any(|line| line == "[lints]") && lines.any(|line| line == "workspace = true");
    if shared {
        return Vec::new();
    }
    vec![Breach {
        file: package.manifest.clone(),
        line: 1,
        rule: "every crate takes the lints of the workspace".to_owned(),
        found: "no `[lints] workspace = true`".to_owned(),
    }]
}

/// A file that asks to be divided.
pub fn long_file(file: &SourceFile) -> Option<String> {
    let generated = file.path.components().any(|part| part.as_os_str() == "generated");
    if generated || file.path.extension().is_none_or(|extension| extension != "rs") {
        return None;
    }
    let lines = file.text.lines().count();
    (lines > FILE_LINES_MAX).then(|| {
        format!(
            "{} has {lines} lines (more than {FILE_LINES_MAX}): what are its two halves?",
            file.path.display()
        )
    })
}
