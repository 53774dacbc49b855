//! Units of systemd, read from their files.
//!
//! A unit is enabled when something wants it: a link to it stands in a `.wants` or `.requires` directory of the
//! administrator's tree. Templates are reported by their enabled instances.

use std::collections::{BTreeMap, BTreeSet};

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::host::{Host, OS_KEY};
use crate::root::{Fingerprint, Root};

/// The first that has a unit wins, as for systemd.
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Where enabling a unit puts its links.
const ENABLING: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];
/// The most units of one host.
const UNITS_MAX: usize = 10_000;
/// The most bytes of a unit file.
const UNIT_BYTES_MAX: usize = 256 << 10;

/// Reads the units. A file that is as it was is not read again.
#[derive(Debug, Default)]
pub struct Units {
    known: BTreeMap<String, (Fingerprint, Unit)>,
}

impl Collector for Units {
    fn scope(&self) -> Scope {
        Scope::Units
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        let root = &host.root;
        let wanted = wanted(root, section);
        let mut known = BTreeMap::new();
        for (name, path) in unit_files(root, &wanted, section) {
            let Some((fingerprint, unit)) = self.read(root, &path) else { continue };
            section.add(
                Draft::new(&format!("unit:{name}"), "system_unit", &name)
                    .within(OS_KEY)
                    .set("unit", &name)
                    .set("kind", "systemd")
                    .set("description", unit.description.as_deref().map(|text| expand(text, &name)))
                    .set("enabled", unit.state(wanted.contains(&name)).as_str())
                    .set("executable", unit.executable.as_deref())
                    .set("host_name", &host.name)
                    .relates(Relation::RunsOn, OS_KEY),
            );
            if let Some(fingerprint) = fingerprint {
                known.insert(path, (fingerprint, unit));
            }
        }
        self.known = known;
    }
}

impl Units {
    fn read(&self, root: &Root, path: &str) -> Option<(Option<Fingerprint>, Unit)> {
        let now = root.fingerprint(path);
        match self.known.get(path) {
            Some((before, unit)) if Some(*before) == now => Some((now, unit.clone())),
            _ => Some((now, read(root, path)?)),
        }
    }
}

/// The units that links in `.wants` and `.requires` directories name.
fn wanted(root: &Root, section: &mut Section) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for directory in ENABLING {
        for holder in names(root, directory, section) {
            if holder.ends_with(".wants") || holder.ends_with(".requires") {
                wanted.extend(names(root, &format!("{directory}/{holder}"), section));
            }
        }
    }
    wanted.retain(|name| is_reported(name));
    wanted
}

/// The file of each unit.
fn unit_files(root: &Root, wanted: &BTreeSet<String>, section: &mut Section) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut templates = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for directory in DIRECTORIES {
        // `/lib` is `/usr/lib` on most hosts.
        if root.place(directory).is_some_and(|place| !seen.insert(place)) {
            continue;
        }
        for name in names(root, directory, section).into_iter().filter(|name| is_reported(name)) {
            let path = format!("{directory}/{name}");
            if name.contains("@.") {
                templates.entry(name).or_insert(path);
            } else if !is_alias(root, &path, &name) {
                files.entry(name).or_insert(path);
            }
        }
    }
    for instance in wanted {
        if let Some(template) = template_of(instance).and_then(|template| templates.get(&template)) {
            files.entry(instance.clone()).or_insert_with(|| template.clone());
        }
    }
    if files.len() > UNITS_MAX {
        section.gap(format!("more than {UNITS_MAX} units: the rest is left out"));
    }
    files.into_iter().take(UNITS_MAX).collect()
}

fn names(root: &Root, directory: &str, section: &mut Section) -> Vec<String> {
    match root.names(directory, UNITS_MAX) {
        Ok(names) => names.names,
        Err(error) if error.is_missing() => Vec::new(),
        Err(error) => {
            section.gap(error.to_string());
            Vec::new()
        }
    }
}

/// Targets, mounts, slices and devices only group or mirror other things.
fn is_reported(name: &str) -> bool {
    [".service", ".socket", ".timer"].iter().any(|kind| name.ends_with(kind))
}

