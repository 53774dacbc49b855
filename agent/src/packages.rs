//! What is installed, read from the package managers' own databases, and which package a file belongs to.
//!
//! ```text
//!  dpkg  /var/lib/dpkg/status, status.d, info/*.list     text
//!  apk   /lib/apk/db/installed                           text
//!  rpm   rpmdb.sqlite                                    SQLite pages → header blobs
//! ```
//!
//! Knows nothing of claims. Invariant: a database is read again only when its file changed, and one that cannot
//! be read in whole is named with the reason.

mod apk;
mod dpkg;
mod rpm;
pub mod sqlite;

use std::collections::{BTreeMap, BTreeSet};

use crate::host::Distribution;
use crate::root::{Fingerprint, Root};

/// The most packages of one host.
pub const PACKAGES_MAX: usize = 50_000;
/// The most bytes of a database that is text.
const TEXT_DATABASE_BYTES_MAX: usize = 128 << 20;
/// The most files whose owner is remembered.
const OWNERS_MAX: usize = 10_000;

/// Where no package puts files: looking there would mean to look through everything, in vain.
const NEVER_PACKAGED: [&str; 8] =
    ["/tmp/", "/var/tmp/", "/home/", "/root/", "/run/", "/proc/", "/dev/", "/usr/local/"];

/// Whose package it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PackageKind {
    /// Alpine's.
    Apk,
    /// Debian's.
    Deb,
    /// Red Hat's and SUSE's.
    Rpm,
}

impl PackageKind {
    /// The type in a package URL.
    pub fn as_str(self) -> &'static str {
        match self {
            PackageKind::Apk => "apk",
            PackageKind::Deb => "deb",
            PackageKind::Rpm => "rpm",
        }
    }
}

/// One installed package.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Package {
    /// Whose.
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its version as its manager writes it, without an rpm's epoch.
    pub version: String,
    /// An rpm's epoch.
    pub epoch: Option<u32>,
    /// Its architecture; empty: not said.
    pub architecture: String,
}

impl Package {
    /// The package URL.
    pub fn purl(&self, distribution: &Distribution) -> String {
        let mut url = format!("pkg:{}/", self.kind.as_str());
        if let Some(namespace) = &distribution.id {
            url.push_str(&escape(namespace));
            url.push('/');
        }
        url.push_str(&escape(&self.name));
        url.push('@');
        url.push_str(&escape(&self.version));
        let mut separator = '?';
        if !self.architecture.is_empty() {
            url.push(separator);
            url.push_str("arch=");
            url.push_str(&escape(&self.architecture));
            separator = '&';
        }
        if let Some(epoch) = self.epoch.filter(|epoch| *epoch != 0) {
            url.push(separator);
            url.push_str(&format!("epoch={epoch}"));
        }
        url
    }

    /// The version of the software in it: without the distribution's revision and epoch.
    pub fn software_version(&self) -> &str {
        let version = match self.kind {
            PackageKind::Deb => self.version.split_once(':').map_or(self.version.as_str(), |(_, rest)| rest),
            PackageKind::Apk | PackageKind::Rpm => &self.version,
        };
        version.rsplit_once('-').map_or(version, |(software, _)| software)
    }
}

/// Percent-encoding as the package URL specification asks for.
fn escape(text: &str) -> String {
    use std::fmt::Write;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                escaped.push(char::from(byte));
            }
            _ => write!(escaped, "%{byte:02X}").expect("writing to a string"),
        }
    }
    escaped
}

/// What one package manager's database gave.
#[derive(Debug, Default)]
struct Part {
    packages: Vec<Package>,
    gaps: Vec<String>,
}

/// The package databases of a host.
#[derive(Debug, Default)]
pub struct PackageDatabase {
    read_from: Vec<(String, Option<Fingerprint>)>,
    packages: Vec<Package>,
    gaps: Vec<String>,
    owners: BTreeMap<String, Option<usize>>,
}

impl PackageDatabase {
    /// Reads again what has changed.
    pub fn refresh(&mut self, root: &Root, distribution: &Distribution) {
        let places: Vec<String> =
            dpkg::places(root).into_iter().chain(apk::places()).chain(rpm::places()).collect();
        let now: Vec<_> = places
            .into_iter()
            .map(|place| {
                let fingerprint = root.fingerprint(&place);
                (place, fingerprint)
            })
            .collect();
        if now == self.read_from {
            return;
        }
        let mut part = Part::default();
        dpkg::read(root, &mut part);
        apk::read(root, &mut part);
        rpm::read(root, &mut part);
        part.packages.sort();
        part.packages.dedup();
        if part.packages.len() > PACKAGES_MAX {
            part.packages.truncate(PACKAGES_MAX);
            part.gaps.push(format!("more than {PACKAGES_MAX} packages: the rest is left out"));
        }
        tracing::debug!(packages = part.packages.len(), distribution = ?distribution.id, "package databases read");
        *self = Self { read_from: now, packages: part.packages, gaps: part.gaps, owners: BTreeMap::new() };
    }

