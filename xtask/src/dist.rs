//! `cargo xtask dist`: what is shipped. Server and shell as release builds, the agent small; one tarball.
//!
//! The agent is static where the musl target is installed, and says so where it is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::process;

const MUSL_TARGET: &str = "x86_64-unknown-linux-musl";
const DOCUMENTS: [&str; 4] = ["LICENSE", "README.md", "CHANGELOG.md", "examples/webshop.jsonl"];

#[derive(clap::Args)]
pub struct Options {}

/// Builds the binaries and packs them.
pub fn dist(root: &Path, _options: &Options) -> Result<ExitCode> {
    process::run(process::cargo(root).args(["build", "--release", "-p", "cmdb-server", "-p", "cmdb-cli"]))?;
    let agent = build_agent(root)?;
    let name =
        format!("cmdb-{}-{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let directory = root.join("target/dist").join(&name);
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("clearing {}", directory.display()))?;
    }
    fs::create_dir_all(&directory)?;
    let release = process::target_directory(root).join("release");
    let built = [release.join("cmdb-server"), release.join("cmdb"), agent];
    let documents = DOCUMENTS.iter().map(|name| root.join(name)).filter(|path| path.exists());
    for file in built.into_iter().chain(documents) {
        copy_into(&file, &directory)?;
    }
    let tarball = root.join("target/dist").join(format!("{name}.tar.gz"));
    let mut pack = Command::new("tar");
    pack.arg("-czf").arg(&tarball).arg("-C").arg(root.join("target/dist")).arg(&name);
    process::run(&mut pack)?;
    let bytes = fs::metadata(&tarball)?.len();
    process::say(format!("{} ({} KiB)", tarball.display(), bytes / 1024));
    Ok(ExitCode::SUCCESS)
}

/// Builds the agent as it is shipped.
pub fn build_agent(root: &Path) -> Result<PathBuf> {
    let mut build = process::cargo(root);
    build.args(["build", "--profile", "agent", "-p", "cmdb-agent"]);
    if musl_is_installed() {
        process::run(build.args(["--target", MUSL_TARGET]))?;
        return Ok(process::target_directory(root).join(MUSL_TARGET).join("agent/cmdb-agent"));
    }
    process::say(format!(
        "the target {MUSL_TARGET} is not installed: the agent is linked to this machine's libc"
    ));
    process::run(&mut build)?;
    Ok(process::target_directory(root).join("agent/cmdb-agent"))
}

/// Asks the compiler itself: a toolchain without `rustup` may have the target too.
fn musl_is_installed() -> bool {
    process::read(Command::new("rustc").args(["--print", "target-libdir", "--target", MUSL_TARGET]))
        .is_ok_and(|directory| Path::new(directory.trim()).is_dir())
}

fn copy_into(file: &Path, directory: &Path) -> Result<()> {
    let name = file.file_name().context("a file to ship has a name")?;
    fs::copy(file, directory.join(name)).with_context(|| format!("copying {}", file.display()))?;
    Ok(())
}
