//! Finds the paths that a process was started with: its data, its configuration, the program that a runtime runs.
//!
//! Arguments may hold secrets. Invariant: a text is taken from them only where the table names the option, or
//! where it is the name of a file that exists.

use super::catalogue::{Place, file_name};
use super::processes::Process;
use crate::root::Root;

/// How many of the first arguments may be the program that a runtime runs.
const PROGRAM_ARGUMENTS: usize = 16;
/// The longest name of a program.
const PROGRAM_NAME_BYTES_MAX: usize = 64;
/// File names that say nothing: the directory's name is meant.
const EMPTY_NAMES: [&str; 18] = [
    "index",
    "main",
    "server",
    "app",
    "run",
    "start",
    "bin",
    "cli",
    "manage",
    "wsgi",
    "asgi",
    "__main__",
    "www",
    "application",
    "bootstrap",
    "entrypoint",
    "worker",
    "service",
];
/// Directories that say nothing: the one above is meant.
const EMPTY_DIRECTORIES: [&str; 9] =
    ["dist", "src", "build", "lib", "bin", "out", "public", "current", "target"];

/// Whether the product's default paths are meant to be the instance's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plain {
    /// They are.
    Yes,
    /// They are another instance's.
    No,
}

/// The first of the places that has a path. A path that a product has by default may be another instance's: it
/// counts for a `plain` one only.
pub fn first(
    root: &Root,
    process: &Process,
    places: &[Place],
    in_container: bool,
    plain: Plain,
) -> Option<String> {
    places.iter().find_map(|place| match place {
        Place::Argument(option) => {
            argument(&process.arguments, option).and_then(|path| absolute(root, process, path, in_container))
        }
        Place::Path(_) if plain == Plain::No => None,
        Place::Path(path) => root.exists(&inside(process, path, in_container)).then(|| path.clone()),
        Place::WorkingDirectory => working_directory(root, process).filter(|path| path != "/"),
    })
}

/// A path as the agent reaches it: that of a process in a container lies below the container's root.
pub fn inside(process: &Process, path: &str, in_container: bool) -> String {
    if in_container { format!("/proc/{}/root{path}", process.pid) } else { path.to_owned() }
}

/// The value of an option: `-D value`, `--option=value`, or `option=value` where the option ends so.
fn argument<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    for (at, argument) in arguments.iter().enumerate() {
        if let Some(rest) = argument.strip_prefix(option) {
            if option.ends_with('=') {
                return Some(rest);
            }
            if let Some(value) = rest.strip_prefix('=') {
                return Some(value);
            }
            if rest.is_empty() {
                return arguments.get(at + 1).map(String::as_str);
            }
        }
    }
    None
}

fn working_directory(root: &Root, process: &Process) -> Option<String> {
    root.link(&format!("/proc/{}/cwd", process.pid)).ok().filter(|path| path.starts_with('/'))
}

fn absolute(root: &Root, process: &Process, path: &str, in_container: bool) -> Option<String> {
    match path {
        "" => None,
        _ if path.starts_with('/') => Some(path.to_owned()),
        // Something else than a path: taking it would take a part of the arguments.
        _ if path.starts_with('-') || path.contains(['=', ' ']) => None,
        _ => {
            let directory = working_directory(root, process)?;
            let joined = format!("{}/{}", directory.trim_end_matches('/'), path.trim_start_matches("./"));
            root.exists(&inside(process, &joined, in_container)).then_some(joined)
        }
    }
}

/// What a runtime runs: the name of the jar, script or module.
pub fn program(root: &Root, process: &Process, in_container: bool) -> Option<String> {
    let arguments = &process.arguments;
    let is_python = ["python", "pypy"].iter().any(|name| process.program_name().starts_with(name));
    if is_python
        && let Some(module) =
            arguments.iter().position(|argument| argument == "-m").and_then(|at| arguments.get(at + 1))
        && is_module(module)
    {
        return Some(module.clone());
    }
    let jar = arguments.iter().position(|argument| argument == "-jar").and_then(|at| arguments.get(at + 1));
    jar.into_iter()
        .chain(arguments.iter().skip(1).take(PROGRAM_ARGUMENTS).filter(|argument| !argument.starts_with('-')))
        .filter_map(|argument| absolute(root, process, argument, in_container))
        .find(|path| is_file(root, &inside(process, path, in_container)))
        .and_then(|path| program_name(&path))
}

fn is_module(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= PROGRAM_NAME_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_')
}

fn is_file(root: &Root, path: &str) -> bool {
    root.exists(path) && !root.is_directory(path)
}

/// `/srv/orders/dist/server.js` → `orders`, `/srv/orders-1.2.3.jar` → `orders`.
fn program_name(path: &str) -> Option<String> {
    let stem = |name: &str| name.rsplit_once('.').map_or(name.to_owned(), |(stem, _)| stem.to_owned());
    let name = without_version(&stem(file_name(path)));
    let name = if EMPTY_NAMES.contains(&name.as_str()) {
        let mut directories = path.rsplit('/').skip(1).filter(|directory| !directory.is_empty());
        directories.find(|directory| !EMPTY_DIRECTORIES.contains(directory)).map_or(name, str::to_owned)
    } else {
        name
    };
    let name = crate::claim::cut(&name, PROGRAM_NAME_BYTES_MAX).to_owned();
    (!name.is_empty()).then_some(name)
}

fn without_version(name: &str) -> String {
    let bytes = name.as_bytes();
    let at = (1..bytes.len()).find(|at| bytes[at - 1] == b'-' && bytes[*at].is_ascii_digit());
    at.map_or(name, |at| &name[..at - 1]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_options() {
        let arguments =
            ["postgres", "-D", "/data", "-c", "config_file=/etc/pg.conf", "--dir=/x"].map(str::to_owned);
        assert_eq!(argument(&arguments, "-D"), Some("/data"));
        assert_eq!(argument(&arguments, "config_file="), Some("/etc/pg.conf"));
        assert_eq!(argument(&arguments, "--dir"), Some("/x"));
        assert_eq!(argument(&arguments, "--di"), None);
        assert_eq!(argument(&arguments[..2], "-D"), None);
    }

    #[test]
    fn names_of_programs() {
        let cases = [
            ("/srv/orders/dist/server.js", Some("orders")),
            ("/srv/orders-1.2.3.jar", Some("orders")),
            ("/srv/pay-gate.py", Some("pay-gate")),
            ("/index.js", Some("index")),
            ("/", None),
        ];
        for (path, expected) in cases {
            assert_eq!(program_name(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_secret_is_not_taken_for_a_program() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("srv/app")).unwrap();
        std::fs::write(directory.path().join("srv/app/pay.js"), "").unwrap();
        let root = Root::new(directory.path());
        let process = |arguments: &[&str]| Process {
            pid: 7,
            parent: 1,
            started: 1,
            name: "node".into(),
            executable: None,
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            placement: Default::default(),
            namespace: Default::default(),
            sockets: Vec::new(),
            was_connected: false,
            has_ended: false,
        };
        let found = |arguments: &[&str]| program(&root, &process(arguments), false);
        assert_eq!(found(&["node", "hunter2", "/srv/app/pay.js"]).as_deref(), Some("pay"));
        assert_eq!(found(&["node", "hunter2", "/hunter2"]), None);
        assert_eq!(found(&["python3", "-m", "http.server"]).as_deref(), Some("http.server"));
        assert_eq!(found(&["python3", "-m", "not a module"]), None);
        assert_eq!(found(&["node", "-m", "hunter2"]), None, "only Python names modules so");
        assert_eq!(found(&["node"]), None);
    }
}