    /// What is installed, in order.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// What could not be read, with the reason.
    pub fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// Finds the packages that these files belong to, all in one go; see [`PackageDatabase::owner`].
    pub fn find_owners(&mut self, root: &Root, paths: &BTreeSet<String>) {
        if self.owners.len() > OWNERS_MAX {
            self.owners.clear();
        }
        let is_unknown = |path: &&String| {
            !self.owners.contains_key(*path) && !NEVER_PACKAGED.iter().any(|place| path.starts_with(place))
        };
        let unknown: BTreeSet<String> = paths.iter().filter(is_unknown).take(OWNERS_MAX).cloned().collect();
        if unknown.is_empty() {
            return;
        }
        let mut wanted = Wanted::new(&unknown);
        dpkg::owners(root, &self.packages, &mut wanted);
        apk::owners(root, &self.packages, &mut wanted);
        rpm::owners(root, &self.packages, &mut wanted);
        let mut found = wanted.found;
        self.owners.extend(unknown.into_iter().map(|path| {
            let owner = found.remove(&path);
            (path, owner)
        }));
    }

    /// The package that a file belongs to, when it was asked for before.
    pub fn owner(&self, path: &str) -> Option<&Package> {
        self.owners.get(path).copied().flatten().and_then(|index| self.packages.get(index))
    }
}

/// Files whose owner is looked for. A file below `/usr` may be listed without that prefix, from before the two
/// were merged.
struct Wanted {
    spelled: BTreeMap<Vec<u8>, String>,
    found: BTreeMap<String, usize>,
}

impl Wanted {
    fn new(paths: &BTreeSet<String>) -> Self {
        let mut spelled = BTreeMap::new();
        for path in paths {
            spelled.insert(path.clone().into_bytes(), path.clone());
            if let Some(short) = path.strip_prefix("/usr").filter(|short| short.starts_with('/')) {
                spelled.entry(short.as_bytes().to_vec()).or_insert_with(|| path.clone());
            }
        }
        Self { spelled, found: BTreeMap::new() }
    }

    fn is_done(&self) -> bool {
        self.spelled.is_empty()
    }

    fn file_names(&self) -> BTreeSet<&[u8]> {
        self.spelled.keys().filter_map(|path| path.rsplit(|byte| *byte == b'/').next()).collect()
    }

    /// Says that `path` belongs to a package; cheap when nobody asked for it.
    fn offer(&mut self, path: &[u8], package: impl FnOnce() -> Option<usize>) {
        let Some(asked) = self.spelled.get(path) else { return };
        let Some(package) = package() else { return };
        let asked = asked.clone();
        self.spelled.retain(|_, other| *other != asked);
        self.found.insert(asked, package);
    }
}

/// Where a package stands in the ordered list.
fn position(
    packages: &[Package],
    kind: PackageKind,
    name: &str,
    matches: impl Fn(&Package) -> bool,
) -> Option<usize> {
    let start = packages.partition_point(|package| (package.kind, package.name.as_str()) < (kind, name));
    packages[start..]
        .iter()
        .take_while(|package| package.kind == kind && package.name == name)
        .position(matches)
        .map(|offset| start + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls() {
        let cases = [
            (
                PackageKind::Deb,
                "openssl",
                "3.0.15-1~deb12u1",
                None,
                "amd64",
                "pkg:deb/debian/openssl@3.0.15-1~deb12u1?arch=amd64",
                "3.0.15",
            ),
            (
                PackageKind::Deb,
                "libstdc++6",
                "1:12.2.0-14+b1",
                None,
                "",
                "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bb1",
                "12.2.0",
            ),
            (
                PackageKind::Rpm,
                "bind",
                "9.16.23-1.el9",
                Some(32),
                "x86_64",
                "pkg:rpm/debian/bind@9.16.23-1.el9?arch=x86_64&epoch=32",
                "9.16.23",
            ),
            (
                PackageKind::Apk,
                "musl",
                "1.2.4-r2",
                None,
                "x86_64",
                "pkg:apk/debian/musl@1.2.4-r2?arch=x86_64",
                "1.2.4",
            ),
        ];
        let distribution = Distribution { id: Some("debian".into()), ..Default::default() };
        for (kind, name, version, epoch, architecture, purl, software) in cases {
            let package = Package {
                kind,
                name: name.into(),
                version: version.into(),
                epoch,
                architecture: architecture.into(),
            };
            assert_eq!(package.purl(&distribution), purl);
            assert_eq!(package.software_version(), software);
        }
    }
}
