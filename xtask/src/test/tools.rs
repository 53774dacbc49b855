//! The tools of others that a few tests use: Python with grpcio, and a database server.
//!
//! The tests learn of them through the environment: `CMDB_TEST_<TOOL>` holds a path, or
//! `CMDB_TEST_<TOOL>_SKIP` the reason why there is none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{install, process};

const PYTHON_PACKAGES: [&str; 3] = ["grpcio", "grpcio-reflection", "protobuf"];

/// Whether missing tools may be installed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    Install,
    UsePresent,
}

/// One tool: where it is, or why it is not.
struct Tool {
    name: &'static str,
    variable: &'static str,
    place: Result<PathBuf, String>,
}

/// What was found.
pub struct Tools(Vec<Tool>);

impl Tools {
    /// One line for each tool.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|tool| match &tool.place {
            Ok(path) => format!("test tool: {} at {}", tool.name, path.display()),
            Err(reason) => format!("test tool: no {}, its test will be SKIPPED: {reason}", tool.name),
        })
    }

    /// How the tests learn of the tools.
    pub fn environment(&self) -> impl Iterator<Item = (String, OsString)> {
        self.0.iter().map(|tool| match &tool.place {
            Ok(path) => (tool.variable.to_owned(), path.clone().into_os_string()),
            Err(reason) => (format!("{}_SKIP", tool.variable), reason.into()),
        })
    }
}

/// Looks for every tool, installs what is missing where that is allowed.
pub fn find(root: &Path, setup: Setup) -> Tools {
    // Not installed when absent: Redis is smaller.
    let postgres = install::postgresql();
    // One real server of somebody else is enough; a second is tested where it happens to be.
    let redis = redis(if postgres.is_ok() { Setup::UsePresent } else { setup });
    Tools(vec![
        Tool { name: "Python with grpcio", variable: "CMDB_TEST_PYTHON", place: python(root, setup) },
        Tool { name: "PostgreSQL server", variable: "CMDB_TEST_POSTGRES", place: postgres },
        Tool { name: "Redis server", variable: "CMDB_TEST_REDIS", place: redis },
    ])
}

fn python(root: &Path, setup: Setup) -> Result<PathBuf, String> {
    let venv = root.join("target/test-tools/venv");
    let python = venv.join("bin/python");
    if imports_grpc(&python) {
        return Ok(python);
    }
    if setup == Setup::UsePresent {
        return Err(format!("nothing is set up in {}", venv.display()));
    }
    let python = install::venv(&venv)?;
    process::read(install::pip(&python).args(PYTHON_PACKAGES))
        .map_err(|error| process::in_one_line(&error))?;
    if imports_grpc(&python) {
        Ok(python)
    } else {
        Err("grpcio was installed and cannot be imported".to_owned())
    }
}

fn imports_grpc(python: &Path) -> bool {
    process::succeeds(
        Command::new(python).args(["-c", "import grpc, grpc_reflection.v1alpha, google.protobuf"]),
    )
}

fn redis(setup: Setup) -> Result<PathBuf, String> {
    let found = || {
        install::search_path().into_iter().map(|path| path.join("redis-server")).find(|path| path.is_file())
    };
    if let Some(path) = found() {
        return Ok(path);
    }
    if setup == Setup::UsePresent {
        return Err("`redis-server` is not installed".to_owned());
    }
    install::apt("redis-server")?;
    found().ok_or_else(|| "the package redis-server was installed and has no `redis-server`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_told_with_its_reason_and_where_it_is_otherwise() {
        let tools = Tools(vec![
            Tool { name: "first", variable: "CMDB_TEST_FIRST", place: Ok(PathBuf::from("/usr/bin/first")) },
            Tool {
                name: "second",
                variable: "CMDB_TEST_SECOND",
                place: Err("it is not installed".to_owned()),
            },
        ]);
        let lines: Vec<String> = tools.lines().collect();
        assert_eq!(lines[0], "test tool: first at /usr/bin/first");
        assert_eq!(lines[1], "test tool: no second, its test will be SKIPPED: it is not installed");
        let environment: Vec<_> = tools.environment().collect();
        assert_eq!(environment[0], ("CMDB_TEST_FIRST".to_owned(), OsString::from("/usr/bin/first")));
        assert_eq!(
            environment[1],
            ("CMDB_TEST_SECOND_SKIP".to_owned(), OsString::from("it is not installed"))
        );
    }
}