/// Another name for a unit: a link to a unit of another name.
fn is_alias(root: &Root, path: &str, name: &str) -> bool {
    root.link(path).is_ok_and(|target| {
        let file = target.rsplit('/').next().unwrap_or_default();
        is_reported(file) && file != name
    })
}

/// `getty@.service` of `getty@tty1.service`.
fn template_of(instance: &str) -> Option<String> {
    let (name, rest) = instance.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{name}@.{kind}"))
}

/// The descriptions of templates name the instance by `%i` and the like.
fn expand(description: &str, unit: &str) -> String {
    let instance =
        unit.split_once('@').and_then(|(_, rest)| rest.rsplit_once('.')).map_or("", |(name, _)| name);
    description.replace("%i", instance).replace("%I", instance)
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unit {
    description: Option<String>,
    executable: Option<String>,
    can_be_enabled: bool,
    is_masked: bool,
}

/// In systemd's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Enabled,
    Disabled,
    Static,
    Masked,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Enabled => "enabled",
            State::Disabled => "disabled",
            State::Static => "static",
            State::Masked => "masked",
        }
    }
}

impl Unit {
    fn state(&self, is_wanted: bool) -> State {
        match () {
            () if self.is_masked => State::Masked,
            () if is_wanted => State::Enabled,
            () if self.can_be_enabled => State::Disabled,
            () => State::Static,
        }
    }
}

fn read(root: &Root, path: &str) -> Option<Unit> {
    if root.link(path).is_ok_and(|target| target == "/dev/null") {
        return Some(Unit { is_masked: true, ..Default::default() });
    }
    let content = root.read(path, UNIT_BYTES_MAX).ok()?;
    Some(parse(&String::from_utf8_lossy(&content)))
}

/// A unit file: sections of `Name=value` lines. An empty file masks the unit.
fn parse(text: &str) -> Unit {
    let mut unit = Unit { is_masked: text.trim().is_empty(), ..Default::default() };
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
            continue;
        }
        let Some((name, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        match (section, name.trim()) {
            ("Unit", "Description") if !value.is_empty() => unit.description = Some(value.to_owned()),
            ("Service", "ExecStart") if unit.executable.is_none() => unit.executable = executable(value),
            ("Install", "WantedBy" | "RequiredBy" | "UpheldBy" | "Also" | "Alias") => {
                unit.can_be_enabled = true
            }
            _ => {}
        }
    }
    unit
}

/// The program of a command line, without the marks in front of it. Its arguments are not read.
fn executable(command: &str) -> Option<String> {
    let command = command.trim_start_matches(['-', '@', ':', '+', '!', '|']);
    let program = match command.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => command.split_ascii_whitespace().next(),
    };
    program.filter(|program| !program.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_files_are_parsed() {
        let unit = parse(
            "# comment\n[Unit]\nDescription=A high performance web server\n[Service]\nExecStartPre=/bin/true\nExecStart=-/usr/sbin/nginx -g 'secret'\nExecStart=/bin/other\n[Install]\nWantedBy=multi-user.target\n",
        );
        assert_eq!(unit.description.as_deref(), Some("A high performance web server"));
        assert_eq!(unit.executable.as_deref(), Some("/usr/sbin/nginx"));
        assert_eq!((unit.state(true), unit.state(false)), (State::Enabled, State::Disabled));
        assert_eq!(parse("[Unit]\nDescription=x").state(false), State::Static);
        assert_eq!(parse(" \n").state(true), State::Masked);
        assert_eq!(parse("[Service\nExecStart=\n=\n\u{0}").executable, None);
    }

    #[test]
    fn programs() {
        let cases = [
            ("!!/sbin/x y", Some("/sbin/x")),
            ("\"/opt/my app/run\" --password z", Some("/opt/my app/run")),
            ("@/usr/bin/a b c", Some("/usr/bin/a")),
            ("", None),
            ("-", None),
            ("\"", None),
        ];
        for (command, expected) in cases {
            assert_eq!(executable(command).as_deref(), expected, "{command}");
        }
    }

    #[test]
    fn instances() {
        assert_eq!(template_of("getty@tty1.service").as_deref(), Some("getty@.service"));
        assert_eq!(template_of("getty.service"), None);
        assert_eq!(expand("Getty on %I", "getty@tty1.service"), "Getty on tty1");
    }
}
