//! What several collectors need to know of the host, read once before each scan.
//!
//! Knows nothing of reports. Invariant: it is read from the root only, and a part that cannot be read is absent,
//! never guessed.

pub mod addresses;
pub mod arrays;
pub mod cgroup;
pub mod devices;
pub mod mounts;
pub mod resolvers;
pub mod site;

use crate::packages::PackageDatabase;
use crate::root::Root;
use addresses::Address;
use cgroup::Container;
use devices::BlockDevices;
use mounts::Mount;
use resolvers::Resolvers;
use site::Site;

/// The key of the operating system instance.
pub const OS_KEY: &str = "os";
/// The key of the machine.
pub const MACHINE_KEY: &str = "machine";
/// The key of the container that the agent runs in.
pub const CONTAINER_KEY: &str = "container";

/// Name and version of the operating system, as `os-release` gives them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Distribution {
    /// Such as `debian`.
    pub id: Option<String>,
    /// Such as `Debian`.
    pub name: Option<String>,
    /// Such as `12`.
    pub version: Option<String>,
    /// Such as `Debian GNU/Linux 12 (bookworm)`.
    pub title: Option<String>,
}

/// The host as the collectors see it.
#[derive(Debug)]
pub struct Host {
    /// Where to read.
    pub root: Root,
    /// Its name.
    pub name: String,
    /// The network that its private addresses are of.
    pub site: Site,
    /// Which operating system.
    pub distribution: Distribution,
    /// The container that the agent runs in, if it does.
    pub container: Option<Container>,
    /// Mounted file systems, in order of mounting.
    pub mounts: Vec<Mount>,
    /// Disks and what is built of them.
    pub devices: BlockDevices,
    /// Addresses other than loopback.
    pub addresses: Vec<Address>,
    /// The servers that names are asked of.
    pub resolvers: Resolvers,
    /// What is installed.
    pub packages: PackageDatabase,
    /// Whether the report has an entry for the machine; set by its collector.
    pub has_machine: bool,
}

impl Host {
    /// A host that has not been looked at yet.
    pub fn new(root: Root) -> Self {
        Self {
            root,
            name: String::new(),
            site: Site::default(),
            distribution: Distribution::default(),
            container: None,
            mounts: Vec::new(),
            devices: BlockDevices::default(),
            addresses: Vec::new(),
            resolvers: Resolvers::default(),
            packages: PackageDatabase::default(),
            has_machine: false,
        }
    }

    /// Looks again.
    pub fn refresh(&mut self) {
        let root = &self.root;
        self.name = host_name(root);
        self.distribution = distribution(root);
        self.mounts = mounts::read(root);
        self.container = container(root, &self.mounts);
        self.devices = BlockDevices::read(root);
        self.addresses = addresses::read(root);
        self.resolvers = resolvers::read(root);
        self.has_machine = false;
        self.packages.refresh(root, &self.distribution);
    }
}

/// The host's name: what the kernel says, else what the configuration says.
fn host_name(root: &Root) -> String {
    root.text("/proc/sys/kernel/hostname")
        .or_else(|| root.text("/etc/hostname"))
        .or_else(|| root.is_live().then(crate::platform::host_name).flatten())
        .filter(|name| name != "(none)")
        .map_or_else(|| "localhost".to_owned(), |name| crate::claim::clean(&name))
}

fn distribution(root: &Root) -> Distribution {
    let text = root.text("/etc/os-release").or_else(|| root.text("/usr/lib/os-release")).unwrap_or_default();
    parse_os_release(&text)
}

/// `os-release`: `NAME="value"` lines in the syntax of the shell.
pub fn parse_os_release(text: &str) -> Distribution {
    let mut found = Distribution::default();
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once('=') else { continue };
        let value = unquote(value);
        if value.is_empty() {
            continue;
        }
        match name {
            "ID" => found.id = Some(value),
            "NAME" => found.name = Some(short_name(&value)),
            "VERSION_ID" => found.version = Some(value),
            "PRETTY_NAME" => found.title = Some(value),
            _ => {}
        }
    }
    found
}

/// `Debian GNU/Linux` is known as `Debian`.
fn short_name(name: &str) -> String {
    let short = name.trim_end_matches("GNU/Linux").trim_end_matches("Linux").trim();
    if short.is_empty() { name.to_owned() } else { short.to_owned() }
}

fn unquote(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote)) {
            return inner.replace("\\\"", "\"").replace("\\$", "$").replace("\\\\", "\\");
        }
    }
    value.to_owned()
}

/// Whether the root is the inside of a container, and of which.
///
/// `/.dockerenv` alone proves nothing: images that were turned into virtual machines still carry it. It counts
/// where the root file system is layered, as a container's is.
fn container(root: &Root, mounts: &[Mount]) -> Option<Container> {
    let own = root.text(&format!("{}/cgroup", root.own_process())).unwrap_or_default();
    if let Some(found) = cgroup::parse(&own).container {
        return Some(found);
    }
    if let Some(found) = mounts::container_of(mounts) {
        return Some(found);
    }
    if let Some(text) = root.text("/run/.containerenv") {
        let id = text.lines().find_map(|line| line.strip_prefix("id=")).map(unquote);
        return Some(Container { id, runtime: "podman".to_owned() });
    }
    if let Some(runtime) = root.text("/run/systemd/container") {
        return Some(Container { id: None, runtime: crate::claim::clean(&runtime) });
    }
    let layered = mounts::root_of(mounts).is_some_and(|mount| {
        matches!(mount.kind.as_str(), "overlay" | "aufs" | "fuse-overlayfs" | "fuse.fuse-overlayfs")
    });
    (layered && root.exists("/.dockerenv")).then(|| Container { id: None, runtime: "docker".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release() {
        let found = parse_os_release(
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\nrubbish\n=\n",
        );
        assert_eq!(found.id.as_deref(), Some("debian"));
        assert_eq!(found.name.as_deref(), Some("Debian"));
        assert_eq!(found.version.as_deref(), Some("12"));
        assert_eq!(found.title.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(parse_os_release("NAME=\"Alpine Linux\"").name.as_deref(), Some("Alpine"));
        assert_eq!(parse_os_release("\u{0}\u{1}ID"), Distribution::default());
    }
}
