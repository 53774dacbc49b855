//! Finds the version of a program without running it.

use super::catalogue::{Program, VersionPlace};
use super::instances::Instance;
use super::paths;
use super::processes::Process;
use crate::host::Host;

/// The most bytes of a file that holds nothing but a version.
const VERSION_BYTES_MAX: usize = 64;

/// The file whose package tells the version: the script of a rule, else the program.
pub fn packaged_file(instance: &Instance, process: &Process) -> Option<String> {
    let program = Program { executable: process.program_name(), arguments: &process.arguments };
    let script = instance.rule.as_ref().and_then(|rule| rule.script(program));
    script.filter(|path| path.starts_with('/')).map(str::to_owned).or_else(|| process.executable.clone())
}

/// The version, from the first place that has one.
pub fn find(host: &Host, instance: &Instance, process: &Process, in_container: bool) -> Option<String> {
    const PACKAGE_ONLY: &[VersionPlace] = &[VersionPlace::Package];
    let places = instance.rule.as_ref().map_or(PACKAGE_ONLY, |rule| &rule.version);
    places.iter().find_map(|place| match place {
        VersionPlace::Executable(pattern) => pattern.find(process.executable.as_deref()?).map(str::to_owned),
        VersionPlace::Argument(pattern) => {
            process.arguments.iter().find_map(|argument| pattern.find(argument)).map(str::to_owned)
        }
        VersionPlace::Data(file) => {
            let directory = instance.data_path.as_deref()?;
            let path = paths::inside(process, &format!("{directory}/{file}"), in_container);
            let content = host.root.read(&path, VERSION_BYTES_MAX).ok()?;
            let text = String::from_utf8_lossy(&content).trim().to_owned();
            text.starts_with(|c: char| c.is_ascii_digit()).then_some(text)
        }
        // The packages of the host say nothing of the programs in a container.
        VersionPlace::Package if in_container => None,
        VersionPlace::Package => host
            .packages
            .owner(&packaged_file(instance, process)?)
            .map(|owner| owner.software_version().to_owned()),
    })
}
