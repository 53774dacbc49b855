//! The rpm database: one header blob per package, kept in one of three kinds of files.
//!
//! The SQLite kind is read. The older Berkeley DB kind and SUSE's ndb kind are named as not read.

use super::sqlite::{Column, Database, SqliteError};
use super::{Package, PackageKind, Part, Wanted, position};
use crate::root::Root;

const DIRECTORIES: [&str; 2] = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"];
const SQLITE: &str = "rpmdb.sqlite";
const TABLE: &str = "Packages";
/// The most index entries of one header.
const HEADER_ENTRIES_MAX: usize = 65_536;

const TAG_NAME: u32 = 1000;
const TAG_VERSION: u32 = 1001;
const TAG_RELEASE: u32 = 1002;
const TAG_EPOCH: u32 = 1003;
const TAG_ARCHITECTURE: u32 = 1022;
const TAG_DIRECTORY_INDEXES: u32 = 1116;
const TAG_BASE_NAMES: u32 = 1117;
const TAG_DIRECTORY_NAMES: u32 = 1118;

pub(super) fn places() -> Vec<String> {
    DIRECTORIES
        .iter()
        .flat_map(|directory| {
            [SQLITE, "rpmdb.sqlite-wal", "Packages.db", "Packages"].map(|name| format!("{directory}/{name}"))
        })
        .collect()
}

pub(super) fn read(root: &Root, part: &mut Part) {
    let mut broken = 0u32;
    let seen = each_header(root, &mut |blob| match Header::parse(blob).and_then(|header| header.package()) {
        // Imported keys are kept as packages that install nothing.
        Some(package) if package.name == "gpg-pubkey" => {}
        Some(package) => part.packages.push(package),
        None => broken += 1,
    });
    if let Some((path, Err(error))) = seen {
        part.gaps.push(format!("the rpm database {path} could not be read: {error}"));
    }
    if broken > 0 {
        part.gaps.push(format!("{broken} headers of the rpm database could not be read"));
    }
    for directory in DIRECTORIES {
        for (name, format) in [("Packages.db", "ndb"), ("Packages", "Berkeley DB")] {
            let path = format!("{directory}/{name}");
            if root.exists(&path) && !root.exists(&format!("{directory}/{SQLITE}")) {
                part.gaps.push(format!(
                    "the rpm database {path} is in the {format} format, which is not read yet; \
                     `rpmdb --rebuilddb` of a newer rpm turns it into SQLite"
                ));
            }
        }
    }
}

pub(super) fn owners(root: &Root, packages: &[Package], wanted: &mut Wanted) {
    if wanted.is_done() {
        return;
    }
    let seen = each_header(root, &mut |blob| {
        if let Some(header) = Header::parse(blob) {
            header.offer_files(packages, wanted);
        }
    });
    if let Some((path, Err(error))) = seen {
        tracing::debug!(path, %error, "no owners of files from the rpm database");
    }
}

fn each_header(root: &Root, see: &mut dyn FnMut(&[u8])) -> Option<(String, Result<(), SqliteError>)> {
    let path =
        DIRECTORIES.iter().map(|directory| format!("{directory}/{SQLITE}")).find(|path| root.exists(path))?;
    let outcome = Database::open(root, &path).and_then(|mut database| {
        database.rows(TABLE, |columns| {
            if let Some(Column::Blob(blob)) = columns.iter().find(|column| matches!(column, Column::Blob(_)))
            {
                see(blob);
            }
        })
    });
    Some((path, outcome))
}

