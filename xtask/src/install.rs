//! Tools of others: where they are, and how they are installed where that is allowed.
//!
//! Invariant: nothing is installed into the machine but by its package manager and as its superuser; Python packages go
//! into a virtual environment. Every failure is one line that says what to do.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// Seconds that the package registry gets to answer.
const REGISTRY_TIMEOUT_S: &str = "30";

/// The Python of a virtual environment, made where there is none.
pub fn venv(directory: &Path) -> Result<PathBuf, String> {
    let python = directory.join("bin/python");
    let works = || process::succeeds(Command::new(&python).args(["-m", "pip", "--version"]));
    let make = || process::succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(directory));
    if works() || make() {
        return Ok(python);
    }
    // Debian splits the module off; a machine may also have no Python at all.
    apt("python3-venv")?;
    if make() { Ok(python) } else { Err("`python3 -m venv` fails".to_owned()) }
}

/// `pip install` without compiling anything; packages are still to be named.
pub fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
    pip.args(["--retries", "1", "--timeout", REGISTRY_TIMEOUT_S]);
    pip
}

/// Installs a package of Debian.
pub fn apt(package: &str) -> Result<(), String> {
    if !Path::new("/etc/debian_version").exists() {
        return Err(format!("{package} is not installed, and this is not Debian: install it by hand"));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(format!("{package} is not installed: run `sudo apt-get install {package}`"));
    }
    let install = |command: &mut Command| {
        process::read(command.env("DEBIAN_FRONTEND", "noninteractive"))
            .map_err(|error| process::in_one_line(&error))
    };
    let mut package_install = Command::new("apt-get");
    package_install.args(["install", "-y", "--no-install-recommends", package]);
    if install(&mut package_install).is_ok() {
        return Ok(());
    }
    // The lists of packages may be absent or old.
    install(Command::new("apt-get").arg("update"))?;
    install(&mut package_install).map(drop)
}

/// The directory with `initdb` and `postgres`, where it is installed.
pub fn postgresql() -> Result<PathBuf, String> {
    let debian = sorted_versions("/usr/lib/postgresql").into_iter().map(|version| version.join("bin"));
    let directories = debian.chain(search_path());
    directories
        .into_iter()
        .find(|directory| directory.join("initdb").is_file() && directory.join("postgres").is_file())
        .ok_or_else(|| "`initdb` and `postgres` are not installed".to_owned())
}

/// The directories that commands are looked for in.
pub fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The folders in `directory`, the newest version first.
fn sorted_versions(directory: &str) -> Vec<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir(directory)
        .map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect())
        .unwrap_or_default();
    let number = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok()).unwrap_or(0)
    };
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    versions
}