/// A header: two lengths, an index of (tag, type, offset, count), and the store that the offsets point into.
struct Header<'a> {
    index: &'a [u8],
    store: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(blob: &'a [u8]) -> Option<Self> {
        let entries = usize::try_from(number(blob, 0)?).ok()?;
        let store_bytes = usize::try_from(number(blob, 4)?).ok()?;
        if entries > HEADER_ENTRIES_MAX {
            return None;
        }
        let (index, rest) = blob.get(8..)?.split_at_checked(entries * 16)?;
        Some(Self { index, store: rest.get(..store_bytes)? })
    }

    /// The part of the store where a tag's value starts, and how many values there are.
    fn value(&self, tag: u32) -> Option<(&'a [u8], usize)> {
        let entry = self.index.chunks_exact(16).find(|entry| number(entry, 0) == Some(tag))?;
        let offset = usize::try_from(number(entry, 8)?).ok()?;
        let count = usize::try_from(number(entry, 12)?).ok()?;
        Some((self.store.get(offset..)?, count))
    }

    fn strings(&self, tag: u32) -> impl Iterator<Item = &'a [u8]> {
        let (bytes, count) = self.value(tag).unwrap_or_default();
        bytes.split(|byte| *byte == 0).take(count)
    }

    fn text(&self, tag: u32) -> Option<String> {
        let text = crate::claim::clean(&String::from_utf8_lossy(self.strings(tag).next()?));
        (!text.is_empty()).then_some(text)
    }

    fn package(&self) -> Option<Package> {
        Some(Package {
            kind: PackageKind::Rpm,
            name: self.text(TAG_NAME)?,
            version: format!("{}-{}", self.text(TAG_VERSION)?, self.text(TAG_RELEASE)?),
            epoch: self.value(TAG_EPOCH).and_then(|(bytes, _)| number(bytes, 0)),
            architecture: self.text(TAG_ARCHITECTURE).unwrap_or_default(),
        })
    }

    fn offer_files(&self, packages: &[Package], wanted: &mut Wanted) {
        let names = wanted.file_names();
        let candidates: Vec<_> =
            self.strings(TAG_BASE_NAMES).enumerate().filter(|(_, name)| names.contains(name)).collect();
        if candidates.is_empty() {
            return;
        }
        let directories: Vec<&[u8]> = self.strings(TAG_DIRECTORY_NAMES).collect();
        let indexes = self.value(TAG_DIRECTORY_INDEXES).map(|(bytes, _)| bytes).unwrap_or_default();
        for (at, name) in candidates {
            let directory = number(indexes, at * 4)
                .and_then(|index| usize::try_from(index).ok())
                .and_then(|index| directories.get(index));
            let Some(directory) = directory else { continue };
            wanted.offer(&[directory, name].concat(), || {
                let package = self.package()?;
                position(packages, PackageKind::Rpm, &package.name, |other| *other == package)
            });
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with the given tags; strings only.
    fn blob(tags: &[(u32, &[u8])]) -> Vec<u8> {
        let mut index = Vec::new();
        let mut store = Vec::new();
        for (tag, value) in tags {
            index.extend(tag.to_be_bytes());
            index.extend(6u32.to_be_bytes());
            index.extend(u32::try_from(store.len()).unwrap().to_be_bytes());
            index.extend(1u32.to_be_bytes());
            store.extend_from_slice(value);
            store.push(0);
        }
        let mut blob = u32::try_from(tags.len()).unwrap().to_be_bytes().to_vec();
        blob.extend(u32::try_from(store.len()).unwrap().to_be_bytes());
        blob.extend(index);
        blob.extend(store);
        blob
    }

    #[test]
    fn headers() {
        let whole = blob(&[
            (TAG_NAME, b"bash"),
            (TAG_VERSION, b"5.1"),
            (TAG_RELEASE, b"9.el9"),
            (TAG_ARCHITECTURE, b"x86_64"),
        ]);
        let package = Header::parse(&whole).unwrap().package().unwrap();
        assert_eq!(
            (package.name.as_str(), package.version.as_str(), package.architecture.as_str()),
            ("bash", "5.1-9.el9", "x86_64")
        );
        // Wherever it is cut off, it is refused or gives less; never a panic.
        for length in 0..whole.len() {
            let cut = Header::parse(&whole[..length]).and_then(|header| header.package());
            assert!(cut.is_none(), "cut at {length}");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let huge = [0xff; 64];
        assert!(Header::parse(&huge).is_none());
        let mut lying = blob(&[(TAG_NAME, b"x")]);
        lying[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(Header::parse(&lying).unwrap().package().is_none());
    }
}
